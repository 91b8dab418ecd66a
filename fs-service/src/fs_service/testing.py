"""Stands for parts of this service in tests, here and in those of several services. Nothing else imports it."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from media_common import subjects

from fs_service.domain.ports import OutboxRow


class MemoryOutbox:
    """Rows in a list, as the index keeps them in its table."""

    epoch = "0f3c"

    def __init__(self, rows: Sequence[OutboxRow] = ()) -> None:
        self._rows = list(rows)
        self._last = max((row.sequence for row in rows), default=0)
        self._news = threading.Condition()

    def add(self, count: int = 1, subject: str = subjects.MEDIA_FOUND) -> None:
        """So many more, each of a file of its own."""
        with self._news:
            for _ in range(count):
                self._last += 1
                path = b"/lib/day/\xff%d.jpg" % self._last
                self._rows.append(OutboxRow(self._last, subject, b"/lib", path, self._last))
            self._news.notify_all()

    def pending(self, limit: int) -> list[OutboxRow]:
        with self._news:
            return self._rows[:limit]

    def sent(self, through_sequence: int) -> None:
        with self._news:
            self._rows = [row for row in self._rows if row.sequence > through_sequence]

    def count(self) -> int:
        with self._news:
            return len(self._rows)

    def wait(self, timeout_s: float) -> bool:
        with self._news:
            return self._news.wait_for(lambda: bool(self._rows), timeout_s)
