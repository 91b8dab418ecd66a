"""Letting deleted files go beside the work. A name is gone from its folder in microseconds; the space behind the last
name takes some disks a millisecond and more to give back (a discard for every file, a film in many pieces).

A descriptor that only names the file keeps it until a thread here closes it. Should the process die first, the system
closes it; no file can be reached or comes back by it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Final

#: The disk takes that many requests at once.
_THREADS: Final = 8
#: Files that may wait; beyond them whoever deletes waits for the disk itself.
_WAITING: Final = 64


class Freeing:
    """Closes descriptors in threads of its own, which begin with the first one."""

    def __init__(self) -> None:
        self._waiting: SimpleQueue[int] = SimpleQueue()
        self._mutex = threading.Lock()
        self._begun = False

    @contextmanager
    def put_off(self, folder_fd: int, name: bytes) -> Iterator[None]:
        """What is unlinked in the block under this name is given back to the disk after it."""
        try:
            descriptor = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder_fd)
        except OSError:  # missing, or too many files are open: nothing is put off
            yield
            return
        try:
            yield
        finally:
            self._close(descriptor)

    def _close(self, descriptor: int) -> None:
        if self._waiting.qsize() >= _WAITING:
            os.close(descriptor)
            return
        if not self._begun:
            self._begin()
        self._waiting.put(descriptor)

    def _begin(self) -> None:
        with self._mutex:
            if not self._begun:
                for number in range(_THREADS):
                    threading.Thread(target=self._run, name=f"freeing_{number}", daemon=True).start()
                self._begun = True

    def _run(self) -> None:
        while True:
            os.close(self._waiting.get())
