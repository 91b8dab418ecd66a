"""A video and its further frames are a group."""

from __future__ import annotations

import pytest
from metadata_service.domain.groups import GroupKind
from metadata_service.domain.media import Collection, Imported, Kind
from metadata_service.store import collections, frames, media, retrieval, search_facts
from metadata_service.store.groups import add_group
from metadata_service.store.sqlite import Database
from metadata_service.store.transaction import Transaction

VIDEO, GROUPED, PICTURE, THEIR_GROUP = 42, 43, 44, 60


@pytest.fixture
def theirs(database: Database) -> Collection:
    collection = database.write(collections.create, "Theirs", imported=True)

    def fill(txn: Transaction) -> None:
        add_group(txn, collection, GroupKind.IMPORTED, [], relative_id=THEIR_GROUP, uri="both")
        media.add_imported(txn, collection, Imported(VIDEO, "a.mp4", Kind.VIDEO))
        media.add_imported(txn, collection, Imported(GROUPED, "b.mp4", Kind.VIDEO, None, THEIR_GROUP))
        media.add_imported(txn, collection, Imported(PICTURE, "c.gif", Kind.IMAGE))

    database.write(fill)
    return collection


def framed(database: Database, collection: Collection, number: int, many: int) -> list[int]:
    """The frames' numbers, the media's own first."""
    given = [frames.FrameGiven(float(second), 8, 6) for second in range(many)]
    made = database.write(frames.set_frames, collection.id_base + number, given, True)
    return [one - collection.id_base for one in made]


def group_of(database: Database, collection: Collection, number: int) -> int | None:
    (item,) = database.read(retrieval.base, collection, [number])
    return item.group_id


def test_a_video_with_several_frames_is_a_group_of_them(database: Database, theirs: Collection) -> None:
    ids = framed(database, theirs, VIDEO, 3)
    group = group_of(database, theirs, VIDEO)

    assert group is not None
    assert [group_of(database, theirs, one) for one in ids] == [group] * 3
    assert database.read(retrieval.members, theirs, group) == ids
    assert database.read(retrieval.related, theirs, [ids[1]]) == {ids[1]: [ids[0], ids[2]]}
    (facts,) = database.read(search_facts.facts, [theirs.id_base + VIDEO])
    assert list(facts.group_ids) == [theirs.id_base + group]
    (row,) = database.read(retrieval.base, theirs, [group])
    assert (row.is_group, row.kind, row.group_id) == (True, Kind.VIDEO, None)


def test_the_group_stays_the_same_and_goes_with_the_further_frames(database: Database, theirs: Collection) -> None:
    assert group_of(database, theirs, VIDEO) is None
    framed(database, theirs, VIDEO, 1)
    assert group_of(database, theirs, VIDEO) is None
    framed(database, theirs, VIDEO, 2)
    group = group_of(database, theirs, VIDEO)
    framed(database, theirs, VIDEO, 5)
    assert group_of(database, theirs, VIDEO) == group
    framed(database, theirs, VIDEO, 1)
    assert group_of(database, theirs, VIDEO) is None
    assert database.read(retrieval.base, theirs, [group or 0]) == []


def test_an_imported_group_keeps_its_videos_and_takes_their_frames(database: Database, theirs: Collection) -> None:
    ids = framed(database, theirs, GROUPED, 3)
    assert {group_of(database, theirs, one) for one in ids} == {THEIR_GROUP}
    assert database.read(retrieval.members, theirs, THEIR_GROUP) == ids
    framed(database, theirs, GROUPED, 1)
    assert group_of(database, theirs, GROUPED) == THEIR_GROUP


def test_a_picture_of_several_frames_is_no_group(database: Database, theirs: Collection) -> None:
    framed(database, theirs, PICTURE, 3)
    assert group_of(database, theirs, PICTURE) is None
