"""Files that moved in a way that changed their inode: a known item whose file is gone, a new one of the same bytes.

The new item gets its first hash after everything that happened with it was brought in. If by then exactly one known
file of these bytes is gone, it is that one that has moved: its item takes the place of the new one, which leaves.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from metadata_service.domain.disk import Content
from metadata_service.domain.media import Collection, Facts, Kind, Marks
from metadata_service.domain.tags import AUTOMATIC, automatic
from metadata_service.store import bursts, collections
from metadata_service.store.bits import Family, load
from metadata_service.store.media import write_facts
from metadata_service.store.nodes import marked
from metadata_service.store.paths import folder_path
from metadata_service.store.snapshot import Snapshot
from metadata_service.store.tagging import attach, detach, set_automatic
from metadata_service.store.transaction import Transaction

_COPIED = ("inode", "sha256", "marks", *Facts.__dataclass_fields__)


@dataclass(frozen=True, slots=True)
class Twin:
    """A new item, and a gone one that it could be."""

    new_id: int
    old_id: int
    old_path: bytes  # absolute


def find(snapshot: Snapshot, collection: Collection, hashed: Iterable[tuple[int, Content]]) -> list[Twin]:
    """Of items with their first hash, those that have one gone twin and no more; of several, the one of their name."""
    connection = snapshot.connection
    fresh = load(connection, Family.FRESH, collection.id)
    found: list[Twin] = []
    for node_id, content in hashed:
        if node_id - collection.id_base not in fresh or not content.size_bytes:
            continue
        rows: list[Any] = connection.execute(
            "SELECT old.id, old.parent_id, old.disk_name, old.disk_name = new.disk_name FROM node AS new "
            "JOIN node AS old ON old.collection_id = new.collection_id AND old.sha256 = ? AND old.source = 1 "
            "AND old.kind = new.kind AND old.marks & 24 = 8 WHERE new.id = ?",
            (content.sha256, node_id),
        ).fetchall()
        alike = [row for row in rows if row[3]] if len(rows) > 1 else rows
        if len(alike) == 1:
            old_id, parent_id, name, _ = alike[0]
            folder = folder_path(connection, parent_id)
            path = b"/".join(part for part in ((collection.root_path or b"").rstrip(b"/"), folder, name) if part)
            found.append(Twin(node_id, old_id, path))
    return found


def follow(txn: Transaction, collection: Collection, twins: Sequence[Twin]) -> int:
    """Give each gone item the place, the file and the marks of its twin; how many."""
    done = sum([_follow(txn, collection, twin) for twin in twins])
    bursts.settle(txn)
    return done


def _follow(txn: Transaction, collection: Collection, twin: Twin) -> bool:
    statement = f"SELECT parent_id, disk_name, {', '.join(_COPIED)} FROM node WHERE id = ?"  # noqa: S608 - our own names
    row = txn.execute(statement, twin.new_id).fetchone()
    old_marks = Marks(txn.one("SELECT marks FROM node WHERE id = ?", twin.old_id))
    if row is None or row[1] is None or old_marks & (Marks.GONE | Marks.EMPTIED) != Marks.GONE:
        return False
    parent_id, disk_name, inode, sha256, marks, *facts = row
    if not Marks(marks).present or _has_parts(txn, twin.new_id):
        return False
    bursts.touch(txn, twin.new_id)
    _leave(txn, collection, twin)
    collections.relocate(txn, twin.old_id, parent_id, disk_name)
    write_facts(txn, twin.old_id, Facts(*facts), inode, forget_hash=False)
    txn.execute("UPDATE node SET sha256 = ? WHERE id = ?", sha256, twin.old_id)
    marked(txn, twin.old_id, Marks(marks) | old_marks & Marks.SUPERSEDED)
    kind = Kind(txn.one("SELECT kind FROM node WHERE id = ?", twin.old_id))
    set_automatic(txn, collection, twin.old_id, automatic(kind, Marks(marks), Facts(*facts)), parent_id)
    txn.reworded(twin.old_id)
    bursts.touch(txn, twin.old_id)
    return True


def _has_parts(txn: Transaction, node_id: int) -> bool:
    """Whether people have bound other things to the item's own number by now: versions, or objects in its frames."""
    return (
        txn.one("SELECT version_root_id FROM node WHERE id = ?", node_id) is not None
        or txn.one(
            "SELECT 1 FROM frame JOIN object ON object.frame_id = frame.id WHERE media_id = ? AND NOT whole LIMIT 1",
            node_id,
        )
        is not None
    )


def _hand_over_words(txn: Transaction, twin: Twin) -> None:
    """What people wrote of the new item is the later word; what they wrote of the old one is kept beside it."""
    statement = "SELECT metadata, description, prompt FROM node WHERE id = ?"
    new, *new_texts = txn.execute(statement, twin.new_id).fetchone()
    if new is None:
        return
    old, *old_texts = txn.execute(statement, twin.old_id).fetchone()
    both = json.dumps({**json.loads(old or "{}"), **json.loads(new)}, ensure_ascii=False)
    texts = [later or earlier for later, earlier in zip(new_texts, old_texts, strict=True)]
    txn.execute("UPDATE node SET metadata = ?, description = ?, prompt = ? WHERE id = ?", both, *texts, twin.old_id)


def _leave(txn: Transaction, collection: Collection, twin: Twin) -> None:
    """The new item hands over what people have put on it meanwhile; its number is never given again."""
    _hand_over_words(txn, twin)
    rows = txn.execute(
        "SELECT tag.id, tagset.name FROM tagging JOIN tag ON tag.id = tagging.tag_id "
        "JOIN tagset ON tagset.id = tag.tagset_id WHERE tagging.item_id = ?",
        twin.new_id,
    ).fetchall()
    for tag_id, name in rows:
        detach(txn, collection, twin.new_id, tag_id)
        if name not in AUTOMATIC:
            attach(txn, collection, twin.old_id, tag_id)
    old, new = twin.old_id - collection.id_base, twin.new_id - collection.id_base
    undescribed = new in txn.bits.load(txn.connection, Family.UNDESCRIBED, collection.id)
    for family in (Family.UNDESCRIBED, Family.UNHASHED, Family.FRESH):
        txn.bits.remove(family, collection.id, new)
        txn.bits.put(family, collection.id, old, family is Family.UNDESCRIBED and undescribed)
    marked(txn, twin.new_id, Marks.EMPTIED)
    txn.execute("UPDATE node SET disk_name = NULL, inode = NULL WHERE id = ?", twin.new_id)
    txn.reworded(twin.new_id)
