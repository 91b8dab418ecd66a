"""The messages between a service and a process of its own that decodes: a length, then fields of bytes, each behind
its length."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

LENGTH: Final = struct.Struct("<I")


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
