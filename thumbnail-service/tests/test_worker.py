"""The worker on a real nats-server: every way a message can end, workers side by side, servers that come and go."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import psutil
import pytest
from media_common import subjects
from media_common.blobs.folder import FolderStore
from media_common.testing import NatsServer
from media_proto import thumbnail_pb2
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.api import StreamConfig
from thumbnail_service.blob_renders import BlobRenders
from thumbnail_service.domain.jobs import Job, Outcome, Result
from thumbnail_service.render_process import RenderDied, RenderProcess
from thumbnail_service.renders import Renders
from thumbnail_service.testing import opened, save_photo
from thumbnail_service.worker import Worker

MakeProcess = Callable[..., RenderProcess]
StartWorker = Callable[..., Renders]
ACK_WAIT_S = 1.5


@pytest.fixture
async def start_worker(nats: NatsServer, make_process: MakeProcess, tmp_path: Path) -> AsyncIterator[StartWorker]:
    """Workers in this process, with real render processes unless given another."""
    async with AsyncExitStack() as ends:

        def start(process: RenderProcess | None = None, grace_s: float = 5.0) -> Renders:
            renders = Renders([process or make_process()], idle_s=60)
            stop = asyncio.Event()

            async def on_connection(_: bool) -> None: ...

            worker = Worker(
                nats.url,
                renders,
                BlobRenders(FolderStore(tmp_path / "blobs"), renders),
                concurrency=1,
                ack_wait_s=ACK_WAIT_S,
                stop_grace_s=grace_s,
                on_connection=on_connection,
            )
            running = asyncio.create_task(worker.run(stop))

            async def end() -> None:
                stop.set()
                await running
                await renders.close()

            ends.push_async_callback(end)
            return renders

        yield start


class ScriptedProcess(RenderProcess):
    """Does what the test says instead of rendering."""

    def __init__(self, *script: Outcome | RenderDied, hold_s: float = 0.0) -> None:
        self.script = list(script)
        self.calls: list[bytes] = []
        self.hold_s = hold_s

    async def make(self, job: Job) -> Outcome:
        self.calls.append(job.relative)
        await asyncio.sleep(self.hold_s)
        step = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(step, RenderDied):
            raise step
        return step

    async def stand_in(self, job: Job) -> bytes:
        return b"placeholder"

    async def stop(self) -> None: ...


MADE = Outcome(Result.MADE, b"png")


def request_for(path: Path, size_px: int = 128) -> bytes:
    return thumbnail_pb2.RenderRequest(
        root=os.fsencode(path.parent), relative_path=os.fsencode(path.name), size_px=size_px
    ).SerializeToString()


async def until(condition: Callable[[], object | Awaitable[object]], limit_s: float = 20.0) -> None:
    """Look until it is so: what is waited for is a file or a server's state, which has no event."""
    async with asyncio.timeout(limit_s):
        while True:
            result = condition()
            if await result if isinstance(result, Awaitable) else result:
                return
            await asyncio.sleep(0.02)


async def queue(client: Client) -> tuple[int, int]:
    """Jobs in the queue, parked ones."""
    stream = client.jetstream()
    jobs = await stream.stream_info(subjects.JOBS_STREAM)
    dead = await stream.stream_info(subjects.DEAD_STREAM)
    return jobs.state.messages, dead.state.messages


async def until_queue_is(client: Client, jobs: int, dead: int, limit_s: float = 20.0) -> None:
    async def is_so() -> bool:
        return await queue(client) == (jobs, dead)

    await until(is_so, limit_s)


async def dead_jobs(client: Client) -> list[thumbnail_pb2.DeadJob]:
    stream = client.jetstream()
    count = (await stream.stream_info(subjects.DEAD_STREAM)).state.messages
    messages = [await stream.get_msg(subjects.DEAD_STREAM, seq=number + 1) for number in range(count)]
    return [thumbnail_pb2.DeadJob.FromString(message.data or b"") for message in messages]


async def asked(
    client: Client, payload: bytes, headers: dict[str, str] | None = None, limit_s: float = 20.0
) -> list[thumbnail_pb2.RenderReply]:
    """All replies up to the last. Asks again for as long as no worker listens yet."""
    inbox = client.new_inbox()
    subscription = await client.subscribe(inbox)
    replies: list[thumbnail_pb2.RenderReply] = []
    async with asyncio.timeout(limit_s):
        await client.publish(subjects.RENDER, payload, reply=inbox, headers=headers)
        while not replies or replies[-1].working:
            message = await subscription.next_msg(limit_s)
            if not message.data and message.headers:
                await asyncio.sleep(0.05)
                await client.publish(subjects.RENDER, payload, reply=inbox, headers=headers)
            else:
                replies.append(thumbnail_pb2.RenderReply.FromString(message.data))
    await subscription.unsubscribe()
    return replies


