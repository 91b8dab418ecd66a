"""Reads inside the files that the indexer has found: first what the cameras wrote, then, when nothing else is to be
done, the hashes. What is still to be read is in the catalogue, so that a restart goes on where it was.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from pathlib import Path
from typing import Final, TypeVar

from metadata_service.domain.disk import Depths, Refused
from metadata_service.domain.errors import CollectionNotFound, Unreachable
from metadata_service.domain.media import Collection
from metadata_service.indexer import Indexer
from metadata_service.store import collections, insides, twins
from metadata_service.store.bits import Family
from metadata_service.store.insides import Left, ToRead
from metadata_service.store.sqlite import Catalogue

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: Files asked for and written in one go. While one batch is written the next is read.
_BATCH: Final = 250
_AT_ONCE: Final = 2
#: Batches looked up in one go.
_AHEAD: Final = 8
#: Between two looks for something to do, when nobody says that there is.
_POLL_S: Final = 1.0
#: A file that cannot be read is tried so often, and then left as it is; tries closer to each other count as one.
_TRIES: Final = 5
_APART_S: Final = 0.5


class Reading:
    """Two loops beside each other: a big file that is being hashed holds up no description."""

    def __init__(self, catalogue: Catalogue, depths: Depths, indexer: Indexer, held: Path | None = None) -> None:
        """
        Args:
            held: a file that is there while reading is held back, so that it is after a restart, too.
        """
        self._held = held
        self._free = asyncio.Event()
        if held is not None and held.exists():
            logger.info("reading inside files is held back, as it was before the start")
        else:
            self._free.set()
        self._catalogue = catalogue
        self._depths = depths
        self._indexer = indexer
        self._tries: Counter[tuple[Family, int]] = Counter()
        self._tried_at: dict[tuple[Family, int], float] = {}
        self._described = asyncio.Event()  # there is something to hash, perhaps
        #: Files that are asked for right now.
        self.in_hand = 0

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as loops:
            loops.create_task(self._loop(Family.UNDESCRIBED, self._describe, self._indexer.news))
            loops.create_task(self._loop(Family.UNHASHED, self._hash_in_peace, self._described))

    @property
    def paused(self) -> bool:
        return not self._free.is_set()

    def pause(self) -> None:
        """Begin no further file. What is in hand is read to its end."""
        self._free.clear()
        if self._held is not None:
            try:
                self._held.touch()
            except OSError as error:
                logger.warning("reading is held back, but not after a restart: %s", error)

    def go_on(self) -> None:
        if self._held is not None:
            try:
                self._held.unlink(missing_ok=True)
            except OSError as error:
                logger.warning("reading goes on, but not after a restart: %s", error)
        self._free.set()

    async def left(self) -> Left:
        """What there is still to read, in the review paths that can be reached."""
        found = [await self._catalogue.read(insides.left, one) for one in await self._collections()]
        return Left(*(sum(getattr(one, name) for one in found) for name in ("files", "undescribed", "unhashed")))

    async def read_all(self) -> None:
        """Everything that can be read now, once: for whoever waits for it."""
        for family, work in ((Family.UNDESCRIBED, self._describe), (Family.UNHASHED, self._hash)):
            for collection in await self._collections():
                await self._go_through(collection, family, work)

    async def _loop(
        self, family: Family, work: Callable[[Collection, list[ToRead]], Awaitable[int]], news: asyncio.Event
    ) -> None:
        while True:
            news.clear()
            written = 0
            try:
                for collection in await self._collections():
                    written += await self._go_through(collection, family, work)
            except Unreachable as error:
                logger.debug("reading waits: %s", error.message)
            except Exception:
                # A loop that ended here would leave a service that looks well and never looks into a file again.
                logger.exception("reading stumbles")
            if written:
                self._described.set()
                continue
            try:
                async with asyncio.timeout(_POLL_S):
                    await news.wait()
            except TimeoutError:
                continue

    async def _collections(self) -> list[Collection]:
        found = []
        for root in sorted(self._indexer.reachable):
            try:
                found.append(await self._catalogue.read(collections.of_root, root))
            except CollectionNotFound:
                continue
        return found

    async def _go_through(
        self, collection: Collection, family: Family, work: Callable[[Collection, list[ToRead]], Awaitable[int]]
    ) -> int:
        """Read all files that wait, each once; of how many something was written."""
        written, after = 0, 0
        turns = asyncio.Semaphore(_AT_ONCE)

        async def one(batch: list[ToRead]) -> int:
            async with turns:
                await self._free.wait()
                return await work(collection, batch)

        while True:
            files = await self._catalogue.read(insides.to_read, collection, family, after, _AHEAD * _BATCH)
            if not files:
                return written
            after = files[-1].node_id + 1
            batches = [files[at : at + _BATCH] for at in range(0, len(files), _BATCH)]
            for result in await asyncio.gather(*map(one, batches), return_exceptions=True):
                if isinstance(result, BaseException):
                    raise result
                written += result

    async def _hash_in_peace(self, collection: Collection, files: list[ToRead]) -> int:
        """When nothing else is to be done."""
        while self._indexer.running or (await self.left()).undescribed:  # noqa: ASYNC110 - nobody says when
            await asyncio.sleep(_POLL_S / 4)
        return await self._hash(collection, files)

    @contextmanager
    def _holding(self, count: int) -> Iterator[None]:
        self.in_hand += count
        try:
            yield
        finally:
            self.in_hand -= count

    async def _describe(self, collection: Collection, files: list[ToRead]) -> int:
        with self._holding(len(files)):
            answers = await self._depths.describe([file.path for file in files])
        found, refused = _parted(files, answers)
        stale = await self._catalogue.write(insides.describe, collection, found) if found else []
        told = [node_id for node_id, _ in found]
        return await self._settle(collection, Family.UNDESCRIBED, files, told, stale, refused)

    async def _hash(self, collection: Collection, files: list[ToRead]) -> int:
        with self._holding(len(files)):
            return await self._hash_each(collection, files)

    async def _hash_each(self, collection: Collection, files: list[ToRead]) -> int:
        done = 0
        written = 0
        async with aclosing(self._depths.hashes([file.path for file in files])) as batches:
            async for answers in batches:
                if not answers:
                    continue
                part = files[done : done + len(answers)]
                done += len(part)
                found, refused = _parted(part, answers)
                moved = await self._catalogue.read(twins.find, collection, found)
                stale = await self._catalogue.write(insides.set_hashes, collection, found) if found else []
                if moved:
                    await self._follow(collection, [twin for twin in moved if twin.new_id not in stale])
                written += await self._settle(
                    collection, Family.UNHASHED, part, [node_id for node_id, _ in found], stale, refused
                )
                if self.paused:  # a batch of big videos would go on for hours
                    break
        return written

    async def _follow(self, collection: Collection, moved: Sequence[twins.Twin]) -> None:
        """Only what the disk itself says is gone has moved."""
        gone = {one.path for one in await self._indexer.disk.look([twin.old_path for twin in moved]) if one.missing}
        sure = [twin for twin in moved if twin.old_path in gone]
        if sure:
            count = await self._catalogue.write(twins.follow, collection, sure)
            logger.info("%d files were known by their content where they are now", count)

    async def _settle(
        self,
        collection: Collection,
        family: Family,
        files: list[ToRead],
        found: Iterable[int],
        stale: list[int],
        refused: dict[int, Refused],
    ) -> int:
        """What was not written is looked at again, since the catalogue may be behind the disk, and given up in the end;
        how many files were written."""
        written = set(found) - set(stale)
        for node_id in written:
            self._forget((family, node_id))
        again = {*stale, *(node_id for node_id, why in refused.items() if why is not Refused.AWAY)}
        hopeless = []
        for node_id in again:
            key, now = (family, node_id), time.monotonic()
            if now - self._tried_at.get(key, -math.inf) >= _APART_S:
                self._tries[key] += 1
                self._tried_at[key] = now
            if self._tries[key] >= _TRIES:
                self._forget(key)
                hopeless.append(node_id)
        if again and collection.root_path is not None:
            root = collection.root_path
            await self._indexer.look([(root, file.path) for file in files if file.node_id in again])
        if hopeless:
            logger.warning("%d files of %r cannot be read and are left as they are", len(hopeless), collection.slug)
            await self._catalogue.write(insides.give_up, collection, family, hopeless)
        return len(written)

    def _forget(self, key: tuple[Family, int]) -> None:
        self._tries.pop(key, None)
        self._tried_at.pop(key, None)


def _parted(files: Sequence[ToRead], answers: Sequence[T | Refused]) -> tuple[list[tuple[int, T]], dict[int, Refused]]:
    """The answers, by item, and the refusals."""
    found: list[tuple[int, T]] = []
    refused: dict[int, Refused] = {}
    for file, answer in zip(files, answers, strict=True):
        if isinstance(answer, Refused):
            refused[file.node_id] = answer
        else:
            found.append((file.node_id, answer))
    return found, refused
