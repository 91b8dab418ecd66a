"""Jobs for search on a real nats-server: whatever happens to it, every change arrives, and what is quick goes first."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import nats
import pytest
from media_common import subjects
from media_common.tasks import ended
from media_common.testing import NatsServer, nats_server
from metadata_service.domain.media import Collection, Facts, FileSeen, Kind, Marks
from metadata_service.search_jobs import BATCH, SearchJobs
from metadata_service.store import indexing, media, search_jobs, tagging
from metadata_service.store.search_jobs import Lane
from metadata_service.store.sqlite import Catalogue, Database
from metadata_service.store.transaction import Transaction
from nats.js.api import RetentionPolicy, StreamConfig

STREAM = StreamConfig(
    subjects.JOBS_STREAM,
    subjects=[subjects.JOBS_EMBED, subjects.JOBS_FACTS],
    retention=RetentionPolicy.WORK_QUEUE,
    duplicate_window=300,
)


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[NatsServer]:
    with nats_server(tmp_path / "nats") as server:
        yield server


def add(txn: Transaction, collection: Collection, names: range) -> list[int]:
    seen = (FileSeen(b"a/%d.jpg" % name, Kind.IMAGE, Marks.NONE, Facts(size_bytes=1), name + 1) for name in names)
    return [media.upsert_file(txn, collection, one)[0] for one in seen]


def tag(txn: Transaction, collection: Collection, nodes: list[int], value: str) -> None:
    for node in nodes:
        tagging.add(txn, collection, node, "color", value)


@asynccontextmanager
async def at_work(url: str, catalogue: Catalogue, is_on: bool = True) -> AsyncIterator[SearchJobs]:
    jobs = SearchJobs(url, catalogue, is_on)
    running = asyncio.create_task(jobs.run())
    try:
        yield jobs
    finally:
        await ended(running)


@asynccontextmanager
async def library(folder: Path) -> AsyncIterator[tuple[Catalogue, Collection]]:
    async with Catalogue(Database(folder / "catalogue.db")) as catalogue:
        yield catalogue, await catalogue.write(indexing.collection_for, b"/r")


async def all_sent(jobs: SearchJobs) -> None:
    async with asyncio.timeout(30):
        while await jobs.unsent():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def make_stream(server: NatsServer) -> None:
    client = await nats.connect(server.url)
    await client.jetstream().add_stream(STREAM)
    await client.close()


async def queued(server: NatsServer) -> list[tuple[str, int]]:
    """Subject and item of every job, in order."""
    client = await nats.connect(server.url)
    stream = client.jetstream()
    last = (await stream.stream_info(subjects.JOBS_STREAM)).state.last_seq
    messages = [await stream.get_msg(subjects.JOBS_STREAM, number) for number in range(1, last + 1)]
    await client.close()
    return [(message.subject or "", int(message.data or b"")) for message in messages]


async def test_jobs_wait_until_there_is_a_queue_and_the_quick_ones_go_first(queue: NatsServer, tmp_path: Path) -> None:
    async with library(tmp_path) as (catalogue, collection):
        nodes = await catalogue.write(add, collection, range(2 * BATCH))
        await catalogue.write(tag, collection, nodes[-3:], "red")
        async with at_work(queue.url, catalogue) as jobs:
            assert await jobs.unsent() == 2 * BATCH + 3
            await make_stream(queue)
            await all_sent(jobs)
            assert (await queued(queue))[:3] == [(subjects.JOBS_FACTS, node) for node in nodes[-3:]]
            assert (await queued(queue))[3:] == [(subjects.JOBS_EMBED, node) for node in nodes]
            await catalogue.write(tag, collection, nodes[:1], "blue")
            await all_sent(jobs)
            assert (await queued(queue))[-1] == (subjects.JOBS_FACTS, nodes[0])


async def test_nothing_is_lost_or_doubled_while_the_queue_dies_again_and_again(
    queue: NatsServer, tmp_path: Path
) -> None:
    await make_stream(queue)
    async with library(tmp_path) as (catalogue, collection), at_work(queue.url, catalogue) as jobs:
        nodes: list[int] = []
        for number in range(3):
            nodes += await catalogue.write(add, collection, range(number * 700, (number + 1) * 700))
            await asyncio.to_thread(queue.stop, signal.SIGKILL)
            await catalogue.write(tag, collection, nodes[-5:], "red")
            await asyncio.to_thread(queue.start)
        await all_sent(jobs)
        told = Counter(await queued(queue))
    assert {node for subject, node in told if subject == subjects.JOBS_EMBED} == set(nodes)
    assert {node for subject, node in told if subject == subjects.JOBS_FACTS} >= set(nodes[-5:])
    assert set(told.values()) == {1}


async def test_what_changes_while_its_job_is_being_sent_is_sent_again(tmp_path: Path) -> None:
    database = Database(tmp_path / "catalogue.db")
    collection = database.write(indexing.collection_for, b"/r")
    nodes = database.write(add, collection, range(3))
    assert database.write(search_jobs.next_batch, Lane.EMBED, 2) == nodes[:2]
    again = FileSeen(b"a/0.jpg", Kind.IMAGE, Marks.NONE, Facts(size_bytes=2), 1)
    database.write(media.upsert_file, collection, again)
    database.close()
    database = Database(tmp_path / "catalogue.db")  # another process
    assert database.write(search_jobs.next_batch, Lane.EMBED, 2) == nodes[:2]
    assert database.write(search_jobs.next_batch, Lane.EMBED, 2, sent=True) == [nodes[0], nodes[2]]
    assert database.write(search_jobs.next_batch, Lane.EMBED, 2, sent=True) == []
    database.close()


async def test_without_an_encoder_nothing_is_sent_and_nothing_piles_up(queue: NatsServer, tmp_path: Path) -> None:
    await make_stream(queue)
    async with library(tmp_path) as (catalogue, collection):
        await catalogue.write(add, collection, range(10))
        async with at_work(queue.url, catalogue, is_on=False) as jobs, asyncio.timeout(20):
            assert await jobs.unsent() == 0
            while any([await catalogue.read(search_jobs.are_waiting, lane) for lane in Lane]):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
            assert await queued(queue) == []


async def test_jobs_go_on_after_what_nobody_expected(
    queue: NatsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make_stream(queue)
    taken, stumbled = search_jobs.next_batch, threading.Event()

    def stumbling(txn: Transaction, lane: Lane, most: int, sent: bool = False) -> list[int]:
        if not stumbled.is_set():
            stumbled.set()
            raise RuntimeError("of no kind that is expected")
        return taken(txn, lane, most, sent)

    monkeypatch.setattr(search_jobs, "next_batch", stumbling)
    async with library(tmp_path) as (catalogue, collection), at_work(queue.url, catalogue) as jobs:
        (node,) = await catalogue.write(add, collection, range(1))
        await all_sent(jobs)
        assert stumbled.is_set()
        assert await queued(queue) == [(subjects.JOBS_EMBED, node)]
