"""The two threads behind the index: one writes what was put off for speed, one looks after the roots."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Final

from media_common.errors import ServiceError

from fs_service.domain.ports import EventLog, Roots, RootState
from fs_service.store.shelves import REACHABLE, StoredShelves

logger = logging.getLogger(__name__)

#: What is put within this time is written in one transaction.
_GATHER_S: Final = 0.01
#: Who reads what was put writes it first; the events for the other dialects are written with it and wait so long.
_GIVE_WAY_S: Final = 0.25
_ROUND_S: Final = 2.0
#: A root that vanishes from a config that somebody is just saving is not forgotten at once.
_GRACE_S: Final = 10.0

_NAMES: Final = {
    RootState.ONLINE: "online",
    RootState.READ_ONLY: "read-only",
    RootState.OFFLINE: "offline",
    RootState.SWAPPED: "swapped",
}


class Writer:
    """Wakes when told to, waits a moment for more, and writes."""

    def __init__(self, give_way: Callable[[float, threading.Event], None] = lambda most_s, stop: None) -> None:
        """
        Args:
            give_way: waits until nothing is more pressing, for so many seconds at most or until the event is set.
        """
        self._give_way = give_way
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._work: list[Callable[[], None]] = []

    def wake(self) -> None:
        self._wake.set()

    def start(self, *work: Callable[[], None]) -> None:
        self._work = list(work)
        self._thread = threading.Thread(target=self._run, name="index-writer", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Write what there is and end."""
        self._stop.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wake.wait()
            self._stop.wait(_GATHER_S)
            self._give_way(_GIVE_WAY_S, self._stop)
            self._wake.clear()
            for work in self._work:
                try:
                    work()
                except ServiceError as error:
                    # The disk knows all of it: the folders are listed again.
                    logger.warning("the index could not be written: %s", error.message)


class Caretaker:
    """Scans new roots, compares known ones with the disk now and then, tells when a root goes or comes back."""

    def __init__(
        self,
        shelves: StoredShelves,
        roots: Roots,
        events: EventLog,
        root_online: Callable[[bytes], None] = lambda root: None,
        date_files: Callable[[bytes, Callable[[], bool]], bool] = lambda root, stopping: False,
    ) -> None:
        """Args:
        root_online: called with every root that is online for the first time or again.
        date_files: finds out for a while, or until it is to stop, when a root's files are from; whether more are left.
        """
        self._date_files = date_files
        self._shelves = shelves
        self._roots = roots
        self._events = events
        self._root_online = root_online
        self._states: dict[bytes, RootState] = {}
        self._missing_since: dict[bytes, float] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="index-caretaker", daemon=True)
        self._complaint = ""

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End after the folder in hand."""
        self._stop.set()
        self._shelves.stop()
        self._shelves.news.set()
        self._thread.join()

    def states(self) -> Counter[str]:
        """How many roots were how when they were last looked at. Asks no disk: one that hangs would hold it up."""
        return Counter(_NAMES[state] for state in list(self._states.values()))

    def round(self) -> None:
        """Look at every root once.

        Raises:
            ServiceError: the list of roots cannot be read.
        """
        known = self._roots.known()
        self._forget_missing(known)
        for root in known:
            if self._stop.is_set():
                return
            try:
                self._watch(root)
                if self._states[root] in REACHABLE:
                    self._shelves.keep_true(root)
                    if self._date_files(root, self._stop.is_set):
                        self._shelves.news.set()
            except ServiceError as error:
                self._complain(error.message)
        while not self._stop.is_set() and self._shelves.sweep():
            pass

    def _run(self) -> None:
        while not self._stop.is_set():
            self._shelves.news.clear()
            try:
                self.round()
            except ServiceError as error:
                self._complain(error.message)
            self._shelves.news.wait(_ROUND_S)

    def _watch(self, root: bytes) -> None:
        state, _ = self._roots.state(root)
        before = self._states.get(root)
        if state is not before:
            self._states[root] = state
            self._events.emit("root", {"path": os.fsdecode(root), "state": _NAMES[state]})
            if state is RootState.ONLINE:
                self._root_online(root)

    def _forget_missing(self, known: list[bytes]) -> None:
        """Roots that somebody took out of the config by hand."""
        missing = self._shelves.shelf_roots() - set(known)
        now = time.monotonic()
        self._missing_since = {root: self._missing_since.get(root, now) for root in missing}
        for root, since in self._missing_since.items():
            if now - since > _GRACE_S:
                self._shelves.root_removed(root)
                self._events.emit("root", {"path": os.fsdecode(root), "state": "removed"})
        self._states = {root: state for root, state in self._states.items() if root in known}

    def _complain(self, message: str) -> None:
        """Once, not every round."""
        if message != self._complaint:
            self._complaint = message
            logger.warning("%s", message)
