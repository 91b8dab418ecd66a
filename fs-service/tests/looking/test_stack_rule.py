"""What a stack is, whatever the pictures are: properties. What it makes of photographs is in the whole product's
tests, with the measures of the workers."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from fs_service.domain.stacks import GAP_US, MOST_MEMBERS, Figures, Shot, are_takes, runs, shift, stacks_of
from hypothesis import given, settings
from hypothesis import strategies as st

_FLAT = bytes(64)
_WAVE = bytes(round(128 + 80 * (-1) ** (at // 5) * at / 64) for at in range(64))
_STEP = bytes(30 if at < 20 else 200 if at < 37 else 90 for at in range(64))


def figures(
    hash_: int = 0, ev: float = -2.0, columns: bytes = _WAVE, rows: bytes = _STEP, sharpness: float = 1.0
) -> Figures:
    return Figures(hash_, columns, rows, sharpness, ev, 0.0, 0.0)


def shot(name: str, at_s: float, camera: str | None = "One", read: Figures | None = None) -> Shot:
    return Shot(name.encode(), round(at_s * 1_000_000), camera, 1000, 400, 300, read or figures())


#: Few values of everything, so that there are stacks, and what only nearly is one.
shots = st.lists(
    st.builds(
        lambda at_us, camera, suffix, bits, ev, wide, is_read, sharpness: (
            Shot(
                b"",
                at_us,
                camera,
                1000,
                wide,
                300,
                figures((1 << bits) - 1, ev, sharpness=sharpness) if is_read else None,
            ),
            suffix,
        ),
        at_us=st.integers(0, 12).map(lambda number: number * 1_000_000),
        camera=st.sampled_from(["One", "Two", None]),
        suffix=st.sampled_from([".jpg", ".JPG", ".cr3"]),
        bits=st.sampled_from([0, 3, 8, 12, 30]),
        ev=st.sampled_from([-2.0, -2.1, -4.0, 0.0]),
        wide=st.sampled_from([400, 800]),
        is_read=st.sampled_from([True, True, True, False]),
        sharpness=st.sampled_from([0.1, 0.5, 1.0]),
    ),
    max_size=14,
).map(lambda made: [replace(one, name=b"%03d%s" % (at, suffix.encode())) for at, (one, suffix) in enumerate(made)])


@settings(max_examples=120, deadline=None)
@given(made=shots, data=st.data())
def test_stacks_follow_from_the_pictures_and_not_from_their_order(made: list[Shot], data: st.DataObject) -> None:
    assert stacks_of(data.draw(st.permutations(made))) == stacks_of(made)


@settings(max_examples=120, deadline=None)
@given(shots)
def test_no_picture_is_in_two_stacks_and_each_has_two_or_more_that_were_read(made: list[Shot]) -> None:
    found = stacks_of(made)
    names = [one.name for stack in found for one in stack.members]
    assert len(names) == len(set(names))
    assert set(names) <= {one.name for one in made}
    for stack in found:
        assert len(stack.members) > 1
        assert all(one.figures is not None for one in stack.members)
        assert len(stack.verdicts) == len(stack.members)
        assert 0 <= stack.suggested < len(stack.members)
        assert all(verdict.reasons and 0 <= verdict.sharpness <= 1 for verdict in stack.verdicts)
        assert list(stack.members) == sorted(stack.members, key=lambda one: (one.at_us, one.name))


@settings(max_examples=120, deadline=None)
@given(shots)
def test_neither_camera_nor_format_nor_gap_is_crossed_and_every_member_has_one_like_it(made: list[Shot]) -> None:
    for stack in stacks_of(made):
        assert len({one.kind for one in stack.members}) == 1
        times = [one.at_us for one in stack.members]
        assert all(after - before <= GAP_US for before, after in pairwise(times))
        for one in stack.members:
            assert any(
                abs(one.at_us - other.at_us) <= GAP_US and are_takes(one, other)
                for other in stack.members
                if other is not one
            )


@given(shots)
def test_who_is_in_a_stack_is_in_a_run_so_nobody_else_need_be_looked_at(made: list[Shot]) -> None:
    near = [{one.name for one in run} for run in runs(replace(one, figures=None) for one in made)]
    assert all(len(run) > 1 for run in near)
    for stack in stacks_of(made):
        assert any({one.name for one in stack.members} <= run for run in near)


def test_without_a_camera_only_what_is_very_much_alike_is_a_stack() -> None:
    seven_bits = figures(0b1111111)
    assert len(stacks_of([shot("a.jpg", 0), shot("b.jpg", 1, read=seven_bits)])) == 1
    assert stacks_of([shot("a.jpg", 0, None), shot("b.jpg", 1, None, seven_bits)]) == []
    assert len(stacks_of([shot("a.jpg", 0, None), shot("b.jpg", 1, None, figures(0b111))])) == 1


def test_a_raw_and_its_jpeg_are_not_takes_of_each_other() -> None:
    assert stacks_of([shot("a.cr3", 0), shot("a.jpg", 0)]) == []


def test_a_time_lapse_is_nothing_to_choose_from() -> None:
    many = [shot(f"{at:04}.jpg", at) for at in range(MOST_MEMBERS + 1)]
    assert stacks_of(many) == []
    assert len(stacks_of(many[:-1])) == 1


def test_of_equals_the_first_is_suggested_and_the_larger_one_before_it() -> None:
    (stack,) = stacks_of([shot("b.jpg", 0), shot("a.jpg", 1)])
    assert stack.suggested == 0
    larger = replace(shot("a.jpg", 1), width_px=800, height_px=600)
    (stack,) = stacks_of([shot("b.jpg", 0), larger])
    assert stack.members[stack.suggested].name == b"a.jpg"


@pytest.mark.parametrize(
    ("stops", "is_bracket"), [((0, -1, 1), True), ((-2, -1, 0, 1, 2), True), ((0, 0.2, -0.2), False)]
)
def test_a_scene_in_steps_of_exposure_is_left_alone(stops: tuple[float, ...], is_bracket: bool) -> None:
    made = [shot(f"{at}.jpg", at, read=figures(ev=-3 + stop)) for at, stop in enumerate(stops)]
    assert (stacks_of(made) == []) is is_bracket


def test_nothing_has_moved_where_there_is_nothing_to_see() -> None:
    assert shift(figures(columns=_FLAT, rows=_FLAT), figures(columns=_FLAT, rows=_FLAT)) == (0, 0)
    assert shift(figures(columns=_FLAT), figures(columns=_WAVE))[0] == 0
