"""Jobs from JetStream. The connection is tried for ever: while NATS is away there are no jobs, nothing else stops."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import nats.errors
import nats.js.errors
from media_common import subjects
from media_common.tracing import NO_SPANS, Span, Spans, received
from media_proto import thumbnail_pb2
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import AckPolicy, ConsumerConfig
from nats.js.client import JetStreamContext

logger = logging.getLogger(__name__)

_RETRY_S: Final = 0.5
_TRY_S: Final = 2
#: A fetch of many waits this long for more than the first.
_MORE_S: Final = 0.05
#: All figures of a queue together: who is asked for them is given a second by the gateway.
_ASK_S: Final = 0.5
#: Jobs given out at a time.
_MAX_ACK_PENDING: Final = 2000
_TROUBLE: Final = (nats.errors.Error, nats.js.errors.Error, OSError, TimeoutError)


class NatsLink:
    """One connection for everything. Without an address it is down for ever."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client: Client | None = None
        self._said_down = False

    @property
    def connection(self) -> Client | None:
        """It, if it stands right now."""
        client = self._client
        return client if client is not None and client.is_connected else None

    async def run(self) -> None:
        """Until cancelled. The client reconnects by itself; it gives up on a refusal, and then a new one begins."""
        while self._url:
            closed = asyncio.Event()

            async def on_closed(closed: asyncio.Event = closed) -> None:
                closed.set()

            client = Client()
            try:
                await client.connect(
                    self._url,
                    name="search-service",
                    max_reconnect_attempts=-1,
                    reconnect_time_wait=_RETRY_S,  # type: ignore[arg-type]  # it is slept, not counted
                    connect_timeout=_TRY_S,
                    # A cable pulled out is noticed within 15 s, not within 6 minutes.
                    ping_interval=5,
                    max_outstanding_pings=2,
                    error_cb=self._on_error,
                    disconnected_cb=self._on_down,
                    reconnected_cb=self._on_up,
                    closed_cb=on_closed,
                )
            except _TROUBLE as error:
                await self._on_error(error)
            else:
                self._client = client
                await self._on_up()
                try:
                    await closed.wait()
                finally:
                    self._said_down = True  # leaving is no outage
                    with suppress(*_TROUBLE):
                        await client.close()
            await asyncio.sleep(_RETRY_S)

    async def _on_up(self) -> None:
        self._said_down = False
        logger.info("connected to NATS")

    async def _on_down(self) -> None:
        await self._on_error(ConnectionError("the connection was lost"))

    async def _on_error(self, error: Exception) -> None:
        if self.connection is not None:
            logger.warning("NATS: %s", error)
        elif not self._said_down:
            self._said_down = True
            logger.warning("NATS is down, trying again until it is back: %s", str(error) or type(error).__name__)


@dataclass(frozen=True, slots=True)
class Waiting:
    """What the queue says."""

    pending: int = 0  # not given out
    running: int = 0  # given out and not settled: in somebody's hand, or to come again after a pause
    dead: int = 0


