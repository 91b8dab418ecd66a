"""What search asks and tells of items: facts, everything there is, the tags filters mean, frames and vectors."""

from __future__ import annotations

import json

import pytest
from metadata_service.domain.disk import Inside
from metadata_service.domain.errors import FilterTooLarge
from metadata_service.domain.filters import Range, Values
from metadata_service.domain.groups import GroupKind
from metadata_service.domain.media import Collection, Facts, FileSeen, Imported, Kind, Marks, Upload
from metadata_service.domain.tags import TagType
from metadata_service.store import (
    collections,
    details,
    frames,
    imports,
    indexing,
    insides,
    media,
    retrieval,
    search_facts,
    search_jobs,
    tagging,
)
from metadata_service.store.groups import add_group
from metadata_service.store.search_facts import SearchFacts
from metadata_service.store.search_jobs import Lane
from metadata_service.store.sqlite import Database
from metadata_service.store.transaction import Transaction

ROOT = b"/photos/of mine"


@pytest.fixture
def root(database: Database) -> Collection:
    return database.write(indexing.collection_for, ROOT)


def file(database: Database, root: Collection, path: bytes, **facts: int) -> int:
    kind = Kind.VIDEO if path.endswith(b"mp4") else Kind.IMAGE
    seen = FileSeen(path, kind, Marks.NONE, Facts(**{"size_bytes": 3, "modified_us": 5, **facts}), inode=7)  # type: ignore[arg-type]
    return database.write(media.upsert_file, root, seen)[0]


def upload(database: Database, collection: Collection, name: str = "a.jpg") -> int:
    given = Upload(name, Kind.IMAGE, b"\xab" * 32, Facts(size_bytes=9, width_px=4, height_px=3), "image/jpeg")
    return database.write(media.add_upload, collection, given)


def facts(database: Database, node_id: int) -> SearchFacts:
    (found,) = database.read(search_facts.facts, [node_id])
    return found


def sent(database: Database, lane: Lane) -> list[int]:
    batch = database.write(search_jobs.next_batch, lane, 10_000)
    assert database.write(search_jobs.next_batch, lane, 10_000, sent=True) == []
    return batch


def test_a_file_in_place_has_its_path_its_folders_and_all_tags(database: Database, root: Collection) -> None:
    node = file(database, root, b"a/b\xff/x.jpg", taken_us=1_700_000_000_000_000)
    group = database.write(add_group, root, GroupKind.BURST, [node])
    tagset, _ = database.write(tagging.tagset, root, "color", TagType.ALPHANUMERICAL)
    red = database.write(tagging.tag, root, tagset, "red")
    database.write(tagging.attach_group, root, group, red)
    found = facts(database, node)
    assert found.pixels == b"/photos/of mine/a/b\xff/x.jpg"
    assert (found.kind, found.listed, found.embedded, found.taken_us) == (
        Kind.IMAGE,
        True,
        False,
        1_700_000_000_000_000,
    )
    assert (found.size_bytes, found.group_ids, found.collection_id) == (3, (group,), root.id)
    above = [database.read(lambda s, p=p: media.at_path(s.connection, root, p)) for p in (b"", b"a", b"a/b\xff")]  # type: ignore[misc]
    assert list(found.folder_ids) == above
    (shown,) = database.read(details.media, [node])
    own = database.read(retrieval.tagsets, root)
    assert red in found.tag_ids
    assert len(found.tag_ids) == 1 + sum(len(values) for values in shown.tags.values())
    assert {one.name for one in own} >= set(shown.tags)


def test_the_seal_changes_with_the_file_and_with_nothing_else(database: Database, root: Collection) -> None:
    node = file(database, root, b"a/x.jpg")
    seal = facts(database, node).seal
    database.write(tagging.add, root, node, "color", "red")
    database.write(media.set_marks, node, Marks.TRASHED)
    file(database, root, b"a/x.jpg", taken_us=5)
    assert facts(database, node).seal == seal
    for changed in ({"size_bytes": 4}, {"modified_us": 6}):
        file(database, root, b"a/x.jpg", **changed)
        assert facts(database, node).seal != seal
        seal = facts(database, node).seal


