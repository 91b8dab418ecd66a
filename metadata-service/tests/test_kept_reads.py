"""What a reader keeps between reads: within bounds, and never something that was not read."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest
from metadata_service.domain.filters import ListQuery, Sort
from metadata_service.domain.media import Collection, Facts, FileSeen, Kind, Marks
from metadata_service.domain.tags import TagType
from metadata_service.store import browsing, media, retrieval, tagging
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


def test_words_are_kept_for_the_next_page_until_anything_is_written(
    database: Database, collection: Collection, reader: Reader
) -> None:
    first = _put(database, collection, "zebra.jpg")

    def found(text: str = "zebra", **filters: Any) -> list[int]:
        asked = ListQuery(0, 1, **({"recursive": True} | filters))
        return [item_id for item_id, _ in database.read(browsing.with_words, collection.slug, (), asked, text, 10)]

    assert found() == found(offset=20) == found(sort=Sort.NAME) == [first]
    assert reader.size == 1
    assert found(kinds=frozenset({Kind.VIDEO})) == []
    assert reader.size == 2
    second = _put(database, collection, "another zebra.jpg")
    assert set(found()) == {first, second}
    for number in range(100):
        assert found(f"zebra {number}") == found(f"zebra {number}", offset=1)
    assert reader.size <= 16
