"""Lets any number of callers follow the public events; one thread waits for all of them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from fs_service.domain.ports import EventFeed, LoggedEvent
from fs_service.threads import Threads

_BATCH: Final = 500
_WAIT_S: Final = 0.5
#: Events come in bursts; followers are woken at most so often.
_PACE_S: Final = 0.02


class Follower:
    """The event log, followed."""

    def __init__(self, feed: EventFeed) -> None:
        self._feed = feed
        self._news = asyncio.Event()
        self._listeners = 0
        self._listened_to = asyncio.Event()
        self._over = False

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Followers get what is new while the body runs, and end with it."""
        threads = Threads("events", 1)
        task = asyncio.create_task(self._watch(threads))
        try:
            yield
        finally:
            self.end()
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            threads.close()

    def end(self) -> None:
        """Every follower comes to its end, so that no call keeps the service from stopping."""
        self._over = True
        self._news.set()

    async def follow(self, after: int | None) -> AsyncGenerator[list[LoggedEvent], None]:
        """The events behind a sequence, as far as they are kept, and then as they come; None: only what comes.

        First of all, at once, one without a kind: it says where the follower stands, for events of other sources.
        """
        sequence = self._feed.last() if after is None else after
        self._listeners += 1
        self._listened_to.set()
        try:
            yield [LoggedEvent(sequence, "", "{}")]
            while not self._over:
                news = self._news  # taken first: what comes during the look wakes it
                events = self._feed.after(sequence, _BATCH)
                if events:
                    sequence = events[-1].sequence
                    yield events
                else:
                    await news.wait()
        finally:
            self._listeners -= 1
            if not self._listeners:
                self._listened_to.clear()

    async def _watch(self, threads: Threads) -> None:
        sequence = -1  # not what there is now: it may have come between a follower's look and this one
        while True:
            await self._listened_to.wait()
            if await threads.run(self._feed.wait, sequence, _WAIT_S):
                sequence = self._feed.last()
                news, self._news = self._news, asyncio.Event()
                news.set()
                await asyncio.sleep(_PACE_S)
