"""Any step back: each file where that step was the last word on it, everything else left alone and told."""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from deeds_world import World
from fs_service.domain.errors import NothingToUndo, StepNotFound
from fs_service.domain.items import Action, State
from fs_service.domain.journal import StepKind
from fs_service.domain.step_undo import StepUndone, UndoResult
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from media_common.errors import ServiceError

LOCKED, TRASHED, SEEN, NONE = State.LOCKED, State.TRASHED, State.SEEN, State.NONE


def newest(world: World) -> int:
    return world.history.steps(None, 1)[0].step


def results(undone: StepUndone) -> dict[str, int]:
    return dict(Counter(one.result.name for one in undone.outcomes))


def test_an_old_batch_goes_back_but_for_what_was_changed_since(world: World) -> None:
    paths = [world.file(f"{name}.jpg") for name in "abcd"]
    world.deeds.act_batch(paths, Action.TRASH)
    step = newest(world)
    world.deeds.act(paths[0], Action.UNTRASH)
    world.deeds.act(world.file("other.jpg"), Action.LOCK)
    undone = world.step_undo.undo(step)
    assert results(undone) == {"CHANGED": 1, "DONE": 3}
    assert [one.path for one in undone.outcomes] == paths
    assert [world.state(path) for path in paths] == [SEEN, NONE, NONE, NONE]
    assert undone.step == newest(world)


def test_a_later_step_is_respected_though_the_marks_are_the_same(world: World) -> None:
    path = world.file("photo.jpg")
    world.deeds.act(path, Action.TRASH)
    step = newest(world)
    world.deeds.act(path, Action.UNTRASH)
    world.deeds.act(path, Action.TRASH)
    assert results(world.step_undo.undo(step)) == {"CHANGED": 1}
    # Once what came later is taken back, it can be.
    world.deeds.undo(2)
    assert results(world.step_undo.undo(step)) == {"DONE": 1}
    assert world.state(path) == NONE


def test_what_was_left_alone_still_stands_for_the_latest_undo(world: World) -> None:
    first, second = world.file("first.jpg"), world.file("second.jpg")
    world.deeds.act_batch([first, second], Action.TRASH)
    step = newest(world)
    world.deeds.act(first, Action.LOCK)
    assert results(world.step_undo.undo(step)) == {"LOCKED": 1, "DONE": 1}
    world.deeds.undo(1)  # the lock
    assert [one.path for one in world.deeds.undo(1)] == [first]
    assert world.state(first) == NONE
    with pytest.raises(NothingToUndo):
        world.step_undo.undo(step)


def test_an_undo_taken_back_is_the_deed_again_and_the_latest_one(world: World) -> None:
    path, other = world.file("photo.jpg"), world.file("other.jpg")
    world.deeds.act(path, Action.TRASH)
    step = newest(world)
    world.deeds.act(other, Action.SEEN)
    undone = world.step_undo.undo(step)
    assert undone.step is not None
    redone = world.step_undo.undo(undone.step)
    assert world.state(path) == TRASHED | SEEN
    kinds = [(line.kind, line.standing) for line in world.history.steps(None, 10)]
    assert kinds == [(StepKind.REDO, 1), (StepKind.UNDO, 0), (StepKind.ACT, 1), (StepKind.ACT, 0)]
    assert [one.path for one in world.deeds.undo(1)] == [path]
    assert world.state(path) == NONE
    assert world.state(other) == SEEN
    assert redone.step is not None
    with pytest.raises(NothingToUndo):
        world.step_undo.undo(redone.step)


def test_an_undo_of_several_steps_is_done_again_as_one(world: World) -> None:
    path, other = world.file("photo.jpg"), world.file("other.jpg")
    world.deeds.act(path, Action.SEEN)
    world.deeds.act_batch([path, other], Action.LOCK)
    world.deeds.undo(2)
    line = world.history.steps(None, 1)[0]
    assert (line.kind, line.files, len(line.reverts)) == (StepKind.UNDO, 2, 2)
    assert results(world.step_undo.undo(line.step)) == {"DONE": 2}
    assert world.state(path) == world.state(other) == LOCKED | SEEN
    world.deeds.undo(1)
    assert world.state(path) == world.state(other) == NONE


