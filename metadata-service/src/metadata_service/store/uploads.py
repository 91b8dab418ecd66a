"""What is on no disk: uploads with what the workers read from them, the trash of uploads, imports and made folders."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple
from uuid import UUID

from metadata_service.domain.errors import FolderNotFound, HasLocked, ItemIsLocked, ItemNotFound, NotMovable
from metadata_service.domain.media import Collection, Facts, Kind, Marks, Source, Upload
from metadata_service.store import collections, media, outbox
from metadata_service.store.bits import Family
from metadata_service.store.listing import json_ids
from metadata_service.store.nodes import marked
from metadata_service.store.paths import ids_of
from metadata_service.store.snapshot import Snapshot
from metadata_service.store.transaction import Transaction

#: Partial indexes are taken for the very words of their condition.
_UPLOADS: Final = "source = 2 AND kind <> 3"


@dataclass(frozen=True, slots=True)
class Place:
    """Where an upload shall be, as a request names it."""

    collection: str  # slug or id
    path: tuple[UUID, ...] = ()  # folders, the collection's own first; none: the collection's own
    version_of: UUID | None = None  # beside this item, whatever the path


class Purged(NamedTuple):
    """What a purge has done."""

    uploads: int
    size_bytes: int  # that those name
    kept: int  # too young


def added_at(txn: Transaction, place: Place, upload: Upload, job: tuple[str, bytes] | None) -> int:
    """`added`, in a place that is looked up in the same transaction: what is trashed or moved meanwhile takes nothing.

    Raises:
        CollectionNotFound, FolderNotFound, ItemNotFound: there is no such place.
    """
    collection = collections.find(txn.connection, place.collection)
    folder_id = collections.folder_at(txn.connection, collection, place.path) if place.path else None
    source = None
    if place.version_of is not None:
        source = txn.one(
            "SELECT id FROM node WHERE uuid = ? AND marks & ? = 0", place.version_of.bytes, int(Marks.EMPTIED)
        )
        if source is None:
            raise ItemNotFound
    return added(txn, collection, replace(upload, folder_id=folder_id, version_of=source), job)


def added(txn: Transaction, collection: Collection, upload: Upload, job: tuple[str, bytes] | None) -> int:
    """A new upload, and the job of looking into it.

    Args:
        job: subject and payload; None: nothing can be read from such a file.
    """
    node_id = media.add_upload(txn, collection, upload)
    if job is not None:
        outbox.put(txn, *job)
    return node_id


def describe(txn: Transaction, sha256: bytes, facts: Facts) -> int:
    """Note what was read from inside a blob with all uploads of it; how many those are."""
    rows = txn.execute(
        f"SELECT id, size_bytes, modified_us FROM node WHERE sha256 = ? AND {_UPLOADS}",  # noqa: S608 - our own words
        sha256,
    ).fetchall()
    for node_id, size_bytes, modified_us in rows:
        media.set_facts(txn, node_id, replace(facts, size_bytes=size_bytes, modified_us=modified_us))
    return len(rows)


def set_trashed(txn: Transaction, uuids: Iterable[UUID]) -> int:
    """Mark items and folders that are on no disk as trashed; how many files were not so before.

    Raises:
        ItemNotFound: one is not there.
        NotMovable: one is on a disk: its marks are the file service's.
        ItemIsLocked: one is locked; nothing has changed.
    """
    changed = 0
    for uuid in uuids:
        node_id, marks = _elsewhere(txn, uuid)
        if marks & Marks.LOCKED:
            raise ItemIsLocked
        changed += _mark(txn, node_id, True)
    return changed


def untrash(txn: Transaction, uuids: Iterable[UUID]) -> int:
    """Bring items and folders that are on no disk back, so that they are seen; how many files were trashed before.

    An item none of whose versions is left comes with all of them, a folder with what is below it. The folders above
    come too.

    Raises:
        ItemNotFound, NotMovable: as `set_trashed`.
    """
    changed = 0
    for uuid in uuids:
        node_id, _ = _elsewhere(txn, uuid)
        parent_id, kind = txn.execute("SELECT parent_id, kind FROM node WHERE id = ?", node_id).fetchone()
        wanted = _below(txn, node_id) if kind == Kind.FOLDER else _versions_to_untrash(txn, node_id)
        trashed = txn.execute(
            "SELECT node.id FROM json_each(?) AS wanted CROSS JOIN node ON node.id = wanted.value "
            "WHERE marks & ? = ? AND source <> ? AND parent_id IS NOT NULL",
            json_ids([*ids_of(txn.path(parent_id)), node_id, *wanted]),
            int(Marks.TRASHED | Marks.EMPTIED), int(Marks.TRASHED), Source.IN_PLACE,
        ).fetchall()  # fmt: skip
        changed += sum([_mark(txn, found_id, False) for (found_id,) in trashed])
    return changed


def _elsewhere(txn: Transaction, uuid: UUID) -> tuple[int, Marks]:
    """What is on no disk, by its id.

    Raises:
        ItemNotFound, NotMovable
    """
    row = txn.execute(
        "SELECT id, source, marks FROM node WHERE uuid = ? AND parent_id IS NOT NULL", uuid.bytes
    ).fetchone()
    if row is None or Marks(row[2]) & Marks.EMPTIED:
        raise ItemNotFound
    if row[1] == Source.IN_PLACE:
        raise NotMovable
    return row[0], Marks(row[2])


def _below(txn: Transaction, folder_id: int) -> list[int]:
    base = txn.collection(txn.one("SELECT collection_id FROM node WHERE id = ?", folder_id)).id_base
    return [base + position for position in txn.bits.load(txn.connection, Family.BELOW, folder_id)]


def _versions_to_untrash(txn: Transaction, node_id: int) -> list[int]:
    """The item's versions, unless one of them is there."""
    versions = txn.execute(
        "SELECT id, marks FROM node WHERE version_root_id = (SELECT version_root_id FROM node WHERE id = ?)", node_id
    ).fetchall()
    is_seen = any(not Marks(marks) & (Marks.TRASHED | Marks.EMPTIED) for _, marks in versions)
    return [] if is_seen else [version_id for version_id, _ in versions]


