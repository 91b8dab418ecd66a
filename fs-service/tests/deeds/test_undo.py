"""Taking steps back: exactly, newest first, and never past a file that was deleted for good."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

import pytest
from deeds_world import World
from fs_service.domain.errors import NothingToUndo, OutsideRoots, PathMissing, RootOffline, UndoBlocked
from fs_service.domain.items import Action, State
from hypothesis import given, settings
from hypothesis import strategies as st
from media_common.errors import InvalidArgument, ServiceError

LOCKED, TRASHED, SEEN, NONE = State.LOCKED, State.TRASHED, State.SEEN, State.NONE
NAMES = ("a.jpg", "b.mp4", "deep/c.png")

requests = st.lists(
    st.tuples(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4), st.sampled_from(list(Action))), max_size=12
)
starts = st.tuples(*(st.sampled_from([NONE, SEEN, LOCKED, TRASHED | SEEN, LOCKED | SEEN, State(7)]) for _ in NAMES))


@settings(max_examples=60, deadline=None)
@given(starts=starts, asked=requests, data=st.data())
def test_undo_is_the_exact_inverse_of_any_sequence(
    starts: tuple[State, ...], asked: list[tuple[list[str], Action]], data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as base, World(Path(base)) as world:
        paths = [world.file(name, marks=marks) for name, marks in zip(NAMES, starts, strict=True)]
        history = [list(starts)]
        for names, action in asked:
            chosen = [os.fsencode(world.root / name) for name in names]
            if len(chosen) == 1:
                with contextlib.suppress(ServiceError):
                    world.deeds.act(chosen[0], action)
            else:
                world.deeds.act_batch(chosen, action)
            now = [world.state(path) for path in paths]
            if now != history[-1]:
                history.append(now)
        while len(history) > 1:
            steps = data.draw(st.integers(1, len(history) - 1))
            outcomes = world.deeds.undo(steps)
            del history[-steps:]
            assert [world.state(path) for path in paths] == history[-1]
            assert all(one.state == world.state(one.path) for one in outcomes)
        with pytest.raises(NothingToUndo):
            world.deeds.undo(1)


def test_nothing_to_undo_in_a_new_library(world: World) -> None:
    with pytest.raises(NothingToUndo):
        world.deeds.undo(1)


@pytest.mark.parametrize("steps", [0, -1, 1001])
def test_the_number_of_steps_has_bounds(world: World, steps: int) -> None:
    with pytest.raises(InvalidArgument):
        world.deeds.undo(steps)


def test_more_steps_than_there_are_undo_all(world: World) -> None:
    path = world.file("photo.jpg")
    world.deeds.act(path, Action.SEEN)
    assert [one.state for one in world.deeds.undo(100)] == [NONE]


def test_an_undo_is_not_undone(world: World) -> None:
    path = world.file("photo.jpg")
    world.deeds.act(path, Action.SEEN)
    world.deeds.act(path, Action.LOCK)
    world.deeds.undo(1)
    assert world.state(path) == SEEN
    world.deeds.undo(1)
    assert world.state(path) == NONE


def test_marks_changed_by_hand_since_are_left_as_they_are(world: World) -> None:
    path = world.file("photo.jpg")
    world.deeds.act(path, Action.TRASH)
    world.mark(path, TRASHED | LOCKED)  # by hand: locked, and no longer seen
    world.deeds.undo(1)
    assert world.state(path) == LOCKED


def test_a_deleted_file_blocks_the_undo_and_nothing_changes(world: World) -> None:
    kept, emptied = world.file("kept.jpg"), world.file("emptied.jpg")
    world.deeds.act_batch([kept, emptied], Action.SEEN)
    world.deeds.act(emptied, Action.TRASH)
    world.empty()
    before = world.tree()
    for steps in (1, 2, 3):
        with pytest.raises(UndoBlocked):
            world.deeds.undo(steps)
    assert world.tree() == before
    assert world.state(kept) == SEEN


def test_another_file_of_a_deleted_ones_name_has_its_own_history(world: World) -> None:
    path = world.file("photo.jpg", b"old")
    world.deeds.act(path, Action.TRASH)
    world.empty()
    spare = world.file("spare.jpg", b"keeps the old inode from being given out again")
    os.rename(spare, path)
    world.deeds.act(path, Action.LOCK)
    world.deeds.undo(1)
    assert world.state(path) == NONE
    with pytest.raises(UndoBlocked):
        world.deeds.undo(1)


def test_a_deletion_without_its_end_in_the_journal_blocks_the_undo_too(world: World) -> None:
    path = world.file("photo.jpg")
    world.deeds.act(path, Action.TRASH)
    run = world.trash.empty(None, None)
    events = [next(run), next(run)]
    assert [type(event).__name__ for event in events] == ["Deleting", "Deleted"]
    with pytest.raises(UndoBlocked):
        world.deeds.undo(1)
    run.close()
    with pytest.raises(UndoBlocked):
        world.deeds.undo(1)


def test_a_file_that_was_renamed_has_an_error_and_the_others_go_back(world: World) -> None:
    first, second = world.file("first.jpg"), world.file("second.jpg")
    world.deeds.act(first, Action.SEEN)
    world.deeds.act_batch([first, second], Action.TRASH)
    os.rename(second, second + b".png")
    outcomes = {one.path: one for one in world.deeds.undo(1)}
    assert outcomes[first].state == SEEN
    assert isinstance(outcomes[second].error, PathMissing)
    # The step is over: the next undo takes the one before.
    assert [one.path for one in world.deeds.undo(1)] == [first]
    assert world.state(first) == NONE


def test_a_step_whose_only_file_is_gone_is_in_nobodys_way(world: World) -> None:
    first, second = world.file("first.jpg"), world.file("second.jpg")
    world.deeds.act(first, Action.SEEN)
    world.deeds.act(second, Action.SEEN)
    os.unlink(second)
    assert isinstance(world.deeds.undo(1)[0].error, PathMissing)
    assert world.deeds.undo(1)[0].state == NONE


def test_a_root_taken_out_of_the_settings_is_in_nobodys_way(tmp_path: Path) -> None:
    with World(tmp_path, roots=["rev", "rev2"]) as world:
        path = world.file("photo.jpg")
        other = os.fsencode(tmp_path / "rev2" / "photo.jpg")
        Path(os.fsdecode(other)).write_bytes(b"x")
        world.deeds.act(path, Action.SEEN)
        world.deeds.act(other, Action.SEEN)
        del world.roots.inodes[os.fsencode(tmp_path / "rev2")]
        assert isinstance(world.deeds.undo(1)[0].error, OutsideRoots)
        assert world.deeds.undo(1)[0].state == NONE


def test_a_root_that_is_offline_is_undone_when_it_is_back(world: World) -> None:
    path = world.file("photo.jpg")
    world.deeds.act(path, Action.TRASH)
    os.rename(world.root, world.base / "away")
    with pytest.raises(RootOffline):
        world.deeds.undo(1)
    os.rename(world.base / "away", world.root)
    assert world.deeds.undo(1)[0].state == NONE
    assert world.state(path) == NONE


def test_undo_survives_a_restart(world: World) -> None:
    path = world.file("photo.jpg")
    world.deeds.act(path, Action.TRASH)
    with World(world.base) as later:
        later.recovery.run()
        assert later.deeds.undo(1)[0].state == NONE
    assert world.state(path) == NONE


def test_what_undo_trashes_again_may_be_deleted(world: World) -> None:
    path = world.file("photo.jpg")
    world.deeds.act(path, Action.TRASH)
    world.deeds.act(path, Action.UNTRASH)
    world.deeds.undo(1)
    assert world.state(path) == TRASHED | SEEN
    world.empty()
    assert not os.path.exists(path)
