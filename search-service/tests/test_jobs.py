"""Jobs over a real nats-server: given out, acknowledged, tried again, parked; NATS may go and come back."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from media_common import subjects
from media_common.config import PublicSettings
from media_common.tasks import ended
from media_common.testing import NatsServer, nats_server, otlp_receiver
from media_common.watching import traced
from media_proto import thumbnail_pb2
from nats.aio.client import Client
from nats.js.api import RetentionPolicy, StreamConfig
from search_service.jobs import Lane, NatsJob, NatsLink, Waiting


@pytest.fixture
def nats(tmp_path: Path) -> Iterator[NatsServer]:
    with nats_server(tmp_path / "nats") as server:
        yield server


@pytest.fixture
async def client(nats: NatsServer) -> AsyncIterator[Client]:
    """A connection of the test's own, with the streams that the file service makes."""
    connection = Client()
    await connection.connect(nats.url, reconnect_time_wait=0.1, max_reconnect_attempts=-1)  # type: ignore[arg-type]
    jobs = StreamConfig(
        subjects.JOBS_STREAM, subjects=[subjects.JOBS_THUMBNAIL, subjects.JOBS_EMBED, subjects.JOBS_FACTS]
    )
    jobs.retention = RetentionPolicy.WORK_QUEUE
    await connection.jetstream().add_stream(jobs)
    await connection.jetstream().add_stream(StreamConfig(subjects.DEAD_STREAM, subjects=["jobs.dead.>"]))
    yield connection
    await connection.close()


@pytest.fixture
async def link(nats: NatsServer) -> AsyncIterator[NatsLink]:
    link = NatsLink(nats.url)
    running = asyncio.create_task(link.run())
    await until(lambda: link.connection is not None)
    yield link
    await ended(running)


@pytest.fixture
def lane(link: NatsLink) -> Lane:
    return Lane(link, subjects.JOBS_EMBED, "search-embedding", subjects.DEAD_EMBED)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def put(client: Client, *payloads: object, subject: str = subjects.JOBS_EMBED) -> None:
    for payload in payloads:
        await client.jetstream().publish(subject, str(payload).encode())


async def parked(client: Client) -> list[thumbnail_pb2.DeadJob]:
    stream = client.jetstream()
    count = (await stream.stream_info(subjects.DEAD_STREAM)).state.messages
    messages = [await stream.get_msg(subjects.DEAD_STREAM, seq=number + 1) for number in range(count)]
    assert {message.subject for message in messages} <= {subjects.DEAD_EMBED}
    return [thumbnail_pb2.DeadJob.FromString(message.data or b"") for message in messages]


async def test_jobs_come_many_at_a_time_and_are_gone_when_they_are_done(client: Client, lane: Lane) -> None:
    await put(client, *range(1, 26))
    assert await lane.waiting() == Waiting(25, 0, 0)
    jobs = [*await lane.fetch(10, 2)]
    assert [job.item_id for job in jobs] == [*range(1, 11)]
    assert {job.deliveries for job in jobs} == {1}
    assert await lane.waiting() == Waiting(15, 10, 0)
    jobs += [*await lane.fetch(10, 2), *await lane.fetch(10, 2)]
    assert len(jobs) == 25
    for job in jobs:
        await job.done()
    await until_waiting(lane, Waiting())
    assert (await client.jetstream().stream_info(subjects.JOBS_STREAM)).state.messages == 0


async def until_waiting(lane: Lane, meant: Waiting) -> None:
    async with asyncio.timeout(10):
        while await lane.waiting() != meant:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_one_job_comes_at_once_though_many_are_asked_for(client: Client, lane: Lane) -> None:
    fetching = asyncio.create_task(lane.fetch(500, 5))
    await asyncio.sleep(0.2)
    await put(client, 7)
    async with asyncio.timeout(1):
        [job] = await fetching
    assert job.item_id == 7


async def test_a_job_that_is_put_back_comes_again_and_counts(client: Client, lane: Lane) -> None:
    await put(client, 7)
    [job] = await lane.fetch(5, 2)
    await job.again(0)
    [job] = await lane.fetch(5, 2)
    assert job.deliveries == 2
    await job.working()
    await job.again(0.3)
    assert await lane.fetch(5, 0.1) == []
    [job] = await lane.fetch(5, 2)
    assert job.deliveries == 3


async def test_a_parked_job_lies_with_the_dead_with_its_reason_and_path(client: Client, lane: Lane) -> None:
    await put(client, 7)
    [job] = await lane.fetch(5, 2)
    await job.park("It cannot be read.", b"/photos/\xff.jpg")
    [dead] = await parked(client)
    assert (dead.queue, dead.payload, dead.path) == ("embed", b"7", b"/photos/\xff.jpg")
    assert dead.reason == "It cannot be read."
    await until_waiting(lane, Waiting(dead=1))


