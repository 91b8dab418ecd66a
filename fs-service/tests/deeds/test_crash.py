"""kill -9 at every single step of acting, undoing and deleting, and what the next start makes of it.

Each scenario runs in a forked process that kills itself at its n-th step, for every n there is. What it was told is
sent through a pipe first: that must hold, whatever happens after.
"""

from __future__ import annotations

import gc
import os
import shutil
import signal
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest
from deeds_world import World
from fs_service.domain.items import Action, State, after
from fs_service.domain.journal import StepKind
from fs_service.domain.trash_events import Deleted
from fs_service.store.recovery import Recovered

LOCKED, TRASHED, SEEN, NONE = State.LOCKED, State.TRASHED, State.SEEN, State.NONE

Scenario = Callable[[World, Callable[[str], None]], None]


def killed_at(base: Path, number: int, scenario: Scenario) -> tuple[list[str], bool]:
    """What the scenario acknowledged before its n-th step killed it; whether it was killed."""
    out, into = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        # What other tests left behind is not to be collected here: its threads are in the parent alone.
        gc.disable()
        try:
            os.close(out)
            steps = 0

            def fault(step: str) -> None:
                nonlocal steps
                steps += 1
                if steps == number:
                    os.kill(os.getpid(), signal.SIGKILL)

            world = World(base, fault)
            steps = 0
            scenario(world, lambda told: os.write(into, told.encode() + b"\n") and None)
            status = 0
        except BaseException:  # noqa: BLE001 - nothing of the tests may run on in the child
            traceback.print_exc()
        finally:
            os._exit(status)
    os.close(into)
    with os.fdopen(out, "r") as pipe:
        told = pipe.read().splitlines()
    _, status = os.waitpid(child, 0)
    killed = os.WIFSIGNALED(status)
    assert (os.WTERMSIG(status) == signal.SIGKILL) if killed else (os.WEXITSTATUS(status) == 0)
    return told, killed


def at_every_step(tmp_path: Path, scenario: Scenario, check: Callable[[World, list[str], bool], None]) -> int:
    """Run, kill, recover, check; for every step of the scenario. How many steps it had."""
    for number in range(1, 10_000):
        base = tmp_path / str(number)
        base.mkdir()
        told, killed = killed_at(base, number, scenario)
        with World(base) as world:
            world.recovery.run()
            assert world.journal.unfinished() == []
            assert world.journal.unfinished_deletions() == []
            check(world, told, killed)
        with World(base) as again:
            # What was recovered stays so.
            before = again.tree()
            assert again.recovery.run().finished == 0
            assert again.tree() == before
        if not killed:
            return number - 1
    raise AssertionError("the scenario never came to its end")


ACTIONS = [
    ("a.jpg", Action.SEEN), ("a.jpg", Action.TRASH), ("a.jpg", Action.UNTRASH), ("a.jpg", Action.LOCK),
    ("b.jpg", Action.TRASH), ("b.jpg", Action.LOCK), ("a.jpg", Action.UNLOCK), ("a.jpg", Action.UNSEEN),
]  # fmt: skip


def acting(world: World, tell: Callable[[str], None]) -> None:
    for name in ("a.jpg", "b.jpg"):
        world.file(name)
    for number, (name, action) in enumerate(ACTIONS):
        tell(f"{number} {int(world.deeds.act(os.fsencode(world.root / name), action))}")


def test_an_acknowledged_action_is_there_and_the_one_in_hand_is_done_or_not(tmp_path: Path) -> None:
    def check(world: World, told: list[str], killed: bool) -> None:
        states = {"a.jpg": NONE, "b.jpg": NONE}
        for line in told:
            number, state = map(int, line.split())
            states[ACTIONS[number][0]] = State(state)
        in_hand = dict(states)
        if killed and len(told) < len(ACTIONS):
            name, action = ACTIONS[len(told)]
            path = os.fsencode(world.root / name)
            in_hand[name] = world.state(path)
            states_after = {states[name], after(states[name], action)}
            assert in_hand[name] in states_after
        for name, state in in_hand.items():
            assert world.state(os.fsencode(world.root / name)) == state
        # Undo knows every step, and leads back to where it began.
        if any(state for state in in_hand.values()) or told:
            world.deeds.undo(100)
        assert world.state(os.fsencode(world.root / "a.jpg")) == NONE
        assert world.state(os.fsencode(world.root / "b.jpg")) == NONE

    assert at_every_step(tmp_path, acting, check) > 50