def test_an_upload_has_its_blob_and_an_import_has_its_pixels_elsewhere(database: Database) -> None:
    mine = database.write(collections.create, "Mine")
    found = facts(database, upload(database, mine))
    assert (found.pixels, found.seal) == ("ab" * 32, "ab" * 32)
    theirs = database.write(collections.create, "Theirs", imported=True, first_id=50)
    outside = facts(database, database.write(media.add_imported, theirs, Imported(7, "x/7.jpg", Kind.IMAGE)))
    assert (outside.pixels, outside.seal, outside.media_id) == (None, "", theirs.id_base + 7)


def test_what_is_gone_unknown_a_folder_or_not_yet_shown_has_no_facts(database: Database, root: Collection) -> None:
    gone, there = file(database, root, b"a/x.jpg"), file(database, root, b"a/y.jpg")
    database.write(media.set_marks, gone, Marks.GONE, Marks.GONE)
    theirs = database.write(collections.create, "Theirs", imported=True, first_id=50)
    hidden = database.write(media.add_imported, theirs, Imported(7, None, Kind.IMAGE))
    database.write(lambda txn: txn.execute("UPDATE collection SET complete = 0 WHERE id = ?", theirs.id) and None)
    asked = [there, 0, -5, 2**62, gone, hidden, root.root_folder_id, there]
    assert [one.media_id for one in database.read(search_facts.facts, asked)] == [there]
    assert database.read(search_facts.searchable, 0, 10) == [there]
    assert sent(database, Lane.EMBED) == [gone, there]  # the one was there when it was noted


def test_everything_searchable_is_listed_in_pages_by_id(database: Database, root: Collection) -> None:
    nodes = [file(database, root, name) for name in (b"a.jpg", b"b/b.mp4", b"b/c.jpg")]
    mine = database.write(collections.create, "Mine")
    database.write(
        media.add_upload, mine, Upload("d", Kind.DOCUMENT, b"d" * 32, Facts(size_bytes=1), "application/pdf")
    )
    nodes.append(upload(database, mine))
    database.write(media.set_marks, nodes[1], Marks.TRASHED)
    found: list[int] = []
    while page := database.read(search_facts.searchable, found[-1] if found else 0, 2):
        found += page
    assert found == sorted(nodes)


def test_items_with_a_vector_are_counted_while_they_are_there(database: Database, root: Collection) -> None:
    nodes = [file(database, root, name) for name in (b"a.jpg", b"b.jpg", b"c.jpg")]
    database.write(frames.set_embedded, [*nodes, 999_999], True)
    assert database.read(retrieval.total, root) == 3
    assert facts(database, nodes[0]).embedded
    database.write(frames.set_embedded, nodes[:1], False)
    database.write(media.set_marks, nodes[1], Marks.GONE, Marks.GONE)
    assert database.read(retrieval.total, root) == 1
    database.write(frames.set_embedded, nodes, True)  # by one that has not heard of it
    database.write(frames.set_frames, nodes[1], [frames.FrameGiven(0.0, 1, 1)], True)
    assert database.read(retrieval.total, root) == 2
    database.write(media.set_marks, nodes[1], Marks.NONE, Marks.GONE)
    assert not facts(database, nodes[1]).embedded
    assert nodes[1] in sent(database, Lane.EMBED)


def test_an_item_with_a_vector_has_a_frame_to_find_similar_ones_from(database: Database) -> None:
    mine = database.write(collections.create, "Mine")
    node = upload(database, mine)
    assert database.read(details.media, [node])[0].frame_object is None
    for _ in range(2):
        database.write(frames.set_embedded, [node], True)
    (shown,) = database.read(details.media, [node])
    assert [(one.id, one.index, one.timestamp_s, one.width_px, one.height_px) for one in shown.frames] == [
        (node, 0, 0.0, 4, 3)
    ]
    assert shown.frame_object is not None
    place = database.read(frames.find_object, mine, shown.frame_object)
    assert (place.whole, place.frame_id, place.media_id) == (True, node, node)


