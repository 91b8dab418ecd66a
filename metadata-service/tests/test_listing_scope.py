"""What a listing's filters mean to a search: whatever passes them by its facts is what the listing shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from metadata_service.domain.errors import FolderNotFound
from metadata_service.domain.filters import ListQuery, Scope
from metadata_service.domain.groups import GroupKind
from metadata_service.domain.media import FILES, Collection, Facts, FileSeen, Kind, Marks
from metadata_service.domain.tags import TagType
from metadata_service.store import browsing, collections, details, frames, listing, media, search_facts, tagging
from metadata_service.store.groups import add_group
from metadata_service.store.search_facts import SearchFacts
from metadata_service.store.sqlite import Database

Tree = dict[str, int]
FILE_PATHS = ("a.jpg", "one/b.jpg", "one/c.jpg", "one/deep/d.jpg", "two/e.jpg")


@pytest.fixture
def tree(database: Database, collection: Collection) -> Tree:
    """Files in folders, tagged; the folders' numbers are there by their paths."""
    ids = {}
    for path in FILE_PATHS:
        seen = FileSeen(path.encode(), Kind.IMAGE, Marks.NONE, Facts(size_bytes=1, modified_us=5), inode=1)
        ids[path] = database.write(media.upsert_file, collection, seen)[0]
    for path, label, value in (
        ("a.jpg", "color", "red"),
        ("one/b.jpg", "color", "red"),
        ("one/b.jpg", "season", "spring"),
        ("one/deep/d.jpg", "color", "blue"),
        ("two/e.jpg", "mood", "red"),
    ):
        database.write(tagging.add, collection, ids[path], label, value)
    for path in ("one", "one/deep", "two"):
        ids[path] = database.write(collections.ensure_folder, collection, path.encode())
    return ids


def passes(facts: SearchFacts, scope: Scope) -> bool:
    """As the vector query reads it."""
    return (
        (scope.folder_id is None or scope.folder_id in facts.folder_ids)
        and not set(scope.left_out) & set(facts.folder_ids)
        and all(set(any_of) & set(facts.own_tag_ids) for any_of in scope.tag_ids)
        and (scope.item_ids is None or facts.media_id in scope.item_ids)
    )


def both(database: Database, collection: Collection, tree: Tree, query: dict[str, Any]) -> tuple[list[int], list[int]]:
    """What the listing shows, and what passes the scope of the same query."""
    asked = ListQuery(collection.id, 100, kinds=FILES, descending=False, **query)
    listed = database.read(listing.page, asked).ids
    scope = database.read(listing.scope, asked)
    facts = database.read(search_facts.facts, sorted(tree[path] for path in FILE_PATHS))
    return listed, [one.media_id for one in facts if one.listed and passes(one, scope)]


QUERIES: dict[str, tuple[Callable[[Tree], dict[str, Any]], set[str]]] = {
    "everything": (lambda _: {"recursive": True}, set(FILE_PATHS)),
    "the root alone": (lambda _: {"recursive": False}, {"a.jpg"}),
    "a folder": (
        lambda tree: {"folder_id": tree["one"], "recursive": True},
        {"one/b.jpg", "one/c.jpg", "one/deep/d.jpg"},
    ),
    "one level of it": (lambda tree: {"folder_id": tree["one"], "recursive": False}, {"one/b.jpg", "one/c.jpg"}),
    "a value in any group": (lambda _: {"recursive": True, "tags": ("red",)}, {"a.jpg", "one/b.jpg", "two/e.jpg"}),
    "either of two values": (
        lambda _: {"recursive": True, "tag_filters": (("color", ("red", "blue")),)},
        {"a.jpg", "one/b.jpg", "one/deep/d.jpg"},
    ),
    "all groups": (
        lambda _: {"recursive": True, "tag_filters": (("color", ("red",)), ("season", ("spring",)))},
        {"one/b.jpg"},
    ),
    "a group without values": (lambda _: {"recursive": True, "tag_filters": (("color", ()),)}, set(FILE_PATHS)),
    "an unknown value": (lambda _: {"recursive": True, "tags": ("green",)}, set()),
    "an unknown group": (lambda _: {"recursive": True, "tag_filters": (("none", ("red",)),)}, set()),
    "tag and folder": (
        lambda tree: {"folder_id": tree["one"], "recursive": True, "tags": ("red", "blue")},
        {"one/b.jpg", "one/deep/d.jpg"},
    ),
    "an unknown item": (lambda _: {"media": UUID(int=0)}, set()),
    "an unknown cluster": (lambda _: {"cluster": UUID(int=0)}, set()),
}


