"""The catalogue follows the disk, whatever the order of the events."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from media_proto import metadata_pb2 as pb
from metadata_service.domain.disk import Looked, Root
from metadata_service.domain.errors import Unreachable
from metadata_service.domain.filters import ListQuery
from metadata_service.domain.media import Facts, FileSeen, Kind, Marks, Media
from metadata_service.indexer import BATCH, Indexer
from metadata_service.indexing import Indexing
from metadata_service.servicer import MetadataServicer
from metadata_service.store import collections, details, indexing, listing
from metadata_service.store.sqlite import Catalogue, Database

ROOT = b"/photos"


@dataclass
class FakeDisk:
    """Files by absolute path: inode, time, marks."""

    files: dict[bytes, tuple[int, int, Marks]] = field(default_factory=dict)
    online: bool = True
    known: bool = True
    answers: bool = True
    most_looked: int = 0  # paths of one question

    async def roots(self) -> list[Root]:
        self._check()
        return [Root(ROOT, self.online, True)] if self.known else []

    async def look(self, paths: Sequence[bytes]) -> list[Looked]:
        self._check()
        self.most_looked = max(self.most_looked, len(paths))
        return [
            Looked(path, self._seen(path) if path in self.files and self.online else None,
                   self.online and path not in self.files)
            for path in paths
        ]  # fmt: skip

    async def replay(self, root: bytes) -> AsyncIterator[list[FileSeen]]:
        self._check()
        for path in sorted(self.files):
            yield [self._seen(path)]

    def _check(self) -> None:
        if not self.answers:
            raise Unreachable("nobody answers")

    def _seen(self, path: bytes) -> FileSeen:
        inode, modified, marks = self.files[path]
        return FileSeen(path, Kind.IMAGE, marks, Facts(size_bytes=3, modified_us=modified), inode)


class World:
    """A disk, a catalogue and the indexer between them."""

    def __init__(self, folder: Path) -> None:
        self.disk = FakeDisk()
        self.catalogue = Catalogue(Database(folder / "catalogue.db"))
        self.indexer = Indexer(self.catalogue, self.disk)

    async def __aenter__(self) -> World:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.catalogue.__aexit__()

    def put(self, name: str, inode: int, modified: int = 1, marks: Marks = Marks.NONE) -> None:
        self.disk.files[ROOT + b"/" + name.encode()] = (inode, modified, marks)

    def rename(self, old: str, new: str) -> None:
        self.disk.files[ROOT + b"/" + new.encode()] = self.disk.files.pop(ROOT + b"/" + old.encode())

    async def tell(self, *names: str) -> None:
        await self.indexer.look([(ROOT, ROOT + b"/" + name.encode()) for name in names])

    async def listed(self) -> dict[str, Media]:
        collection = await self.catalogue.read(collections.of_root, ROOT)
        query = ListQuery(collection.id, 1000, recursive=True, kinds=frozenset({Kind.IMAGE}))
        page = await self.catalogue.read(listing.page, query)
        found = await self.catalogue.read(details.media, page.ids)
        return {item.relative_path.decode(): item for item in found}

    async def folders(self) -> set[str]:
        collection = await self.catalogue.read(collections.of_root, ROOT)
        query = ListQuery(collection.id, 1000, recursive=True, kinds=frozenset({Kind.FOLDER}))
        page = await self.catalogue.read(listing.page, query)
        return {item.relative_path.decode() for item in await self.catalogue.read(details.media, page.ids)}


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with World(tmp_path) as world:
        yield world


async def test_however_many_files_events_name_the_disk_is_asked_for_some_at_a_time(world: World) -> None:
    names = [f"{number:04}.jpg" for number in range(2 * BATCH + 3)]
    for number, name in enumerate(names):
        world.put(name, number)
    await world.tell(*names)
    in_place = await world.catalogue.read(indexing.in_place, ROOT)
    assert len(in_place) == len(names)
    assert world.disk.most_looked == BATCH


async def test_a_new_root_becomes_a_collection_with_its_files(world: World) -> None:
    world.put("a/1.jpg", 1)
    world.put("2.jpg", 2, marks=Marks.TRASHED)
    await world.indexer.follow_roots()
    assert list(await world.listed()) == ["a/1.jpg"]
    assert not (await world.catalogue.read(indexing.due))[ROOT]


async def test_a_renamed_file_keeps_its_item_in_whatever_order_it_is_told(world: World) -> None:
    for number, order in enumerate((("new", "old"), ("old", "new"), ("new",))):
        old, new = f"{number}/old.jpg", f"{number}/deep/new.jpg"
        world.put(old, 10 + number)
        await world.tell(old)
        item = (await world.listed())[old]
        world.rename(old, new)
        for name in order:
            await world.tell(old if name == "old" else new)
        after = (await world.listed())[new]
        assert (after.id, after.uuid) == (item.id, item.uuid)
        assert old not in await world.listed()


async def test_a_new_file_at_a_renamed_one_s_path_is_another_item(world: World) -> None:
    world.put("a.jpg", 1)
    await world.tell("a.jpg")
    first = (await world.listed())["a.jpg"]
    world.rename("a.jpg", "b.jpg")
    await world.tell("a.jpg", "b.jpg")
    world.put("a.jpg", 2, 7)
    await world.tell("a.jpg")
    items = await world.listed()
    assert items["b.jpg"].uuid == first.uuid
    assert items["a.jpg"].uuid != first.uuid


async def test_a_copy_is_another_item(world: World) -> None:
    world.put("a.jpg", 1)
    await world.tell("a.jpg")
    world.put("hard link.jpg", 1)
    await world.tell("hard link.jpg")
    assert len({item.id for item in (await world.listed()).values()}) == 2


async def test_a_folder_that_nothing_is_left_in_is_gone_until_something_is(world: World) -> None:
    world.put("a/b/1.jpg", 1)
    world.put("c/2.jpg", 2)
    await world.indexer.follow_roots()
    assert await world.folders() == {"a", "a/b", "c"}
    world.rename("a/b/1.jpg", "c/1.jpg")
    await world.tell("a/b/1.jpg", "c/1.jpg")
    assert await world.folders() == {"c"}
    world.rename("c/1.jpg", "a/b/1.jpg")
    await world.tell("c/1.jpg", "a/b/1.jpg")
    assert await world.folders() == {"a", "a/b", "c"}


async def test_what_vanished_while_nobody_told_is_found_out_by_going_through(world: World) -> None:
    world.put("1.jpg", 1)
    world.put("2.jpg", 2)
    await world.indexer.follow_roots()
    before = await world.listed()
    del world.disk.files[ROOT + b"/1.jpg"]
    world.rename("2.jpg", "x/2.jpg")
    await world.indexer.ask(None)
    await world.indexer.follow_roots()
    after = await world.listed()
    assert set(after) == {"x/2.jpg"}
    assert after["x/2.jpg"].id == before["2.jpg"].id
    world.put("1.jpg", 1)
    await world.tell("1.jpg")
    assert (await world.listed())["1.jpg"].id == before["1.jpg"].id


async def test_what_events_named_while_a_root_is_gone_through_is_not_written_over_with_what_was_before(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.put("a.jpg", 1, marks=Marks.TRASHED)
    world.put("b.jpg", 2)
    replay = world.disk.replay

    async def slowly(root: bytes) -> AsyncIterator[list[FileSeen]]:
        async for files in replay(root):
            if files[0].relative_path.endswith(b"a.jpg"):
                world.put("a.jpg", 1)
                await world.tell("a.jpg")
            yield files

    monkeypatch.setattr(world.disk, "replay", slowly)
    await world.indexer.follow_roots()
    assert set(await world.listed()) == {"a.jpg", "b.jpg"}
    monkeypatch.undo()
    world.put("a.jpg", 1, marks=Marks.TRASHED)
    await world.indexer.ask(ROOT)
    await world.indexer.follow_roots()  # what events named then is no matter now
    assert list(await world.listed()) == ["b.jpg"]


async def test_what_an_event_s_look_could_not_say_is_brought_in_with_the_rest(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.put("a.jpg", 1)
    replay = world.disk.replay

    async def blinking(root: bytes) -> AsyncIterator[list[FileSeen]]:
        async for files in replay(root):
            world.disk.online = False
            await world.tell("a.jpg")
            world.disk.online = True
            yield files

    monkeypatch.setattr(world.disk, "replay", blinking)
    await world.indexer.follow_roots()
    assert set(await world.listed()) == {"a.jpg"}


async def test_an_answer_that_is_late_is_not_written_over_a_later_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.put("a.jpg", 1, marks=Marks.TRASHED)
    look = world.disk.look
    go_on = asyncio.Event()

    async def late(paths: Sequence[bytes]) -> list[Looked]:
        found = await look(paths)
        await go_on.wait()
        return found

    monkeypatch.setattr(world.disk, "look", late)
    first = asyncio.create_task(world.tell("a.jpg"))
    await asyncio.sleep(0)
    monkeypatch.undo()
    world.put("a.jpg", 1)
    await world.tell("a.jpg")
    go_on.set()
    await first
    assert set(await world.listed()) == {"a.jpg"}


async def test_a_root_that_is_asked_for_while_it_is_gone_through_is_gone_through_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.put("a.jpg", 1)
    replay = world.disk.replay

    async def asked_meanwhile(root: bytes) -> AsyncIterator[list[FileSeen]]:
        async for files in replay(root):
            await world.indexer.ask(root)
            yield files

    monkeypatch.setattr(world.disk, "replay", asked_meanwhile)
    await world.indexer.follow_roots()
    assert (await world.catalogue.read(indexing.due))[ROOT]
    monkeypatch.undo()
    await world.indexer.follow_roots()
    assert not (await world.catalogue.read(indexing.due))[ROOT]


async def test_nothing_is_gone_while_its_root_is_offline(world: World) -> None:
    world.put("1.jpg", 1)
    await world.indexer.follow_roots()
    world.disk.files.clear()
    world.disk.online = False
    await world.tell("1.jpg")
    await world.indexer.ask(None)
    await world.indexer.follow_roots()
    assert set(await world.listed()) == {"1.jpg"}


async def test_collections_whose_root_is_offline_are_named(world: World) -> None:
    nobody: Any = None
    servicer = MetadataServicer(
        world.catalogue, Indexing(world.catalogue, world.indexer, nobody, nobody, nobody), nobody, nobody
    )
    await world.catalogue.write(collections.create, "Uploads")
    for online in (True, False, True):
        world.disk.online = online
        await world.indexer.follow_roots()
        told = await servicer.ListCollections(pb.ListCollectionsRequest(), None)
        assert sorted(one.root_path for one in told.collections) == [b"", ROOT]
        away = [one.root_path for one in told.collections if one.id in told.away_ids]
        assert away == ([] if online else [ROOT])


async def test_a_removed_root_s_files_are_out_and_come_back_with_their_ids(world: World) -> None:
    world.put("1.jpg", 1)
    await world.indexer.follow_roots()
    before = await world.listed()
    world.disk.known = False
    await world.indexer.follow_roots()
    await world.indexer.follow_roots()
    assert await world.listed() == {}
    world.disk.known = True
    await world.indexer.follow_roots()
    assert {name: item.id for name, item in (await world.listed()).items()} == {"1.jpg": before["1.jpg"].id}


async def test_indexing_waits_and_says_so_while_the_file_service_is_away(world: World) -> None:
    world.put("1.jpg", 1)
    world.disk.answers = False
    running = asyncio.create_task(world.indexer.run())
    await _until(lambda: bool(world.indexer.problem))
    world.disk.answers = True
    await _until(lambda: not world.indexer.problem and not world.indexer.running)
    assert set(await world.listed()) == {"1.jpg"}
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def _until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not true():  # noqa: ASYNC110 - what is waited for has no event of its own
            await asyncio.sleep(0.01)


NAMES = st.sampled_from(["a.jpg", "b.jpg", "x/a.jpg", "x/y/b.jpg", "z/c.jpg"])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), NAMES, st.integers(1, 3)),
        st.tuples(st.just("delete"), NAMES, st.just(0)),
        st.tuples(st.just("mark"), NAMES, st.sampled_from([0, 1, 2, 4])),
        st.tuples(st.just("rename"), NAMES, NAMES),
        st.tuples(st.just("tell"), NAMES, st.just(0)),
    ),
    max_size=14,
)


@settings(max_examples=60, deadline=None)
@given(STEPS, st.permutations(["a.jpg", "b.jpg", "x/a.jpg", "x/y/b.jpg", "z/c.jpg"]))
def test_once_all_is_told_in_any_order_the_catalogue_is_the_disk(
    steps: list[tuple[str, str, int | str]], order: list[str]
) -> None:
    async def run() -> None:
        with tempfile.TemporaryDirectory() as folder:
            async with World(Path(folder)) as world:
                serial = 100
                for step, name, value in steps:
                    path = ROOT + b"/" + name.encode()
                    serial += 1
                    match step:
                        case "put":
                            world.put(name, serial, int(value))
                        case "delete":
                            world.disk.files.pop(path, None)
                        case "mark" if path in world.disk.files:
                            inode, modified, _ = world.disk.files[path]
                            world.disk.files[path] = (inode, modified, Marks(int(value)))
                        case "rename" if path in world.disk.files:
                            world.rename(name, str(value))
                        case "tell":
                            await world.tell(name)
                await world.tell(*order)
                await world.tell(*reversed(order))
                shown = {ROOT + b"/" + name.encode(): item for name, item in (await world.listed()).items()}
                expected = {path for path, (_, _, marks) in world.disk.files.items() if marks.listed}
                assert set(shown) == expected
                for path, item in shown.items():
                    assert item.facts.modified_us == world.disk.files[path][1]
                    assert item.marks == world.disk.files[path][2]

    asyncio.run(run())
