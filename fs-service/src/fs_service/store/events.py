"""What happened, for those who follow: the public event log, and the outbox of messages for NATS."""

from __future__ import annotations

import json
import threading
import time
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any, Final

from fs_service.domain.ports import LoggedEvent, OutboxRow
from fs_service.store.database import Database

#: Events kept for those who come back.
KEPT: Final = 5000
#: Numbers left out after a start: more than can have been given out and not been written when the process died.
_GAP: Final = 100_000


class StoredEvents:
    """Implements `ports.EventFeed`. Emitting costs no disk: `write` brings what is new to the database, now and then.

    Sequences only grow, over restarts and a rebuilt database too: they begin at the clock's milliseconds.
    """

    def __init__(self, database: Database, wake_writer: Callable[[], None]) -> None:
        self._database = database
        self._wake_writer = wake_writer
        self._changed = threading.Condition()
        with database.read() as connection:
            rows = connection.execute(
                "SELECT sequence, kind, payload FROM event ORDER BY sequence DESC LIMIT ?", (KEPT,)
            ).fetchall()
        self._events = deque((LoggedEvent(*row) for row in reversed(rows)), maxlen=KEPT)
        self._written = self._events[-1].sequence if self._events else 0
        self._first_of_mine = max(self._written + _GAP, time.time_ns() // 1_000_000)
        self._writing = threading.Lock()

    def emit(self, kind: str, payload: dict[str, Any]) -> None:
        self.emit_all([(kind, payload)])

    def emit_all(self, events: Sequence[tuple[str, dict[str, Any]]]) -> None:
        texts = [(kind, json.dumps(payload)) for kind, payload in events]
        with self._changed:
            last = self._events[-1].sequence if self._events else 0
            for sequence, (kind, text) in enumerate(texts, max(last + 1, self._first_of_mine)):
                self._events.append(LoggedEvent(sequence, kind, text))
            self._changed.notify_all()
        self._wake_writer()

    def after(self, sequence: int, limit: int) -> list[LoggedEvent]:
        with self._changed:
            start = bisect_right(self._events, sequence, key=lambda event: event.sequence)
            return list(islice(self._events, start, start + limit))

    def last(self) -> int:
        with self._changed:
            return self._events[-1].sequence if self._events else 0

    def wait(self, sequence: int, timeout_s: float) -> bool:
        with self._changed:
            return self._changed.wait_for(
                lambda: bool(self._events and self._events[-1].sequence > sequence), timeout_s
            )

    def write(self) -> None:
        """Keep what was emitted since the last time, and drop what is older than is kept."""
        with self._writing:
            fresh = self.after(self._written, KEPT)
            if not fresh:
                return
            with self._database.write() as connection:
                connection.executemany(
                    "INSERT INTO event (sequence, kind, payload) VALUES (?, ?, ?)",
                    [(event.sequence, event.kind, event.payload_json) for event in fresh],
                )
                connection.execute(
                    "DELETE FROM event WHERE sequence <="
                    " (SELECT sequence FROM event ORDER BY sequence DESC LIMIT 1 OFFSET ?)",
                    (KEPT,),
                )
            self._written = fresh[-1].sequence


class StoredOutbox:
    """Implements `ports.Outbox`. The index writes the rows; this reads and forgets them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def epoch(self) -> str:
        return self._database.epoch

    def pending(self, limit: int) -> list[OutboxRow]:
        with self._database.read() as connection:
            rows = connection.execute(
                "SELECT sequence, subject, root, path, inode FROM outbox ORDER BY sequence LIMIT ?", (limit,)
            )
            return [OutboxRow(*row) for row in rows]

    def sent(self, through_sequence: int) -> None:
        with self._database.write() as connection:
            connection.execute("DELETE FROM outbox WHERE sequence <= ?", (through_sequence,))

    def count(self) -> int:
        with self._database.read() as connection:
            return int(connection.execute("SELECT count(*) FROM outbox").fetchone()[0])

    def wait(self, timeout_s: float) -> bool:
        deadline = time.monotonic() + timeout_s
        while True:
            commits = self._database.commits
            if self.pending(1):
                return True
            left_s = deadline - time.monotonic()
            if left_s <= 0 or not self._database.wait(commits, left_s):
                return bool(self.pending(1))
