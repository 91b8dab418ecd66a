"""What is inside the files comes into the catalogue: described, hashed, in bursts, in whatever order it happens."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from media_common.tasks import ended
from metadata_service import reading as reading_module
from metadata_service.domain.disk import Content, Inside, Looked, Refused, Root
from metadata_service.domain.errors import Unreachable
from metadata_service.domain.filters import ListQuery
from metadata_service.domain.groups import Shot, bursts
from metadata_service.domain.media import Facts, FileSeen, Kind, Marks, Media, Upload
from metadata_service.domain.tags import automatic
from metadata_service.indexer import Indexer
from metadata_service.reading import Reading
from metadata_service.store import collections, details, insides, listing, media, tagging
from metadata_service.store.insides import Left
from metadata_service.store.sqlite import Catalogue, Database

ROOT = b"/photos"
T0 = 1_753_000_000_000_000


@dataclass(frozen=True)
class File:
    """A file on the disk: what it is told by, and what its camera wrote."""

    inode: int
    taken_s: int | None = None
    camera: str | None = None
    modified: int = 1
    marks: Marks = Marks.NONE
    content: bytes = b""  # empty: of its own

    @property
    def facts(self) -> Facts:
        return Facts(size_bytes=10, modified_us=self.modified)

    @property
    def told(self) -> Facts:
        taken_us = None if self.taken_s is None else T0 + self.taken_s * 1_000_000
        return replace(self.facts, taken_us=taken_us, camera=self.camera, width_px=4, height_px=3)

    @property
    def sha256(self) -> bytes:
        return hashlib.sha256(self.content or b"%d %d" % (self.inode, self.modified)).digest()


@dataclass
class FakeDisk:
    """Files by path below the root; what it refuses to read, by path."""

    files: dict[str, File] = field(default_factory=dict)
    refused: dict[str, Refused] = field(default_factory=dict)
    online: bool = True
    answers: bool = True
    described: list[str] = field(default_factory=list)
    hashed: list[str] = field(default_factory=list)

    async def roots(self) -> list[Root]:
        return [Root(ROOT, self.online, True)]

    async def look(self, paths: Sequence[bytes]) -> list[Looked]:
        self._check()
        return [
            Looked(path, self._seen(path) if _name(path) in self.files else None, _name(path) not in self.files)
            for path in paths
        ]

    async def replay(self, root: bytes) -> AsyncIterator[list[FileSeen]]:
        for name in sorted(self.files):
            yield [self._seen(_path(name))]

    async def describe(self, paths: Sequence[bytes]) -> list[Inside | Refused]:
        self._check()
        self.described += map(_name, paths)
        return [self._answer(path, lambda file: Inside(file.told, file.inode)) for path in paths]

    async def hashes(self, paths: Sequence[bytes]) -> AsyncGenerator[list[Content | Refused], None]:
        self._check()
        self.hashed += map(_name, paths)
        yield []
        for path in paths:
            yield [self._answer(path, lambda file: Content(file.sha256, 10, file.modified, file.inode))]

    def _answer(self, path: bytes, read: Any) -> Any:
        name = _name(path)
        if name in self.refused or name not in self.files:
            return self.refused.get(name, Refused.GONE)
        return read(self.files[name])

    def _check(self) -> None:
        if not self.answers:
            raise Unreachable("nobody answers")

    def _seen(self, path: bytes) -> FileSeen:
        file = self.files[_name(path)]
        return FileSeen(path, Kind.IMAGE, file.marks, file.facts, file.inode)


def _name(path: bytes) -> str:
    return path[len(ROOT) + 1 :].decode()


def _path(name: str) -> bytes:
    return ROOT + b"/" + name.encode()


class World:
    """A disk, a catalogue, and what follows and reads between them; `restart` is a new process."""

    def __init__(self, folder: Path) -> None:
        self.disk = FakeDisk()
        self._file = folder / "catalogue.db"
        self._start()

    def _start(self) -> None:
        self.catalogue = Catalogue(Database(self._file))
        self.indexer = Indexer(self.catalogue, self.disk)
        self.reading = Reading(self.catalogue, self.disk, self.indexer, self._file.with_name("held"))

    async def restart(self) -> None:
        await self.catalogue.__aexit__()
        self._start()
        await self.indexer.follow_roots()

    async def tell(self, *names: str) -> None:
        await self.indexer.look([(ROOT, _path(name)) for name in names])

    async def one_pass(self) -> None:
        await self.indexer.ask(None)
        await self.indexer.follow_roots()
        await self.reading.read_all()

    async def listed(self) -> dict[str, Media]:
        collection = await self.catalogue.read(collections.of_root, ROOT)
        query = ListQuery(collection.id, 1000, recursive=True, kinds=frozenset({Kind.IMAGE}))
        page = await self.catalogue.read(listing.page, query)
        found = await self.catalogue.read(details.media, page.ids)
        return {item.relative_path.decode(): item for item in found}

    async def groups(self) -> set[frozenset[str]]:
        by_group: dict[int, set[str]] = {}
        for name, item in (await self.listed()).items():
            if item.group_id is not None:
                by_group.setdefault(item.group_id, set()).add(name)
        return {frozenset(names) for names in by_group.values()}


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every try counts, however close to the one before."""
    monkeypatch.setattr(reading_module, "_APART_S", 0.0)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = World(tmp_path)
    yield world
    await world.catalogue.__aexit__()


