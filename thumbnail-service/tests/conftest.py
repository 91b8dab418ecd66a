"""Render processes with limits that a test can reach, and a real nats-server with the product's streams."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from media_common import subjects
from media_common.testing import NatsServer, nats_server
from nats.aio.client import Client
from nats.js.api import RetentionPolicy, StreamConfig
from thumbnail_service.config import render_environment
from thumbnail_service.domain.limits import Limits
from thumbnail_service.render_process import RenderProcess

MakeProcess = Callable[..., RenderProcess]


@pytest.fixture
async def make_process() -> AsyncIterator[MakeProcess]:
    """Render processes that end with the test."""
    async with AsyncExitStack() as ends:

        def make(limit_s: float = 20.0, memory_mb: int = 2048) -> RenderProcess:
            process = RenderProcess(render_environment(), memory_mb, Limits(), limit_s, limit_s)
            ends.push_async_callback(process.stop)
            return process

        yield make


@pytest.fixture
def nats(tmp_path: Path) -> Iterator[NatsServer]:
    with nats_server(tmp_path / "nats") as server:
        yield server


@pytest.fixture
async def client(nats: NatsServer) -> AsyncIterator[Client]:
    """A connection of the test's own, with the streams that the file service makes."""
    connection = Client()
    await connection.connect(nats.url, reconnect_time_wait=0.1, max_reconnect_attempts=-1)  # type: ignore[arg-type]
    await make_streams(connection)
    yield connection
    await connection.close()


async def make_streams(connection: Client) -> None:
    stream = connection.jetstream()
    jobs = StreamConfig(subjects.JOBS_STREAM, subjects=[subjects.JOBS_THUMBNAIL, subjects.JOBS_EMBED])
    jobs.retention = RetentionPolicy.WORK_QUEUE
    await stream.add_stream(jobs)
    await stream.add_stream(StreamConfig(subjects.DEAD_STREAM, subjects=["jobs.dead.>"]))
