"""Objects that were imported while nobody could look at them get their vectors later; those that are taken back lose
theirs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from search_service import object_look
from search_service.domain import points
from search_service.domain.errors import CatalogueUnavailable, EncoderUnavailable
from search_service.domain.items import Item, Still
from search_service.domain.objects import Box, Detection, Giving
from search_service.domain.points import Facts
from search_service.domain.vectors import Point, Vector, unit
from search_service.encoders.object_models import ObjectModels
from search_service.object_look import ObjectLook
from search_service.objects import GivenObject, Objects
from search_service.vectors.memory import MemoryStore

OWN = points.objects_of("colours-1")
BRIGHTNESS = points.objects_by("brightness")


class Brightness:
    name, dimensions = "brightness", 1

    def embed(self, pictures: Sequence[Image.Image]) -> np.ndarray:
        return np.array([[1 + np.asarray(picture).mean()] for picture in pictures])


class Broken:
    def __init__(self) -> None:
        raise OSError("its weights are gone.")


class Colours:
    """A space whose vectors are mean colours."""

    name, dimensions = "colours-1", 3

    async def images(self, batch: Sequence[Image.Image]) -> Vector:
        return unit(np.array([np.asarray(picture).mean((0, 1)) + 1e-6 for picture in batch], np.float32))


class World:
    """A catalogue of red pictures, an engine, and the look at them."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.detections: list[Detection] = []
        self.is_away = self.is_loading = self.is_held = False
        self.asked = 0
        engine: Any = SimpleNamespace(
            store=self._opened, answering=self._answering, filling=self._filling, status=None, decode=None
        )
        catalogue: Any = self
        self.elsewhere = {100}
        self.models = models = ObjectModels({"brightness": Brightness, "broken": Broken})
        self.objects = Objects(engine, models, Giving(catalogue, asyncio.Lock()), catalogue)
        self.look = ObjectLook(engine, models, self.objects, self, lambda: self.is_held, 0.05)

    async def _opened(self) -> MemoryStore:
        return self.store

    @asynccontextmanager
    async def _answering(self) -> AsyncIterator[Any]:
        if self.is_loading:
            raise EncoderUnavailable("The model is being loaded.")
        yield SimpleNamespace(space=Colours(), store=self.store)

    async def _filling(self) -> list[Colours]:
        return [Colours()]

    async def detected(self, after_id: int, limit: int) -> Sequence[Detection]:
        self.asked += 1
        if self.is_away:
            raise CatalogueUnavailable("The catalogue is not available right now.")
        return [one for one in self.detections if one.object_id > after_id][:limit]

    async def items(self, item_ids: Sequence[int]) -> Mapping[int, Item[Image.Image]]:
        return {
            key: Item(Facts(key, 1, 4, True), "seal", None if key in self.elsewhere else self._red) for key in item_ids
        }

    async def _red(self) -> Sequence[Still[Image.Image]]:
        return [Still(0.0, Image.new("RGB", (20, 20), "red"), 20, 20)]

    def has(self, *numbers: int, model: str = "objects", item: int = 1) -> None:
        box = Box(0, 1, 2, 8, 8)
        self.detections += [Detection(number, item, model, box) for number in numbers]

    async def known(self, place: str) -> list[int]:
        return await self.store.ids(place) if place in await self.store.collections() else []

    async def until(self, holds: Callable[[], Any]) -> None:
        async with asyncio.timeout(20):
            while not await holds():  # noqa: ASYNC110 - whatever a test asks
                await asyncio.sleep(0.01)

    async def rounds(self, many: int) -> None:
        """So many looks more."""
        already = self.asked
        await self.until(lambda: _is(self.asked >= already + many))


async def _is(true: bool) -> bool:
    return true


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(object_look, "_LATER_S", 0.02)
    monkeypatch.setattr(object_look, "_PAGE", 3)
    return World()


@contextmanager
def looking(world: World) -> Iterator[None]:
    work = asyncio.create_task(world.look.run())
    try:
        yield
    finally:
        work.cancel()


async def test_objects_that_came_while_there_was_no_search_are_shown_to_the_models_when_there_is(world: World) -> None:
    world.is_loading = True
    world.has(*range(1, 8))
    world.has(8, 9, model="brightness")
    world.has(10, model="nobodys")
    with looking(world):
        await world.rounds(3)
        assert await world.known(OWN) == []
        world.is_loading = False
        await world.until(lambda: _equal(world, OWN, range(1, 11)))
        await world.until(lambda: _equal(world, BRIGHTNESS, [8, 9]))
    vector = (await world.store.vectors(OWN, [10]))[10]
    np.testing.assert_allclose(vector, [1, 0, 0], atol=1e-3)


