"""The connection to NATS: tried for ever, never in anybody's way, its coming and going said once."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import nats
import nats.errors
from media_common.tasks import ended
from nats.aio.client import Client

logger = logging.getLogger(__name__)

_RETRY_S: Final = 0.5
_TRY_S: Final = 2


class NatsLink:
    """What the publisher, the queues and the thumbnails share. Without an address it is down for ever."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client: Client | None = None
        self._up = asyncio.Event()
        self._reported_down = False
        #: Done when the present connection is lost; another one with the next.
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def configured(self) -> bool:
        return bool(self._url)

    @property
    def connection(self) -> Client | None:
        """The connection, if it stands right now."""
        client = self._client
        return client if client is not None and client.is_connected else None

    async def wait_up(self) -> Client:
        """The connection as soon as it stands."""
        while (client := self.connection) is None:
            self._up.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._up.wait(), _RETRY_S)
        return client

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Connects in the background for as long as the body runs."""
        if not self._url:
            yield
            return
        keeping = asyncio.create_task(self._keep())
        try:
            yield
        finally:
            self._reported_down = True  # leaving is no outage
            await ended(keeping)
            if self._client is not None:
                with contextlib.suppress(nats.errors.Error, OSError, TimeoutError):
                    await self._client.close()

    async def _keep(self) -> None:
        """The client reconnects by itself; it gives up on a refusal (a wrong token), and then a new one begins."""
        while True:
            closed = asyncio.Event()

            async def on_closed(closed: asyncio.Event = closed) -> None:
                closed.set()

            client = Client()
            try:
                await client.connect(
                    self._url,
                    name="fs-service",
                    allow_reconnect=True,
                    max_reconnect_attempts=-1,
                    reconnect_time_wait=_RETRY_S,  # type: ignore[arg-type]  # a float is slept just as well
                    connect_timeout=_TRY_S,
                    ping_interval=20,
                    error_cb=self._on_error,
                    disconnected_cb=self._on_down,
                    reconnected_cb=self._on_up,
                    closed_cb=on_closed,
                )
            except (nats.errors.Error, OSError, TimeoutError) as error:
                await self._on_error(error)
            else:
                self._client = client
                await self._on_up()
                await closed.wait()
                await self._on_down()  # again after a refusal, which tells nobody else
            await asyncio.sleep(_RETRY_S)

    async def _on_up(self) -> None:
        if self.lost.done():
            self.lost = asyncio.get_running_loop().create_future()
        self._reported_down = False
        self._up.set()
        logger.info("connected to NATS")

    async def _on_down(self) -> None:
        if not self.lost.done():
            self.lost.set_result(None)
        self._say_down("the connection was lost")

    async def _on_error(self, error: Exception) -> None:
        if self.connection is None:
            self._say_down(str(error) or type(error).__name__)
        else:
            logger.warning("NATS: %s", error)

    def _say_down(self, reason: str) -> None:
        if not self._reported_down:
            self._reported_down = True
            logger.warning("NATS is down, trying again until it is back: %s", reason)
