"""A look at everything finds what has no vector, what is not there any more, and when a space holds all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import numpy as np
import pytest
from media_common.tasks import ended
from search_service.domain import look, points
from search_service.domain.agreement import SEAL, Agreement
from search_service.domain.errors import CatalogueUnavailable, OutOfReach
from search_service.domain.filters import Has
from search_service.domain.items import Item, Still
from search_service.domain.jobs import Job
from search_service.domain.look import Look
from search_service.domain.points import Facts
from search_service.domain.vectors import Point, VectorStore
from search_service.vectors.memory import MemoryStore


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_LATER_S", "_QUIET_S", "_SPACES_S", "_GLANCE_S"):
        monkeypatch.setattr(look, name, 0.01)
    monkeypatch.setattr(look, "_PAGE", 7)
    monkeypatch.setattr(look, "_AGREED", 3)


class Space:
    def __init__(self, name: str) -> None:
        self.name = name

    async def images(self, batch: Sequence[object]) -> np.ndarray:
        raise AssertionError("nothing is embedded here")


class Rig:
    """Implements the ports: a catalogue of numbers, a store in memory, an empty queue."""

    def __init__(self) -> None:
        self.items_there = set(range(1, 31))
        self.unlisted: set[int] = set()
        self.edited: set[int] = set()
        self.elsewhere: set[int] = set()  # items without pixels here
        self.unplugged: set[int] = set()  # items whose disk is away
        self.out_of_reach = ""  # what else of a space is
        self.fails = 0
        self.memory = MemoryStore()
        self.spaces = [Space("now")]
        self.told: list[str] = []
        self.queue: list[Job] = []
        self.waiting = 0
        self.look = Look(self, self, self, self.opened, Agreement(self, self.opened, list), self.covered)
        self.look.busy = self.busy

    async def fetch(self, most: int, wait_s: float) -> Sequence[Job]:
        await asyncio.sleep(wait_s)
        given, self.queue = self.queue[:most], self.queue[most:]
        return given

    async def busy(self) -> int:
        return self.waiting

    async def searchable(self, after_id: int, limit: int) -> Sequence[int]:
        if self.fails:
            self.fails -= 1
            raise CatalogueUnavailable("Away.")
        return sorted(item_id for item_id in self.items_there if item_id > after_id)[:limit]

    async def filling(self) -> Sequence[Space]:
        return self.spaces

    async def items(self, item_ids: Sequence[int]) -> dict[int, Item[object]]:
        there = self.items_there.intersection(item_ids)
        return {
            key: Item(
                Facts(key, 1, 4, key not in self.unlisted),
                "edited" if key in self.edited else "seal",
                None if key in self.elsewhere else self.load,
                away=key in self.unplugged,
            )
            for key in there
        }

    async def away(self) -> frozenset[int]:
        return frozenset({7} if self.unplugged or self.out_of_reach else {})

    async def load(self) -> Sequence[Still[object]]:
        raise AssertionError("nothing is loaded here")

    async def lost(self) -> None:
        for space in self.spaces:
            await self.memory.ensure(space.name, 2)

    async def frame_ids(self, item_id: int, stills: Sequence[object]) -> Sequence[int]:
        return []

    async def embedded(self, item_ids: Sequence[int]) -> None:
        pass

    async def opened(self) -> VectorStore:
        return self.memory

    async def covered(self, name: str) -> None:
        if self.out_of_reach:
            raise OutOfReach(self.out_of_reach)
        self.told.append(name)

    async def give(self, name: str, *ids: int) -> None:
        await self.memory.ensure(name, 2)
        facts = {key: Facts(key, 1, 4, True) for key in ids}
        vector = np.ones(2, np.float32)
        sealed = {key: {**points.payload(key, facts[key]), SEAL: "seal"} for key in ids}
        await self.memory.upsert(name, [Point(key, vector, sealed[key]) for key in ids])

    async def taken(self, many: int) -> list[Job]:
        jobs: list[Job] = []
        async with asyncio.timeout(10):
            while len(jobs) < many:
                jobs += await self.look.fetch(4, 0.01)
        return jobs


@asynccontextmanager
async def looking(rig: Rig) -> AsyncIterator[None]:
    task = asyncio.create_task(rig.look.run())
    yield
    await ended(task)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def test_what_lacks_a_vector_is_given_out_once_and_then_the_space_is_covered() -> None:
    rig = Rig()
    await rig.give("now", *range(1, 20))
    async with looking(rig):
        jobs = await rig.taken(11)
        assert [job.item_id for job in jobs] == [*range(20, 31)]
        assert rig.told == []
        assert rig.look.left == 0
        await asyncio.sleep(0.05)
        assert await rig.look.fetch(4, 0.01) == []
        for job in jobs[1:]:
            await job.done()
        await jobs[0].again(0.01)
        [again] = await rig.taken(1)
        assert (again.item_id, again.deliveries) == (20, 2)
        assert rig.told == []
        await again.park("It cannot be read.", b"/a.jpg")
        await until(lambda: rig.told == ["now"])


async def test_the_queue_comes_first_and_the_look_waits_until_it_is_empty() -> None:
    rig = Rig()
    await rig.give("now", *range(1, 29))
    rig.waiting = 1
    async with looking(rig):
        await asyncio.sleep(0.1)
        assert rig.look.left == 0
        rig.waiting = 0
        await until(lambda: rig.look.left == 2)
        [found] = await rig.look.fetch(1, 0.01)
        rig.queue = [found]
        assert await rig.look.fetch(4, 0.01) == [found]


async def test_another_space_is_filled_as_soon_as_it_is_wanted_and_said_to_be_covered() -> None:
    rig = Rig()
    await rig.give("now", *rig.items_there)
    async with looking(rig):
        await until(lambda: rig.told == ["now"])
        await rig.give("next", 1, 2, 3)
        rig.spaces = [Space("now"), Space("next")]
        jobs = await rig.taken(27)
        assert [job.item_id for job in jobs] == [*range(4, 31)]
        for job in jobs:
            await job.done()
        await until(lambda: rig.told == ["now", "next", "now"])


async def test_what_changed_while_nobody_listened_is_so_after_the_look() -> None:
    rig = Rig()
    await rig.give("now", *rig.items_there)
    rig.unlisted = {5, 6}
    rig.items_there -= {7, 30}
    async with looking(rig):
        await until(lambda: bool(rig.told))
    assert await rig.memory.ids("now", Has(points.LISTED, frozenset({0}))) == [5, 6]
    assert await rig.memory.ids("now") == sorted(rig.items_there)


async def test_pictures_that_changed_while_nobody_listened_are_given_out_once() -> None:
    rig = Rig()
    await rig.give("now", *range(1, 30))
    await rig.memory.ensure("now.objects", 2)
    an_object = Point(500, np.ones(2, np.float32), points.payload(500, Facts(3, 1, 4, True)))
    await rig.memory.upsert("now.objects", [an_object])
    rig.edited, rig.elsewhere, rig.unlisted = {9, 20, 21}, {20}, {21}
    async with looking(rig):
        jobs = await rig.taken(3)
        assert [job.item_id for job in jobs] == [9, 21, 30]
        assert rig.told == []
        await asyncio.sleep(0.05)
        assert await rig.look.fetch(4, 0.01) == []
        rig.edited = set()
        for job in jobs:
            await job.done()
        await until(lambda: rig.told == ["now"])
        await rig.give("now", 30)
        rig.look.ask()
        await until(lambda: rig.told == ["now", "now"])
        assert await rig.look.fetch(4, 0.01) == []


async def test_what_is_on_a_disk_that_is_away_holds_the_space_that_lacks_it_until_it_is_back() -> None:
    rig = Rig()
    await rig.give("now", *rig.items_there)
    await rig.give("next", *range(1, 21))
    rig.spaces = [Space("now"), Space("next")]
    rig.unplugged, rig.edited = set(range(11, 25)), {12}
    async with looking(rig):
        jobs = await rig.taken(6)
        assert [job.item_id for job in jobs] == [*range(25, 31)]
        await rig.give("next", *range(25, 31))
        for job in jobs:
            await job.done()
        await until(lambda: rig.told == ["now"])
        await asyncio.sleep(0.05)
        assert rig.told == ["now"]
        assert rig.look.left == 0
        rig.unplugged = set()
        jobs = await rig.taken(5)
        assert [job.item_id for job in jobs] == [12, *range(21, 25)]
        rig.edited = set()
        await rig.give("next", *range(21, 25))
        for job in jobs:
            await job.done()
        await until(lambda: rig.told == ["now", "next", "now"])


async def test_a_disk_that_goes_while_its_files_are_embedded_holds_the_space_too() -> None:
    rig = Rig()
    await rig.give("now", *range(1, 30))
    async with looking(rig):
        [job] = await rig.taken(1)
        rig.unplugged = {30}
        await job.done()  # its file was not there
        await asyncio.sleep(0.05)
        assert rig.told == []
        rig.unplugged = set()
        [job] = await rig.taken(1)
        assert job.item_id == 30
        await job.done()
        await until(lambda: rig.told == ["now"])


async def test_a_space_whose_objects_are_on_a_disk_that_is_away_is_said_to_be_covered_when_it_is_back() -> None:
    rig = Rig()
    await rig.give("now", *rig.items_there)
    rig.out_of_reach = "Its disk is away."
    async with looking(rig):
        await asyncio.sleep(0.1)
        assert rig.told == []
        rig.out_of_reach = ""
        await until(lambda: rig.told == ["now"])


async def test_a_catalogue_that_is_away_is_asked_again_and_a_look_can_be_asked_for() -> None:
    rig = Rig()
    await rig.give("now", *range(1, 30))
    rig.fails = 3
    async with looking(rig):
        [job] = await rig.taken(1)
        await job.done()
        await until(lambda: rig.told == ["now"])
        rig.look.ask()
        [job] = await rig.taken(1)
        assert job.item_id == 30


async def test_a_look_that_is_asked_for_while_another_one_waits_is_made_as_well() -> None:
    rig = Rig()
    await rig.give("now", *rig.items_there)
    rig.waiting = 1
    async with looking(rig):
        await asyncio.sleep(0.1)  # what is there agrees; the look waits for the queue
        rig.unlisted = {5}
        rig.look.ask()
        rig.waiting = 0
        await until(lambda: rig.told == ["now", "now"])
    assert await rig.memory.ids("now", Has(points.LISTED, frozenset({0}))) == [5]


async def test_a_look_that_misses_the_vectors_says_so_and_finds_all_that_was_in_them() -> None:
    rig = Rig()  # with no vectors at all
    async with looking(rig):
        assert [job.item_id for job in await rig.taken(30)] == sorted(rig.items_there)
