"""From jobs to vectors: look again at the items, load their pictures, embed in batches, write, and only then be done.

What is embedded is what the catalogue says now, so order and repeats do not matter. A picture whose seal is that of its
vector is not embedded again; only what it can be filtered by is written anew.

Everything overlaps: while a batch is with the model, the next one's pictures are loaded and the last one's vectors are
written.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from media_common.errors import ServiceError
from media_common.tasks import ended

from search_service.domain import points, sealed
from search_service.domain.agreement import SEAL, Agreement, OpenStore, payloads_of
from search_service.domain.errors import (
    CatalogueUnavailable,
    EncoderUnavailable,
    NoSuchVectors,
    OriginalsUnavailable,
    OutOfReach,
    StoreUnavailable,
    UnreadablePicture,
)
from search_service.domain.filters import Payload
from search_service.domain.in_hand import InHand
from search_service.domain.items import Catalogue, Frames, Item, Models, Space, Still
from search_service.domain.jobs import MOST_DELIVERIES, MOST_LOST, Job, Jobs, pause_s
from search_service.domain.points import Facts
from search_service.domain.vectors import Point, Vector, VectorStore

logger = logging.getLogger(__name__)
P = TypeVar("P")

#: Pause when everything has to wait.
_LATER_S: Final = 5.0
_FETCH_S: Final = 2.0
#: No fault of the items.
_AWAY: Final = (
    EncoderUnavailable,
    StoreUnavailable,
    NoSuchVectors,
    CatalogueUnavailable,
    OriginalsUnavailable,
    OSError,
)


@dataclass(slots=True)
class Counts:
    running: int = 0
    done: int = 0
    embedded: int = 0  # pictures
    parked: int = 0


@dataclass(slots=True)
class _Loaded(Generic[P]):
    job: Job
    item: Item[P]
    missing: Sequence[Space[P]]  # where its vectors are not those of its pixels
    moments_s: Sequence[float] = ()  # of a video, where it was looked at before
    stills: Sequence[Still[P]] = ()
    since: float = field(default_factory=time.monotonic)


@dataclass(slots=True)
class _Encoded(Generic[P]):
    batch: Sequence[_Loaded[P]]
    #: By space and item, one row a still.
    rows: Mapping[str, Mapping[int, Sequence[Vector]]]


class Embedding(Generic[P]):
    """Works through the jobs until it is cancelled; at any moment it may be held back."""

    def __init__(
        self,
        jobs: Jobs,
        catalogue: Catalogue[P],
        models: Models[P],
        store: OpenStore,
        agreement: Agreement,
        frames: Frames,
        *,
        batch: int = 32,
        longest_wait_s: float = 1.0,
        loads: int = 2,
        ping_s: float = 10.0,
    ) -> None:
        """
        Args:
            batch: pictures given to the model at a time.
            longest_wait_s: a smaller batch goes when its first picture has waited so long.
            loads: items loaded at a time.
            ping_s: how often the queue hears that a job is still in hand.
        """
        self.counts = Counts()
        #: Told when pixels have changed, and what was cut out of them is gone.
        self.on_changed: Callable[[], None] = lambda: None
        self._jobs = jobs
        self._catalogue = catalogue
        self._models = models
        self._store = store
        self._agreement = agreement
        self._frames = frames
        self._batch = batch
        self._longest_wait_s = longest_wait_s
        self._loads = loads
        self._ping_s = ping_s
        self._going = asyncio.Event()
        self._going.set()
        self._begin()

    def _begin(self) -> None:
        """With nothing in hand."""
        self.counts.running = 0
        self._in_hand = InHand()
        self._again: list[Job] = []  # in hand, and to be looked at once more
        # One batch beside the one in hand: more would only be memory.
        self._to_load: asyncio.Queue[_Loaded[P]] = asyncio.Queue(self._batch)
        self._ready: asyncio.Queue[_Loaded[P]] = asyncio.Queue(self._batch)
        self._encoded: asyncio.Queue[_Encoded[P]] = asyncio.Queue(1)
        self._room = asyncio.Condition()
        self._pictures = 0  # in memory, loaded and not yet with the model

    @property
    def paused(self) -> bool:
        return not self._going.is_set()

    def pause(self) -> None:
        """Take no more jobs, not by a fetch that is under way either; what is in hand is finished."""
        self._going.clear()

    def go_on(self) -> None:
        self._going.set()

    async def run(self) -> None:
        """Until cancelled; jobs in hand then go back to the queue."""
        parts = [self._look_for_ever(), self._encode_for_ever(), self._write_for_ever(), self._ping_for_ever()]
        tasks = [asyncio.create_task(part) for part in parts + [self._load_for_ever() for _ in range(self._loads)]]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            await ended(*tasks)
            for job in self._in_hand.jobs():
                with suppress(Exception):
                    await job.again(0)
            self._begin()  # it may be run again, after a failure

    # ---- looking ----

    async def _look_for_ever(self) -> None:
        while True:
            await self._going.wait()
            try:
                await self._models.filling()
                if self._again:
                    jobs, self._again = self._again, []
                else:
                    fetched = await self._jobs.fetch(self._batch, _FETCH_S)
                    if self.paused:  # the fetch was under way when it was told to take no more
                        for job in fetched:
                            await job.again(0)
                        continue
                    jobs = self._in_hand.taken(fetched)
            except (ServiceError, OSError) as error:
                # Nothing is taken that could not be worked on.
                logger.debug("no embedding: %s", error)
                await asyncio.sleep(_LATER_S)
                continue
            except Exception:
                logger.exception("no embedding")
                await asyncio.sleep(_LATER_S)
                continue
            self.counts.running = len(self._in_hand)
            if jobs:
                await self._settled_on_failure(jobs, self._look(jobs))

    async def _look(self, jobs: Sequence[Job]) -> None:
        spaces = await self._models.filling()
        for job in [job for job in jobs if job.deliveries > MOST_LOST]:
            await self._park([job], f"It was given out {job.deliveries - 1} times and never finished.")
        jobs = self._in_hand.still(jobs)
        ids = [job.item_id for job in jobs]
        items = await self._catalogue.items(ids)
        store = await self._store()
        known = {space.name: sealed.by_item(await payloads_of(store, space.name, ids)) for space in spaces}
        to_load: list[_Loaded[P]] = []
        same: list[Job] = []  # nothing to embed
        for job in jobs:
            item = items.get(job.item_id)
            if item is None or item.load is None:
                same.append(job)
                continue
            there = {name: points.get(job.item_id, {}) for name, points in known.items()}
            if missing := [space for space in spaces if not sealed.is_sealed(there[space.name], item.seal)]:
                self._in_hand.name(job, item.path)
                to_load.append(_Loaded(job, item, missing))
            else:
                same.append(job)
        videos = {one.job.item_id: one.item for one in to_load if one.item.is_video}
        moments = await sealed.moments(store, videos)
        for one in to_load:
            one.moments_s = moments.get(one.job.item_id, ())
        if has_vectors := [job.item_id for job in same if any(job.item_id in points for points in known.values())]:
            await self._agreement.agree(has_vectors)
            await self._tell_embedded([id_ for id_ in has_vectors if id_ in items and not items[id_].embedded])
        await self._finish(same)
        for one in to_load:  # last, so that a failure above ends no job that is being loaded
            await self._to_load.put(one)

    async def _load_for_ever(self) -> None:
        while True:
            one = await self._to_load.get()
            await self._settled_on_failure([one.job], self._load(one))

    async def _load(self, one: _Loaded[P]) -> None:
        one.stills = await sealed.stills_of(one.item, one.moments_s)
        one.since = time.monotonic()
        if not one.stills:  # the catalogue will notice
            await self._finish([one.job])
            return
        async with self._room:
            await self._room.wait_for(lambda: self._pictures < 2 * self._batch)
            self._pictures += len(one.stills)
        await self._ready.put(one)

    # ---- embedding ----

    async def _encode_for_ever(self) -> None:
        while True:
            batch = await self._next_batch()
            await self._settled_on_failure([one.job for one in batch], self._encode(batch))

    async def _next_batch(self) -> list[_Loaded[P]]:
        """As many items as make a full batch of pictures, or what there is when the first has waited long enough."""
        batch = [await self._ready.get()]
        while sum(len(one.stills) for one in batch) < self._batch:
            if self._ready.qsize():  # is taken however long the first has waited
                batch.append(self._ready.get_nowait())
                continue
            left_s = batch[0].since + self._longest_wait_s - time.monotonic()
            try:
                async with asyncio.timeout(left_s):
                    batch.append(await self._ready.get())
            except TimeoutError:
                break
        return batch

    async def _encode(self, batch: Sequence[_Loaded[P]]) -> None:
        rows: dict[str, dict[int, Sequence[Vector]]] = {}
        try:
            for space in {space.name: space for one in batch for space in one.missing}.values():
                meant = [one for one in batch if space.name in {lacking.name for lacking in one.missing}]
                made = iter(await space.images([still.picture for one in meant for still in one.stills]))
                rows[space.name] = {one.job.item_id: [next(made) for _ in one.stills] for one in meant}
        finally:
            async with self._room:
                self._pictures -= sum(len(one.stills) for one in batch)
                self._room.notify_all()
        await self._encoded.put(_Encoded(batch, rows))

    async def _write_for_ever(self) -> None:
        while True:
            encoded = await self._encoded.get()
            await self._settled_on_failure([one.job for one in encoded.batch], self._write(encoded))

    async def _write(self, encoded: _Encoded[P]) -> None:
        frames: dict[int, Sequence[int]] = {}
        for one in encoded.batch:
            frames[one.job.item_id] = [one.job.item_id]
            if one.item.is_video:
                # First, so that a frame is there when the catalogue says so.
                await self._frames.keep(one.job.item_id, one.stills)
                frames[one.job.item_id] = await self._catalogue.frame_ids(one.job.item_id, one.stills)
        store = await self._store()
        async with self._agreement.lock:
            # Read again: what was trashed or tagged while the model worked is written as it is now.
            items = await self._catalogue.items(list(frames))
            for name, rows in encoded.rows.items():
                made = [
                    point
                    for one in encoded.batch
                    if one.job.item_id in items and one.job.item_id in rows and frames[one.job.item_id]
                    for point in _points(one, items[one.job.item_id].facts, frames[one.job.item_id], rows)
                ]
                before = await payloads_of(store, name, list(rows))
                await self._drop_crops(store, encoded.batch, before)
                await store.upsert(name, made)
                # A video that was cut has fewer frames than before; an item that is gone has none.
                if stale := before.keys() - {point.point_id for point in made}:
                    await store.delete(name, sorted(stale))
                self.counts.embedded += len(made)
        self._frames.gone(
            [one.job.item_id for one in encoded.batch if one.item.is_video and one.job.item_id not in items]
        )
        await self._tell_embedded([item_id for item_id in frames if item_id in items])
        await self._finish([one.job for one in encoded.batch])

    async def _drop_crops(self, store: VectorStore, batch: Sequence[_Loaded[P]], before: Mapping[int, Payload]) -> None:
        """Objects that were cut out of pixels that are no more are to be cut out again."""
        seals = {one.job.item_id: one.item.seal for one in batch}
        there = sealed.by_item(before)
        if changed := [item_id for item_id in there if not sealed.is_sealed(there[item_id], seals[item_id])]:
            await sealed.drop_crops(store, changed)
            self.on_changed()

    async def _tell_embedded(self, item_ids: Sequence[int]) -> None:
        if item_ids:
            await self._catalogue.embedded(item_ids)

    # ---- ends of jobs ----

    async def _finish(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            await job.done()
            self._let_go(job)
            self.counts.done += 1

    async def _settled_on_failure(self, jobs: Sequence[Job], work: Awaitable[None]) -> None:
        """Whatever `work` raises becomes the end of those jobs that it did not end itself."""
        try:
            await work
        except UnreadablePicture as error:
            await self._park(jobs, error.message)
        except OutOfReach as error:
            await self._put_back(jobs, error.message)
        except _AWAY as error:
            # The items stay in hand, and everything behind them waits.
            logger.warning("embedding waits: %s", error)
            if isinstance(error, NoSuchVectors):
                await self._models.lost()
            await asyncio.sleep(_LATER_S)
            self._again += self._in_hand.still(jobs)
        except Exception as error:
            logger.exception("embedding failed")
            await self._put_back(jobs, f"It failed: {type(error).__name__}.")

    async def _put_back(self, jobs: Sequence[Job], reason: str) -> None:
        """To be tried again after a pause, but not for ever."""
        for job in self._in_hand.still(jobs):
            if job.deliveries >= MOST_DELIVERIES:
                await self._park([job], f"{reason} It was tried {job.deliveries} times.")
                continue
            with suppress(OSError, ServiceError):  # it comes again by itself
                await job.again(pause_s(job.deliveries))
            self._let_go(job)

    async def _park(self, jobs: Sequence[Job], reason: str) -> None:
        for job in self._in_hand.still(jobs):
            with suppress(OSError, ServiceError):
                await job.park(reason, self._in_hand.name_of(job))
                self.counts.parked += 1
            self._let_go(job)

    def _let_go(self, job: Job) -> None:
        self._again += self._in_hand.let_go(job)
        self.counts.running = len(self._in_hand)

    async def _ping_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self._ping_s)
            for job in self._in_hand.jobs():
                with suppress(OSError, ServiceError):
                    await job.working()


def _points(one: _Loaded[P], facts: Facts, ids: Sequence[int], rows: Mapping[int, Sequence[Vector]]) -> list[Point]:
    """One a frame."""
    return [
        Point(key, row, {**points.payload(key, facts, still.timestamp_s), SEAL: one.item.seal})
        for key, still, row in zip(ids, one.stills, rows[one.job.item_id], strict=True)
    ]
