"""`domain.history.History` on the journal's database. Pages are read beside the writers: whoever looks through the
history holds up no action."""

from __future__ import annotations

import os
from collections.abc import Sequence
from sqlite3 import Connection
from typing import Any, Final

from fs_service.domain.errors import StepNotFound
from fs_service.domain.history import REVERTS_MAX, ChangeCount, ReceiptLine, StepFileLine, StepLine
from fs_service.domain.items import State
from fs_service.domain.journal import Entry, Receipt, StepKind
from fs_service.store.journal import ENTRY_COLUMNS, entry_of
from fs_service.store.journal_db import JournalDatabase

_GROUPS: Final = """
    SELECT before, after, count(*), coalesce(sum(status < 2), 0), coalesce(sum(status < 2 AND emptied), 0),
           min(path), max(path)
    FROM entries WHERE step = ? GROUP BY before, after ORDER BY count(*) DESC, before, after
"""
#: An undo of several steps may have changed a file more than once.
_FILES: Final = """
    SELECT count(DISTINCT path), count(DISTINCT CASE WHEN status < 2 THEN path END),
           count(DISTINCT CASE WHEN status < 2 AND emptied THEN path END)
    FROM entries WHERE step = ?
"""
_REVERTED: Final = """
    SELECT DISTINCT reverted.step FROM entries JOIN entries AS reverted ON reverted.id = entries.reverts
    WHERE entries.step = ? ORDER BY reverted.step DESC
"""
#: A later deed that stands; or a later undo of what was before: the file is not where this entry left it.
_OVERTAKEN: Final = f"""
    SELECT 1 FROM entries JOIN steps ON steps.id = entries.step
    WHERE entries.path = ? AND entries.id > ?
      AND ((steps.kind <> {int(StepKind.UNDO)} AND entries.status < 2)
           OR (steps.kind = {int(StepKind.UNDO)} AND entries.reverts < ?))
    LIMIT 1
"""  # noqa: S608 - a number of ours


class StoredHistory:
    """The journal, to be looked through."""

    def __init__(self, database: JournalDatabase) -> None:
        self._database = database

    def steps(self, before: int | None, limit: int) -> list[StepLine]:
        def ask(connection: Connection) -> list[StepLine]:
            rows = connection.execute(
                "SELECT id, kind, at_us FROM steps WHERE id < ? ORDER BY id DESC LIMIT ?", (_below(before), limit)
            ).fetchall()
            return [_line(connection, *row) for row in rows]

        return self._database.look(ask)

    def emptyings(self, before: int | None, limit: int) -> list[ReceiptLine]:
        def ask(connection: Connection) -> list[ReceiptLine]:
            rows = connection.execute(
                "SELECT id, name, started_us, finished_us, deleted, errors, skipped, bytes FROM receipts"
                " WHERE id < ? ORDER BY id DESC LIMIT ?",
                (_below(before), limit),
            )
            return [
                ReceiptLine(number, Receipt(name, started_us, finished_us, deleted, errors, skipped, size_bytes, ()))
                for number, name, started_us, finished_us, deleted, errors, skipped, size_bytes in rows
            ]

        return self._database.look(ask)

    def files(self, step: int, after: int, limit: int) -> list[StepFileLine]:
        def ask(connection: Connection) -> list[StepFileLine]:
            _kind_of(connection, step)
            rows = connection.execute(
                "SELECT id, path, before, after, status, emptied FROM entries"
                " WHERE step = ? AND id > ? ORDER BY id LIMIT ?",
                (step, after, limit),
            )
            return [
                StepFileLine(number, path, State(was), State(became), status < 2, bool(emptied))
                for number, path, was, became, status, emptied in rows
            ]

        return self._database.look(ask)

    def standing(self, step: int) -> tuple[StepKind, list[Entry]]:
        def ask(connection: Connection) -> tuple[StepKind, list[Entry]]:
            kind = _kind_of(connection, step)
            question = f"SELECT {ENTRY_COLUMNS} FROM entries WHERE step = ? AND status = 1 ORDER BY id"  # noqa: S608
            return kind, [entry_of(row) for row in connection.execute(question, (step,))]

        return self._database.read(ask)

    def overtaken(self, entries: Sequence[Entry]) -> set[int]:
        def ask(connection: Connection) -> set[int]:
            return {
                one.number
                for one in entries
                if connection.execute(_OVERTAKEN, (one.change.path, one.number, one.number)).fetchone()
            }

        return self._database.read(ask)


def _below(number: int | None) -> int:
    return (1 << 63) - 1 if number is None else number


def _kind_of(connection: Connection, step: int) -> StepKind:
    row = connection.execute("SELECT kind FROM steps WHERE id = ?", (step,)).fetchone()
    if row is None:
        raise StepNotFound
    return StepKind(row[0])


def _line(connection: Connection, step: int, kind: int, at_us: int) -> StepLine:
    groups: list[Any] = connection.execute(_GROUPS, (step,)).fetchall()
    files, standing, emptied = (sum(group[column] for group in groups) for column in (2, 3, 4))
    reverts: list[int] = []
    if kind in (StepKind.UNDO, StepKind.REDO):
        files, standing, emptied = connection.execute(_FILES, (step,)).fetchone()
        reverts = [number for (number,) in connection.execute(_REVERTED, (step,))]
    first = min((group[5] for group in groups), default=b"")
    last = max((group[6] for group in groups), default=b"")
    return StepLine(
        step,
        StepKind(kind),
        at_us,
        files,
        standing,
        emptied,
        tuple(ChangeCount(State(group[0]), State(group[1]), group[2]) for group in groups),
        _common_folder(first, last),
        first,
        tuple(reverts[:REVERTS_MAX]),
        len(reverts),
    )


def _common_folder(first: bytes, last: bytes) -> bytes:
    """What holds the first and the last of sorted paths holds all between them, too."""
    return os.path.commonpath([os.path.dirname(first), os.path.dirname(last)]) if first else b""
