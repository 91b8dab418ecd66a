"""One line a request without the logging machinery, which costs as much as a small answer does: rendered by hand as
`media_common.logs` would have it, and several lines in one write."""

from __future__ import annotations

import asyncio
import contextlib
import re
import sys
from datetime import UTC, datetime
from typing import Final, Literal, TextIO

import orjson

#: A reader sees a line so much later at most; what dies without warning takes so much of its lines along.
_GATHER_S: Final = 0.05
_PLAIN: Final = re.compile(r"[!-~]+").fullmatch

Value = str | int | float


class Lines:
    """Used from one event loop; outside of one every line is written at once."""

    def __init__(self, service: str, form: Literal["text", "json"], stream: TextIO | None = None) -> None:
        """
        Args:
            stream: where to; standard error, whatever that is at the time.
        """
        self._service = service
        self._render = _json if form == "json" else _text
        self._stream = stream
        self._waiting: list[str] = []

    def add(self, level: str, event: str, fields: dict[str, Value]) -> None:
        """`level` in small letters."""
        now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        self._waiting.append(self._render(now, level, event, {**fields, "service": self._service}))
        if len(self._waiting) == 1:
            try:
                asyncio.get_running_loop().call_later(_GATHER_S, self.flush)
            except RuntimeError:
                self.flush()

    def flush(self) -> None:
        """Write what there is."""
        waiting, self._waiting = self._waiting, []
        if waiting:
            stream = self._stream or sys.stderr
            with contextlib.suppress(OSError, ValueError):  # nobody reads any more
                stream.write("\n".join(waiting) + "\n")
                stream.flush()


def _text(now: str, level: str, event: str, fields: dict[str, Value]) -> str:
    told = " ".join(f"{name}={_shown(fields[name])}" for name in sorted(fields))
    return f"{now} [{level:<9}] {event} {told}"


def _shown(value: Value) -> str:
    text = str(value)
    return text if _PLAIN(text) else repr(text)


def _json(now: str, level: str, event: str, fields: dict[str, Value]) -> str:
    return orjson.dumps({**fields, "event": event, "level": level, "timestamp": now}).decode()