@pytest.mark.parametrize("name", QUERIES)
def test_a_scope_means_what_the_listing_shows(
    database: Database, collection: Collection, tree: Tree, name: str
) -> None:
    query, expected = QUERIES[name]
    listed, passing = both(database, collection, tree, query(tree))
    assert set(listed) == {tree[path] for path in expected}
    assert passing == listed


def test_a_tag_of_its_group_is_none_of_the_item(database: Database, collection: Collection, tree: Tree) -> None:
    grouped = [tree["one/b.jpg"], tree["one/c.jpg"]]
    group = database.write(add_group, collection, GroupKind.BURST, grouped)
    tagset, _ = database.write(tagging.tagset, collection, "color", TagType.ALPHANUMERICAL)
    red = database.write(tagging.tag, collection, tagset, "red")
    database.write(tagging.attach_group, collection, group, red)
    listed, passing = both(database, collection, tree, {"recursive": True, "tag_filters": (("color", ("red",)),)})
    assert passing == listed == [tree["a.jpg"], tree["one/b.jpg"]]
    found = database.read(search_facts.facts, grouped)
    assert [(red in one.tag_ids, red in one.own_tag_ids) for one in found] == [(True, True), (True, False)]


def test_an_item_by_its_id_passes_wherever_it_is(database: Database, collection: Collection, tree: Tree) -> None:
    (shown,) = database.read(details.media, [tree["one/deep/d.jpg"]])
    listed, passing = both(database, collection, tree, {"media": shown.uuid, "folder_id": tree["two"]})
    assert passing == listed == [shown.id]


def test_a_cluster_is_its_items(database: Database, collection: Collection, tree: Tree) -> None:
    node_id = tree["one/b.jpg"]
    database.write(frames.set_frames, node_id, [frames.FrameGiven(0.0, 64, 48)], False)
    given = [frames.ObjectGiven(0, "object", label, "objects", {}) for label in ("hat", "shoe", "shoe")]
    ids = [object_id for object_id, _ in database.write(frames.add_objects, node_id, given)]
    database.write(frames.set_clusters, collection, "objects", [("", ids[0], ids)])
    (cluster,) = database.read(frames.clusters, collection, "objects")
    assert (cluster.label, cluster.size) == ("shoe", 3)
    listed, passing = both(database, collection, tree, {"cluster": cluster.uuid})
    assert passing == listed == [node_id]


def test_a_folder_that_is_not_there_is_told(database: Database, collection: Collection) -> None:
    with pytest.raises(FolderNotFound):
        database.read(browsing.scope, "mine", (collection.uuid, UUID(int=1)), ListQuery(0, 1))


def test_what_has_the_words_comes_by_its_score_and_a_name_weighs_more(
    database: Database, collection: Collection, tree: Tree
) -> None:
    # Plain bm25 prefers the shorter text whichever column it is in.
    database.write(media.edit, tree["a.jpg"], None, {"description": "zebra"})
    database.write(media.edit, tree["one/b.jpg"], "zebra on a hill.jpg", {})
    hits = database.read(browsing.with_words, collection.slug, (), ListQuery(0, 1, recursive=True), "zebra", 10)
    assert [node_id for node_id, _ in hits] == [tree["one/b.jpg"], tree["a.jpg"]]
    assert hits[0][1] > hits[1][1] > 0
    best = database.read(browsing.with_words, collection.slug, (), ListQuery(0, 1, recursive=True), "zebra", 1)
    assert best == hits[:1]


def test_words_are_looked_for_among_what_a_listing_shows(
    database: Database, collection: Collection, tree: Tree
) -> None:
    def found(limit: int = 10, **filters: Any) -> set[str]:
        asked = ListQuery(0, 1, **({"recursive": True} | filters))
        hits = database.read(browsing.with_words, collection.slug, (), asked, "jpg red", limit)
        assert all(score > 0 for _, score in hits)
        names = {node_id: path for path, node_id in tree.items()}
        return {names[node_id] for node_id, _ in hits}

    assert found() == set(FILE_PATHS)
    assert found(recursive=False) == {"a.jpg"}
    # What fits best is elsewhere; it takes no place from what passes.
    assert found(1, tag_filters=(("color", ("blue",)),)) == {"one/deep/d.jpg"}
    trashed = FileSeen(b"a.jpg", Kind.IMAGE, Marks.TRASHED, Facts(size_bytes=1, modified_us=5), inode=1)
    database.write(media.upsert_file, collection, trashed)
    assert found() == set(FILE_PATHS) - {"a.jpg"}
