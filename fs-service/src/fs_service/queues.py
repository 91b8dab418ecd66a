"""What waits, runs and failed, for whoever watches; and parked jobs put back by hand."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

import nats.errors
from google.protobuf.message import DecodeError
from media_common import subjects
from media_proto import thumbnail_pb2
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import ConsumerInfo, RawStreamMsg
from nats.js.errors import NotFoundError

from fs_service.domain.errors import QueueUnavailable
from fs_service.nats_link import NatsLink

logger = logging.getLogger(__name__)

DEAD_JOBS_MAX: Final = 100
_ASK_S: Final = 2.0
_PING_S: Final = 0.5
_PING_KEPT_S: Final = 2.0
#: Where a parked job goes back to.
_HOME: Final = {
    subjects.DEAD_THUMBNAIL: subjects.JOBS_THUMBNAIL,
    subjects.DEAD_EMBED: subjects.JOBS_EMBED,
}


@dataclass(frozen=True, slots=True)
class Queue:
    """One queue's figures."""

    pending: int = 0
    running: int = 0
    done: int = 0  # deliveries that were settled, repeats counted
    dead: int = 0
    oldest_age_s: float = 0.0
    paused: bool = False  # held back by hand


@dataclass(frozen=True, slots=True)
class DeadJob:
    """A parked job."""

    queue: str
    path: bytes
    reason: str


@dataclass(frozen=True, slots=True)
class Queues:
    """All there is to say; zeros while NATS is down."""

    index: Queue
    thumbnail: Queue = Queue()
    embed: Queue = Queue()
    dead_jobs: list[DeadJob] = field(default_factory=list)
    nats_up: bool = False
    workers_up: bool = False


class QueueWatch:
    """Asks JetStream; keeps nothing but the last ping."""

    def __init__(self, link: NatsLink, index_backlog: Callable[[], Awaitable[tuple[int, int]]]) -> None:
        """
        Args:
            index_backlog: scans of roots not yet complete, and events not yet published.
        """
        self._link = link
        self._index_backlog = index_backlog
        self._ping: tuple[float, bool] = (-_PING_KEPT_S, False)

    async def queues(self, limit_s: float | None = None) -> Queues:
        """
        Args:
            limit_s: how long the server may be asked. What it has not said by then is as if it were down; reasons of
                parked jobs, which are asked for last, one by one, are then fewer.
        """
        ends_s = None if limit_s is None else asyncio.get_running_loop().time() + limit_s
        scans, unpublished = await self._index_backlog()
        index = Queue(pending=scans + unpublished, running=scans)
        connection = self._link.connection
        if connection is None:
            return Queues(index)
        js = connection.jetstream(timeout=_ASK_S)
        try:
            async with asyncio.timeout_at(ends_s):
                unread, workers_up, thumbnail, embed, dead_counts, is_held = await asyncio.gather(
                    _unread(js),
                    self._workers_up(connection),
                    _queue(js, subjects.JOBS_THUMBNAIL),
                    _queue(js, subjects.JOBS_EMBED),
                    _counts(js, subjects.DEAD_STREAM, ">"),
                    _is_held(js),
                )
        except (nats.errors.Error, OSError, TimeoutError) as error:
            logger.debug("the queues cannot be read: %s", error)
            return Queues(index)
        dead_jobs: list[DeadJob] = []
        try:
            async with asyncio.timeout_at(ends_s):
                async for job in _dead_jobs(js, sum(dead_counts.values())):
                    dead_jobs.append(job)
        except (nats.errors.Error, OSError, TimeoutError) as error:
            logger.debug("not all parked jobs can be read: %s", error)
        return Queues(
            Queue(index.pending + unread, index.running),
            replace(thumbnail, dead=dead_counts.get(subjects.DEAD_THUMBNAIL, 0), paused=is_held),
            replace(embed, dead=dead_counts.get(subjects.DEAD_EMBED, 0)),
            dead_jobs,
            nats_up=True,
            workers_up=workers_up,
        )

    async def retry_dead(self) -> int:
        """Put every parked job back on its queue; how many.

        Raises:
            QueueUnavailable: NATS is down, or went down on the way; those not yet put back stay parked.
        """
        connection = self._link.connection
        if connection is None:
            raise QueueUnavailable
        js = connection.jetstream(timeout=_ASK_S)
        retried = 0
        try:
            last = (await js.stream_info(subjects.DEAD_STREAM)).state.last_seq
            async for message in _messages(js, subjects.DEAD_STREAM, last):
                job = _decoded(message)
                home = _HOME.get(message.subject or "")
                if job is None or home is None or message.seq is None:
                    continue
                # The id makes a retry that was cut between the two steps harmless.
                message_id = f"retry-{message.seq}-{message.time}"
                await js.publish(home, job.payload, headers={"Nats-Msg-Id": message_id})
                await js.delete_msg(subjects.DEAD_STREAM, message.seq)
                retried += 1
        except NotFoundError:
            return retried
        except (nats.errors.Error, OSError, TimeoutError) as error:
            raise QueueUnavailable from error
        return retried

    async def hold_thumbnails(self, held: bool) -> None:
        """Hold background thumbnails back, or let them go on; kept beside the queue, so over every restart.

        Raises:
            QueueUnavailable: NATS is down; nothing was changed.
        """
        connection = self._link.connection
        if connection is None:
            raise QueueUnavailable
        try:
            # The workers hear it at once; those that do not run yet read it when they begin.
            js = connection.jetstream(timeout=_ASK_S)
            await js.publish(subjects.HOLD_THUMBNAIL, subjects.HELD if held else subjects.LET_GO)
        except (nats.errors.Error, OSError, TimeoutError) as error:
            raise QueueUnavailable from error

    async def _workers_up(self, connection: Client) -> bool:
        asked_at, answer = self._ping
        if time.monotonic() - asked_at < _PING_KEPT_S:
            return answer
        try:
            await connection.request(subjects.PING, b"", timeout=_PING_S)
            answer = True
        except (nats.errors.Error, TimeoutError):
            answer = False
        self._ping = (time.monotonic(), answer)
        return answer


