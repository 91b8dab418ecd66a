"""The worker on NATS: answers `thumbnail.render`, works through `jobs.thumbnail`, settles every message once.

What the queue says is "look again", never "believe me": a job is only a file and a size, so order and repeats do not
matter, and a job whose worker died is simply done by another.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, Final, TypeVar

import nats.errors
import nats.js.errors
from media_common import subjects
from media_common.logs import request_id
from media_common.tasks import ended
from media_common.tracing import NO_SPANS, Spans, carried, received
from media_proto import thumbnail_pb2
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import AckPolicy, ConsumerConfig
from nats.js.client import JetStreamContext

from thumbnail_service.blob_renders import BlobRenders
from thumbnail_service.domain.jobs import (
    Ack,
    Again,
    BadJob,
    Outcome,
    Park,
    Result,
    Verdict,
    lost_too_often,
    verdict,
)
from thumbnail_service.hold import Hold
from thumbnail_service.messages import deadline_of_s, job_of, look_reply_of, path_of, reply_of
from thumbnail_service.renders import Expired, Renders

logger = logging.getLogger(__name__)
T = TypeVar("T")

#: A request's asker takes three times this long a silence for a dead worker.
_BEAT_S: Final = 1.0
#: One empty fetch; so long may a lost one go unnoticed.
_FETCH_S: Final = 5.0
#: Pause before looking again for a stream or a consumer that is not there, or for NATS itself.
_RETRY_S: Final = 1.0
#: Jobs given out at a time to all workers together.
_MAX_ACK_PENDING: Final = 512
_NATS_TROUBLE: Final = (nats.errors.Error, nats.js.errors.Error, OSError, asyncio.TimeoutError)


class Worker:
    """Holds the connection for ever: NATS may go and come back at any time."""

    def __init__(
        self,
        url: str,
        renders: Renders,
        blobs: BlobRenders,
        *,
        concurrency: int,
        ack_wait_s: float,
        stop_grace_s: float,
        on_connection: Callable[[bool], Awaitable[None]],
        spans: Spans = NO_SPANS,
    ) -> None:
        """
        Args:
            on_connection: told True when NATS is there and False when it is not, each time that changes.
        """
        #: Told how each delivery of a background job ended, and how often the job had been given out by then.
        self.on_settled: Callable[[Verdict, int], None] = lambda decision, deliveries: None
        self._spans = spans
        self._url = url
        self._renders = renders
        self._blobs = blobs
        self._hold = Hold()
        self._ack_wait_s = ack_wait_s
        self._stop_grace_s = stop_grace_s
        self._on_connection = on_connection
        # One more than can be rendered, so that the next job is here when the one in hand is done.
        self._room = asyncio.Semaphore(concurrency + 1)
        self._tasks: set[asyncio.Task[None]] = set()
        self._last_trouble = ""

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set; then what is in hand gets its grace and the rest goes back to the queue."""
        stopping = asyncio.create_task(stop.wait())
        try:
            while not stop.is_set():
                closed = asyncio.Event()
                working = asyncio.create_task(self._work(closed, stop))
                await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
                if not working.done():
                    # `_work` sees the event itself; connecting for ever does not.
                    with suppress(TimeoutError):
                        await asyncio.wait_for(asyncio.shield(working), self._stop_grace_s + 1)
                    working.cancel()
                with suppress(asyncio.CancelledError):
                    await working
        finally:
            stopping.cancel()

    async def _work(self, closed: asyncio.Event, stop: asyncio.Event) -> None:
        """One connection, from its making until it is closed for good."""
        client = await self._connected(closed, stop)
        if client is None:
            return
        fetching: asyncio.Task[None] | None = None
        try:
            await self._on_connection(True)

            async def on_request(message: Msg) -> None:
                self._spawn(self._answer(client, message))

            async def on_look(message: Msg) -> None:
                self._spawn(self._answer_look(client, message))

            requests = await client.subscribe(subjects.RENDER, queue=subjects.RENDER_GROUP, cb=on_request)
            looks = await client.subscribe(subjects.LOOK, queue=subjects.RENDER_GROUP, cb=on_look)
            await client.subscribe(subjects.PING, cb=_pong)
            await self._hold.follow(client)
            await client.flush()
            logger.info("at work")
            fetching = asyncio.create_task(self._fetch_for_ever(client))
            waits = {asyncio.create_task(stop.wait()), asyncio.create_task(closed.wait())}
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()
            if not closed.is_set():
                with suppress(*_NATS_TROUBLE):
                    await requests.unsubscribe()
                    await looks.unsubscribe()
        except _NATS_TROUBLE as error:
            logger.warning("NATS: %s", error)
            await asyncio.sleep(_RETRY_S)
        finally:
            await self._finish(fetching)
            await self._on_connection(False)
            with suppress(*_NATS_TROUBLE):
                await asyncio.wait_for(client.flush(2), 2.5)
            with suppress(*_NATS_TROUBLE):
                await client.close()

    async def _connected(self, closed: asyncio.Event, stop: asyncio.Event) -> Client | None:
        client = Client()

        async def trouble(error: Exception) -> None:
            # While NATS is away the same line would come twice a second.
            if (text := f"{type(error).__name__}: {error}") != self._last_trouble:
                self._last_trouble = text
                logger.warning("NATS: %s", text)

        async def away() -> None:
            await self._on_connection(False)

        async def back() -> None:
            self._last_trouble = ""
            logger.info("NATS is back")
            await self._on_connection(True)

        async def ended() -> None:
            closed.set()

        connecting = asyncio.create_task(
            client.connect(
                self._url,
                name="thumbnail-worker",
                max_reconnect_attempts=-1,
                reconnect_time_wait=0.5,  # type: ignore[arg-type]  # it is slept, not counted
                # A cable pulled out is noticed within 15 s, not within 6 minutes.
                ping_interval=5,
                max_outstanding_pings=2,
                error_cb=trouble,
                disconnected_cb=away,
                reconnected_cb=back,
                closed_cb=ended,
            )
        )
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({connecting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not connecting.done():
            connecting.cancel()
            with suppress(asyncio.CancelledError):
                await connecting
            return None
        try:
            await connecting
        except _NATS_TROUBLE as error:
            await trouble(error if isinstance(error, Exception) else Exception(str(error)))
            await asyncio.sleep(_RETRY_S)
            return None
        return client

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _finish(self, fetching: asyncio.Task[None] | None) -> None:
        """No new jobs; the ones in hand get their grace, then they go back to the queue."""
        if fetching is not None:
            await ended(fetching)
        if self._tasks:
            _, late = await asyncio.wait(set(self._tasks), timeout=self._stop_grace_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    # ---- requests ----

    async def _answer(self, client: Client, message: Msg) -> None:
        """Reply `working` every second, then the picture. An asker that is past its deadline gets nothing."""
        headers = message.headers or {}
        request_id.set(headers.get(subjects.REQUEST_ID_HEADER, ""))
        span = received(self._spans, message.subject, headers)
        carried.set(span.carrier)
        failed = True

        async def reply(answer: thumbnail_pb2.RenderReply) -> None:
            with suppress(*_NATS_TROUBLE):
                await client.publish(message.reply, answer.SerializeToString())

        try:
            job = job_of(message.data)
            renders = self._blobs if job.sha256 else self._renders
            outcome = await _with_beats(
                renders.asked(job, deadline_of_s(headers)),
                lambda: reply(thumbnail_pb2.RenderReply(working=True)),
                _BEAT_S,
            )
            failed = outcome.result is Result.FAILED
        except BadJob as error:
            await reply(thumbnail_pb2.RenderReply(reason=str(error)))
        except Expired:
            failed = False
            logger.info("dropped a request that nobody waits for")
        except Exception:  # the loop's own home for the unexpected, beside `_settle`
            logger.exception("a request failed")
            await reply(thumbnail_pb2.RenderReply(reason="The worker failed."))
        else:
            await reply(reply_of(outcome, client.max_payload))
        finally:
            span.ended(failed=failed)

    async def _answer_look(self, client: Client, message: Msg) -> None:
        """As `_answer`, with a picture's figures."""
        headers = message.headers or {}
        request_id.set(headers.get(subjects.REQUEST_ID_HEADER, ""))

        async def reply(answer: thumbnail_pb2.LookReply) -> None:
            with suppress(*_NATS_TROUBLE):
                await client.publish(message.reply, answer.SerializeToString())

        try:
            outcome = await _with_beats(
                self._renders.looked(job_of(message.data), deadline_of_s(headers)),
                lambda: reply(thumbnail_pb2.LookReply(working=True)),
                _BEAT_S,
            )
            answer = look_reply_of(outcome)
        except BadJob as error:
            await reply(thumbnail_pb2.LookReply(reason=str(error)))
        except Expired:
            logger.debug("dropped a look that nobody waits for")
        except Exception:  # as in `_answer`
            logger.exception("a look failed")
            await reply(thumbnail_pb2.LookReply(reason="The worker failed.", again=True))
        else:
            await reply(answer)

    # ---- background jobs ----

    async def _fetch_for_ever(self, client: Client) -> None:
        stream = client.jetstream()
        subscription: JetStreamContext.PullSubscription | None = None
        while True:
            try:
                if subscription is None:
                    subscription = await self._subscribed(stream)
                await self._hold.passed(stream)
                await self._fetch(subscription, client)
            except (*_NATS_TROUBLE, ConnectionError) as error:
                logger.debug("no background jobs: %s", error)
                if subscription is not None:
                    with suppress(*_NATS_TROUBLE):
                        await subscription.unsubscribe()
                    subscription = None
                await asyncio.sleep(_RETRY_S)
            except Exception:
                # A loop that ended here would leave a worker that looks well and takes no job.
                logger.exception("background jobs stumble")
                await asyncio.sleep(_RETRY_S)

    async def _subscribed(self, stream: JetStreamContext) -> JetStreamContext.PullSubscription:
        """The shared consumer, made when it is missing. The stream itself is the file service's to make."""
        config = ConsumerConfig(
            durable_name=subjects.THUMBNAIL_CONSUMER,
            filter_subject=subjects.JOBS_THUMBNAIL,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=self._ack_wait_s,
            # The limit is ours (`verdict`), so that a job past it is parked with a reason and not just left.
            max_deliver=-1,
            max_ack_pending=_MAX_ACK_PENDING,
        )
        await stream.add_consumer(subjects.JOBS_STREAM, config)
        return await stream.pull_subscribe_bind(subjects.THUMBNAIL_CONSUMER, subjects.JOBS_STREAM)

    async def _fetch(self, subscription: JetStreamContext.PullSubscription, client: Client) -> None:
        """Take a job in hand, or find that there is none.

        Raises:
            nats.errors.Error, nats.js.errors.Error: the consumer may be gone and is to be looked for.
        """
        await self._room.acquire()
        begun = time.monotonic()
        messages: list[Msg] = []
        try:
            # None or two are possible as well: what arrives at the very end of a fetch comes with the next one.
            messages = await subscription.fetch(1, timeout=_FETCH_S)
        except TimeoutError:
            # An empty queue takes its whole time to say so; a missing consumer is told at once.
            if time.monotonic() - begun < _FETCH_S / 2:
                raise
            return
        finally:
            if not messages:
                self._room.release()
        for number, message in enumerate(messages):
            if number:
                await self._room.acquire()
            self._spawn(self._settle(message, client))

    async def _settle(self, message: Msg, client: Client) -> None:
        """Run one job and end its message in exactly one way: done, to be tried again, or parked."""
        request_id.set((message.headers or {}).get(subjects.REQUEST_ID_HEADER, ""))
        span = received(self._spans, message.subject, message.headers)
        carried.set(span.carrier)
        deliveries = message.metadata.num_delivered
        path = b""
        decision: Verdict = Again(0)  # when it is cut short
        try:
            if (lost := lost_too_often(deliveries)) is not None:
                path, decision = path_of(message.data), lost
            else:
                job = job_of(message.data)
                path = job.path
                work = self._blobs.looked_into(job, client) if job.sha256 else self._renders.in_background(job)
                decision = verdict(await _with_beats(work, message.in_progress, self._ack_wait_s / 3), deliveries)
        except BadJob as error:
            decision = Park(f"The job cannot be read: {error}")
        except asyncio.CancelledError:
            with suppress(*_NATS_TROUBLE):
                await message.nak()  # to another worker, at once
            raise
        except Exception:
            logger.exception("a job failed on delivery %d", deliveries)
            decision = verdict(Outcome(Result.FAILED, reason="The worker failed."), deliveries)
        finally:
            self._room.release()
            span.ended(failed=not isinstance(decision, Ack), attributes={"messaging.nats.deliveries": deliveries})
        self.on_settled(decision, deliveries)
        with suppress(*_NATS_TROUBLE):  # the message comes again, and finds the thumbnail made
            await self._end(message, client.jetstream(), path, decision)

    async def _end(self, message: Msg, stream: JetStreamContext, path: bytes, decision: Verdict) -> None:
        match decision:
            case Ack():
                await message.ack()
            case Again(pause_s):
                await message.nak(delay=pause_s)
            case Park(reason):
                logger.warning("parked a thumbnail job: %s", reason)
                try:
                    await self._park(message, stream, path, reason)
                except _NATS_TROUBLE as error:
                    logger.warning("cannot park: %s", error or type(error).__name__)
                    await message.nak(delay=_RETRY_S * 5)
                else:
                    await message.term()

    async def _park(self, message: Msg, stream: JetStreamContext, path: bytes, reason: str) -> None:
        dead = thumbnail_pb2.DeadJob(queue="thumbnail", payload=message.data, path=path, reason=reason)
        # Parked twice when the answer to the first try was lost; the id makes it once. The time is in it because
        # a stream that is made anew counts from one again.
        facts = message.metadata
        unique = f"dead-{facts.sequence.stream}-{facts.timestamp.timestamp()}"
        await stream.publish(
            subjects.DEAD_THUMBNAIL,
            dead.SerializeToString(),
            headers={"Nats-Msg-Id": unique},
            stream=subjects.DEAD_STREAM,
        )


async def _pong(message: Msg) -> None:
    if message.reply:
        await message.respond(b"ok")


async def _with_beats(work: Coroutine[Any, Any, T], beat: Callable[[], Awaitable[None]], every_s: float) -> T:
    """The result of `work`, with `beat` called for every such time that passes until then."""
    task = asyncio.create_task(work)
    try:
        while True:
            done, _ = await asyncio.wait({task}, timeout=every_s)
            if done:
                return task.result()
            with suppress(*_NATS_TROUBLE):
                await beat()
    finally:
        task.cancel()