async def _equal(world: World, place: str, wanted: Sequence[int]) -> bool:
    return await world.known(place) == list(wanted)


async def test_what_came_with_a_vector_keeps_it_and_is_shown_to_nobody(world: World) -> None:
    world.has(1, model="brightness")
    world.has(2)
    mine = np.array([-1.0], np.float32)
    await world.objects.put("brightness", [GivenObject(1, 1, mine)])
    with looking(world):
        await world.until(lambda: _equal(world, OWN, [2]))
        await world.rounds(3)
    assert await world.known(OWN) == [2]
    assert (await world.store.vectors(BRIGHTNESS, [1]))[1] == mine


async def test_new_ones_are_left_to_who_imports_them_for_a_round_and_lost_ones_come_back(world: World) -> None:
    world.has(1)
    with looking(world):
        await world.until(lambda: _equal(world, OWN, [1]))
        await world.rounds(3)
        already = world.asked
        world.has(2)
        await world.until(lambda: _equal(world, OWN, [1, 2]))
        assert world.asked >= already + 3
        await world.store.drop(OWN)
        world.look.ask()
        await world.until(lambda: _equal(world, OWN, [1, 2]))


async def test_a_model_that_is_broken_and_pictures_that_are_elsewhere_hold_nothing_up(world: World) -> None:
    world.has(1, 2, item=100)
    world.has(3, 4, model="broken")
    world.has(5)
    world.detections.append(Detection(6, 1, "objects", None))
    with looking(world):
        await world.until(lambda: _equal(world, OWN, [3, 4, 5]))


async def test_what_could_not_be_loaded_is_tried_again_now_and_then(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(object_look, "_ALL_S", 0.1)
    world.has(1, item=100)
    with looking(world):
        await world.rounds(3)
        assert await world.known(OWN) == []
        world.elsewhere.clear()
        await world.until(lambda: _equal(world, OWN, [1]))


async def test_nothing_is_shown_while_embedding_is_held_back_or_the_catalogue_is_away(world: World) -> None:
    world.is_held = world.is_away = True
    world.has(1)
    with looking(world):
        await asyncio.sleep(0.1)
        assert world.asked == 0
        world.is_held = False
        await world.rounds(2)
        assert await world.known(OWN) == []
        world.is_away = False
        await world.until(lambda: _equal(world, OWN, [1]))


async def test_objects_that_are_taken_back_have_no_vector_in_any_model(world: World) -> None:
    pixel = np.array([1.0, 0, 0], np.float32)
    await world.objects.put("objects", [GivenObject(number, 1, pixel) for number in (1, 2)])
    await world.objects.put("brightness", [GivenObject(number, 1, pixel[:1]) for number in (2, 3)])
    await world.store.ensure("colours-1", 3)

    await world.objects.remove([2, 3, 99])

    assert await world.known(OWN) == [1]
    assert await world.known(BRIGHTNESS) == []


async def test_vectors_of_objects_that_are_no_more_go(world: World) -> None:
    pixel = np.array([1.0, 0, 0], np.float32)
    await world.objects.put("objects", [GivenObject(number, 1, pixel) for number in range(20)])
    await world.objects.put("brightness", [GivenObject(number, 1, pixel[:1]) for number in (2, 30)])
    await world.store.ensure("colours-1", 3)
    await world.store.upsert("colours-1", [Point(40, pixel, {points.ITEM: 40})])  # of no object
    world.has(2, 5, 6, 7, 8, 25)
    with looking(world):
        await world.until(lambda: _equal(world, OWN, [2, 5, 6, 7, 8, 25]))
        assert await world.known(BRIGHTNESS) == [2]
        assert await world.known("colours-1") == [40]
        world.detections.pop(1)
        world.look.ask()
        await world.until(lambda: _equal(world, OWN, [2, 6, 7, 8, 25]))


async def test_a_model_that_was_got_ready_has_told_its_length(world: World) -> None:
    def lengths() -> dict[str, int]:
        return {one.name: one.dimensions for one in world.models.statuses}

    assert lengths() == {"brightness": 0, "broken": 0}
    for model in ("brightness", "objects", "nobodys"):
        await world.objects.get_ready(model)
    assert lengths() == {"brightness": 1, "broken": 0}
    with pytest.raises(EncoderUnavailable, match="its weights are gone"):
        await world.objects.get_ready("broken")
    world.is_loading = True
    with pytest.raises(EncoderUnavailable, match="being loaded"):
        await world.objects.get_ready("objects")
