"""Server-sent events: fs-service's own, and the queues' figures while somebody listens."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from contextvars import Context
from typing import Any, Final

import grpc

from gateway.clients import FsClient
from gateway.errors import Failure
from gateway.jobs import Jobs, Told
from gateway.paths import dumps

logger = logging.getLogger(__name__)

EVENT_STREAM: Final = "text/event-stream"
#: Between the queues' figures; they are sent when they have changed.
POLL_S: Final = 1.0
#: A comment in silence, so that proxies keep the connection and a dead one is noticed.
HEARTBEAT_S: Final = 15.0
#: Events a slow listener may be behind before fs-service has to wait for it.
BACKLOG: Final = 256
_RETRY_S: Final = 1.0


def event_text(kind: str, data: str, sequence: int | None) -> bytes:
    """One event as it goes over the wire. `data` is JSON, which has no line break."""
    head = f"event: {kind}\n" if sequence is None else f"id: {sequence}\nevent: {kind}\n"
    return f"{head}data: {data}\n\n".encode()


class QueueWatch:
    """The queues' figures, polled once for all listeners and only while there is one."""

    def __init__(self, jobs: Jobs, render: Callable[[Told], dict[str, Any]], poll_s: float = POLL_S) -> None:
        self._jobs = jobs
        self._render = render
        self._poll_s = poll_s
        self._listeners: set[asyncio.Queue[_Note]] = set()
        self._task: asyncio.Task[None] | None = None
        self._last: str | None = None

    @asynccontextmanager
    async def tell(self, inbox: asyncio.Queue[_Note]) -> AsyncIterator[None]:
        """Puts a note into the inbox now and whenever the figures change. A full inbox misses one."""
        self._listeners.add(inbox)
        if self._last is not None:
            inbox.put_nowait(("queue", self._last, None))
        if self._task is None:
            self._task = asyncio.create_task(self._poll(), context=Context())  # no caller's: it outlives him
        try:
            yield
        finally:
            self._listeners.discard(inbox)
            if not self._listeners and self._task is not None:
                self._task.cancel()
                self._task = None
                self._last = None

    async def _poll(self) -> None:
        while True:
            with contextlib.suppress(Failure, grpc.aio.AioRpcError):
                text = dumps(self._render(await self._jobs.queues())).decode()
                if text != self._last:
                    self._last = text
                    for inbox in self._listeners:
                        with contextlib.suppress(asyncio.QueueFull):
                            inbox.put_nowait(("queue", text, None))
            await asyncio.sleep(self._poll_s)


#: Kind, JSON, sequence; an empty kind only moves the position.
_Note = tuple[str, str, int | None]


async def event_stream(
    fs: FsClient, watch: QueueWatch, after: int | None, stopping: asyncio.Event, heartbeat_s: float = HEARTBEAT_S
) -> AsyncGenerator[bytes, None]:
    """The body of `/api/events`, until the server stops. Each event has the id to resume behind; a `queue` event,
    which is a state and not history, has that of the last event before it.

    Raises:
        Failure: 503 before the first byte when fs-service is not there; later it is waited for.
    """
    await fs.connected()
    inbox: asyncio.Queue[_Note] = asyncio.Queue(BACKLOG)
    position = after
    follower = asyncio.create_task(_follow(fs, after, inbox))
    stopper = asyncio.create_task(stopping.wait())
    try:
        async with watch.tell(inbox):
            yield b": connected\n\n"
            while not stopping.is_set():
                getter = asyncio.create_task(inbox.get())
                done, _ = await asyncio.wait(
                    (getter, stopper, follower), timeout=heartbeat_s, return_when=asyncio.FIRST_COMPLETED
                )
                if getter not in done:
                    getter.cancel()
                    if follower in done:
                        follower.result()
                        return
                    if not done:
                        yield b": still here\n\n"
                    continue
                kind, data, sequence = getter.result()
                position = sequence if sequence is not None else position
                yield event_text(kind, data, position) if kind else f"id: {position}\n\n".encode()
    finally:
        for task in (follower, stopper):
            task.cancel()
        await asyncio.gather(follower, stopper, return_exceptions=True)


async def _follow(fs: FsClient, after: int | None, inbox: asyncio.Queue[_Note]) -> None:
    """Every event into the inbox; when fs-service goes away, again from there when it is back."""
    while True:
        try:
            async with aclosing(fs.events(after)) as events:
                async for event in events:
                    after = event.sequence
                    await inbox.put((event.kind, event.payload_json, event.sequence))
        except (Failure, grpc.aio.AioRpcError) as error:
            logger.info("events broke off, trying again: %s", error)
        await asyncio.sleep(_RETRY_S)
