"""Who may work on which file: an action and the deletion of the same file exclude each other."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class _Counted:
    """A lock and how many hold it or wait for it; gone from the table when nobody does."""

    __slots__ = ("lock", "users")

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.users = 0


class PathLocks:
    """One lock a file, made when somebody asks, and one gate for all of them.

    A thread takes the gate first (`shared` or `alone`), then all its files in one `held`, never a second `held`
    within: with the sorted order in `held` nothing can wait in a circle.
    """

    def __init__(self) -> None:
        self._table: dict[bytes, _Counted] = {}
        self._mutex = threading.Lock()
        self._gate = threading.Condition()
        self._inside = 0
        self._alone = False
        self._wanting_alone = 0

    @contextmanager
    def held(self, paths: Iterable[bytes]) -> Iterator[None]:
        """Exclusive hold of these files. Letter case is ignored: on some disks two spellings are one file, and on
        the others the two merely wait for each other."""
        keys = sorted({path.lower() for path in paths})
        with self._mutex:
            locks = [self._counted(key) for key in keys]
        taken = 0
        try:
            for counted in locks:
                counted.lock.acquire()
                taken += 1
            yield
        finally:
            for counted in locks[:taken]:
                counted.lock.release()
            with self._mutex:
                for key, counted in zip(keys, locks, strict=True):
                    counted.users -= 1
                    if not counted.users:
                        del self._table[key]

    def _counted(self, key: bytes) -> _Counted:
        counted = self._table.get(key)
        if counted is None:
            counted = self._table[key] = _Counted()
        counted.users += 1
        return counted

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Actions pass the gate side by side."""
        with self._gate:
            # Whoever wants to be alone goes first, or a stream of actions would keep it out for ever.
            while self._alone or self._wanting_alone:
                self._gate.wait()
            self._inside += 1
        try:
            yield
        finally:
            with self._gate:
                self._inside -= 1
                if not self._inside:
                    self._gate.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """No action is under way: what the journal calls the latest step stays the latest."""
        with self._gate:
            self._wanting_alone += 1
            try:
                while self._alone or self._inside:
                    self._gate.wait()
                self._alone = True
            finally:
                self._wanting_alone -= 1
                self._gate.notify_all()
        try:
            yield
        finally:
            with self._gate:
                self._alone = False
                self._gate.notify_all()
