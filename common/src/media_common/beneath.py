"""Files below a root, reached through directory descriptors only, so that a swapped symlink redirects nothing.

Paths are bytes. A relative path has no empty, `.` or `..` part. Nothing here deletes, and nothing follows a link
except `resolve_file`, which follows the file's own link when its target lies inside the same root.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# O_NONBLOCK: opening a FIFO must not hang; it is refused right after.
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
#: What opening a socket, or a device that is not there, answers.
_NO_FILE: Final = (errno.ENXIO, errno.ENODEV, errno.EOPNOTSUPP)


class Escapes(OSError):
    """The way to the file leads through a symlink or out of the root."""

    def __init__(self, relative: bytes) -> None:
        super().__init__(errno.ELOOP, "a link leads out of the folder", os.fsdecode(relative))


def split(relative: bytes) -> tuple[list[bytes], bytes]:
    """The folders and the name of a relative path.

    Raises:
        ValueError: empty, absolute, or with an empty, `.` or `..` part, or a NUL.
    """
    parts = relative.split(b"/")
    if any(part in (b"", b".", b"..") for part in parts) or b"\0" in relative:
        raise ValueError(f"not a clean relative path: {relative!r}")
    return parts[:-1], parts[-1]


@contextmanager
def root(path: bytes) -> Iterator[int]:
    """A descriptor of the root itself; links on the way to it are the administrator's and are followed."""
    descriptor = os.open(path, _FOLDER)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def open_folder(root_fd: int, folders: list[bytes]) -> int:
    """A new descriptor of the folder below the root; the caller closes it.

    Raises:
        Escapes: a part is a symlink.
        OSError: a part is missing or is no directory.
    """
    current = os.dup(root_fd)
    try:
        for part in folders:
            try:
                below = os.open(part, _FOLDER | os.O_NOFOLLOW, dir_fd=current)
            except OSError as error:
                if error.errno == errno.ELOOP or (error.errno == errno.ENOTDIR and _is_link(part, current)):
                    raise Escapes(b"/".join(folders)) from error
                raise
            os.close(current)
            current = below
    except BaseException:
        os.close(current)
        raise
    return current


@contextmanager
def folder(root_fd: int, folders: list[bytes]) -> Iterator[int]:
    """`open_folder` that closes itself."""
    descriptor = open_folder(root_fd, folders)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def open_file(root_fd: int, relative: bytes) -> int:
    """A new read-only descriptor of the regular file; the caller closes it.

    Raises:
        Escapes: a part, the last included, is a symlink.
        OSError: missing, or not a regular file (EINVAL).
    """
    folders, name = split(relative)
    with folder(root_fd, folders) as parent:
        try:
            descriptor = os.open(name, _FILE, dir_fd=parent)
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise Escapes(relative) from error
            if error.errno in _NO_FILE:
                raise _not_regular(relative) from error
            raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _not_regular(relative)
    return descriptor


def resolve_file(root_path: bytes, root_fd: int, relative: bytes) -> bytes:
    """The relative path that `open_file` can open: the same, or where the file's own link leads inside the root.

    Raises:
        Escapes: a folder on the way is a link, or the link's target is not inside the root; whether that
            target exists makes no difference.
        OSError: missing.
    """
    folders, name = split(relative)
    with folder(root_fd, folders) as parent:
        if not stat.S_ISLNK(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
            return relative
    real_root = os.path.realpath(root_path)
    target = os.path.realpath(os.path.join(root_path, relative))
    prefix = real_root.rstrip(b"/") + b"/"
    if not target.startswith(prefix):
        raise Escapes(relative)
    return target[len(prefix) :]


def _not_regular(relative: bytes) -> OSError:
    return OSError(errno.EINVAL, "not a regular file", os.fsdecode(relative))


def _is_link(name: bytes, parent: int) -> bool:
    try:
        return stat.S_ISLNK(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode)
    except OSError:
        return False
