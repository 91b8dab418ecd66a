"""Jobs become vectors: once each, in batches, whatever fails on the way."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import numpy as np
import pytest
from search_service.domain import embedding, points
from search_service.domain.embedding import Embedding, Item, Still
from search_service.domain.errors import EncoderUnavailable, StoreUnavailable, UnreadablePicture
from search_service.domain.filters import Has
from search_service.domain.points import Facts
from search_service.domain.vectors import Vector, unit
from search_service.vectors.memory import MemoryStore

DIMENSIONS = 4


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding, "_LATER_S", 0.01)


@dataclass(eq=False)
class FakeJob:
    queue: FakeQueue
    item_id: int
    deliveries: int = 1
    pings: int = 0

    async def done(self) -> None:
        self.queue.done.append(self.item_id)

    async def again(self, pause_s: float) -> None:
        self.queue.back.append(self.item_id)
        self.queue.put(self.item_id, self.deliveries + 1)

    async def park(self, reason: str) -> None:
        self.queue.parked[self.item_id] = reason

    async def working(self) -> None:
        self.pings += 1


class FakeQueue:
    """Implements `Jobs`."""

    def __init__(self) -> None:
        self.waiting: asyncio.Queue[FakeJob] = asyncio.Queue()
        self.done: list[int] = []
        self.back: list[int] = []
        self.parked: dict[int, str] = {}
        self.given: list[FakeJob] = []

    def put(self, item_id: int, deliveries: int = 1) -> None:
        self.waiting.put_nowait(FakeJob(self, item_id, deliveries))

    async def fetch(self, most: int, wait_s: float) -> list[FakeJob]:
        try:
            job = await asyncio.wait_for(self.waiting.get(), wait_s)
        except TimeoutError:
            return []
        self.given.append(job)
        return [job]


@dataclass
class FakeCatalogue:
    """Implements `Catalogue`; an item's picture is a number."""

    seals: dict[int, str] = field(default_factory=dict)
    frames: dict[int, int] = field(default_factory=dict)
    tags: dict[int, list[int]] = field(default_factory=dict)
    broken: set[int] = field(default_factory=set)
    has_vector: list[int] = field(default_factory=list)
    fails: int = 0

    async def item(self, item_id: int) -> Item[int] | None:
        if item_id not in self.seals:
            return None

        async def load() -> Sequence[Still[int]]:
            if item_id in self.broken:
                raise UnreadablePicture("That is no picture that can be read.")
            return [Still(float(frame), item_id * 100 + frame) for frame in range(self.frames.get(item_id, 1))]

        facts = Facts(item_id, 1, 4, True, tag_ids=self.tags.get(item_id, []), taken_us=7)
        return Item(facts, self.seals[item_id], load)

    async def point_ids(self, item_id: int, timestamps_s: Sequence[float]) -> Sequence[int]:
        if self.fails:
            self.fails -= 1
            raise KeyError("a bug")
        return [item_id + 10_000 * frame for frame in range(len(timestamps_s))]

    async def embedded(self, item_id: int) -> None:
        self.has_vector.append(item_id)