class Lane:
    """Implements `Jobs`: a durable pull consumer of one subject, made when it is missing; its stream is the file
    service's to make."""

    def __init__(self, link: NatsLink, subject: str, durable: str, dead: str = "", spans: Spans = NO_SPANS) -> None:
        """
        Args:
            dead: the subject of parked jobs; empty: none is parked.
            spans: told of each job, from its fetch to its end.
        """
        self._spans = spans
        self._link = link
        self._subject = subject
        self._durable = durable
        self._dead = dead
        self._connection: Client | None = None
        self._subscription: JetStreamContext.PullSubscription | None = None
        self._told = Waiting()

    async def fetch(self, most: int, wait_s: float) -> Sequence[NatsJob]:
        """
        Raises:
            OSError: NATS is away, or its stream is.
        """
        connection = self._link.connection
        if connection is None:
            await asyncio.sleep(min(wait_s, _RETRY_S))
            raise ConnectionError("NATS is away.")
        began = asyncio.get_running_loop().time()
        try:
            if self._subscription is None or connection is not self._connection:
                self._subscription = await self._subscribed(connection.jetstream(timeout=_TRY_S))
                self._connection = connection
            messages = await self._subscription.fetch(1, timeout=wait_s)
        except TimeoutError:
            # An empty queue takes its whole time to say so; a missing consumer is told at once.
            if asyncio.get_running_loop().time() - began < wait_s / 2:
                self._subscription = None
            return []
        except (nats.errors.Error, nats.js.errors.Error) as error:
            await self._forget()
            raise ConnectionError(f"NATS: {error!r}") from error
        if most > 1:
            # Apart from the first: a fetch of many would wait for all of them.
            with suppress(*_TROUBLE):
                messages += await self._subscription.fetch(most - 1, timeout=_MORE_S)
        return [job for message in messages if (job := await self._job(message)) is not None]

    async def waiting(self) -> Waiting:
        """Zeros while NATS is away; while it only does not answer, what it said last."""
        if (connection := self._link.connection) is None:
            return Waiting()
        try:
            async with asyncio.timeout(_ASK_S):
                self._told = await self._asked(connection.jetstream())
        except TimeoutError:
            logger.debug("the queue is not counted: NATS does not answer")
            return self._told
        except _TROUBLE as error:
            logger.debug("the queue cannot be counted: %r", error)
            return Waiting()
        return self._told

    async def _asked(self, js: JetStreamContext) -> Waiting:
        pending, running = await self._counted(js)
        counts = (await js.stream_info(subjects.DEAD_STREAM, subjects_filter=self._dead)) if self._dead else None
        dead = (counts.state.subjects or {}).get(self._dead, 0) if counts is not None else 0
        return Waiting(pending, running, dead)

    async def _counted(self, js: JetStreamContext) -> tuple[int, int]:
        try:
            facts = await js.consumer_info(subjects.JOBS_STREAM, self._durable)
        except nats.js.errors.NotFoundError:  # nobody has fetched yet
            whole = await js.stream_info(subjects.JOBS_STREAM, subjects_filter=self._subject)
            return (whole.state.subjects or {}).get(self._subject, 0), 0
        return facts.num_pending or 0, facts.num_ack_pending or 0

    async def pending(self) -> int:
        return (await self.waiting()).pending

    async def _subscribed(self, js: JetStreamContext) -> JetStreamContext.PullSubscription:
        config = ConsumerConfig(
            durable_name=self._durable,
            filter_subject=self._subject,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=subjects.ACK_WAIT_S,
            # The limit is ours, so that a job past it is parked with a reason and not just left.
            max_deliver=-1,
            max_ack_pending=_MAX_ACK_PENDING,
        )
        await js.add_consumer(subjects.JOBS_STREAM, config)
        return await js.pull_subscribe_bind(self._durable, subjects.JOBS_STREAM)

    async def _forget(self) -> None:
        subscription, self._subscription = self._subscription, None
        if subscription is not None:
            with suppress(*_TROUBLE):
                await subscription.unsubscribe()

    async def _job(self, message: Msg) -> NatsJob | None:
        """None: it is no job; it is put aside."""
        text = message.data.decode("ascii", "replace")
        span = received(self._spans, message.subject, message.headers)
        if text.isdigit() and text.isascii() and len(text) < 20:
            return NatsJob(message, int(text), self._dead, span)
        with suppress(OSError):
            await NatsJob(message, 0, self._dead, span).park("The job cannot be read.", b"")
        return None


class NatsJob:
    """Implements `Job`."""

    def __init__(self, message: Msg, item_id: int, dead: str, span: Span) -> None:
        self.item_id = item_id
        self._span: Span | None = span  # None: it is ended
        self._message = message
        self._dead = dead

    @property
    def deliveries(self) -> int:
        return self._message.metadata.num_delivered

    def _ended(self, *, failed: bool) -> None:
        if self._span is not None:
            self._span.ended(failed=failed, attributes={"messaging.nats.deliveries": self.deliveries})
            self._span = None

    async def done(self) -> None:
        self._ended(failed=False)
        with suppress(*_TROUBLE):  # it comes again, and finds itself done
            await self._message.ack()

    async def again(self, pause_s: float) -> None:
        self._ended(failed=True)
        with suppress(*_TROUBLE):
            await self._message.nak(delay=pause_s or None)

    async def park(self, reason: str, path: bytes) -> None:
        """
        Raises:
            OSError: it could not be put aside, and comes again.
        """
        self._ended(failed=True)
        logger.warning("parked a job of %s: %s", self._message.subject, reason)
        try:
            if self._dead:
                await self._publish(thumbnail_pb2.DeadJob(payload=self._message.data, path=path, reason=reason))
            await self._message.term()
        except _TROUBLE as error:
            await self.again(_TRY_S)
            raise ConnectionError(f"NATS: {error!r}") from error

    async def _publish(self, dead: thumbnail_pb2.DeadJob) -> None:
        dead.queue = self._dead.rpartition(".")[2]
        # Parked twice when the answer to the first try was lost; the id makes it once. The time is in it because a
        # stream that is made anew counts from one again.
        facts = self._message.metadata
        unique = f"dead-{facts.sequence.stream}-{facts.timestamp.timestamp()}"
        stream = self._message._client.jetstream(timeout=_TRY_S)
        headers = {"Nats-Msg-Id": unique}
        await stream.publish(self._dead, dead.SerializeToString(), headers=headers, stream=subjects.DEAD_STREAM)

    async def working(self) -> None:
        with suppress(*_TROUBLE):
            await self._message.in_progress()
