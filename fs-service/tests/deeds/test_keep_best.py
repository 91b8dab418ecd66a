"""Keeping one of several takes: the best locked, the rest trashed, all of it one step."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from deeds_world import World
from fs_service.domain.batch import keep_the_best
from fs_service.domain.errors import ItemLocked, NothingToUndo, OutsideRoots, PathMalformed, PathMissing
from fs_service.domain.items import State
from fs_service.domain.journal import StepKind
from hypothesis import given, settings
from hypothesis import strategies as st
from media_common.errors import InvalidArgument

LOCKED, TRASHED, SEEN, NONE = State.LOCKED, State.TRASHED, State.SEEN, State.NONE
KEPT, GONE = LOCKED | SEEN, TRASHED | SEEN
NAMES = ("a.jpg", "b.jpg", "deep/c.jpg", "other/d.jpg")

starts = st.tuples(*(st.sampled_from([State(number) for number in range(8)]) for _ in NAMES))


@settings(max_examples=60, deadline=None)
@given(starts=starts, best=st.integers(0, 3), missing=st.sets(st.integers(0, 3), max_size=2))
def test_one_undo_is_its_exact_inverse_whatever_is_locked_or_gone(
    starts: tuple[State, ...], best: int, missing: set[int]
) -> None:
    with tempfile.TemporaryDirectory() as base, World(Path(base)) as world:
        paths = [world.file(name, marks=marks) for name, marks in zip(NAMES, starts, strict=True)]
        for number in missing:
            os.unlink(paths[number])
        there = [number for number in range(4) if number not in missing]
        before = {number: world.state(paths[number]) for number in there}
        rest = [paths[number] for number in range(4) if number != best]
        if best in missing:
            with pytest.raises(PathMissing):
                keep_the_best(world.deeds, paths[best], rest)
            assert {number: world.state(paths[number]) for number in there} == before
            return
        outcomes = keep_the_best(world.deeds, paths[best], rest)
        assert [one.path for one in outcomes] == [paths[best], *rest]
        for number in there:
            locked = LOCKED in before[number]
            if number == best:
                wanted = (before[number] | KEPT) & ~TRASHED
            else:
                wanted = before[number] if locked else before[number] | GONE
            assert world.state(paths[number]) == wanted
        for one in outcomes[1:]:
            number = paths.index(one.path)
            if number in missing:
                assert isinstance(one.error, PathMissing)
            elif LOCKED in before[number]:
                assert isinstance(one.error, ItemLocked)
            else:
                assert (one.before, one.state) == (before[number], world.state(one.path))
        if {number: world.state(paths[number]) for number in there} != before:
            world.deeds.undo(1)
        assert {number: world.state(paths[number]) for number in there} == before
        with pytest.raises(NothingToUndo):
            world.deeds.undo(1)


def test_the_journal_can_tell_such_a_step_from_a_batch(world: World) -> None:
    paths = [world.file(name) for name in NAMES]
    keep_the_best(world.deeds, paths[0], paths[1:])
    kinds = world.database.read(lambda it: it.execute("SELECT kind FROM steps").fetchall())
    assert kinds == [(StepKind.KEEP_BEST,)]


def test_a_best_that_cannot_be_locked_leaves_the_others_alone(world: World) -> None:
    path, other = world.file("a.jpg"), world.file("b.jpg")
    for best, error in ((b"/elsewhere/x.jpg", OutsideRoots), (b"no path", PathMalformed)):
        with pytest.raises(error):
            keep_the_best(world.deeds, best, [path, other])
    os.mkdir(path + b".lock")  # something else stands where the companion would be
    with pytest.raises(Exception, match="stands"):
        keep_the_best(world.deeds, path, [other])
    assert world.state(other) == NONE


def test_a_path_that_is_none_spoils_its_own_outcome_alone(world: World) -> None:
    path, other = world.file("a.jpg"), world.file("b.jpg")
    first, second, third = keep_the_best(world.deeds, path, [b"relative.jpg", other])
    assert isinstance(second.error, PathMalformed)
    assert (first.state, third.state) == (KEPT, GONE)


@pytest.mark.parametrize("rest", [[], ["a.jpg"], ["b.jpg", "b.jpg"], ["A.JPG"], ["b.jpg", "./b.jpg"], ["x.jpg"] * 500])
def test_a_request_that_makes_no_sense_is_refused(world: World, rest: list[str]) -> None:
    path = world.file("a.jpg")
    world.file("b.jpg")
    with pytest.raises(InvalidArgument):
        keep_the_best(world.deeds, path, [os.fsencode(f"{world.root}/{name}") for name in rest])
    assert world.state(path) == NONE
