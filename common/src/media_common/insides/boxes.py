"""The boxes of an ISO media file (ISO/IEC 14496-12): where they lie. Never more than a header is read."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import IO


def boxes(file: IO[bytes], start: int, end: int, wanted: bytes) -> Iterator[tuple[int, int]]:
    """Where the contents of the boxes of one type lie, among the first 10,000 boxes."""
    for _ in range(10_000):
        header = read_at(file, start, 16)
        if start + 8 > end or len(header) < 8:
            return
        size, kind = struct.unpack_from(">I4s", header)
        skip = 8
        if size == 1 and len(header) == 16:
            (size,) = struct.unpack_from(">Q", header, 8)
            skip = 16
        elif size == 0:
            size = end - start
        if size < skip or start + size > end:
            return
        if kind == wanted:
            yield start + skip, start + size
        start += size


def read_at(file: IO[bytes], offset: int, length: int) -> bytes:
    file.seek(offset)
    return file.read(length)