def batching(world: World, tell: Callable[[str], None]) -> None:
    paths = [world.file(f"{number % 3}/{number}.jpg") for number in range(9)]
    world.deeds.act_batch(paths, Action.LOCK)
    tell("locked")
    world.deeds.undo(1)
    tell("undone")


def test_a_batch_cut_off_is_finished_and_still_one_step(tmp_path: Path) -> None:
    def check(world: World, told: list[str], killed: bool) -> None:
        paths = [os.fsencode(world.root / f"{number % 3}/{number}.jpg") for number in range(9)]
        states = {world.state(path) for path in paths}
        assert len(states) == 1  # all or none, after recovery
        if told == ["locked", "undone"]:
            assert states == {NONE}
        elif states == {LOCKED | SEEN}:
            assert len(world.deeds.undo(1)) == 9
            assert {world.state(path) for path in paths} == {NONE}

    assert at_every_step(tmp_path, batching, check) > 40


STAYS = 2  # of the files that an undo of their step leaves alone, since it was not the last word on them


def taking_a_step_back(world: World, tell: Callable[[str], None]) -> None:
    paths = [world.file(f"{number % 3}/{number}.jpg") for number in range(9)]
    world.deeds.act_batch(paths, Action.TRASH)
    step = world.history.steps(None, 1)[0].step
    world.deeds.act_batch(paths[:STAYS], Action.UNTRASH)
    tell("acted")
    undone = world.step_undo.undo(step).step
    tell("undone")
    assert undone is not None
    world.step_undo.undo(undone)
    tell("done again")
    world.deeds.undo(1)
    tell("latest undone")


def test_an_old_step_taken_back_and_done_again_is_all_or_nothing(tmp_path: Path) -> None:
    def check(world: World, told: list[str], killed: bool) -> None:
        paths = [os.fsencode(world.root / f"{number % 3}/{number}.jpg") for number in range(9)]
        if "acted" not in told:
            return
        assert {world.state(path) for path in paths[:STAYS]} == {SEEN}
        (state,) = {world.state(path) for path in paths[STAYS:]}
        lines = world.history.steps(None, 10)
        assert len(lines) in {len(told) + 1, len(told) + 2}
        # What stands in the journal is what the disk has.
        deeds = [line for line in lines if line.kind is not StepKind.UNDO and line.standing > STAYS]
        assert state == (TRASHED | SEEN if deeds else NONE)
        assert (len(told) < 4) <= (state == (NONE if len(lines) % 2 else TRASHED | SEEN))
        # It goes on from here as if nothing had been cut off.
        if deeds:
            world.step_undo.undo(deeds[0].step)
        assert {world.state(path) for path in paths[STAYS:]} == {NONE}

    assert at_every_step(tmp_path, taking_a_step_back, check) > 100


KEPT = {"kept.jpg": SEEN, "locked.jpg": LOCKED | TRASHED | SEEN, "never.jpg": NONE}


def emptying(world: World, tell: Callable[[str], None]) -> None:
    doomed = [world.file(f"day/{number}.jpg") for number in range(6)]
    for name, marks in KEPT.items():
        world.file(f"day/{name}", marks=marks)
    world.deeds.act_batch(doomed, Action.TRASH)
    tell("trashed")
    for event in world.trash.empty(None, None):
        if isinstance(event, Deleted):
            tell(os.fsdecode(os.path.basename(event.path)))
    tell("done")


