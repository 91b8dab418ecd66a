"""Background thumbnails held back by hand: the word is kept beside the queue, and whoever looks is served."""

from __future__ import annotations

import asyncio
import logging

import pytest
from media_common import subjects
from media_common.testing import NatsServer
from nats.aio.client import Client
from nats.js.api import StreamConfig
from thumbnail_service.hold import Hold


@pytest.fixture
async def holds(client: Client) -> Client:
    """With the stream that the file service makes."""
    stream = StreamConfig(name=subjects.HOLDS_STREAM, subjects=[subjects.HOLD_THUMBNAIL], max_msgs_per_subject=1)
    await client.jetstream().add_stream(stream)
    return client


async def say(client: Client, word: bytes) -> None:
    await client.jetstream().publish(subjects.HOLD_THUMBNAIL, word)


async def test_without_a_word_jobs_pass(client: Client) -> None:
    """The stream is not made yet either."""
    async with asyncio.timeout(5):
        await Hold().passed(client.jetstream())


@pytest.mark.parametrize("word", [subjects.LET_GO, b"", b"a word of a later version"])
async def test_any_other_word_lets_jobs_pass(holds: Client, word: bytes) -> None:
    await say(holds, word)
    async with asyncio.timeout(5):
        await Hold().passed(holds.jetstream())


async def test_a_word_from_before_the_start_holds_until_the_next_one(holds: Client) -> None:
    await say(holds, subjects.LET_GO)
    await say(holds, subjects.HELD)
    hold = Hold()
    await hold.follow(holds)
    passing = asyncio.create_task(hold.passed(holds.jetstream()))
    done, _ = await asyncio.wait((passing,), timeout=0.5)
    assert not done
    assert hold.held
    await say(holds, subjects.LET_GO)
    async with asyncio.timeout(2):  # at once, not with the next look
        await passing


async def test_a_word_is_heard_while_jobs_pass(holds: Client) -> None:
    hold = Hold()
    await hold.follow(holds)
    await hold.passed(holds.jetstream())
    await say(holds, subjects.HELD)
    async with asyncio.timeout(5):
        while not hold.held:  # noqa: ASYNC110 - what is waited for is a message
            await asyncio.sleep(0.01)


async def test_a_word_that_was_missed_is_made_up_for(
    holds: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("thumbnail_service.hold._LOOK_S", 0.1)
    hold = Hold()  # hears nothing: it follows no connection
    await hold.passed(holds.jetstream())
    await say(holds, subjects.HELD)
    await asyncio.sleep(0.15)
    caplog.set_level(logging.INFO)
    passing = asyncio.create_task(hold.passed(holds.jetstream()))
    done, _ = await asyncio.wait((passing,), timeout=0.5)
    assert not done
    assert caplog.messages == ["background thumbnails are held back"]
    await say(holds, subjects.LET_GO)
    async with asyncio.timeout(5):
        await passing


async def test_it_outlasts_a_restart_of_the_server(nats: NatsServer, holds: Client) -> None:
    await say(holds, subjects.HELD)
    await holds.close()
    nats.stop()
    nats.start()
    later = Client()
    await later.connect(nats.url)
    try:
        last = await later.jetstream().get_last_msg(subjects.HOLDS_STREAM, subjects.HOLD_THUMBNAIL)
        assert last.data == subjects.HELD
    finally:
        await later.close()
