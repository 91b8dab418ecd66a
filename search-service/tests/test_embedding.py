"""Jobs become vectors: once each, in batches, whatever fails on the way."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import numpy as np
import pytest
from search_service.domain import agreement, embedding, points
from search_service.domain.agreement import Agreement, FactsLane
from search_service.domain.embedding import Embedding
from search_service.domain.errors import (
    CatalogueUnavailable,
    EncoderUnavailable,
    OriginalsUnavailable,
    OutOfReach,
    StoreUnavailable,
    UnreadablePicture,
)
from search_service.domain.filters import Has
from search_service.domain.items import Item, Still
from search_service.domain.objects import Box
from search_service.domain.points import Facts
from search_service.domain.vectors import Point, Vector, VectorStore, unit
from search_service.vectors.memory import MemoryStore

DIMENSIONS = 4


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding, "_LATER_S", 0.01)
    monkeypatch.setattr(embedding, "_FETCH_S", 0.02)
    monkeypatch.setattr(agreement, "_LATER_S", 0.01)


@dataclass(eq=False)
class FakeJob:
    queue: FakeQueue
    item_id: int
    deliveries: int = 1
    pings: int = 0

    async def done(self) -> None:
        self.queue.done.append(self.item_id)

    async def again(self, pause_s: float) -> None:
        if self.queue.stumbles:
            self.queue.stumbles -= 1
            raise KeyError("a bug")
        self.queue.back.append(self.item_id)
        self.queue.put(self.item_id, self.deliveries + 1)

    async def park(self, reason: str, path: bytes) -> None:
        self.queue.parked[self.item_id] = reason
        self.queue.paths[self.item_id] = path

    async def working(self) -> None:
        self.pings += 1


class FakeQueue:
    """Implements `Jobs`."""

    def __init__(self) -> None:
        self.waiting: asyncio.Queue[FakeJob] = asyncio.Queue()
        self.done: list[int] = []
        self.back: list[int] = []
        self.parked: dict[int, str] = {}
        self.paths: dict[int, bytes] = {}
        self.given: list[FakeJob] = []
        self.stumbles = 0
        self.asked = asyncio.Event()

    def put(self, item_id: int, deliveries: int = 1) -> None:
        self.waiting.put_nowait(FakeJob(self, item_id, deliveries))

    async def fetch(self, most: int, wait_s: float) -> list[FakeJob]:
        self.asked.set()
        try:
            jobs = [await asyncio.wait_for(self.waiting.get(), wait_s)]
        except TimeoutError:
            return []
        while len(jobs) < most and self.waiting.qsize():
            jobs.append(self.waiting.get_nowait())
        self.given += jobs
        return jobs


@dataclass
class FakeCatalogue:
    """Implements `Catalogue`; an item's picture is a number."""

    seals: dict[int, str] = field(default_factory=dict)
    frames: dict[int, int] = field(default_factory=dict)
    tags: dict[int, list[int]] = field(default_factory=dict)
    taken: dict[int, int] = field(default_factory=dict)
    unlisted: set[int] = field(default_factory=set)
    without_pixels: set[int] = field(default_factory=set)
    broken: set[int] = field(default_factory=set)
    out_of_reach: dict[int, int] = field(default_factory=dict)  # how often
    originals_away: int = 0  # how often
    has_vector: list[int] = field(default_factory=list)
    fails: int = 0
    fails_with: list[Exception] = field(default_factory=list)
    loaded: Counter[int] = field(default_factory=Counter)
    order: list[tuple[str, int]] = field(default_factory=list)  # of what became of frames

    async def items(self, item_ids: Sequence[int]) -> Mapping[int, Item[int]]:
        if self.fails_with:
            raise self.fails_with.pop(0)
        return {item_id: self._item(item_id) for item_id in item_ids if item_id in self.seals}

    def _item(self, item_id: int) -> Item[int]:
        async def load() -> Sequence[Still[int]]:
            self.loaded[item_id] += 1
            if item_id in self.broken:
                raise UnreadablePicture("That is no picture that can be read.")
            if self.originals_away:
                self.originals_away -= 1
                raise OriginalsUnavailable("Away.")
            if self.out_of_reach.get(item_id, 0) > 0:
                self.out_of_reach[item_id] -= 1
                raise OutOfReach("The disk is away.")
            return [Still(float(frame), item_id * 100 + frame) for frame in range(self.frames.get(item_id, 1))]

        async def load_at(moments_s: Sequence[float]) -> Sequence[Still[int]]:
            return [Still(at_s, item_id * 100 + int(at_s)) for at_s in moments_s]

        listed = item_id not in self.unlisted
        kind = points.VIDEO if item_id in self.frames else 4
        facts = Facts(item_id, 1, kind, listed, tag_ids=self.tags.get(item_id, []), taken_us=self.taken.get(item_id, 7))
        return Item(
            facts,
            self.seals[item_id],
            None if item_id in self.without_pixels else load,
            embedded=item_id in self.has_vector,
            is_video=item_id in self.frames,
            path=b"/photos/%d.jpg" % item_id,
            load_at=load_at if item_id in self.frames else None,
        )

    async def frame_ids(self, item_id: int, stills: Sequence[Still[int]]) -> Sequence[int]:
        self.order.append(("told", item_id))
        return [item_id + 10_000 * frame for frame in range(len(stills))] if item_id in self.seals else []

    async def embedded(self, item_ids: Sequence[int]) -> None:
        if self.fails:
            self.fails -= 1
            raise KeyError("a bug")
        self.has_vector += item_ids


