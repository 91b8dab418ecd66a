"""What the prober and its child processes say to each other over a socket pair.

A request is one frame: its length, what is asked of each file, then for each file the kind, the path's length and the
path. There is one answer for each file, in order, so that the file that killed the child is the first without one: of
its size a record of fixed length, of its description a length and JSON.
"""

from __future__ import annotations

import json
import math
import socket
import struct
from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any, Final

from media_common.insides.description import Camera

from fs_service.domain.items import Described, Identity, Probe
from fs_service.domain.media import Kind

HELLO: Final = b"framewell probe 2\n"
#: Flags (1: width and height, 2: duration), width, height, duration.
ANSWER: Final = struct.Struct("<Biid")
#: Of a description.
LENGTH: Final = struct.Struct("<I")
#: Names are cut long before this.
DESCRIPTION_MAX: Final = 16_384
_ASKED: Final = struct.Struct("<I?")
_FILE: Final = struct.Struct("<BH")
_SIZED: Final = 1
_TIMED: Final = 2
_MAX_S: Final = 1e9
_TEXT_MAX: Final = 1000
#: Of an inode, or of a time in nanoseconds.
_NUMBERS: Final = range(-(2**63), 2**64)
_CAMERA: Final = {field.name: field.type for field in fields(Camera)}


class Garbled(Exception):
    """The child's answer is none: it is no longer to be trusted."""


def frame_of(files: Sequence[tuple[bytes, Kind]], described: bool) -> bytes:
    """Args:
    described: all that the files say of themselves is asked for, not only their sizes.
    """
    body = b"".join(_FILE.pack(kind, len(path)) + path for path, kind in files)
    return _ASKED.pack(len(body), described) + body


def receive_files(connection: socket.socket) -> tuple[list[tuple[bytes, Kind]], bool] | None:
    """The next request, as it was framed; None at the end."""
    if (head := receive(connection, _ASKED.size)) is None:
        return None
    length, described = _ASKED.unpack(head)
    if (body := receive(connection, length)) is None:
        return None
    files: list[tuple[bytes, Kind]] = []
    at = 0
    while at < len(body):
        kind, path_length = _FILE.unpack_from(body, at)
        at += _FILE.size
        files.append((body[at : at + path_length], Kind(kind)))
        at += path_length
    return files, described


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


def description_answer(described: Described) -> bytes:
    camera = {name: value for name, value in asdict(described.camera).items() if value is not None}
    one = described.identity
    identity = None if one is None else [one.device, one.inode, one.size_bytes, one.mtime_ns]
    body = json.dumps({"camera": camera, "identity": identity}).encode()
    return LENGTH.pack(len(body)) + answer_of(described.probe) + body


def description_of(sized: bytes, body: bytes) -> Described:
    """As `probe_of`."""
    try:
        found = json.loads(body)
        camera = {name: _checked(name, value) for name, value in found["camera"].items()}
        numbers = found["identity"]
        if numbers is not None and not (len(numbers) == 4 and all(type(n) is int and n in _NUMBERS for n in numbers)):
            raise Garbled
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
        raise Garbled from error
    return Described(probe_of(sized), Camera(**camera), None if numbers is None else Identity(*numbers))


def _checked(name: str, value: Any) -> Any:
    wanted = str(_CAMERA[name])
    if "str" in wanted:
        good = type(value) is str and 0 < len(value) <= _TEXT_MAX
    elif "float" in wanted:
        good = type(value) in (int, float) and math.isfinite(value) and -180 <= value <= 180
    else:
        good = type(value) is int and value in _NUMBERS
    if not good:
        raise Garbled
    return value