def thumbnails(root: Path) -> list[Path]:
    return list((root / ".thumbnails").rglob("*.png"))


# ---- requests ----


async def test_a_request_is_answered_with_the_picture_and_stores_it(
    client: Client, start_worker: StartWorker, tmp_path: Path
) -> None:
    renders = start_worker()
    photo = save_photo(tmp_path / "root" / "a.jpg")
    first = (await asked(client, request_for(photo)))[-1]
    assert opened(first.png).size == (128, 128)
    assert [path.read_bytes() for path in thumbnails(photo.parent)] == [first.png]
    assert (await asked(client, request_for(photo)))[-1].png == first.png
    assert (renders.figures.rendered, renders.figures.cached) == (1, 1)


async def test_a_broken_file_is_answered_with_a_placeholder_and_the_reason(
    client: Client, start_worker: StartWorker, tmp_path: Path
) -> None:
    start_worker()
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8\xff broken")
    reply = (await asked(client, request_for(tmp_path / "a.jpg")))[-1]
    assert reply.placeholder
    assert reply.reason
    assert opened(reply.png).size == (128, 128)
    assert thumbnails(tmp_path) == []


async def test_a_missing_file_and_a_missing_root_are_told_apart(
    client: Client, start_worker: StartWorker, tmp_path: Path
) -> None:
    start_worker()
    gone = (await asked(client, request_for(tmp_path / "a.jpg")))[-1]
    assert (gone.gone, gone.png, gone.placeholder) == (True, b"", False)
    unreachable = (await asked(client, request_for(tmp_path / "no" / "a.jpg")))[-1]
    assert (unreachable.gone, unreachable.png, unreachable.placeholder) == (False, b"", False)
    assert unreachable.reason


@pytest.mark.parametrize("payload", [b"", b"\xff\xff\xff", b"\x0a\x05/root\x12\x02..\x18\x80\x01"])
async def test_what_is_no_request_gets_an_answer_all_the_same(
    payload: bytes, client: Client, start_worker: StartWorker
) -> None:
    start_worker()
    reply = (await asked(client, payload))[-1]
    assert (reply.png, reply.gone, bool(reply.reason)) == (b"", False, True)


async def test_a_request_under_way_says_so_every_second(client: Client, start_worker: StartWorker) -> None:
    start_worker(ScriptedProcess(MADE, hold_s=2.5))
    replies = await asked(client, request_for(Path("/r/a.jpg")))
    assert [reply.working for reply in replies] == [True, True, False]


async def test_a_render_that_dies_gives_a_placeholder(client: Client, start_worker: StartWorker) -> None:
    start_worker(ScriptedProcess(RenderDied("It died.")))
    reply = (await asked(client, request_for(Path("/r/a.jpg"))))[-1]
    assert (reply.png, reply.placeholder, reply.reason) == (b"placeholder", True, "It died.")


async def test_a_request_past_its_deadline_is_dropped_unrendered(client: Client, start_worker: StartWorker) -> None:
    process = ScriptedProcess(MADE)
    start_worker(process)
    await asked(client, request_for(Path("/r/first.jpg")))
    late = {subjects.DEADLINE_HEADER: f"{time.time() - 1:.3f}"}
    with pytest.raises(TimeoutError):
        await asked(client, request_for(Path("/r/late.jpg")), late, limit_s=0.5)
    assert process.calls == [b"first.jpg"]


async def test_many_asking_for_one_thumbnail_make_one_render(client: Client, start_worker: StartWorker) -> None:
    process = ScriptedProcess(MADE, hold_s=0.3)
    start_worker(process)
    await asked(client, request_for(Path("/r/first.jpg")))
    replies = await asyncio.gather(*(asked(client, request_for(Path("/r/a.jpg"))) for _ in range(20)))
    assert {reply[-1].png for reply in replies} == {b"png"}
    assert process.calls == [b"first.jpg", b"a.jpg"]


async def test_a_request_waits_for_no_more_than_the_background_render_in_hand(
    client: Client, start_worker: StartWorker
) -> None:
    process = ScriptedProcess(MADE, hold_s=0.2)
    for number in range(10):
        await client.jetstream().publish(subjects.JOBS_THUMBNAIL, request_for(Path(f"/r/{number}.jpg")))
    start_worker(process)
    await until(lambda: len(process.calls) >= 2)
    began = len(process.calls)
    await asked(client, request_for(Path("/r/now.jpg")))
    assert process.calls.index(b"now.jpg") <= began + 1
    await until_queue_is(client, 0, 0)