class FakeModel:
    """Implements `Space`."""

    def __init__(self, name: str) -> None:
        self.name = name
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


class FakeFrames:
    """Implements `Frames`."""

    def __init__(self, catalogue: FakeCatalogue) -> None:
        self.kept: dict[int, list[float]] = {}
        self.dropped: list[int] = []
        self._catalogue = catalogue

    async def keep(self, item_id: int, stills: Sequence[Still[int]]) -> None:
        self._catalogue.order.append(("kept", item_id))
        self.kept[item_id] = [still.timestamp_s for still in stills]

    def gone(self, item_ids: Iterable[int]) -> None:
        self.dropped += item_ids


class Rig:
    """Implements `Models`."""

    def __init__(self, store: MemoryStore, **how: object) -> None:
        self.queue, self.catalogue, self.model, self.store = FakeQueue(), FakeCatalogue(), FakeModel("now"), store
        self.spaces = [self.model]
        self.unavailable = ""
        self.stumbles = 0
        self.looks_asked = 0
        self.frames = FakeFrames(self.catalogue)
        self.agreement = Agreement(self.catalogue, self.opened, self.frames.gone)
        self.how = {"batch": 8, "longest_wait_s": 0.02} | how
        self.work = self.embedding()

    def embedding(self) -> Embedding[int]:
        return Embedding(  # type: ignore[arg-type]
            self.queue, self.catalogue, self, self.opened, self.agreement, self.frames, **self.how
        )

    async def opened(self) -> VectorStore:
        return self.store

    async def filling(self) -> Sequence[FakeModel]:
        if self.unavailable:
            raise EncoderUnavailable(self.unavailable)
        if self.stumbles:
            self.stumbles -= 1
            raise KeyError("a bug")
        return self.spaces

    async def lost(self) -> None:
        for space in self.spaces:
            await self.store.ensure(space.name, DIMENSIONS)

    def ask(self) -> None:
        self.looks_asked += 1

    def add(self, *ids: int, seal: str = "first") -> None:
        for item_id in ids:
            self.catalogue.seals[item_id] = seal
            self.queue.put(item_id)

    async def until_settled(self, many: int) -> None:
        async with asyncio.timeout(20):
            while len(self.queue.done) + len(self.queue.parked) < many:  # noqa: ASYNC110
                await asyncio.sleep(0.005)

    async def points(self, name: str = "now") -> dict[int, object]:
        ids = await self.store.ids(name)
        return {key: payload[embedding.SEAL] for key, payload in (await self.store.payloads(name, ids)).items()}


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


async def test_what_was_cut_out_of_a_picture_goes_when_the_picture_changes() -> None:
    async with running() as rig:
        told: list[bool] = []
        rig.work.on_changed = lambda: told.append(True)
        rig.add(1, 2)
        await rig.until_settled(2)
        box = Box(0, 1, 1, 5, 5).as_payload()
        for name in ("now.objects", "object-model.faces"):
            await rig.store.ensure(name, DIMENSIONS)
            given = {101: (1, box), 102: (1, {}), 103: (2, box)}
            await rig.store.upsert(
                name,
                [
                    Point(key, np.ones(DIMENSIONS, np.float32), {points.ITEM: item_id, **more})
                    for key, (item_id, more) in given.items()
                ],
            )
        rig.add(1, 2)
        await rig.until_settled(4)
        assert not told
        rig.add(1, seal="second")
        await rig.until_settled(5)
        assert told == [True]
        for name in ("now.objects", "object-model.faces"):
            assert await rig.store.ids(name) == [102, 103]  # one came from outside, one is of another picture


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