def test_a_picture_s_frame_is_as_large_as_the_picture_is_known_to_be_now(database: Database, root: Collection) -> None:
    node = file(database, root, b"a/x.jpg")
    database.write(frames.set_embedded, [node], True)

    def described(width: int, height: int) -> tuple[int | None, int | None]:
        inside = Inside(Facts(size_bytes=3, modified_us=5, width_px=width, height_px=height), inode=7)
        assert database.write(insides.describe, root, [(node, inside)]) == []
        ((shown,),) = (one.frames for one in database.read(details.media, [node]))
        return shown.width_px, shown.height_px

    assert described(4000, 3000) == (4000, 3000)
    assert described(800, 600) == (800, 600)  # cropped in place


def test_what_is_known_of_a_frame_alone_counts(database: Database, root: Collection) -> None:
    picture, film = file(database, root, b"x.jpg"), file(database, root, b"v.mp4", width_px=1920, height_px=1080)
    for node in (picture, film):
        database.write(frames.set_frames, node, [frames.FrameGiven(0.0, 64, 48)], True)
    shown = [one.frames[0] for one in database.read(details.media, [picture, film])]
    assert [(frame.width_px, frame.height_px) for frame in shown] == [(64, 48), (64, 48)]


def test_frames_keep_their_numbers_and_no_number_is_given_twice(database: Database, root: Collection) -> None:
    node = file(database, root, b"v.mp4")
    moments = [frames.FrameGiven(float(second), 8, 6, "") for second in range(3)]
    ids = database.write(frames.set_frames, node, moments, True)
    assert ids[0] == node
    assert len(set(ids)) == 3
    before = database.read(details.media, [node])
    assert database.write(frames.set_frames, node, moments, True) == ids
    assert database.read(details.media, [node]) == before
    assert [one.timestamp_s for one in before[0].frames] == [0.0, 1.0, 2.0]
    assert database.write(frames.set_frames, node, moments[:2], True) == ids[:2]
    fewer = database.read(details.media, [node])[0]
    again = database.write(frames.set_frames, node, moments, True)
    assert again[:2] == ids[:2]
    assert again[2] > max(ids)
    assert len(fewer.frames) == 2


def test_no_object_has_the_number_of_one_that_was_deleted(database: Database, root: Collection) -> None:
    node = file(database, root, b"v.mp4")
    moments = [frames.FrameGiven(float(second), None, None) for second in range(2)]
    database.write(frames.set_frames, node, moments, True)
    given = frames.ObjectGiven(1, "object", "cat", "objects", {})
    ((old, _),) = database.write(frames.add_objects, node, [given])
    database.write(frames.set_frames, node, moments[:1], True)
    database.write(frames.set_frames, node, moments, True)
    ((new, uuid),) = database.write(frames.add_objects, node, [given])
    assert new > old
    assert database.read(frames.find_object, root, uuid).id == new


def test_objects_are_listed_for_search_and_can_be_taken_back(database: Database, root: Collection) -> None:
    nodes = [file(database, root, name) for name in (b"a.jpg", b"b.jpg", b"c.jpg")]
    for node in nodes:
        database.write(frames.set_frames, node, [frames.FrameGiven(0.0, None, None)], True)
    given = [frames.ObjectGiven(0, "object", "cat", model, {"bbox": [1, 2, 3, 4]}) for model in ("objects", "faces")]
    added = [object_id for node in nodes for object_id, _ in database.write(frames.add_objects, node, given)]

    def listed(after: int = 0, limit: int = 9) -> list[int]:
        return [one.id for one in database.read(frames.detections, after, limit)]

    assert listed() == added
    assert listed(limit=2) + listed(added[1]) == added
    second = database.read(frames.detections, added[2], 1)[0]
    assert (second.media_id, second.frame, second.model) == (nodes[1], 0, "faces")
    assert json.loads(second.shape_json) == {"bbox": [1, 2, 3, 4]}
    database.write(media.set_marks, nodes[0], Marks.TRASHED)
    database.write(media.set_marks, nodes[1], Marks.GONE, Marks.GONE)
    assert listed() == added[:2] + added[4:]

    def whole() -> list[tuple[int]]:
        return database.read(
            lambda snapshot: snapshot.connection.execute("SELECT id FROM object WHERE whole").fetchall()
        )

    before = whole()
    assert len(before) == 3
    database.write(frames.remove_objects, [added[4], *(number for (number,) in before), 10**6])
    assert listed() == [*added[:2], added[5]]
    assert whole() == before