@pytest.mark.parametrize("payload", ["", "-1", "7.0", "x", "9" * 20, "\N{ARABIC-INDIC DIGIT SEVEN}"])
async def test_what_is_no_job_is_parked_and_holds_nobody_up(payload: str, client: Client, lane: Lane) -> None:
    await put(client, payload, 8)
    jobs: list[NatsJob] = []
    async with asyncio.timeout(10):
        while not jobs:
            jobs += await lane.fetch(5, 1)
    assert [job.item_id for job in jobs] == [8]
    [dead] = await parked(client)
    assert dead.reason == "The job cannot be read."


async def test_the_quick_lane_does_not_wait_for_the_long_one(client: Client, link: NatsLink, lane: Lane) -> None:
    await put(client, *range(1000))
    assert len(await lane.fetch(32, 2)) == 32
    quick = Lane(link, subjects.JOBS_FACTS, "search-changes")
    await put(client, 5, subject=subjects.JOBS_FACTS)
    async with asyncio.timeout(1):
        [job] = await quick.fetch(500, 2)
    await job.done()


async def test_without_nats_there_are_no_jobs_and_with_it_they_go_on(
    nats: NatsServer, client: Client, link: NatsLink, lane: Lane
) -> None:
    await put(client, 1, 2)
    [first, second] = await lane.fetch(2, 2)
    nats.stop(9)
    await until(lambda: link.connection is None)
    with pytest.raises(OSError, match="away"):
        await lane.fetch(2, 0.1)
    assert await lane.waiting() == Waiting()
    nats.start()
    await until(lambda: link.connection is not None and client.is_connected)
    await first.done()
    await put(client, 3)
    found: set[int] = set()
    async with asyncio.timeout(20):
        while 3 not in found:
            try:
                found |= {job.item_id for job in await lane.fetch(5, 1)}
            except OSError:
                await asyncio.sleep(0.1)
    await second.done()


async def test_while_nats_hangs_the_queue_is_told_in_time_as_it_was_last(
    nats: NatsServer, client: Client, lane: Lane
) -> None:
    await put(client, 1, 2)
    await lane.fetch(1, 2)
    assert await lane.waiting() == Waiting(1, 1, 0)
    assert nats._process is not None
    nats._process.send_signal(signal.SIGSTOP)
    try:
        async with asyncio.timeout(0.9):  # the gateway waits a second
            assert await lane.waiting() == Waiting(1, 1, 0)
    finally:
        nats._process.send_signal(signal.SIGCONT)
    await put(client, 3)
    await until_waiting(lane, Waiting(2, 1, 0))


async def test_a_consumer_that_somebody_removed_is_made_again(client: Client, lane: Lane) -> None:
    assert await lane.fetch(5, 0.1) == []
    await client.jetstream().delete_consumer(subjects.JOBS_STREAM, "search-embedding")
    await put(client, 7)
    async with asyncio.timeout(20):
        while True:
            try:
                if jobs := await lane.fetch(5, 1):
                    break
            except OSError:
                await asyncio.sleep(0.1)
    assert jobs[0].item_id == 7


async def test_a_job_is_a_part_of_the_trace_that_asked_for_it_from_its_fetch_to_its_end(
    client: Client, link: NatsLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    traces = [f"{number:032x}" for number in (1, 2, 3)]
    for number, trace in enumerate(traces):
        header = {"traceparent": f"00-{trace}-00f067aa0ba902b7-01"}
        await client.jetstream().publish(subjects.JOBS_EMBED, b"%d" % number, headers=header)
    await put(client, "no number")
    with otlp_receiver() as receiver:
        for name, value in receiver.environment.items():
            monkeypatch.setenv(name, value)
        async with traced("search-service", PublicSettings()) as spans:
            assert spans is not None
            lane = Lane(link, subjects.JOBS_EMBED, "search-embedding", subjects.DEAD_EMBED, spans)
            done, later, bad = await lane.fetch(10, 2)
            await asyncio.sleep(0.2)
            assert [span.name for span in receiver.spans] == ["process jobs.embed"], (
                "but for what is no job, none ended"
            )
            await done.done()
            await later.again(60)
            await bad.park("It cannot be read.", b"")
            await bad.again(0)  # as when parking was cut: it has ended once
    told = {span.trace_id: span for span in receiver.spans}
    assert {trace: told[trace].failed for trace in traces} == dict(zip(traces, (False, True, True), strict=True))
    assert {told[trace].parent_id for trace in traces} == {"00f067aa0ba902b7"}
    assert {told[trace].attributes["messaging.nats.deliveries"] for trace in traces} == {1}
    assert len(receiver.spans) == 4