async def test_frames_of_a_video_are_kept_before_the_catalogue_names_them_and_go_with_it() -> None:
    async with running() as rig:
        rig.catalogue.frames[3] = 3
        rig.add(3, 4)
        await rig.until_settled(2)
        assert rig.frames.kept == {3: [0.0, 1.0, 2.0]}
        assert rig.catalogue.order == [("kept", 3), ("told", 3)]
        rig.add(3, 4)  # nothing of it changed
        await rig.until_settled(4)
        assert rig.catalogue.order == [("kept", 3), ("told", 3)]
        assert rig.frames.dropped == []
        rig.catalogue.seals.clear()
        await rig.agreement.agree([3, 4])
        assert rig.frames.dropped == [3]


async def test_frames_of_a_video_that_goes_while_it_is_embedded_go_too() -> None:
    async with running() as rig:
        rig.model.gate.clear()
        rig.catalogue.frames[3] = 2
        rig.add(3)
        async with asyncio.timeout(10):
            while not rig.catalogue.loaded[3]:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        rig.catalogue.seals.clear()
        rig.model.gate.set()
        await rig.until_settled(1)
        assert (list(rig.frames.kept), rig.frames.dropped) == ([3], [3])
        assert await rig.points() == {}


async def test_a_picture_that_cannot_be_read_is_parked_with_its_reason_and_holds_nobody_up() -> None:
    async with running() as rig:
        rig.catalogue.broken.add(2)
        rig.catalogue.frames[5] = 0
        rig.add(1, 2, 3, 5)
        await rig.until_settled(4)
        assert rig.queue.parked == {2: "That is no picture that can be read."}
        assert rig.queue.paths == {2: b"/photos/2.jpg"}
        assert set(await rig.points()) == {1, 3}  # the file of 5 is gone, which the catalogue will notice
        assert rig.work.counts.parked == 1


@pytest.mark.parametrize("failure", [EncoderUnavailable("No memory."), StoreUnavailable("Away."), OSError("cut")])
async def test_what_is_no_fault_of_the_items_makes_them_wait_until_it_is_mended(failure: Exception) -> None:
    async with running() as rig:
        rig.model.fails_with = [failure] * 9
        rig.catalogue.fails_with = [CatalogueUnavailable("Away.")] * 7
        rig.add(1, 2, 3)
        await rig.until_settled(3)
        assert not rig.queue.parked
        assert not rig.queue.back  # so the queue does not count it against them
        assert set(await rig.points()) == {1, 2, 3}
        assert set(rig.model.seen.values()) == {1}


async def test_uploads_wait_as_long_as_their_store_is_away() -> None:
    async with running() as rig:
        rig.catalogue.originals_away = 40
        rig.add(1, 2, 3)
        await rig.until_settled(3)
        assert (rig.catalogue.originals_away, rig.queue.parked, rig.queue.back) == (0, {}, [])
        assert set(await rig.points()) == {1, 2, 3}


async def test_without_an_encoder_nothing_is_taken_from_the_queue() -> None:
    async with running() as rig:
        rig.unavailable = "No memory."
        await asyncio.sleep(0.05)  # one fetch may have begun
        rig.add(*range(1, 40))
        await asyncio.sleep(0.2)
        assert len(rig.queue.given) <= 8
        rig.unavailable = ""
        await rig.until_settled(39)


async def test_a_file_that_is_out_of_reach_is_tried_again_and_then_parked() -> None:
    async with running() as rig:
        rig.catalogue.out_of_reach = {1: 3, 2: 99}
        rig.add(1, 2, 3)
        await rig.until_settled(3)
        assert rig.queue.parked == {2: "The disk is away. It was tried 5 times."}
        assert rig.catalogue.loaded == {1: 4, 2: 5, 3: 1}


async def test_a_bug_is_tried_five_times_and_then_parked() -> None:
    async with running() as rig:
        rig.catalogue.fails = 5
        rig.add(1)
        await rig.until_settled(1)
        assert rig.queue.parked == {1: "It failed: KeyError. It was tried 5 times."}
        rig.add(2)
        await rig.until_settled(2)
        assert set(await rig.points()) == {1, 2}


async def test_a_job_that_was_lost_again_and_again_is_parked_unseen() -> None:
    async with running() as rig:
        rig.catalogue.seals[1] = "first"
        rig.queue.put(1, deliveries=31)
        rig.catalogue.seals[2] = "first"
        rig.queue.put(2, deliveries=21)  # killed again and again
        await rig.until_settled(2)
        assert rig.queue.parked == {1: "It was given out 30 times and never finished."}
        assert rig.catalogue.loaded == {2: 1}