async def test_a_ping_is_answered(client: Client, start_worker: StartWorker) -> None:
    start_worker(ScriptedProcess(MADE))
    await asked(client, request_for(Path("/r/a.jpg")))
    assert (await client.request(subjects.PING, b"", timeout=2)).data == b"ok"


# ---- background jobs: ack, nak, park ----


async def test_a_background_job_is_done_and_leaves_the_queue(
    client: Client, start_worker: StartWorker, tmp_path: Path
) -> None:
    for number in range(5):
        photo = save_photo(tmp_path / "root" / f"{number}.jpg")
        await client.jetstream().publish(subjects.JOBS_THUMBNAIL, request_for(photo, 256))
    start_worker()
    await until_queue_is(client, 0, 0)
    assert len(thumbnails(tmp_path / "root")) == 5


async def test_jobs_that_are_held_back_wait_and_what_somebody_asks_for_does_not(
    client: Client, start_worker: StartWorker
) -> None:
    stream = client.jetstream()
    kept = StreamConfig(name=subjects.HOLDS_STREAM, subjects=[subjects.HOLD_THUMBNAIL], max_msgs_per_subject=1)
    await stream.add_stream(kept)
    await stream.publish(subjects.HOLD_THUMBNAIL, subjects.HELD)
    for number in range(5):
        await stream.publish(subjects.JOBS_THUMBNAIL, request_for(Path(f"/r/{number}.jpg")))
    process = ScriptedProcess(MADE)
    start_worker(process)
    await asked(client, request_for(Path("/r/looked-at.jpg")))
    await asyncio.sleep(0.5)
    assert process.calls == [b"looked-at.jpg"]
    assert await queue(client) == (5, 0)
    await stream.publish(subjects.HOLD_THUMBNAIL, subjects.LET_GO)
    await until_queue_is(client, 0, 0)
    assert len(process.calls) == 6


async def test_a_job_for_a_file_that_is_gone_is_nothing_to_do(
    client: Client, start_worker: StartWorker, tmp_path: Path
) -> None:
    start_worker()
    await client.jetstream().publish(subjects.JOBS_THUMBNAIL, request_for(tmp_path / "gone.jpg"))
    await until_queue_is(client, 0, 0)


async def test_an_undecodable_file_is_parked_at_once_with_the_reason(
    client: Client, start_worker: StartWorker, tmp_path: Path
) -> None:
    start_worker()
    (tmp_path / "a.jpg").write_bytes(b"nothing")
    payload = request_for(tmp_path / "a.jpg")
    await client.jetstream().publish(subjects.JOBS_THUMBNAIL, payload)
    await until_queue_is(client, 0, 1)
    (dead,) = await dead_jobs(client)
    assert (dead.queue, dead.payload, dead.path) == ("thumbnail", payload, os.fsencode(tmp_path / "a.jpg"))
    assert "cannot be decoded" in dead.reason


async def test_a_malformed_job_is_parked(client: Client, start_worker: StartWorker) -> None:
    start_worker(ScriptedProcess(MADE))
    await client.jetstream().publish(subjects.JOBS_THUMBNAIL, b"\xff\xff")
    await until_queue_is(client, 0, 1)
    assert (await dead_jobs(client))[0].payload == b"\xff\xff"


