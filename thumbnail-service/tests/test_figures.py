"""What a worker tells Prometheus: the ends of real jobs, from a real queue to the text of a scrape."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from media_common import subjects
from media_common.testing import NatsServer, free_port, scraped
from media_proto import thumbnail_pb2
from nats.aio.client import Client
from thumbnail_service.testing import save_photo


@pytest.fixture
def listen() -> str:
    return f"127.0.0.1:{free_port()}"


@asynccontextmanager
async def worker(nats: NatsServer, folder: Path, listen: str) -> AsyncIterator[None]:
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        "NATS_URL": nats.url,
        "THUMBNAIL_LISTEN": f"unix:{folder}/t.sock",
        "THUMBNAIL_ACK_WAIT_S": "1",
        "METRICS_LISTEN": listen,
    }
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "thumbnail_service", env=environment)
    try:
        yield
    finally:
        process.terminate()
        assert await process.wait() == 0


async def until(listen: str, true: Callable[[dict[str, float]], bool]) -> dict[str, float]:
    """The first scrape of which it holds."""
    async with asyncio.timeout(30):
        while True:
            try:
                samples = await scraped(listen)
            except OSError:  # it has not begun to listen
                samples = {}
            if samples and true(samples):
                return samples
            await asyncio.sleep(0.05)


async def put(client: Client, root: Path, name: str) -> None:
    job = thumbnail_pb2.RenderRequest(root=os.fsencode(root), relative_path=name.encode(), size_px=64)
    await client.jetstream().publish(subjects.JOBS_THUMBNAIL, job.SerializeToString())


async def test_renders_and_the_ends_of_jobs_are_counted(
    nats: NatsServer, client: Client, tmp_path: Path, listen: str
) -> None:
    save_photo(tmp_path / "a.jpg")
    (tmp_path / "broken.jpg").write_bytes(b"broken")
    async with worker(nats, tmp_path, listen):
        before = await until(listen, lambda told: "framewell_renders_total{result=made}" in told)
        assert before["framewell_renders_total{result=made}"] == 0
        assert before["framewell_thumbnail_jobs_total{end=dead}"] == 0
        for name in ("a.jpg", "broken.jpg", "gone.jpg"):
            await put(client, tmp_path, name)
        await put(client, tmp_path / "no-such-root", "a.jpg")  # a worker elsewhere might reach it: tried again
        after = await until(listen, lambda told: told["framewell_thumbnail_jobs_redelivered_total"] >= 1)
    counted = {name: value for name, value in after.items() if name.startswith("framewell_renders_total") and value}
    assert counted.pop("framewell_renders_total{result=unreachable}") >= 2
    assert counted == {
        "framewell_renders_total{result=made}": 1,
        "framewell_renders_total{result=unreadable}": 1,
        "framewell_renders_total{result=gone}": 1,
    }
    assert after["framewell_thumbnail_jobs_total{end=done}"] == 2
    assert after["framewell_thumbnail_jobs_total{end=dead}"] == 1
    assert after["framewell_thumbnail_jobs_total{end=again}"] >= 2
    assert after["framewell_render_seconds_count{kind=still}"] >= 5
    assert 0 < after["framewell_render_seconds_sum{kind=still}"] < 60
    assert after["process_resident_memory_bytes"] > 0


async def test_a_request_counts_as_a_render_and_not_as_a_job(
    nats: NatsServer, client: Client, tmp_path: Path, listen: str
) -> None:
    save_photo(tmp_path / "a.jpg")
    request = thumbnail_pb2.RenderRequest(root=os.fsencode(tmp_path), relative_path=b"a.jpg", size_px=64)
    async with worker(nats, tmp_path, listen):
        inbox = await client.subscribe(client.new_inbox())
        await until(listen, lambda told: True)
        async with asyncio.timeout(20):
            while True:
                await client.publish(subjects.RENDER, request.SerializeToString(), reply=inbox.subject)
                message = await inbox.next_msg(20)
                if message.data:  # nobody may have listened yet
                    break
        told = await until(listen, lambda told: told.get("framewell_renders_total{result=made}") == 1)
    assert told["framewell_thumbnail_jobs_total{end=done}"] == 0
