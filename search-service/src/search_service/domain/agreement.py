"""What points can be filtered by, kept as the catalogue has it: a quick way beside embedding, however much that has
to do.

Who reads facts and writes them does both while holding `lock`. So of two who write the same item, the later one has
read the later facts, and an item that is trashed while its picture is with the model is not found for it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any, Final

from media_common.errors import ServiceError

from search_service.domain import points
from search_service.domain.filters import Has, Payload
from search_service.domain.items import Catalogue
from search_service.domain.jobs import MOST_DELIVERIES, Job, Jobs
from search_service.domain.points import Facts
from search_service.domain.vectors import VectorStore

logger = logging.getLogger(__name__)

#: The payload field of what a vector was made from.
SEAL: Final = "seal"
#: Items asked of the catalogue at a time.
_BATCH: Final = 500
_FETCH_S: Final = 1.0
#: Pause after a failure, and of a job that failed.
_LATER_S: Final = 1.0
_PAGE: Final = 10_000

OpenStore = Callable[[], Awaitable[VectorStore]]


class Agreement:
    def __init__(
        self, catalogue: Catalogue[Any], store: OpenStore, videos_gone: Callable[[Iterable[int]], None]
    ) -> None:
        """
        Args:
            videos_gone: told of videos that have lost their vectors so.
        """
        self.lock = asyncio.Lock()
        self._catalogue = catalogue
        self._store = store
        self._videos_gone = videos_gone

    async def agree(self, item_ids: Sequence[int]) -> set[int]:
        """Write what changed of these items to every vector of theirs, of whatever model; items that are gone lose
        theirs.

        Returns:
            Those that have a vector of other pixels than theirs now.
        """
        store = await self._store()
        stale: set[int] = set()
        videos: set[int] = set()
        async with self.lock:
            items = await self._catalogue.items(item_ids)
            for name in await store.collections():
                known = await payloads_of(store, name, item_ids)
                changes: dict[int, Payload] = {}
                gone: list[int] = []
                for key, payload in known.items():
                    item_id = payload.get(points.ITEM)
                    if not isinstance(item_id, int) or (item := items.get(item_id)) is None:
                        gone.append(key)
                        if isinstance(item_id, int) and payload.get(points.KIND) == points.VIDEO:
                            videos.add(item_id)
                        continue
                    if change := changed(key, payload, item.facts):
                        changes[key] = change
                    # A detected object has no seal.
                    if item.load is not None and payload.get(SEAL, item.seal) != item.seal:
                        stale.add(item_id)
                if changes:
                    await store.set_payload(name, changes)
                if gone:
                    await store.delete(name, gone)
        if videos:
            self._videos_gone(videos)
        return stale


class FactsLane:
    """Works through the jobs that say "what it can be filtered by changed", until cancelled. No job of it is parked."""

    def __init__(self, jobs: Jobs, agreement: Agreement, look: Callable[[], None]) -> None:
        """
        Args:
            look: asks for a look at everything; it writes what was given up here.
        """
        self._jobs = jobs
        self._agreement = agreement
        self._look = look

    async def run(self) -> None:
        while True:
            jobs: Sequence[Job] = ()
            try:
                if jobs := await self._jobs.fetch(_BATCH, _FETCH_S):
                    await self._agreement.agree(list(dict.fromkeys(job.item_id for job in jobs)))
                    for job in jobs:
                        await job.done()
            except (ServiceError, OSError) as error:
                # However long it takes: a change that is lost here leaves what was trashed to be found for ever.
                logger.debug("changes wait: %s", error)
                await self._put_back(jobs)
                await asyncio.sleep(_LATER_S)
            except Exception:
                logger.exception("changes cannot be written")
                given_up = [job for job in jobs if job.deliveries >= MOST_DELIVERIES]
                await self._put_back([job for job in jobs if job not in given_up])
                await self._give_up(given_up)
                await asyncio.sleep(_LATER_S)

    async def _put_back(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            with suppress(OSError, ServiceError):  # it comes again by itself
                await job.again(_LATER_S)

    async def _give_up(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            with suppress(OSError, ServiceError):
                await job.done()
        if jobs:
            self._look()


async def payloads_of(store: VectorStore, name: str, item_ids: Sequence[int]) -> dict[int, Payload]:
    """What the points of these items carry now, by point."""
    of_items = Has(points.ITEM, frozenset(item_ids))
    found: dict[int, Payload] = {}
    after = -1
    while True:
        ids = await store.ids(name, of_items, after=after, limit=_PAGE)
        found |= await store.payloads(name, ids)
        if len(ids) < _PAGE:
            return found
        after = ids[-1]


def changed(point_id: int, before: Payload, facts: Facts) -> Payload:
    """The fields that are not as the facts have them; a frame keeps its place in time."""
    at_us = before.get(points.AT)
    made = points.payload(point_id, facts, at_us / 1e6 if isinstance(at_us, int) else 0.0)
    return {field: value for field, value in made.items() if _plain(before.get(field)) != _plain(value)}


def _plain(value: object) -> object:
    return sorted(value) if isinstance(value, list | tuple) else value
