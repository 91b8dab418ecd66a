"""Bytes that arrive in pieces, cut into lines and server-sent events: pure, whatever the pieces are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_SSE_END: Final = re.compile(rb"\r\n|\n|\r")
_BOM: Final = b"\xef\xbb\xbf"


class Lines:
    """Lines that end with a newline, as NDJSON has them."""

    def __init__(self) -> None:
        self._rest: list[bytes] = []

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """The lines that this piece completes, without their ends."""
        *whole, rest = chunk.split(b"\n")
        for line in whole:
            self._rest.append(line)
            joined = b"".join(self._rest)
            self._rest.clear()
            yield joined
        if rest:
            self._rest.append(rest)

    @property
    def is_cut(self) -> bool:
        """Whether the last line has not ended."""
        return bool(self._rest)


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One server-sent event. `last_id`: the id to resume behind, which an event may leave as it was."""

    kind: str
    data: str
    last_id: str


class EventLines:
    """Server-sent events (https://html.spec.whatwg.org/#event-stream-interpretation)."""

    def __init__(self, last_id: str = "") -> None:
        self.last_id = last_id
        self._id = last_id  # of the event that is coming, which counts once it is whole
        self._buffer = b""
        self._begun = False
        self._kind = ""
        self._data: list[str] = []

    def feed(self, chunk: bytes) -> Iterator[ServerEvent]:
        """The events that this piece completes."""
        self._buffer += chunk
        if not self._begun:
            if _BOM.startswith(self._buffer):
                return
            self._begun = True
            self._buffer = self._buffer.removeprefix(_BOM)
        # A carriage return at the end may be the first half of a pair.
        ready = self._buffer[:-1] if self._buffer.endswith(b"\r") else self._buffer
        *whole, rest = _SSE_END.split(ready)
        self._buffer = rest + self._buffer[len(ready) :]
        for line in whole:
            if event := self._line(line.decode("utf-8", "replace")):
                yield event

    def _line(self, line: str) -> ServerEvent | None:
        if line:
            self._field(line)
            return None
        self.last_id = self._id
        event = ServerEvent(self._kind or "message", "\n".join(self._data), self.last_id) if self._data else None
        self._kind = ""
        self._data = []
        return event

    def _field(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "event":
                self._kind = value
            case "data":
                self._data.append(value)
            case "id" if "\0" not in value:
                self._id = value
            case _:
                pass  # a comment, `retry`, or what later versions add
