"""From jobs to vectors: look again at the item, load its pictures, embed in batches, write, and only then be done.

A job says "look again", never "believe me": what is embedded is what the catalogue says now, so order and repeats do
not matter. A picture whose seal is that of its vector is not embedded again; only what it can be filtered by is written
anew.

Loading and embedding overlap: while a batch is with the model, the next one's pictures are loaded.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, Generic, Protocol, TypeVar

from media_common.errors import ServiceError

from search_service.domain import points
from search_service.domain.errors import EncoderUnavailable, StoreUnavailable, UnreadablePicture
from search_service.domain.filters import Has, Payload
from search_service.domain.points import Facts
from search_service.domain.vectors import Point, Vector, VectorStore

logger = logging.getLogger(__name__)
P = TypeVar("P")  # a decoded picture, which only the encoder looks into
Shown = TypeVar("Shown", contravariant=True)

#: The payload field of what a vector was made from.
SEAL: Final = "seal"
#: Pause of a job that failed for no fault of its own.
_LATER_S: Final = 5.0
#: Times a job is given out before it is parked.
_MOST_DELIVERIES: Final = 5
_FETCH_S: Final = 2.0


class Job(Protocol):
    """One item to look at again, from a queue that gives it to somebody else when nothing is heard of it."""

    @property
    def item_id(self) -> int: ...

    @property
    def deliveries(self) -> int:
        """How often it has been given out, this time included."""

    async def done(self) -> None: ...

    async def again(self, pause_s: float) -> None: ...

    async def park(self, reason: str) -> None: ...

    async def working(self) -> None:
        """It is still in hand."""


class Jobs(Protocol):
    async def fetch(self, most: int, wait_s: float) -> Sequence[Job]:
        """What there is, at most so many; none after `wait_s`."""


@dataclass(frozen=True, slots=True)
class Still(Generic[P]):
    """A picture of an item: itself, or a moment of a video."""

    timestamp_s: float
    picture: P


@dataclass(frozen=True, slots=True)
class Item(Generic[P]):
    """What the catalogue says of it now."""

    facts: Facts
    seal: str  # changes with the pixels
    load: Callable[[], Awaitable[Sequence[Still[P]]]]  # raises UnreadablePicture


class Catalogue(Protocol[P]):
    async def item(self, item_id: int) -> Item[P] | None:
        """None: there is no such item any more, or none that has pictures."""

    async def point_ids(self, item_id: int, timestamps_s: Sequence[float]) -> Sequence[int]:
        """The ids of its frames, made where they are missing; the first is the item's own."""

    async def embedded(self, item_id: int) -> None:
        """It has a vector now."""


class Model(Protocol[Shown]):
    async def images(self, batch: Sequence[Shown]) -> Vector: ...


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
    stills: Sequence[Still[P]]
    since: float = field(default_factory=time.monotonic)