async def test_an_item_that_was_asked_for_many_times_at_once_is_embedded_once() -> None:
    async with running() as rig:
        rig.model.gate.clear()
        for _ in range(5):
            rig.add(1, 2)
        await asyncio.sleep(0.1)
        rig.model.gate.set()
        await rig.until_settled(10)
        assert rig.model.seen == {100: 1, 200: 1}
        assert rig.catalogue.loaded == {1: 1, 2: 1}


async def test_what_has_no_pixels_is_done_and_keeps_the_vectors_that_came_from_outside() -> None:
    async with running() as rig:
        rig.add(1)
        await rig.until_settled(1)
        rig.catalogue.without_pixels = {1, 2}
        rig.add(1, 2, seal="second")
        await rig.until_settled(3)
        assert await rig.points() == {1: "first"}


async def test_while_another_model_is_filled_both_get_what_is_new_and_only_the_new_one_what_there_is() -> None:
    async with running() as rig:
        rig.add(1, 2)
        await rig.until_settled(2)
        coming = FakeModel("next")
        await rig.store.ensure("next", DIMENSIONS)
        rig.spaces = [rig.model, coming]
        rig.add(1, 2, 3)
        await rig.until_settled(5)
        assert rig.model.seen == {100: 1, 200: 1, 300: 1}
        assert coming.seen == {100: 1, 200: 1, 300: 1}
        assert set(await rig.points()) == set(await rig.points("next")) == {1, 2, 3}
        assert rig.catalogue.loaded[3] == 1


async def test_another_model_is_shown_a_video_where_the_one_before_was() -> None:
    async with running() as rig:
        rig.catalogue.frames = {1: 4, 2: 4}
        rig.add(1, 2)
        await rig.until_settled(2)
        coming = FakeModel("next")
        await rig.store.ensure("next", DIMENSIONS)
        rig.spaces = [coming]  # the one before cannot be loaded any more
        rig.catalogue.frames = {1: 2, 2: 3}  # that is how far decoding got this time
        rig.add(1)
        rig.add(2, seal="second")
        await rig.until_settled(4)
        of_first = {1, 10_001, 20_001, 30_001}
        assert coming.seen.keys() == {100, 101, 102, 103, 200, 201, 202}
        assert set(await rig.points("next")) == {*of_first, 2, 10_002, 20_002}
        payloads = await rig.store.payloads("next", sorted(of_first))
        assert [payloads[key][points.AT] for key in sorted(of_first)] == [0, 1_000_000, 2_000_000, 3_000_000]


async def test_a_vector_from_outside_says_nothing_of_a_video_s_frames() -> None:
    async with running() as rig:
        rig.catalogue.frames = {1: 1}
        rig.add(1)
        await rig.until_settled(1)
        await rig.store.ensure("next", DIMENSIONS)
        rig.spaces = [rig.model, FakeModel("next")]
        rig.catalogue.frames = {1: 3}
        rig.add(1)
        await rig.until_settled(2)
        assert set(await rig.points("next")) == {1, 10_001, 20_001}


async def test_what_is_trashed_while_its_picture_is_with_the_model_is_written_as_trashed() -> None:
    async with running() as rig:
        lane = asyncio.create_task(FactsLane(changes := FakeQueue(), rig.agreement, rig.ask).run())
        rig.model.gate.clear()
        rig.add(1, 2)
        await asyncio.sleep(0.1)
        rig.catalogue.unlisted = {1}
        del rig.catalogue.seals[2]
        changes.put(1)
        changes.put(2)
        async with asyncio.timeout(10):
            while len(changes.done) < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        rig.model.gate.set()
        await rig.until_settled(2)
        assert await rig.store.ids("now", Has(points.LISTED, frozenset({0}))) == [1]
        assert set(await rig.points()) == {1}
        lane.cancel()


async def test_changes_reach_every_vector_of_an_item_of_every_model_and_those_of_items_that_are_gone_go() -> None:
    async with running() as rig:
        coming = FakeModel("next")
        await rig.store.ensure("next", DIMENSIONS)
        rig.spaces = [rig.model, coming]
        rig.catalogue.frames[1] = 3
        rig.add(1, 2)
        await rig.until_settled(2)
        lane = asyncio.create_task(FactsLane(changes := FakeQueue(), rig.agreement, rig.ask).run())
        rig.catalogue.tags[1] = [5]
        rig.catalogue.fails_with = [CatalogueUnavailable("Away."), KeyError("a bug")]
        del rig.catalogue.seals[2]
        for item_id in (1, 2, 3):  # 3 has no vector
            changes.put(item_id)
        async with asyncio.timeout(10):
            while len(changes.done) < 3:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        for name in ("now", "next"):
            assert await rig.store.ids(name, Has(points.TAGS, frozenset({5}))) == [1, 10_001, 20_001]
            assert set(await rig.points(name)) == {1, 10_001, 20_001}
        order = (await rig.store.payloads("now", [20_001]))[20_001][points.ORDER]
        assert order == 2_000_007
        lane.cancel()


