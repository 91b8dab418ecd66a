"""The follower on a real nats-server: it goes on reading, whatever a fetch brings."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from media_common import subjects
from media_common.testing import NatsServer, nats_server
from media_proto import fs_pb2
from metadata_service.follower import Follower
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.api import StreamConfig


@pytest.fixture
def nats(tmp_path: Path) -> Iterator[NatsServer]:
    with nats_server(tmp_path / "nats") as server:
        yield server


class Notebook:
    """What an indexer is told; `stumbles` of the calls fail with an error nobody foresaw."""

    def __init__(self, stumbles: int = 0) -> None:
        self.looked: list[bytes] = []
        self.asked: list[bytes | None] = []
        self._stumbles = stumbles

    async def look(self, named: Iterable[tuple[bytes, bytes]]) -> None:
        if self._stumbles:
            self._stumbles -= 1
            raise ValueError("an error nobody foresaw")
        self.looked += [path for _, path in named]

    async def ask(self, root: bytes | None) -> None:
        self.asked.append(root)


@asynccontextmanager
async def following(nats: NatsServer, notebook: Notebook) -> AsyncIterator[JetStreamContext]:
    client = Client()
    await client.connect(nats.url)
    stream = client.jetstream()
    await stream.add_stream(StreamConfig(name=subjects.MEDIA_STREAM, subjects=["media.>"]))
    task = asyncio.create_task(Follower(nats.url, notebook).run())
    try:
        yield stream
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await client.close()


async def tell(stream: JetStreamContext, path: bytes) -> None:
    await stream.publish("media.state", fs_pb2.MediaEvent(root=b"/r", path=path).SerializeToString())


async def until_looked(notebook: Notebook, path: bytes) -> None:
    async with asyncio.timeout(20):
        while path not in notebook.looked:  # noqa: ASYNC110 - what an indexer is told has no event
            await asyncio.sleep(0.02)


async def test_a_fetch_that_brings_nothing_ends_nothing(nats: NatsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client library may return an empty list where it mostly raises TimeoutError."""
    fetch = JetStreamContext.PullSubscription.fetch
    empty = 0

    async def now_and_then_nothing(
        self: JetStreamContext.PullSubscription,
        batch: int = 1,
        timeout: float | None = 5,  # noqa: ASYNC109 - as the library has it
    ) -> list[Msg]:
        nonlocal empty
        if empty < 3:
            empty += 1
            return []
        return await fetch(self, batch, timeout)

    monkeypatch.setattr(JetStreamContext.PullSubscription, "fetch", now_and_then_nothing)
    notebook = Notebook()
    async with following(nats, notebook) as stream:
        await tell(stream, b"/r/a.jpg")
        await until_looked(notebook, b"/r/a.jpg")
    assert empty == 3


async def test_every_file_that_an_event_names_is_looked_at(nats: NatsServer) -> None:
    notebook = Notebook()
    paths = [b"/r/%d.jpg" % number for number in range(60)]
    async with following(nats, notebook) as stream:
        event = fs_pb2.MediaEvent(root=b"/r", path=paths[0], more_paths=paths[1:])
        await stream.publish("media.gone", event.SerializeToString())
        await tell(stream, b"/r/last.jpg")
        await until_looked(notebook, b"/r/last.jpg")
    assert set(paths) <= set(notebook.looked)


async def test_an_error_nobody_foresaw_is_said_and_tried_again(
    nats: NatsServer, caplog: pytest.LogCaptureFixture
) -> None:
    notebook = Notebook(stumbles=1)
    async with following(nats, notebook) as stream:
        await tell(stream, b"/r/a.jpg")
        await until_looked(notebook, b"/r/a.jpg")
    assert "following events stumbles" in caplog.text


async def test_what_comes_after_idle_seconds_is_read(nats: NatsServer) -> None:
    notebook = Notebook()
    async with following(nats, notebook) as stream:
        for number in range(4):
            path = b"/r/%d.jpg" % number
            await tell(stream, path)
            await until_looked(notebook, path)
            await asyncio.sleep(1.05)  # longer than one fetch
    assert len(notebook.looked) == 4


async def test_before_it_has_looked_nobody_knows_what_waits(nats: NatsServer) -> None:
    assert Follower("", Notebook()).has_looked  # there is no queue to look at
    client = Client()
    await client.connect(nats.url)
    follower = Follower(nats.url, Notebook())
    task = asyncio.create_task(follower.run())  # the stream is not there yet, so neither is its reader
    try:
        await asyncio.sleep(0.3)
        assert not follower.has_looked
        stream = client.jetstream()
        await stream.add_stream(StreamConfig(name=subjects.MEDIA_STREAM, subjects=["media.>"]))
        async with asyncio.timeout(20):
            while not follower.has_looked:  # noqa: ASYNC110 - it has no event for it
                await asyncio.sleep(0.02)
        assert follower.waiting == 0
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await client.close()
