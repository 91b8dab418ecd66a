"""A form with one file, written piece by piece: the file is never held in memory (RFC 7578)."""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator, Iterator, Mapping
from io import UnsupportedOperation
from typing import Final, Protocol

import anyio

CHUNK_BYTES: Final = 256 * 1024
#: What a browser writes for the characters that would end a name.
_ESCAPES: Final = str.maketrans({'"': "%22", "\r": "%0D", "\n": "%0A"})


class ReadableFile(Protocol):
    """A file opened for reading bytes."""

    def read(self, size: int, /) -> bytes: ...


class Multipart:
    """The body of one request; it can be read once, as the file can."""

    def __init__(self, fields: Mapping[str, str], file: ReadableFile, file_name: str) -> None:
        boundary = secrets.token_hex(16)
        self._file = file
        parts = [_part(boundary, f'name="{_escaped(name)}"') + _bytes(value) for name, value in fields.items()]
        about_file = f'name="file"; filename="{_escaped(file_name)}"\r\nContent-Type: application/octet-stream'
        self._before = b"\r\n".join([*parts, _part(boundary, about_file)])
        self._after = f"\r\n--{boundary}--\r\n".encode("ascii")
        self.content_type = f"multipart/form-data; boundary={boundary}"

    @property
    def size_bytes(self) -> int | None:
        """None: the file does not say how much is left of it."""
        left = _left(self._file)
        return None if left is None else len(self._before) + left + len(self._after)

    def chunks(self) -> Iterator[bytes]:
        yield self._before
        while chunk := self._file.read(CHUNK_BYTES):
            yield chunk
        yield self._after

    async def chunks_async(self) -> AsyncIterator[bytes]:
        """The same, with the disk read off the event loop."""
        yield self._before
        while chunk := await anyio.to_thread.run_sync(self._file.read, CHUNK_BYTES):
            yield chunk
        yield self._after


def _part(boundary: str, about: str) -> bytes:
    return _bytes(f"--{boundary}\r\nContent-Disposition: form-data; {about}\r\n\r\n")


def _escaped(text: str) -> str:
    return text.translate(_ESCAPES)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _left(file: ReadableFile) -> int | None:
    """Bytes from where the file stands to its end; None for a pipe and the like."""
    try:
        here = file.tell()  # type: ignore[attr-defined]
        end = file.seek(0, os.SEEK_END)  # type: ignore[attr-defined]
        file.seek(here)  # type: ignore[attr-defined]
        return int(end) - int(here)
    except (AttributeError, UnsupportedOperation, OSError):
        return None
