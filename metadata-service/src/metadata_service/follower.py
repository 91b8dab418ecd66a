"""Events from JetStream to the indexer: in batches, acknowledged when written, taken up again after any outage."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from itertools import chain
from typing import Final, Protocol

import nats.errors
from google.protobuf.message import DecodeError
from media_common import subjects
from media_common.errors import ServiceError
from media_proto import fs_pb2
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import APIError, NotFoundError

from metadata_service import queue
from metadata_service.indexer import BATCH

logger = logging.getLogger(__name__)

CONSUMER: Final = "catalogue"
_FETCH_S: Final = 1.0
#: Longer than any batch takes; a message not acknowledged by then comes again, which does no harm.
_ACK_WAIT_S: Final = 120.0


class Told(Protocol):
    """What the events are for: the indexer."""

    async def look(self, named: Iterable[tuple[bytes, bytes]]) -> None: ...

    async def ask(self, root: bytes | None) -> None: ...


class Follower:
    """One durable consumer, however often this process starts."""

    def __init__(self, url: str, indexer: Told) -> None:
        self._url = url
        self._indexer = indexer
        self._last = 0
        #: Events not yet looked at, as of the last fetch.
        self.waiting = 0
        #: Whether the queue has been looked at since the start; before that nobody knows what waits.
        self.has_looked = not url
        #: Why no event comes, a sentence; empty when they do.
        self.problem = ""

    async def run(self) -> None:
        """Until cancelled. Without a queue the review paths are still gone through when they are due."""
        if not self._url:
            return
        failures = 0
        while True:
            try:
                await self._follow()
            except (nats.errors.Error, OSError, TimeoutError, ServiceError) as error:
                failures = failures + 1 if self.problem else 1
                # Everything starts at once: what is not there in the first seconds is no news.
                logger.log(logging.WARNING if failures == queue.SAID_AT else logging.DEBUG, "events wait: %r", error)
                self.problem = error.message if isinstance(error, ServiceError) else "The job queue is not available."
                await asyncio.sleep(queue.RETRY_S)
            except Exception:
                # A loop that ended here would leave a service that looks well and never hears of a change again.
                logger.exception("following events stumbles")
                self.problem = "Following the events failed; it is tried again."
                await asyncio.sleep(queue.RETRY_S)

    async def _follow(self) -> None:
        connection = await queue.connected(self._url, "metadata-service")
        try:
            await self._consume(connection)
        finally:
            await connection.close()

    async def _consume(self, connection: Client) -> None:
        stream = connection.jetstream()
        await self._after_losses(stream)
        subscription = await stream.pull_subscribe(
            "",
            durable=CONSUMER,
            stream=subjects.MEDIA_STREAM,
            config=ConsumerConfig(
                durable_name=CONSUMER,
                deliver_policy=DeliverPolicy.ALL,
                ack_policy=AckPolicy.EXPLICIT,
                ack_wait=_ACK_WAIT_S,
                max_ack_pending=4 * BATCH,
            ),
        )
        self._last = 0
        while True:
            try:
                messages = await subscription.fetch(BATCH, timeout=_FETCH_S)
            except TimeoutError:
                self.waiting, self.problem = 0, ""
                if not connection.is_connected:
                    raise
                self.has_looked = True
                continue
            except APIError as error:
                raise nats.errors.Error(str(error)) from error
            if not messages:  # the server's "nothing" came a moment before our own time was up
                self.waiting, self.problem, self.has_looked = 0, "", True
                continue
            self.has_looked = True
            self.waiting = messages[-1].metadata.num_pending + len(messages)
            await self._settle(messages)
            self.problem = ""

    async def _after_losses(self, stream: JetStreamContext) -> None:
        """A consumer that is new, or that the stream has outrun while it was away, knows nothing of what was before."""
        try:
            consumer = await stream.consumer_info(subjects.MEDIA_STREAM, CONSUMER)
        except NotFoundError:
            await self._indexer.ask(None)
            return
        first = (await stream.stream_info(subjects.MEDIA_STREAM)).state.first_seq
        if consumer.ack_floor is not None and consumer.ack_floor.stream_seq + 1 < first:
            await self._indexer.ask(None)

    async def _settle(self, messages: list[Msg]) -> None:
        """Bring the batch in and acknowledge it; after a failure all of it comes again."""
        await self._after_a_gap(messages)
        try:
            await self._indexer.look(chain.from_iterable(map(_named, messages)))
        except Exception:
            for message in messages:
                await message.nak(delay=queue.RETRY_S)
            raise
        for message in messages:
            await message.ack()

    async def _after_a_gap(self, messages: list[Msg]) -> None:
        """Messages that the stream dropped before they were read: everything has to be gone through."""
        for message in messages:
            sequence = message.metadata.sequence
            if self._last and message.metadata.num_delivered == 1 and sequence.stream > self._last + 1:
                logger.warning("events were lost; every review path is gone through as a whole")
                await self._indexer.ask(None)
            self._last = max(self._last, sequence.stream)


def _named(message: Msg) -> list[tuple[bytes, bytes]]:
    """Root and path of every file that the event speaks of."""
    try:
        event = fs_pb2.MediaEvent.FromString(message.data)
    except DecodeError:
        logger.warning("an event that cannot be read is left out")
        return []
    return [(event.root, path) for path in (event.path, *event.more_paths)]