async def test_a_file_has_its_tags_size_and_hash_once_it_was_read(world: World) -> None:
    world.disk.files = {"day/a.jpg": File(1, 0, "Lumora LX")}
    await world.one_pass()
    item = (await world.listed())["day/a.jpg"]
    assert item.tags == {
        "Camera": ["Lumora LX"], "Year": [2025], "Month": [7], "Hour": [8], "Folder": ["day"], "Status": ["unseen"],
        "Type": ["image"],
    }  # fmt: skip
    assert item.sha256 == world.disk.files["day/a.jpg"].sha256
    assert (item.facts.width_px, item.facts.taken_us) == (4, T0)
    assert await world.reading.left() == Left(1, 0, 0)


async def test_what_is_still_to_be_read_outlives_a_restart_and_nothing_is_read_twice(world: World) -> None:
    world.disk.files = {f"{n}.jpg": File(n, n * 100, "X") for n in range(1, 6)}
    await world.indexer.follow_roots()
    assert await world.reading.left() == Left(5, 5, 5)
    await world.restart()
    assert await world.reading.left() == Left(5, 5, 5)
    await world.reading.read_all()
    await world.restart()
    await world.reading.read_all()
    assert await world.reading.left() == Left(5, 0, 0)
    assert sorted(world.disk.described) == sorted(world.disk.hashed) == sorted(world.disk.files)


async def test_reading_that_is_held_back_stays_so_over_a_restart_and_then_goes_on(world: World) -> None:
    world.disk.files = {f"{n}.jpg": File(n, n * 100, "X") for n in range(1, 6)}
    world.reading.pause()
    await world.restart()
    assert world.reading.paused
    running = asyncio.create_task(world.reading.run())
    try:
        await world.tell("1.jpg", "2.jpg")
        await asyncio.sleep(0.3)
        # The files are known, and their marks; nothing was read in them.
        assert sorted(await world.listed()) == sorted(world.disk.files)
        assert await world.reading.left() == Left(5, 5, 5)
        assert world.disk.described == []
        world.reading.go_on()
        async with asyncio.timeout(20):
            while await world.reading.left() != Left(5, 0, 0):  # noqa: ASYNC110 - nobody says when
                await asyncio.sleep(0.05)
    finally:
        await ended(running)
    await world.restart()
    assert not world.reading.paused


