"""Imports as the catalogue takes them: what retrieval answers is what the rows say, and what fails leaves nothing."""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import exquisitor_db as made
import pytest
from exquisitor_db import Media, Rows
from hypothesis import given, settings
from hypothesis import strategies as st
from media_common.errors import ServiceError
from metadata_service.domain.errors import BadImport, CollectionExists, IdOutOfRange, ItemNotFound
from metadata_service.domain.ids import BASE_STEP, IMPORTED_ITEMS, IMPORTED_TAGS
from metadata_service.domain.imports import Begin, End, GivenTag, GivenTagset, Items, Part, Tags
from metadata_service.domain.media import Collection, Imported, Kind
from metadata_service.domain.tags import TagType
from metadata_service.importing import Imports
from metadata_service.store import browsing, collections, details, imports, retrieval
from metadata_service.store.sqlite import Catalogue, Database

KINDS = {1: Kind.IMAGE, 2: Kind.VIDEO, 3: Kind.AUDIO, 4: Kind.TEXT}


def parts_of(rows: Rows, name: str = "theirs", size: int = 3) -> list[Part]:
    tagsets = tuple(GivenTagset(one, called, TagType(number)) for one, (called, number) in rows.tagsets.items())
    begin = Begin(name, made.ORIGINALS, made.THUMBNAILS, max(rows.medias, default=0), tagsets)
    tags = [GivenTag(one, tagset, value) for one, (tagset, value) in rows.tags.items()]
    groups = [_imported(rows, one) for one in sorted(rows.groups)]
    items = [_imported(rows, one) for one in rows.items]
    return [
        begin,
        *(Tags(tuple(some)) for some in _some(tags, size)),
        *(Items(tuple(some)) for some in _some(groups, size)),
        *(Items(tuple(some)) for some in _some(items, size)),
        End(len(rows.medias)),
    ]


def _imported(rows: Rows, media_id: int) -> Imported:
    media = rows.medias[media_id]
    kind = KINDS.get(media.source_type or 0, Kind.OTHER)
    tags, is_group = tuple(sorted(media.tags)), media_id in rows.groups
    return Imported(media_id, media.uri or None, kind, media.thumbnail or None, media.group, tags, is_group)


def _some(rows: Sequence[Any], size: int) -> list[Sequence[Any]]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]


async def taken(database: Database, parts: Sequence[Part]) -> Collection:
    async def given() -> AsyncIterator[Part]:
        for part in parts:
            yield part

    catalogue = Catalogue(database)
    async with Imports(catalogue) as importing, aclosing(importing.take(given())) as steps:
        found = [step async for step in steps]
    assert found[:-1] == [None] * (len(parts) - 1)
    assert found[-1] is not None
    return found[-1]


def content(file: Path) -> dict[str, list[Any]]:
    """Every row of every table, but for the clock and the count of bases."""
    connection = sqlite3.connect(file)
    tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
    found = {
        name: sorted(map(repr, connection.execute(f"SELECT * FROM {name}")))  # noqa: S608
        for name in tables
        if not name.startswith(("words_", "sequence", "sqlite"))
    }
    names = "SELECT name FROM sequence WHERE name NOT IN ('base', 'clock') ORDER BY name"
    found["sequence"] = connection.execute(names).fetchall()
    connection.close()
    return found


# --- what the rows say ---
WORDS = st.text(max_size=4)
VALUES = {
    1: WORDS, 2: st.datetimes().map(str), 3: st.times().map(str), 4: st.dates().map(str),
    5: st.integers(-(2**63), 2**63 - 1), 6: st.floats(allow_nan=False, allow_infinity=False) | st.integers(-9, 9),
    7: st.sampled_from(["{}", "[1]", '"x"']),
}  # fmt: skip
IDS = st.integers(1, 60) | st.integers(1, IMPORTED_ITEMS.stop - 1)
TAG_IDS = st.integers(1, 60) | st.integers(1, IMPORTED_TAGS.stop - 1)
URIS = st.none() | st.text(alphabet="ab/.ü%? ", max_size=6) | st.just("https://x.example/a/b.jpg")


@st.composite
def worlds(draw: st.DrawFn) -> Rows:
    names = draw(st.lists(WORDS | st.sampled_from(["Status", "Folder", "Year"]), unique=True, max_size=4))
    set_ids = draw(st.lists(TAG_IDS, unique=True, min_size=len(names), max_size=len(names)))
    rows = Rows(tagsets={one: (name, draw(st.integers(1, 7))) for one, name in zip(set_ids, names, strict=True)})
    for tag_id in draw(st.lists(TAG_IDS, unique=True, max_size=6)) if set_ids else ():
        tagset_id = draw(st.sampled_from(set_ids))
        rows.tags[tag_id] = (tagset_id, draw(VALUES[rows.tagsets[tagset_id][1]]))
    ids = draw(st.lists(IDS, unique=True, max_size=10))
    groups = ids[: draw(st.integers(0, 2))]
    for one in ids:
        group = draw(st.sampled_from([None, *groups])) if one not in groups else None
        thumbnail, kind = draw(URIS), draw(st.sampled_from([None, 1, 2, 3, 4, 5]))
        tags = draw(st.sets(st.sampled_from(sorted(rows.tags)))) if rows.tags else set()
        rows.medias[one] = Media(one, draw(URIS), kind, thumbnail, group, tags)
    return rows


