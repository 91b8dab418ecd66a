"""An append-only log of what clients tell: one JSON object a line, capped in size, the older part beside it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from media_common.errors import ErrorCode

from gateway.errors import Failure
from gateway.paths import dumps

MAX_BYTES: Final = 16 * 1024 * 1024
#: Full files that are kept: `.1` is the latest of them.
KEPT: Final = 4


class AuditLog:
    """Appended to in a thread, one writer at a time; opened for every call, so that it may be moved away."""

    def __init__(
        self,
        file: Path,
        max_bytes: int = MAX_BYTES,
        kept: int = KEPT,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._file = file
        self._max_bytes = max_bytes
        self._kept = kept
        self._clock = clock
        self._lock = asyncio.Lock()

    async def append(self, entries: Iterable[Mapping[str, Any]]) -> None:
        """Each entry a line, with the time it came (UTC, milliseconds) as `received`.

        Raises:
            Failure: 507, the disk does not take it.
        """
        received = self._clock().isoformat(timespec="milliseconds").replace("+00:00", "Z")
        lines = [dumps({"received": received, **entry}) + b"\n" for entry in entries]
        if not lines:
            return
        async with self._lock:
            try:
                await asyncio.to_thread(self._write, b"".join(lines))
            except OSError as error:
                raise Failure(507, ErrorCode.STORAGE_FAILED, "The event log cannot be written.") from error

    def _write(self, data: bytes) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
        with os.fdopen(os.open(self._file, flags, 0o600), "ab") as out:
            if out.tell() == 0 or out.tell() + len(data) <= self._max_bytes:
                out.write(data)
                return
        self._rotate()
        self._write(data)

    def _rotate(self) -> None:
        """Full files move up by one; the oldest is replaced."""
        for number in range(self._kept, 0, -1):
            younger = self._numbered(number - 1)
            if younger.exists():
                younger.replace(self._numbered(number))

    def _numbered(self, number: int) -> Path:
        return self._file.with_name(f"{self._file.name}.{number}") if number else self._file