async def test_the_time_it_was_taken_may_be_known_later_and_frames_keep_their_place_behind_it() -> None:
    async with running() as rig:
        rig.catalogue.frames[2] = 3
        rig.add(1, 2)
        await rig.until_settled(2)
        rig.catalogue.taken = {1: 5_000, 2: 6_000}
        await rig.agreement.agree([1, 2])
        ids = [1, 2, 10_002, 20_002]
        order = {key: payload[points.ORDER] for key, payload in (await rig.store.payloads("now", ids)).items()}
        assert order == {1: 5_000, 2: 6_000, 10_002: 1_006_000, 20_002: 2_006_000}


async def test_a_change_waits_as_long_as_store_or_catalogue_are_away() -> None:
    async with running() as rig:
        rig.add(1)
        await rig.until_settled(1)
        rig.catalogue.unlisted = {1}
        away = [CatalogueUnavailable("Away."), StoreUnavailable("Away."), OSError("cut")]
        rig.catalogue.fails_with = away * 4
        lane = asyncio.create_task(FactsLane(changes := FakeQueue(), rig.agreement, rig.ask).run())
        changes.put(1)
        async with asyncio.timeout(10):
            while not changes.done:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        assert await rig.store.ids("now", Has(points.LISTED, frozenset({0}))) == [1]
        assert changes.given[-1].deliveries == 13
        assert not rig.looks_asked
        lane.cancel()


async def test_a_change_that_fails_by_a_bug_is_left_to_a_look_at_everything() -> None:
    async with running() as rig:
        rig.catalogue.fails_with = [KeyError("a bug") for _ in range(5)]
        lane = asyncio.create_task(FactsLane(changes := FakeQueue(), rig.agreement, rig.ask).run())
        changes.put(1)
        async with asyncio.timeout(10):
            while not rig.looks_asked:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        assert (changes.done, changes.back) == ([1], [1] * 4)
        lane.cancel()


async def test_held_back_it_takes_no_more_and_then_goes_on() -> None:
    async with running() as rig:
        rig.add(1)
        await rig.until_settled(1)
        rig.queue.asked.clear()
        await asyncio.wait_for(rig.queue.asked.wait(), 20)
        rig.work.pause()
        assert rig.work.paused
        rig.add(*range(2, 20))
        async with asyncio.timeout(20):
            while not rig.queue.back:  # by the fetch that was under way  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        assert rig.queue.done == [1]
        rig.work.go_on()
        await rig.until_settled(19)
        assert set(rig.model.seen.values()) == {1}


async def test_a_bug_before_a_job_is_taken_ends_nothing() -> None:
    async with running() as rig:
        rig.stumbles = 3
        rig.add(1, 2)
        await rig.until_settled(2)
        assert rig.work.counts.running == 0


async def test_begun_again_after_a_failure_it_has_nothing_in_hand() -> None:
    store = MemoryStore()
    await store.ensure("now", DIMENSIONS)
    rig = Rig(store)
    rig.add(*range(1, 10))
    rig.model.gate.clear()
    rig.catalogue.out_of_reach = {5: 1}
    rig.queue.stumbles = 1
    with pytest.raises(KeyError):
        await rig.work.run()
    assert rig.work.counts.running == 0
    rig.model.gate.set()
    lost = set(range(1, 10)) - {job.item_id for job in rig.queue.waiting._queue}  # type: ignore[attr-defined]
    rig.add(*lost)  # what the queue gives out again by itself
    task = asyncio.create_task(rig.work.run())
    await rig.until_settled(9)
    assert (rig.work.counts.done, rig.work.counts.running) == (9, 0)
    assert set(await rig.points()) == set(range(1, 10))
    task.cancel()


async def test_who_misses_the_vectors_says_so_and_goes_on_when_they_are_made_anew() -> None:
    async with running() as rig:
        await rig.store.drop("now")
        rig.add(1, 2)
        await rig.until_settled(2)
        assert set(await rig.points()) == {1, 2}


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
    task = asyncio.create_task(rig.embedding().run())
    await rig.until_settled(39)
    task.cancel()
    assert set(rig.model.seen.values()) == {1}
    assert set(await rig.points()) == set(range(1, 40))
