"""The state directory as a whole: whether a stack runs on it, and another one put in its place in one step."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

#: Held by whatever runs on the directory: the one by what starts the processes, the other by fs-service.
LOCKS: Final = ("run.lock", "fs.lock")
#: Held by a backup together with others, by who removes bytes of uploads alone.
UPLOADS_LOCK: Final = "uploads.lock"
_RENAME_EXCHANGE: Final = 2
_AT_FDCWD: Final = -100


class Running(Exception):
    """Somebody is at work on the directory; the text is a sentence."""


@contextmanager
def held(state: Path) -> Iterator[None]:
    """Nothing runs on the directory, and nothing can be started on it until the body ends. Makes no file.

    Raises:
        Running
    """
    with ExitStack() as stack:
        for name in LOCKS:
            try:
                descriptor = os.open(state / name, os.O_RDWR | os.O_CLOEXEC)
            except OSError:
                continue  # never was run
            stack.callback(os.close, descriptor)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise Running(f"Framewell is running on the state directory {state}; stop it first.") from error
        yield


def is_held(state: Path) -> bool:
    """Whether something runs on the directory."""
    try:
        with held(state):
            return False
    except Running:
        return True


@contextmanager
def uploads_stay(state: Path) -> Iterator[None]:
    """No upload's bytes are removed until the body ends; waits for who is at it. They may be in a folder or in S3."""
    with _uploads_lock(state, fcntl.LOCK_SH):
        yield


@contextmanager
def uploads_may_go(state: Path) -> Iterator[None]:
    """The body may remove bytes of uploads.

    Raises:
        Running: a backup is being made.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(_uploads_lock(state, fcntl.LOCK_EX | fcntl.LOCK_NB))
        except BlockingIOError as error:
            raise Running("A backup is being made, which needs the files; purge again when it is done.") from error
        yield


@contextmanager
def _uploads_lock(state: Path, how: int) -> Iterator[None]:
    descriptor = os.open(state / UPLOADS_LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, how)
        yield
    finally:
        os.close(descriptor)


def exchange(one: Path, other: Path) -> None:
    """Each takes the other's name in one step.

    Raises:
        OSError: nothing was changed; EINVAL and ENOSYS where the file system or the kernel cannot.
    """
    library = ctypes.CDLL(None, use_errno=True)
    try:
        rename = library.renameat2
    except AttributeError as error:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS)) from error
    if rename(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def replace(new: Path, place: Path, aside: Path, exchanged: Callable[[Path, Path], None] = exchange) -> None:
    """Put `new` where `place` is, and what was there at `aside`. Cut off at any point, `place` is the old or the new
    one, and the other is beside it.

    Where two names cannot be exchanged there is a moment in which nothing is at `place`.

    Raises:
        OSError: `place` is what it was.
    """
    try:
        exchanged(new, place)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOSYS):
            raise
        place.rename(aside)
        try:
            new.rename(place)
        except OSError:
            aside.rename(place)
            raise
    else:
        flush(place.parent)
        new.rename(aside)
    flush(place.parent)


def flush(folder: Path) -> None:
    """Make what was made or renamed in the folder outlast a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
