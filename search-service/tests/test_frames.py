"""Frames as people see them: kept, made again when they are lost, gone with their video; and nobody waits for them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from media_common.blobs import StoreUnreachable
from media_common.blobs.folder import FolderStore
from media_common.tasks import ended
from search_service import frames
from search_service.domain import points
from search_service.domain.errors import CatalogueUnavailable, OutOfReach, UnreadablePicture
from search_service.domain.items import Item, Still
from search_service.domain.points import Facts
from search_service.frames import Frames

MOMENTS = (0.0, 1.5)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "_AWAY_S", 0.02)


class Store(FolderStore):
    """A blob store that may be away."""

    away = False

    def keep_frames(self, item_id: int, jpegs: Mapping[int, bytes]) -> None:
        self._check()
        super().keep_frames(item_id, jpegs)

    def drop_frames(self, item_id: int) -> None:
        self._check()
        super().drop_frames(item_id)

    def framed(self) -> Iterator[int]:
        self._check()
        yield from super().framed()

    def _check(self) -> None:
        if self.away:
            raise StoreUnreachable


class Catalogue:
    """Knows videos by their pictures' bytes."""

    def __init__(self) -> None:
        self.videos: dict[int, list[bytes]] = {}
        self.fails_with: Exception | None = None
        self.loads_fail_with: Exception | None = None
        self.loaded = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def items(self, item_ids: Sequence[int]) -> Mapping[int, Item[None]]:
        if self.fails_with is not None:
            raise self.fails_with
        return {key: self._item(key) for key in item_ids if key in self.videos}

    def _item(self, key: int) -> Item[None]:
        async def load() -> Sequence[Still[None]]:
            raise AssertionError("looked at anew, it might have other frames")

        async def load_at(moments_s: Sequence[float]) -> Sequence[Still[None]]:
            self.loaded += 1
            found = [still for still in stills(*self.videos[key]) if still.timestamp_s in moments_s]
            await self.gate.wait()
            if self.loads_fail_with is not None:
                raise self.loads_fail_with
            return found

        return Item(Facts(key, 1, points.VIDEO, True), "seal", load, is_video=True, load_at=load_at)

    async def frame_ids(self, item_id: int, stills: Sequence[Still[None]]) -> Sequence[int]:
        raise AssertionError("the catalogue is told by who embeds")

    async def embedded(self, item_ids: Sequence[int]) -> None:
        raise AssertionError("the catalogue is told by who embeds")


def stills(*jpegs: bytes) -> list[Still[None]]:
    """One every second and a half."""
    return [Still(1.5 * place, None, 64, 48, jpeg) for place, jpeg in enumerate(jpegs)]


class Rig:
    def __init__(self, folder: Path) -> None:
        self.store, self.catalogue = Store(folder), Catalogue()
        self.frames = Frames(self.store, self.catalogue)

    def there(self, item_id: int) -> list[bytes | None]:
        assert self.store.frame(item_id, 3000) is None
        return [self.store.frame(item_id, at_ms) for at_ms in (0, 1500)]


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


@asynccontextmanager
async def running(rig: Rig) -> AsyncIterator[None]:
    task = asyncio.create_task(rig.frames.run())
    yield
    await ended(task)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def test_what_is_kept_is_there_by_its_millisecond_and_replaces_what_was(rig: Rig) -> None:
    await rig.frames.keep(3, stills(b"a", b"b"))
    assert rig.there(3) == [b"a", b"b"]
    await rig.frames.keep(3, stills(b"c"))
    assert rig.there(3) == [b"c", None]
    await rig.frames.keep(4, stills(b""))  # a still is shown itself
    assert list(rig.store.framed()) == [3]


async def test_a_store_that_is_away_keeps_nobody_and_is_left_alone_for_a_while(rig: Rig) -> None:
    rig.store.away = True
    await rig.frames.keep(3, stills(b"a"))
    rig.store.away = False
    await rig.frames.keep(3, stills(b"a"))
    assert rig.there(3) == [None, None]
    await asyncio.sleep(0.03)
    await rig.frames.keep(3, stills(b"a"))
    assert rig.there(3) == [b"a", None]


