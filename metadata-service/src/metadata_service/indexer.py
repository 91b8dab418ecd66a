"""Keeps the catalogue at what the disk is: looks again at what an event names, and goes through a whole root when due.

An event is a hint. What is written is what the file service says now, so order, repeats and losses do not matter.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice, takewhile
from typing import Final

from pyroaring import BitMap

from metadata_service.domain.disk import Disk, Looked, Root
from metadata_service.domain.errors import Unreachable
from metadata_service.store import indexing
from metadata_service.store.sqlite import Catalogue

logger = logging.getLogger(__name__)

#: Paths looked at in one go.
BATCH: Final = 500
_POLL_S: Final = 1.0
_BACK_OFF_S: Final = 1.0
#: Failures in a row that are worth a line: everything starts at once, and the first are no news.
_SAID_AT: Final = 5


class Indexer:
    """Knows nothing of NATS: `follower` hands it what the events name."""

    def __init__(self, catalogue: Catalogue, disk: Disk) -> None:
        self._catalogue = catalogue
        self.disk = disk
        self._lock = asyncio.Lock()
        self._wake = asyncio.Event()
        self._known: set[bytes] = set()
        #: Set when something may be new in the catalogue.
        self.news = asyncio.Event()
        #: Roots whose files can be read, as of the last look at the list of roots; None while the first is awaited.
        self.reached: frozenset[bytes] | None = frozenset()
        #: Roots that cannot be reached, as of the same look.
        self.away: frozenset[bytes] = frozenset()
        #: Roots that are gone through right now.
        self.running: set[bytes] = set()
        #: Roots for which that was asked since it began last.
        self._asked: set[bytes] = set()
        #: Of each look under way, in the order in which they began, the paths that a later one has written.
        self._later: list[set[bytes]] = []
        #: Told of every batch that was looked at and written: how many files, how many seconds from the look at the
        #: disk on, with the wait for a batch before it.
        self.on_batch: Callable[[int, float], None] = lambda files, seconds: None
        #: Why nothing moves, a sentence; empty when it does.
        self.problem = ""

    @property
    def reachable(self) -> frozenset[bytes]:
        return self.reached or frozenset()

    async def ask(self, root: bytes | None) -> None:
        """Let a root (None: every one) be gone through as a whole."""
        for path in await self._catalogue.read(indexing.due):
            if root is None or root == path:
                self._asked.add(path)
                await self._catalogue.write(indexing.set_reconciled, path, False)
        self._wake.set()

    async def run(self) -> None:
        """Follow the list of roots until cancelled."""
        self.reached = None
        failures = 0
        while True:
            try:
                await self.follow_roots()
                self.problem, failures = "", 0
            except Unreachable as error:
                failures += 1
                if failures == _SAID_AT:
                    logger.warning("indexing waits: %s", error.message)
                self.problem = error.message
                await asyncio.sleep(_BACK_OFF_S)
            except Exception:
                # A loop that ended here would leave new review paths out for ever, and nothing would say so.
                logger.exception("indexing stumbles")
                self.problem = "Indexing failed; it is tried again."
                await asyncio.sleep(_BACK_OFF_S)
            self._wake.clear()
            try:
                async with asyncio.timeout(_POLL_S):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def follow_roots(self) -> None:
        """Make collections for new roots, hide removed ones, go through those that are due and scanned."""
        roots = await self.disk.roots()
        due = await self._catalogue.read(indexing.due)
        for root in roots:
            if root.path not in due:
                await self._catalogue.write(indexing.collection_for, root.path)
        for path in due.keys() - {root.path for root in roots}:
            if path in self._known or not due[path]:
                await self._catalogue.write(indexing.hide_root, path)
        self._known = {root.path for root in roots}
        self.reached = frozenset(root.path for root in roots if root.online and root.scanned)
        self.away = frozenset(root.path for root in roots if not root.online)
        for root in roots:
            if root.online and root.scanned and due.get(root.path, True):
                await self.reconcile(root)

    async def reconcile(self, root: Root) -> None:
        """Bring in every file of a root; what the catalogue has beyond them is looked at one by one."""
        logger.info("going through a review path as a whole")
        self.running.add(root.path)
        self._asked.discard(root.path)
        try:
            before = await self._catalogue.read(indexing.in_place, root.path)
            seen = BitMap()
            with self._looking() as later:
                began = time.perf_counter()
                async for files in self.disk.replay(root.path):
                    looked = [Looked(file.relative_path, file, False) for file in files]
                    await self._bring_in(root.path, looked, later, began)
                    seen |= await self._catalogue.read(indexing.known_paths, root.path, [one.path for one in looked])
                    began = time.perf_counter()
            rest = await self._catalogue.read(indexing.paths_of, root.path, before - seen)
            for some in _batched(rest):
                await self._look(root.path, some)
            if root.path not in self._asked:
                await self._catalogue.write(indexing.set_reconciled, root.path, True)
        finally:
            self.running.discard(root.path)

    async def look(self, named: Iterable[tuple[bytes, bytes]]) -> None:
        """Look again at what events name.

        Args:
            named: root and absolute path of each.
        """
        by_root: dict[bytes, dict[bytes, None]] = {}
        for root, path in named:
            if indexing.below(root, path):
                by_root.setdefault(root, {})[path] = None
        for root, paths in by_root.items():
            # An event may name many.
            for some in _batched(paths):
                await self._look(root, some)

    async def _look(self, root: bytes, paths: Sequence[bytes]) -> None:
        with self._looking() as later:
            began = time.perf_counter()
            await self._bring_in(root, await self.disk.look(paths), later, began)

    @contextmanager
    def _looking(self) -> Iterator[set[bytes]]:
        """Round a look at the disk and the writing of it: the paths that are not to be written, because a look that
        began after this one has been written. Should the disk have changed in between, an event tells."""
        later: set[bytes] = set()
        self._later.append(later)
        try:
            yield later
        finally:
            self._later = [one for one in self._later if one is not later]

    async def _bring_in(self, root: bytes, looked: Sequence[Looked], later: set[bytes], began: float) -> None:
        """
        Args:
            later: of `_looking`.
            began: when the look began, by `time.perf_counter`.
        """
        async with self._lock:
            looked = [one for one in looked if one.path not in later]
            if not looked:
                return
            await self._catalogue.write(indexing.collection_for, root)
            moved = await self._catalogue.read(indexing.maybe_moved, root, looked)
            missing = {one.path for one in looked if one.missing}
            unsure = list({move.old_path for move in moved} - missing)
            for start in range(0, len(unsure), BATCH):
                again = await self.disk.look(unsure[start : start + BATCH])
                missing |= {one.path for one in again if one.missing}
            await self._catalogue.write(indexing.apply, root, looked, moved, frozenset(missing))
            # Of a file that nobody could say anything of, nothing has been written.
            written = {one.path for one in looked if one.seen is not None or one.missing}
            for earlier in takewhile(lambda one: one is not later, self._later):
                earlier |= written
        self.on_batch(len(looked), time.perf_counter() - began)
        self.news.set()


def _batched(paths: Iterable[bytes]) -> Iterator[list[bytes]]:
    """The paths, so many at a time as one look takes."""
    left = iter(paths)
    while some := list(islice(left, BATCH)):
        yield some
