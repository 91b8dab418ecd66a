"""The index of the embedded store is built beside it: what is asked and written meanwhile is as if it were not."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from search_service.domain.errors import StoreUnavailable
from search_service.domain.filters import Has, Ids
from search_service.domain.points import INDEXES
from search_service.domain.vectors import Point, Vector, unit
from search_service.vectors import building, edge
from search_service.vectors.edge import EdgeStore

#: Enough for the engine to build a graph.
MANY, DIMENSIONS = 6_000, 512
VECTORS = unit(np.random.default_rng(1).standard_normal((MANY + 100, DIMENSIONS)).astype(np.float32))


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("filled")

    async def fill() -> None:
        store = EdgeStore(folder, INDEXES)
        await store.ensure("many", DIMENSIONS)
        for start in range(0, MANY, 1000):
            await store.upsert("many", [point(key) for key in range(start, start + 1000)])
        await store.close()

    asyncio.run(fill())
    return folder


@pytest.fixture
async def store(filled: Path, tmp_path: Path) -> AsyncIterator[EdgeStore]:
    shutil.copytree(filled, tmp_path / "vectors")
    store = EdgeStore(tmp_path / "vectors", INDEXES)
    yield store
    await store.close()


def point(key: int, vector: Vector | None = None, *tags: int) -> Point:
    return Point(key, VECTORS[key] if vector is None else vector, {"tags": list(tags)})


async def is_indexed(store: EdgeStore) -> bool:
    return store._shard("many").info().indexed_vectors_count >= MANY - 100


async def test_searches_and_writes_go_on_and_all_that_was_written_is_there(store: EdgeStore, tmp_path: Path) -> None:
    built = asyncio.create_task(store.optimise("many"))
    await the_process()
    searches = 0
    await store.upsert("many", [point(MANY, None, 7), point(3, VECTORS[MANY + 3], 7)])
    await store.set_payload("many", {4: {"tags": [7]}, 999_999: {"tags": [7]}})
    await store.delete("many", [5, 6])
    while not built.done():
        assert (await store.search("many", VECTORS[searches % 3], 1))[0].point_id == searches % 3
        searches += 1
    await built
    assert searches > 20
    assert await is_indexed(store)
    again = store
    for _ in range(2):
        assert await again.ids("many", Has("tags", frozenset({7}))) == [3, 4, MANY]
        assert await again.count("many") == MANY - 1
        assert await again.ids("many", Ids(frozenset({5, 6}))) == []
        assert (await again.search("many", VECTORS[MANY + 3], 1))[0].point_id == 3
        np.testing.assert_allclose((await again.vectors("many", [3]))[3], VECTORS[MANY + 3], atol=1e-6)
        await again.close()
        assert len(os.listdir(tmp_path / "vectors" / "shards")) == 1
        again = EdgeStore(tmp_path / "vectors", INDEXES)
    await again.close()


async def test_what_is_built_is_not_built_again_for_a_few_and_is_when_many_go(
    store: EdgeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = []
    true = building.built

    async def noted(folder: Path) -> None:
        places.append(folder)
        await true(folder)

    monkeypatch.setattr(edge, "built", noted)
    for _ in range(2):
        await store.optimise("many")
    await store.upsert("many", [point(MANY)])
    await store.optimise("many")
    assert len(places) == 1
    await store.delete("many", list(range(2000)))
    await store.optimise("many")
    assert len(places) == 2
    assert await store.count("many") == MANY - 1999


async def test_a_process_that_dies_leaves_the_vectors_as_they_were(store: EdgeStore, tmp_path: Path) -> None:
    built = asyncio.create_task(store.optimise("many"))
    (await the_process()).send_signal(signal.SIGKILL)
    await store.upsert("many", [point(MANY)])
    with pytest.raises(StoreUnavailable, match="was not built"):
        await built
    assert await store.count("many") == MANY + 1
    assert os.listdir(tmp_path / "vectors" / "shards") == ["many"]
    await store.optimise("many")
    assert await is_indexed(store)


async def test_what_only_got_another_payload_is_built_anew_after_a_failure(store: EdgeStore) -> None:
    await store.optimise("many")
    await store.set_payload("many", {key: {"tags": [7]} for key in range(MANY)})
    built = asyncio.create_task(store.optimise("many"))
    (await the_process()).send_signal(signal.SIGKILL)
    with pytest.raises(StoreUnavailable, match="was not built"):
        await built
    built = asyncio.create_task(store.optimise("many"))
    await the_process()
    await built
    assert await is_indexed(store)


async def test_no_index_is_built_where_the_copy_would_fill_the_disk(
    store: EdgeStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "_ROOM", 10**9)
    with pytest.raises(StoreUnavailable, match="are free"):
        await store.optimise("many")
    assert os.listdir(tmp_path / "vectors" / "shards") == ["many"]
    assert await store.count("many") == MANY


async def test_given_up_it_leaves_no_process_and_no_files(store: EdgeStore, tmp_path: Path) -> None:
    built = asyncio.create_task(store.optimise("many"))
    process = await the_process()
    built.cancel()
    with pytest.raises(asyncio.CancelledError):
        await built
    assert not process.is_running()
    assert os.listdir(tmp_path / "vectors" / "shards") == ["many"]


async def test_dropped_and_made_anew_meanwhile_it_is_the_new_one(store: EdgeStore, tmp_path: Path) -> None:
    built = asyncio.create_task(store.optimise("many"))
    await the_process()
    await store.drop("many")
    await store.ensure("many", DIMENSIONS)
    await store.upsert("many", [point(1)])
    await built
    assert await store.ids("many") == [1]
    assert os.listdir(tmp_path / "vectors" / "shards") == ["many"]


async def test_killed_while_it_builds_it_has_all_and_nothing_else_at_the_next_start(
    filled: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "vectors"
    shutil.copytree(filled, folder)
    program = (
        "import asyncio, sys; from pathlib import Path; from search_service.vectors.edge import EdgeStore\n"
        "async def main():\n"
        "    store = EdgeStore(Path(sys.argv[1]), {})\n"
        "    print('ready', flush=True)\n"
        "    await store.optimise('many')\n"
        "asyncio.run(main())"
    )
    for delay_s in (0.05, 0.4, 0.8):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, folder, stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None
        await process.stdout.readline()
        await asyncio.sleep(delay_s)
        process.kill()
        await process.communicate()
        store = EdgeStore(folder, INDEXES)
        assert await store.count("many") == MANY
        assert len(os.listdir(folder / "shards")) == 1
        await store.close()


async def the_process() -> psutil.Process:
    """The one that builds, as soon as there is one."""
    async with asyncio.timeout(20):
        while True:
            for child in psutil.Process().children():
                if "search_service.vectors.building" in child.cmdline():
                    return child
            await asyncio.sleep(0.005)