@settings(max_examples=60, deadline=None)
@given(st.lists(worlds(), min_size=1, max_size=2), st.integers(1, 4))
def test_retrieval_answers_what_the_rows_say_however_many_collections_there_are(worlds: list[Rows], size: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        database = Database(Path(folder) / "c.db", clock=itertools.count(1_000_000, 1000).__next__)
        found = [asyncio.run(taken(database, parts_of(rows, f"w{n}", size))) for n, rows in enumerate(worlds)]
        for number, (rows, collection) in enumerate(zip(worlds, found, strict=True), start=1):
            assert collection.id_base == number * BASE_STEP
            _compare(database, collection, rows)
        database.close()


def _compare(database: Database, collection: Collection, rows: Rows) -> None:
    ids = [*rows.medias, 0, 2**62]
    items = {item.id: item for item in database.read(retrieval.base, collection, ids)}
    assert items.keys() == rows.medias.keys()
    carried = database.read(
        retrieval.tags, collection, [item.media_id for item in items.values()], [*rows.tagsets, 2**62]
    )
    related = database.read(retrieval.related, collection, ids)
    for one, item in items.items():
        page, base = rows.page_base(one), rows.base(one)
        assert (item.uri and item.uri.decode(), item.name, item.group_id) == (
            base["uri"],
            page["name"],
            page["groupId"],
        )
        assert item.is_group is (one in rows.groups)
        for tagset_id in rows.tagsets:
            assert carried.get(item.media_id, {}).get(tagset_id, []) == rows.values(one, tagset_id)
        group = rows.medias[one].group
        assert related[one] == ([] if group is None else [other for other in rows.members(group) if other != one])
        assert database.read(retrieval.members, collection, one) == rows.members(one)
        for groups in ([], sorted(rows.groups), [one]):
            assert database.read(retrieval.excluded, collection, one, groups) is rows.is_excluded(one, groups)
    told = [(one.id, one.name, one.tagtype) for one in database.read(retrieval.tagsets, collection)]
    assert told == [(one, name, TagType(number)) for one, (name, number) in sorted(rows.tagsets.items())]
    for tagset_id, (_, number) in rows.tagsets.items():
        values = database.read(retrieval.tag_values, collection, TagType(number), tagset_id)
        assert dict(values) == {tag: value for tag, (of, value) in rows.tags.items() if of == tagset_id}
    for tag_id, (tagset_id, _) in rows.tags.items():
        passing = database.read(retrieval.passing, collection, retrieval.Values(tagset_id, (tag_id,)))
        assert set(passing) == {
            one for one in rows.items
            if tag_id in rows.medias[one].tags | rows.medias.get(rows.medias[one].group or 0, Media(0, None)).tags
        }  # fmt: skip


async def test_a_group_of_the_next_collection_has_no_members_in_this_one(tmp_path: Path) -> None:
    database, rows = Database(tmp_path / "c.db"), made.generated(60)
    first, second = [await taken(database, parts_of(rows, name)) for name in ("one", "two")]
    group = min(rows.groups)
    assert database.read(retrieval.members, second, group) == rows.members(group) != []
    for number in (group + BASE_STEP, group - BASE_STEP, group + 2**63, -(2**63), 2**63 - 1, 0):
        assert database.read(retrieval.members, first, number) == []
        assert database.read(retrieval.related, first, [number]) == {number: []}
    database.close()


# --- what fails leaves nothing ---
def _spoiled() -> list[tuple[str, list[Part], type[ServiceError], str]]:
    parts = parts_of(made.generated(40), size=20)
    begin, tags, items = parts[0], parts[1], parts[-2]
    assert isinstance(begin, Begin)
    assert isinstance(tags, Tags)
    assert isinstance(items, Items)
    last = items.items[-1]

    def instead(**changes: Any) -> list[Part]:
        return [*parts[:-2], Items((*items.items[:-1], replace(last, **changes))), parts[-1]]

    def other_tag(**changes: Any) -> list[Part]:
        return [begin, Tags((replace(tags.tags[0], **changes),)), *parts[2:]]

    return [
        ("no beginning", parts[1:], BadImport, "begins with"),
        ("two beginnings", [begin, *parts], BadImport, "one beginning"),
        ("no end", parts[:-1], BadImport, "before its end"),
        ("too few", [*parts[:-2], parts[-1]], BadImport, "of 40 have arrived"),
        ("taken", [replace(begin, name="mine"), *parts[1:]], CollectionExists, "exists already"),
        ("odd name", [replace(begin, name="a/b"), *parts[1:]], BadImport, "A collection's name"),
        ("no address", [replace(begin, originals_url="file:///x"), *parts[1:]], BadImport, "of the originals"),
        ("a query", [replace(begin, thumbnails_url="https://x/?a=1"), *parts[1:]], BadImport, "of the thumbnails"),
        ("far", [replace(begin, last_id=2**32 - 5), *parts[1:]], IdOutOfRange, "The item id 4294967291 is not"),
        ("a tagset twice", [replace(begin, tagsets=begin.tagsets * 2), *parts[1:]], BadImport, "is there twice"),
        ("a tag twice", [begin, tags, tags, *parts[2:]], BadImport, "tag id is there twice"),
        ("tag of no set", other_tag(tagset_id=999), BadImport, "of the tagset 999, which is not there"),
        ("tag beyond", other_tag(relative_id=2**40), IdOutOfRange, "The tag id 1099511627776 is not between"),
        ("bad value", other_tag(tagset_id=5, value="noon"), BadImport, "'noon' of tag"),
        ("an item twice", [*parts[:-1], items, parts[-1]], BadImport, "An item id is there twice"),
        ("no such tag", instead(tag_ids=(99_999,)), BadImport, "has the tag 99999, which is not there"),
        ("no such group", instead(group_relative_id=last.relative_id), BadImport, "which is not there"),
        ("beyond the last", instead(relative_id=begin.last_id + 1), IdOutOfRange, "The item id"),
        ("zero", instead(relative_id=0), IdOutOfRange, "The item id 0 is not"),
        ("a group in a group", instead(is_group=True, group_relative_id=1), BadImport, "groups of groups"),
        ("a long uri", instead(uri="x" * 5000), BadImport, "longer than 4096"),
    ]


@pytest.mark.parametrize(("parts", "error", "sentence"), [pytest.param(*c[1:], id=c[0]) for c in _spoiled()])
async def test_what_cannot_be_taken_leaves_nothing(
    tmp_path: Path, parts: list[Part], error: type[ServiceError], sentence: str
) -> None:
    database = Database(tmp_path / "c.db")
    database.write(collections.create, "Mine")
    before = content(tmp_path / "c.db")
    with pytest.raises(error) as refused:
        await taken(database, parts)
    assert sentence in refused.value.message
    assert content(tmp_path / "c.db") == before
    assert (await taken(database, parts_of(made.generated(40)))).slug == "theirs"
    database.close()


async def test_nobody_sees_it_before_it_is_complete_and_what_a_dead_process_left_goes_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "ERASED_AT_ONCE", 7)
    database, rows = Database(tmp_path / "c.db"), made.generated(60)
    before = content(tmp_path / "c.db")
    begin, *rest = parts_of(rows)
    assert isinstance(begin, Begin)
    collection = database.write(imports.begin, begin)
    for part in rest:
        if isinstance(part, Tags):
            database.write(imports.add_tags, collection, part.tags)
        if isinstance(part, Items):
            database.write(imports.add_items, collection, part.items, begin.last_id)
    assert database.read(collections.listed) == []
    for name in ("theirs", collection.uuid.hex):
        with pytest.raises(ServiceError, match="Collection not found"):
            database.read(collections.resolved, name)
    uuids = database.write(lambda txn: [row[0] for row in txn.execute("SELECT uuid FROM node")])
    assert len(uuids) > 60
    for uuid in uuids:
        with pytest.raises(ItemNotFound):
            database.read(details.one, UUID(bytes=uuid))
        with pytest.raises(ItemNotFound):
            database.write(browsing.tagged, UUID(bytes=uuid), "label", "value")
    async with Imports(Catalogue(database)):
        async with asyncio.timeout(20):
            while content(tmp_path / "c.db") != before:  # noqa: ASYNC110 - the database tells nobody
                await asyncio.sleep(0.01)
    database.close()


async def test_two_at_once_are_two_collections_and_one_that_is_given_up_takes_only_itself_away(tmp_path: Path) -> None:
    database, rows = Database(tmp_path / "c.db"), made.generated(40)
    go_on = asyncio.Event()

    async def slow(name: str) -> AsyncIterator[Part]:
        for part in parts_of(rows, name):
            yield part
            await go_on.wait()

    async with Imports(Catalogue(database)) as importing:

        async def take(name: str) -> Collection | None:
            async with aclosing(importing.take(slow(name))) as steps:
                return [step async for step in steps][-1]

        first, second, third = (asyncio.create_task(take(name)) for name in ("one", "two", "three"))
        async with asyncio.timeout(20):
            while len(database.write(imports.incomplete)) < 3:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            second.cancel()
            await asyncio.wait([second])
            go_on.set()
            found = await asyncio.gather(first, third)
    assert second.cancelled()
    assert [one.slug for one in found if one] == ["one", "three"]
    assert [one.slug for one in database.read(collections.listed)] == ["one", "three"]
    assert database.write(imports.incomplete) == []
    for one in found:
        assert one is not None
        _compare(database, one, rows)
    database.close()
