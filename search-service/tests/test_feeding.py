"""When the index of vectors is built, and what is told of the work."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from search_service import feeding as feeding_module
from search_service.domain.embedding import Counts
from search_service.domain.errors import StoreUnavailable
from search_service.feeding import Feeding
from search_service.jobs import Waiting
from search_service.vectors.memory import MemoryStore


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeding_module, "_TICK_S", 0.005)
    monkeypatch.setattr(feeding_module, "_BEGIN_S", 0.0)
    monkeypatch.setattr(feeding_module, "_BUILD_AGAIN_S", 0.01)


class FakePart:
    """The queue, the look, the embedding and the connection, as far as this asks them."""

    def __init__(self) -> None:
        self.counts = Counts()
        self.left = 0
        self.paused = False
        self.queue = Waiting()
        self.runs = 0

    async def run(self) -> None:
        self.runs += 1
        await asyncio.Event().wait()

    def pause(self) -> None:
        self.paused = True

    def go_on(self) -> None:
        self.paused = False

    async def waiting(self) -> Waiting:
        return self.queue

    async def pending(self) -> int:
        return self.queue.pending


class FakeStore(MemoryStore):
    def __init__(self) -> None:
        super().__init__()
        self.built = 0
        self.away = 0

    async def optimise(self, name: str) -> None:
        if self.away:
            self.away -= 1
            raise StoreUnavailable("It is away.")
        self.built += 1


class Rig:
    def __init__(self, store: FakeStore, held: Path | None = None) -> None:
        self.store = store
        self.part = FakePart()
        self.giving = SimpleNamespace(written=0)
        part: Any = self.part
        engine: Any = SimpleNamespace(store=self._store)
        giving: Any = self.giving
        self.feeding = Feeding(part, part, part, part, part, engine, giving, held=held)

    async def _store(self) -> FakeStore:
        return self.store

    async def until_built(self, times: int) -> None:
        async with asyncio.timeout(10):
            while self.store.built < times:  # noqa: ASYNC110
                await asyncio.sleep(0.005)


@asynccontextmanager
async def running() -> AsyncIterator[Rig]:
    store = FakeStore()
    await store.ensure("now", 2)
    rig = Rig(store)
    work = asyncio.create_task(rig.feeding.run())
    try:
        yield rig
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


async def test_what_a_killed_process_left_is_built_at_the_start_and_then_nothing_that_is_not_new() -> None:
    async with running() as rig:
        await rig.until_built(1)
        await asyncio.sleep(0.1)
        assert rig.store.built == 1


async def test_vectors_from_outside_are_built_when_no_more_come() -> None:
    async with running() as rig:
        await rig.until_built(1)
        for _ in range(20):
            rig.giving.written += 10
            await asyncio.sleep(0.005)
        before = rig.store.built
        assert before <= 2
        await rig.until_built(before + 1)
        await asyncio.sleep(0.1)
        assert rig.store.built == before + 1


async def test_a_backlog_is_built_at_its_end_and_on_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeding_module, "_OPTIMISE_EVERY", 100)
    async with running() as rig:
        await rig.until_built(1)
        rig.part.counts.running = 5
        rig.part.counts.embedded = 60
        await asyncio.sleep(0.1)
        assert rig.store.built == 1
        rig.part.counts.embedded = 120
        await rig.until_built(2)
        rig.part.counts.embedded, rig.part.counts.running = 130, 0
        rig.part.queue = Waiting(pending=3)
        await asyncio.sleep(0.1)
        assert rig.store.built == 2
        rig.part.queue = Waiting()
        await rig.until_built(3)
        rig.part.counts.embedded, rig.part.queue = 140, Waiting(pending=3)
        await asyncio.sleep(0.1)
        assert rig.store.built == 3
        rig.part.paused = True  # what waits in the queue does not come
        await rig.until_built(4)


async def test_a_store_that_is_away_is_asked_again() -> None:
    async with running() as rig:
        rig.store.away = 3
        await rig.until_built(1)


async def test_an_index_that_cannot_be_built_is_tried_again_ever_more_rarely() -> None:
    async with running() as rig:
        rig.store.away = many = 10_000
        await asyncio.sleep(0.5)
        assert 2 <= many - rig.store.away <= 7  # after 10, 20, 40, 80, 160 and 320 ms


async def test_jobs_that_nobody_has_in_hand_are_pending() -> None:
    async with running() as rig:
        rig.part.queue = Waiting(pending=4, running=7, dead=1)
        rig.part.counts.running = 5
        told = await rig.feeding.progress()
        assert (told.pending, told.running, told.dead, told.remaining_s) == (6, 5, 1, None)


async def test_embedding_that_is_held_back_is_so_after_a_restart(tmp_path: Path) -> None:
    store, file = FakeStore(), tmp_path / "held"

    def started() -> Rig:
        return Rig(store, file)

    first = started()
    assert not first.part.paused
    first.feeding.pause()
    first.feeding.pause()
    second = started()
    assert second.part.paused
    second.feeding.go_on()
    second.feeding.go_on()
    assert not second.part.paused
    assert not started().part.paused


async def test_embedding_is_held_back_though_nobody_can_note_it(tmp_path: Path) -> None:
    rig = Rig(FakeStore(), tmp_path / "missing" / "held")
    rig.feeding.pause()
    assert rig.part.paused
    (tmp_path / "folder").mkdir()
    stuck = Rig(FakeStore(), tmp_path / "folder")
    assert stuck.part.paused
    stuck.feeding.go_on()
    assert not stuck.part.paused


async def test_what_needs_the_model_begins_a_while_after_the_start_or_when_somebody_asks_how_it_goes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    at_once = 2  # the connection and the lane of changes
    monkeypatch.setattr(feeding_module, "_BEGIN_S", 1000.0)
    async with running() as rig:
        await asyncio.sleep(0.1)
        assert rig.part.runs == at_once
        await rig.feeding.now()  # as figures do, all day
        await asyncio.sleep(0.1)
        assert rig.part.runs == at_once
        assert rig.store.built == 0
        await rig.feeding.progress()
        await rig.until_built(1)
        async with asyncio.timeout(10):
            while rig.part.runs < at_once + 2:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
    monkeypatch.setattr(feeding_module, "_BEGIN_S", 0.01)
    async with running() as rig:
        async with asyncio.timeout(10):
            while rig.part.runs < at_once + 2:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
