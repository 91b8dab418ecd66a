"""`multipart/form-data` as it comes in: small fields whole, the file's bytes as they arrive, nothing kept or spooled.

Source: RFC 7578, and the multipart/form-data encoding of the HTML standard (what browsers write into a file's name).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_to_bytes

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from gateway.errors import ClientGone, Failure, invalid

#: A path of two thousand folders.
MAX_FIELD_BYTES: Final = 64 * 1024
MAX_PARTS: Final = 32
_MAX_HEADERS: Final = 16
_MAX_HEADER_BYTES: Final = 16 * 1024
#: A client that sends nothing for so long is taken for gone.
_SILENCE_S: Final = 120.0
_EXTENDED: Final = re.compile(r"filename\*\s*=\s*(?:utf-8|iso-8859-1)'[^']*'([^;\s]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Text:
    """A whole field."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class FileBegins:
    """The part of the file has begun; `filename` is empty where the client names none."""

    filename: str


@dataclass(frozen=True, slots=True)
class FileBytes:
    """Some of it."""

    data: bytes


Event = Text | FileBegins | FileBytes


async def form_events(request: Request, file_part: str) -> AsyncIterator[Event]:
    """The parts in the order in which they come.

    Args:
        file_part: the name of the part that is the file, whether it has a file name or not.
    Raises:
        Failure: 400, it is no form, has the file twice, or ends before its end; 408, it stopped coming.
        ClientGone: the client hung up.
    """
    parser = _Parser(request.headers.get("content-type", ""), file_part)
    stream = aiter(request.stream())
    while True:
        try:
            async with asyncio.timeout(_SILENCE_S):
                data = await anext(stream, None)
        except TimeoutError:
            raise Failure(
                408, "request_timeout", "The upload stopped coming.", headers={"Connection": "close"}
            ) from None
        except ClientDisconnect as error:
            raise ClientGone from error
        if data is None:
            parser.finish()
            return
        for event in parser.feed(data):
            yield event


class _Parser:
    """Feeds the library's parser, whose callbacks gather events."""

    def __init__(self, content_type: str, file_part: str) -> None:
        told, options = parse_options_header(content_type)
        boundary = options.get(b"boundary", b"")
        if told != b"multipart/form-data" or not boundary:
            raise _bad("The body must be multipart/form-data.")
        self._file_part = file_part
        self._events: list[Event] = []
        self._parts = 0
        self._has_file = False
        self._in_file = False
        self._ended = False
        self._header = bytearray()
        self._value = bytearray()
        self._headers: dict[bytes, bytes] = {}
        self._name = ""
        self._field = bytearray()
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._on_part_begin,
                    "on_part_data": self._on_part_data,
                    "on_part_end": self._on_part_end,
                    "on_header_field": self._on_header_field,
                    "on_header_value": self._on_header_value,
                    "on_header_end": self._on_header_end,
                    "on_headers_finished": self._on_headers_finished,
                    "on_end": self._on_end,
                },
                max_header_count=_MAX_HEADERS,
                max_header_size=_MAX_HEADER_BYTES,
            )
        except FormParserError as error:
            raise _bad("The form's boundary is too long.") from error

    def feed(self, data: bytes) -> list[Event]:
        if not self._ended:  # what is behind the end is nobody's
            try:
                self._parser.write(data)
            except FormParserError as error:
                raise _bad("The form is malformed.") from error
        events, self._events = self._events, []
        return events

    def finish(self) -> None:
        """
        Raises:
            Failure: 400, the form is not at its end.
        """
        if not self._ended:
            raise _bad("The form ends before its end.")

    def _on_part_begin(self) -> None:
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise _bad("The form has too many parts.")
        self._headers = {}
        self._name = ""
        self._in_file = False
        self._field.clear()

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header_end(self) -> None:
        self._headers[bytes(self._header).lower()] = bytes(self._value)
        self._header.clear()
        self._value.clear()

    def _on_headers_finished(self) -> None:
        disposition = self._headers.get(b"content-disposition", b"")
        kind, options = parse_options_header(disposition)
        if kind != b"form-data" or b"name" not in options:
            raise _bad("A part of the form has no name.")
        self._name = _text(options[b"name"])
        self._in_file = self._name == self._file_part
        if self._in_file:
            if self._has_file:
                raise invalid(self._file_part, f"Invalid {self._file_part}: one file an upload")
            self._has_file = True
            self._events.append(FileBegins(_filename(disposition, options)))

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._in_file:
            self._events.append(FileBytes(data[start:end]))
            return
        self._field += data[start:end]
        if len(self._field) > MAX_FIELD_BYTES:
            raise invalid(self._name, f"Invalid {self._name}: it is too long")

    def _on_part_end(self) -> None:
        if not self._in_file:
            self._events.append(Text(self._name, _text(bytes(self._field))))
        self._field.clear()

    def _on_end(self) -> None:
        self._ended = True


def _filename(disposition: bytes, options: dict[bytes, bytes]) -> str:
    """The last part of what the client calls its file: where it lies on the client's disk is nobody's business here."""
    if b"filename" in options:
        # Browsers write these three in percent, and nothing else.
        raw = re.sub(
            rb"%(22|0D|0A)", lambda found: unquote_to_bytes(found[0]), options[b"filename"], flags=re.IGNORECASE
        )
    elif (extended := _EXTENDED.search(disposition.decode("latin-1"))) is not None:
        raw = unquote_to_bytes(extended[1])
    else:
        raw = b""
    return _text(raw.rpartition(b"/")[2])


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _bad(message: str) -> Failure:
    return Failure(400, "invalid_body", message)
