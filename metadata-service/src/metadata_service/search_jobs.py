"""Jobs for search, from the sets they wait in to the queue: those that change what is found first, however many there
are to embed."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable
from typing import Final

from media_common import subjects
from nats.aio.client import Client
from nats.js import JetStreamContext

from metadata_service import queue
from metadata_service.store import search_jobs
from metadata_service.store.search_jobs import Lane
from metadata_service.store.sqlite import Catalogue
from metadata_service.trails import Trails

logger = logging.getLogger(__name__)

_SUBJECTS: Final = {Lane.FACTS: subjects.JOBS_FACTS, Lane.EMBED: subjects.JOBS_EMBED}
#: Messages on their way at a time.
BATCH: Final = 500
#: Changes that follow each other so closely go together.
_TOGETHER_S: Final = 0.1
#: How often what nobody asks for is dropped.
_FORGET_S: Final = 60.0


class SearchJobs:
    """One connection, tried for ever. Without a queue the jobs wait; without a search there are none."""

    def __init__(self, url: str, catalogue: Catalogue, is_on: bool) -> None:
        """
        Args:
            is_on: there is an encoder; with none, nobody would ever take a job.
        """
        #: By item, of those to embed.
        self.trails = Trails()
        self._url = url
        self._catalogue = catalogue
        self._is_on = is_on
        self._failures = 0
        # A batch that is sent again has the ids it had, so it is not there twice; after a restart it may be, which
        # does no harm.
        self._token = secrets.token_hex(8)
        self._batches = dict.fromkeys(Lane, 0)

    async def unsent(self) -> int:
        """How many jobs are not in the queue yet; none where nobody waits for any."""
        if not (self._is_on and self._url):
            return 0
        return sum([await self._catalogue.read(search_jobs.unsent, lane) for lane in Lane])

    async def run(self) -> None:
        """Until cancelled."""
        if not self._is_on:
            await self._forget()
        while self._url:
            try:
                connection = await queue.connected(self._url, "metadata-service search")
            except queue.TROUBLE as error:
                await self._pause(error)
                continue
            try:
                while not connection.is_closed:
                    await self._send_when_written(connection)
            finally:
                await connection.close()

    async def _forget(self) -> None:
        while True:
            if any([await self._catalogue.read(search_jobs.are_waiting, lane) for lane in Lane]):
                await self._catalogue.write(search_jobs.forget)
            await asyncio.sleep(_FORGET_S)

    async def _send_when_written(self, connection: Client) -> None:
        self._catalogue.written.clear()
        try:
            await self._send(connection.jetstream(timeout=2))
        except queue.TROUBLE as error:
            await self._pause(error)
        except Exception as error:
            # A loop that ended here would leave a search that looks well and never hears of a change again.
            logger.exception("sending jobs for search stumbles")
            await self._pause(error)
        else:
            self._failures = 0
            await self._catalogue.written.wait()
            await asyncio.sleep(_TOGETHER_S)

    async def _pause(self, error: Exception) -> None:
        self._failures += 1
        level = logging.WARNING if self._failures == queue.SAID_AT else logging.DEBUG
        logger.log(level, "jobs for search wait: %r", error)
        await asyncio.sleep(queue.RETRY_S)

    async def _send(self, stream: JetStreamContext) -> None:
        """Everything; between two batches to embed, whatever else there is by then."""
        while await self._send_some(stream, Lane.FACTS) or await self._send_some(stream, Lane.EMBED):
            pass

    async def _send_some(self, stream: JetStreamContext, lane: Lane) -> bool:
        """The next batch; whether there was one."""
        if not await self._catalogue.read(search_jobs.are_waiting, lane):
            return False
        batch = await self._catalogue.write(search_jobs.next_batch, lane, BATCH)
        stem = f"catalogue-{self._token}-{lane.name}-{self._batches[lane]}"

        def sent(item_id: int) -> Awaitable[object]:
            headers = {"Nats-Msg-Id": f"{stem}-{item_id}"}
            if lane is Lane.EMBED:
                headers |= self.trails.of(item_id)
            return stream.publish(_SUBJECTS[lane], b"%d" % item_id, headers=headers)

        outcomes = await asyncio.gather(*map(sent, batch), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        self._batches[lane] += 1
        await self._catalogue.write(search_jobs.next_batch, lane, BATCH, sent=True)
        return True
