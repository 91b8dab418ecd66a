"""Whole answers, each of one moment: what is named is found, and what is found is read, in one snapshot."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final
from uuid import UUID

from metadata_service.domain.errors import CollectionNotFound, FolderNotFound, ItemNotFound
from metadata_service.domain.filters import ListQuery, Scope
from metadata_service.domain.media import Collection, Kind, Media
from metadata_service.domain.tags import Value
from metadata_service.store import collections, details, listing, media, retrieval, tagging, words
from metadata_service.store.snapshot import Snapshot
from metadata_service.store.transaction import Transaction, collection_by

#: Items in answers that go together; groups may be large.
_MOST_RELATED: Final = 20_000


def place(snapshot: Snapshot, name: str, path: tuple[UUID, ...]) -> tuple[Collection, int]:
    """A collection and the folder at a path of ids; no path is its root."""
    collection = collections.resolved(snapshot, name)
    folder_id = collections.folder_by_labels(snapshot, collection, path) if path else collection.root_folder_id
    return collection, folder_id


def page(snapshot: Snapshot, name: str, path: tuple[UUID, ...], query: ListQuery) -> tuple[list[Media], int]:
    """A page of a folder with everything that is printed of it.

    Args:
        query: its collection and folder are filled in here.
    """
    collection, folder_id = place(snapshot, name, path)
    found = listing.page(snapshot, replace(query, collection_id=collection.id, folder_id=folder_id))
    return details.media(snapshot, found.ids), found.total


def scope(snapshot: Snapshot, name: str, path: tuple[UUID, ...], query: ListQuery) -> Scope:
    """What the filters of such a page mean, for a search."""
    collection, folder_id = place(snapshot, name, path)
    return listing.scope(snapshot, replace(query, collection_id=collection.id, folder_id=folder_id))


def with_words(
    snapshot: Snapshot, name: str, path: tuple[UUID, ...], query: ListQuery, text: str, limit: int
) -> list[tuple[int, float]]:
    """What such a page would show, however long, that has any of the words; see `words.found`."""
    collection, folder_id = place(snapshot, name, path)
    asked = replace(query, collection_id=collection.id, folder_id=folder_id)
    shown, base = listing.matching(snapshot.connection, collection, asked), collection.id_base
    return words.found(snapshot, collection.id, text, limit, lambda node_id: node_id - base in shown)


def newest(
    snapshot: Snapshot, names: Sequence[str] | None, kinds: frozenset[Kind], offset: int, limit: int
) -> tuple[list[Media], int]:
    """Files of these collections (None: of all), the newest first; an unknown collection is an empty one."""
    found = listing.newest(snapshot, list(_known(snapshot, names)), kinds, offset, limit)
    return details.media(snapshot, found.ids), found.total


def _known(snapshot: Snapshot, names: Sequence[str] | None) -> list[Collection]:
    if names is None:
        return collections.listed(snapshot)
    known: dict[int, Collection] = {}
    for name in names:
        try:
            collection = collections.resolved(snapshot, name)
        except CollectionNotFound:
            continue
        known[collection.id] = collection
    return list(known.values())


def by_id(snapshot: Snapshot, item_id: int) -> tuple[Collection, Media]:
    """An item by its own number; a further frame's media.

    Raises:
        ItemNotFound: there is none.
    """
    row = snapshot.connection.execute(
        "SELECT uuid FROM node WHERE id = ? UNION ALL "
        "SELECT node.uuid FROM frame JOIN node ON node.id = media_id WHERE frame.id = ?",
        (item_id, item_id),
    ).fetchone()
    if row is None:
        raise ItemNotFound
    return by_uuid(snapshot, UUID(bytes=row[0]))


def by_uuid(snapshot: Snapshot, uuid: UUID) -> tuple[Collection, Media]:
    """An item or folder. Raises ItemNotFound."""
    found = details.one(snapshot, uuid)
    return collections.get(snapshot, found.collection_id), found


def by_path(snapshot: Snapshot, root: bytes, relative_path: bytes) -> tuple[Collection, Media | None]:
    """What is at a path of the disk; nothing but the collection for the root itself.

    Raises:
        CollectionNotFound, ItemNotFound: the catalogue has no such thing.
    """
    collection = collections.of_root(snapshot, root)
    node_id = media.at_path(snapshot.connection, collection, relative_path)
    if node_id == collection.root_folder_id:
        return collection, None
    found = [] if node_id is None else details.media(snapshot, [node_id])
    if not found or not found[0].marks.present:
        raise ItemNotFound
    return collection, found[0]


def items(
    snapshot: Snapshot, name: str, ids: Sequence[int], tagset_ids: Sequence[int]
) -> tuple[list[retrieval.Item], dict[int, dict[int, list[Value]]]]:
    """Items for retrieval, and the values they carry in some tagsets.

    Raises:
        CollectionNotFound: there is no such collection.
    """
    collection = collections.resolved(snapshot, name)
    found = retrieval.base(snapshot, collection, ids)
    return found, _tags(snapshot, collection, [found], tagset_ids)


def related(snapshot: Snapshot, name: str, ids: Sequence[int]) -> dict[int, list[int]]:
    """`retrieval.related` in the collection of that name, in one go.

    Raises:
        CollectionNotFound: there is none.
    """
    return retrieval.related(snapshot, collections.resolved(snapshot, name), ids)


def related_of_each(
    snapshot: Snapshot, wanted: Sequence[tuple[str, Sequence[int]]]
) -> list[dict[int, list[int]] | None]:
    """`related` for each; None where there is no such collection, and when the answers before it are large already."""
    answers: list[dict[int, list[int]] | None] = []
    left = _MOST_RELATED
    for name, ids in wanted:
        answer = None
        if left > 0:
            with suppress(CollectionNotFound):
                answer = related(snapshot, name, ids)
                left -= sum(map(len, answer.values()))
        answers.append(answer)
    return answers


def items_of_each(
    snapshot: Snapshot, wanted: Sequence[tuple[str, Sequence[int], Sequence[int]]]
) -> list[tuple[list[retrieval.Item], dict[int, dict[int, list[Value]]]] | None]:
    """`items` for each; None where there is no such collection. Those about the same things are one question: a
    statement costs as much as some dozens of its rows. The values may be those of others' items as well."""
    alike: dict[tuple[str, tuple[int, ...]], list[int]] = {}
    for at, (name, _, tagset_ids) in enumerate(wanted):
        alike.setdefault((name, tuple(tagset_ids)), []).append(at)
    answers: list[tuple[list[retrieval.Item], dict[int, dict[int, list[Value]]]] | None] = [None] * len(wanted)
    for (name, tagset_ids), places in alike.items():
        try:
            collection = collections.resolved(snapshot, name)
        except CollectionNotFound:
            continue
        found = retrieval.base_of_each(snapshot, collection, [wanted[at][1] for at in places])
        tags = _tags(snapshot, collection, found, tagset_ids)
        for at, items_ in zip(places, found, strict=True):
            answers[at] = items_, tags
    return answers


