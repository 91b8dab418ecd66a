"""What people said of stacks, in journal.db: nothing can rebuild it, and so it is in the backup."""

from __future__ import annotations

import time
from collections.abc import Collection
from sqlite3 import Connection

from fs_service.domain.stacks import Decision
from fs_service.store.journal_db import JournalDatabase


class StoredDecisions:
    """A decision is about a set of files of one folder, and about every part of it: one of them may go, and the others
    are still no stack. With a file more it is another question."""

    def __init__(self, database: JournalDatabase) -> None:
        self._database = database

    def of(self, folder: bytes) -> list[tuple[frozenset[bytes], Decision]]:
        """Names and what was said of them; the latest first."""

        def ask(connection: Connection) -> list[tuple[frozenset[bytes], Decision]]:
            rows = connection.execute(
                "SELECT names, decision FROM stack_decisions WHERE folder = ? ORDER BY id DESC", (folder,)
            )
            return [(frozenset(names.split(b"/")), Decision(decision)) for names, decision in rows]

        return self._database.read(ask)

    def put(self, folder: bytes, names: Collection[bytes], decision: Decision) -> None:
        """In place of all that was said of these files, or of more or fewer of them. Durable on return.

        Raises:
            StorageFailed
        """
        told = frozenset(names)

        def write(connection: Connection) -> None:
            rows = connection.execute("SELECT id, names FROM stack_decisions WHERE folder = ?", (folder,)).fetchall()
            kept = [(number, frozenset(before.split(b"/"))) for number, before in rows]
            over = [(number,) for number, before in kept if before <= told or told <= before]
            connection.executemany("DELETE FROM stack_decisions WHERE id = ?", over)
            if decision is not Decision.NONE:
                connection.execute(
                    "INSERT INTO stack_decisions (folder, names, decision, at_us) VALUES (?, ?, ?, ?)",
                    (folder, b"/".join(sorted(told)), int(decision), time.time_ns() // 1000),
                )

        self._database.write(write)