def test_the_tags_that_filters_mean_are_those_of_their_set(database: Database) -> None:
    theirs = database.write(collections.create, "Theirs", imported=True, first_id=50)
    mine = database.write(collections.create, "Mine")

    def filled(txn: Transaction) -> dict[str, int]:
        numbers, _ = tagging.tagset(txn, theirs, "number", TagType.NUMERICAL_INT)
        words, _ = tagging.tagset(txn, theirs, "word", TagType.ALPHANUMERICAL)
        tags = {str(n): tagging.tag(txn, theirs, numbers, n) for n in (1, 5, 9)}
        tags |= {"numbers": numbers, "words": words, "a": tagging.tag(txn, theirs, words, "a")}
        other, _ = tagging.tagset(txn, mine, "number", TagType.NUMERICAL_INT)
        tagging.tag(txn, mine, other, 5)
        return tags

    tags = database.write(filled)
    base = theirs.id_base
    numbers, words = tags["numbers"] - base, tags["words"] - base
    choices = [
        Values(numbers, (tags["1"] - base, tags["a"] - base, 777, 2**63 - 1)),
        Values(words, (tags["a"] - base,)),
        Values(numbers, ()),
        Values(2**63 - 1, (tags["1"] - base,)),
        Range(numbers, 2, None),
        Range(numbers, None, 5.5),
        Range(numbers, "2", None),
        Range(2**63 - 1, None, None),
    ]
    assert database.read(search_facts.tags_meant, theirs, choices) == [
        [tags["1"]], [tags["a"]], [], [], [tags["5"], tags["9"]], [tags["1"], tags["5"]], [], [],
    ]  # fmt: skip

    every = Range(numbers, None, None)
    assert len(database.read(search_facts.tags_meant, theirs, [every, every], 6)) == 2
    with pytest.raises(FilterTooLarge):
        database.read(search_facts.tags_meant, theirs, [every, every], 5)


def test_moving_a_folder_tells_search_of_everything_in_it_at_once(database: Database, root: Collection) -> None:
    inside = [file(database, root, b"a/deep/%d.jpg" % number) for number in range(20)]
    outside = file(database, root, b"b/x.jpg")
    assert sent(database, Lane.EMBED) == [*inside, outside]
    sent(database, Lane.FACTS)
    folder = database.read(lambda s: media.at_path(s.connection, root, b"a"))
    target = database.read(lambda s: media.at_path(s.connection, root, b"b"))
    assert folder is not None
    assert target is not None
    database.write(collections.relocate, folder, target)
    assert database.read(search_jobs.unsent, Lane.FACTS) == 20
    assert sent(database, Lane.FACTS) == inside
    assert sent(database, Lane.EMBED) == []


def test_an_import_brings_no_jobs_and_its_tags_do_once_it_is_there(database: Database) -> None:
    begin = imports.Begin("theirs", "https://x/o", "https://x/t", 9, ())
    theirs = database.write(imports.begin, begin)
    database.write(imports.add_items, theirs, [Imported(8, "8.jpg", Kind.IMAGE)], 9)
    database.write(tagging.add, theirs, theirs.id_base + 8, "color", "red")
    assert not any(database.read(search_jobs.are_waiting, lane) for lane in Lane)
    database.write(imports.complete, theirs)
    assert not any(database.read(search_jobs.are_waiting, lane) for lane in Lane)
    database.write(tagging.add, theirs, theirs.id_base + 8, "color", "blue")
    assert sent(database, Lane.FACTS) == [theirs.id_base + 8]
    assert sent(database, Lane.EMBED) == []
