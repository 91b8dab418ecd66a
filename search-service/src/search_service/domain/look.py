"""A look at everything: what vectors say of items is made to agree with the catalogue, and items that lack a vector, or
have one of pixels that are no more, are given out as jobs when the queue has none.

This is how vectors come back that were lost, how another model's space is filled, and how changes are found that came
while search was switched off. Nothing of it is kept: after a restart it begins again, and what has its vector by then
is passed over. What lies on a disk that is away is looked for again when that is back; until then no space is said to
hold everything that does not.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, Protocol

from media_common.errors import ServiceError

from search_service.domain import points
from search_service.domain.agreement import Agreement, OpenStore
from search_service.domain.errors import NoSuchVectors, OutOfReach
from search_service.domain.filters import Ids
from search_service.domain.items import Item, Models
from search_service.domain.jobs import Job, Jobs

logger = logging.getLogger(__name__)

#: Ids asked for at a time.
_PAGE: Final = 10_000
#: Vectors whose items are asked for at a time: who has a change to write waits no longer than for so many.
_AGREED: Final = 500
#: While there is something to give out, the queue is only glanced at.
_GLANCE_S: Final = 0.05
_LATER_S: Final = 5.0
_QUIET_S: Final = 1.0
#: How often it is looked whether another space is to be filled.
_SPACES_S: Final = 2.0


class Everything(Protocol):
    async def searchable(self, after_id: int, limit: int) -> Sequence[int]:
        """Ids above `after_id` of items that may have pictures, ascending."""

    async def items(self, item_ids: Sequence[int]) -> Mapping[int, Item[Any]]:
        """Those that there are."""

    async def away(self) -> frozenset[int]:
        """Collections whose disk cannot be reached now."""


class Look:
    """Implements `Jobs`: the queue's first, then its own."""

    def __init__(
        self,
        queue: Jobs,
        everything: Everything,
        models: Models[Any],
        store: OpenStore,
        agreement: Agreement,
        covered: Callable[[str], Awaitable[None]],
    ) -> None:
        """
        Args:
            covered: told of each space that holds every item that can be embedded. Raises `OutOfReach`: something
                else of it is on a disk that is away.
        """
        self._queue = queue
        #: Jobs that wait or are in hand; who works through them says so.
        self.busy: Callable[[], Awaitable[int]] = _nothing
        self._everything = everything
        self._models = models
        self._store = store
        self._agreement = agreement
        self._covered = covered
        self._missing: deque[LookJob] = deque()
        self._stale: set[int] = set()  # items whose vectors are of other pixels
        self._out: set[LookJob] = set()
        self._asked = asyncio.Event()
        self._asked.set()
        self._settled = asyncio.Event()
        self._timers: set[asyncio.TimerHandle] = set()

    @property
    def left(self) -> int:
        """Items known to lack a vector and not in hand."""
        return len(self._missing) + len(self._timers)

    def ask(self) -> None:
        """Look again."""
        self._asked.set()

    async def fetch(self, most: int, wait_s: float) -> Sequence[Job]:
        if not self._missing:
            return await self._queue.fetch(most, wait_s)
        try:
            if jobs := await self._queue.fetch(most, _GLANCE_S):
                return jobs
        except (ServiceError, OSError) as error:
            logger.debug("the queue is away: %s", error)
        given = [self._missing.popleft() for _ in range(min(most, len(self._missing)))]
        self._out.update(given)
        return given

    async def run(self) -> None:
        """Look when asked, whenever other spaces are to be filled, and when a disk is back; until cancelled."""
        looked: set[str] = set()
        held: set[str] = set()  # spaces that lack what is away
        away: frozenset[int] = frozenset()
        while True:
            asked = self._asked.is_set()
            self._asked.clear()  # who asks from now on is answered by the next look
            try:
                spaces = {space.name for space in await self._models.filling()}
                before = away
                with suppress(ServiceError):  # a catalogue that starts again is no reason to look at everything
                    away = await self._everything.away()
                if asked:
                    await self._agree()
                if asked or before - away or (held and not away) or not spaces <= looked:
                    await self._quiet()
                    held = await self._look(sorted(spaces))
                    held |= await self._said_covered(spaces - held)
                    looked = spaces
            except (ServiceError, OSError) as error:
                logger.debug("the look at everything waits: %s", error)
                self._asked.set()
                if isinstance(error, NoSuchVectors):
                    await self._models.lost()
                await asyncio.sleep(_LATER_S)
                continue
            except Exception:
                self._asked.set()
                raise
            with suppress(TimeoutError):
                async with asyncio.timeout(_SPACES_S):
                    await self._asked.wait()

    async def _agree(self) -> None:
        """Every vector of every model."""
        store = await self._store()
        self._stale.clear()
        for name in await store.collections():
            after = -1
            while ids := await store.ids(name, after=after, limit=_AGREED):
                after = ids[-1]
                items = {payload.get(points.ITEM) for payload in (await store.payloads(name, ids)).values()}
                self._stale |= await self._agreement.agree(sorted(id_ for id_ in items if isinstance(id_, int)))

    async def _quiet(self) -> None:
        """What waits in the queue would only be found twice."""
        while await self.busy():  # noqa: ASYNC110 - it is another process's to know
            await asyncio.sleep(_QUIET_S)

    async def _look(self, spaces: Sequence[str]) -> set[str]:
        """Find what is missing, wait until all of it is settled; the spaces that lack something that is away now."""
        seen = found = absent = 0
        async for page, lacking in self._lacking(spaces):
            wanted = self._stale.intersection(page).union(*lacking.values())
            away = await self._away(wanted)
            given = wanted - away
            self._missing += [LookJob(self, item_id) for item_id in page if item_id in given]
            self._stale -= given
            seen, found, absent = seen + len(page), found + len(wanted), absent + len(away)
        if found:
            told = (
                "looked at all %d items: %d lack a vector of what they are now, %d of them are on a disk that is away"
            )
            logger.info(told, seen, found, absent)
        while self._missing or self._out or self._timers:
            self._settled.clear()
            await self._settled.wait()
        held: set[str] = set()
        if await self._everything.away():  # perhaps only since then: such a job ends as if the file was gone
            async for _, lacking in self._lacking(spaces):
                held.update([name for name, ids in lacking.items() if await self._away(ids)])
        return held

    async def _lacking(self, spaces: Sequence[str]) -> AsyncIterator[tuple[Sequence[int], Mapping[str, set[int]]]]:
        """All items, a page at a time, and which of them have no vector, by space."""
        after = -1
        store = await self._store()
        while page := await self._everything.searchable(after, _PAGE):
            after = page[-1]
            wanted = Ids(frozenset(page))
            yield page, {name: set(page).difference(await store.ids(name, wanted, limit=len(page))) for name in spaces}

    async def _away(self, item_ids: set[int]) -> set[int]:
        """Those of them whose disk cannot be reached now."""
        if not item_ids or not await self._everything.away():
            return set()
        items = await self._everything.items(sorted(item_ids))
        return {item_id for item_id, item in items.items() if item.away}

    async def _said_covered(self, spaces: set[str]) -> set[str]:
        """Those that were not, since something is away."""
        held: set[str] = set()
        for name in sorted(spaces):
            try:
                await self._covered(name)
            except OutOfReach as error:
                logger.info("%s does not hold everything yet: %s", name, error.message)
                held.add(name)
        return held

    # ---- what becomes of its jobs ----

    def end(self, job: LookJob) -> None:
        self._out.discard(job)
        self._settled.set()

    def later(self, job: LookJob, pause_s: float) -> None:
        def back() -> None:
            self._timers.discard(timer)
            self._missing.append(job)

        self._out.discard(job)
        timer = asyncio.get_running_loop().call_later(pause_s, back)
        self._timers.add(timer)


async def _nothing() -> int:
    return 0


class LookJob:
    """Implements `Job`. Nothing is parked: what cannot be embedded was parked when its own job came, and is tried once
    more with every look."""

    def __init__(self, look: Look, item_id: int) -> None:
        self.item_id = item_id
        self.deliveries = 1
        self._look = look

    async def done(self) -> None:
        self._look.end(self)

    async def again(self, pause_s: float) -> None:
        self.deliveries += 1
        self._look.later(self, pause_s)

    async def park(self, reason: str, path: bytes) -> None:
        logger.info("no vector for %s: %s", path.decode(errors="replace") or self.item_id, reason)
        self._look.end(self)

    async def working(self) -> None:
        pass
