"""The Python client's `exquisitor`, `coreviz` and `wickson` over one review path, blocking and awaited."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from both import became, found, listed, told
from framewell_client import BadRequest, Conflict, Dialect, Narrowing, NotFound, Session, Unavailable
from media import many, picture
from rows import Rows
from stack import Stack

PIXEL = "data:image/png;base64,iVBORw0KGgo="


@dataclass(frozen=True)
class Library:
    """Five photos of one review path, in the catalogue."""

    paths: list[Path]
    slug: str
    dataset: str
    item_ids: list[int]
    media_ids: list[str]


@pytest.fixture
async def library(client: Any, root: Path) -> Library:
    paths = [*many(root, 4), root / "day1" / "e.jpg"]
    paths[4].parent.mkdir()
    picture(paths[4])
    faces = [await found(lambda path=path: client.platform.resolve_path(path)) for path in paths]
    collection = faces[0].collection
    return Library(
        paths,
        collection.slug,
        collection.id.replace("-", ""),
        [face.item_id for face in faces],
        [face.media_id for face in faces],
    )


# --- Exquisitor ---
async def test_items_are_shown_tagged_and_grouped(client: Any, library: Library) -> None:
    exq, where, ids = client.exquisitor, Session(library.slug, "abc123", "model_1"), library.item_ids

    items = await told(exq.items(where, [*reversed(ids), 2**62]))
    assert [item.id for item in items] == list(reversed(ids))
    assert items[0].uri == "day1/e.jpg"
    assert b"".join(await listed(client.platform.blob(items[0].original_url))) == library.paths[4].read_bytes()
    one = await told(exq.item(library.slug, ids[0]))
    assert (one.item_id, one.media_type) == (ids[0], 1)
    members = await told(exq.members(where, one.group_id)) if one.group_id else [ids[0]]
    assert await told(exq.related(where, ids[:1])) == {ids[0]: [other for other in members if other != ids[0]]}
    assert await told(exq.is_excluded(where, ids[0], [one.group_id or 0])) == (one.group_id is not None)
    with pytest.raises(NotFound) as caught:
        await told(exq.item(where, 2**62))
    assert caught.value.dialect is Dialect.EXQUISITOR


async def test_members_of_what_is_no_group_are_none(client: Any, library: Library) -> None:
    assert await told(client.exquisitor.members(library.slug, library.item_ids[0])) == []


async def test_tagsets_lead_to_their_values_and_items(client: Any, library: Library) -> None:
    exq, where = client.exquisitor, library.slug

    tagsets = {tagset.name: tagset for tagset in await told(exq.tagsets(where))}
    kind = tagsets["Type"]
    (detailed,) = await told(exq.details(where, library.item_ids[:1], [kind.id]))

    assert [tag.value for tag in await told(exq.tag_values(where, kind))] == ["image"]
    assert detailed.tags == {str(kind.id): ["image"]}
    assert await told(exq.tags(where, library.item_ids[0], [kind.id])) == {"Type": "image"}
    assert library.slug in {one.name for one in await told(exq.collections())}
    assert await told(exq.total_items(where)) >= 0


async def test_sessions_are_noted(client: Any, library: Library) -> None:
    where = Session(library.slug, "s", 7)

    assert await told(client.exquisitor.log_model_added(where)) is None
    assert await told(client.exquisitor.log_events(where, [{"ts": 1, "action": "look"}])) is None
    assert await told(client.exquisitor.log_model_removed(where)) is None
    with pytest.raises(BadRequest):
        await told(client.exquisitor.log_events(where, [{"no": "action"}]))


# --- Wickson ---
async def test_all_files_are_listed_newest_first(client: Any, library: Library) -> None:
    page = await told(client.wickson.media_page(1, 2, media_type="image", collection=library.slug))
    every = await listed(client.wickson.media(collection=library.slug, page_size=2, include_metadata=False))

    assert (page.pagination.total_items, page.pagination.total_pages, page.pagination.has_next) == (5, 3, True)
    assert {item.id.partition("_")[2].replace("-", "") for item in every} == set(library.media_ids)
    assert [item.storage.created_at for item in every] == sorted((i.storage.created_at for i in every), reverse=True)
    assert page.items[0].metadata is not None
    assert every[0].metadata is None
    with pytest.raises(BadRequest, match="positive integer") as caught:
        await told(client.wickson.media_page(0))
    assert caught.value.details == {"parameter": "page", "reason": "Must be a positive integer"}


# --- CoreViz ---
async def test_collections_are_made_and_listed(client: Any, library: Library) -> None:
    core = client.coreviz
    me = await told(core.me())
    (organization,) = await told(core.organizations())

    made = await told(core.create_dataset(organization.id, "Elsewhere", "star"))
    changed = await told(core.change_dataset(made.id, name="There"))

    assert me.organization_id == organization.id
    assert (changed.name, changed.icon) == ("There", "star")
    assert await told(core.dataset(made.id)) == changed
    assert {made.id, library.dataset} <= {one.id for one in await told(core.datasets(organization.id))}
    assert await told(core.tags(made.id)) == {}


async def test_listings_are_narrowed_sorted_and_walked(client: Any, library: Library) -> None:
    core = client.coreviz

    page = await told(core.media_page(library.dataset, 2, sort_by="name", sort_direction="asc"))
    every = await listed(core.media(library.dataset, page_size=2, recursive=True, type="image", sort_by="name"))
    narrowed = await listed(
        core.media(library.dataset, recursive=True, tag_filters={"Type": ["image"]}, tags=["image"], type="image")
    )

    assert (page.pagination.total, page.pagination.has_more) == (5, True)
    assert {media.id for media in every} == {media.id for media in narrowed} == set(library.media_ids)
    assert [media.name for media in every] == sorted((media.name for media in every), reverse=True)
    assert every[0].tags["Type"] == ["image"]
    assert every[0].created_at.utcoffset() is not None
    with pytest.raises(BadRequest) as caught:
        await told(core.media_page(library.dataset, date_from="yesterday"))
    assert (caught.value.code, caught.value.details) == ("INVALID_PARAMETER", {"parameter": "dateFrom"})


async def test_one_item_is_changed_tagged_and_deleted(client: Any, library: Library) -> None:
    core, media_id = client.coreviz, library.media_ids[0]

    changed = await told(core.change_media(media_id, name="B", metadata={"description": "x"}))
    tagged = await told(core.add_tag(media_id, "color", "red"))
    renamed = await told(core.rename_tags(media_id, "color", "colour"))
    cleared = await told(core.remove_tag(media_id, "colour", "red"))
    with pytest.raises(NotFound):
        await told(core.remove_tag(media_id, "colour"))

    assert (changed.name, changed.metadata["description"]) == ("B", "x")
    assert (tagged.tags["color"], renamed.tags["colour"]) == (["red"], ["red"])
    assert "colour" not in cleared.tags
    assert (await told(core.get_media(media_id))).id == media_id
    moved = await told(core.move_media(media_id, library.dataset))
    assert moved.new_path == f"{library.dataset}.{media_id}"
    assert [one.id for one in await told(core.versions(media_id))] == [media_id]
    assert (await told(core.select_version(media_id))).id == media_id
    assert (await told(core.delete_media(media_id))).deleted_count == 1
    await became(lambda: core.get_media(media_id), lambda media: media.status == "trashed")


async def test_the_only_version_is_not_deleted_by_another_items(client: Any, library: Library) -> None:
    with pytest.raises(NotFound):
        await told(client.coreviz.delete_version(library.media_ids[0], "0" * 32))


async def test_folders_are_made_changed_and_kept_by_a_lock(client: Any, library: Library) -> None:
    core = client.coreviz
    made = await told(core.create_folder(library.dataset, "Album"))
    below = await told(core.create_folder(library.dataset, "Below", made.path))
    (on_disk,) = [one for one in await listed(core.media(library.dataset, type="folder")) if one.name == "day1"]

    assert (await told(core.create_folder(library.dataset, "Album", reuse=True))).id == made.id
    assert below.path == f"{made.path}.{below.id}"
    assert (await told(core.change_folder(made.id, name="Renamed"))).name == "Renamed"
    assert (await told(core.folder(made.id))).dataset_id == library.dataset
    await told(client.review.act(library.paths[4], "lock"))
    with pytest.raises(Conflict):
        await told(core.delete_folder(on_disk.id))
    await told(client.review.act(library.paths[4], "unlock"))
    assert (await told(core.delete_folder(on_disk.id))).id == on_disk.id


async def test_detections_are_imported(client: Any, library: Library, stack: Stack) -> None:
    given: Any = {"type": "object", "label": "shoe", "model": "objects", "bbox": [1, 2, 3, 4]}
    rows = Rows(stack)
    rows.frame(library.item_ids[1], width_px=64, height_px=48)
    rows.close()

    (added,) = await told(client.coreviz.add_objects(library.dataset, library.media_ids[1], [given]))

    assert (added.label, added.model) == ("shoe", "objects")
    shown = await told(client.coreviz.get_media(library.media_ids[1]))
    assert added.id in [one.id for frame in shown.frames for one in frame.objects]
    assert await told(client.coreviz.clusters(library.dataset, "objects")) == []


async def test_items_that_pass_a_filter_need_no_vectors(client: Any, library: Library) -> None:
    exq, where = client.exquisitor, library.slug
    everything = await told(exq.search_filter(where, {"root": None}, 3, 1))
    assert (everything.suggestions, everything.total) == (sorted(library.item_ids)[1:4], 5)
    assert (everything.offset, everything.strategy) == (1, "faceted")
    (folders,) = [one for one in await told(exq.tagsets(where)) if one.name == "Folder"]
    (day1,) = [one for one in await told(exq.tag_values(where, folders)) if one.value == "day1"]
    leaf = {"id": folders.id, "tagtype_id": folders.tagtype_id, "constraint": {"value_ids": [day1.id]}}
    inside = await told(exq.search_filter(where, {"root": {"kind": "leaf", "filter": leaf}}))
    assert inside.suggestions == library.item_ids[4:]
    outside = await told(
        exq.search_filter(where, {"root": {"filter": leaf, "not_": True}}, but=Narrowing(seen=library.item_ids[:2]))
    )
    assert sorted(outside.suggestions) == sorted(library.item_ids[2:4])


# --- what needs vectors ---
async def test_what_needs_vectors_says_that_there_are_none(client: Any, library: Library) -> None:
    core, exq, where = client.coreviz, client.exquisitor, library.slug
    (organization,) = await told(core.organizations())
    but = Narrowing(seen=[1], excluded=[2])
    asked: list[tuple[Any, Dialect]] = [
        (lambda: told(exq.search_text(where, "cat", 10, but)), Dialect.EXQUISITOR),
        (lambda: told(exq.search_feedback(where, library.item_ids[:1], [], 10)), Dialect.EXQUISITOR),
        (lambda: told(exq.search_image(where, PIXEL)), Dialect.EXQUISITOR),
        (lambda: told(exq.search_sequence(where, ["a", "b"])), Dialect.EXQUISITOR),
        (lambda: told(core.search(organization.id, "cat")), Dialect.COREVIZ),
        (lambda: listed(core.media(library.dataset, q="red shoes")), Dialect.COREVIZ),
        (lambda: told(core.make_clusters(library.dataset, "objects")), Dialect.COREVIZ),
        (lambda: told(core.embed(text="cat")), Dialect.COREVIZ),
        (lambda: told(core.choose_tags(PIXEL, ["cat", "dog"])), Dialect.COREVIZ),
        (lambda: told(client.wickson.media_page(include_vectors=True)), Dialect.WICKSON),
    ]
    for ask, dialect in asked:
        with pytest.raises(Unavailable, match="semantic search is not available") as caught:
            await ask()
        assert caught.value.code.lower() == "search_unavailable"
        assert caught.value.dialect is dialect
