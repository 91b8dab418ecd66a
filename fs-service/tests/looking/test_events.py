"""The public event log and the outbox's wait."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from fs_service.store.database import Database
from fs_service.store.events import KEPT, StoredEvents, StoredOutbox


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(tmp_path)
    yield made
    made.close()


def log(database: Database) -> StoredEvents:
    return StoredEvents(database, lambda: None)


def test_events_are_numbered_in_order_and_found_behind_a_number(database: Database) -> None:
    events = log(database)
    assert events.last() == 0
    events.emit("state", {"path": "/a\udcff"})
    events.emit_all([("scan", {"found": number}) for number in range(3)])
    every = events.after(0, 10)
    assert [event.kind for event in every] == ["state", "scan", "scan", "scan"]
    assert every[0].payload_json == '{"path": "/a\\udcff"}'
    assert [one.sequence for one in every] == list(range(every[0].sequence, every[0].sequence + 4))
    assert events.after(every[1].sequence, 1) == every[2:3]
    assert events.after(events.last(), 10) == []


def test_a_number_is_never_given_twice_even_when_a_process_dies_before_writing(database: Database) -> None:
    events = log(database)
    events.emit("a", {})
    events.write()
    events.emit("lost", {})
    lost = events.last()
    again = log(database)
    assert [event.kind for event in again.after(0, 10)] == ["a"]
    again.emit("b", {})
    assert again.last() > lost
    again.write()
    again.write()
    assert [event.kind for event in log(database).after(0, 10)] == ["a", "b"]


def test_only_the_newest_are_kept(database: Database) -> None:
    events = log(database)
    events.emit_all([("a", {"n": number}) for number in range(KEPT)])
    events.write()
    events.emit_all([("b", {}) for _ in range(10)])
    events.write()
    assert len(events.after(0, 2 * KEPT)) == KEPT
    assert len(log(database).after(0, 2 * KEPT)) == KEPT
    with database.read() as connection:
        assert connection.execute("SELECT count(*) FROM event").fetchone() == (KEPT,)


def test_waiting_ends_with_the_next_event(database: Database) -> None:
    events = log(database)
    assert not events.wait(0, 0.01)
    threading.Timer(0.05, events.emit, ("a", {})).start()
    assert events.wait(0, 5)
    assert not events.wait(events.last(), 0.01)


def test_waiting_for_the_outbox_ends_with_the_next_message(database: Database) -> None:
    outbox = StoredOutbox(database)
    assert not outbox.wait(0.01)

    def write() -> None:
        with database.write() as connection:
            connection.execute("INSERT INTO outbox (subject, root, path, inode) VALUES ('s', x'2f', x'2f61', 1)")

    threading.Timer(0.05, write).start()
    assert outbox.wait(5)
    assert outbox.pending(1)[0].path == b"/a"