class FakeModel:
    """Implements `Model`."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.fails_with: list[Exception] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def images(self, batch: Sequence[int]) -> Vector:
        await self.gate.wait()
        if self.fails_with:
            raise self.fails_with.pop(0)
        self.batches.append(list(batch))
        return unit(np.array([[number, 1, 2, 3] for number in batch], np.float32))

    @property
    def seen(self) -> Counter[int]:
        return Counter(picture for batch in self.batches for picture in batch)


class Rig:
    def __init__(self, store: MemoryStore, **how: object) -> None:
        self.queue, self.catalogue, self.model, self.store = FakeQueue(), FakeCatalogue(), FakeModel(), store
        how = {"batch": 8, "longest_wait_s": 0.02} | how
        self.work: Embedding[int] = Embedding(self.queue, self.catalogue, self.model, store, "now", **how)  # type: ignore[arg-type]

    def add(self, *ids: int, seal: str = "first") -> None:
        for item_id in ids:
            self.catalogue.seals[item_id] = seal
            self.queue.put(item_id)

    async def until_settled(self, many: int) -> None:
        async with asyncio.timeout(20):
            while len(self.queue.done) + len(self.queue.parked) < many:  # noqa: ASYNC110
                await asyncio.sleep(0.005)

    async def points(self) -> dict[int, object]:
        ids = await self.store.ids("now")
        return {key: payload[embedding.SEAL] for key, payload in (await self.store.payloads("now", ids)).items()}


@asynccontextmanager
async def running(**how: object) -> AsyncIterator[Rig]:
    store = MemoryStore()
    await store.ensure("now", DIMENSIONS)
    rig = Rig(store, **how)
    task = asyncio.create_task(rig.work.run())
    yield rig
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_every_item_is_embedded_once_in_batches_and_done_when_its_vector_is_there() -> None:
    async with running() as rig:
        rig.model.gate.clear()
        rig.add(*range(1, 31))
        await asyncio.sleep(0.1)
        assert rig.queue.done == []
        rig.model.gate.set()
        await rig.until_settled(30)
        assert set(rig.model.seen.values()) == {1}
        assert set(await rig.points()) == set(range(1, 31))
        assert sorted(rig.catalogue.has_vector) == sorted(rig.queue.done) == [*range(1, 31)]
        assert max(len(batch) for batch in rig.model.batches) == 8
        assert len(rig.model.batches) <= 6
        assert (rig.work.counts.done, rig.work.counts.embedded, rig.work.counts.running) == (30, 30, 0)


async def test_a_single_item_does_not_wait_for_a_full_batch() -> None:
    async with running(batch=100, longest_wait_s=0.05) as rig:
        rig.add(1)
        await rig.until_settled(1)


async def test_what_did_not_change_is_not_embedded_again_but_its_tags_are_written() -> None:
    async with running() as rig:
        rig.add(1)
        await rig.until_settled(1)
        rig.catalogue.tags[1] = [5]
        rig.add(1)
        await rig.until_settled(2)
        assert rig.model.seen == {100: 1}
        assert await rig.store.ids("now", Has(points.TAGS, frozenset({5}))) == [1]
        rig.add(1, seal="second")
        await rig.until_settled(3)
        assert rig.model.seen == {100: 2}
        assert await rig.points() == {1: "second"}


async def test_a_video_has_a_vector_a_frame_and_loses_those_of_frames_that_are_gone() -> None:
    async with running() as rig:
        rig.catalogue.frames[3] = 4
        rig.add(3)
        await rig.until_settled(1)
        assert set(await rig.points()) == {3, 10_003, 20_003, 30_003}
        order = {key: payload[points.ORDER] for key, payload in (await rig.store.payloads("now", [3, 30_003])).items()}
        assert order == {3: 7, 30_003: 3_000_007}
        rig.add(3)  # only looked at again: the frames keep their time
        await rig.until_settled(2)
        assert (await rig.store.payloads("now", [30_003]))[30_003][points.ORDER] == 3_000_007
        rig.catalogue.frames[3] = 2
        rig.add(3, seal="second")
        await rig.until_settled(3)
        assert await rig.points() == {3: "second", 10_003: "second"}


async def test_an_item_that_is_gone_loses_its_vectors() -> None:
    async with running() as rig:
        rig.catalogue.frames[3] = 2
        rig.add(3, 4)
        await rig.until_settled(2)
        del rig.catalogue.seals[3]
        rig.queue.put(3)
        await rig.until_settled(3)
        assert set(await rig.points()) == {4}


async def test_a_picture_that_cannot_be_read_is_parked_with_its_reason_and_holds_nobody_up() -> None:
    async with running() as rig:
        rig.catalogue.broken.add(2)
        rig.catalogue.frames[5] = 0
        rig.add(1, 2, 3, 5)
        await rig.until_settled(4)
        assert rig.queue.parked == {2: "That is no picture that can be read.", 5: "There is no picture in it."}
        assert set(await rig.points()) == {1, 3}
        assert rig.work.counts.parked == 2


@pytest.mark.parametrize("failure", [EncoderUnavailable("No memory."), StoreUnavailable("Away."), OSError("cut")])
async def test_what_is_no_fault_of_the_items_puts_them_back_until_it_is_mended(failure: Exception) -> None:
    async with running() as rig:
        rig.model.fails_with = [failure] * 9
        rig.add(1, 2, 3)
        await rig.until_settled(3)
        assert not rig.queue.parked
        assert len(rig.queue.back) >= 9
        assert set(await rig.points()) == {1, 2, 3}


async def test_a_bug_is_tried_five_times_and_then_parked() -> None:
    async with running() as rig:
        rig.catalogue.fails = 5
        rig.add(1)
        await rig.until_settled(1)
        assert rig.queue.parked == {1: "It failed 5 times: KeyError."}
        rig.add(2)
        await rig.until_settled(2)
        assert set(await rig.points()) == {2}


async def test_held_back_it_takes_no_more_and_then_goes_on() -> None:
    async with running() as rig:
        rig.add(1)
        await rig.until_settled(1)
        rig.work.pause()
        assert rig.work.paused
        rig.add(*range(2, 20))
        await asyncio.sleep(0.1)
        assert len(rig.queue.done) <= 3  # what was being fetched already
        rig.work.go_on()
        await rig.until_settled(19)
        assert set(rig.model.seen.values()) == {1}


async def test_the_queue_hears_of_jobs_that_take_long() -> None:
    async with running(ping_s=0.01) as rig:
        rig.model.gate.clear()
        rig.add(1)
        async with asyncio.timeout(10):
            while not (rig.queue.given and rig.queue.given[0].pings > 2):  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        rig.model.gate.set()
        await rig.until_settled(1)


async def test_stopped_in_the_middle_everything_in_hand_goes_back_and_a_second_run_finishes_it() -> None:
    store = MemoryStore()
    await store.ensure("now", DIMENSIONS)
    rig = Rig(store)
    rig.add(*range(1, 40))
    rig.model.gate.clear()
    task = asyncio.create_task(rig.work.run())
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert rig.queue.back
    assert rig.queue.waiting.qsize() == 39
    rig.model.gate.set()
    second: Embedding[int] = Embedding(rig.queue, rig.catalogue, rig.model, store, "now", batch=8, longest_wait_s=0.02)
    task = asyncio.create_task(second.run())
    await rig.until_settled(39)
    task.cancel()
    assert set(rig.model.seen.values()) == {1}
    assert set(await rig.points()) == set(range(1, 40))
