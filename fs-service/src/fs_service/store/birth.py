"""A file's birth time, which Python 3.11's `os.stat` does not tell on Linux.

Source: statx(2), struct statx in <linux/stat.h>.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Callable
from typing import Final

_AT_FDCWD: Final = -100
_AT_SYMLINK_NOFOLLOW: Final = 0x100
_AT_EMPTY_PATH: Final = 0x1000
_STATX_CTIME: Final = 0x80
_STATX_BTIME: Final = 0x800
_SIZE: Final = 256
#: stx_mask, 76 bytes further stx_btime (seconds, nanoseconds, padding), stx_ctime.
_LAYOUT: Final = struct.Struct("=I76xqI4xqI")

_Statx = Callable[[int, bytes, int, int, object], int]


def _statx() -> _Statx | None:
    try:
        call = ctypes.CDLL(None).statx
    except (OSError, AttributeError):  # not Linux, or a C library older than 2018
        return None
    call.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_uint, ctypes.c_void_p)
    call.restype = ctypes.c_int
    return call


_STATX: Final = _statx()


def birth_us(target: int | bytes, *, dir_fd: int | None = None) -> int:
    """When the file was made, in microseconds since the epoch; ctime where the file system does not keep it.

    Args:
        target: an open descriptor, or a path or name; a link itself is meant, not where it leads.
        dir_fd: the folder that a name is in.
    Raises:
        OSError: missing, or not reachable.
    """
    if _STATX is not None:
        buffer = ctypes.create_string_buffer(_SIZE)
        if isinstance(target, int):
            failed = _STATX(target, b"", _AT_EMPTY_PATH, _STATX_BTIME | _STATX_CTIME, buffer)
        else:
            where = _AT_FDCWD if dir_fd is None else dir_fd
            failed = _STATX(where, target, _AT_SYMLINK_NOFOLLOW, _STATX_BTIME | _STATX_CTIME, buffer)
        if not failed:
            mask, birth_s, birth_ns, ctime_s, ctime_ns = _LAYOUT.unpack_from(buffer)
            if mask & _STATX_BTIME and (birth_s or birth_ns):
                return int(birth_s * 1_000_000 + birth_ns // 1000)
            return int(ctime_s * 1_000_000 + ctime_ns // 1000)
    if isinstance(target, int):
        return os.fstat(target).st_ctime_ns // 1000
    return os.stat(target, dir_fd=dir_fd, follow_symlinks=False).st_ctime_ns // 1000
