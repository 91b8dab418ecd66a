"""Collections and the folders in them."""

from __future__ import annotations

import re
import sqlite3
from typing import Final
from uuid import UUID

from metadata_service.domain.errors import (
    BadMove,
    CollectionExists,
    CollectionNotFound,
    FolderNotFound,
    NotMovable,
)
from metadata_service.domain.ids import BASE_STEP, collection_uuid, folder_uuid
from metadata_service.domain.media import Collection, Kind, Marks, Source, name_key, shown_name
from metadata_service.store.bits import Family
from metadata_service.store.nodes import insert_node
from metadata_service.store.paths import after, ids_of, packed
from metadata_service.store.snapshot import Snapshot
from metadata_service.store.tagging import follow_folder, rename_folder_tags
from metadata_service.store.transaction import (
    Transaction,
    all_collections,
    collection_by,
    collection_of,
)

_NOT_IN_A_SLUG: Final = re.compile(r"[^a-z0-9]+")


def create(
    txn: Transaction,
    name: str,
    *,
    icon: str = "",
    slug: str | None = None,
    root_path: bytes | None = None,
    imported: bool = False,
    first_id: int = 1,
    originals_url: str = "",
    thumbnails_url: str = "",
) -> Collection:
    """A new collection with its root folder.

    Args:
        slug: the name in the retrieval and list dialects; made of `name` when not given, told apart by a number.
        imported: its items keep their own numbers, which are below `first_id`.
    Raises:
        CollectionExists: the slug or the review path is taken.
    """
    slug = _free_slug(txn, name) if slug is None else slug
    taken = "SELECT 1 FROM collection WHERE slug = ? OR root_path = ?"
    if txn.one(taken, slug, root_path) is not None:
        raise CollectionExists
    base = txn.next_of("base") * BASE_STEP if imported else 0
    uuid, now = collection_uuid(slug), txn.tick()
    collection_id = txn.execute(
        "INSERT INTO collection (uuid, slug, name, icon, id_base, root_folder_id, root_path, originals_url, "
        "thumbnails_url, created_us) VALUES (?, ?, ?, ?, ?, 0, ?, ?, ?, ?)",
        uuid.bytes, slug, name, icon, base, root_path, originals_url, thumbnails_url, now,
    ).lastrowid  # fmt: skip
    assert collection_id is not None
    collection = txn.collection(collection_id)
    if imported:
        txn.reserve(collection, first_id - 1)
    root_id = txn.next_id(collection)
    txn.execute(
        "INSERT INTO node (id, uuid, collection_id, kind, source, listed, name, name_key, created_us, updated_us) "
        "VALUES (?, ?, ?, ?, ?, 0, ?, ?, ?, ?)",
        root_id, uuid.bytes, collection_id, Kind.FOLDER, Source.UPLOAD, name, name_key(name), now, now,
    )  # fmt: skip
    txn.execute(
        "INSERT INTO folder (id, collection_id, path) VALUES (?, ?, ?)", root_id, collection_id, packed(root_id)
    )
    txn.execute("UPDATE collection SET root_folder_id = ? WHERE id = ?", root_id, collection_id)
    txn.forget_collection(collection_id)
    return txn.collection(collection_id)


def _free_slug(txn: Transaction, name: str) -> str:
    stem = _NOT_IN_A_SLUG.sub("-", name_key(name)).strip("-")[:80] or "collection"
    slug, number = stem, 1
    while txn.one("SELECT 1 FROM collection WHERE slug = ?", slug) is not None:
        number += 1
        slug = f"{stem}-{number}"
    return slug


def rename(txn: Transaction, collection_id: int, name: str | None, icon: str | None) -> Collection:
    """The slug stays: it is an address."""
    txn.collection(collection_id)
    txn.execute(
        "UPDATE collection SET name = coalesce(?, name), icon = coalesce(?, icon) WHERE id = ?",
        name, icon, collection_id,
    )  # fmt: skip
    txn.forget_collection(collection_id)
    return txn.collection(collection_id)


def resolved(snapshot: Snapshot, name: str) -> Collection:
    """The collection with this slug, or this id in any form.

    Raises:
        CollectionNotFound: there is none.
    """
    return find(snapshot.connection, name)


def find(connection: sqlite3.Connection, name: str) -> Collection:
    try:
        return collection_by(connection, "slug", name)
    except CollectionNotFound:
        compact = name.replace("-", "").lower()
        if len(compact) != 32 or any(c not in "0123456789abcdef" for c in compact):
            raise
        return collection_by(connection, "uuid", UUID(hex=compact).bytes)


