"""What is inside files in place: which nobody has looked into yet, and what was read, written when it is still true."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from pyroaring import BitMap

from metadata_service.domain.disk import Content, Inside
from metadata_service.domain.media import Collection, Facts, Kind, Marks
from metadata_service.domain.tags import automatic
from metadata_service.store import bursts
from metadata_service.store.bits import Family, load
from metadata_service.store.listing import json_ids
from metadata_service.store.media import write_facts
from metadata_service.store.paths import folder_paths
from metadata_service.store.snapshot import Snapshot
from metadata_service.store.tagging import set_automatic
from metadata_service.store.transaction import Transaction

_FACTS: Final = tuple(Facts.__dataclass_fields__)


@dataclass(frozen=True, slots=True)
class Left:
    """How much of a review path is still to be looked into."""

    files: int  # that are there
    undescribed: int
    unhashed: int


@dataclass(frozen=True, slots=True)
class ToRead:
    """A file that somebody should look into."""

    node_id: int
    path: bytes  # absolute


def left(snapshot: Snapshot, collection: Collection) -> Left:
    connection = snapshot.connection
    present = load(connection, Family.PRESENT, collection.id)
    waiting = (load(connection, family, collection.id) for family in (Family.UNDESCRIBED, Family.UNHASHED))
    return Left(len(present), *(present.intersection_cardinality(one) for one in waiting))


def to_read(snapshot: Snapshot, collection: Collection, family: Family, after: int, limit: int) -> list[ToRead]:
    """The next files of this kind of waiting, by id, behind the one with this id."""
    connection = snapshot.connection
    waiting = load(connection, family, collection.id) & load(connection, Family.PRESENT, collection.id)
    first = waiting.rank(max(0, after - collection.id_base))
    ids = [collection.id_base + position for position in waiting[first : first + limit]]
    rows = connection.execute(
        "SELECT node.id, node.parent_id, node.disk_name FROM json_each(?) AS wanted "
        "CROSS JOIN node ON node.id = wanted.value WHERE node.disk_name IS NOT NULL",
        (json_ids(ids),),
    ).fetchall()
    folders = folder_paths(connection, {row[1] for row in rows})
    above = (collection.root_path or b"").rstrip(b"/")
    return [ToRead(row[0], b"/".join(part for part in (above, folders[row[1]], row[2]) if part)) for row in rows]


def describe(txn: Transaction, collection: Collection, found: Sequence[tuple[int, Inside]]) -> list[int]:
    """Write what was read; the items whose file is another by now, of which nothing was written."""
    stale = []
    for node_id, inside in found:
        row = txn.execute(
            f"SELECT parent_id, marks, kind, inode, {', '.join(_FACTS)} FROM node WHERE id = ?",  # noqa: S608
            node_id,
        ).fetchone()
        if row is None or (row[4], row[5], row[3]) != (inside.facts.size_bytes, inside.facts.modified_us, inside.inode):
            stale.append(node_id)
            continue
        txn.bits.remove(Family.UNDESCRIBED, collection.id, node_id - collection.id_base)
        old = Facts(*row[4:])
        new = _merged(inside.facts, old)
        if new == old:
            continue
        bursts.touch(txn, node_id)
        write_facts(txn, node_id, new, row[3], forget_hash=False)
        tags = automatic(Kind(row[2]), Marks(row[1]), new)
        if tags != automatic(Kind(row[2]), Marks(row[1]), old):
            set_automatic(txn, collection, node_id, tags, row[0])
        if new.camera != old.camera:
            txn.reworded(node_id)
        bursts.touch(txn, node_id)
    bursts.settle(txn)
    return stale


def _merged(new: Facts, old: Facts) -> Facts:
    """A size that was known is kept when the file's second reader died of it; what a camera wrote is as read now."""
    kept = ("width_px", "height_px", "duration_s", "page_count")
    return Facts(
        **{
            name: getattr(old, name) if name in kept and getattr(new, name) is None else getattr(new, name)
            for name in _FACTS
        }
    )


def set_hashes(txn: Transaction, collection: Collection, found: Iterable[tuple[int, Content]]) -> list[int]:
    """Write hashes; the items whose file is another by now, of which nothing was written."""
    stale = []
    for node_id, content in found:
        written = txn.execute(
            "UPDATE node SET sha256 = ? WHERE id = ? AND size_bytes = ? AND modified_us = ? AND inode = ?",
            content.sha256, node_id, content.size_bytes, content.modified_us, content.inode,
        ).rowcount  # fmt: skip
        if not written:
            stale.append(node_id)
            continue
        for family in (Family.UNHASHED, Family.FRESH):
            txn.bits.remove(family, collection.id, node_id - collection.id_base)
    return stale


def give_up(txn: Transaction, collection: Collection, family: Family, node_ids: Iterable[int]) -> None:
    """These cannot be read; they wait no longer, until they change or everything is asked for again."""
    for node_id in node_ids:
        txn.bits.remove(family, collection.id, node_id - collection.id_base)


def again(txn: Transaction, collection: Collection) -> None:
    """Everything of a review path is to be described anew, and hashed where it has no hash."""
    rows = txn.execute(
        "SELECT id - ?, sha256 IS NULL FROM node WHERE collection_id = ? AND inode IS NOT NULL",
        collection.id_base, collection.id,
    ).fetchall()  # fmt: skip
    txn.bits.add_all(Family.UNDESCRIBED, collection.id, BitMap(position for position, _ in rows))
    txn.bits.add_all(Family.UNHASHED, collection.id, BitMap(position for position, unhashed in rows if unhashed))
