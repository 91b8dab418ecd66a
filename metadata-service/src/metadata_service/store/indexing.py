"""What the disk says, brought into the catalogue: found and changed files, moved ones, missing ones."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from pyroaring import BitMap

from metadata_service.domain.disk import Looked
from metadata_service.domain.errors import CollectionNotFound
from metadata_service.domain.media import Collection, FileSeen, Kind, Marks, Source, shown_name
from metadata_service.store import bursts, collections, media
from metadata_service.store.bits import Family
from metadata_service.store.nodes import marked
from metadata_service.store.paths import folder_path
from metadata_service.store.snapshot import Snapshot
from metadata_service.store.transaction import Transaction, collection_by


@dataclass(frozen=True, slots=True)
class MaybeMoved:
    """A path that the catalogue does not know, and an item that could be its file."""

    path: bytes  # absolute, new
    node_id: int
    old_path: bytes  # absolute


def collection_for(txn: Transaction, root: bytes) -> Collection:
    """The collection that stands for a review path, made where there is none."""
    try:
        return collection_by(txn.connection, "root_path", root)
    except CollectionNotFound:
        name = shown_name(root.rstrip(b"/").rpartition(b"/")[2]) or "root"
        return collections.create(txn, name, root_path=root)


def relative(root: bytes, path: bytes) -> bytes:
    return path[len(root.rstrip(b"/")) + 1 :]


def below(root: bytes, path: bytes) -> bool:
    return path.startswith(root.rstrip(b"/") + b"/")


def maybe_moved(snapshot: Snapshot, root: bytes, looked: Iterable[Looked]) -> list[MaybeMoved]:
    """Which of the files found could be items of the root known under another path: same inode, size and time."""
    collection = collection_by(snapshot.connection, "root_path", root)
    found = []
    for one in looked:
        if one.seen is None or media.at_path(snapshot.connection, collection, relative(root, one.path)) is not None:
            continue
        known = _same_file(snapshot.connection, collection, one.seen)
        if known is not None:
            found.append(MaybeMoved(one.path, known[0], root.rstrip(b"/") + b"/" + known[1]))
    return found


def _same_file(connection: sqlite3.Connection, collection: Collection, seen: FileSeen) -> tuple[int, bytes] | None:
    if not seen.inode:
        return None
    rows = connection.execute(
        "SELECT id, parent_id, disk_name FROM node WHERE collection_id = ? AND inode = ? "
        "AND size_bytes = ? AND modified_us = ? AND kind = ?",
        (collection.id, seen.inode, seen.facts.size_bytes, seen.facts.modified_us, seen.kind),
    ).fetchall()
    if len(rows) != 1:  # several links of one file: which of them moved is anybody's guess
        return None
    node_id, parent_id, disk_name = rows[0]
    folder = folder_path(connection, parent_id)
    return node_id, folder + b"/" + disk_name if folder else disk_name


def apply(
    txn: Transaction, root: bytes, looked: Sequence[Looked], moved: Sequence[MaybeMoved], missing: frozenset[bytes]
) -> int:
    """Write what was looked at; how many items changed.

    Args:
        moved: from `maybe_moved`; those whose old path is in `missing` keep their item.
        missing: absolute paths that are not there.
    """
    collection = collection_for(txn, root)
    left: set[int] = set()
    changed = 0
    for move in moved:
        if move.old_path in missing:
            left.add(_follow(txn, collection, move.node_id, relative(root, move.path)))
    for one in looked:
        if one.seen is not None:
            seen = replace(one.seen, relative_path=relative(root, one.path))
            _, outcome = media.upsert_file(txn, collection, seen)
            changed += outcome is not media.Outcome.SAME
        elif one.missing:
            changed += _gone(txn, collection, media.find_file(txn, collection, relative(root, one.path)), left)
    _prune(txn, collection, left)
    bursts.settle(txn)
    return changed


def _follow(txn: Transaction, collection: Collection, node_id: int, path: bytes) -> int:
    """The item is at another path now; the folder it has left."""
    old_parent = int(txn.one("SELECT parent_id FROM node WHERE id = ?", node_id))
    folder, _, name = path.rpartition(b"/")
    parent_id = collections.ensure_folder(txn, collection, folder)
    if txn.one("SELECT id FROM node WHERE parent_id = ? AND disk_name = ?", parent_id, name) is None:
        bursts.touch(txn, node_id)
        collections.relocate(txn, node_id, parent_id, name)
        bursts.touch(txn, node_id)
        txn.reworded(node_id)
    return old_parent


def _gone(txn: Transaction, collection: Collection, node_id: int | None, left: set[int]) -> bool:
    row = txn.execute("SELECT marks, parent_id, kind FROM node WHERE id = ?", node_id).fetchone()
    if row is None or row[2] == Kind.FOLDER or not Marks(row[0]).present:
        return False
    left.add(row[1])
    assert node_id is not None
    bursts.touch(txn, node_id)
    return marked(txn, node_id, Marks(row[0]) | Marks.GONE)


def _prune(txn: Transaction, collection: Collection, folder_ids: set[int]) -> None:
    """Folders of the disk in which nothing is left are gone too, and so upwards."""
    for folder_id in folder_ids:
        current: int | None = folder_id
        while current is not None and current != collection.root_folder_id and _is_empty(txn, collection, current):
            parent_id, source = txn.execute("SELECT parent_id, source FROM node WHERE id = ?", current).fetchone()
            if source != Source.IN_PLACE:
                break
            collections.set_folder_gone(txn, current, True)
            current = parent_id


def _is_empty(txn: Transaction, collection: Collection, folder_id: int) -> bool:
    children = txn.bits.load(txn.connection, Family.CHILDREN, folder_id)
    files = children & txn.bits.load(txn.connection, Family.PRESENT, collection.id)
    if files:
        return False
    folder = "SELECT 1 FROM node WHERE id = ? AND kind = ? AND marks & ? = 0"
    hidden = int(Marks.GONE | Marks.EMPTIED)
    return all(txn.one(folder, collection.id_base + position, Kind.FOLDER, hidden) is None for position in children)


def in_place(snapshot: Snapshot, root: bytes) -> BitMap:
    """The files of a root that the catalogue takes to be there, as positions."""
    connection = snapshot.connection
    collection = collection_by(connection, "root_path", root)
    rows = connection.execute(
        "SELECT id - ? FROM node WHERE collection_id = ? AND inode IS NOT NULL AND marks & ? = 0",
        (collection.id_base, collection.id, int(Marks.GONE | Marks.EMPTIED)),
    )
    return BitMap(row[0] for row in rows)


def paths_of(snapshot: Snapshot, root: bytes, positions: Iterable[int]) -> list[bytes]:
    """The absolute paths of files in place."""
    connection = snapshot.connection
    collection = collection_by(connection, "root_path", root)
    found = []
    for position in positions:
        parent_id, name = connection.execute(
            "SELECT parent_id, disk_name FROM node WHERE id = ?", (collection.id_base + position,)
        ).fetchone()
        found.append(b"/".join(filter(None, (root.rstrip(b"/"), folder_path(connection, parent_id), name))))
    return found


def known_paths(snapshot: Snapshot, root: bytes, paths: Iterable[bytes]) -> BitMap:
    """The positions of those of the paths that the catalogue knows."""
    connection = snapshot.connection
    collection = collection_by(connection, "root_path", root)
    ids = (media.at_path(connection, collection, relative(root, path)) for path in paths)
    return BitMap(node_id - collection.id_base for node_id in ids if node_id is not None)


def hide_root(txn: Transaction, root: bytes) -> None:
    """A path is no review path any more: its files are out of the catalogue until it is one again."""
    collection = collection_by(txn.connection, "root_path", root)
    hidden = int(Marks.GONE | Marks.EMPTIED)
    rows = txn.execute(
        "SELECT id, marks, kind FROM node WHERE collection_id = ? AND source = ? AND marks & ? = 0",
        collection.id, Source.IN_PLACE, hidden,
    ).fetchall()  # fmt: skip
    for node_id, marks, kind in rows:
        if kind == Kind.FOLDER:
            collections.set_folder_gone(txn, node_id, True)
        else:
            bursts.touch(txn, node_id)
            marked(txn, node_id, Marks(marks) | Marks.GONE)
    bursts.settle(txn)
    set_reconciled(txn, root, False)


def set_reconciled(txn: Transaction, root: bytes, done: bool) -> None:
    txn.execute("UPDATE collection SET reconciled_us = ? WHERE root_path = ?", txn.tick() if done else 0, root)


def due(snapshot: Snapshot) -> dict[bytes, bool]:
    """By review path that has a collection: whether it is still to be gone through."""
    rows = snapshot.connection.execute("SELECT root_path, reconciled_us FROM collection WHERE root_path IS NOT NULL")
    return {bytes(root): reconciled == 0 for root, reconciled in rows}