def of_root(snapshot: Snapshot, root_path: bytes) -> Collection:
    """The collection that stands for a review path."""
    return collection_by(snapshot.connection, "root_path", root_path)


def listed(snapshot: Snapshot) -> list[Collection]:
    return all_collections(snapshot.connection)


def get(snapshot: Snapshot, collection_id: int) -> Collection:
    return collection_of(snapshot.connection, collection_id)


def folder_by_labels(snapshot: Snapshot, collection: Collection, labels: tuple[UUID, ...]) -> int:
    """`folder_at`, for a reader."""
    return folder_at(snapshot.connection, collection, labels)


def folder_at(connection: sqlite3.Connection, collection: Collection, labels: tuple[UUID, ...]) -> int:
    """The folder that a path of ids names, the collection's own first; each must be the parent of the next.

    Raises:
        FolderNotFound: there is none at this path, or it is no longer listed.
    """
    if not labels or labels[0] != collection.uuid:
        raise FolderNotFound
    current = collection.root_folder_id
    for label in labels[1:]:
        row = connection.execute(
            "SELECT id FROM node WHERE uuid = ? AND parent_id = ? AND kind = ? AND listed",
            (label.bytes, current, Kind.FOLDER),
        ).fetchone()
        if row is None:
            raise FolderNotFound
        current = row[0]
    return current


def ensure_folder(txn: Transaction, collection: Collection, relative_path: bytes) -> int:
    """The folder of a path on the disk below the collection's root, made with those above it where missing."""
    key = ("folder", collection.id, relative_path)
    if key in txn.known:
        return txn.known[key]
    parent_id, done = collection.root_folder_id, b""
    for part in filter(None, relative_path.split(b"/")):
        done = done + b"/" + part if done else part
        row = txn.execute(
            "SELECT id, marks FROM node WHERE parent_id = ? AND disk_name = ?", parent_id, part
        ).fetchone()
        if row is None:
            parent_id = _add_folder(txn, collection, parent_id, shown_name(part), part, done)
        else:
            marks = Marks(row[1])
            if marks & ~Marks.TRASHED:
                _set_folder_marks(txn, collection, row[0], parent_id, marks, marks & Marks.TRASHED)
            parent_id = row[0]
    txn.known[key] = parent_id
    return parent_id


def create_folder(txn: Transaction, collection: Collection, parent_id: int, name: str, reuse: bool = False) -> int:
    """A folder that is on no disk. Names need not be unique; `reuse` takes the oldest of the name instead."""
    if reuse:
        found = txn.one(
            "SELECT id FROM node WHERE parent_id = ? AND name = ? AND kind = 3 AND listed ORDER BY id LIMIT 1",
            parent_id, name,
        )  # fmt: skip
        if found is not None:
            return int(found)
    return _add_folder(txn, collection, parent_id, name, None, b"")


def _add_folder(
    txn: Transaction, collection: Collection, parent_id: int, name: str, disk_name: bytes | None, path: bytes
) -> int:
    folder_id = txn.next_id(collection)
    uuid = folder_uuid(collection.uuid, path if disk_name is not None else b"\0%d" % folder_id)
    generation = 0
    while txn.one("SELECT 1 FROM node WHERE uuid = ?", uuid.bytes) is not None:
        generation += 1
        uuid = folder_uuid(collection.uuid, path, generation)
    txn.execute(
        "INSERT INTO folder (id, collection_id, path) VALUES (?, ?, ?)",
        folder_id, collection.id, txn.path(parent_id) + packed(folder_id),
    )  # fmt: skip
    source = Source.UPLOAD if disk_name is None else Source.IN_PLACE
    columns = {"name": name, "name_key": name_key(name), "disk_name": disk_name, "source": source}
    # A folder on a disk is listed when something listed is in it: `Transaction.finish`.
    marks = Marks.NONE if disk_name is None else Marks.TRASHED
    insert_node(txn, collection, folder_id, uuid, parent_id, Kind.FOLDER, marks, columns)
    return folder_id


def _set_folder_marks(
    txn: Transaction, collection: Collection, folder_id: int, parent_id: int, old: Marks, new: Marks
) -> None:
    txn.known.clear()
    txn.execute("UPDATE node SET marks = ?, listed = ? WHERE id = ?", new, new.listed, folder_id)
    txn.relist(collection, folder_id, Kind.FOLDER, parent_id, old, new)


