"""What keeps the vectors filled, running beside the searches: embedding, the quick lane of changes, the look at
everything. How far it has come is asked here."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from media_common.errors import ServiceError
from media_common.tasks import ended

from search_service.domain.agreement import FactsLane
from search_service.domain.embedding import Counts, Embedding
from search_service.domain.errors import NoSuchVectors
from search_service.domain.look import Look
from search_service.domain.objects import Giving
from search_service.domain.progress import Progress
from search_service.engine import Engine
from search_service.jobs import Lane, NatsLink

logger = logging.getLogger(__name__)

#: A model takes a core for seconds to be loaded. Who starts the whole product on a small machine waits for the imports
#: of the others: the work that nobody has asked for yet begins so much later, or with the first question how it goes.
_BEGIN_S: Final = 5.0
_RETRY_S: Final = 5.0
_TICK_S: Final = 1.0
#: The speed of late is that of this many ticks.
_LATE: Final = 60
#: The index is built when a backlog is over, and on the way after so many vectors: until then a search goes through
#: all that is not in it.
_OPTIMISE_EVERY: Final = 20_000
#: A backlog is over when nothing was written for so many ticks.
_QUIET_TICKS: Final = 3
#: An index that could not be built is tried again so much later, then after twice as long, up to an hour: each trial
#: copies all the vectors.
_BUILD_AGAIN_S: Final = 30.0
_BUILD_AGAIN_MOST_S: Final = 3600.0


class Feeding:
    """Implements `domain.progress.Feeding`."""

    def __init__(
        self,
        link: NatsLink,
        queue: Lane,
        look: Look,
        embedding: Embedding[Any],
        changes: FactsLane,
        engine: Engine,
        giving: Giving,
        beside: Sequence[Callable[[], Awaitable[None]]] = (),
        held: Path | None = None,
    ) -> None:
        """
        Args:
            beside: what else runs as long as this does.
            held: a file that is there while embedding is held back, so that it is after a restart, too.
        """
        self._link = link
        self._queue = queue
        self._look = look
        self._embedding = embedding
        self._changes = changes
        self._engine = engine
        self._giving = giving
        self._beside = beside
        self._late: deque[tuple[float, int]] = deque(maxlen=_LATE)
        # Not none: a process that was killed may have left vectors that are in no index.
        self._optimised = -1
        self._told = 0  # of all pictures embedded, in the log
        self._asked = asyncio.Event()
        self._begun = False
        look.busy = self._busy
        self._held = held
        if held is not None and held.exists():
            logger.info("embedding is held back, as it was before the start")
            embedding.pause()

    async def run(self) -> None:
        """Until cancelled. A part that stumbles is begun again."""
        tasks = [asyncio.create_task(for_ever(part)) for part in (self._link.run, self._changes.run, self._watch)]
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(_BEGIN_S):
                    await self._asked.wait()
            self._begun = True
            later = (self._embedding.run, self._look.run, *self._beside)
            tasks += [asyncio.create_task(for_ever(part)) for part in later]
            await asyncio.gather(*tasks)
        finally:
            # NATS last, so that jobs in hand go back to the queue.
            await ended(*tasks[1:])
            await ended(tasks[0])

    @property
    def counts(self) -> Counts:
        """Since the start."""
        return self._embedding.counts

    async def progress(self) -> Progress:
        self._asked.set()
        return await self.now()

    async def now(self) -> Progress:
        """`progress`, asked by nobody who waits: the work that waits for a first question begins no earlier."""
        waiting = await self._queue.waiting()
        running = self._embedding.counts.running
        # What the queue gave out and nobody has in hand will come again.
        pending = waiting.pending + max(0, waiting.running - running) + self._look.left
        return Progress(
            pending=pending,
            running=running,
            done=self._embedding.counts.done,
            dead=waiting.dead,
            paused=self._embedding.paused,
            remaining_s=self._remaining_s(pending + running),
        )

    def pause(self) -> None:
        self._embedding.pause()
        if self._held is not None:
            try:
                self._held.touch()
            except OSError as error:
                logger.warning("embedding is held back, but not after a restart: %s", error)

    def go_on(self) -> None:
        if self._held is not None:
            try:
                self._held.unlink(missing_ok=True)
            except OSError as error:
                logger.warning("embedding goes on, but not after a restart: %s", error)
        self._embedding.go_on()

    async def _busy(self) -> int:
        waiting = await self._queue.waiting()
        return self._embedding.counts.running + waiting.pending + waiting.running

    def _remaining_s(self, left: int) -> float | None:
        """None: nobody can tell."""
        if not left:
            return 0.0
        if len(self._late) < 2:
            return None
        (began, done_then), (now, done_now) = self._late[0], self._late[-1]
        return left * (now - began) / (done_now - done_then) if done_now > done_then else None

    async def _watch(self) -> None:
        try:
            await self._watched()
        finally:
            self._tell()

    async def _watched(self) -> None:
        written, quiet = 0, 0
        again_s, not_before = _BUILD_AGAIN_S, 0.0
        while True:
            await asyncio.sleep(_TICK_S)
            counts = self._embedding.counts
            if counts.running:
                self._late.append((time.monotonic(), counts.done))
            else:
                self._late.clear()
            before, written = written, counts.embedded + self._giving.written
            is_quiet = self._begun and written == before and not counts.running and not self._look.left
            quiet = quiet + 1 if is_quiet else 0
            fresh = written - self._optimised
            if time.monotonic() < not_before:
                continue
            if fresh >= _OPTIMISE_EVERY or (fresh and quiet >= _QUIET_TICKS and not await self._more_will_come()):
                self._tell()
                if await self._optimise():
                    self._optimised, again_s = written, _BUILD_AGAIN_S
                else:
                    not_before = time.monotonic() + again_s
                    again_s = min(2 * again_s, _BUILD_AGAIN_MOST_S)

    async def _more_will_come(self) -> bool:
        return not self._embedding.paused and await self._queue.pending() > 0

    def _tell(self) -> None:
        counts = self._embedding.counts
        if counts.embedded > self._told:
            logger.info("%d pictures embedded, of %d items in all", counts.embedded - self._told, counts.done)
            self._told = counts.embedded

    async def _optimise(self) -> bool:
        """Whether all are built; one that cannot be keeps no other waiting."""
        is_done = True
        try:
            store = await self._engine.store()
            for name in await store.collections():
                try:
                    await store.optimise(name)
                except NoSuchVectors:
                    continue  # dropped meanwhile
                except (ServiceError, OSError) as error:
                    logger.warning("the index of the vectors of %s waits: %s", name, error)
                    is_done = False
        except (ServiceError, OSError) as error:
            logger.warning("the index of vectors waits: %s", error)
            return False
        return is_done


async def for_ever(part: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await part()
            return
        except Exception:  # everything else would go on, and nothing would say that this does not
            logger.exception("embedding stumbles")
            await asyncio.sleep(_RETRY_S)