async def _queue(js: JetStreamContext, subject: str) -> Queue:
    waiting = (await _counts(js, subjects.JOBS_STREAM, subject)).get(subject, 0)
    running = done = 0
    for info in await _consumers(js):
        if subject in (info.config.filter_subject, *(info.config.filter_subjects or ())):
            in_hand = info.num_ack_pending or 0
            running += in_hand
            done += max(0, (info.delivered.consumer_seq if info.delivered else 0) - in_hand)
    age_s = await _oldest_age_s(js, subject) if waiting else 0.0
    # A job stays in the stream until it is acknowledged.
    return Queue(pending=max(0, waiting - running), running=running, done=done, oldest_age_s=age_s)


async def _is_held(js: JetStreamContext) -> bool:
    try:
        last = await js.get_last_msg(subjects.HOLDS_STREAM, subjects.HOLD_THUMBNAIL)
    except NotFoundError:
        return False
    return last.data == subjects.HELD


async def _unread(js: JetStreamContext) -> int:
    """Events that the catalogue has not looked at yet. Asked after the outbox: what left that is counted here."""
    try:
        readers = await js.consumers_info(subjects.MEDIA_STREAM)
    except NotFoundError:
        return 0
    return max(((one.num_pending or 0) + (one.num_ack_pending or 0) for one in readers), default=0)


async def _consumers(js: JetStreamContext) -> list[ConsumerInfo]:
    try:
        return await js.consumers_info(subjects.JOBS_STREAM)
    except NotFoundError:
        return []


async def _counts(js: JetStreamContext, stream: str, subject: str) -> dict[str, int]:
    """Messages a subject; none when the stream is not there yet."""
    try:
        return (await js.stream_info(stream, subjects_filter=subject)).state.subjects or {}
    except NotFoundError:
        return {}


async def _oldest_age_s(js: JetStreamContext, subject: str) -> float:
    try:
        message = await js.get_msg(subjects.JOBS_STREAM, seq=1, subject=subject, next=True)
    except NotFoundError:
        return 0.0
    return max(0.0, (datetime.now(UTC) - message.time).total_seconds()) if message.time else 0.0


async def _dead_jobs(js: JetStreamContext, count: int) -> AsyncIterator[DeadJob]:
    """The oldest parked jobs, looked at and left."""
    if not count:
        return
    left = DEAD_JOBS_MAX
    last = (await js.stream_info(subjects.DEAD_STREAM)).state.last_seq
    async for message in _messages(js, subjects.DEAD_STREAM, last):
        job = _decoded(message)
        if job is not None:
            yield DeadJob(job.queue, job.path, job.reason)
        left -= 1
        if not left:
            return


async def _messages(js: JetStreamContext, stream: str, last: int) -> AsyncIterator[RawStreamMsg]:
    sequence = 1
    while sequence <= last:
        try:
            message = await js.get_msg(stream, seq=sequence, subject=">", next=True)
        except NotFoundError:
            return
        if message.seq is None or message.seq > last:
            return
        yield message
        sequence = message.seq + 1


def _decoded(message: RawStreamMsg) -> thumbnail_pb2.DeadJob | None:
    try:
        return thumbnail_pb2.DeadJob.FromString(message.data or b"")
    except DecodeError:
        logger.warning("a parked job cannot be read: %s %s", message.subject, message.seq)
        return None
