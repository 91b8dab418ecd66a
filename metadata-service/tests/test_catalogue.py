"""The catalogue's rules, one by one, on a real database."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from media_common import kept
from metadata_service.domain import keys as key_rules
from metadata_service.domain.disk import Content
from metadata_service.domain.errors import (
    BadMove,
    CollectionExists,
    CollectionNotFound,
    FolderNotFound,
    FrameNotFound,
    IdOutOfRange,
    ItemNotFound,
    KeyNotFound,
    NotMovable,
    TagExists,
    TagInvalid,
    TagNotFound,
)
from metadata_service.domain.filters import ListQuery, Sort
from metadata_service.domain.groups import GroupKind
from metadata_service.domain.ids import BASE_STEP
from metadata_service.domain.media import FILES, Collection, Facts, FileSeen, Imported, Kind, Marks, Upload
from metadata_service.domain.tags import TagType, Value
from metadata_service.store import (
    bits,
    browsing,
    collections,
    details,
    frames,
    insides,
    keys,
    listing,
    media,
    migrations,
    retrieval,
    tagging,
    words,
)
from metadata_service.store.groups import add_group
from metadata_service.store.sqlite import Database
from metadata_service.store.transaction import Transaction

IMAGES = frozenset({Kind.IMAGE})


def _file(path: str | bytes, marks: Marks = Marks.NONE, **facts: Any) -> FileSeen:
    raw = path.encode() if isinstance(path, str) else path
    return FileSeen(raw, Kind.IMAGE, marks, Facts(**{"size_bytes": 10, "modified_us": 5, **facts}), inode=7)


def _put(database: Database, collection: Collection, path: str | bytes, marks: Marks = Marks.NONE, **facts: Any) -> int:
    return database.write(media.upsert_file, collection, _file(path, marks, **facts))[0]


def _hash(txn: Transaction, collection: Collection, node_id: int, modified_us: int) -> list[int]:
    return insides.set_hashes(txn, collection, [(node_id, Content(b"h" * 32, 10, modified_us, 7))])


def _listed(database: Database, collection: Collection, **query: Any) -> list[int]:
    return database.read(
        listing.page, ListQuery(collection.id, 100, **{"recursive": True, "kinds": IMAGES, **query})
    ).ids


def _names(database: Database, collection: Collection, **query: Any) -> list[str]:
    return [item.name for item in database.read(details.media, _listed(database, collection, **query))]


def test_a_file_found_twice_is_one_item(database: Database, collection: Collection) -> None:
    first = database.write(media.upsert_file, collection, _file("a/b.jpg"))
    again = database.write(media.upsert_file, collection, _file("a/b.jpg"))
    assert first == (first[0], media.Outcome.NEW)
    assert again == (first[0], media.Outcome.SAME)


def test_the_same_library_indexed_elsewhere_gets_the_same_uuids(tmp_path: Path) -> None:
    found = []
    for name in ("one.db", "two.db"):
        other = Database(tmp_path / name)
        collection = other.write(collections.create, "Mine")
        ids = [_put(other, collection, path) for path in ("a/b.jpg", b"a/\xff.jpg", "c.jpg")]
        found.append([(item.id, item.uuid, item.path) for item in other.read(details.media, ids)])
        other.close()
    assert found[0] == found[1]


def test_a_name_that_is_no_utf8_is_shown_escaped_and_found_by_its_bytes(
    database: Database, collection: Collection
) -> None:
    node_id = _put(database, collection, b"\xfe/\xff\n.jpg")
    item = database.read(details.media, [node_id])[0]
    assert (item.name, item.relative_path) == ("\\xff\n.jpg", b"\xfe/\xff\n.jpg")
    assert database.write(media.find_file, collection, b"\xfe/\xff\n.jpg") == node_id


def test_every_write_is_flushed_to_the_disk_before_it_is_answered(database: Database) -> None:
    def flushes(txn: Transaction) -> tuple[str, int]:
        return txn.one("PRAGMA journal_mode"), txn.one("PRAGMA synchronous")

    assert database.write(flushes) == ("wal", 2)  # FULL: the log is flushed at every commit


def test_a_mark_lets_no_burst_be_looked_through_and_a_file_that_comes_back_does(
    database: Database, collection: Collection
) -> None:
    def shots_round(txn: Transaction, marks: Marks) -> int:
        media.upsert_file(txn, collection, _file("a.jpg", marks, camera="X", taken_us=5))
        count = len(txn.shots)
        txn.shots.clear()
        return count

    assert database.write(shots_round, Marks.NONE) == 1
    assert database.write(shots_round, Marks.LOCKED | Marks.SEEN) == 0
    assert database.write(shots_round, Marks.TRASHED | Marks.SEEN) == 0
    assert database.write(shots_round, Marks.GONE) == 1
    assert database.write(shots_round, Marks.TRASHED) == 1


def test_a_changed_file_keeps_its_id_and_loses_its_hash(database: Database, collection: Collection) -> None:
    node_id = _put(database, collection, "a.jpg", width_px=5)
    assert database.read(details.media, [node_id])[0].sha256 is None
    assert database.write(_hash, collection, node_id, 5) == []
    assert database.write(_hash, collection, node_id, 6) == [node_id]
    assert database.read(details.media, [node_id])[0].sha256 == b"h" * 32
    assert _put(database, collection, "a.jpg", modified_us=6) == node_id
    item = database.read(details.media, [node_id])[0]
    assert (item.sha256, item.facts.width_px, item.facts.modified_us) == (None, None, 6)


def test_what_was_read_from_inside_a_file_is_kept_while_it_is_the_same(
    database: Database, collection: Collection
) -> None:
    node_id = _put(database, collection, "a.jpg", camera="NIKON D90", taken_us=1_700_000_000_000_000)
    assert database.write(media.upsert_file, collection, _file("a.jpg"))[1] is media.Outcome.SAME
    assert database.read(details.media, [node_id])[0].tags == {
        "Camera": ["NIKON D90"], "Folder": ["."], "Hour": [22], "Month": [11], "Status": ["unseen"], "Type": ["image"],
        "Year": [2023],
    }  # fmt: skip


@pytest.mark.parametrize("marks", [Marks.TRASHED, Marks.GONE, Marks.EMPTIED])
def test_what_is_trashed_gone_or_emptied_is_not_listed_and_comes_back_with_its_id(
    database: Database, collection: Collection, marks: Marks
) -> None:
    node_id = _put(database, collection, "a/b.jpg")
    uuid = database.read(details.media, [node_id])[0].uuid
    database.write(media.set_marks, node_id, marks, marks)
    assert _listed(database, collection) == []
    database.write(media.set_marks, node_id, Marks.NONE, marks)
    assert _listed(database, collection) == [node_id]
    assert database.read(details.one, uuid).id == node_id


def test_a_trashed_item_is_still_answered_and_an_emptied_one_is_not(database: Database, collection: Collection) -> None:
    node_id = _put(database, collection, "a.jpg")
    item = database.read(details.media, [node_id])[0]
    database.write(media.set_marks, node_id, Marks.TRASHED)
    assert database.read(details.one, item.uuid).marks.status == "trashed"
    assert database.read(details.one, item.uuid).tags["Status"] == ["trashed"]
    database.write(media.set_marks, node_id, Marks.EMPTIED, Marks.EMPTIED)
    with pytest.raises(ItemNotFound):
        database.read(details.one, item.uuid)


def test_a_failed_write_changes_nothing(database: Database, collection: Collection) -> None:
    def work(txn: Transaction) -> None:
        media.upsert_file(txn, collection, _file("a.jpg"))
        raise ItemNotFound

    with pytest.raises(ItemNotFound):
        database.write(work)
    assert _listed(database, collection) == []
    assert _listed(database, collection, sort=Sort.NAME) == []


def test_a_path_of_ids_must_be_a_chain_from_the_collection(database: Database, collection: Collection) -> None:
    node_id = _put(database, collection, "a/b/c.jpg")
    path = database.read(details.media, [node_id])[0].path
    assert path[0] == collection.uuid
    folder = database.read(collections.folder_by_labels, collection, path[:3])
    assert _listed(database, collection, folder_id=folder, recursive=False) == [node_id]
    for wrong in ((path[1],), (path[0], path[2]), path, (path[0], uuid4()), ()):
        with pytest.raises(FolderNotFound):
            database.read(collections.folder_by_labels, collection, wrong)


def test_dates_bound_a_list_from_below_and_above(database: Database, collection: Collection) -> None:
    ids = [_put(database, collection, f"{n}.jpg") for n in range(5)]
    times = [item.created_us for item in database.read(details.media, ids)]
    assert times == sorted(set(times))
    assert sorted(_listed(database, collection, created_from_us=times[1], created_before_us=times[3])) == ids[1:3]
    assert _listed(database, collection, created_from_us=times[4] + 1) == []
    assert _listed(database, collection, created_from_us=2**80) == []
    assert sorted(_listed(database, collection, created_from_us=-(2**80), created_before_us=2**80)) == ids


def test_names_sort_folded_and_normalised(database: Database, collection: Collection) -> None:
    for name in ("b.jpg", "A.jpg", "a\u0308.jpg", "Z.jpg", "Ä2.jpg"):
        _put(database, collection, name)
    names = _names(database, collection, sort=Sort.NAME, descending=False)
    assert names == ["A.jpg", "b.jpg", "Z.jpg", "a\u0308.jpg", "Ä2.jpg"]


def test_a_folder_moves_with_all_that_is_in_it(database: Database, collection: Collection) -> None:
    node_id = _put(database, collection, "a/b/c.jpg")
    path = database.read(details.media, [node_id])[0].path
    inner = database.read(collections.folder_by_labels, collection, path[:3])
    outer = database.read(collections.folder_by_labels, collection, path[:2])
    target = database.write(collections.ensure_folder, collection, b"x/y")
    database.write(collections.relocate, inner, target)
    item = database.read(details.media, [node_id])[0]
    assert (item.relative_path, item.tags["Folder"]) == (b"x/y/b/c.jpg", ["x/y/b"])
    assert _listed(database, collection, folder_id=target) == [node_id]
    assert _listed(database, collection, folder_id=outer) == []
    with pytest.raises(BadMove):
        database.write(collections.relocate, target, inner)


def test_a_renamed_folder_renames_the_tag_of_what_is_in_it(database: Database, collection: Collection) -> None:
    folder = database.write(collections.create_folder, collection, collection.root_folder_id, "old")
    upload = Upload("a.jpg", Kind.IMAGE, b"1" * 32, Facts(), "", folder)
    node_id = database.write(media.add_upload, collection, upload)
    database.write(media.edit, folder, "new", None)
    assert database.read(details.media, [node_id])[0].tags["Folder"] == ["new"]


def test_a_file_in_place_is_not_moved_by_a_caller(database: Database, collection: Collection) -> None:
    node_id = _put(database, collection, "a/b.jpg")
    with pytest.raises(NotMovable):
        database.write(collections.move, node_id, collection.root_folder_id)


def test_a_name_or_review_path_is_of_one_collection(database: Database) -> None:
    database.write(collections.create, "One", slug="one", root_path=b"/r")
    assert database.write(collections.create, "One").slug == "one-2"
    with pytest.raises(CollectionExists):
        database.write(collections.create, "One", slug="one")
    with pytest.raises(CollectionExists):
        database.write(collections.create, "Two", root_path=b"/r")


def test_a_collection_is_found_by_slug_and_by_id_in_any_form(database: Database, collection: Collection) -> None:
    for name in ("mine", collection.uuid.hex, str(collection.uuid).upper()):
        assert database.read(collections.resolved, name) == collection
    for name in ("", "nobody", uuid4().hex, "ä" * 32):
        with pytest.raises(CollectionNotFound):
            database.read(collections.resolved, name)


def test_tags_are_added_once_removed_and_relabelled(database: Database, collection: Collection) -> None:
    node_id = _put(database, collection, "a.jpg")
    database.write(tagging.add, collection, node_id, "color", "red")
    with pytest.raises(TagExists):
        database.write(tagging.add, collection, node_id, "color", "red")
    with pytest.raises(TagInvalid):
        database.write(tagging.add, collection, node_id, "Status", "seen")
    database.write(tagging.add, collection, node_id, "colour", "red")
    database.write(tagging.relabel, collection, node_id, "color", "colour")
    assert database.read(listing.tag_groups, collection)["colour"] == ["red"]
    assert "color" not in database.read(listing.tag_groups, collection)
    database.write(tagging.remove, collection, node_id, "colour", "red")
    with pytest.raises(TagNotFound):
        database.write(tagging.remove, collection, node_id, "colour", "red")


def test_a_value_that_nothing_carries_any_more_is_no_value_of_our_own_tagsets(
    database: Database, collection: Collection
) -> None:
    node_id = _put(database, collection, "a.jpg")
    for value in ("red", "blue"):
        database.write(tagging.add, collection, node_id, "color", value)
    color = next(one.id for one in database.read(retrieval.tagsets, collection) if one.name == "color")

    def told() -> list[Value]:
        return [value for _, value in database.read(retrieval.tag_values, collection, TagType.ALPHANUMERICAL, color)]

    assert told() == ["blue", "red"]
    database.write(tagging.remove, collection, node_id, "color", "red")
    assert told() == ["blue"]
    database.write(tagging.add, collection, node_id, "color", "red")
    assert told() == ["blue", "red"]


def test_whole_numbers_are_found_by_their_text(database: Database, collection: Collection) -> None:
    node_id = _put(database, collection, "a.jpg", taken_us=1_700_000_000_000_000)
    assert _listed(database, collection, tag_filters=(("Year", ("2023",)), ("Month", ("11", "12")))) == [node_id]
    assert _listed(database, collection, tag_filters=(("Year", ("2023.0", "x", "9" * 30)),)) == []
    assert _listed(database, collection, tag_filters=(("Year", ()),)) == [node_id]
    assert _listed(database, collection, tags=("2023",)) == [node_id]
    assert _listed(database, collection, tags=()) == []


def test_one_item_is_asked_for_wherever_it_is(database: Database, collection: Collection) -> None:
    node_id = _put(database, collection, "a/b/c.jpg")
    uuid = database.read(details.media, [node_id])[0].uuid
    assert _listed(database, collection, media=uuid, recursive=False) == [node_id]
    assert _listed(database, collection, media=uuid, kinds=frozenset({Kind.VIDEO})) == []
    assert _listed(database, collection, media=uuid4()) == []


def test_the_newest_of_several_collections_are_merged_by_time(database: Database, collection: Collection) -> None:
    other = database.write(collections.create, "Other")
    third = database.write(collections.create, "Third", imported=True, first_id=1000)
    ids = []
    for n in range(60):
        into = (collection, other, other)[n % 3]
        ids.append(_put(database, into, f"{n}.jpg"))
        if n == 30:
            for m in (5, 3, 9):
                ids.append(database.write(media.add_imported, third, Imported(m, f"x/{m}.jpg", Kind.IMAGE)))
    rows = database.read(details.media, ids)
    expected = [item.id for item in sorted(rows, key=lambda item: (item.created_us, item.id), reverse=True)]
    for offset in range(0, 66, 5):
        page = database.read(listing.newest, [collection, other, third], FILES, offset, 7)
        assert (page.ids, page.total) == (expected[offset : offset + 7], 63)


@pytest.mark.parametrize("size", [2, 200])
def test_who_is_related_is_right_when_asked_again_and_after_a_change(database: Database, size: int) -> None:
    imported = database.write(collections.create, "Old", imported=True, first_id=1000)

    def work(txn: Transaction) -> None:
        add_group(txn, imported, GroupKind.IMPORTED, [], relative_id=size + 1, uri="video/7.mp4")
        for n in range(1, size + 1):
            media.add_imported(txn, imported, Imported(n, f"video/{n}.mp4", Kind.VIDEO, None, size + 1))

    database.write(work)
    for _ in range(3):
        assert database.read(retrieval.related, imported, [1, 2]) == {
            1: [n for n in range(1, size + 1) if n != 1], 2: [n for n in range(1, size + 1) if n != 2],
        }  # fmt: skip
    database.write(media.set_marks, imported.id_base + 2, Marks.GONE, Marks.GONE)
    assert 2 not in database.read(retrieval.related, imported, [1])[1]


def test_related_items_that_are_very_many_are_left_to_be_asked_alone(
    database: Database, collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    imported = database.write(collections.create, "Old", imported=True, first_id=1000)

    def work(txn: Transaction) -> None:
        add_group(txn, imported, GroupKind.IMPORTED, [], relative_id=7, uri="video/7.mp4")
        for n in range(1, 6):
            media.add_imported(txn, imported, Imported(n, f"video/{n}.mp4", Kind.VIDEO, None, 7))

    database.write(work)
    monkeypatch.setattr(browsing, "_MOST_RELATED", 5)
    first, second, third = database.read(browsing.related_of_each, [(imported.slug, [n]) for n in (1, 2, 3)])
    assert first == {1: [2, 3, 4, 5]}
    assert second == {2: [1, 3, 4, 5]}
    assert third is None


def test_an_import_keeps_its_numbers_and_new_ones_come_after(database: Database, collection: Collection) -> None:
    imported = database.write(collections.create, "Old", imported=True, first_id=100)

    def work(txn: Transaction) -> None:
        tagging.add_tagset(txn, imported, imported.id_base + 3, "when", TagType.NUMERICAL_INT)
        tagging.add_tag(txn, imported.id_base + 8, imported.id_base + 3, 2024)
        tagging.add_tag(txn, imported.id_base + 9, imported.id_base + 3, 2025)  # of nothing
        group = add_group(txn, imported, GroupKind.IMPORTED, [], relative_id=7, uri="video/7.mp4")
        tagging.attach_group(txn, imported, group, imported.id_base + 8)
        for n in (42, 43, 44):
            media.add_imported(txn, imported, Imported(n, f"video/{n}.mp4", Kind.VIDEO, None, 7))
        media.add_imported(txn, imported, Imported(45, "odd//x.jpg", Kind.IMAGE, tag_ids=(8,)))

    database.write(work)
    assert imported.id_base == BASE_STEP
    items = database.read(retrieval.base, imported, [45, 42, 7, 999, 42])
    assert [(item.id, item.uri, item.group_id) for item in items] == [
        (45, b"odd//x.jpg", None), (42, b"video/42.mp4", 7), (7, b"video/7.mp4", None), (42, b"video/42.mp4", 7),
    ]  # fmt: skip
    assert database.read(retrieval.related, imported, [42, 45, 999]) == {42: [43, 44], 45: [], 999: []}
    assert database.read(retrieval.members, imported, 7) == [42, 43, 44]
    assert database.read(retrieval.members, imported, 42) == []
    assert database.read(retrieval.excluded, imported, 42, [7, 12])
    assert not database.read(retrieval.excluded, imported, 45, [7, 12])
    with pytest.raises(ItemNotFound):
        database.read(retrieval.excluded, imported, 999, [7])
    assert database.read(retrieval.tag_values, imported, TagType.NUMERICAL_INT, 3) == [(8, 2024), (9, 2025)]
    assert database.read(retrieval.tag_values, imported, TagType.DATE, 3) == []
    assert database.read(retrieval.tagsets, imported)[0].id == 3
    tags = database.read(retrieval.tags, imported, [imported.id_base + 45], [3])
    assert tags == {imported.id_base + 45: {3: [2024]}}
    expression = retrieval.Range(3, 2024, None)
    assert list(database.read(retrieval.passing, imported, expression)) == [42, 43, 44, 45]
    with pytest.raises(IdOutOfRange):
        database.write(media.add_imported, imported, Imported(2**32, "x", Kind.IMAGE))


def test_an_item_is_found_as_it_is_now_although_it_was_kept(database: Database, collection: Collection) -> None:
    other = database.write(collections.create, "Other")
    node_id = _put(database, collection, "a.jpg")

    def names(of: Collection, *ids: int) -> list[str]:
        return [item.name for item in database.read(retrieval.base, of, ids)]

    assert names(collection, node_id, node_id) == ["a.jpg", "a.jpg"]
    assert names(collection, node_id, 999) == ["a.jpg"]
    assert names(other, node_id) == []
    database.write(media.edit, node_id, "b.jpg", None)
    assert names(collection, node_id) == ["b.jpg"]
    later = _put(database, collection, "c.jpg")
    assert names(collection, later, node_id) == ["c.jpg", "b.jpg"]


def test_ids_of_one_collection_say_nothing_in_another(database: Database, collection: Collection) -> None:
    other = database.write(collections.create, "Other")
    node_id = _put(database, other, "a.jpg")
    assert database.read(retrieval.base, collection, [node_id, -1, 2**63 - 1, 0]) == []
    assert [item.id for item in database.read(retrieval.base, other, [node_id])] == [node_id]


def test_a_video_s_frames_are_items_and_its_group_answers_with_all(database: Database, collection: Collection) -> None:
    seen = FileSeen(b"v.mp4", Kind.VIDEO, Marks.NONE, Facts(duration_s=3.0))
    video = database.write(media.upsert_file, collection, seen)[0]
    given = [frames.FrameGiven(float(n), 64, 48, f"caption {n}") for n in range(3)]
    ids = database.write(frames.set_frames, video, given, True)
    assert ids[0] == video
    assert database.write(frames.set_frames, video, given, True) == ids
    group = database.write(add_group, collection, GroupKind.FRAMES, [video])
    assert database.read(retrieval.members, collection, group) == ids
    assert database.read(retrieval.related, collection, [ids[1]]) == {ids[1]: [ids[0], ids[2]]}
    assert [item.frame for item in database.read(retrieval.base, collection, ids)] == [0, 1, 2]
    shown = database.read(details.media, [video])[0]
    assert [frame.id for frame in shown.frames] == ids
    assert shown.frame_object is not None
    whole = database.read(frames.find_object, collection, shown.frame_object)
    assert (whole.media_id, whole.whole) == (video, True)
    assert database.read(retrieval.total, collection) == 1


def test_imported_objects_are_shown_and_clusters_filter(database: Database, collection: Collection) -> None:
    first, second = (_put(database, collection, name) for name in ("a.jpg", "b.jpg"))
    for node_id in (first, second):
        database.write(frames.set_frames, node_id, [frames.FrameGiven(0.0, 64, 48)], False)
    given = frames.ObjectGiven(0, "object", "shoe", "objects", {"bbox": [1, 2, 3, 4]})
    ((object_id, uuid),) = database.write(frames.add_objects, first, [given])
    (shown,) = database.read(details.media, [first])
    assert [(o.uuid, o.label, o.shape) for o in shown.frames[0].objects] == [(uuid, "shoe", {"bbox": [1, 2, 3, 4]})]
    database.write(frames.set_clusters, collection, "objects", [("shoes", object_id, [object_id])])
    (cluster,) = database.read(frames.clusters, collection, "objects")
    assert (cluster.label, cluster.size, cluster.object_uuid) == ("shoes", 1, uuid)
    assert _listed(database, collection, cluster=cluster.uuid, recursive=None) == [first]
    assert _listed(database, collection, cluster=UUID(int=0)) == []
    database.write(frames.set_clusters, collection, "objects", [])
    assert _listed(database, collection, cluster=cluster.uuid) == []
    with pytest.raises(FrameNotFound):
        database.write(frames.add_objects, first, [frames.ObjectGiven(3, "object", "", "objects", {})])


def test_a_new_version_takes_the_place_of_the_old(database: Database, collection: Collection) -> None:
    facts = Facts(size_bytes=1)
    first = database.write(media.add_upload, collection, Upload("a.jpg", Kind.IMAGE, b"1" * 32, facts, ""))
    second = database.write(
        media.add_upload, collection, Upload("b.jpg", Kind.IMAGE, b"2" * 32, facts, "", version_of=first)
    )
    assert _listed(database, collection) == [second]
    assert [item.id for item in database.read(details.versions, first)] == [first, second]
    assert database.read(details.media, [second])[0].total_versions == 2
    database.write(media.select_version, first)
    assert _listed(database, collection) == [first]
    assert database.write(media.delete_version, second, first) == second
    assert _listed(database, collection) == [second]
    with pytest.raises(ItemNotFound):
        database.write(media.delete_version, second, _put(database, collection, "x.jpg"))


def test_the_same_bytes_uploaded_twice_are_two_items(database: Database, collection: Collection) -> None:
    upload = Upload("a.jpg", Kind.IMAGE, b"1" * 32, Facts(), "image/jpeg")
    ids = [database.write(media.add_upload, collection, upload) for _ in range(2)]
    assert len({item.uuid for item in database.read(details.media, ids)}) == 2


def test_a_folder_shows_its_newest_and_counts_at_any_depth(database: Database, collection: Collection) -> None:
    ids = [_put(database, collection, f"a/{'b/' * n}{n}.jpg") for n in range(5)]
    page = database.read(listing.page, ListQuery(collection.id, 10))
    (folder,) = database.read(details.media, page.ids)
    assert (folder.items_below, folder.previews) == (5, tuple(reversed(ids))[:3])


def test_a_folders_previews_are_the_newest_wherever_their_part_of_the_set_ends(
    monkeypatch: pytest.MonkeyPatch, database: Database, collection: Collection
) -> None:
    monkeypatch.setattr(bits, "CHUNK_BITS", 2)
    ids = [_put(database, collection, f"a/{n}.jpg") for n in range(11)]
    database.write(media.set_marks, ids[-2], Marks.TRASHED)
    (folder,) = database.read(details.media, database.read(listing.page, ListQuery(collection.id, 10)).ids)
    assert folder.previews == (ids[10], ids[8], ids[7])


def test_words_find_names_descriptions_captions_and_tags_of_one_collection(
    database: Database, collection: Collection
) -> None:
    node_id = _put(database, collection, "Hero_shot-2.jpg", camera="NIKON D90")
    other = database.write(collections.create, "Other")
    _put(database, other, "hero.jpg")
    database.write(media.edit, node_id, None, {"description": "Ein Käfer"})
    database.write(tagging.add, collection, node_id, "color", "crimson")
    for text in ("hero", "SHOT", "kafer", "nothing crimson", "d90", '"shot" OR NEAR('):
        assert [found for found, _ in database.read(words.found, collection.id, text, 10)] == [node_id], text
    for text in ("unseen", "image", "", "()", "collection1"):
        assert database.read(words.found, collection.id, text, 10) == [], text


def test_a_key_is_known_by_its_digest_until_it_is_revoked(database: Database) -> None:
    digest = key_rules.digest("fw_secret")
    made = database.write(keys.create, uuid4(), "script", digest, ["read", "write"], [1], 10**18)
    assert database.read(keys.by_digest, digest) == made
    assert made.good_at(10**18 - 1)
    assert not made.good_at(10**18)
    database.write(keys.revoke, made.uuid)
    database.write(keys.revoke, made.uuid)
    assert not database.read(keys.by_digest, digest).good_at(0)
    assert [key.name for key in database.read(keys.listed)] == ["script"]
    with pytest.raises(KeyNotFound):
        database.read(keys.by_digest, key_rules.digest("other"))
    with pytest.raises(KeyNotFound):
        database.write(keys.revoke, uuid4())


def test_a_catalogue_from_before_files_were_looked_into_has_all_of_them_to_read(tmp_path: Path) -> None:
    database = Database(tmp_path / "old.db")
    collection = database.write(collections.create, "Mine")
    hashed = _put(database, collection, "a.jpg")
    _put(database, collection, "b.jpg")
    database.write(_hash, collection, hashed, 5)
    database.close()
    raw = sqlite3.connect(tmp_path / "old.db")
    raw.execute("DELETE FROM bits WHERE family IN (8, 9, 10)")
    raw.execute("PRAGMA user_version = 4")
    raw.commit()
    raw.close()
    database = Database(tmp_path / "old.db")
    assert database.read(insides.left, collection) == insides.Left(files=2, undescribed=2, unhashed=1)
    database.close()


def test_the_newest_version_is_the_one_that_a_restore_knows() -> None:
    assert len(migrations.STEPS) == kept.CATALOGUE.schema


def test_a_restore_asks_for_the_tables_of_the_first_version(tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "first.db")) as connection:
        connection.executescript(str(migrations.STEPS[0]))
        made = {name for (name,) in connection.execute("SELECT name FROM pragma_table_list WHERE type <> 'shadow'")}
    assert {name for name in made if not name.startswith("sqlite_")} == kept.CATALOGUE.tables


def test_a_backup_asks_for_uploads_in_words_of_the_first_version(tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "first.db")) as connection:
        connection.executescript(str(migrations.STEPS[0]))
        assert kept.named_uploads(connection) == []


def test_a_database_of_a_newer_program_is_refused(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "new.db")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(RuntimeError, match="version 99"):
        Database(tmp_path / "new.db")


def test_a_copy_taken_while_in_use_answers_the_same(database: Database, collection: Collection, tmp_path: Path) -> None:
    _put(database, collection, "a.jpg")
    name, size_bytes = next(parts := database.kept())
    content = b"".join(part for part in parts if isinstance(part, bytes))
    assert (name, size_bytes) == (kept.CATALOGUE.name, len(content))
    (tmp_path / "copy.db").write_bytes(content)
    copy = Database(tmp_path / "copy.db")
    assert _names(copy, collection) == ["a.jpg"]
    copy.close()


def test_a_folder_on_the_disk_is_listed_while_something_listed_is_in_it(
    database: Database, collection: Collection
) -> None:
    def folders() -> list[str]:
        return sorted(_names(database, collection, kinds=frozenset({Kind.FOLDER})))

    first, second = _put(database, collection, "day/deep/a.jpg"), _put(database, collection, "day/b.jpg")
    _put(database, collection, "bin/c.jpg", Marks.TRASHED)
    assert folders() == ["day", "deep"]
    database.write(media.set_marks, first, Marks.TRASHED)
    assert folders() == ["day"]
    database.write(media.set_marks, second, Marks.TRASHED)
    assert folders() == []
    database.write(media.set_marks, first, Marks.NONE)
    assert folders() == ["day", "deep"]
    assert _put(database, collection, "day/deep/a.jpg") == first
    assert folders() == ["day", "deep"]


def test_what_people_made_in_a_folder_on_the_disk_keeps_it_listed(database: Database, collection: Collection) -> None:
    def folders() -> list[str]:
        return sorted(_names(database, collection, kinds=frozenset({Kind.FOLDER})))

    item = _put(database, collection, "day/a.jpg")
    (day,) = _listed(database, collection, kinds=frozenset({Kind.FOLDER}))
    picks = database.write(collections.create_folder, collection, day, "picks")
    database.write(media.set_marks, item, Marks.TRASHED)
    assert folders() == ["day", "picks"]
    database.write(collections.move, picks, collection.root_folder_id)
    assert folders() == ["picks"]
    paper = Upload("paper.pdf", Kind.DOCUMENT, b"3" * 32, Facts(size_bytes=1), "", day)
    database.write(media.add_upload, collection, paper)
    assert folders() == ["day", "picks"]
