"""Whose turn it is: requests before background jobs, one render a (file, size) at a time, bounded processes."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from thumbnail_service.domain.jobs import Job, Outcome, Result
from thumbnail_service.render_process import RenderDied, RenderProcess

logger = logging.getLogger(__name__)

#: No request waits this long: its caller has given up.
FOREVER_S: Final = float("inf")


class Urgency(IntEnum):
    """Lower comes first."""

    REQUEST = 0
    BACKGROUND = 1


class Expired(Exception):
    """Nobody waits for the answer any more; nothing was rendered."""


@dataclass(slots=True)
class Figures:
    """What this worker has done since it started."""

    rendered: int = 0
    cached: int = 0
    placeholders: int = 0
    failed: int = 0

    def count(self, outcome: Outcome) -> None:
        match outcome.result:
            case Result.MADE | Result.UNSTORED:
                self.rendered += 1
            case Result.FRESH:
                self.cached += 1
            case Result.UNREADABLE:
                self.placeholders += 1
            case Result.FAILED:
                self.failed += 1
            case Result.GONE | Result.UNREACHABLE | Result.PICTURELESS:
                pass


class Slots:
    """The render processes that are free, given out by urgency, then by order of asking."""

    def __init__(self, processes: Sequence[RenderProcess]) -> None:
        self._free = list(processes)
        self._waiting: list[tuple[Urgency, int, asyncio.Future[RenderProcess]]] = []
        self._order = itertools.count()

    async def take(self, urgency: Urgency) -> RenderProcess:
        if self._free:
            return self._free.pop()
        future: asyncio.Future[RenderProcess] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (urgency, next(self._order), future))
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                self.give(future.result())
            raise

    def give(self, process: RenderProcess) -> None:
        while self._waiting:
            _, _, future = heapq.heappop(self._waiting)
            if not future.done():
                future.set_result(process)
                return
        self._free.append(process)


@dataclass(slots=True)
class _Shared:
    """A render that any number of askers wait for."""

    task: asyncio.Task[Outcome]
    deadline_s: float = field(default=FOREVER_S)  # when the last of them stops waiting, seconds since the epoch


class Renders:
    """All renders of this worker."""

    def __init__(
        self, processes: Sequence[RenderProcess], idle_s: float, clock: Callable[[], float] = time.time
    ) -> None:
        self.figures = Figures()
        #: Told of every render, and the seconds in its process.
        self.on_made: Callable[[Job, Outcome, float], None] = lambda job, outcome, seconds: None
        self._processes = tuple(processes)
        self._slots = Slots(self._processes)
        self._idle_s = idle_s
        self._clock = clock
        self._shared: dict[tuple[bytes, int], _Shared] = {}
        self._letting_go: dict[RenderProcess, asyncio.TimerHandle] = {}
        self._farewells: set[asyncio.Task[None]] = set()

    async def asked(self, job: Job, deadline_s: float = FOREVER_S) -> Outcome:
        """Render for somebody who waits: before any background job that has not begun.

        Raises:
            Expired: the deadline passed before its turn came.
        """
        shared = self._shared.get((job.path, job.size_px))
        if shared is None:
            shared = self._begin(job, deadline_s, None)
        else:
            shared.deadline_s = max(shared.deadline_s, deadline_s)
        return await asyncio.shield(shared.task)

    async def in_background(self, job: Job) -> Outcome:
        """Render when nobody waits for anything else. Until its turn comes it is nobody's to join."""
        if (shared := self._shared.get((job.path, job.size_px))) is None:
            process = await self._slots.take(Urgency.BACKGROUND)
            if (shared := self._shared.get((job.path, job.size_px))) is None:
                shared = self._begin(job, FOREVER_S, process)
            else:  # asked for meanwhile
                self._slots.give(process)
        try:
            return await asyncio.shield(shared.task)
        except Expired:  # it had joined a request that then was given up
            return await self.in_background(job)

    def _begin(self, job: Job, deadline_s: float, process: RenderProcess | None) -> _Shared:
        key = (job.path, job.size_px)
        task = asyncio.create_task(self._render(job, process))
        self._shared[key] = shared = _Shared(task, deadline_s)

        def ended(task: asyncio.Task[Outcome]) -> None:
            if self._shared.get(key) is shared:
                del self._shared[key]
            if not task.cancelled():
                task.exception()  # every asker may be gone; then it is nobody's to report

        task.add_done_callback(ended)
        return shared

    async def _render(self, job: Job, process: RenderProcess | None) -> Outcome:
        if process is None:
            process = await self._slots.take(Urgency.REQUEST)
        try:
            if self._shared[(job.path, job.size_px)].deadline_s < self._clock():
                raise Expired
            if (timer := self._letting_go.pop(process, None)) is not None:
                timer.cancel()
            began = time.perf_counter()
            outcome = await self._made(job, process)
            self.figures.count(outcome)
            self.on_made(job, outcome, time.perf_counter() - began)
            return outcome
        finally:
            self._let_go_later(process)
            self._slots.give(process)

    async def described(self, job: Job) -> bytes:
        """What is inside the file, as JSON; an empty object when it killed the process that looked."""
        process = await self._slots.take(Urgency.BACKGROUND)
        try:
            if (timer := self._letting_go.pop(process, None)) is not None:
                timer.cancel()
            return await process.describe(job)
        except RenderDied:
            return b"{}"
        finally:
            self._let_go_later(process)
            self._slots.give(process)

    async def looked(self, job: Job, deadline_s: float = FOREVER_S) -> Outcome:
        """The figures of a picture, behind every thumbnail that somebody waits for.

        Raises:
            Expired: as for `asked`.
        """
        process = await self._slots.take(Urgency.BACKGROUND)
        try:
            if deadline_s < self._clock():
                raise Expired
            if (timer := self._letting_go.pop(process, None)) is not None:
                timer.cancel()
            return await process.look(job)
        except RenderDied as error:
            # Another try would end as this one did: it counts as a file without a picture.
            return Outcome(Result.UNREADABLE, reason=str(error))
        finally:
            self._let_go_later(process)
            self._slots.give(process)

    async def _made(self, job: Job, process: RenderProcess) -> Outcome:
        try:
            return await process.make(job)
        except RenderDied as error:
            logger.warning("%s (a %s file)", error, job.extension.decode("ascii", "replace") or "nameless")
            reason = str(error)
        try:
            return Outcome(Result.FAILED, await process.stand_in(job), reason)
        except RenderDied:
            return Outcome(Result.FAILED, b"", reason)

    def _let_go_later(self, process: RenderProcess) -> None:
        loop = asyncio.get_running_loop()
        self._letting_go[process] = loop.call_later(self._idle_s, self._let_go, process)

    def _let_go(self, process: RenderProcess) -> None:
        # Not while it works: its timer is cancelled when it is given a job.
        del self._letting_go[process]
        task = asyncio.create_task(process.stop())
        self._farewells.add(task)
        task.add_done_callback(self._farewells.discard)

    async def close(self) -> None:
        """Cancel what is under way and end the processes."""
        tasks = [shared.task for shared in self._shared.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, *self._farewells, return_exceptions=True)
        for timer in self._letting_go.values():
            timer.cancel()
        for process in self._processes:
            await process.stop()