async def test_hashing_that_is_held_back_ends_after_the_files_in_hand(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.disk.files = {f"{n}.jpg": File(n, n * 100, "X") for n in range(1, 6)}
    await world.indexer.follow_roots()
    whole = world.disk.hashes

    async def one_by_one(paths: Sequence[bytes]) -> AsyncGenerator[list[Content | Refused], None]:
        for path in paths:
            async for answers in whole([path]):
                world.reading.pause()
                yield answers

    monkeypatch.setattr(world.disk, "hashes", one_by_one)
    await world.reading.read_all()
    assert (await world.reading.left()).unhashed == 4


@pytest.mark.parametrize("change", [{"modified": 2}, {"inode": 9}])
async def test_a_file_that_is_another_by_now_is_read_again(world: World, change: dict[str, int]) -> None:
    world.disk.files = {"a.jpg": File(1, 0, "Old", content=b"old")}
    await world.one_pass()
    before = (await world.listed())["a.jpg"]
    world.disk.files = {"a.jpg": replace(File(1, None, None, content=b"new"), **change)}  # type: ignore[arg-type]
    await world.tell("a.jpg")
    assert (await world.listed())["a.jpg"].sha256 is None
    await world.reading.read_all()
    after = (await world.listed())["a.jpg"]
    assert (after.id, after.facts.camera, "Camera" in after.tags) == (before.id, None, False)
    assert after.sha256 == hashlib.sha256(b"new").digest()


async def test_reading_goes_on_after_what_nobody_expected(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.disk.files = {"a.jpg": File(1, 0, "X")}
    await world.indexer.follow_roots()
    described = world.disk.describe
    stumbled = asyncio.Event()

    async def stumbling(paths: Sequence[bytes]) -> list[Inside | Refused]:
        if not stumbled.is_set():
            stumbled.set()
            raise RuntimeError("of no kind that is expected")
        return await described(paths)

    monkeypatch.setattr(world.disk, "describe", stumbling)
    running = asyncio.create_task(world.reading.run())
    async with asyncio.timeout(20):
        while await world.reading.left() != Left(1, 0, 0):  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.05)
    assert stumbled.is_set()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_mark_alone_makes_nobody_read(world: World) -> None:
    world.disk.files = {"a.jpg": File(1, 0, "X")}
    await world.one_pass()
    world.disk.files = {"a.jpg": replace(world.disk.files["a.jpg"], marks=Marks.SEEN)}
    await world.tell("a.jpg")
    assert await world.reading.left() == Left(1, 0, 0)
    assert (await world.listed())["a.jpg"].tags["Camera"] == ["X"]


async def test_an_answer_about_another_file_than_the_catalogue_s_is_not_written_and_the_file_is_looked_at(
    world: World,
) -> None:
    world.disk.files = {"a.jpg": File(1, 0, "First")}
    await world.tell("a.jpg")
    await world.indexer.follow_roots()
    world.disk.files = {"a.jpg": File(2, 0, "Second", modified=2)}  # and nobody tells
    await world.reading.read_all()
    item = (await world.listed())["a.jpg"]
    assert item.facts.camera in (None, "Second")
    await world.reading.read_all()
    item = (await world.listed())["a.jpg"]
    assert (item.facts.camera, item.sha256) == ("Second", world.disk.files["a.jpg"].sha256)


@pytest.mark.parametrize("why", [Refused.BROKEN, Refused.BUSY, Refused.GONE])
async def test_what_cannot_be_read_is_tried_some_times_and_keeps_nobody_waiting_for_ever(
    world: World, why: Refused
) -> None:
    world.disk.files = {"a.jpg": File(1), "b.jpg": File(2)}
    world.disk.refused = {"a.jpg": why}
    await world.one_pass()
    assert (await world.reading.left()).unhashed == 1
    for _ in range(8):
        await world.reading.read_all()
    assert await world.reading.left() == Left(2, 0, 0)
    assert 2 <= world.disk.hashed.count("a.jpg") <= 8
    assert world.disk.hashed.count("b.jpg") == 1
    world.disk.refused = {}
    collection = await world.catalogue.read(collections.of_root, ROOT)
    await world.catalogue.write(insides.again, collection)  # `framewell reindex`
    await world.reading.read_all()
    assert (await world.listed())["a.jpg"].sha256 is not None


async def test_files_of_a_root_that_is_away_wait_and_do_not_count(world: World) -> None:
    world.disk.files = {"a.jpg": File(1)}
    await world.indexer.follow_roots()
    world.disk.online = False
    await world.indexer.follow_roots()
    assert await world.reading.left() == Left(0, 0, 0)
    await world.reading.read_all()
    assert world.disk.described == []
    world.disk.online = True
    await world.indexer.follow_roots()
    await world.reading.read_all()
    assert (await world.listed())["a.jpg"].sha256 is not None


async def test_the_loops_read_what_comes_and_wait_while_nobody_answers(world: World) -> None:
    world.disk.files = {f"{n}.jpg": File(n) for n in range(700)}
    await world.indexer.follow_roots()
    world.disk.answers = False
    running = asyncio.create_task(world.reading.run())
    await asyncio.sleep(0.1)
    assert (await world.reading.left()).undescribed == 700
    world.disk.answers = True
    async with asyncio.timeout(60):
        while await world.reading.left() != Left(700, 0, 0):  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0.05)
    assert world.reading.in_hand == 0
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


