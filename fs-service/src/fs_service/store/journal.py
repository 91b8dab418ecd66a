"""`domain.journal.Journal` on SQLite: intents, their ends, undo steps, identities of trashed files, receipts."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Sequence
from functools import partial
from sqlite3 import Connection
from typing import Any, Final

from media_common.logs import request_id

from fs_service.domain.items import Identity, State
from fs_service.domain.journal import Change, Doom, Doomed, Entry, Receipt, StepKind
from fs_service.domain.ports import Recorded
from fs_service.store.journal_db import JournalDatabase

#: What is kept. Whole steps go, oldest first; intents without an end and identities never do.
KEEP_STEPS: Final = 100_000
KEEP_ENTRIES: Final = 1_000_000
KEEP_RECEIPTS: Final = 1_000
#: Paths in one receipt.
RECEIPT_PATHS: Final = 10_000
#: Steps from one clearing to the next.
_CLEAR_EVERY: Final = 1_000
_PAGE_ROWS: Final = 5_000
_TRASHED: Final = int(State.TRASHED)

ENTRY_COLUMNS: Final = "id, step, root, path, before, after, device, inode, size, mtime_ns, reverts, emptied"
_UNDOABLE: Final = f"""
    SELECT {ENTRY_COLUMNS} FROM entries
    WHERE status = 1 AND step IN (
        SELECT id FROM steps
        WHERE kind <> ? AND EXISTS (SELECT 1 FROM entries WHERE step = steps.id AND status = 1)
        ORDER BY id DESC LIMIT ?
    )
    ORDER BY id DESC
"""  # noqa: S608 - the columns are ours
_UNFINISHED: Final = f"""
    SELECT {ENTRY_COLUMNS} FROM entries
    WHERE status = 0 AND id <= ? ORDER BY id
"""  # noqa: S608 - the columns are ours
_OLD_STEPS: Final = """
    DELETE FROM steps WHERE id <= max(
        (SELECT max(id) FROM steps) - ?,
        coalesce((SELECT step FROM entries WHERE id <= (SELECT max(id) FROM entries) - ? ORDER BY id DESC LIMIT 1), 0)
    ) AND NOT EXISTS (SELECT 1 FROM entries WHERE step = steps.id AND status = 0)