def test_only_trashed_files_go_and_what_was_told_is_gone(tmp_path: Path) -> None:
    def check(world: World, told: list[str], killed: bool) -> None:
        left = sorted(os.listdir(world.root / "day")) if (world.root / "day").exists() else []
        if "trashed" in told:
            for name, marks in KEPT.items():
                assert name in left
                assert world.state(os.fsencode(world.root / "day" / name)) == marks
        gone = [name for name in (f"{number}.jpg" for number in range(6)) if name not in left]
        if "trashed" in told:
            assert set(told) - {"trashed", "done"} <= set(gone)
            for name in gone:
                assert not [one for one in left if one.startswith(name)]  # no companion is left behind
            for name in {f"{number}.jpg" for number in range(6)} - set(gone):
                assert world.state(os.fsencode(world.root / "day" / name)) == TRASHED | SEEN
            receipts = world.trash.receipts(5)
            assert sum(receipt.deleted for receipt in receipts) == len(gone)
            assert sorted(os.path.basename(path) for one in receipts for path in one.paths) == [
                os.fsencode(name) for name in sorted(gone)
            ]
            assert all(bool(receipt.finished_us) == ("done" in told) for receipt in receipts) or killed
            # The run can be taken up again.
            world.empty()
            assert sorted(one for one in os.listdir(world.root / "day") if one.endswith(".jpg")) == sorted(KEPT)

    assert at_every_step(tmp_path, emptying, check) > 40


def test_recovery_itself_may_be_killed_at_every_step(tmp_path: Path) -> None:
    def half(world: World, tell: Callable[[str], None]) -> None:
        world.recovery.run()
        tell("recovered")

    for number in range(1, 200):
        base = tmp_path / str(number)
        base.mkdir()
        # Cut a run off in the middle: some deleted, some not, and an action without its end.
        killed_at(base, 60, emptying)
        _, killed = killed_at(base, number, half)
        with World(base) as world:
            world.recovery.run()
            names = os.listdir(world.root / "day")
            for name in names:
                owner = name.rpartition(".")[0] if name.count(".") > 1 else name
                assert owner in names
            gone = 6 - sum(f"{one}.jpg" in names for one in range(6))
            assert gone > 0
            assert sum(receipt.deleted for receipt in world.trash.receipts(5)) == gone
        if not killed:
            return
    raise AssertionError("recovery never came to its end")


@pytest.mark.parametrize("deletion", [False, True])
def test_what_belongs_to_an_offline_root_waits_for_it(tmp_path: Path, deletion: bool) -> None:
    def scenario(world: World, tell: Callable[[str], None]) -> None:
        path = world.file("photo.jpg")
        world.deeds.act(path, Action.TRASH)
        if deletion:
            world.empty()
        else:
            world.deeds.act(path, Action.LOCK)

    # Kill it right after the companion was made, or right after the media file went.
    last = "clear TRASHED" if deletion else "sync"
    steps: list[str] = []
    (tmp_path / "trial").mkdir()
    with World(tmp_path / "trial", steps.append) as world:
        steps.clear()
        scenario(world, lambda told: None)
    number = len(steps) - steps[::-1].index(last)
    base = tmp_path / "real"
    base.mkdir()
    _, killed = killed_at(base, number, scenario)
    assert killed
    with World(base) as world:
        os.rename(world.root, base / "away")
        assert world.recovery.run().waiting == 1
        assert world.recovery.run().waiting == 1
        os.rename(base / "away", world.root)
        result = world.recovery.run()
        assert (result.waiting, result.finished + result.deletions_finished) == (0, 1)
        path = os.fsencode(world.root / "photo.jpg")
        if deletion:
            assert os.listdir(world.root) == []
            assert world.index.forgotten == world.thumbnails.dropped == [path]
        else:
            assert world.state(path) == State(7)
            assert world.index.states[path] == State(7)