def _tags(
    snapshot: Snapshot, collection: Collection, found: Iterable[Sequence[retrieval.Item]], tagset_ids: Sequence[int]
) -> dict[int, dict[int, list[Value]]]:
    if not tagset_ids:
        return {}
    media_ids = {item.media_id for items_ in found for item in items_}
    return retrieval.tags(snapshot, collection, sorted(media_ids), tagset_ids)


def changed(txn: Transaction, uuid: UUID, change: Callable[[Collection, int], Any]) -> int:
    """Change an item or folder that is there; its number.

    Raises:
        ItemNotFound: there is none, or it was emptied.
    """
    row = txn.execute(
        "SELECT node.id, collection_id FROM node JOIN collection ON collection.id = collection_id "
        "WHERE node.uuid = ? AND parent_id IS NOT NULL AND marks & 16 = 0 AND complete",
        uuid.bytes,
    ).fetchone()
    if row is None:
        raise ItemNotFound
    change(txn.collection(row[1]), row[0])
    return int(row[0])


def moved(txn: Transaction, uuid: UUID, path: tuple[UUID, ...]) -> int:
    """Move an item or folder to the folder at a path of ids."""

    def change(collection: Collection, node_id: int) -> None:
        target = collection_by(txn.connection, "uuid", path[0].bytes)
        collections.move(txn, node_id, collections.folder_at(txn.connection, target, path))

    if not path:
        raise FolderNotFound

    return changed(txn, uuid, change)


def tagged(txn: Transaction, uuid: UUID, label: str, value: str) -> int:
    return changed(txn, uuid, lambda collection, node_id: tagging.add(txn, collection, node_id, label, value))


def untagged(txn: Transaction, uuid: UUID, label: str, value: str | None) -> int:
    return changed(txn, uuid, lambda collection, node_id: tagging.remove(txn, collection, node_id, label, value))


def relabelled(txn: Transaction, uuid: UUID, old: str, new: str) -> int:
    return changed(txn, uuid, lambda collection, node_id: tagging.relabel(txn, collection, node_id, old, new))


def edited(
    txn: Transaction,
    uuid: UUID,
    name: str | None,
    metadata: dict[str, Any] | None,
    tags: dict[str, list[str]] | None,
) -> int:
    """A person's name, metadata and tags for an item, all or none of them."""

    def change(collection: Collection, node_id: int) -> None:
        media.edit(txn, node_id, name, metadata)
        if tags is not None:
            tagging.replace(txn, collection, node_id, tags)

    return changed(txn, uuid, change)
