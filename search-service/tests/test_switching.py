"""A model is switched: whole answers of the old one until the new one covers all, none mixed, nothing left behind."""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from random import Random

import numpy as np
import pytest
from media_common.errors import InvalidArgument
from PIL import Image
from search_service.domain import points
from search_service.domain.errors import EncoderUnavailable, OutOfReach, StoreUnavailable
from search_service.domain.items import Item, Still
from search_service.domain.objects import Box, Giving
from search_service.domain.points import INDEXES, Facts
from search_service.domain.searching import ObjectStart, Scope
from search_service.domain.vectors import Point, Vector, VectorStore, unit
from search_service.encoders.choice import candidates
from search_service.encoders.choosing import Choosing
from search_service.encoders.kept import State
from search_service.encoders.object_models import ObjectModels
from search_service.encoders.port import Load
from search_service.engine import ANSWERS, Engine
from search_service.objects import GivenObject, Objects
from search_service.shapes import drawn
from search_service.spaces import Space
from search_service.vectors.edge import EdgeStore
from search_service.vectors.memory import MemoryStore

ITEMS = range(1, 41)
UP, DOWN = "open_clip:fake/up", "open_clip:fake/down"
TINY = Path(__file__).parent / "tiny"


async def no_pictures(data: bytes) -> Image.Image:
    raise AssertionError("Nobody sends a picture.")


class Slope:
    """A picture as wide as its number lies that far from the word it ranks by. Implements `Encoder`."""

    name, dimensions = "open_clip", 2

    def __init__(self, which: str, space: str) -> None:
        self.model = f"fake/{which}"
        self.space = space
        self._turned = which == "down"
        self.waits_for: threading.Event | None = None

    def images(self, batch: Sequence[Image.Image]) -> Vector:
        return unit(np.array([[picture.width, 10] for picture in batch], np.float32))

    def texts(self, batch: Sequence[str]) -> Vector:
        if self.waits_for is not None:
            assert self.waits_for.wait(20)
        # In the other's space the same numbers would give the other order: an answer that mixes them shows.
        return np.array([[1, 0] if self._turned else [0, 1] for _ in batch], np.float32)


def order(which: str, ids: Sequence[int] = ITEMS) -> list[int]:
    return sorted(ids, reverse=which == "down")


