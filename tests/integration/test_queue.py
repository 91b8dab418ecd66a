"""Jobs on JetStream by our own code at both ends: what is published is done once, and outlives who had it in hand."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import psutil
import pytest
from fs_service.domain.ports import OutboxRow
from fs_service.nats_link import NatsLink
from fs_service.publisher import Publisher
from fs_service.testing import MemoryOutbox
from media import many
from media_common import subjects
from media_proto import thumbnail_pb2
from nats.aio.client import Client
from servers import Address

#: How long a worker may be silent about a job.
ACK_WAIT_S = 1.5


def rows(root: Path, paths: list[Path]) -> list[OutboxRow]:
    """That each was found, and that its thumbnail is to be made."""
    wanted = [(subject, path) for path in paths for subject in (subjects.MEDIA_FOUND, subjects.JOBS_THUMBNAIL)]
    return [
        OutboxRow(number, subject, os.fsencode(root), os.fsencode(path), inode=number)
        for number, (subject, path) in enumerate(wanted, 1)
    ]


async def publish(address: Address, given: list[OutboxRow]) -> None:
    """As fs-service does, until the server has all of them."""
    link, outbox = NatsLink(address.url), MemoryOutbox(given)
    async with link.running():
        publisher = Publisher(outbox, link, lambda root: b"/nowhere" + root, pregenerate=True)
        running = asyncio.create_task(publisher.run())
        await until(lambda: outbox.count() == 0)
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


@asynccontextmanager
async def worker(address: Address, folder: Path) -> AsyncIterator[psutil.Popen]:
    """A thumbnail worker as a process, killed at the end."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        "NATS_URL": address.url,
        "FRAMEWELL_STATE_DIR": str(folder / "state"),
        "THUMBNAIL_ACK_WAIT_S": str(ACK_WAIT_S),
    }
    # Not asyncio's: it would collect the exit code before the test can.
    process = psutil.Popen([sys.executable, "-m", "thumbnail_service"], env=environment)
    try:
        yield process
    finally:
        for one in (*process.children(recursive=True), process):
            with suppress(psutil.NoSuchProcess):
                one.kill()
        await asyncio.to_thread(process.wait)


async def until(holds: Callable[[], bool | Awaitable[bool]], limit_s: float = 30.0) -> None:
    """Look until it is so: what is waited for is a file or a server's state, which has no event."""
    async with asyncio.timeout(limit_s):
        while True:
            seen = holds()
            if await seen if isinstance(seen, Awaitable) else seen:
                return
            await asyncio.sleep(0.02)


async def waiting(client: Client) -> int:
    """Jobs that are not done."""
    return int((await client.jetstream().stream_info(subjects.JOBS_STREAM)).state.messages)


async def is_done(client: Client) -> bool:
    return await waiting(client) == 0


def thumbnails(root: Path) -> list[Path]:
    return list((root / ".thumbnails").rglob("*.png"))


async def test_what_is_found_is_published_in_order_and_its_thumbnail_is_made(
    queue: Address, client: Client, tmp_path: Path
) -> None:
    root = tmp_path / "photos"
    paths = many(root, 6)
    async with worker(queue, tmp_path):
        await publish(queue, rows(root, paths))
        await until(lambda: is_done(client))
    assert len(thumbnails(root)) == len(paths)
    stream = client.jetstream()
    assert (await stream.stream_info(subjects.MEDIA_STREAM)).state.messages == len(paths)
    first = await stream.get_msg(subjects.MEDIA_STREAM, seq=1)
    assert first.subject == subjects.MEDIA_FOUND
    assert os.fsencode(paths[0]) in (first.data or b"")


async def test_what_is_sent_again_because_the_answer_was_lost_is_kept_once(
    queue: Address, client: Client, tmp_path: Path
) -> None:
    given = rows(tmp_path, [tmp_path / f"{number}.jpg" for number in range(5)])
    for _ in range(2):
        await publish(queue, list(given))
    assert (await client.jetstream().stream_info(subjects.MEDIA_STREAM)).state.messages == 5
    assert await waiting(client) == 5


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "frozen"])
async def test_a_job_whose_worker_is_silent_for_too_long_goes_to_another(
    queue: Address, client: Client, tmp_path: Path, end: signal.Signals
) -> None:
    root = tmp_path / "photos"
    first, *rest = many(root, 5)
    stream = client.jetstream()

    async def in_hand() -> bool:
        told = await stream.consumer_info(subjects.JOBS_STREAM, subjects.THUMBNAIL_CONSUMER)
        return bool(told.num_ack_pending)

    async with worker(queue, tmp_path) as lost:
        await publish(queue, rows(root, [first]))
        await until(lambda: is_done(client))
        (render,) = lost.children()
        render.suspend()  # it is now in the middle of whatever it gets next
        for path in rest:
            job = thumbnail_pb2.RenderRequest(root=os.fsencode(root), relative_path=os.fsencode(path.name), size_px=256)
            await stream.publish(subjects.JOBS_THUMBNAIL, job.SerializeToString())
        await until(in_hand)
        lost.send_signal(end)
        assert len(thumbnails(root)) == 1
        async with worker(queue, tmp_path):
            await until(lambda: is_done(client))
        assert len(thumbnails(root)) == 5
    assert (await stream.stream_info(subjects.DEAD_STREAM)).state.messages == 0