def test_every_file_that_cannot_be_put_back_says_why(tmp_path: Path) -> None:
    with World(tmp_path, roots=["rev", "rev2"]) as world:
        names = ("emptied", "gone", "locked", "by-hand", "replaced", "well")
        paths = {name: world.file(f"{name}.jpg") for name in names}
        away = tmp_path / "rev2" / "offline.jpg"
        away.write_bytes(b"picture")
        paths["offline"] = os.fsencode(away)
        world.deeds.act_batch(list(paths.values()), Action.SEEN)
        step = newest(world)
        world.deeds.act(paths["emptied"], Action.TRASH)
        world.empty()
        os.unlink(paths["gone"])
        world.mark(paths["locked"], SEEN | LOCKED)
        world.mark(paths["by-hand"], NONE)
        spare = world.file("spare.jpg", b"another")
        os.rename(spare, paths["replaced"])
        os.rename(tmp_path / "rev2", tmp_path / "pulled")
        before = {name: world.state(path) for name, path in paths.items() if name != "well"}
        undone = world.step_undo.undo(step)
        told = {os.fsdecode(os.path.basename(one.path)).partition(".")[0]: one for one in undone.outcomes}
        assert {name: one.result for name, one in told.items()} == {
            "emptied": UndoResult.EMPTIED,
            "gone": UndoResult.GONE,
            "locked": UndoResult.LOCKED,
            "by-hand": UndoResult.CHANGED,
            "replaced": UndoResult.CHANGED,
            "well": UndoResult.DONE,
            "offline": UndoResult.OFFLINE,
        }
        assert all(one.message for one in undone.outcomes if one.result is not UndoResult.DONE)
        assert {name: world.state(path) for name, path in paths.items() if name != "well"} == before
        # The root comes back, and what was on it can be taken back then.
        os.rename(tmp_path / "pulled", tmp_path / "rev2")
        again = {one.path: one.result for one in world.step_undo.undo(step).outcomes}
        assert again[paths["offline"]] is UndoResult.DONE
        assert paths["well"] not in again


def test_a_file_that_an_emptying_under_way_has_deleted_is_said_to_be(world: World) -> None:
    path = world.file("photo.jpg")
    world.deeds.act(path, Action.TRASH)
    step = newest(world)
    run = world.trash.empty(None, None)
    assert [type(next(run)).__name__ for _ in range(2)] == ["Deleting", "Deleted"]
    assert results(world.step_undo.undo(step)) == {"EMPTIED": 1}
    run.close()
    assert results(world.step_undo.undo(step)) == {"EMPTIED": 1}


def test_a_disk_that_refuses_leaves_the_step_standing(world: World) -> None:
    path = world.file("photo.jpg")
    world.deeds.act(path, Action.LOCK)
    step = newest(world)
    world.deeds.undo(1)
    undone = newest(world)
    # Something that is no mark is where the companion would be made.
    os.mkdir(path + b".lock")
    told = world.step_undo.undo(undone)
    assert (results(told), told.step) == ({"FAILED": 1}, None)
    os.rmdir(path + b".lock")
    assert results(world.step_undo.undo(undone)) == {"DONE": 1}
    assert world.state(path) == LOCKED | SEEN
    with pytest.raises(NothingToUndo):
        world.step_undo.undo(step)


def test_a_step_that_is_not_there_is_told(world: World) -> None:
    with pytest.raises(StepNotFound):
        world.step_undo.undo(7)


def test_two_at_once_take_a_step_back_once(world: World) -> None:
    paths = [world.file(f"{number}.jpg") for number in range(40)]
    world.deeds.act_batch(paths, Action.TRASH)
    step = newest(world)
    ends: list[str] = []

    def undo() -> None:
        try:
            ends.append(str(results(world.step_undo.undo(step))))
        except NothingToUndo:
            ends.append("nothing")

    threads = [threading.Thread(target=undo) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ends) == ["nothing", "nothing", "nothing", "{'DONE': 40}"]
    assert len(world.history.steps(None, 10)) == 2
    assert {world.state(path) for path in paths} == {NONE}


NAMES = ("a.jpg", "b.mp4", "deep/c.png")