class Embedding(Generic[P]):
    """Works through the jobs until it is cancelled; at any moment it may be held back."""

    def __init__(
        self,
        jobs: Jobs,
        catalogue: Catalogue[P],
        model: Model[P],
        store: VectorStore,
        vectors: str,
        *,
        batch: int = 32,
        longest_wait_s: float = 1.0,
        loads: int = 2,
        ping_s: float = 10.0,
    ) -> None:
        """
        Args:
            vectors: the collection that is filled.
            batch: pictures given to the model at a time.
            longest_wait_s: a smaller batch goes when its first picture has waited so long.
            loads: items loaded at a time.
            ping_s: how often the queue hears that a job is still in hand.
        """
        self.counts = Counts()
        self._jobs = jobs
        self._catalogue = catalogue
        self._model = model
        self._store = store
        self._vectors = vectors
        self._batch = batch
        self._longest_wait_s = longest_wait_s
        self._loads = loads
        self._ping_s = ping_s
        self._going = asyncio.Event()
        self._going.set()
        # One batch beside the one in hand: more would only be memory.
        self._ready: asyncio.Queue[_Loaded[P]] = asyncio.Queue(batch)
        self._in_hand: set[Job] = set()

    @property
    def paused(self) -> bool:
        return not self._going.is_set()

    def pause(self) -> None:
        """Take no more jobs; what is in hand is finished."""
        self._going.clear()

    def go_on(self) -> None:
        self._going.set()

    async def run(self) -> None:
        """Until cancelled; jobs in hand then go back to the queue."""
        try:
            async with asyncio.TaskGroup() as tasks:
                for _ in range(self._loads):
                    tasks.create_task(self._load_for_ever())
                tasks.create_task(self._embed_for_ever())
                tasks.create_task(self._ping_for_ever())
        finally:
            for job in list(self._in_hand):
                with suppress(Exception):
                    await job.again(0)

    # ---- loading ----

    async def _load_for_ever(self) -> None:
        while True:
            await self._going.wait()
            try:
                jobs = await self._jobs.fetch(1, _FETCH_S)
            except (ServiceError, OSError) as error:
                logger.debug("no jobs: %s", error)
                await asyncio.sleep(_LATER_S)
                continue
            for job in jobs:
                self._in_hand.add(job)
                self.counts.running = len(self._in_hand)
                await self._settled_on_failure([job], self._look(job))

    async def _look(self, job: Job) -> None:
        item = await self._catalogue.item(job.item_id)
        known = await self._store.ids(self._vectors, Has(points.ITEM, frozenset({job.item_id})))
        if item is None:
            await self._store.delete(self._vectors, known)
            await self._finish(job)
            return
        payloads = await self._store.payloads(self._vectors, known)
        if known and all(payload.get(SEAL) == item.seal for payload in payloads.values()):
            # Pixels that were embedded already: only what it can be filtered by may have changed.
            await self._store.set_payload(
                self._vectors, {key: _anew(key, payloads[key].get(points.ORDER), item) for key in payloads}
            )
            await self._catalogue.embedded(job.item_id)
            await self._finish(job)
            return
        stills = await item.load()
        if not stills:
            raise UnreadablePicture("There is no picture in it.")
        await self._ready.put(_Loaded(job, item, stills))

    # ---- embedding ----

    async def _embed_for_ever(self) -> None:
        while True:
            batch = await self._next_batch()
            await self._settled_on_failure([one.job for one in batch], self._embed(batch))

    async def _next_batch(self) -> list[_Loaded[P]]:
        """As many items as make a full batch of pictures, or what there is when the first has waited long enough."""
        batch = [await self._ready.get()]
        while sum(len(one.stills) for one in batch) < self._batch:
            left_s = batch[0].since + self._longest_wait_s - time.monotonic()
            try:
                # What is there is taken however long the first has waited.
                batch.append(
                    self._ready.get_nowait()
                    if self._ready.qsize()
                    else await asyncio.wait_for(self._ready.get(), max(0.0, left_s))
                )
            except TimeoutError:
                break
        return batch

    async def _embed(self, batch: Sequence[_Loaded[P]]) -> None:
        pictures = [still.picture for one in batch for still in one.stills]
        rows = iter(await self._model.images(pictures))
        made: list[Point] = []
        stale: list[int] = []
        for one in batch:
            facts, times = one.item.facts, [still.timestamp_s for still in one.stills]
            ids = await self._catalogue.point_ids(facts.item_id, times)
            before = await self._store.ids(self._vectors, Has(points.ITEM, frozenset({facts.item_id})))
            stale += set(before).difference(ids)
            for key, at_s in zip(ids, times, strict=True):
                made.append(Point(key, next(rows), {**points.payload(key, facts, at_s), SEAL: one.item.seal}))
        await self._store.upsert(self._vectors, made)
        if stale:  # a video that was cut has fewer frames than before
            await self._store.delete(self._vectors, stale)
        self.counts.embedded += len(made)
        for one in batch:
            await self._catalogue.embedded(one.item.facts.item_id)
            await self._finish(one.job)

    # ---- ends of jobs ----

    async def _finish(self, job: Job) -> None:
        await job.done()
        self._let_go(job)
        self.counts.done += 1

    async def _settled_on_failure(self, jobs: Sequence[Job], work: Awaitable[None]) -> None:
        """Whatever `work` raises becomes the end of those jobs that it did not end itself."""
        try:
            await work
        except UnreadablePicture as error:
            await self._ended(jobs, error.message)
        except (EncoderUnavailable, StoreUnavailable, OSError) as error:
            # No fault of the items: they wait, and so does everything behind them.
            logger.warning("embedding waits: %s", error)
            await self._put_back(jobs)
            await asyncio.sleep(_LATER_S)
        except Exception as error:
            logger.exception("embedding failed")
            if all(job.deliveries < _MOST_DELIVERIES for job in jobs):
                await self._put_back(jobs)
            else:
                reason = f"It failed {_MOST_DELIVERIES} times: {type(error).__name__}."
                await self._ended([job for job in jobs if job.deliveries >= _MOST_DELIVERIES], reason)
                await self._put_back(jobs)

    async def _ended(self, jobs: Sequence[Job], reason: str) -> None:
        for job in self._still(jobs):
            with suppress(OSError, ServiceError):
                await job.park(reason)
                self.counts.parked += 1
            self._let_go(job)

    async def _put_back(self, jobs: Sequence[Job]) -> None:
        for job in self._still(jobs):
            with suppress(OSError, ServiceError):  # it comes again by itself
                await job.again(_LATER_S)
            self._let_go(job)

    def _still(self, jobs: Sequence[Job]) -> list[Job]:
        return [job for job in jobs if job in self._in_hand]

    def _let_go(self, job: Job) -> None:
        self._in_hand.discard(job)
        self.counts.running = len(self._in_hand)

    async def _ping_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self._ping_s)
            for job in list(self._in_hand):
                with suppress(OSError, ServiceError):
                    await job.working()


def _anew(point_id: int, order: Any, item: Item[Any]) -> Payload:
    """The payload of a frame whose picture stays: its place in time is kept."""
    made = dict(points.payload(point_id, item.facts))
    if isinstance(order, int):
        made.pop(points.ORDER)
    return made