def trash_folder(txn: Transaction, uuid: UUID) -> int:
    """Trash a folder that is on no disk with everything below it; how many files were not trashed before.

    Raises:
        FolderNotFound: there is none.
        NotMovable: it, or a folder in it, is on a disk.
        HasLocked: a locked item is below it; nothing has changed.
    """
    row = txn.execute(
        "SELECT id, source, marks FROM node WHERE uuid = ? AND kind = ? AND parent_id IS NOT NULL",
        uuid.bytes, Kind.FOLDER,
    ).fetchone()  # fmt: skip
    if row is None or Marks(row[2]) & Marks.EMPTIED:
        raise FolderNotFound
    below = _below(txn, row[0])
    present = "SELECT source, marks FROM json_each(?) AS wanted CROSS JOIN node ON node.id = wanted.value "
    rows = txn.execute(present + "WHERE marks & ? = 0", json_ids(below), int(Marks.GONE | Marks.EMPTIED)).fetchall()
    if any(Marks(marks) & Marks.LOCKED for _, marks in rows):
        raise HasLocked
    if any(source == Source.IN_PLACE for source in (row[1], *(source for source, _ in rows))):
        raise NotMovable
    return sum([_mark(txn, node_id, True) for node_id in (*below, row[0])])


def _mark(txn: Transaction, node_id: int, trashed: bool) -> bool:
    """Whether it was a file, and changed."""
    kind, marks = txn.execute("SELECT kind, marks FROM node WHERE id = ?", node_id).fetchone()
    if Marks(marks) & Marks.EMPTIED:
        return False
    wanted = Marks.TRASHED if trashed else Marks.NONE
    if kind == Kind.FOLDER:
        marked(txn, node_id, Marks(marks) & ~Marks.TRASHED | wanted)
        return False
    return media.set_marks(txn, node_id, wanted, Marks.TRASHED)


def purge(txn: Transaction, collection: Collection | None, min_age_s: int = 0) -> Purged:
    """Delete the trashed uploads for good, their rows excepted.

    Args:
        min_age_s: those whose last change, which the trashing is at the earliest, is younger are kept.
    """
    rows = txn.execute(
        f"SELECT id, collection_id, marks, size_bytes, updated_us FROM node INDEXED BY node_upload WHERE {_UPLOADS} "  # noqa: S608
        "AND marks & ? = ?",
        int(Marks.TRASHED | Marks.EMPTIED), int(Marks.TRASHED),
    ).fetchall()  # fmt: skip
    trashed = [row for row in rows if collection is None or row[1] == collection.id]
    before_us = txn.tick() - min_age_s * 1_000_000
    chosen = [row for row in trashed if row[4] <= before_us]
    for node_id, _, marks, _, _ in chosen:
        marked(txn, node_id, Marks(marks) | Marks.EMPTIED)
    return Purged(len(chosen), sum(row[3] for row in chosen), len(trashed) - len(chosen))


def referenced(snapshot: Snapshot, blobs: Sequence[bytes]) -> list[bytes]:
    """Which of these blobs an upload has that is not deleted for good."""
    statement = f"SELECT 1 FROM node WHERE sha256 = ? AND {_UPLOADS} AND marks & ? = 0 LIMIT 1"  # noqa: S608
    emptied = int(Marks.EMPTIED)
    return [sha256 for sha256 in blobs if snapshot.connection.execute(statement, (sha256, emptied)).fetchone()]
