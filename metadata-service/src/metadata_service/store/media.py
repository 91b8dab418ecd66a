"""Media: files in place, uploads and their versions, imports; and the marks they carry."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from enum import Enum
from typing import Any, Final

from metadata_service.domain.errors import IdOutOfRange, ItemNotFound
from metadata_service.domain.ids import POSITIONS, file_uuid, upload_uuid
from metadata_service.domain.imports import place_of
from metadata_service.domain.media import (
    REVIEW_MARKS,
    Collection,
    Facts,
    FileSeen,
    Imported,
    Kind,
    Marks,
    Source,
    Upload,
    name_key,
    shown_name,
)
from metadata_service.domain.tags import STATUS, automatic
from metadata_service.store import bursts
from metadata_service.store.bits import Family
from metadata_service.store.collections import ensure_folder
from metadata_service.store.nodes import insert_node, marked
from metadata_service.store.tagging import (
    attach,
    begin_automatic,
    follow_group,
    rename_folder_tags,
    set_automatic,
    set_one_automatic,
    touched,
)
from metadata_service.store.transaction import Transaction

_FACTS = tuple(Facts.__dataclass_fields__)
_AWAY: Final = Marks.TRASHED | Marks.GONE | Marks.EMPTIED


class Outcome(Enum):
    NEW = "new"
    CHANGED = "changed"
    SAME = "same"


def upsert_file(txn: Transaction, collection: Collection, seen: FileSeen) -> tuple[int, Outcome]:
    """Bring the row of a file in place up to what the disk says; doing it again changes nothing."""
    folder, _, disk_name = seen.relative_path.rpartition(b"/")
    parent_id = ensure_folder(txn, collection, folder)
    row = txn.execute(
        f"SELECT id, marks, inode, kind, {', '.join(_FACTS)} FROM node "  # noqa: S608 - our own names
        "WHERE parent_id = ? AND disk_name = ?",
        parent_id, disk_name,
    ).fetchone()  # fmt: skip
    if row is None or row[3] == Kind.FOLDER:
        return _insert_file(txn, collection, parent_id, disk_name, seen), Outcome.NEW
    node_id, old = int(row[0]), Marks(row[1])
    new = (old & Marks.SUPERSEDED) | seen.marks
    facts = _known(seen.facts, Facts(*row[4:])) if row[2] == seen.inode else seen.facts
    same_facts = tuple(row[4:]) == values_of(facts) and row[2] == seen.inode
    if same_facts and old == new:
        return node_id, Outcome.SAME
    # Neither a lock nor the trash makes or ends a burst, and a long one is costly to look through.
    is_other_shot = not same_facts or bool((old ^ new) & (Marks.GONE | Marks.EMPTIED))
    if is_other_shot:
        bursts.touch(txn, node_id)
    if not same_facts:
        replaced = (row[4], row[5], row[2]) != (facts.size_bytes, facts.modified_us, seen.inode)
        write_facts(txn, node_id, facts, seen.inode, forget_hash=replaced)
        if replaced:
            to_look_into(txn, collection, node_id)
    marked(txn, node_id, new)
    if is_other_shot:
        bursts.touch(txn, node_id)
    set_automatic(txn, collection, node_id, automatic(seen.kind, new, facts), parent_id)
    txn.reworded(node_id)
    return node_id, Outcome.CHANGED


def _known(new: Facts, old: Facts) -> Facts:
    """What is read from inside a file is kept while the file is the same and the news do not say it."""
    if (new.size_bytes, new.modified_us) != (old.size_bytes, old.modified_us):
        return new
    return Facts(*(a if a is not None else b for a, b in zip(values_of(new), values_of(old), strict=True)))


def values_of(facts: Facts) -> tuple[Any, ...]:
    return tuple(getattr(facts, name) for name in _FACTS)


def to_look_into(txn: Transaction, collection: Collection, node_id: int) -> None:
    """The file is new, or another than before: what is inside is not known."""
    for family in (Family.UNDESCRIBED, Family.UNHASHED):
        txn.bits.add(family, collection.id, node_id - collection.id_base)


def write_facts(txn: Transaction, node_id: int, facts: Facts, inode: int, forget_hash: bool) -> None:
    _tell_search(txn, node_id, facts, inode)
    settings = ", ".join(f"{name} = ?" for name in _FACTS)
    txn.execute(
        f"UPDATE node SET {settings}, inode = ?, updated_us = ? WHERE id = ?",  # noqa: S608 - our own names
        *values_of(facts), inode, txn.tick(), node_id,
    )  # fmt: skip
    if forget_hash:
        txn.execute("UPDATE node SET sha256 = NULL WHERE id = ?", node_id)


def _tell_search(txn: Transaction, node_id: int, facts: Facts, inode: int) -> None:
    """Before new facts are written: another file has other pixels; the time and the length are filtered by."""
    row = txn.execute(
        "SELECT collection_id, kind, size_bytes, modified_us, inode, taken_us, duration_s FROM node WHERE id = ?",
        node_id,
    ).fetchone()
    collection = txn.collection(row[0])
    if row[2:5] != (facts.size_bytes, facts.modified_us, inode):
        txn.to_embed(collection, node_id, Kind(row[1]))
    if row[2:] != (facts.size_bytes, facts.modified_us, inode, facts.taken_us, facts.duration_s):
        txn.to_tell(collection, node_id)


def _insert_file(txn: Transaction, collection: Collection, parent_id: int, disk_name: bytes, seen: FileSeen) -> int:
    generation = 0
    uuid = file_uuid(collection.uuid, seen.relative_path)
    while txn.one("SELECT 1 FROM node WHERE uuid = ?", uuid.bytes) is not None:
        generation += 1
        uuid = file_uuid(collection.uuid, seen.relative_path, generation)
    name = shown_name(disk_name)
    columns = {
        "source": Source.IN_PLACE,
        "name": name,
        "name_key": name_key(name),
        "disk_name": disk_name,
        "inode": seen.inode,
        **dict(zip(_FACTS, values_of(seen.facts), strict=True)),
    }
    node_id = txn.next_id(collection)
    insert_node(txn, collection, node_id, uuid, parent_id, seen.kind, seen.marks, columns)
    begin_automatic(txn, collection, node_id, automatic(seen.kind, seen.marks, seen.facts), parent_id)
    txn.reworded(node_id)
    to_look_into(txn, collection, node_id)
    txn.bits.add(Family.FRESH, collection.id, node_id - collection.id_base)
    bursts.touch(txn, node_id)
    return node_id


def find_file(txn: Transaction, collection: Collection, relative_path: bytes) -> int | None:
    """`at_path`, for a writer."""
    return at_path(txn.connection, collection, relative_path)


def at_path(connection: sqlite3.Connection, collection: Collection, relative_path: bytes) -> int | None:
    """The row of a path on the disk, a file's or a folder's, whatever its marks; None: there is none."""
    current = collection.root_folder_id
    for part in filter(None, relative_path.split(b"/")):
        row = connection.execute(
            "SELECT id FROM node WHERE parent_id = ? AND disk_name = ?", (current, part)
        ).fetchone()
        if row is None:
            return None
        current = int(row[0])
    return current


def set_marks(txn: Transaction, node_id: int, marks: Marks, mask: Marks = REVIEW_MARKS) -> bool:
    """Give an item those marks of `mask` that are in `marks`; whether anything changed. The rest stay.

    Raises:
        ItemNotFound: there is no such item.
    """
    row = txn.execute("SELECT collection_id, marks, kind FROM node WHERE id = ?", node_id).fetchone()
    if row is None:
        raise ItemNotFound
    new = (Marks(row[1]) & ~mask) | (marks & mask)
    if not marked(txn, node_id, new):
        return False
    if row[2] != Kind.FOLDER:
        set_one_automatic(txn, txn.collection(row[0]), node_id, STATUS, new.status)
    txn.execute("UPDATE node SET updated_us = ? WHERE id = ?", txn.tick(), node_id)
    return True


def set_facts(txn: Transaction, node_id: int, facts: Facts) -> bool:
    """Note what was read from inside a file that is still of this size and time; whether it is."""
    row = txn.execute(
        f"SELECT collection_id, parent_id, marks, kind, inode, {', '.join(_FACTS)} FROM node WHERE id = ?",  # noqa: S608
        node_id,
    ).fetchone()
    if row is None or (row[5], row[6]) != (facts.size_bytes, facts.modified_us):
        return False
    known = _known(facts, Facts(*row[5:]))
    write_facts(txn, node_id, known, row[4], forget_hash=False)
    collection = txn.collection(row[0])
    set_automatic(txn, collection, node_id, automatic(Kind(row[3]), Marks(row[2]), known), row[1])
    txn.reworded(node_id)
    return True


def add_upload(txn: Transaction, collection: Collection, upload: Upload) -> int:
    """A new item of bytes in the blob store; as a version, it becomes the active one.

    Raises:
        ItemNotFound: there is no item that it could be a version of.
    """
    counter = 0
    uuid = upload_uuid(collection.uuid, upload.sha256, counter)
    while txn.one("SELECT 1 FROM node WHERE uuid = ?", uuid.bytes) is not None:
        counter += 1
        uuid = upload_uuid(collection.uuid, upload.sha256, counter)
    parent_id = collection.root_folder_id if upload.folder_id is None else upload.folder_id
    columns: dict[str, Any] = {
        "source": Source.UPLOAD,
        "name": upload.name,
        "name_key": name_key(upload.name),
        "sha256": upload.sha256,
        "content_type": upload.content_type,
        **dict(zip(_FACTS, values_of(upload.facts), strict=True)),
    }
    if upload.version_of is not None:
        row = txn.execute(
            "SELECT coalesce(version_root_id, id), parent_id FROM node "
            "WHERE id = ? AND collection_id = ? AND kind <> ?",
            upload.version_of, collection.id, Kind.FOLDER,
        ).fetchone()  # fmt: skip
        if row is None:
            raise ItemNotFound
        root_id, parent_id = row
        txn.execute("UPDATE node SET version_root_id = ? WHERE id = ?", root_id, root_id)
        columns["version_root_id"] = root_id
    node_id = txn.next_id(collection)
    insert_node(txn, collection, node_id, uuid, parent_id, upload.kind, Marks.NONE, columns)
    begin_automatic(txn, collection, node_id, automatic(upload.kind, Marks.NONE, upload.facts), parent_id)
    txn.reworded(node_id)
    if upload.version_of is not None:
        select_version(txn, node_id)
    return node_id


def select_version(txn: Transaction, node_id: int) -> None:
    """Make an item the active one of its versions.

    Raises:
        ItemNotFound: there is no such item, or it is not there to be listed: in the trash, gone or emptied. As the
            active one it would hide the others and not be seen itself.
    """
    row = txn.execute("SELECT version_root_id, marks FROM node WHERE id = ?", node_id).fetchone()
    if row is None or Marks(row[1]) & _AWAY:
        raise ItemNotFound
    if row[0] is None:
        return
    for other_id, marks in txn.execute("SELECT id, marks FROM node WHERE version_root_id = ?", row[0]).fetchall():
        old = Marks(marks)
        marked(txn, other_id, old & ~Marks.SUPERSEDED if other_id == node_id else old | Marks.SUPERSEDED)


def delete_version(txn: Transaction, root_id: int, version_id: int) -> int | None:
    """Trash one version; when it was the active one, the highest remaining becomes that. Its number, or None.

    Args:
        root_id: any version of the group.
    Raises:
        ItemNotFound: the two are not versions of one item.
    """
    group = "SELECT coalesce(version_root_id, id) FROM node WHERE id = ?"
    root = txn.one(group, root_id)
    if root is None or txn.one(group, version_id) != root:
        raise ItemNotFound
    was_active = not Marks(txn.one("SELECT marks FROM node WHERE id = ?", version_id)) & Marks.SUPERSEDED
    set_marks(txn, version_id, Marks.TRASHED, Marks.TRASHED)
    if not was_active:
        return None
    rest = txn.execute("SELECT id, marks FROM node WHERE version_root_id = ? ORDER BY id DESC", root).fetchall()
    for other_id, marks in rest:
        if other_id != version_id and not Marks(marks) & _AWAY:
            select_version(txn, other_id)
            return int(other_id)
    return None


def edit(txn: Transaction, node_id: int, name: str | None, metadata: Mapping[str, Any] | None) -> None:
    """A person's name or metadata for an item or folder; `description` and `prompt` in it are what lists sort by."""
    collection = txn.collection(txn.one("SELECT collection_id FROM node WHERE id = ?", node_id))
    if name is not None:
        txn.execute("UPDATE node SET name = ?, name_key = ? WHERE id = ?", name, name_key(name), node_id)
        if txn.one("SELECT 1 FROM folder WHERE id = ?", node_id) is not None:
            rename_folder_tags(txn, collection, node_id)
    if metadata is not None:
        texts = {key: metadata.get(key) for key in ("description", "prompt")}
        txn.execute(
            "UPDATE node SET metadata = ?, description = ?, prompt = ? WHERE id = ?",
            json.dumps(dict(metadata), ensure_ascii=False) if metadata else None,
            *(text if isinstance(text, str) else "" for text in texts.values()),
            node_id,
        )
    txn.reordered(collection, node_id)
    touched(txn, node_id)


