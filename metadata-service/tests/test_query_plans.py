"""No statement of the catalogue reads a table row by row, and none sorts: at a million items either would be felt."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from metadata_service.domain.disk import Content, Inside
from metadata_service.domain.filters import ListQuery, Range, Sort
from metadata_service.domain.groups import GroupKind
from metadata_service.domain.media import FILES, Collection, Facts, FileSeen, Imported, Kind, Marks, Upload
from metadata_service.domain.tags import TagType
from metadata_service.store import (
    collections,
    details,
    frames,
    insides,
    listing,
    media,
    nodes,
    passing,
    retrieval,
    search_facts,
    search_jobs,
    tagging,
    twins,
    words,
)
from metadata_service.store.bits import Family
from metadata_service.store.groups import add_group
from metadata_service.store.orders import Limits
from metadata_service.store.snapshot import Snapshot
from metadata_service.store.sqlite import Database
from metadata_service.store.transaction import Transaction

#: Tables of a few rows, and lists that the caller gave.
SMALL = ("wanted", "collection", "access_key", "words")


@pytest.fixture
def database(tmp_path: Any) -> Iterator[Database]:
    database = Database(tmp_path / "catalogue.db", limits=Limits(sorted_by_key=0, patched=100, block=2))
    yield database
    database.close()


def _plans(database: Database, statements: set[str]) -> dict[str, list[str]]:
    def explained(snapshot: Snapshot) -> dict[str, list[str]]:
        # `--` and `main.words_`: what the index of words does inside.
        skipped = ("BEGIN", "COMMIT", "--", "SELECT k, v FROM 'main'.'words_")
        return {
            statement: [row[3] for row in snapshot.connection.execute("EXPLAIN QUERY PLAN " + statement)]
            for statement in statements
            if not statement.startswith(skipped)
        }

    return database.read(explained)


def _faults(database: Database, statements: set[str]) -> list[str]:
    faults = []
    for statement, plan in _plans(database, statements).items():
        for line in plan:
            table = re.match(r"SCAN (\w+)", line)
            scans = table is not None and table[1] not in SMALL
            if scans or "TEMP B-TREE" in line or "AUTOMATIC" in line:
                faults.append(f"{line}: {statement}")
    return faults


def _reads(collection: Collection, node_id: int) -> list[Callable[[Snapshot], object]]:
    queries = []
    for sort in Sort:
        for kinds in (None, frozenset({Kind.IMAGE})):
            for given in (
                {},
                {"recursive": True},
                {"recursive": True, "folder_id": collection.root_folder_id + 1},
                {"tags": ("red", "2")},
                {"tag_filters": (("Year", ("2023",)), ("color", ("red",)))},
                {"created_from_us": 5, "created_before_us": 2**62},
                {"media": uuid4()},
                {"cluster": uuid4()},
            ):
                queries.append(ListQuery(collection.id, 5, sort=sort, kinds=kinds, **given))  # type: ignore[arg-type]
    reads: list[Callable[[Snapshot], object]] = [lambda s, q=q: listing.page(s, q) for q in queries]  # type: ignore[misc]
    return [
        *reads,
        lambda s: details.media(s, [node_id, collection.root_folder_id + 1]),
        lambda s: details.versions(s, node_id),
        lambda s: listing.newest(s, collections.listed(s), FILES, 0, 5),
        lambda s: listing.total(s, collection, FILES),
        lambda s: listing.tag_groups(s, collection),
        lambda s: retrieval.related(s, collection, [node_id, 999_999]),
        lambda s: retrieval.tags(s, collection, [node_id], [1, 2]),
        lambda s: retrieval.passing(s, collection, Range(1, "a", None)),
        lambda s: passing.groups(s, collection, [1, 2]),
        lambda s: retrieval.passing(s, collection, retrieval.Values(1, (1, 2))),
        lambda s: retrieval.tag_values(s, collection, TagType.ALPHANUMERICAL, 1),
        lambda s: retrieval.tagsets(s, collection),
        lambda s: frames.clusters(s, collection, "objects"),
        lambda s: words.found(s, collection.id, "a cat", 10),
        lambda s: insides.left(s, collection),
        lambda s: insides.to_read(s, collection, Family.UNHASHED, 0, 10),
        lambda s: search_facts.facts(s, [node_id, collection.root_folder_id, 999_999]),
        lambda s: search_facts.searchable(s, 0, 10),
        lambda s: search_facts.tags_meant(s, collection, [Range(1, "a", "b"), retrieval.Values(1, (1, 2))]),
        lambda s: search_jobs.are_waiting(s, search_jobs.Lane.EMBED),
        lambda s: search_jobs.unsent(s, search_jobs.Lane.FACTS),
        lambda s: twins.find(s, collection, [(node_id, Content(b"h" * 32, 3, 0, 5))]),
    ]


def test_no_statement_of_a_read_scans_or_sorts(database: Database) -> None:
    collection, node_id = database.write(_filled)
    statements: set[str] = set()
    for read in _reads(collection, node_id):

        def traced(snapshot: Snapshot, read: Callable[[Snapshot], object] = read) -> None:
            snapshot.connection.set_trace_callback(statements.add)
            read(snapshot)
            snapshot.connection.set_trace_callback(None)

        database.read(traced)
        database.write(media.edit, node_id, "again", None)  # so that orders are patched too
    assert len(statements) > 60
    assert _faults(database, statements) == []


def test_no_statement_of_a_write_scans_or_sorts(database: Database) -> None:
    statements: set[str] = set()

    def traced(txn: Transaction) -> None:
        txn.connection.set_trace_callback(statements.add)
        collection, node_id = _filled(txn)
        media.upsert_file(txn, collection, FileSeen(b"x/y.jpg", Kind.IMAGE, Marks.SEEN, Facts(size_bytes=3)))
        collections.relocate(txn, node_id, collections.ensure_folder(txn, collection, b"z"))
        _looked_into(txn, collection)
        frames.set_embedded(txn, [node_id], True)
        txn.finish()
        _told(txn)
        txn.finish()

    database.write(traced)
    database.write(lambda txn: txn.connection.set_trace_callback(None))
    assert len(statements) > 60
    assert _faults(database, statements) == []


def _told(txn: Transaction) -> None:
    for lane in search_jobs.Lane:
        assert search_jobs.next_batch(txn, lane, 2)
        txn.finish()
        assert search_jobs.next_batch(txn, lane, 2, sent=True)
    txn.finish()
    search_jobs.forget(txn)


def _looked_into(txn: Transaction, collection: Collection) -> None:
    """Two shots of a burst, hashed; one of them is gone then, and found again by its content."""
    ids = [
        media.upsert_file(txn, collection, FileSeen(name, Kind.IMAGE, Marks.NONE, Facts(size_bytes=3), inode))[0]
        for inode, name in enumerate((b"b/1.jpg", b"b/2.jpg", b"c/2.jpg"), 70)
    ]
    shot = Facts(size_bytes=3, camera="X", taken_us=1)
    insides.describe(txn, collection, [(node_id, Inside(shot, 70 + n)) for n, node_id in enumerate(ids)])
    insides.set_hashes(txn, collection, [(node_id, Content(b"h" * 32, 3, 0, 70 + n)) for n, node_id in enumerate(ids)])
    nodes.marked(txn, ids[1], Marks.GONE)
    assert twins.follow(txn, collection, [twins.Twin(ids[2], ids[1], b"")]) == 1
    insides.again(txn, collection)


def _filled(txn: Transaction) -> tuple[Collection, int]:
    collection = collections.create(txn, "Mine")
    seen = FileSeen(b"x/y.jpg", Kind.IMAGE, Marks.NONE, Facts(camera="X", taken_us=1), 5)
    node_id, _ = media.upsert_file(txn, collection, seen)
    media.edit(txn, node_id, "name", {"description": "a cat", "prompt": "draw"})
    tagging.add(txn, collection, node_id, "color", "red")
    tagging.replace(txn, collection, node_id, {"color": ["blue"], "season": ["spring"]})
    tagging.relabel(txn, collection, node_id, "color", "colour")
    tagging.remove(txn, collection, node_id, "colour", None)
    group_id = add_group(txn, collection, GroupKind.BURST, [node_id])
    tagging.attach_group(txn, collection, group_id, tagging.tag(txn, collection, 1, "x"))
    frames.set_frames(txn, node_id, [frames.FrameGiven(0.0, 1, 1, "caption")], True)
    ((object_id, _),) = frames.add_objects(txn, node_id, [frames.ObjectGiven(0, "object", "cat", "objects", {})])
    frames.set_clusters(txn, collection, "objects", [("cats", object_id, [object_id])])
    frames.set_clusters(txn, collection, "objects", [("cats", object_id, [object_id])])
    facts = Facts(size_bytes=1)
    first = media.add_upload(txn, collection, Upload("a.jpg", Kind.IMAGE, b"1" * 32, facts, ""))
    second = media.add_upload(txn, collection, Upload("b.jpg", Kind.IMAGE, b"2" * 32, facts, "", version_of=first))
    media.delete_version(txn, first, second)
    media.set_marks(txn, first, Marks.TRASHED)
    folder = collections.create_folder(txn, collection, collection.root_folder_id, "new")
    collections.create_folder(txn, collection, collection.root_folder_id, "new", reuse=True)
    collections.move(txn, folder, collections.create_folder(txn, collection, collection.root_folder_id, "other"))
    imported = collections.create(txn, "Old", imported=True, first_id=50)
    media.add_imported(txn, imported, Imported(7, "a/b.jpg", Kind.IMAGE))
    return collection, node_id