# ---- moved files ----


async def test_a_file_moved_to_another_inode_keeps_its_item_by_its_content(world: World) -> None:
    for number, order in enumerate((("new", "old"), ("old", "new"))):
        old, new = f"{number}/old.jpg", f"{number}/deep/new.jpg"
        world.disk.files[old] = File(10 + number, 0, "X", content=b"%d" % number)
        await world.one_pass()
        item = (await world.listed())[old]
        collection = await world.catalogue.read(collections.of_root, ROOT)
        await world.catalogue.write(tagging.add, collection, item.id, "color", "red")
        world.disk.files[new] = replace(world.disk.files.pop(old), inode=20 + number, modified=5, marks=Marks.SEEN)
        for name in order:
            await world.tell(old if name == "old" else new)
        await world.reading.read_all()
        after = (await world.listed())[new]
        assert (after.id, after.uuid, after.tags["color"]) == (item.id, item.uuid, ["red"])
        assert (after.tags["Folder"], after.tags["Status"]) == ([f"{number}/deep"], ["seen"])
        assert len(await world.listed()) == number + 1
        assert (await world.reading.left()).unhashed == 0
        world.disk.files[new] = replace(world.disk.files[new], modified=6)
        await world.tell(new)
        assert (await world.listed())[new].id == item.id


async def test_what_is_put_on_a_new_item_before_it_is_known_again_is_not_lost(world: World) -> None:
    world.disk.files["a.jpg"] = File(1, content=b"same")
    await world.one_pass()
    old = (await world.listed())["a.jpg"]
    world.disk.files = {"b.jpg": File(2, content=b"same")}
    await world.tell("a.jpg", "b.jpg")
    new = (await world.listed())["b.jpg"]
    assert new.id != old.id
    collection = await world.catalogue.read(collections.of_root, ROOT)
    await world.catalogue.write(tagging.add, collection, new.id, "color", "blue")
    await world.reading.read_all()
    after = (await world.listed())["b.jpg"]
    assert (after.id, after.tags["color"]) == (old.id, ["blue"])


async def test_what_people_wrote_of_both_is_kept_and_the_later_word_counts(world: World) -> None:
    world.disk.files["a.jpg"] = File(1, content=b"same")
    await world.one_pass()
    old = (await world.listed())["a.jpg"]
    await world.catalogue.write(media.edit, old.id, None, {"prompt": "p", "rating": 3, "place": "pier"})
    world.disk.files = {"b.jpg": File(2, content=b"same")}
    await world.tell("a.jpg", "b.jpg")
    new = (await world.listed())["b.jpg"]
    await world.catalogue.write(media.edit, new.id, None, {"description": "two herons", "rating": 5})
    await world.reading.read_all()
    after = (await world.listed())["b.jpg"]
    assert (after.id, after.description, after.prompt) == (old.id, "two herons", "p")
    assert (after.metadata["rating"], after.metadata["place"]) == (5, "pier")


