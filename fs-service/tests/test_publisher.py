"""The outbox and the queues against a real nats-server that is killed and comes back."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import nats
import pytest
from fs_service import queues as queues_module
from fs_service.domain.errors import QueueUnavailable
from fs_service.nats_link import NatsLink
from fs_service.publisher import Publisher
from fs_service.queues import DeadJob, QueueWatch
from fs_service.store.background import Writer
from fs_service.streams import ensure_streams
from fs_service.testing import MemoryOutbox
from media_common import subjects
from media_common.testing import NatsServer, nats_server
from media_proto import fs_pb2, thumbnail_pb2
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import ConsumerConfig


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsServer]:
    with nats_server(tmp_path / "nats") as running:
        yield running


@pytest.fixture
async def link(server: NatsServer) -> AsyncIterator[NatsLink]:
    made = NatsLink(server.url)
    async with made.running():
        yield made


@pytest.fixture
async def client(server: NatsServer) -> AsyncIterator[Client]:
    connection = await nats.connect(server.url, max_reconnect_attempts=-1, reconnect_time_wait=1)
    yield connection
    await connection.close()


@contextlib.asynccontextmanager
async def publishing(outbox: MemoryOutbox, link: NatsLink, pregenerate: bool = True) -> AsyncIterator[None]:
    publisher = Publisher(outbox, link, lambda root: b"/state" + root, pregenerate)
    running = asyncio.create_task(publisher.run())
    try:
        yield
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


async def until(holds: Callable[[], bool], limit_s: float = 20) -> None:
    async with asyncio.timeout(limit_s):
        while not holds():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.01)


async def stored(client: Client, stream: str) -> int:
    return int((await client.jetstream().stream_info(stream)).state.messages)


async def test_rows_become_messages_in_order_and_are_forgotten(link: NatsLink, client: Client) -> None:
    outbox = MemoryOutbox()
    outbox.add(3)
    outbox.add(1, subjects.MEDIA_GONE)
    async with publishing(outbox, link):
        await until(lambda: not outbox.count())
        outbox.add(1, subjects.MEDIA_STATE)
        await until(lambda: not outbox.count())
    subscription = await client.jetstream().subscribe("media.>")
    messages = [await subscription.next_msg(timeout=2) for _ in range(5)]
    assert [message.subject for message in messages] == [
        *[subjects.MEDIA_FOUND] * 3,
        subjects.MEDIA_GONE,
        subjects.MEDIA_STATE,
    ]
    event = fs_pb2.MediaEvent.FromString(messages[0].data)
    assert (event.root, event.path, event.inode) == (b"/lib", b"/lib/day/\xff1.jpg", 1)
    assert (messages[0].headers or {})["Nats-Msg-Id"] == "0f3c-1"


async def test_what_deeds_do_is_told_in_messages_of_many(link: NatsLink, client: Client) -> None:
    outbox = MemoryOutbox()
    outbox.add(250, subjects.MEDIA_STATE)
    outbox.add(1, subjects.MEDIA_FOUND)
    outbox.add(3, subjects.MEDIA_GONE)
    outbox.add(2, subjects.JOBS_THUMBNAIL)
    outbox.add(1, subjects.MEDIA_GONE)
    async with publishing(outbox, link):
        await until(lambda: not outbox.count())
    assert await stored(client, subjects.JOBS_STREAM) == 2
    subscription = await client.jetstream().subscribe("media.>")
    messages = [await subscription.next_msg(timeout=2) for _ in range(6)]
    told = []
    for message in messages:
        event = fs_pb2.MediaEvent.FromString(message.data)
        told.append((message.subject, [event.path, *event.more_paths]))
    paths = [b"/lib/day/\xff%d.jpg" % number for number in range(1, 258)]
    assert told == [
        (subjects.MEDIA_STATE, paths[:100]),
        (subjects.MEDIA_STATE, paths[100:200]),
        (subjects.MEDIA_STATE, paths[200:250]),
        (subjects.MEDIA_FOUND, paths[250:251]),
        (subjects.MEDIA_GONE, paths[251:254]),
        (subjects.MEDIA_GONE, paths[256:]),
    ]
    assert await stored(client, subjects.MEDIA_STREAM) == 6


async def test_events_give_way_for_a_moment_once_a_backlog_and_then_leave(link: NatsLink, client: Client) -> None:
    asked: list[float] = []
    writer = Writer(lambda most_s, stop: asked.append(most_s))
    writer.start()
    writer.wake()
    await until(lambda: bool(asked))
    writer.stop()
    (writer_s,) = set(asked)
    asked.clear()
    outbox = MemoryOutbox()
    outbox.add(2500, subjects.MEDIA_STATE)
    publisher = Publisher(outbox, link, lambda root: root, True, lambda most_s, stop: asked.append(most_s))
    running = asyncio.create_task(publisher.run())
    await until(lambda: not outbox.count())
    (publisher_s,) = asked
    # The rest of the second is for writing, sending, and the catalogue.
    assert writer_s + publisher_s <= 0.5
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running


async def test_rows_sent_again_in_other_company_are_all_told(link: NatsLink, client: Client) -> None:
    """The first three were stored and the acknowledgement was lost; two more came meanwhile."""
    for count in (3, 5):
        outbox = MemoryOutbox()
        outbox.add(count, subjects.MEDIA_STATE)
        async with publishing(outbox, link):
            await until(lambda outbox=outbox: not outbox.count())  # type: ignore[misc]
    subscription = await client.jetstream().subscribe("media.>")
    events = [fs_pb2.MediaEvent.FromString((await subscription.next_msg(timeout=2)).data) for _ in range(2)]
    assert [1 + len(event.more_paths) for event in events] == [3, 5]


async def test_a_thumbnail_job_says_where_the_file_and_its_stand_in_cache_are(link: NatsLink, client: Client) -> None:
    outbox = MemoryOutbox()
    outbox.add(1, subjects.JOBS_THUMBNAIL)
    async with publishing(outbox, link):
        await until(lambda: not outbox.count())
    message = await client.jetstream().get_msg(subjects.JOBS_STREAM, seq=1)
    job = thumbnail_pb2.RenderRequest.FromString(message.data or b"")
    assert (job.root, job.relative_path, job.size_px) == (b"/lib", b"day/\xff1.jpg", 256)
    assert job.state_cache == b"/state/lib"


async def test_jobs_are_dropped_when_pregeneration_is_off(link: NatsLink, client: Client) -> None:
    outbox = MemoryOutbox()
    outbox.add(2, subjects.JOBS_THUMBNAIL)
    outbox.add(2)
    async with publishing(outbox, link, pregenerate=False):
        await until(lambda: not outbox.count())
    assert await stored(client, subjects.JOBS_STREAM) == 0
    assert await stored(client, subjects.MEDIA_STREAM) == 2


async def test_a_row_sent_twice_is_stored_once(link: NatsLink, client: Client) -> None:
    for _ in range(2):
        outbox = MemoryOutbox()
        outbox.add(1500)
        async with publishing(outbox, link):
            await until(lambda outbox=outbox: not outbox.count())  # type: ignore[misc]
    assert await stored(client, subjects.MEDIA_STREAM) == 1500


async def test_many_thousand_rows_a_second_leave(link: NatsLink, client: Client) -> None:
    outbox = MemoryOutbox()
    outbox.add(10_000)
    async with publishing(outbox, link):
        began = time.monotonic()
        await until(lambda: not outbox.count())
        took_s = time.monotonic() - began
    assert await stored(client, subjects.MEDIA_STREAM) == 10_000
    assert took_s < 5, took_s  # about 0.7 s on an idle machine


async def test_an_outage_loses_and_doubles_nothing(server: NatsServer, link: NatsLink, client: Client) -> None:
    outbox = MemoryOutbox()
    async with publishing(outbox, link):
        for _ in range(3):
            outbox.add(3000)
            await until(lambda: outbox.count() < 2500)
            server.stop(9)
            outbox.add(500)
            server.start()
        await until(lambda: not outbox.count(), 60)
    assert await stored(client, subjects.MEDIA_STREAM) == 3 * 3500


async def test_rows_wait_for_a_server_that_comes_later(server: NatsServer, tmp_path: Path) -> None:
    server.stop()
    outbox = MemoryOutbox()
    outbox.add(5)
    link = NatsLink(server.url)
    async with link.running(), publishing(outbox, link):
        await asyncio.sleep(0.3)
        assert outbox.count() == 5
        server.start()
        await until(lambda: not outbox.count())


async def test_streams_that_vanished_are_made_again(link: NatsLink, client: Client) -> None:
    outbox = MemoryOutbox()
    outbox.add(1)
    async with publishing(outbox, link):
        await until(lambda: not outbox.count())
        await client.jetstream().delete_stream(subjects.MEDIA_STREAM)
        outbox.add(1)
        await until(lambda: not outbox.count())
    assert await stored(client, subjects.MEDIA_STREAM) == 1


async def test_without_an_address_rows_do_not_pile_up() -> None:
    outbox = MemoryOutbox()
    outbox.add(5000)
    link = NatsLink("")
    async with link.running(), publishing(outbox, link):
        await until(lambda: not outbox.count())


async def test_what_an_administrator_set_on_a_stream_stays(client: Client) -> None:
    js = client.jetstream()
    await js.add_stream(name=subjects.MEDIA_STREAM, subjects=["media.found"], description="ours")
    await ensure_streams(js)
    config = (await js.stream_info(subjects.MEDIA_STREAM)).config
    assert (config.description, len(config.subjects or [])) == ("ours", 4)
    before = config
    await ensure_streams(js)
    assert (await js.stream_info(subjects.MEDIA_STREAM)).config == before


# ---- queues ----


def watch(link: NatsLink, scans: int = 0, unpublished: int = 0) -> QueueWatch:
    async def backlog() -> tuple[int, int]:
        return scans, unpublished

    return QueueWatch(link, backlog)


async def parked(client: Client, subject: str, payload: bytes, reason: str) -> None:
    job = thumbnail_pb2.DeadJob(queue="thumbnail", payload=payload, path=b"/lib/\xff.jpg", reason=reason)
    await client.jetstream().publish(subject, job.SerializeToString())


async def test_the_queues_say_what_waits_runs_and_is_done(link: NatsLink, client: Client) -> None:
    js = client.jetstream()
    await link.wait_up()
    await ensure_streams(js)
    for number in range(10):
        await js.publish(subjects.JOBS_THUMBNAIL, b"%d" % number)
    config = ConsumerConfig(durable_name=subjects.THUMBNAIL_CONSUMER, filter_subject=subjects.JOBS_THUMBNAIL)
    subscription = await js.pull_subscribe(
        subjects.JOBS_THUMBNAIL, durable=subjects.THUMBNAIL_CONSUMER, stream=subjects.JOBS_STREAM, config=config
    )
    messages = await subscription.fetch(4)
    await messages[0].ack_sync()
    queues = await watch(link, scans=2, unpublished=5).queues()
    assert queues.nats_up
    assert not queues.workers_up
    assert (queues.thumbnail.pending, queues.thumbnail.running, queues.thumbnail.done) == (6, 3, 1)
    assert 0 < queues.thumbnail.oldest_age_s < 20
    assert (queues.index.pending, queues.index.running) == (7, 2)
    assert queues.embed.pending == queues.embed.dead == 0


async def test_jobs_without_a_worker_yet_wait(link: NatsLink, client: Client) -> None:
    await link.wait_up()
    await ensure_streams(client.jetstream())
    await client.jetstream().publish(subjects.JOBS_EMBED, b"x")
    queues = await watch(link).queues()
    assert queues.embed.pending == 1
    assert queues.thumbnail.pending == 0


async def test_a_worker_that_answers_is_up_and_is_not_asked_again_at_once(
    link: NatsLink, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    # However slow the machine: half a second is not what this judges.
    monkeypatch.setattr(queues_module, "_PING_S", 20.0)
    monkeypatch.setattr(queues_module, "_PING_KEPT_S", 60.0)
    asked = 0

    async def answer(message: Msg) -> None:
        nonlocal asked
        asked += 1
        await message.respond(b"")

    await client.subscribe(subjects.PING, cb=answer)
    await client.flush()
    await link.wait_up()
    watching = watch(link)
    assert (await watching.queues()).workers_up
    assert (await watching.queues()).workers_up
    assert asked == 1


async def test_parked_jobs_are_listed_with_their_reason_and_go_back_by_hand(link: NatsLink, client: Client) -> None:
    js = client.jetstream()
    await link.wait_up()
    await ensure_streams(js)
    await parked(client, subjects.DEAD_THUMBNAIL, b"one", "it is broken")
    await parked(client, subjects.DEAD_THUMBNAIL, b"two", "it is broken, too")
    watching = watch(link)
    queues = await watching.queues()
    assert (queues.thumbnail.dead, queues.thumbnail.pending) == (2, 0)
    assert queues.dead_jobs[0] == DeadJob("thumbnail", b"/lib/\xff.jpg", "it is broken")
    assert await stored(client, subjects.DEAD_STREAM) == 2
    assert await watching.retry_dead() == 2
    queues = await watching.queues()
    assert (queues.thumbnail.dead, queues.thumbnail.pending, queues.dead_jobs) == (0, 2, [])
    assert (await js.get_msg(subjects.JOBS_STREAM, seq=1)).data == b"one"
    assert await watching.retry_dead() == 0


async def test_a_parked_message_that_is_no_job_is_in_nobodys_way(link: NatsLink, client: Client) -> None:
    await link.wait_up()
    await ensure_streams(client.jetstream())
    await client.jetstream().publish(subjects.DEAD_THUMBNAIL, b"\xff\xff\xff")
    await parked(client, subjects.DEAD_THUMBNAIL, b"one", "broken")
    watching = watch(link)
    assert len((await watching.queues()).dead_jobs) == 1
    assert await watching.retry_dead() == 1


async def test_a_server_that_is_frozen_hides_no_more_than_its_own_queues(server: NatsServer) -> None:
    """It holds its connections, so that nothing but time tells."""
    link = NatsLink(server.url)
    async with link.running():
        await link.wait_up()
        with server.frozen():
            began = time.monotonic()
            queues = await watch(link, unpublished=3).queues(0.3)
            assert time.monotonic() - began < 2
    assert (queues.nats_up, queues.index.pending) == (False, 3)


async def test_with_nats_down_the_queues_are_zeros_and_nothing_can_be_retried(server: NatsServer) -> None:
    for link in (NatsLink(""), NatsLink(server.url)):
        server.stop(9)
        async with link.running():
            queues = await watch(link, unpublished=3).queues()
            assert (queues.nats_up, queues.workers_up, queues.thumbnail.pending) == (False, False, 0)
            assert queues.index.pending == 3
            with pytest.raises(QueueUnavailable):
                await watch(link).retry_dead()