class _Model:
    """Each file has a pile of deeds that stand. A deed goes back from the top alone; an undo, while the pile is as
    it left it."""

    def __init__(self, states: dict[str, State]) -> None:
        self.states = dict(states)
        self.piles: dict[str, list[object]] = {name: [] for name in states}
        #: Of each step, oldest first: its parts by file, each until it is taken back.
        self.steps: list[tuple[str, dict[str, dict[str, Any]]]] = []

    def did(self, changes: dict[str, tuple[State, State]]) -> None:
        parts = {}
        for name, (before, after) in changes.items():
            deed = object()
            self.piles[name].append(deed)
            self.states[name] = after
            parts[name] = {"deed": deed, "before": before, "after": after, "pile": None}
        self.steps.append(("deed", parts))

    def undo_step(self, number: int) -> dict[str, bool]:
        kind, parts = self.steps[number]
        done: dict[str, bool] = {}
        back: dict[str, dict[str, Any]] = {}
        for name, part in list(parts.items()):
            pile = self.piles[name]
            mine = bool(pile) and pile[-1] is part["deed"] if kind == "deed" else pile == part["pile"]
            done[name] = mine and self.states[name] == part["after"]
            if done[name]:
                back[name] = part
                del parts[name]
        if kind == "deed":
            taken = {}
            for name, part in back.items():
                self.piles[name].pop()
                self.states[name] = part["before"]
                pile = list(self.piles[name])
                taken[name] = {"deed": None, "before": part["after"], "after": part["before"], "pile": pile}
            if taken:
                self.steps.append(("undo", taken))
        elif back:
            self.did({name: (part["after"], part["before"]) for name, part in back.items()})
        return done

    def undo_latest(self) -> None:
        number = max(at for at, (kind, parts) in enumerate(self.steps) if kind == "deed" and parts)
        assert all(self.undo_step(number).values()), "the latest deed is on top of every pile"


class Histories(RuleBasedStateMachine):
    """Actions, batches, undo of any step and of the latest, on real folders and against the model."""

    @initialize(starts=st.tuples(*(st.sampled_from([NONE, SEEN, LOCKED, TRASHED | SEEN]) for _ in NAMES)))
    def begin(self, starts: tuple[State, ...]) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.world = World(Path(self.folder.name))
        self.paths = {name: self.world.file(name, marks=marks) for name, marks in zip(NAMES, starts, strict=True)}
        self.model = _Model(dict(zip(NAMES, starts, strict=True)))
        self.numbers: list[int] = []

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.__exit__()
            self.folder.cleanup()

    def _state(self, name: str) -> State:
        return self.world.state(self.paths[name])

    @rule(names=st.lists(st.sampled_from(NAMES), min_size=1, unique=True), action=st.sampled_from(list(Action)))
    def act(self, names: list[str], action: Action) -> None:
        before = {name: self._state(name) for name in names}
        if len(names) == 1:
            with contextlib.suppress(ServiceError):
                self.world.deeds.act(self.paths[names[0]], action)
        else:
            self.world.deeds.act_batch([self.paths[name] for name in names], action)
        changes = {name: (was, self._state(name)) for name, was in before.items() if self._state(name) != was}
        if changes:
            self.model.did(changes)

    @precondition(lambda self: any(kind == "deed" and parts for kind, parts in self.model.steps))
    @rule()
    def undo_latest(self) -> None:
        self.world.deeds.undo(1)
        self.model.undo_latest()

    @precondition(lambda self: self.model.steps)
    @rule(data=st.data())
    def undo_any(self, data: st.DataObject) -> None:
        lines = sorted(self.world.history.steps(None, 1_000), key=lambda line: line.step)
        number = data.draw(st.integers(0, len(lines) - 1))
        if not self.model.steps[number][1]:
            with pytest.raises(NothingToUndo):
                self.world.step_undo.undo(lines[number].step)
            return
        told = self.world.step_undo.undo(lines[number].step)
        by_path = {path: name for name, path in self.paths.items()}
        done = {by_path[one.path]: one.result is UndoResult.DONE for one in told.outcomes}
        assert done == self.model.undo_step(number)
        assert (told.step is not None) == any(done.values())

    @precondition(lambda self: self.model.steps)
    @rule()
    def restart(self) -> None:
        self.world.__exit__()
        self.world = World(Path(self.folder.name))
        self.world.recovery.run()

    @invariant()
    def disk_and_history_are_as_the_model_has_them(self) -> None:
        if not hasattr(self, "world"):
            return
        assert {name: self._state(name) for name in NAMES} == self.model.states
        lines = sorted(self.world.history.steps(None, 1_000), key=lambda line: line.step)
        assert [line.standing for line in lines] == [len(parts) for _, parts in self.model.steps]
        assert [line.kind is StepKind.UNDO for line in lines] == [kind == "undo" for kind, _ in self.model.steps]


TestHistories = Histories.TestCase
TestHistories.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