def add_imported(txn: Transaction, collection: Collection, item: Imported) -> int:
    """An item of another system under its own number.

    Raises:
        IdOutOfRange: the number is not one that a collection can hold.
    """
    if not 0 < item.relative_id < POSITIONS:
        raise IdOutOfRange(f"The id {item.relative_id} is not between 1 and {POSITIONS - 1}.")
    folder, name = place_of(item)
    parent_id = ensure_folder(txn, collection, folder.encode())
    node_id = collection.id_base + item.relative_id
    group_id = None if item.group_relative_id is None else collection.id_base + item.group_relative_id
    columns = {
        "source": Source.EXTERNAL,
        "name": name,
        "name_key": name_key(name),
        "uri": item.uri,
        "thumbnail_uri": item.thumbnail_uri,
        "group_id": group_id,
    }
    uuid = file_uuid(collection.uuid, b"%d\0%s" % (item.relative_id, (item.uri or "").encode()))
    insert_node(txn, collection, node_id, uuid, parent_id, item.kind, Marks.NONE, columns)
    for tag_id in item.tag_ids:
        attach(txn, collection, node_id, collection.id_base + tag_id)
    if group_id is not None:
        follow_group(txn, collection, node_id, group_id, True)
    txn.reworded(node_id)
    return node_id
