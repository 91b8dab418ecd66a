"""The journal looked through: pages end to end are all of it, and a look holds up nobody."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Sequence

import pytest
from deeds_world import World
from fs_service.domain.errors import StepNotFound
from fs_service.domain.history import Cursor, ReceiptLine, StepLine, files_page, page
from fs_service.domain.items import Action, State
from fs_service.domain.journal import Entry, Receipt, StepKind
from hypothesis import given
from hypothesis import strategies as st
from media_common.errors import InvalidArgument


class Lines:
    """A history of these times."""

    def __init__(self, steps: list[int], emptyings: list[int]) -> None:
        self._steps = [
            StepLine(number, StepKind.ACT, at_us, 1, 1, 0, (), b"", b"", (), 0)
            for number, at_us in enumerate(steps, start=1)
        ]
        self._emptyings = [
            ReceiptLine(number, Receipt(str(number), at_us, 1, 0, 0, 0, 0, ()))
            for number, at_us in enumerate(emptyings, start=1)
        ]

    def steps(self, before: int | None, limit: int) -> list[StepLine]:
        return [one for one in reversed(self._steps) if before is None or one.step < before][:limit]

    def emptyings(self, before: int | None, limit: int) -> list[ReceiptLine]:
        return [one for one in reversed(self._emptyings) if before is None or one.number < before][:limit]

    def files(self, step: int, after: int, limit: int) -> list[object]:
        raise NotImplementedError

    def standing(self, step: int) -> tuple[StepKind, list[Entry]]:
        raise NotImplementedError

    def overtaken(self, entries: Sequence[Entry]) -> set[int]:
        raise NotImplementedError


times = st.lists(st.integers(0, 30), max_size=20)


@given(steps=times, emptyings=times, limit=st.integers(1, 9), in_order=st.booleans())
def test_pages_end_to_end_are_the_whole(steps: list[int], emptyings: list[int], limit: int, in_order: bool) -> None:
    # A clock that was set back must lose nothing either.
    lines = Lines(sorted(steps), sorted(emptyings)) if in_order else Lines(steps, emptyings)
    found: list[StepLine | ReceiptLine] = []
    cursor: Cursor | None = Cursor()
    while cursor is not None:
        told = page(lines, cursor, limit)  # type: ignore[arg-type]  # it is not asked for files
        assert 0 < len(told.lines) <= limit or not found
        found += told.lines
        cursor = told.next
    assert [one.step for one in found if isinstance(one, StepLine)] == list(range(len(steps), 0, -1))
    assert [one.number for one in found if isinstance(one, ReceiptLine)] == list(range(len(emptyings), 0, -1))
    if in_order:
        at = [one.at_us if isinstance(one, StepLine) else one.receipt.started_us for one in found]
        assert at == sorted(at, reverse=True)


@pytest.mark.parametrize("limit", [0, 201])
def test_a_page_has_bounds(world: World, limit: int) -> None:
    with pytest.raises(InvalidArgument):
        page(world.history, Cursor(), limit)


def test_steps_and_emptyings_are_told_in_their_order(world: World) -> None:
    paths = [world.file(f"DCIM/{name}.jpg", b"12345") for name in "abc"]
    world.deeds.act_batch(paths, Action.TRASH)
    world.deeds.act(paths[2], Action.UNTRASH)
    world.empty()
    world.deeds.act(paths[2], Action.LOCK)
    lock, emptied, untrash, trash = page(world.history, Cursor(), 10).lines
    assert isinstance(lock, StepLine)
    assert isinstance(emptied, ReceiptLine)
    assert isinstance(untrash, StepLine)
    assert isinstance(trash, StepLine)
    assert (emptied.receipt.deleted, emptied.receipt.size_bytes) == (2, 10)
    assert (trash.kind, trash.files, trash.standing, trash.emptied) == (StepKind.BATCH, 3, 3, 2)
    assert trash.changes == ((State.NONE, State.TRASHED | State.SEEN, 3),)
    assert (trash.folder, trash.first) == (paths[0].rpartition(b"/")[0], paths[0])
    assert (lock.folder, lock.first) == (paths[2].rpartition(b"/")[0], paths[2])
    world.deeds.undo(1)
    undo = world.history.steps(None, 1)[0]
    assert (undo.kind, undo.reverts, undo.reverts_count) == (StepKind.UNDO, (lock.step,), 1)


def test_folders_that_begin_alike_have_the_folder_above_in_common(world: World) -> None:
    paths = [world.file("day1/a.jpg"), world.file("day10/b.jpg")]
    world.deeds.act_batch(paths, Action.SEEN)
    assert world.history.steps(None, 1)[0].folder == paths[0].rpartition(b"/day1/")[0]


def test_the_files_of_a_step_come_in_pages(world: World) -> None:
    paths = [world.file(f"{number}.jpg") for number in range(7)]
    world.deeds.act_batch(paths, Action.LOCK)
    step = world.history.steps(None, 1)[0].step
    world.deeds.act(world.file("other.jpg"), Action.LOCK)
    found, after, last = [], 0, False
    while not last:
        files, last = files_page(world.history, step, after, 3)
        found += files
        after = files[-1].number
    assert [one.path for one in found] == paths
    assert all(one.standing and one.after == State.LOCKED | State.SEEN for one in found)
    with pytest.raises(StepNotFound):
        files_page(world.history, step + 10, 0, 3)
    with pytest.raises(InvalidArgument):
        files_page(world.history, step, 0, 1001)


def test_a_long_look_holds_up_no_action(world: World) -> None:
    path = world.file("photo.jpg")
    world.deeds.act(path, Action.SEEN)
    looking, done = threading.Event(), threading.Event()

    def long(connection: sqlite3.Connection) -> int:
        looking.set()
        assert done.wait(10)
        return int(connection.execute("SELECT count(*) FROM steps").fetchone()[0])

    seen: list[int] = []
    thread = threading.Thread(target=lambda: seen.append(world.database.look(long)))
    thread.start()
    assert looking.wait(10)
    assert world.deeds.act(path, Action.LOCK) == State.LOCKED | State.SEEN
    done.set()
    thread.join()
    assert len(seen) == 1
    assert len(world.history.steps(None, 10)) == 2
