"""What every vector store does: one contract, three adapters."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from media_common.errors import InvalidArgument
from search_service.domain.errors import NoSuchVectors, StoreUnavailable, WrongDimensions
from search_service.domain.filters import EVERYTHING, NOTHING, All, Any, Between, Filter, Has, Ids, Not, matches
from search_service.domain.vectors import Hit, Point, VectorStore, unit
from search_service.testing import DIMENSIONS, INDEXES, points, tree
from search_service.vectors.edge import EdgeStore
from search_service.vectors.edge_asking import Asking
from search_service.vectors.memory import MemoryStore
from search_service.vectors.server import QdrantStore, connected

Opened = Callable[[], Awaitable[VectorStore]]


def of(*numbers: float) -> np.ndarray:
    return np.array(numbers, np.float32)


async def small(store: VectorStore, name: str = "animals") -> VectorStore:
    await store.ensure(name, 3)
    made = [
        Point(1, of(1, 0, 0), {"tags": [1, 2], "kind": "image", "created": 10}),
        Point(2, of(0, 2, 0), {"tags": [2], "kind": "video", "created": 20}),
        Point(2**41, of(1, 1, 0), {"tags": [], "kind": "image", "number": 0.5}),
    ]
    await store.upsert(name, made)
    return store


async def found(store: VectorStore, name: str, *numbers: float, **how: object) -> list[int]:
    return [hit.point_id for hit in await store.search(name, of(*numbers), 10, **how)]  # type: ignore[arg-type]


async def test_the_nearest_come_first_with_their_cosine(store: VectorStore) -> None:
    await small(store)
    hits = await store.search("animals", of(3, 0, 0), 2)
    assert [hit.point_id for hit in hits] == [1, 2**41]
    assert [hit.score for hit in hits] == pytest.approx([1.0, 2**-0.5], abs=1e-5)


async def test_vectors_come_back_at_unit_length_and_payloads_as_they_were(store: VectorStore) -> None:
    await small(store)
    vectors = await store.vectors("animals", [2, 2**41, 99])
    assert set(vectors) == {2, 2**41}
    assert vectors[2].dtype == np.float32
    np.testing.assert_allclose(vectors[2], [0, 1, 0], atol=1e-6)
    assert await store.payloads("animals", [1, 99]) == {1: {"tags": [1, 2], "kind": "image", "created": 10}}
    assert await store.payloads("animals", [1, 99], ("kind", "created")) == {1: {"kind": "image", "created": 10}}
    assert await store.payloads("animals", [1], ("unheard",)) == {1: {}}
    assert await store.vectors("animals", []) == {}


async def test_an_upsert_replaces_a_point_whole(store: VectorStore) -> None:
    await small(store)
    await store.upsert("animals", [Point(1, of(0, 0, 1), {"kind": "video"})])
    assert await store.count("animals") == 3
    assert await store.payloads("animals", [1]) == {1: {"kind": "video"}}
    assert (await found(store, "animals", 0, 0, 1))[0] == 1
    assert await store.ids("animals", Has("tags", frozenset({1}))) == []


async def test_fields_of_a_payload_are_written_and_no_point_is_made(store: VectorStore) -> None:
    await small(store)
    await store.set_payload("animals", {1: {"tags": [7]}, 2: {"tags": []}, 2**41: {"tags": [7]}, 99: {"tags": [7]}})
    assert await store.ids("animals", Has("tags", frozenset({7}))) == [1, 2**41]
    assert await store.ids("animals", Has("tags", frozenset({1, 2}))) == []
    assert await store.payloads("animals", [1, 99]) == {1: {"tags": [7], "kind": "image", "created": 10}}
    np.testing.assert_allclose((await store.vectors("animals", [1]))[1], [1, 0, 0], atol=1e-6)


async def test_a_deleted_point_is_gone_and_deleting_it_again_is_fine(store: VectorStore) -> None:
    await small(store)
    for _ in range(2):
        await store.delete("animals", [1, 99])
    assert await store.ids("animals") == [2, 2**41]
    assert 1 not in await found(store, "animals", 1, 0, 0)


async def test_ids_come_in_pages_in_ascending_order(store: VectorStore) -> None:
    await store.ensure("many", DIMENSIONS)
    given = points()
    await store.upsert("many", given)
    pages: list[int] = []
    while page := await store.ids("many", after=pages[-1] if pages else -1, limit=70):
        pages += page
    assert pages == sorted(point.point_id for point in given)


@pytest.mark.parametrize(
    ("filter", "passing"),
    [
        (EVERYTHING, [1, 2, 2**41]),
        (NOTHING, []),
        (Not(NOTHING), [1, 2, 2**41]),
        (All((NOTHING, EVERYTHING)), []),
        (Any((NOTHING, EVERYTHING)), [1, 2, 2**41]),
        (Has("tags", frozenset({2})), [1, 2]),
        (Has("tags", frozenset()), []),
        (Not(Has("tags", frozenset({2}))), [2**41]),
        (Has("kind", frozenset({"image", "audio"})), [1, 2**41]),
        (Ids(frozenset({2, 77, -5})), [2]),
        (Not(Ids(frozenset({2}))), [1, 2**41]),
        (Between("created", 10, 19), [1]),
        (Between("created", 11, None), [2]),
        (Between("created", None, 10), [1]),
        (Between("created"), [1, 2]),
        (Between("kind"), []),
        (Between("tags"), [1, 2]),
        (Between("tags", 0, 1), [1]),
        (Not(Between("number", 0.5, 0.5)), [1, 2]),
        (All((Has("tags", frozenset({2})), Any((Ids(frozenset({1})), Has("kind", frozenset({"none"})))))), [1]),
    ],
)
async def test_a_filter_says_which_points_there_are(store: VectorStore, filter: All, passing: list[int]) -> None:
    await small(store)
    assert await store.ids("animals", filter) == passing
    assert await store.count("animals", filter) == len(passing)
    assert sorted(await found(store, "animals", 1, 1, 1, filter=filter)) == passing


def sql_of(tree: Filter) -> tuple[str, list[int | float | str]]:
    """The tree as a condition on `point`, from the definition of filters alone. A field that is missing is NULL."""
    match tree:
        case All(parts) | Any(parts):
            pieces = [sql_of(part) for part in parts]
            word, nothing = ("AND", "1") if isinstance(tree, All) else ("OR", "0")
            joined = f" {word} ".join(text for text, _ in pieces) or nothing
            return f"({joined})", [value for _, values in pieces for value in values]
        case Not(part):
            text, values = sql_of(part)
            return f"(NOT {text})", values
        case Has("tags", values):
            marks = ", ".join("?" * len(values))
            return f"(id IN (SELECT point FROM tag WHERE value IN ({marks})))", [*values]  # noqa: S608  # ours
        case Has(field, values):
            return f"(ifnull({field} IN ({', '.join('?' * len(values))}), 0))", [*values]
        case Between(field, lower, upper):
            bounds = [(f"{field} >= ?", lower), (f"{field} <= ?", upper)]
            said = [f"{field} IS NOT NULL", *(text for text, bound in bounds if bound is not None)]
            return f"(ifnull({' AND '.join(said)}, 0))", [bound for _, bound in bounds if bound is not None]
        case Ids(ids):
            return f"(id IN ({', '.join('?' * len(ids))}))", [*ids]


def as_tables(given: Sequence[Point]) -> sqlite3.Connection:
    tables = sqlite3.connect(":memory:")
    tables.execute("CREATE TABLE point (id INTEGER PRIMARY KEY, created INTEGER, number REAL, kind TEXT)")
    tables.execute("CREATE TABLE tag (point INTEGER, value INTEGER)")
    for one in given:
        row = (one.point_id, *(one.payload.get(field) for field in ("created", "number", "kind")))
        tables.execute("INSERT INTO point VALUES (?, ?, ?, ?)", row)
        tags = one.payload["tags"]
        assert isinstance(tags, list)
        tables.executemany("INSERT INTO tag VALUES (?, ?)", [(one.point_id, tag) for tag in tags])
    return tables


async def test_two_thousand_random_filters_mean_the_same_here_in_the_exact_store_and_in_sql(store: VectorStore) -> None:
    given = points()
    oracle = MemoryStore()
    for one in (store, oracle):
        await one.ensure("many", DIMENSIONS)
        await one.upsert("many", given)
    chance = random.Random(11)
    sizes = set()
    with closing(as_tables(given)) as tables:
        # A server is asked over the network, ten times as long.
        for _ in range(200 if isinstance(store, QdrantStore) else 2000):
            wanted = tree(chance)
            condition, values = sql_of(wanted)
            rows = tables.execute(f"SELECT id FROM point WHERE {condition} ORDER BY id", values)  # noqa: S608  # ours
            passing = [key for (key,) in rows]
            assert await store.ids("many", wanted) == passing, wanted
            assert await oracle.ids("many", wanted) == passing, wanted
            sizes.add(len(passing))
    assert len(sizes) > 50  # the trees are not all trivial


async def test_a_filter_as_deep_as_any_dialect_lets_it_be_is_understood(store: VectorStore) -> None:
    await small(store)
    made: Filter = Ids(frozenset({1}))
    for level in range(32):
        made = Not((All if level % 2 else Any)((made, Has("tags", frozenset({100 + level})))))
    expected = [key for key in (1, 2, 2**41) if matches(made, key, (await store.payloads("animals", [key]))[key])]
    assert await store.ids("animals", made) == expected


async def test_a_filtered_search_finds_as_many_as_pass_in_the_order_of_an_exact_one(store: VectorStore) -> None:
    given = points()
    oracle = MemoryStore()
    for one in (store, oracle):
        await one.ensure("many", DIMENSIONS)
        await one.upsert("many", given)
    chance, numbers = random.Random(3), np.random.default_rng(3)
    for _ in range(20):
        wanted, query = tree(chance), numbers.standard_normal(DIMENSIONS, np.float32)
        mine, exact = [await one.search("many", query, 25, wanted, exact=True) for one in (store, oracle)]
        assert [hit.point_id for hit in mine] == [hit.point_id for hit in exact]
        assert [hit.score for hit in mine] == pytest.approx([hit.score for hit in exact], abs=1e-4)


async def test_conditions_that_nearly_all_pass_hold_whatever_is_written(store: VectorStore) -> None:
    """Such conditions may be taken out of the question; what fails them is never found, what passes always is."""
    given = [Point(one.point_id, one.vector, {**one.payload, "kind": "image"}) for one in points()]
    oracle = MemoryStore()
    for each in (store, oracle):
        await each.ensure("many", DIMENSIONS)
        await each.upsert("many", given)
    chance, numbers = random.Random(5), np.random.default_rng(5)
    images, keys = Has("kind", frozenset({"image"})), [one.point_id for one in given]
    for turn in range(120):
        few = chance.sample(keys, chance.choice([0, 1, 3]))
        if turn % 40 == 39:
            few = keys[:: chance.choice([2, 20])]
        match chance.randrange(4):
            case 0:
                changed = {key: {"kind": chance.choice(["video", "image"])} for key in few}
                for each in (store, oracle):
                    await each.set_payload("many", changed)
            case 1:
                for each in (store, oracle):
                    await each.delete("many", few)
            case 2:
                made = [Point(key, numbers.standard_normal(DIMENSIONS, np.float32), {"kind": "video"}) for key in few]
                for each in (store, oracle):
                    await each.upsert("many", made)
            case _:
                made = [Point(key, numbers.standard_normal(DIMENSIONS, np.float32), {"kind": "image"}) for key in few]
                for each in (store, oracle):
                    await each.upsert("many", made)
        wanted = images if chance.random() < 0.5 else All((images, tree(chance, 1)))
        query, limit = numbers.standard_normal(DIMENSIONS, np.float32), chance.choice([1, 10, 400])
        mine, exact = [await each.search("many", query, limit, wanted) for each in (store, oracle)]
        assert [hit.point_id for hit in mine] == [hit.point_id for hit in exact]


async def test_as_many_are_found_as_pass_although_the_few_that_fail_are_all_nearest(store: VectorStore) -> None:
    await store.ensure("many", 3)
    near = [Point(key, of(1, 0, key / 1000), {"kind": "video"}) for key in range(20)]
    far = [Point(key, of(0, 1, key / 1000), {"kind": "image"}) for key in range(20, 300)]
    await store.upsert("many", near + far)
    for _ in range(2):
        hits = await store.search("many", of(1, 0, 0), 5, Has("kind", frozenset({"image"})))
        assert [hit.point_id >= 20 for hit in hits] == [True] * 5
    # What was written since is farther away than what the few hide.
    await store.upsert("many", [Point(key, of(-1, -1, -1), {"kind": "image"}) for key in range(300, 305)])
    hits = await store.search("many", of(1, 0, 0), 5, Has("kind", frozenset({"image"})))
    best = await store.search("many", of(1, 0, 0), 5, Has("kind", frozenset({"image"})), exact=True)
    assert [hit.score for hit in hits] == pytest.approx([hit.score for hit in best], abs=1e-5)


async def test_a_condition_that_every_point_passes_counts_again_when_one_does_not(store: VectorStore) -> None:
    await small(store)
    await store.set_payload("animals", {key: {"kind": "image"} for key in (1, 2, 2**41)})
    images = Has("kind", frozenset({"image"}))
    for _ in range(2):
        assert await found(store, "animals", 1, 0, 0, filter=images) == [1, 2**41, 2]
    await store.set_payload("animals", {2**41: {"kind": "video"}})
    assert await found(store, "animals", 1, 0, 0, filter=images) == [1, 2]
    await store.upsert("animals", [Point(2**41, of(1, 1, 0), {"kind": "image"})])
    assert await found(store, "animals", 1, 0, 0, filter=images) == [1, 2**41, 2]
    await store.upsert("animals", [Point(3, of(1, 0, 0), {"kind": "video"})])
    assert await found(store, "animals", 1, 0, 0, filter=All((images, Has("kind", frozenset({"image", "a"}))))) == [
        1,
        2**41,
        2,
    ]
    await store.delete("animals", [3])
    assert await found(store, "animals", 1, 0, 0, filter=Not(images)) == []


async def test_an_alias_answers_for_a_collection_and_flips_in_one_step(store: VectorStore) -> None:
    await small(store, "old")
    await store.ensure("new", 2)
    await store.upsert("new", [Point(5, of(1, 0), {})])
    await store.set_alias("now", "old")
    assert (await found(store, "now", 1, 0, 0))[0] == 1
    await store.set_alias("now", "new")
    assert await found(store, "now", 1, 0) == [5]
    assert await store.aliases() == {"now": "new"}
    await store.drop("old")
    assert await store.collections() == {"new": 2}
    await store.drop("new")
    assert await store.aliases() == {}
    with pytest.raises(NoSuchVectors):
        await store.count("now")


async def test_searches_never_fail_while_an_alias_flips(store: VectorStore) -> None:
    for name in ("one", "two"):
        await small(store, name)
    await store.set_alias("now", "one")
    flipping = True

    async def flip() -> None:
        nonlocal flipping
        for turn in range(20):
            await store.set_alias("now", ("one", "two")[turn % 2])
            await asyncio.sleep(0)
        flipping = False

    async def look() -> int:
        looks = 0
        while flipping:
            assert len(await found(store, "now", 1, 0, 0)) == 3
            looks += 1
            await asyncio.sleep(0)  # the memory store never waits
        return looks

    _, *looks = await asyncio.gather(flip(), look(), look())
    assert all(looks)


async def test_a_collection_that_is_not_there_is_named(store: VectorStore) -> None:
    for asked in (
        store.count("nothing"),
        store.ids("nothing"),
        store.search("nothing", of(1, 0, 0), 3),
        store.vectors("nothing", [1]),
        store.upsert("nothing", [Point(1, of(1, 0, 0), {})]),
        store.set_alias("now", "nothing"),
    ):
        with pytest.raises(NoSuchVectors, match="nothing"):
            await asked
    await store.drop("nothing")


@pytest.mark.parametrize("vector", [of(1, 0), of(1, 0, 0, 0), of(1, float("nan"), 0), of(float("inf"), 0, 0)])
async def test_a_wrong_vector_writes_nothing_and_finds_nothing(store: VectorStore, vector: np.ndarray) -> None:
    await small(store)
    with pytest.raises(WrongDimensions):
        await store.upsert("animals", [Point(8, of(1, 0, 0), {}), Point(9, vector, {})])
    with pytest.raises(WrongDimensions):
        await store.search("animals", vector, 3)
    assert await store.count("animals") == 3


async def test_a_collection_keeps_the_length_it_was_made_with(store: VectorStore) -> None:
    await small(store)
    await store.ensure("animals", 3)
    assert await store.count("animals") == 3
    with pytest.raises(WrongDimensions):
        await store.ensure("animals", 4)


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "a" * 121, "a..b", "naïve"])
async def test_a_name_that_cannot_be_a_folder_is_refused(store: VectorStore, name: str) -> None:
    with pytest.raises(InvalidArgument):
        await store.ensure(name, 3)


async def test_what_was_written_is_there_after_closing_and_opening(opened: Opened) -> None:
    store = await small(await opened())
    await store.set_alias("now", "animals")
    await store.delete("animals", [2])
    await store.close()
    again = await opened()
    assert await again.ids("now") == [1, 2**41]
    assert await again.collections() == {"animals": 3}
    assert (await found(again, "now", 1, 0, 0))[0] == 1


async def test_searching_and_writing_go_on_while_the_index_is_built(store: VectorStore) -> None:
    await store.ensure("many", 64)
    await store.upsert("many", points(how_many=3000, dimensions=64))
    building = asyncio.create_task(store.optimise("many"))
    for turn in range(20):
        await store.upsert("many", [Point(2**50 + turn, unit(np.ones(64)), {"tags": [39]})])
        assert (await store.search("many", np.ones(64, np.float32), 1))[0].score == pytest.approx(1, abs=1e-4)
    await building
    assert await store.count("many") == 3020
    assert len(await store.ids("many", Ids(frozenset(range(2**50, 2**50 + 20))))) == 20


_WRITER = """
import asyncio, sys
from pathlib import Path
import numpy as np
from search_service.domain.vectors import Point
from search_service.vectors.edge import EdgeStore
from search_service.vectors.edge_asking import Asking
async def main():
    store = EdgeStore(Path(sys.argv[1]), {"tags": "integer"})
    await store.ensure("many", 8)
    await store.set_alias("now", "many")
    for start in range(0, 10**6, 50):
        keys = range(start, start + 50)
        await store.upsert("many", [Point(key, np.ones(8, np.float32), {"tags": [start]}) for key in keys])
        print(start + 50, flush=True)