@pytest.mark.parametrize("trouble", [RenderDied("It hung."), Outcome(Result.UNSTORED, b"png", "No room.")])
async def test_what_may_pass_is_tried_again(
    trouble: Outcome | RenderDied, client: Client, start_worker: StartWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("thumbnail_service.domain.jobs._FIRST_PAUSE_S", 0.05)
    process = ScriptedProcess(trouble, trouble, MADE)
    start_worker(process)
    await client.jetstream().publish(subjects.JOBS_THUMBNAIL, request_for(Path("/r/a.jpg")))
    await until_queue_is(client, 0, 0)
    assert process.calls == [b"a.jpg"] * 3


async def test_what_does_not_pass_is_parked_after_the_last_delivery(
    client: Client, start_worker: StartWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("thumbnail_service.domain.jobs._FIRST_PAUSE_S", 0.05)
    process = ScriptedProcess(RenderDied("It hung."))
    start_worker(process)
    await client.jetstream().publish(subjects.JOBS_THUMBNAIL, request_for(Path("/r/a.jpg")))
    await until_queue_is(client, 0, 1)
    assert len(process.calls) == subjects.MAX_DELIVERIES
    assert (await dead_jobs(client))[0].reason == "It hung. It was tried 5 times."


async def test_a_job_that_killed_every_worker_is_parked_unrendered(client: Client, start_worker: StartWorker) -> None:
    stream = client.jetstream()
    await stream.add_consumer(
        subjects.JOBS_STREAM,
        durable_name=subjects.THUMBNAIL_CONSUMER,
        filter_subject=subjects.JOBS_THUMBNAIL,
        ack_wait=0.1,
        max_deliver=-1,
    )
    await stream.publish(subjects.JOBS_THUMBNAIL, request_for(Path("/r/a.jpg")))
    # Every delivery goes to a worker that takes it and is never heard of again.
    vanishing = await stream.pull_subscribe_bind(subjects.THUMBNAIL_CONSUMER, subjects.JOBS_STREAM)
    for _ in range(subjects.MAX_DELIVERIES):
        await vanishing.fetch(1, timeout=5)
    await vanishing.unsubscribe()
    process = ScriptedProcess(MADE)
    start_worker(process)
    await until_queue_is(client, 0, 1)
    assert process.calls == []
    (dead,) = await dead_jobs(client)
    assert (dead.path, dead.reason) == (b"/r/a.jpg", "It was given out 5 times and never finished.")


@pytest.mark.parametrize("brought", [0, 2])
async def test_a_fetch_may_bring_none_or_two(
    client: Client, start_worker: StartWorker, monkeypatch: pytest.MonkeyPatch, brought: int
) -> None:
    """The client library may return an empty list where it mostly raises TimeoutError, or one job too many."""
    fetch = JetStreamContext.PullSubscription.fetch
    odd = 0

    async def once_odd(
        self: JetStreamContext.PullSubscription,
        batch: int = 1,
        timeout: float | None = 5,  # noqa: ASYNC109 - as the library has it
    ) -> list[Msg]:
        nonlocal odd
        odd += 1
        return await fetch(self, batch, timeout) if odd > 1 else await fetch(self, 2, timeout) if brought else []

    monkeypatch.setattr(JetStreamContext.PullSubscription, "fetch", once_odd)
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        await client.jetstream().publish(subjects.JOBS_THUMBNAIL, request_for(Path("/r") / name))
    process = ScriptedProcess(MADE)
    start_worker(process)
    await until_queue_is(client, 0, 0)
    assert sorted(process.calls) == [b"a.jpg", b"b.jpg", b"c.jpg"]


async def test_a_long_render_keeps_its_job(client: Client, start_worker: StartWorker) -> None:
    process = ScriptedProcess(MADE, hold_s=ACK_WAIT_S * 2.5)
    start_worker(process)
    await client.jetstream().publish(subjects.JOBS_THUMBNAIL, request_for(Path("/r/a.jpg")))
    await until_queue_is(client, 0, 0)
    assert process.calls == [b"a.jpg"]


async def test_a_job_is_not_parked_while_there_is_no_place_to_park_it(
    client: Client, start_worker: StartWorker
) -> None:
    stream = client.jetstream()
    await stream.delete_stream(subjects.DEAD_STREAM)
    process = ScriptedProcess(Outcome(Result.UNREADABLE, b"placeholder", "Broken."))
    start_worker(process)
    await stream.publish(subjects.JOBS_THUMBNAIL, request_for(Path("/r/a.jpg")))
    await until(lambda: process.calls)
    await asyncio.sleep(0.3)
    assert (await stream.stream_info(subjects.JOBS_STREAM)).state.messages == 1


# ---- stopping, dying, side by side ----


async def test_a_stopping_worker_gives_back_what_it_cannot_finish(
    nats: NatsServer, client: Client, start_worker: StartWorker, tmp_path: Path
) -> None:
    process = ScriptedProcess(MADE, hold_s=60)
    slow = Renders([process], idle_s=60)
    stop = asyncio.Event()

    async def on_connection(_: bool) -> None: ...

    blobs = BlobRenders(FolderStore(tmp_path / "blobs"), slow)
    worker = Worker(nats.url, slow, blobs, concurrency=1, ack_wait_s=30, stop_grace_s=0.2, on_connection=on_connection)
    running = asyncio.create_task(worker.run(stop))
    await client.jetstream().publish(subjects.JOBS_THUMBNAIL, request_for(Path("/r/a.jpg")))
    await until(lambda: process.calls)
    stop.set()
    async with asyncio.timeout(5):
        await running
    await slow.close()
    start_worker(ScriptedProcess(MADE))
    await until_queue_is(client, 0, 0, limit_s=5)  # not after 30 s


async def test_two_workers_share_the_queue(client: Client, start_worker: StartWorker) -> None:
    processes = [ScriptedProcess(MADE, hold_s=0.05) for _ in range(2)]
    for process in processes:
        start_worker(process)
    for number in range(40):
        await client.jetstream().publish(subjects.JOBS_THUMBNAIL, request_for(Path(f"/r/{number}.jpg")))
    await until_queue_is(client, 0, 0)
    done = [process.calls for process in processes]
    assert sorted(done[0] + done[1]) == sorted(b"%d.jpg" % number for number in range(40))
    assert min(map(len, done)) >= 10


@asynccontextmanager
async def worker_process(url: str, **settings: str) -> AsyncIterator[psutil.Popen]:
    environment = {"PATH": os.environ["PATH"], "NATS_URL": url, "THUMBNAIL_ACK_WAIT_S": str(ACK_WAIT_S), **settings}
    # Not asyncio's: it would collect the exit code before the test can.
    process = psutil.Popen([sys.executable, "-m", "thumbnail_service"], env=environment)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        await asyncio.to_thread(process.wait)


async def test_a_worker_killed_in_the_middle_of_a_job_loses_nothing(
    nats: NatsServer, client: Client, tmp_path: Path
) -> None:
    root = tmp_path / "root"
    async with worker_process(nats.url) as worker:
        await asked(client, request_for(save_photo(root / "first.jpg")))
        (render,) = worker.children()
        render.suspend()  # it is now in the middle of whatever it gets next
        for number in range(4):
            await client.jetstream().publish(subjects.JOBS_THUMBNAIL, request_for(save_photo(root / f"{number}.jpg")))

        async def in_hand() -> int:
            info = await client.jetstream().consumer_info(subjects.JOBS_STREAM, subjects.THUMBNAIL_CONSUMER)
            return info.num_ack_pending or 0

        await until(in_hand)
        worker.kill()
        psutil.wait_procs([worker, render], timeout=5)
        assert not render.is_running()
    assert len(thumbnails(root)) == 1
    async with worker_process(nats.url):
        await until_queue_is(client, 0, 0)
    assert len(thumbnails(root)) == 5
    assert all(opened(path.read_bytes()).size == (128, 128) for path in thumbnails(root))


async def test_a_worker_told_to_stop_ends_cleanly_and_soon(nats: NatsServer, client: Client, tmp_path: Path) -> None:
    async with worker_process(nats.url) as worker:
        await asked(client, request_for(save_photo(tmp_path / "a.jpg")))
        began = time.monotonic()
        worker.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(worker.wait, 10) == 0
        assert time.monotonic() - began < 5


async def test_nats_killed_and_started_again_is_found_again(
    nats: NatsServer, client: Client, start_worker: StartWorker
) -> None:
    process = ScriptedProcess(MADE)
    start_worker(process)
    await asked(client, request_for(Path("/r/1.jpg")))
    await asyncio.to_thread(nats.restart)
    await until(lambda: client.is_connected)
    await asked(client, request_for(Path("/r/2.jpg")))
    await client.jetstream().publish(subjects.JOBS_THUMBNAIL, request_for(Path("/r/3.jpg")))
    await until_queue_is(client, 0, 0)
    assert process.calls == [b"1.jpg", b"2.jpg", b"3.jpg"]


async def test_a_worker_waits_for_streams_that_are_not_there_yet_and_makes_a_lost_consumer_again(
    client: Client, start_worker: StartWorker
) -> None:
    stream = client.jetstream()
    await stream.delete_stream(subjects.JOBS_STREAM)
    process = ScriptedProcess(MADE)
    start_worker(process)
    await asked(client, request_for(Path("/r/1.jpg")))
    await stream.add_stream(name=subjects.JOBS_STREAM, subjects=[subjects.JOBS_THUMBNAIL])
    await stream.publish(subjects.JOBS_THUMBNAIL, request_for(Path("/r/2.jpg")))
    await until(lambda: b"2.jpg" in process.calls)
    await stream.delete_consumer(subjects.JOBS_STREAM, subjects.THUMBNAIL_CONSUMER)
    await stream.publish(subjects.JOBS_THUMBNAIL, request_for(Path("/r/3.jpg")))
    await until(lambda: b"3.jpg" in process.calls)


async def test_a_worker_started_before_nats_works_when_nats_comes(
    nats: NatsServer, client: Client, start_worker: StartWorker
) -> None:
    nats.stop()
    start_worker(ScriptedProcess(MADE))
    await asyncio.sleep(0.3)
    nats.start()
    await until(lambda: client.is_connected)
    assert (await asked(client, request_for(Path("/r/1.jpg"))))[-1].png == b"png"
