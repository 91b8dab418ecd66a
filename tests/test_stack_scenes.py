"""The rule of stacks on pictures: what the workers measure of them, and what the file service makes of that."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import scenes
from fs_service.domain.stacks import Figures, Shot, Stack, shift, stacks_of
from thumbnail_service.domain.limits import Limits
from thumbnail_service.domain.render import look


def figures_of(path: Path) -> Figures:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        told = json.loads(look(descriptor, os.fsencode(path.suffix[1:]), Limits()))
    finally:
        os.close(descriptor)
    return Figures(**told | {name: bytes(told[name]) for name in ("columns", "rows")})


def shot(path: Path, camera: str | None = "Example One", size: tuple[int, int] = scenes.SIZE) -> Shot:
    facts = path.stat()
    return Shot(path.name.encode(), facts.st_mtime_ns // 1000, camera, facts.st_size, *size, figures_of(path))


def names(stack: Stack) -> list[str]:
    return [one.name.decode() for one in stack.members]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("sharp", [0, 2])
def test_a_burst_is_a_stack_and_its_sharp_one_is_suggested(tmp_path: Path, seed: int, sharp: int) -> None:
    paths = scenes.burst(tmp_path, seed, sharp=sharp)
    (stack,) = stacks_of(map(shot, paths))
    assert names(stack) == [path.name for path in paths]
    assert stack.suggested == sharp
    assert stack.verdicts[sharp].reasons[0] == "Sharpest of 4"
    others = [one for at, one in enumerate(stack.verdicts) if at != sharp]
    assert all(one.reasons[0] in ("Blurred", "Softer") and one.sharpness < 0.8 for one in others)
    assert all(abs(one.exposure_ev) < 0.2 for one in stack.verdicts)


@pytest.mark.parametrize("seed", range(5))
def test_a_bracket_is_left_alone_however_far_apart_its_steps_look(tmp_path: Path, seed: int) -> None:
    assert stacks_of(map(shot, scenes.bracket(tmp_path, seed))) == []


@pytest.mark.parametrize("seed", range(5))
def test_two_brackets_in_a_row_are_left_alone(tmp_path: Path, seed: int) -> None:
    paths = scenes.bracket(tmp_path, seed, "a") + scenes.bracket(tmp_path, seed, "b", begin_s=1.5)
    assert stacks_of(map(shot, paths)) == []


@pytest.mark.parametrize("step", [60, 120, 360, 600])
@pytest.mark.parametrize("seed", range(4))
def test_a_sweep_is_left_alone_however_much_overlaps(tmp_path: Path, seed: int, step: int) -> None:
    assert stacks_of(map(shot, scenes.sweep(tmp_path, seed, step, 4))) == []


def test_a_shift_is_seen_with_its_direction(tmp_path: Path) -> None:
    one, other = (figures_of(path) for path in scenes.sweep(tmp_path, 7, step=240, count=2))
    across, down = shift(one, other)
    assert across == pytest.approx(240 / scenes.SIZE[0], abs=0.03)
    assert down == pytest.approx(0, abs=0.03)
    assert shift(other, one)[0] == pytest.approx(-across, abs=0.03)


@pytest.mark.parametrize("seed", range(5))
def test_neighbours_that_show_something_else_are_no_stack(tmp_path: Path, seed: int) -> None:
    pictures = [
        scenes.save(scenes.take(scenes.scene(10 * seed + number)), tmp_path / f"{number}.jpg", number / 2)
        for number in range(4)
    ]
    assert stacks_of(map(shot, pictures)) == []


def test_a_burst_with_something_else_in_between_is_one_stack_without_it(tmp_path: Path) -> None:
    paths = scenes.burst(tmp_path, count=3, sharp=1)
    other = scenes.save(scenes.take(scenes.scene(99)), tmp_path / "other.jpg", 0.7)
    (stack,) = stacks_of(map(shot, [*paths, other]))
    assert names(stack) == [path.name for path in paths]


@pytest.mark.parametrize("seed", range(5))
def test_near_duplicates_without_a_camera_stack_and_the_larger_one_is_suggested(tmp_path: Path, seed: int) -> None:
    picture = scenes.take(scenes.scene(seed))
    large = scenes.save(picture, tmp_path / "large.jpg", 0, None)
    small = scenes.save(picture.resize((600, 400)), tmp_path / "small.jpg", 1, None)
    (stack,) = stacks_of([shot(large, None), shot(small, None, (600, 400))])
    assert stack.members[stack.suggested].name == b"large.jpg"
    assert "Most pixels: 1200 × 800" in stack.verdicts[0].reasons
    assert "Fewer pixels: 600 × 400" in stack.verdicts[1].reasons


def test_one_that_lost_its_highlights_is_not_suggested(tmp_path: Path) -> None:
    view = scenes.scene(4)
    good = scenes.save(scenes.take(view), tmp_path / "a.jpg", 0)
    burnt = scenes.save(scenes.take(view, ev=1.5), tmp_path / "b.jpg", 1)
    for first, second in ((good, burnt), (burnt, good)):
        (stack,) = stacks_of([shot(first), shot(second)])
        assert stack.members[stack.suggested].name == b"a.jpg"
        assert "Lost highlights" in stack.verdicts[1 - stack.suggested].reasons


def test_blank_pictures_are_nothing_to_compare(tmp_path: Path) -> None:
    from PIL import Image

    blank = [scenes.save(Image.new("RGB", (300, 200), "grey"), tmp_path / f"{at}.jpg", at) for at in range(3)]
    assert stacks_of(map(shot, blank)) == []