def set_folder_gone(txn: Transaction, folder_id: int, gone: bool) -> None:
    """A folder on a disk is not there any more, or again; what is in it is told one by one."""
    row = txn.execute("SELECT collection_id, parent_id, marks FROM node WHERE id = ?", folder_id).fetchone()
    if row is not None and row[1] is not None:
        old = Marks(row[2])
        new = old | Marks.GONE if gone else old & ~Marks.GONE
        _set_folder_marks(txn, txn.collection(row[0]), folder_id, row[1], old, new)


def move(txn: Transaction, node_id: int, parent_id: int) -> None:
    """Give a folder or an item another folder. What is in a folder moves with it untouched: only folders know paths.

    Raises:
        FolderNotFound: the destination is no folder.
        BadMove: into itself, below itself, or into another collection.
        NotMovable: a file in place; `relocate` follows the disk.
    """
    source = txn.one("SELECT source FROM node WHERE id = ?", node_id)
    if source == Source.IN_PLACE:
        raise NotMovable
    relocate(txn, node_id, parent_id)


def relocate(txn: Transaction, node_id: int, parent_id: int, disk_name: bytes | None = None) -> None:
    """`move`, for the indexer: where a file or folder is on the disk now."""
    row = txn.execute("SELECT collection_id, parent_id, kind, marks FROM node WHERE id = ?", node_id).fetchone()
    target = txn.one("SELECT collection_id FROM folder WHERE id = ?", parent_id)
    if row is None or target is None:
        raise FolderNotFound
    collection, old_parent, kind, marks = txn.collection(row[0]), row[1], Kind(row[2]), Marks(row[3])
    if target != collection.id or old_parent is None:
        raise BadMove("An item cannot be moved into another collection, and a collection's root not at all.")
    if node_id in ids_of(txn.path(parent_id)):
        raise BadMove("A folder cannot be moved into itself.")
    if disk_name is not None:
        name = shown_name(disk_name)
        txn.execute(
            "UPDATE node SET disk_name = ?, name = ?, name_key = ? WHERE id = ?",
            disk_name, name, name_key(name), node_id,
        )  # fmt: skip
        txn.reordered(collection, node_id)
    if old_parent != parent_id:
        _reparent(txn, collection, node_id, kind, marks, (old_parent, parent_id))
        if kind is not Kind.FOLDER:
            follow_folder(txn, collection, node_id, old_parent, parent_id)
    if kind is Kind.FOLDER:
        rename_folder_tags(txn, collection, node_id)


def _reparent(
    txn: Transaction, collection: Collection, node_id: int, kind: Kind, marks: Marks, parents: tuple[int, int]
) -> None:
    old_parent, new_parent = parents
    moved = txn.bits.load(txn.connection, Family.BELOW, node_id) if kind is Kind.FOLDER else None
    counted = txn.below(node_id) if kind is Kind.FOLDER else 0
    if kind in (Kind.IMAGE, Kind.VIDEO) and marks.listed:
        counted = 1
    old_above, new_above = ids_of(txn.path(old_parent)), ids_of(txn.path(new_parent))
    txn.place(collection, node_id, old_parent, False)
    txn.place(collection, node_id, new_parent, True)
    if moved is not None:
        for folder_id in set(old_above) - set(new_above):
            txn.bits.remove_all(Family.BELOW, folder_id, moved)
        for folder_id in set(new_above) - set(old_above):
            txn.bits.add_all(Family.BELOW, folder_id, moved)
        path, prefix = txn.path(node_id), txn.path(new_parent) + packed(node_id)
        below = txn.execute("SELECT id, path FROM folder WHERE path >= ? AND path < ?", path, after(path)).fetchall()
        moves = [(prefix + old[len(path) :], folder_id) for folder_id, old in below]
        txn.connection.executemany("UPDATE folder SET path = ? WHERE id = ?", moves)
        txn.forget_paths()
        present = txn.bits.load(txn.connection, Family.PRESENT, collection.id)
        txn.bits.add_all(Family.TO_TELL, collection.id, moved & present)
    else:
        txn.to_tell(collection, node_id)
    txn.count_above(old_above, -counted)
    txn.count_above(new_above, counted)
    txn.execute("UPDATE node SET parent_id = ?, updated_us = ? WHERE id = ?", new_parent, txn.tick(), node_id)