asyncio.run(main())
"""


def killed_writer(folder: Path, lines: int) -> int:
    """How many points it said it had written before it was killed in the middle of more."""
    program = [sys.executable, "-c", _WRITER, str(folder)]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        for _ in range(lines):
            written = int(writer.stdout.readline())
        writer.send_signal(signal.SIGKILL)
    return written


@pytest.mark.parametrize("lines", [1, 20])
async def test_edge_loses_nothing_that_was_written_when_it_is_killed(tmp_path: Path, lines: int) -> None:
    written = killed_writer(tmp_path, lines)
    store = EdgeStore(tmp_path, INDEXES)
    assert await store.ids("now", Ids(frozenset(range(written)))) == list(range(written))
    assert await store.count("many", Has("tags", frozenset({0}))) == 50
    await store.upsert("many", [Point(2**40, np.ones(8, np.float32), {})])
    await store.close()


async def test_edge_forgets_a_collection_whose_making_was_cut_short(tmp_path: Path) -> None:
    store = EdgeStore(tmp_path, INDEXES)
    await small(store)
    await store.close()
    (tmp_path / "shards" / "half").mkdir()
    again = EdgeStore(tmp_path, INDEXES)
    assert sorted(os.listdir(tmp_path / "shards")) == ["animals"]
    await again.close()


async def test_edge_says_what_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "collections.json").write_text("{")
    with pytest.raises(StoreUnavailable, match="damaged"):
        EdgeStore(tmp_path, INDEXES)
    (tmp_path / "collections.json").write_text('{"dimensions": {"lost": 3}, "aliases": {}}')
    store = EdgeStore(tmp_path, INDEXES)
    with pytest.raises(StoreUnavailable, match="lost cannot be opened"):
        await store.count("lost")
    await store.close()


async def test_edge_that_fails_under_way_is_unavailable_and_not_a_bug(tmp_path: Path) -> None:
    store = EdgeStore(tmp_path, INDEXES)
    await small(store)
    store._shards["animals"].close()  # what the engine raises then is what it raises for a full disk
    point = Point(1, of(1, 0, 0), {})
    for asked in (
        store.upsert("animals", [point]),
        store.set_payload("animals", {1: {"kind": "image"}}),
        store.search("animals", of(1, 0, 0), 1),
        store.count("animals"),
        store.optimise("animals"),
    ):
        with pytest.raises(StoreUnavailable, match="cannot be used now"):
            await asked
    with pytest.raises(AttributeError):
        await store.upsert("animals", [None])  # type: ignore[list-item]
    store._shards.clear()
    assert await store.count("animals") == 3
    await store.close()


async def test_edge_has_a_collection_only_when_it_could_be_listed(tmp_path: Path) -> None:
    store = EdgeStore(tmp_path, INDEXES)
    (tmp_path / "collections.new").mkdir()
    with pytest.raises(StoreUnavailable, match="cannot be used now"):
        await store.ensure("animals", DIMENSIONS)
    assert await store.collections() == {}
    (tmp_path / "collections.new").rmdir()
    await small(store)
    await store.close()
    again = EdgeStore(tmp_path, INDEXES)
    assert await again.count("animals") == 3
    await again.close()


async def test_edge_that_cannot_note_a_change_has_not_made_it(tmp_path: Path) -> None:
    store = EdgeStore(tmp_path, INDEXES)
    await small(store)
    await small(store, "others")
    await store.set_alias("now", "animals")
    (tmp_path / "collections.new").mkdir()
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="cannot be used now"):
            await store.drop("animals")
        with pytest.raises(StoreUnavailable, match="cannot be used now"):
            await store.set_alias("now", "others")
    assert await store.collections() == {"animals": 3, "others": 3}
    assert await store.aliases() == {"now": "animals"}
    assert await store.count("now") == 3
    (tmp_path / "collections.new").rmdir()
    await store.drop("animals")
    await store.close()
    again = EdgeStore(tmp_path, INDEXES)
    assert await again.collections() == {"others": 3}
    assert await again.aliases() == {}
    await again.close()


@pytest.mark.parametrize("moment", ["while it is found out who fails", "before the walk"])
async def test_edge_never_finds_what_never_passed_whenever_it_was_written(tmp_path: Path, moment: str) -> None:
    store = EdgeStore(tmp_path, INDEXES, frozenset({"kind", "number"}), rest_s=0)
    await store.ensure("many", 3)
    await store.upsert("many", [Point(key, of(1, key, 0), {"kind": "image", "number": 1}) for key in range(100)])
    images = Has("kind", frozenset({"image"}))
    await store.search("many", of(1, 0, 0), 1, images)
    shard, usual = store._shard("many"), store._usual_of("many")

    def write() -> None:
        video = Point(999, of(1, 0, 0), {"kind": "video", "number": 1})
        store._upsert("many", [video])

    class Interrupted(Asking):
        def count(self, filter: Filter) -> int:
            counted = super().count(filter)
            if moment == "while it is found out who fails" and filter != EVERYTHING:
                write()
            return counted

        def _walked(self, query: np.ndarray, limit: int, filter: Filter, ef: int) -> list[Hit]:
            if moment == "before the walk" and filter != asked:
                write()
            return super()._walked(query, limit, filter, ef)

    asked = All((images, Has("number", frozenset({1})))) if moment != "before the walk" else images
    hits = Interrupted(shard).nearest(of(1, 0, 0), 5, asked, 64, usual)
    assert [hit.point_id for hit in hits] == [0, 1, 2, 3, 4]
    assert (await store.ids("many", Has("kind", frozenset({"video"})))) == [999]
    await store.close()


async def test_ids_that_no_point_can_have_are_fine(store: VectorStore) -> None:
    await small(store)
    assert await store.vectors("animals", [-1]) == {}
    assert await store.payloads("animals", [-1]) == {}
    await store.set_payload("animals", {-1: {"kind": "image"}})
    await store.delete("animals", [-1])
    assert await store.count("animals", Ids(frozenset({-1, 1}))) == 1


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(StoreUnavailable, match="cannot be reached"):
        await connected("http://127.0.0.1:1", "", INDEXES, "t-")


async def test_a_wrong_api_key_is_told(qdrant: tuple[str, str]) -> None:
    url, key = qdrant
    if not key:
        pytest.skip("this server asks for none")
    with pytest.raises(StoreUnavailable, match="refuses"):
        await connected(url, "wrong", INDEXES, "t-")
