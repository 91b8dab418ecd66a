"""What the prober and its child processes say to each other over a socket pair.

A request is one frame: its length, then for each file the kind, the path's length and the path. An answer is one
record of fixed size for each file, in order, so that the file that killed the child is the first without one.
"""

from __future__ import annotations

import math
import socket
import struct
from collections.abc import Sequence
from typing import Final

from fs_service.domain.items import Probe
from fs_service.domain.media import Kind

HELLO: Final = b"framewell probe 1\n"
#: Flags (1: width and height, 2: duration), width, height, duration.
ANSWER: Final = struct.Struct("<Biid")
_LENGTH: Final = struct.Struct("<I")
_FILE: Final = struct.Struct("<BH")
_SIZED: Final = 1
_TIMED: Final = 2
_MAX_S: Final = 1e9


class Garbled(Exception):
    """The child's answer is none: it is no longer to be trusted."""


def frame_of(files: Sequence[tuple[bytes, Kind]]) -> bytes:
    body = b"".join(_FILE.pack(kind, len(path)) + path for path, kind in files)
    return _LENGTH.pack(len(body)) + body


def receive_files(connection: socket.socket) -> list[tuple[bytes, Kind]] | None:
    """The next request; None at the end."""
    if (length := receive(connection, _LENGTH.size)) is None:
        return None
    if (body := receive(connection, _LENGTH.unpack(length)[0])) is None:
        return None
    files: list[tuple[bytes, Kind]] = []
    at = 0
    while at < len(body):
        kind, path_length = _FILE.unpack_from(body, at)
        at += _FILE.size
        files.append((body[at : at + path_length], Kind(kind)))
        at += path_length
    return files


def receive(connection: socket.socket, length: int) -> bytes | None:
    """Exactly so many bytes; None when the other side is gone."""
    parts = bytearray()
    while len(parts) < length:
        part = connection.recv(length - len(parts))
        if not part:
            return None
        parts += part
    return bytes(parts)


def answer_of(probe: Probe) -> bytes:
    flags = 0
    if probe.width_px is not None and probe.height_px is not None:
        flags |= _SIZED
    if probe.duration_s is not None:
        flags |= _TIMED
    return ANSWER.pack(flags, probe.width_px or 0, probe.height_px or 0, probe.duration_s or 0.0)


def probe_of(answer: bytes) -> Probe:
    """The answer, believed only as far as it makes sense.

    Raises:
        Garbled: it does not.
    """
    flags, width, height, duration_s = ANSWER.unpack(answer)
    if flags & ~(_SIZED | _TIMED):
        raise Garbled
    if flags & _SIZED and not (width > 0 and height > 0):
        raise Garbled
    if flags & _TIMED and not (math.isfinite(duration_s) and 0 <= duration_s < _MAX_S):
        raise Garbled
    return Probe(
        width_px=width if flags & _SIZED else None,
        height_px=height if flags & _SIZED else None,
        duration_s=duration_s if flags & _TIMED else None,
    )