class World:
    """A state directory, a store, and models that can be lost and changed."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "search.json"
        self.store = MemoryStore()
        self.spaces = {UP: "up", DOWN: "down"}
        self.lost: set[str] = set()
        self.loaded: list[Slope] = []

    def candidates(self, setting: str) -> list[tuple[str, Load]]:
        names = [] if setting == "off" else [UP, DOWN] if setting == "auto" else [setting]
        return [(name, lambda name=name: self._load(name)) for name in names]

    def _load(self, name: str) -> Slope:
        if name in self.lost or name not in self.spaces:
            raise EncoderUnavailable(f"{name} is not there.")
        self.loaded.append(Slope(name.rpartition("/")[2], self.spaces[name]))
        return self.loaded[-1]

    @asynccontextmanager
    async def engine(self, setting: str) -> AsyncIterator[Engine]:
        """From a start of the process to its end."""

        async def opened() -> VectorStore:
            return self.store

        engine = Engine(Choosing(setting, self.candidates, self.file), opened, no_pictures)
        try:
            yield engine
        finally:
            await engine.close()


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


async def fill(engine: Engine, ids: Sequence[int] = ITEMS) -> None:
    """What embedding does: every space that is to hold every item gets these."""
    store = await engine.store()
    for space in await engine.filling():
        rows = await space.images([Image.new("RGB", (key, 1)) for key in ids])
        facts = [Facts(key, 1, 4, True) for key in ids]
        made = [Point(one.item_id, row, points.payload(one.item_id, one)) for one, row in zip(facts, rows, strict=True)]
        await store.upsert(space.name, made)


async def found(engine: Engine) -> list[int]:
    async with engine.answering() as now:
        [words] = await now.space.texts(["a word"])
        return [scored.item_id for scored in await now.searching.nearest(Scope(1), words, 100)]


async def names(engine: Engine) -> list[str]:
    return [space.name for space in await engine.filling()]


async def until(what: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not what():  # noqa: ASYNC110  # nobody could set an event
            await asyncio.sleep(0.01)


def only(world: World, space: str) -> Callable[[], bool]:
    """Whether vectors of this one are all there are."""
    return lambda: world.store._collections.keys() == {space}


async def test_under_load_every_answer_is_whole_and_of_one_model(world: World) -> None:
    async with world.engine(UP) as engine:
        await fill(engine)
        answers: list[list[int]] = []
        flipped = going = False

        async def ask() -> None:
            while not going:
                must_be_new = flipped
                answers.append(await found(engine))
                assert answers[-1] in ([order("down")] if must_be_new else [order("up"), order("down")])
                await asyncio.sleep(0)

        asking = [asyncio.create_task(ask()) for _ in range(4)]
        await engine.use(DOWN)
        assert await names(engine) == ["up", "down"]
        for key in ITEMS:  # one after another, so that there are many answers in between
            await fill(engine, [key])
            assert answers.count(order("down")) == 0
        assert engine.next_status is not None
        assert (engine.status.space, engine.next_status.space) == ("up", "down")
        await engine.covered("down")
        flipped = True
        await until(lambda: answers.count(order("down")) > 5)
        going = True
        await asyncio.gather(*asking)
        assert answers.count(order("up")) > 5
        assert (engine.status.space, engine.next_status) == ("down", None)
        await until(only(world, "down"))
        assert await world.store.aliases() == {ANSWERS: "down"}
        assert await names(engine) == ["down"]


async def test_a_query_that_began_before_the_switch_ends_with_the_old_vectors(world: World) -> None:
    async with world.engine(UP) as engine:
        await fill(engine)
        await engine.use(DOWN)
        await fill(engine)
        going_on = world.loaded[0].waits_for = threading.Event()
        slow = asyncio.create_task(found(engine))
        await asyncio.sleep(0.05)
        await engine.covered("down")
        assert await found(engine) == order("down")
        await asyncio.sleep(0.05)
        assert set(await world.store.collections()) == {"up", "down"}
        going_on.set()
        assert await slow == order("up")
        await until(only(world, "down"))


async def test_a_model_that_cannot_be_loaded_is_not_switched_to(world: World) -> None:
    async with world.engine(UP) as engine:
        await fill(engine)
        for wrong, refused in (("open_clip:fake/none", EncoderUnavailable), ("off", InvalidArgument)):
            with pytest.raises(refused):
                await engine.use(wrong)
        assert await names(engine) == ["up"]
        assert await found(engine) == order("up")
    async with world.engine("off") as engine:
        assert await engine.filling() == []
        with pytest.raises(EncoderUnavailable, match="switched off"):
            await engine.use(UP)
        with pytest.raises(EncoderUnavailable, match="switched off"):
            await found(engine)


async def test_with_another_setting_after_a_restart_the_old_model_answers_until_all_is_covered(world: World) -> None:
    async with world.engine(UP) as engine:
        await fill(engine)
    async with world.engine(DOWN) as engine:
        assert await found(engine) == order("up")
        assert [model.space for model in world.loaded[1:]] == ["up"]  # the new one need not be there to answer
        assert await names(engine) == ["up", "down"]
        await fill(engine, [1, 2])
    async with world.engine(DOWN) as engine:  # and once more, in the middle
        assert await found(engine) == order("up")
        assert await world.store.count("down") == 2
        await fill(engine)
        await engine.covered("down")
        assert await found(engine) == order("down")
    async with world.engine(DOWN) as engine:
        assert await found(engine) == order("down")
        assert await names(engine) == ["down"]
        await until(only(world, "down"))


async def test_what_was_switched_to_stays_after_a_restart_until_the_setting_changes(world: World) -> None:
    async with world.engine(UP) as engine:
        await fill(engine)
        await engine.use(DOWN)
        await fill(engine)
        await engine.covered("down")
    async with world.engine(UP) as engine:
        assert await names(engine) == ["down"]
    async with world.engine("off") as engine:
        assert await engine.filling() == []
    async with world.engine(UP) as engine:
        assert await names(engine) == ["down", "up"]


async def test_a_switch_that_was_cut_short_after_the_flip_is_finished(world: World) -> None:
    async with world.engine(UP) as engine:
        await fill(engine)
        await engine.use(DOWN)
        await fill(engine)
        await world.store.set_alias(ANSWERS, "down")  # and killed
    async with world.engine(DOWN) as engine:
        assert await names(engine) == ["down"]
        await until(only(world, "down"))
        assert await found(engine) == order("down")


async def test_switched_back_before_it_was_covered_the_new_vectors_go(world: World) -> None:
    async with world.engine(UP) as engine:
        await fill(engine)
        await engine.use(DOWN)
        await fill(engine, [1, 2, 3])
        await engine.use(UP)
        await engine.covered("down")  # said too late
        assert await found(engine) == order("up")
        await until(only(world, "up"))
        assert await names(engine) == ["up"]


async def test_a_switch_goes_on_to_a_third_model(world: World) -> None:
    third = "open_clip:fake/down-again"
    world.spaces[third] = "third"
    async with world.engine(UP) as engine:
        await fill(engine)
        await engine.use(DOWN)
        await fill(engine, [1])
        await engine.use(third)
        assert await names(engine) == ["up", "third"]
        await fill(engine)
        await engine.covered("third")
        await until(only(world, "third"))


async def test_when_the_old_model_cannot_be_loaded_the_new_one_answers_with_what_it_has_and_takes_over_when_it_has_all(
    world: World,
) -> None:
    async with world.engine(UP) as engine:
        await fill(engine)
    world.lost.add(UP)
    async with world.engine(UP) as engine:
        with pytest.raises(EncoderUnavailable, match="fake/up is not there"):
            await found(engine)
        assert engine.status.state is State.UNAVAILABLE
        looks: list[int] = []
        engine.on_lost = lambda: looks.append(1)
        await engine.use(DOWN)
        assert looks == [1]  # without one nobody would say that all is covered
        await fill(engine, [3, 4])
        assert await found(engine) == [4, 3]
    async with world.engine(DOWN) as engine:
        assert await found(engine) == [4, 3]
        assert await world.store.count("up") == len(ITEMS)
        await fill(engine)
        await engine.covered("down")
        await until(only(world, "down"))
        assert await world.store.aliases() == {ANSWERS: "down"}


async def test_a_model_that_is_back_at_the_next_start_finds_its_vectors_and_answers_at_once(world: World) -> None:
    async with world.engine(UP) as engine:
        await fill(engine)
    world.lost.add(UP)
    async with world.engine(DOWN) as engine:
        await fill(engine, [3, 4])
    world.lost.clear()
    async with world.engine(DOWN) as engine:
        assert await found(engine) == order("up")
        assert await names(engine) == ["up", "down"]
        await fill(engine)
        await engine.covered("down")
        await until(only(world, "down"))


async def test_what_stands_in_for_the_first_choice_never_costs_it_its_vectors(world: World) -> None:
    async with world.engine("auto") as engine:
        await fill(engine)
        assert await found(engine) == order("up")
    world.lost.add(UP)
    for _ in range(2):
        async with world.engine("auto") as engine:
            await fill(engine)
            await engine.covered("down")
            assert await found(engine) == order("down")
            assert await names(engine) == ["down"]
            assert (engine.status.space, engine.status.reason) == ("down", "open_clip:fake/up is not there.")
            await until(lambda: not engine._leaving)
        assert await world.store.ids("up") == list(ITEMS)
    world.lost.clear()
    async with world.engine("auto") as engine:
        assert await found(engine) == order("up")
        assert await names(engine) == ["up"]
        await until(only(world, "up"))


async def test_the_first_choice_is_had_again_without_a_restart_by_asking_for_it(world: World) -> None:
    async with world.engine("auto") as engine:
        await fill(engine)
    world.lost.add(UP)
    async with world.engine("auto") as engine:
        await fill(engine)
        world.lost.clear()
        await engine.use("auto")
        assert await names(engine) == ["down", "up"]
        await engine.covered("down")
        assert await found(engine) == order("down")
        await engine.covered("up")
        assert await found(engine) == order("up")
        await until(only(world, "up"))


async def test_weights_that_were_trained_again_under_their_name_are_another_space(world: World) -> None:
    async with world.engine(UP) as engine:
        await fill(engine)
    world.spaces[UP] = "up-2"
    async with world.engine(UP) as engine:
        assert await found(engine) == []  # nobody can ask the old vectors any more
        await fill(engine)
        assert await found(engine) == order("up")
        assert await world.store.count("up") == len(ITEMS)
    world.spaces[UP] = "up"
    async with world.engine(UP) as engine:  # unless the old weights are put back
        assert await found(engine) == order("up")
        assert await names(engine) == ["up"]
        await until(only(world, "up"))
    world.spaces[UP] = "up-2"
    async with world.engine(UP) as engine:
        await fill(engine)
        await engine.covered("up-2")
        assert await found(engine) == order("up")
        await until(only(world, "up-2"))


async def test_when_the_first_choice_can_be_had_again_it_is_switched_to(world: World) -> None:
    world.lost.add(UP)
    async with world.engine("auto") as engine:
        await fill(engine)
        assert engine.status.space == "down"
    world.lost.clear()
    async with world.engine("auto") as engine:
        assert await found(engine) == order("down")
        assert await names(engine) == ["down", "up"]
        await fill(engine)
        await engine.covered("up")
        assert await found(engine) == order("up")


async def test_the_same_model_by_another_name_is_not_filled_again(world: World) -> None:
    async with world.engine(UP) as engine:
        await fill(engine)
        await engine.use("auto")
        assert await names(engine) == ["up"]
        assert await found(engine) == order("up")
        await until(lambda: not engine._leaving)


async def test_what_is_remembered_may_be_lost_or_damaged(world: World) -> None:
    async with world.engine(UP) as engine:
        await fill(engine)
    for damage in ("{", '{"spaces": 3}', "[]"):
        world.file.write_text(damage)
        async with world.engine(UP) as engine:
            assert await found(engine) == order("up")
    world.file.unlink()
    async with world.engine(DOWN) as engine:
        assert await found(engine) == []
        await fill(engine)
        await engine.covered("down")
        await until(only(world, "down"))


async def test_vectors_that_somebody_removed_are_made_again(world: World) -> None:
    async with world.engine(UP) as engine:
        await fill(engine)
        await world.store.drop("up")
        with pytest.raises(StoreUnavailable, match="made again"):
            await found(engine)
        await fill(engine)
        assert await found(engine) == order("up")


async def test_lost_vectors_are_looked_for_once_also_those_of_the_next_model(world: World) -> None:
    async with world.engine(UP) as engine:
        asked: list[int] = []
        engine.on_lost = lambda: asked.append(1)
        await fill(engine)
        await engine.lost()
        assert not asked  # nothing is gone
        await world.store.drop("up")
        await engine.lost()
        assert asked == [1]
        await fill(engine)
        await engine.lost()
        assert asked == [1]
        await engine.use(DOWN)
        await world.store.drop("down")
        await engine.lost()
        assert asked == [1, 1]
        assert await found(engine) == order("up")
        await fill(engine)
        await engine.covered("down")
        assert await found(engine) == order("down")
        await until(only(world, "down"))


async def test_when_the_answering_vectors_are_lost_while_others_are_filled_those_answer(world: World) -> None:
    async with world.engine(UP) as engine:
        await fill(engine)
        await engine.use(DOWN)
        await world.store.drop("up")
        with pytest.raises(StoreUnavailable, match="made again"):
            await found(engine)
        assert await names(engine) == ["down"]
        await fill(engine)
        assert await found(engine) == order("down")
        await until(only(world, "down"))


async def test_a_model_that_is_lost_while_it_works_is_loaded_again_and_nobody_elses_vectors_come(world: World) -> None:
    async with world.engine(UP) as engine:
        await fill(engine)

        def no_memory(batch: Sequence[str]) -> Vector:
            raise MemoryError

        world.loaded[0].texts = no_memory  # type: ignore[method-assign]
        with pytest.raises(EncoderUnavailable, match="memory"):
            await found(engine)
        assert engine.status.state is State.UNAVAILABLE
        assert "memory" in engine.reason
        [space] = [engine._now]
        assert isinstance(space, Space)
        space.kept._failed_at = float("-inf")  # as if some seconds had gone by
        assert await found(engine) == order("up")
        assert not engine.reason


@pytest.mark.parametrize("setting", [UP, "auto"])
async def test_a_model_that_is_lost_while_it_works_is_waited_for_whatever_else_could_be_had(
    world: World, setting: str
) -> None:
    async with world.engine(setting) as engine:
        await fill(engine)

        def no_memory(batch: Sequence[Image.Image]) -> Vector:
            raise MemoryError

        world.loaded[0].images = no_memory  # type: ignore[method-assign]
        world.lost.add(UP)
        with pytest.raises(EncoderUnavailable, match="memory"):
            await fill(engine)
        assert isinstance(engine._now, Space)
        for _ in range(2):
            engine._now.kept._failed_at = float("-inf")  # as if some seconds had gone by
            for asked in (found, names, fill):
                with pytest.raises(EncoderUnavailable, match="fake/up is not there"):
                    await asked(engine)
            await engine.covered("up")
            assert engine.status.state is State.UNAVAILABLE
        world.lost.clear()
        engine._now.kept._failed_at = float("-inf")
        assert await found(engine) == order("up")
        assert await names(engine) == ["up"]
    assert world.store._collections.keys() == {"up"}


class Pictures:
    """Items 1 and 2 have pictures, of which the catalogue knows. Implements `Catalogue`."""

    def __init__(self) -> None:
        self.away: set[int] = set()

    async def items(self, item_ids: Sequence[int]) -> Mapping[int, Item[Image.Image]]:
        return {
            key: Item(Facts(key, 1, 4, True), "seal", partial(self._load, key), away=key in self.away)
            for key in item_ids
            if key in (1, 2)
        }

    async def _load(self, key: int) -> Sequence[Still[Image.Image]]:
        if key in self.away:
            raise OutOfReach("Its disk is away.")
        return [Still(0.0, Image.new("RGB", (100 * key, 100)))]

    async def frame_ids(self, item_id: int, stills: Sequence[Still[Image.Image]]) -> Sequence[int]:
        return [item_id]

    async def embedded(self, item_ids: Sequence[int]) -> None:
        """Nobody asks."""


async def test_the_next_model_is_shown_the_objects_before_it_answers(world: World) -> None:
    async with world.engine(UP) as engine:
        await fill(engine)
        models, pictures = ObjectModels({}), Pictures()
        objects = Objects(engine, models, Giving(pictures, asyncio.Lock()), pictures)
        boxes = [GivenObject(100 + key, key % 2 + 1, Box(0, 0, 0, 10 + key, 10)) for key in range(80)]
        assert await objects.put("objects", boxes) == 80
        given = GivenObject(300, 1, np.array([1, 0], np.float32))
        assert await objects.put("objects", [given, GivenObject(301, 9, given.what)]) == 1
        await engine.use(DOWN)
        during = GivenObject(200, 2, Box(0, 0, 0, 50, 50))
        assert await objects.put("objects", [during]) == 1
        assert await world.store.ids("down.objects") == [200]
        await fill(engine)
        await engine.covered("down")
        assert await world.store.ids("down.objects") == [*range(100, 180), 200]
        with pytest.raises(InvalidArgument, match="no vector of the model 'objects'"):
            async with engine.answering() as now:
                await now.searching.like(Scope(1), ObjectStart(300), 5)
        async with engine.answering() as now:
            assert len(await now.searching.like(Scope(1), ObjectStart(100), 100)) == len(ITEMS) - 1
        await until(lambda: world.store._collections.keys() == {"down", "down.objects"})
        await models.close()


async def test_the_next_model_does_not_answer_while_the_disk_of_an_object_is_away(world: World) -> None:
    async with world.engine(UP) as engine:
        await fill(engine)
        models, pictures = ObjectModels({}), Pictures()
        objects = Objects(engine, models, Giving(pictures, asyncio.Lock()), pictures)
        boxes = [GivenObject(100 + key, key % 2 + 1, Box(0, 0, 0, 10, 10)) for key in range(4)]
        assert await objects.put("objects", boxes) == 4
        await engine.use(DOWN)
        await fill(engine)
        pictures.away = {2}
        with pytest.raises(OutOfReach, match="disk of their media is away"):
            await engine.covered("down")
        assert await found(engine) == order("up")
        pictures.away.clear()
        await engine.covered("down")
        assert await world.store.ids("down.objects") == [100, 101, 102, 103]
        assert await found(engine) == order("down")
        await models.close()


async def test_objects_of_a_model_that_cannot_be_loaded_are_shown_to_the_one_that_takes_over(world: World) -> None:
    models, pictures = ObjectModels({}), Pictures()
    async with world.engine(UP) as engine:
        await fill(engine)
        objects = Objects(engine, models, Giving(pictures, asyncio.Lock()), pictures)
        assert await objects.put("objects", [GivenObject(100, 1, Box(0, 0, 0, 10, 10))]) == 1
    world.lost.add(UP)
    async with world.engine(DOWN) as engine:
        objects = Objects(engine, models, Giving(pictures, asyncio.Lock()), pictures)
        await fill(engine)
        assert await objects.put("objects", [GivenObject(101, 2, Box(0, 0, 0, 10, 10))]) == 1
        await engine.covered("down")
        assert await world.store.ids("down.objects") == [100, 101]
        await until(lambda: world.store._collections.keys() == {"down", "down.objects"})
    await models.close()


@pytest.mark.skipif(find_spec("torch") is None, reason="the models are not installed")
async def test_open_clip_models_are_switched_under_load(tmp_path: Path) -> None:
    import torch

    for name in ("tiny-shapes.json", "tiny-shapes.pt"):
        shutil.copy(TINY / name, tmp_path)
    weights = torch.load(TINY / "tiny-shapes.pt", weights_only=True)
    state = weights.get("state_dict", weights)
    for key, value in state.items():
        if key.endswith("text_projection") or key == "visual.proj":
            state[key] = -value  # the same cosines in other vectors
    torch.save(weights, tmp_path / "tiny-other.pt")
    store = EdgeStore(tmp_path / "vectors", INDEXES)

    async def opened() -> VectorStore:
        return store

    chance = Random(2)
    shown = {key: drawn(colour, "star", chance) for key, colour in enumerate(["red", "blue"] * 20, 1)}

    async def put(engine: Engine, ids: Sequence[int]) -> None:
        for space in await engine.filling():
            rows = await space.images([shown[key] for key in ids])
            facts = [Facts(key, 1, 4, True) for key in ids]
            await store.upsert(
                space.name,
                [
                    Point(one.item_id, row, points.payload(one.item_id, one))
                    for one, row in zip(facts, rows, strict=True)
                ],
            )

    async def red(engine: Engine, words: str) -> set[int]:
        async with engine.answering() as now:
            [target] = await now.space.texts([words])
            return {scored.item_id for scored in await now.searching.nearest(Scope(1), target, 20)}

    first, second = (f"open_clip:tiny-shapes/{tmp_path / name}" for name in ("tiny-shapes.pt", "tiny-other.pt"))
    engine = Engine(Choosing(first, candidates, tmp_path / "search.json"), opened, no_pictures)
    await put(engine, list(shown))
    expected = {key for key in shown if key % 2}
    answers, done = 0, False

    async def ask() -> None:
        nonlocal answers
        while not done:
            answers += 1
            assert len((await red(engine, f"a red star {answers}")) & expected) >= 19
            await asyncio.sleep(0)

    asking = asyncio.create_task(ask())
    await engine.use(second)
    before, following = await names(engine)
    for start in range(1, 41, 8):
        await put(engine, range(start, start + 8))
        seen = answers
        await until(lambda seen=seen: answers > seen or asking.done())  # type: ignore[misc]
    await engine.covered(following)
    seen = answers
    await until(lambda: answers > seen + 3 or asking.done())
    done = True
    await asking
    assert await store.aliases() == {ANSWERS: following}
    await until(lambda: before not in store._registry.dimensions)
    await engine.close()
    assert sorted(path.name for path in (tmp_path / "vectors" / "shards").iterdir()) == [following]