@pytest.mark.parametrize("went", [False, True])
@pytest.mark.parametrize("folder", ["renamed", "removed"])
def test_a_file_whose_folder_is_gone_counts_as_deleted_unless_it_only_moved(
    tmp_path: Path, went: bool, folder: str
) -> None:
    def scenario(world: World, tell: Callable[[str], None]) -> None:
        world.deeds.act(world.file("day/photo.jpg"), Action.TRASH)
        world.file("day/other.jpg")
        world.empty()

    steps: list[str] = []
    (tmp_path / "trial").mkdir()
    with World(tmp_path / "trial", steps.append) as world:
        steps.clear()
        scenario(world, lambda told: None)
    base = tmp_path / "real"
    base.mkdir()
    # Right after the media file went, or right before.
    _, killed = killed_at(base, steps.index("clear TRASHED" if went else "remove media") + 1, scenario)
    assert killed
    day = base / "rev" / "day"
    assert (day / "photo.jpg").exists() is not went
    with World(base) as world:
        if folder == "renamed":
            day.rename(day.with_name("night"))
        else:
            shutil.rmtree(day)
        result = world.recovery.run()
        is_left = folder == "renamed" and not went
        assert (result.deletions_dropped, result.deletions_finished) == ((1, 0) if is_left else (0, 1))
        (receipt,) = world.trash.receipts(5)
        assert receipt.deleted == (0 if is_left else 1)
        assert world.recovery.run() == Recovered()


def test_an_old_intent_never_overrides_a_newer_action(tmp_path: Path) -> None:
    base = tmp_path

    def scenario(world: World, tell: Callable[[str], None]) -> None:
        world.deeds.act(world.file("photo.jpg"), Action.TRASH)

    steps: list[str] = []
    (tmp_path / "trial").mkdir()
    with World(tmp_path / "trial", steps.append) as world:
        steps.clear()
        scenario(world, lambda told: None)
    _, killed = killed_at(base, steps.index("make SEEN") + 1, scenario)
    assert killed
    with World(base) as world:
        path = os.fsencode(world.root / "photo.jpg")
        world.deeds.act(path, Action.LOCK)  # before recovery could see to it
        assert world.recovery.run().dropped == 1
        assert world.state(path) == LOCKED | SEEN


def test_an_action_that_was_in_flight_when_a_backup_was_made_is_not_done_after_its_restore(tmp_path: Path) -> None:
    def scenario(world: World, tell: Callable[[str], None]) -> None:
        world.deeds.act(world.file("photo.jpg"), Action.TRASH)

    steps: list[str] = []
    (tmp_path / "trial").mkdir()
    with World(tmp_path / "trial", steps.append) as world:
        steps.clear()
        scenario(world, lambda told: None)
    _, killed = killed_at(tmp_path, steps.index("make SEEN") + 1, scenario)
    assert killed
    with World(tmp_path) as world:
        path = os.fsencode(world.root / "photo.jpg")
        world.mark(path, LOCKED)  # since the backup
        assert world.recovery.forget_actions() == 1
        assert world.recovery.run() == Recovered()
        assert world.state(path) == LOCKED


def test_keeping_the_best_of_several(tmp_path: Path) -> None:
    names = ("a.jpg", "b.jpg", "other/c.jpg", "d.jpg")

    def scenario(world: World, tell: Callable[[str], None]) -> None:
        best, *rest = (world.file(name, marks=LOCKED | SEEN if name == "d.jpg" else NONE) for name in names)
        world.deeds.keep_best(best, rest)
        tell("kept")

    def check(world: World, told: list[str], killed: bool) -> None:
        if not (world.root / "d.jpg.lock").exists():
            return  # the scenario was still making its files
        states = [world.state(os.fsencode(world.root / name)) for name in names]
        whole = [LOCKED | SEEN, TRASHED | SEEN, TRASHED | SEEN, LOCKED | SEEN]
        before = [NONE, NONE, NONE, LOCKED | SEEN]
        # Nothing, the best alone, or all: nothing is in the trash whose better take is not kept.
        assert states in ([whole] if told else [before, [LOCKED | SEEN, *before[1:]], whole])
        if states != before:
            world.deeds.undo(1)
            assert [world.state(os.fsencode(world.root / name)) for name in names] == before

    steps = at_every_step(tmp_path, scenario, check)
    assert steps > 20
