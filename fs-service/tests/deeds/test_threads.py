"""Many at once on the same files: whoever is told "done" is right."""

from __future__ import annotations

import contextlib
import os
import random
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from deeds_world import World
from fs_service.domain.errors import ItemLocked, NothingToUndo, PathMissing, UndoBlocked
from fs_service.domain.items import Action, State
from fs_service.domain.journal import Entry
from fs_service.domain.trash_events import Deleted, Deleting, Failed

LOCKED, TRASHED, SEEN, NONE = State.LOCKED, State.TRASHED, State.SEEN, State.NONE


def at_once(*works: Callable[[], None]) -> list[BaseException]:
    """Run them side by side; what they raised."""
    raised: list[BaseException] = []
    gate = threading.Barrier(len(works))

    def run(work: Callable[[], None]) -> None:
        gate.wait()
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - handed to the test
            raised.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    return raised


def test_a_lock_and_the_deletion_of_a_file_exclude_each_other(tmp_path: Path) -> None:
    rng = random.Random(1)
    with World(tmp_path) as world:
        for turn in range(60):
            paths = [world.file(f"{turn}/{number}.jpg") for number in range(8)]
            world.deeds.act_batch(paths, Action.TRASH)
            locked: list[bytes] = []
            deleted: list[bytes] = []
            order = rng.sample(paths, len(paths))

            def lock(order: list[bytes] = order, locked: list[bytes] = locked) -> None:
                for path in order:
                    try:
                        world.deeds.act(path, Action.LOCK)
                        locked.append(path)
                    except PathMissing:
                        pass

            def empty(deleted: list[bytes] = deleted) -> None:
                for event in world.empty():
                    assert not isinstance(event, Failed)
                    if isinstance(event, Deleted):
                        deleted.append(event.path)

            assert at_once(lock, empty) == []
            assert set(locked).isdisjoint(deleted)
            assert set(locked) | set(deleted) >= set(paths)
            for path in locked:
                assert os.path.exists(path)
                assert world.state(path) == State(7)
            for path in deleted:
                assert not any(os.path.lexists(path + suffix) for suffix in (b"", b".trash", b".seen", b".lock"))
            for path in locked:
                world.deeds.act(path, Action.UNTRASH)


def test_actions_on_one_file_come_one_after_the_other(world: World) -> None:
    path = world.file("photo.jpg")

    def work(seed: int) -> None:
        rng = random.Random(seed)
        for _ in range(40):
            try:
                if rng.random() < 0.2:
                    world.deeds.undo(1)
                elif rng.random() < 0.2:
                    world.deeds.act_batch([path, path], rng.choice(list(Action)))
                else:
                    world.deeds.act(path, rng.choice(list(Action)))
            except (ItemLocked, NothingToUndo):
                pass

    assert at_once(*(lambda seed=seed: work(seed) for seed in range(6))) == []
    # Each step began where the one before it ended: the journal is one line of history.
    entries = world.journal.latest(1000)[::-1]
    state = NONE
    for entry in entries:
        assert entry.change.before == state
        state = entry.change.after
    assert world.state(path) == state
    if entries:
        world.deeds.undo(1000)
    assert world.state(path) == NONE


def test_batches_in_any_order_never_wait_for_each_other_in_a_circle(world: World) -> None:
    paths = [world.file(f"{number % 5}/{number}.jpg") for number in range(40)]

    def work(seed: int) -> None:
        rng = random.Random(seed)
        for _ in range(15):
            world.deeds.act_batch(rng.sample(paths, 30), rng.choice([Action.SEEN, Action.UNSEEN, Action.LOCK]))

    assert at_once(*(lambda seed=seed: work(seed) for seed in range(5))) == []
    assert len({entry.step for entry in world.journal.latest(1000)}) <= 75


def test_undo_and_deletion_at_once_end_in_one_of_the_two(tmp_path: Path) -> None:
    with World(tmp_path) as world:
        for turn in range(40):
            path = world.file(f"{turn}.jpg")
            world.deeds.act(path, Action.TRASH)
            told: list[str] = []

            def undo(told: list[str] = told) -> None:
                try:
                    world.deeds.undo(1)
                    told.append("undone")
                except UndoBlocked:
                    pass

            def empty(told: list[str] = told, path: bytes = path) -> None:
                if Deleted(path) in world.empty():
                    told.append("deleted")

            assert at_once(undo, empty) == []
            assert len(told) == 1
            assert os.path.exists(path) == (told == ["undone"])
            if told == ["undone"]:
                assert world.state(path) == NONE


def test_two_roots_that_lead_to_the_same_files_share_their_locks(tmp_path: Path) -> None:
    (tmp_path / "rev").mkdir()
    (tmp_path / "alias").symlink_to("rev")
    locking: list[threading.Thread] = []
    raised: list[PathMissing] = []

    def lock() -> None:
        try:
            world.deeds.act(os.fsencode(tmp_path / "alias" / "photo.jpg"), Action.LOCK)
        except PathMissing as error:
            raised.append(error)

    def fault(step: str) -> None:
        if step == "remove media":
            locking.append(threading.Thread(target=lock))
            locking[0].start()
            locking[0].join(0.2)
            assert locking[0].is_alive()  # it waits for the deletion to end

    with World(tmp_path, fault, roots=["rev", "alias"]) as world:
        path = world.file("photo.jpg")
        world.deeds.act(path, Action.TRASH)
        assert Deleted(path) in world.empty(os.fsencode(world.root))
        locking[0].join(10)
        assert len(raised) == 1
        assert os.listdir(world.root) == []


def test_an_undo_between_a_deletion_and_its_end_in_the_journal_is_blocked(tmp_path: Path) -> None:
    """The undo reads the steps, then the run writes its end, then the undo looks: it must not find nothing amiss."""
    with World(tmp_path) as world:
        path = world.file("photo.jpg")
        world.deeds.act(path, Action.TRASH)
        run = world.trash.empty(None, None)
        assert [next(run), next(run)] == [Deleting(path), Deleted(path)]
        latest = world.journal.latest
        reads: list[int] = []

        def latest_then_the_end(steps: int) -> list[Entry]:
            found = latest(steps)
            if not reads:
                run.close()
            reads.append(steps)
            return found

        world.journal.latest = latest_then_the_end  # type: ignore[method-assign]
        with pytest.raises(UndoBlocked):
            world.deeds.undo(1)


def test_a_storm_of_everything_raises_nothing_unexpected(world: World) -> None:
    paths = [world.file(f"{number % 4}/{number}.jpg") for number in range(30)]
    deleted: list[bytes] = []

    def act(seed: int) -> None:
        rng = random.Random(seed)
        for _ in range(60):
            with contextlib.suppress(ItemLocked, PathMissing):
                world.deeds.act(rng.choice(paths), rng.choice(list(Action)))

    def undo() -> None:
        for _ in range(20):
            with contextlib.suppress(UndoBlocked, NothingToUndo):
                world.deeds.undo(1)

    def empty() -> None:
        for _ in range(5):
            for event in world.empty():
                assert not isinstance(event, Failed)
                if isinstance(event, Deleted):
                    deleted.append(event.path)

    works = [lambda seed=seed: act(seed) for seed in range(3)]
    assert at_once(*works, undo, empty, empty) == []
    assert len(deleted) == len(set(deleted))
    for path in paths:
        assert os.path.exists(path) == (path not in deleted)
    for path in deleted:
        assert not any(os.path.lexists(path + suffix) for suffix in (b".trash", b".seen", b".lock"))
    assert world.locks._table == {}
