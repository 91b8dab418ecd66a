"""One service a state directory: two would write one journal."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

FILE: Final = "fs.lock"


class StateInUse(Exception):
    """Another process has the state directory, or it cannot be used at all; the text is a sentence."""


@contextmanager
def state_directory(path: Path) -> Iterator[None]:
    """The directory is there, private, and this process's alone until the body ends or the process does.

    Raises:
        StateInUse
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path / FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise StateInUse(f"The state directory {path} cannot be used: {error.strerror}.") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            other = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
            raise StateInUse(f"The state directory {path} is in use by another fs-service, process {other}.") from error
        os.truncate(descriptor, 0)
        os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)
        yield
    finally:
        os.close(descriptor)