async def test_an_item_that_has_a_version_of_its_own_stays_itself(world: World) -> None:
    world.disk.files["a.jpg"] = File(1, content=b"same")
    await world.one_pass()
    old = (await world.listed())["a.jpg"]
    world.disk.files = {"b.jpg": File(2, content=b"same")}
    await world.tell("a.jpg", "b.jpg")
    new = (await world.listed())["b.jpg"]
    collection = await world.catalogue.read(collections.of_root, ROOT)
    version = Upload("v.jpg", Kind.IMAGE, b"v" * 32, Facts(size_bytes=1, modified_us=1), "image/jpeg", None, new.id)
    made = await world.catalogue.write(media.add_upload, collection, version)
    await world.reading.read_all()
    versions = await world.catalogue.read(details.versions, made)
    assert [one.id for one in versions] == [new.id, made]
    assert old.id not in {item.id for item in (await world.listed()).values()}


async def test_a_copy_is_another_item_and_so_is_what_may_be_either_of_two(world: World) -> None:
    world.disk.files["a.jpg"] = File(1, content=b"same")
    await world.one_pass()
    world.disk.files["copy.jpg"] = File(2, content=b"same")
    await world.tell("copy.jpg")
    await world.reading.read_all()
    items = await world.listed()
    assert len({item.id for item in items.values()}) == 2
    world.disk.files = {"new.jpg": File(3, content=b"same")}
    await world.tell("a.jpg", "copy.jpg", "new.jpg")
    await world.reading.read_all()
    assert (await world.listed())["new.jpg"].id not in {item.id for item in items.values()}


async def test_what_only_the_catalogue_takes_for_gone_has_not_moved(world: World) -> None:
    world.disk.files["a.jpg"] = File(1, content=b"same")
    await world.one_pass()
    old = (await world.listed())["a.jpg"]
    kept = world.disk.files.pop("a.jpg")
    await world.tell("a.jpg")
    world.disk.files = {"a.jpg": kept, "copy.jpg": File(2, content=b"same")}  # it is back, and nobody tells
    await world.tell("copy.jpg")
    await world.reading.read_all()
    assert (await world.listed())["copy.jpg"].id != old.id


# ---- bursts ----


async def test_shots_of_one_folder_and_camera_close_in_time_are_a_burst(world: World) -> None:
    world.disk.files = {
        "a/1.jpg": File(1, 0, "X"), "a/2.jpg": File(2, 3, "X"), "a/3.jpg": File(3, 6, "X"), "a/4.jpg": File(4, 10, "X"),
        "a/5.jpg": File(5, 11, "Y"), "b/6.jpg": File(6, 4, "X"), "a/7.jpg": File(7, None, "X"),
        "a/8.jpg": File(8, 12, "X", marks=Marks.SEEN),
    }  # fmt: skip
    await world.one_pass()
    assert await world.groups() == {frozenset({"a/1.jpg", "a/2.jpg", "a/3.jpg"}), frozenset({"a/4.jpg", "a/8.jpg"})}


async def test_a_burst_keeps_its_number_while_shots_come_and_go(world: World) -> None:
    world.disk.files = {f"{n}.jpg": File(n, 2 * n, "X") for n in (1, 2, 4, 5)}
    await world.one_pass()
    first = (await world.listed())["1.jpg"].group_id
    world.disk.files["3.jpg"] = File(3, 6, "X")
    await world.tell("3.jpg")
    await world.reading.read_all()
    assert {item.group_id for item in (await world.listed()).values()} == {first}
    del world.disk.files["3.jpg"]
    await world.tell("3.jpg")
    assert await world.groups() == {frozenset({"1.jpg", "2.jpg"}), frozenset({"4.jpg", "5.jpg"})}
    assert (await world.listed())["1.jpg"].group_id == first


async def test_a_trashed_shot_stays_in_its_burst_and_a_removed_root_has_none(world: World) -> None:
    world.disk.files = {"1.jpg": File(1, 0, "X"), "2.jpg": File(2, 1, "X", marks=Marks.TRASHED)}
    await world.one_pass()
    assert (await world.listed())["1.jpg"].group_id is not None
    world.disk.files.clear()
    await world.tell("1.jpg", "2.jpg")
    world.disk.files = {"1.jpg": File(1, 0, "X")}
    await world.tell("1.jpg")
    assert await world.groups() == set()