async def test_what_is_lost_is_made_again_once_for_all_who_ask(rig: Rig) -> None:
    rig.catalogue.videos[3] = [b"a", b"b", b"and one that is none of its frames"]
    rig.catalogue.gate.clear()
    asking = [asyncio.create_task(rig.frames.make(3, MOMENTS)) for _ in range(5)]
    await until(lambda: rig.catalogue.loaded == 1)
    asking[0].cancel()  # who hangs up leaves it to the others
    rig.catalogue.gate.set()
    await asyncio.gather(*asking[1:])
    assert (rig.there(3), rig.catalogue.loaded) == ([b"a", b"b"], 1)
    await rig.frames.make(3, MOMENTS)
    assert rig.catalogue.loaded == 1, "a moment ago it was the same"


async def test_what_is_made_again_never_replaces_what_was_embedded_meanwhile(rig: Rig) -> None:
    rig.catalogue.videos[3] = [b"old"]
    rig.catalogue.gate.clear()
    asking = asyncio.create_task(rig.frames.make(3, MOMENTS))
    await until(lambda: rig.catalogue.loaded == 1)
    await rig.frames.keep(3, stills(b"new"))
    rig.catalogue.gate.set()
    await asking
    assert rig.there(3) == [b"new", None]


@pytest.mark.parametrize("error", [UnreadablePicture("It is broken."), OutOfReach("The disk is away.")])
async def test_a_video_that_cannot_be_decoded_has_none_and_keeps_those_it_had(rig: Rig, error: Exception) -> None:
    rig.catalogue.videos[3] = [b"a"]
    await rig.frames.keep(3, stills(b"before"))
    rig.catalogue.loads_fail_with = error
    await rig.frames.make(3, MOMENTS)
    assert rig.there(3) == [b"before", None]


async def test_what_the_catalogue_does_not_know_is_not_made_and_one_that_is_away_is_said(rig: Rig) -> None:
    await rig.frames.make(3, MOMENTS)
    assert rig.catalogue.loaded == 0
    rig.catalogue.fails_with = CatalogueUnavailable("Away.")
    with pytest.raises(CatalogueUnavailable):
        await rig.frames.make(4, MOMENTS)


async def test_frames_of_a_video_that_is_gone_go_and_wait_for_a_store_that_is_away(rig: Rig) -> None:
    for item_id in (3, 4):
        rig.catalogue.videos[item_id] = [b"a"]
        await rig.frames.keep(item_id, stills(b"a"))
    async with running(rig):
        rig.store.away = True
        del rig.catalogue.videos[3]
        rig.frames.gone([3])
        await asyncio.sleep(0.1)
        assert rig.there(3) == [b"a", None]
        rig.store.away = False
        await until(lambda: rig.there(3) == [None, None])
    assert rig.there(4) == [b"a", None]


async def test_one_that_is_there_again_by_then_keeps_its_frames(rig: Rig) -> None:
    rig.frames.gone([3])
    rig.catalogue.videos[3] = [b"a"]
    await rig.frames.keep(3, stills(b"a"))
    async with running(rig):
        rig.frames.gone([4])
        await asyncio.sleep(0.05)
    assert rig.there(3) == [b"a", None]


async def test_frames_of_what_went_while_nobody_looked_are_found_at_the_start(rig: Rig) -> None:
    for item_id in (3, 4):
        await rig.frames.keep(item_id, stills(b"a"))
    rig.catalogue.videos[4] = [b"a"]
    rig.catalogue.fails_with = CatalogueUnavailable("Away.")
    async with running(rig):
        await asyncio.sleep(0.05)
        assert sorted(rig.store.framed()) == [3, 4], "a catalogue that is away has not lost anything"
        rig.catalogue.fails_with = None
        await until(lambda: list(rig.store.framed()) == [4])
