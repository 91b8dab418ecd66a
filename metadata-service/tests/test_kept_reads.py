"""What a reader keeps between reads: within bounds, and never something that was not read."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from itertools import combinations
from typing import Any

import pytest
from metadata_service.domain.filters import ListQuery, Sort
from metadata_service.domain.imports import Begin
from metadata_service.domain.media import Collection, Facts, FileSeen, Imported, Kind, Marks
from metadata_service.domain.tags import TagType
from metadata_service.store import browsing, collections, finds, imports, listing, media, retrieval, tagging, words
from metadata_service.store.finds import SEARCHES, Finds, Ranked
from metadata_service.store.reader import MOST, MOST_KINDS, Reader
from metadata_service.store.snapshot import Snapshot
from metadata_service.store.sqlite import Database
from metadata_service.store.transaction import Transaction


@pytest.fixture
def reader(database: Database) -> Reader:
    found = database.read(lambda snapshot: snapshot.connection)
    assert isinstance(found, Reader)
    return found


def _put(database: Database, collection: Collection, name: str) -> int:
    return database.write(media.upsert_file, collection, FileSeen(name.encode(), Kind.IMAGE, Marks.NONE, Facts()))[0]


def _tagged(txn: Transaction, collection: Collection, item_id: int, tagsets: int) -> list[int]:
    numbers = []
    for n in range(tagsets):
        number, _ = tagging.tagset(txn, collection, f"set {n}", TagType.ALPHANUMERICAL)
        tagging.attach(txn, collection, item_id, tagging.tag(txn, collection, number, f"value of {number}"))
        numbers.append(number)
    return numbers


def test_a_thousand_different_askings_for_tags_leave_little_behind(
    database: Database, collection: Collection, reader: Reader
) -> None:
    item_id = _put(database, collection, "a.jpg")
    tagsets = database.write(_tagged, collection, item_id, 12)
    for number in range(1, 1000):
        asked = [tagset for at, tagset in enumerate(tagsets) if number >> at & 1]
        found = database.read(retrieval.tags, collection, [item_id], asked)
        assert found == {item_id: {tagset: [f"value of {tagset}"] for tagset in asked}}
        assert reader.kinds <= MOST_KINDS


def test_tagsets_in_another_order_or_that_do_not_exist_are_kept_as_one_asking(
    database: Database, collection: Collection, reader: Reader
) -> None:
    item_id = _put(database, collection, "a.jpg")
    one, other = database.write(_tagged, collection, item_id, 2)
    kinds = set()
    for asked in ([one, other], [other, one], [one, one, other], [one, other, 2**40], [one, other, -5, 2**80]):
        assert set(database.read(retrieval.tags, collection, [item_id], asked)[item_id]) == {one, other}
        kinds.add(reader.kinds)
    assert kinds == {1}
    assert database.read(retrieval.tags, collection, [item_id], [2**40]) == {}
    assert database.read(retrieval.tags, collection, [], [one]) == {}
    assert reader.kinds == 1


def test_tags_of_many_tagsets_are_right_and_not_kept(
    database: Database, collection: Collection, reader: Reader
) -> None:
    item_id = _put(database, collection, "a.jpg")
    tagsets = database.write(_tagged, collection, item_id, 40)
    assert set(database.read(retrieval.tags, collection, [item_id], tagsets)[item_id]) == set(tagsets)
    assert reader.size == 0


def test_more_than_a_reader_may_keep_is_answered_and_forgotten(
    database: Database, collection: Collection, reader: Reader
) -> None:
    ids = database.write(
        lambda txn: [
            media.upsert_file(txn, collection, FileSeen(b"%d.jpg" % n, Kind.IMAGE, Marks.NONE, Facts()))[0]
            for n in range(MOST + 1)
        ]
    )
    assert len(database.read(retrieval.base, collection, ids[:100])) == 100
    assert reader.size > 0
    assert len(database.read(retrieval.base, collection, ids)) == MOST + 1
    assert reader.size == 0


def test_a_read_that_failed_leaves_no_item_without_its_tags(
    database: Database, collection: Collection, reader: Reader
) -> None:
    item_id = _put(database, collection, "a.jpg")
    (tagset,) = database.write(_tagged, collection, item_id, 1)

    def interrupted(snapshot: Snapshot) -> None:
        def refuses(_: int, table: str | None, *__: str | None) -> int:
            return sqlite3.SQLITE_DENY if table == "tagging" else sqlite3.SQLITE_OK

        snapshot.connection.set_authorizer(refuses)
        try:
            retrieval.tags(snapshot, collection, [item_id], [tagset])
        finally:
            snapshot.connection.set_authorizer(None)

    with pytest.raises(sqlite3.DatabaseError):
        database.read(interrupted)
    assert set(database.read(retrieval.tags, collection, [item_id], [tagset])) == {item_id}


def test_words_are_looked_for_again_when_anybodys_words_have_changed_and_not_before(
    database: Database, collection: Collection
) -> None:
    first = _put(database, collection, "zebra.jpg")
    statements: list[str] = []

    def found(text: str = "zebra", **filters: Any) -> list[int]:
        def traced(snapshot: Snapshot) -> list[tuple[int, float]]:
            snapshot.connection.set_trace_callback(statements.append)
            try:
                asked = ListQuery(0, 1, **({"recursive": True} | filters))
                return browsing.with_words(snapshot, collection.slug, (), asked, text, 10)
            finally:
                snapshot.connection.set_trace_callback(None)

        return [item_id for item_id, _ in database.read(traced)]

    def looked() -> int:
        times = sum("MATCH" in one for one in statements)
        statements.clear()
        return times

    assert found() == found(offset=20) == found(sort=Sort.NAME) == [first]
    assert found(kinds=frozenset({Kind.VIDEO})) == []
    assert looked() == 1
    database.write(media.edit, first, None, {"taken by": "somebody"})
    assert found() == [first]
    database.write(media.set_marks, first, Marks.TRASHED)
    assert found() == []
    database.write(media.set_marks, first, Marks.NONE)
    assert found() == [first]
    assert looked() == 0
    second = _put(database, collection, "another zebra.jpg")
    assert set(found()) == {first, second}
    database.write(media.edit, second, "horse.jpg", None)
    assert found() == [first]
    assert looked() == 2


def test_the_best_of_many_finds_are_ranked_at_first_and_the_others_when_they_are_wanted(
    monkeypatch: pytest.MonkeyPatch, database: Database, collection: Collection
) -> None:
    monkeypatch.setattr(words, "BEST", 3)
    ids = [_put(database, collection, f"zebra {'and so on ' * number}.jpg") for number in range(9)]

    def found(limit: int, passes: Callable[[int], bool] = bool) -> list[int]:
        return [item_id for item_id, _ in database.read(words.found, collection.id, "zebra", limit, passes)]

    assert found(2) == ids[:2]
    assert found(2, lambda node_id: node_id > ids[4]) == ids[5:7]
    assert found(99) == ids
    monkeypatch.setattr(words, "BEST", 0)  # nothing is ranked again
    assert found(99) == ids


def test_the_same_words_find_each_collections_own(database: Database, collection: Collection) -> None:
    other = database.write(collections.create, "Other")
    ids = [_put(database, one, "zebra.jpg") for one in (collection, other)]
    for _ in range(2):
        for one, node_id in zip((collection, other), ids, strict=True):
            assert [found for found, _ in database.read(words.found, one.id, "zebra", 9)] == [node_id]


def test_what_a_broken_import_leaves_behind_weighs_no_word(database: Database, collection: Collection) -> None:
    def scores() -> list[float]:
        return [score for _, score in database.read(words.found, collection.id, "zebra", 9)]

    _put(database, collection, "zebra.jpg")
    _put(database, collection, "horse.jpg")
    before = scores()
    broken = database.write(imports.begin, Begin("broken", "https://example.org/o", "https://example.org/t", 99, ()))
    items = [Imported(number, f"zebra {number}.jpg", Kind.IMAGE) for number in range(1, 50)]
    database.write(imports.add_items, broken, items, 99)
    assert scores() != before
    while database.write(imports.erase_some, broken):
        pass
    assert scores() == before


def test_a_write_that_fails_changes_nothing_of_what_is_found(database: Database, collection: Collection) -> None:
    first = _put(database, collection, "zebra.jpg")

    def failing(txn: Transaction) -> None:
        media.edit(txn, first, "horse.jpg", None)
        txn.finish()
        raise RuntimeError

    for name, expected in (("zebra", [first]), ("horse", [])):
        assert [found for found, _ in database.read(words.found, collection.id, name, 9)] == expected
        with pytest.raises(RuntimeError):
            database.write(failing)
        assert [found for found, _ in database.read(words.found, collection.id, name, 9)] == expected


def test_finds_are_those_of_the_same_words_and_few(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Finds()
    for version in (1, 2):
        for number in range(2 * SEARCHES):
            kept.put(version, (1, str(number)), Ranked.of([(number, 1.0)]))
        there = [number for number in range(2 * SEARCHES) if kept.get(version, (1, str(number))) is not None]
        assert len(there) <= SEARCHES
        assert there[-1] == 2 * SEARCHES - 1
    kept.put(1, (1, "old"), Ranked.of([]))  # read before the words changed
    assert kept.get(1, (1, "31")) is None
    assert kept.get(1, (1, "old")) is None
    assert kept.get(2, (1, "old")) is None
    monkeypatch.setattr(finds, "FINDS", 3)
    kept.put(2, (1, "three"), Ranked.of([(number, 1.0) for number in range(3)]))
    assert kept.get(2, (1, "three")) is not None
    assert kept.get(2, (1, "31")) is None
    kept.put(2, (1, "four"), Ranked.of([(number, 1.0) for number in range(4)]))
    assert kept.get(2, (1, "four")) is None
    assert kept.get(2, (1, "three")) is not None
    kept.put(2, (1, "three"), Ranked.of([(0, 1.0), (1, 1.0)], 1))  # of a reader that was slower
    assert kept.get(2, (1, "three")) == Ranked.of([(number, 1.0) for number in range(3)])


def test_what_is_listed_is_kept_until_anything_is_written(
    database: Database, collection: Collection, reader: Reader
) -> None:
    first = _put(database, collection, "a.jpg")

    def shown(*kinds: Kind) -> list[int]:
        query = ListQuery(collection.id, 9, recursive=True, sort=Sort.NAME, kinds=frozenset(kinds) or None)
        return database.read(listing.page, query).ids

    assert shown() == shown() == shown(Kind.IMAGE) == [first]
    assert reader.size == 2
    assert shown(Kind.VIDEO) == []
    second = _put(database, collection, "b.jpg")
    assert set(shown()) == set(shown(Kind.IMAGE)) == {first, second}
    for count in range(1, 8):
        for kinds in combinations(Kind, count):
            shown(*kinds)
    assert reader.size <= 16
