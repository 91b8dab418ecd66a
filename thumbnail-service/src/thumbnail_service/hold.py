"""Whether background thumbnails are held back by hand. What somebody looks at is made all the same."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from typing import Final

from media_common import subjects
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.client import JetStreamContext
from nats.js.errors import NotFoundError

logger = logging.getLogger(__name__)

#: A message that was lost, while the connection was or so, is made up for this much later.
_LOOK_S: Final = 5.0


class Hold:
    """The word that NATS keeps beside the queue, as this worker knows it."""

    def __init__(self) -> None:
        self.held = False
        self._looked = float("-inf")
        self._news = asyncio.Event()

    async def follow(self, client: Client) -> None:
        """Hear it at once over this connection.

        Raises:
            nats.errors.Error
        """
        self._looked = float("-inf")
        await client.subscribe(subjects.HOLD_THUMBNAIL, cb=self._heard)

    async def passed(self, stream: JetStreamContext) -> None:
        """Returns as soon as jobs may be taken.

        Raises:
            nats.errors.Error, nats.js.errors.Error: whether they may is not known.
        """
        while True:
            if time.monotonic() - self._looked >= _LOOK_S:
                await self._look(stream)
            if not self.held:
                return
            self._news.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_S):
                    await self._news.wait()

    async def _look(self, stream: JetStreamContext) -> None:
        try:
            last = await stream.get_last_msg(subjects.HOLDS_STREAM, subjects.HOLD_THUMBNAIL)
        except NotFoundError:  # never, or the stream is not made yet: then there are no jobs either
            self._be(held=False)
        else:
            self._be(held=last.data == subjects.HELD)

    async def _heard(self, message: Msg) -> None:
        self._be(held=message.data == subjects.HELD)

    def _be(self, *, held: bool) -> None:
        if held is not self.held:
            logger.info("background thumbnails are held back" if held else "background thumbnails go on")
        self.held = held
        self._looked = time.monotonic()
        self._news.set()
