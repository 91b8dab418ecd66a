"""The journal as a book: what is written is there after a restart, what is old goes, what is in flight never does."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from fs_service.domain.errors import StorageFailed
from fs_service.domain.items import Identity, State
from fs_service.domain.journal import Change, Doom, StepKind
from fs_service.store import journal as journal_module
from fs_service.store import journal_db
from fs_service.store.journal import SqliteJournal
from fs_service.store.journal_db import JournalDatabase
from fs_service.store.marks import StoredMarks
from media_common.kept import JOURNAL

ROOT = b"/x/rev"
IDENTITY = Identity(1, 2**64 - 5, 3, 4)


def change(name: str, before: State = State.NONE, after: State = State.SEEN) -> Change:
    return Change(ROOT, ROOT + b"/" + name.encode(), before, after, IDENTITY)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[JournalDatabase]:
    made = JournalDatabase(tmp_path / "journal.db")
    yield made
    made.close()


@pytest.fixture
def journal(database: JournalDatabase) -> SqliteJournal:
    return SqliteJournal(database)


def test_what_has_no_end_is_unfinished_for_the_next_start_only(
    database: JournalDatabase, journal: SqliteJournal
) -> None:
    first, second = journal.begin(StepKind.BATCH, [change("a.jpg"), change("b.jpg")])
    journal.finish([first], [])
    assert journal.unfinished() == []  # this service is at work on it itself
    assert SqliteJournal(database).unfinished() == [second]
    journal.finish([], [second])
    assert SqliteJournal(database).unfinished() == []
    assert journal.latest(5) == [first]


def test_a_step_of_which_nothing_came_is_no_step(journal: SqliteJournal) -> None:
    entries = journal.begin(StepKind.ACT, [change("a.jpg")])
    journal.finish([], entries)
    assert journal.latest(1) == []


def test_trashing_records_the_identity_and_untrashing_forgets_it(journal: SqliteJournal) -> None:
    trash = change("a.jpg", State.NONE, State.TRASHED | State.SEEN)
    journal.finish(journal.begin(StepKind.ACT, [trash]), [])
    assert journal.recorded([trash.path, b"/x/other.jpg"])[trash.path].identity == IDENTITY
    assert set(journal.recorded_below(ROOT)) == {trash.path}
    assert journal.recorded_below(b"/x/re") == {}
    journal.finish(journal.begin(StepKind.ACT, [change("a.jpg", trash.after, State.SEEN)]), [])
    assert journal.recorded([trash.path]) == {}


def test_recorded_identities_are_read_page_by_page(journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "_PAGE_ROWS", 3)
    paths = [ROOT + b"/%d.jpg" % number for number in range(10)]
    journal.remember([(path, IDENTITY) for path in paths])
    assert sorted(journal.recorded_below(ROOT)) == paths
    assert sorted(journal.recorded_below(b"/")) == paths


def test_old_steps_go_whole_and_those_in_flight_stay(journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "KEEP_STEPS", 5)
    monkeypatch.setattr(journal_module, "_CLEAR_EVERY", 10)
    in_flight = journal.begin(StepKind.ACT, [change("pending.jpg")])
    trash = change("t.jpg", State.NONE, State.TRASHED)
    journal.finish(journal.begin(StepKind.ACT, [trash]), [])
    for number in range(18):
        journal.finish(journal.begin(StepKind.ACT, [change(f"{number}.jpg")]), [])
    assert [entry.step for entry in journal.latest(100)] == [20, 19, 18, 17, 16]
    journal.finish(in_flight, [])
    assert len(journal.latest(100)) == 6
    assert journal.recorded([trash.path])  # its step is gone, its identity is not


def test_entries_are_bounded_too(journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "KEEP_ENTRIES", 25)
    monkeypatch.setattr(journal_module, "_CLEAR_EVERY", 10)
    for number in range(10):
        many = [change(f"{number}-{one}.jpg") for one in range(10)]
        journal.finish(journal.begin(StepKind.BATCH, many), [])
    assert {entry.step for entry in journal.latest(100)} == {8, 9, 10}  # 70 entries went, whole steps


def test_writes_of_many_threads_are_all_there(journal: SqliteJournal) -> None:
    def work(thread: int) -> None:
        for number in range(40):
            journal.finish(journal.begin(StepKind.ACT, [change(f"{thread}-{number}.jpg")]), [])

    threads = [threading.Thread(target=work, args=(thread,)) for thread in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    entries = journal.latest(1000)
    assert len(entries) == len({entry.step for entry in entries}) == 320
    assert {entry.change.path for entry in entries} == {
        change(f"{t}-{n}.jpg").path for t in range(8) for n in range(40)
    }


def test_one_callers_failure_is_not_its_neighbours(database: JournalDatabase) -> None:
    entered, go_on = threading.Event(), threading.Event()
    results: dict[str, object] = {}

    def slow(connection: sqlite3.Connection) -> None:
        entered.set()
        go_on.wait(5)

    def call(name: str, sql: str) -> None:
        try:
            database.write(lambda connection: connection.execute(sql).rowcount)
            results[name] = "written"
        except StorageFailed as error:
            results[name] = error

    first = threading.Thread(target=lambda: database.write(slow))
    first.start()
    assert entered.wait(5)
    others = [
        threading.Thread(target=call, args=("good", "INSERT INTO marks VALUES (x'2f', 1)")),
        threading.Thread(target=call, args=("bad", "INSERT INTO marks VALUES (NULL, 1)")),
    ]
    for thread in others:
        thread.start()
    while len(database._queue) < 2:
        first.join(0.001)
    go_on.set()
    for thread in (first, *others):
        thread.join(5)
    assert results["good"] == "written"
    assert isinstance(results["bad"], StorageFailed)
    assert StoredMarks(database).get(b"/") == State.LOCKED


def test_durable_writes_are_flushed_and_the_others_follow(database: JournalDatabase) -> None:
    def synchronous() -> int:
        return int(database.read(lambda connection: connection.execute("PRAGMA synchronous").fetchone()[0]))

    database.write(lambda connection: None, durable=True)
    assert synchronous() == 2
    database.write(lambda connection: None, durable=False)
    assert synchronous() == 1
    database.write(lambda connection: None)
    assert synchronous() == 2


def test_the_newest_version_is_the_one_that_a_restore_knows(tmp_path: Path) -> None:
    database = JournalDatabase(tmp_path / "journal.db")
    assert database.read(lambda connection: connection.execute("PRAGMA user_version").fetchone()) == (JOURNAL.schema,)
    database.close()


def test_a_restore_asks_for_the_tables_of_the_first_version() -> None:
    connection = sqlite3.connect(":memory:")
    connection.executescript(journal_db._MIGRATIONS[0])
    tables = connection.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    ).fetchall()
    assert {name for (name,) in tables} == JOURNAL.tables
    connection.close()


def test_a_newer_journal_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    JournalDatabase(path).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StorageFailed, match="newer version"):
        JournalDatabase(path)


def test_a_broken_journal_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    path.write_bytes(b"this is no database" * 100)
    with pytest.raises(StorageFailed):
        JournalDatabase(path)
    assert path.read_bytes().startswith(b"this is no database")


def test_a_receipt_keeps_its_first_paths_and_counts_all(
    journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "RECEIPT_PATHS", 5)
    receipt = journal.open_receipt()
    for at in range(0, 12, 4):
        dooms = [Doom(ROOT, b"%d.jpg" % number, State.TRASHED, IDENTITY) for number in range(at, at + 4)]
        journal.deleted(receipt, journal.intend(receipt, dooms), [], errors=1, skipped=2)
    (found,) = journal.receipts(5)
    assert (found.deleted, found.size_bytes, found.errors, found.skipped) == (12, 36, 3, 6)
    assert found.paths == tuple(b"%d.jpg" % number for number in range(5))
    assert found.finished_us == 0
    journal.close_receipt(receipt)
    assert journal.receipts(5)[0].finished_us > 0


def test_receipts_are_bounded_newest_first(journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "KEEP_RECEIPTS", 3)
    names = [journal.open_receipt() for _ in range(6)]
    assert [receipt.receipt_id for receipt in journal.receipts(10)] == names[:2:-1]


def test_intents_to_delete_wait_for_the_next_start(database: JournalDatabase, journal: SqliteJournal) -> None:
    receipt = journal.open_receipt()
    doom = Doom(ROOT, ROOT + b"/a.jpg", State.TRASHED | State.SEEN, IDENTITY)
    (doomed,) = journal.intend(receipt, [doom])
    assert journal.unfinished_deletions() == []
    assert SqliteJournal(database).unfinished_deletions() == [doomed]
    assert journal.deleting([doom.path, b"/x/other.jpg"]) == {doom.path}
    journal.deleted(receipt, [], [doomed], 0, 0)
    assert SqliteJournal(database).unfinished_deletions() == []
    assert journal.deleting([doom.path]) == set()


def test_marks_are_there_after_a_restart(database: JournalDatabase) -> None:
    marks = StoredMarks(database)
    marks.set_all([(b"/x/rev/a.jpg", State.LOCKED), (b"/x/rev/b.jpg", State.NONE), (b"/x/rev2/c.jpg", State.SEEN)])
    marks.set_all([(b"/x/rev/a.jpg", State.SEEN)])
    marks.forget([b"/x/rev2/c.jpg", b"/x/unknown.jpg"])
    for one in (marks, StoredMarks(database)):
        assert one.get(b"/x/rev/a.jpg") == State.SEEN
        assert one.get(b"/x/rev/b.jpg") == State.NONE
        assert one.get(b"/x/rev2/c.jpg") is None
        assert one.below(b"/x/rev") == {b"/x/rev/a.jpg": State.SEEN, b"/x/rev/b.jpg": State.NONE}
        assert one.below(b"/x/re") == {}
