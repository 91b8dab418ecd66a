"""The messages between a worker and its render process: a length, then fields of bytes, each behind its length."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

LENGTH: Final = struct.Struct("<I")
#: The largest thumbnail (1024 x 1024 RGBA, incompressible) is half of it; more is a broken stream.
MAX_BYTES: Final = 16 * 1024 * 1024


def pack(fields: Sequence[bytes]) -> bytes:
    body = b"".join(LENGTH.pack(len(field)) + field for field in fields)
    return LENGTH.pack(len(body)) + body


def unpack(body: bytes) -> list[bytes]:
    """The fields of a message, its own length cut off.

    Raises:
        ValueError: the lengths do not add up.
    """
    fields, at = [], 0
    while at < len(body):
        if at + LENGTH.size > len(body):
            raise ValueError("a field's length is cut short")
        (length,) = LENGTH.unpack_from(body, at)
        at += LENGTH.size
        if at + length > len(body):
            raise ValueError("a field is cut short")
        fields.append(body[at : at + length])
        at += length
    return fields