"""


def _now_us() -> int:
    return time.time_ns() // 1_000


def entry_of(row: tuple[Any, ...]) -> Entry:
    """Of a row of `ENTRY_COLUMNS`."""
    number, step, root, path, before, after, device, inode, size, mtime_ns, reverts, emptied = row
    identity = None if inode is None else Identity(device, _unsigned(inode), size, mtime_ns)
    return Entry(number, step, Change(root, path, State(before), State(after), identity, reverts), bool(emptied))


def _facts(identity: Identity | None) -> tuple[int | None, ...]:
    # An inode may use all 64 bits, a column holds a signed number.
    if identity is None:
        return (None, None, None, None)
    return (identity.device, _signed(identity.inode), identity.size_bytes, identity.mtime_ns)


def _signed(number: int) -> int:
    return number - (1 << 64) if number >= 1 << 63 else number


def _unsigned(number: int) -> int:
    return number + (1 << 64) if number < 0 else number


class SqliteJournal:
    """The journal in the state directory. Every method may be called from any thread."""

    def __init__(self, database: JournalDatabase) -> None:
        self._database = database
        self._last_entry, self._last_deletion = database.read(_last_numbers)

    def begin(self, kind: StepKind, changes: Sequence[Change], step: int | None = None) -> list[Entry]:
        def write(connection: Connection) -> tuple[int, int]:
            # A step of which nothing succeeded so far was dropped with its intents, and begins anew.
            is_there = step is not None and connection.execute("SELECT 1 FROM steps WHERE id = ?", (step,)).fetchone()
            number = step if step is not None and is_there else _new_step(connection, kind, request_id.get())
            return number, _add_entries(connection, [(number, change) for change in changes])

        number, first = self._database.write(write)
        return [Entry(first + at, number, change) for at, change in enumerate(changes)]

    def begin_each(self, changes: Sequence[Change], request_ids: Sequence[str]) -> list[Entry]:
        def write(connection: Connection) -> tuple[list[int], int]:
            numbers = [_new_step(connection, StepKind.ACT, one) for one in request_ids]
            return numbers, _add_entries(connection, list(zip(numbers, changes, strict=True)))

        numbers, first = self._database.write(write)
        return [
            Entry(first + at, number, change) for at, (number, change) in enumerate(zip(numbers, changes, strict=True))
        ]

    def finish(self, done: Sequence[Entry], dropped: Sequence[Entry], given_up: Iterable[int] = ()) -> None:
        undone = [(one.change.reverts,) for one in done if one.change.reverts] + [(number,) for number in given_up]

        trashed: dict[bytes, Identity | None] = {}  # None: no longer; of a chain of changes the last word counts
        for change in (one.change for one in done):
            if int(change.after) & _TRASHED and change.identity is not None:
                trashed[change.path] = change.identity
            elif int(change.before) & _TRASHED:
                trashed[change.path] = None

        def write(connection: Connection) -> None:
            connection.executemany("UPDATE entries SET status = 1 WHERE id = ?", [(one.number,) for one in done])
            if undone:
                connection.executemany("UPDATE entries SET status = 2 WHERE id = ?", undone)
            _remember(connection, [(path, identity) for path, identity in trashed.items() if identity])
            forgotten = [(path,) for path, identity in trashed.items() if identity is None]
            connection.executemany("DELETE FROM identities WHERE path = ?", forgotten)
            if dropped:
                _drop(connection, dropped)

        self._database.write(write, durable=False)

    def latest(self, steps: int) -> list[Entry]:
        def ask(connection: Connection) -> list[Entry]:
            rows = connection.execute(_UNDOABLE, (StepKind.UNDO, steps))
            return [entry_of(row) for row in rows]

        return self._database.read(ask)

    def recorded(self, paths: Sequence[bytes]) -> dict[bytes, Recorded]:
        def ask(connection: Connection) -> dict[bytes, Recorded]:
            found: dict[bytes, Recorded] = {}
            for path in paths:
                row = connection.execute(
                    "SELECT device, inode, size, mtime_ns, at_us FROM identities WHERE path = ?", (path,)
                ).fetchone()
                if row is not None:
                    found[path] = _recorded(row)
            return found

        return self._database.read(ask)

    def recorded_below(self, root: bytes) -> dict[bytes, Recorded]:
        found: dict[bytes, Recorded] = {}
        after, end = root.rstrip(b"/") + b"/", root.rstrip(b"/") + b"0"  # "0" follows "/"
        while True:
            rows = self._database.read(partial(_identities, after=after, end=end))
            found.update((row[0], _recorded(row[1:])) for row in rows)
            if len(rows) < _PAGE_ROWS:
                return found
            after = rows[-1][0]

    def remember(self, identities: Sequence[tuple[bytes, Identity]]) -> None:
        self._database.write(lambda connection: _remember(connection, identities))

    def open_receipt(self) -> str:
        name = uuid.uuid4().hex

        def write(connection: Connection) -> None:
            row = (name, request_id.get(), _now_us())
            connection.execute("INSERT INTO receipts (name, request_id, started_us) VALUES (?, ?, ?)", row)
            connection.execute(
                "DELETE FROM receipts WHERE id <= (SELECT max(id) FROM receipts) - ?"
                " AND name NOT IN (SELECT receipt FROM deletions)",
                (KEEP_RECEIPTS,),
            )

        self._database.write(write)
        return name

    def intend(self, receipt: str, dooms: Sequence[Doom]) -> list[Doomed]:
        def write(connection: Connection) -> int:
            connection.executemany(
                "INSERT INTO deletions (receipt, root, path, marks, device, inode, size, mtime_ns)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [(receipt, one.root, one.path, int(one.marks), *_facts(one.identity)) for one in dooms],
            )
            return _last_row(connection) - len(dooms) + 1

        first = self._database.write(write) if dooms else 0
        return [Doomed(first + at, receipt, doom) for at, doom in enumerate(dooms)]

    def deleted(self, receipt: str, gone: Sequence[Doomed], kept: Sequence[Doomed], errors: int, skipped: int) -> None:
        def write(connection: Connection) -> None:
            counted = connection.execute("SELECT deleted FROM receipts WHERE name = ?", (receipt,)).fetchone()
            already = counted[0] if counted else RECEIPT_PATHS
            connection.executemany(
                "INSERT OR IGNORE INTO receipt_paths (receipt, number, path) VALUES (?, ?, ?)",
                [(receipt, already + at, one.doom.path) for at, one in enumerate(gone) if already + at < RECEIPT_PATHS],
            )
            connection.execute(
                "UPDATE receipts SET deleted = deleted + ?, bytes = bytes + ?, errors = errors + ?,"
                " skipped = skipped + ? WHERE name = ?",
                (len(gone), sum(one.doom.identity.size_bytes for one in gone), errors, skipped, receipt),
            )
            # By inode too: another file may have taken the name already, and its actions can be undone.
            connection.executemany(
                "UPDATE entries SET emptied = 1 WHERE path = ? AND inode = ?",
                [(one.doom.path, _signed(one.doom.identity.inode)) for one in gone],
            )
            connection.executemany(
                "DELETE FROM identities WHERE path = ? AND inode = ?",
                [(one.doom.path, _signed(one.doom.identity.inode)) for one in gone],
            )
            connection.executemany("DELETE FROM deletions WHERE id = ?", [(one.number,) for one in (*gone, *kept)])

        self._database.write(write, durable=False)

    def close_receipt(self, receipt: str) -> None:
        self._database.write(
            lambda connection: connection.execute(
                "UPDATE receipts SET finished_us = ? WHERE name = ?", (_now_us(), receipt)
            )
        )

    def receipts(self, limit: int) -> list[Receipt]:
        def ask(connection: Connection) -> list[Receipt]:
            rows = connection.execute(
                "SELECT name, started_us, finished_us, deleted, errors, skipped, bytes FROM receipts"
                " ORDER BY id DESC LIMIT ?",
                (limit,),
            ).fetchall()
            return [_receipt(row, _receipt_paths(connection, row[0])) for row in rows]

        return self._database.read(ask)

    def deleting(self, paths: Sequence[bytes]) -> set[bytes]:
        def ask(connection: Connection) -> set[bytes]:
            question = "SELECT 1 FROM deletions WHERE path = ?"
            return {path for path in paths if connection.execute(question, (path,)).fetchone()}

        return self._database.read(ask)

    def unfinished(self) -> list[Entry]:
        def ask(connection: Connection) -> list[Entry]:
            return [entry_of(row) for row in connection.execute(_UNFINISHED, (self._last_entry,))]

        return self._database.read(ask)

    def superseded(self, entry: Entry) -> bool:
        def ask(connection: Connection) -> bool:
            question = "SELECT 1 FROM entries WHERE path = ? AND id > ? AND status <> 0"
            return connection.execute(question, (entry.change.path, entry.number)).fetchone() is not None

        return self._database.read(ask)

    def unfinished_deletions(self) -> list[Doomed]:
        def ask(connection: Connection) -> list[Doomed]:
            rows = connection.execute(
                "SELECT id, receipt, root, path, marks, device, inode, size, mtime_ns FROM deletions"
                " WHERE id <= ? ORDER BY id",
                (self._last_deletion,),
            )
            return [
                Doomed(
                    row[0], row[1], Doom(row[2], row[3], State(row[4]), Identity(row[5], _unsigned(row[6]), *row[7:]))
                )
                for row in rows
            ]

        return self._database.read(ask)


def _last_numbers(connection: Connection) -> tuple[int, int]:
    """What was written before this start: only that is left over, everything later is at work."""
    entries = connection.execute("SELECT coalesce(max(id), 0) FROM entries").fetchone()
    deletions = connection.execute("SELECT coalesce(max(id), 0) FROM deletions").fetchone()
    return entries[0], deletions[0]


def _new_step(connection: Connection, kind: StepKind, asked_by: str) -> int:
    number = connection.execute(
        "INSERT INTO steps (kind, request_id, at_us) VALUES (?, ?, ?)", (kind, asked_by, _now_us())
    ).lastrowid
    assert number is not None
    if number % _CLEAR_EVERY == 0:
        _clear(connection)
    return number


def _add_entries(connection: Connection, intents: Sequence[tuple[int, Change]]) -> int:
    """Write the intents of these steps; the number of the first, the others follow it."""
    connection.executemany(
        "INSERT INTO entries (step, root, path, before, after, device, inode, size, mtime_ns, reverts, status)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)",
        [
            (step, one.root, one.path, int(one.before), int(one.after), *_facts(one.identity), one.reverts)
            for step, one in intents
        ],
    )
    # AUTOINCREMENT in one transaction of the one connection: consecutive.
    return _last_row(connection) - len(intents) + 1


def _drop(connection: Connection, entries: Sequence[Entry]) -> None:
    connection.executemany("DELETE FROM entries WHERE id = ?", [(one.number,) for one in entries])
    connection.executemany(
        "DELETE FROM steps WHERE id = ? AND NOT EXISTS (SELECT 1 FROM entries WHERE step = steps.id)",
        [(step,) for step in {one.step for one in entries}],
    )


def _last_row(connection: Connection) -> int:
    (number,) = connection.execute("SELECT last_insert_rowid()").fetchone()
    return int(number)


def _identities(connection: Connection, after: bytes, end: bytes) -> list[Any]:
    return connection.execute(
        "SELECT path, device, inode, size, mtime_ns, at_us FROM identities"
        " WHERE path > ? AND path < ? ORDER BY path LIMIT ?",
        (after, end, _PAGE_ROWS),
    ).fetchall()


def _recorded(row: tuple[Any, ...]) -> Recorded:
    device, inode, size, mtime_ns, at_us = row
    return Recorded(Identity(device, _unsigned(inode), size, mtime_ns), at_us)


def _remember(connection: Connection, identities: Sequence[tuple[bytes, Identity]]) -> None:
    connection.executemany(
        "INSERT OR REPLACE INTO identities (path, device, inode, size, mtime_ns, at_us) VALUES (?, ?, ?, ?, ?, ?)",
        [(path, *_facts(identity), _now_us()) for path, identity in identities],
    )


def _receipt(row: tuple[Any, ...], paths: tuple[bytes, ...]) -> Receipt:
    name, started_us, finished_us, deleted, errors, skipped, size_bytes = row
    return Receipt(name, started_us, finished_us, deleted, errors, skipped, size_bytes, paths)


def _receipt_paths(connection: Connection, receipt: str) -> tuple[bytes, ...]:
    rows = connection.execute("SELECT path FROM receipt_paths WHERE receipt = ? ORDER BY number", (receipt,))
    return tuple(path for (path,) in rows)


def _clear(connection: Connection) -> None:
    """Drop the oldest steps beyond what is kept."""
    connection.execute(_OLD_STEPS, (KEEP_STEPS, KEEP_ENTRIES))