# ---- order does not matter ----

NAMES = ["a.jpg", "b.jpg", "x/a.jpg", "x/b.jpg", "x/c.jpg", "y/c.jpg"]
FILES = st.builds(
    File,
    inode=st.just(0),
    taken_s=st.none() | st.integers(0, 12),
    camera=st.sampled_from([None, "X", "X", "Y"]),
    modified=st.integers(1, 3),
    marks=st.sampled_from([Marks.NONE, Marks.NONE, Marks.SEEN, Marks.TRASHED]),
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.sampled_from(NAMES), FILES),
        st.tuples(st.just("delete"), st.sampled_from(NAMES), st.none()),
        st.tuples(st.just("rename"), st.sampled_from(NAMES), st.sampled_from(NAMES)),
        st.tuples(st.just("copy over"), st.sampled_from(NAMES), st.sampled_from(NAMES)),
        st.tuples(st.just("tell"), st.sampled_from(NAMES), st.none()),
        st.tuples(st.just("describe"), st.just(""), st.none()),
        st.tuples(st.just("hash"), st.just(""), st.none()),
    ),
    max_size=16,
)


def _expected_groups(files: dict[str, File]) -> set[frozenset[str]]:
    """By the rule alone, of the whole disk at once."""
    places: dict[tuple[str, str], list[tuple[str, File]]] = {}
    for name, file in files.items():
        if file.camera is not None and file.taken_s is not None:
            places.setdefault((name.rpartition("/")[0], file.camera), []).append((name, file))
    found = set()
    for shots in places.values():
        runs = bursts(Shot(number, (file.taken_s or 0) * 1_000_000) for number, (_, file) in enumerate(shots))
        found |= {frozenset(shots[number][0] for number in run) for run in runs}
    return found


def _shown(files: dict[str, File], items: dict[str, Media]) -> dict[str, Any]:
    return {
        name: (item.tags, item.sha256, item.facts, item.marks)
        for name, item in items.items()
    }  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(STEPS, st.permutations(NAMES))
def test_whatever_happens_in_whatever_order_the_catalogue_is_that_of_one_pass(
    steps: list[tuple[str, str, Any]], order: list[str]
) -> None:
    async def run() -> None:
        with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
            lived, fresh = World(Path(one)), World(Path(other))
            await lived.indexer.follow_roots()
            files, serial = lived.disk.files, 100
            for step, name, value in steps:
                serial += 1
                match step:
                    case "put":
                        files[name] = replace(value, inode=serial)
                    case "delete":
                        files.pop(name, None)
                    case "rename" if name in files:
                        files[value] = files.pop(name)
                    case "copy over" if name in files:
                        content = files[name].content or files[name].sha256
                        files[name] = replace(files[name], content=content)
                        files[value] = replace(files.pop(name), inode=serial, content=content)
                    case "tell":
                        await lived.tell(name)
                    case "describe" | "hash":
                        await lived.reading.read_all()
            await lived.tell(*order)
            await lived.tell(*reversed(order))
            await lived.reading.read_all()
            await lived.reading.read_all()
            fresh.disk.files = files
            await fresh.one_pass()
            ours, theirs = await lived.listed(), await fresh.listed()
            assert _shown(files, ours) == _shown(files, theirs)
            listed = {name for name, file in files.items() if file.marks.listed}
            assert set(ours) == listed
            for name in listed:
                facts, kind = files[name].told, Kind.IMAGE
                expected = {key: [value] for key, value in automatic(kind, files[name].marks, facts).items()}
                tags = {key: value for key, value in ours[name].tags.items() if key != "Folder"}
                assert tags == expected
                assert ours[name].sha256 == files[name].sha256
            groups = {frozenset(group & listed) for group in _expected_groups(files)} - {frozenset()}
            assert await lived.groups() == await fresh.groups() == groups
            await lived.catalogue.__aexit__()
            await fresh.catalogue.__aexit__()

    asyncio.run(run())
