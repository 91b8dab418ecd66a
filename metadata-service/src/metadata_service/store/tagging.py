"""Tagsets, tags, and which items and groups carry them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pyroaring import BitMap

from metadata_service.domain.errors import TagExists, TagInvalid, TagNotFound
from metadata_service.domain.media import Collection
from metadata_service.domain.tags import AUTOMATIC, FOLDER, TagType, Value, parsed
from metadata_service.store.bits import Family
from metadata_service.store.paths import after, folder_path
from metadata_service.store.transaction import Transaction


def tagset(txn: Transaction, collection: Collection, name: str, tagtype: TagType) -> tuple[int, TagType]:
    """The tagset of this name and its type; made with `tagtype` where there is none."""
    row = txn.execute(
        "SELECT id, tagtype FROM tagset WHERE collection_id = ? AND name = ?", collection.id, name
    ).fetchone()
    if row is not None:
        return row[0], TagType(row[1])
    tagset_id = _next(txn, collection, "tagset")
    add_tagset(txn, collection, tagset_id, name, tagtype)
    return tagset_id, tagtype


def add_tagset(txn: Transaction, collection: Collection, tagset_id: int, name: str, tagtype: TagType) -> None:
    """A tagset with a number of its own."""
    txn.execute("INSERT INTO tagset VALUES (?, ?, ?, ?)", tagset_id, collection.id, name, tagtype)


def add_tag(txn: Transaction, tag_id: int, tagset_id: int, value: Value) -> None:
    """A tag with a number of its own."""
    txn.execute("INSERT INTO tag (id, tagset_id, value) VALUES (?, ?, ?)", tag_id, tagset_id, value)


def tag(txn: Transaction, collection: Collection, tagset_id: int, value: Value) -> int:
    """The tag of this value, made where there is none."""
    key = ("tag", tagset_id, value)
    tag_id = txn.known.get(key)
    if tag_id is None:
        tag_id = txn.one("SELECT id FROM tag WHERE tagset_id = ? AND value = ? ORDER BY id LIMIT 1", tagset_id, value)
        if tag_id is None:
            tag_id = _next(txn, collection, "tag")
            add_tag(txn, tag_id, tagset_id, value)
        txn.known[key] = tag_id
    return tag_id


def _automatic_tag(txn: Transaction, collection: Collection, name: str, value: Value) -> int:
    key = ("automatic", collection.id, name, value)
    tag_id = txn.known.get(key)
    if tag_id is None:
        tagset_id, _ = tagset(txn, collection, name, AUTOMATIC[name])
        tag_id = txn.known[key] = tag(txn, collection, tagset_id, value)
    return tag_id


def _next(txn: Transaction, collection: Collection, sequence: str) -> int:
    """A new number for a tagset or tag; in an imported collection, above its own."""
    if collection.id_base == 0:
        return txn.next_of(sequence)
    name = f"{sequence}:{collection.id}"
    if txn.next_of(name, 0) == 0:
        last = txn.one(
            f"SELECT max(id) FROM {sequence} WHERE id > ? AND id < ?",  # noqa: S608 - one of two names of our own
            collection.id_base, collection.id_base + 2**40,
        )  # fmt: skip
        txn.next_of(name, 0 if last is None else last - collection.id_base)
    return collection.id_base + txn.next_of(name)


def attach(txn: Transaction, collection: Collection, item_id: int, tag_id: int) -> bool:
    """Put a tag on an item; whether it was not there."""
    done = txn.execute("INSERT OR IGNORE INTO tagging VALUES (?, ?)", item_id, tag_id).rowcount > 0
    if done:
        txn.used(tag_id, 1)
        txn.bits.add(Family.TAGGED, tag_id, item_id - collection.id_base)
        txn.to_tell(collection, item_id)
    return done


def detach(txn: Transaction, collection: Collection, item_id: int, tag_id: int) -> bool:
    done = txn.execute("DELETE FROM tagging WHERE item_id = ? AND tag_id = ?", item_id, tag_id).rowcount > 0
    if done:
        txn.used(tag_id, -1)
        txn.bits.remove(Family.TAGGED, tag_id, item_id - collection.id_base)
        txn.to_tell(collection, item_id)
    return done


def attach_group(txn: Transaction, collection: Collection, group_id: int, tag_id: int) -> None:
    """Put a tag on a group: its members count as carrying it in retrieval filters."""
    if txn.execute("INSERT OR IGNORE INTO tagging VALUES (?, ?)", group_id, tag_id).rowcount > 0:
        txn.used(tag_id, 1)
        members = txn.execute("SELECT id FROM node WHERE group_id = ?", group_id)
        positions = BitMap(row[0] - collection.id_base for row in members)
        txn.bits.add_all(Family.GROUP_TAGGED, tag_id, positions)
        txn.bits.add_all(Family.TO_TELL, collection.id, positions)


def follow_group(txn: Transaction, collection: Collection, item_id: int, group_id: int | None, member: bool) -> None:
    """The item has come into the group or left it."""
    for (tag_id,) in txn.execute("SELECT tag_id FROM tagging WHERE item_id = ?", group_id).fetchall():
        txn.bits.put(Family.GROUP_TAGGED, tag_id, item_id - collection.id_base, member)


def begin_automatic(
    txn: Transaction, collection: Collection, item_id: int, wanted: Mapping[str, Value], folder_id: int
) -> None:
    """`set_automatic` of an item that has no tags yet."""
    if collection.imported:
        return
    tag_ids = [_automatic_tag(txn, collection, name, value) for name, value in wanted.items()]
    tag_ids.append(folder_tag(txn, collection, folder_id))
    txn.connection.executemany("INSERT INTO tagging VALUES (?, ?)", [(item_id, tag_id) for tag_id in tag_ids])
    position = item_id - collection.id_base
    for tag_id in tag_ids:
        txn.used(tag_id, 1)
        txn.bits.add(Family.TAGGED, tag_id, position)


def set_automatic(
    txn: Transaction, collection: Collection, item_id: int, wanted: Mapping[str, Value], folder_id: int
) -> None:
    """Make the automatic tags of an item these, and the tag of its folder; an imported collection has none."""
    if collection.imported:
        return
    tag_ids = {_automatic_tag(txn, collection, name, value) for name, value in wanted.items()}
    tag_ids.add(folder_tag(txn, collection, folder_id))
    current = {
        row[0]
        for row in txn.execute(
            "SELECT tag.id, tagset.name FROM tagging JOIN tag ON tag.id = tagging.tag_id "
            "JOIN tagset ON tagset.id = tag.tagset_id WHERE tagging.item_id = ?",
            item_id,
        )
        if row[1] in AUTOMATIC
    }
    for tag_id in current - tag_ids:
        detach(txn, collection, item_id, tag_id)
    for tag_id in tag_ids - current:
        attach(txn, collection, item_id, tag_id)


def set_one_automatic(txn: Transaction, collection: Collection, item_id: int, name: str, value: Value) -> None:
    """Make the automatic tag of one set this one, as `Status` after a deed; an imported collection has none."""
    if collection.imported:
        return
    tagset_id, _ = tagset(txn, collection, name, AUTOMATIC[name])
    wanted = tag(txn, collection, tagset_id, value)
    for tag_id in _of_item(txn, item_id, tagset_id):
        if tag_id != wanted:
            detach(txn, collection, item_id, tag_id)
    attach(txn, collection, item_id, wanted)


def folder_tag(txn: Transaction, collection: Collection, folder_id: int) -> int:
    """A folder's own tag in `Folder`: when the folder moves, the tag is renamed and no tagging changes."""
    key = ("folder tag", folder_id)
    if key in txn.known:
        return txn.known[key]
    tag_id = txn.one("SELECT tag_id FROM folder WHERE id = ?", folder_id)
    if tag_id is None:
        tagset_id, _ = tagset(txn, collection, FOLDER, TagType.ALPHANUMERICAL)
        tag_id = _next(txn, collection, "tag")
        add_tag(txn, tag_id, tagset_id, _folder_value(txn, folder_id))
        txn.execute("UPDATE folder SET tag_id = ? WHERE id = ?", tag_id, folder_id)
    txn.known[key] = tag_id
    return int(tag_id)


def rename_folder_tags(txn: Transaction, collection: Collection, folder_id: int) -> None:
    """The folder has another path, and so have those below it."""
    path = txn.path(folder_id)
    rows = txn.execute("SELECT id, tag_id FROM folder WHERE path >= ? AND path < ?", path, after(path)).fetchall()
    for below_id, tag_id in rows:
        if tag_id is not None:
            txn.execute("UPDATE tag SET value = ? WHERE id = ?", _folder_value(txn, below_id), tag_id)


def follow_folder(txn: Transaction, collection: Collection, item_id: int, old_id: int, new_id: int) -> None:
    """An item has another folder."""
    if collection.imported:
        return
    detach(txn, collection, item_id, folder_tag(txn, collection, old_id))
    attach(txn, collection, item_id, folder_tag(txn, collection, new_id))


def _folder_value(txn: Transaction, folder_id: int) -> str:
    return folder_path(txn.connection, folder_id).decode("utf-8", "backslashreplace") or "."


def add(txn: Transaction, collection: Collection, item_id: int, label: str, value: str) -> None:
    """A person's tag.

    Raises:
        TagExists: the item carries it.
        TagInvalid: the tagset is the catalogue's own, or of a type that has no such value.
    """
    tagset_id, parsed_value = _writable(txn, collection, label, value)
    if not attach(txn, collection, item_id, tag(txn, collection, tagset_id, parsed_value)):
        raise TagExists
    touched(txn, item_id)


def remove(txn: Transaction, collection: Collection, item_id: int, label: str, value: str | None) -> None:
    """Take one of a person's tags from the item, or all of a set.

    Raises:
        TagNotFound: it does not carry it.
    """
    _refuse_automatic(collection, label)
    row = txn.execute(
        "SELECT id, tagtype FROM tagset WHERE collection_id = ? AND name = ?", collection.id, label
    ).fetchone()
    carried = [] if row is None else _of_item(txn, item_id, row[0])
    if value is not None and row is not None:
        wanted = parsed(TagType(row[1]), value)
        carried = [t for t in carried if txn.one("SELECT value FROM tag WHERE id = ?", t) == wanted]
    if not carried:
        raise TagNotFound
    for tag_id in carried:
        detach(txn, collection, item_id, tag_id)
    touched(txn, item_id)


def relabel(txn: Transaction, collection: Collection, item_id: int, old: str, new: str) -> None:
    """The item's tags of one set become tags of another; those it has there stay.

    Raises:
        TagNotFound: it has none in the old set.
    """
    _refuse_automatic(collection, old)
    row = txn.execute("SELECT id FROM tagset WHERE collection_id = ? AND name = ?", collection.id, old).fetchone()
    carried = [] if row is None else _of_item(txn, item_id, row[0])
    if not carried:
        raise TagNotFound
    for tag_id in carried:
        value = txn.one("SELECT value FROM tag WHERE id = ?", tag_id)
        tagset_id, parsed_value = _writable(txn, collection, new, str(value))
        if tagset_id != row[0]:
            detach(txn, collection, item_id, tag_id)
            attach(txn, collection, item_id, tag(txn, collection, tagset_id, parsed_value))
    touched(txn, item_id)


def replace(txn: Transaction, collection: Collection, item_id: int, wanted: Mapping[str, Iterable[str]]) -> None:
    """Make a person's tags on the item these; the automatic ones stay as they are, whatever is given for them."""
    tag_ids = set()
    for label, values in wanted.items():
        if _is_automatic(collection, label):
            continue
        for value in values:
            tagset_id, parsed_value = _writable(txn, collection, label, value)
            tag_ids.add(tag(txn, collection, tagset_id, parsed_value))
    rows = txn.execute(
        "SELECT tag.id, tagset.name FROM tagging JOIN tag ON tag.id = tagging.tag_id "
        "JOIN tagset ON tagset.id = tag.tagset_id WHERE tagging.item_id = ?",
        item_id,
    ).fetchall()
    for tag_id, name in rows:
        if not _is_automatic(collection, name) and tag_id not in tag_ids:
            detach(txn, collection, item_id, tag_id)
    for tag_id in tag_ids:
        attach(txn, collection, item_id, tag_id)
    touched(txn, item_id)


def _writable(txn: Transaction, collection: Collection, label: str, value: str) -> tuple[int, Value]:
    _refuse_automatic(collection, label)
    tagset_id, tagtype = tagset(txn, collection, label, TagType.ALPHANUMERICAL)
    parsed_value = parsed(tagtype, value)
    if parsed_value is None:
        raise TagInvalid(f"The tag group takes values of the type {tagtype.label}.")
    return tagset_id, parsed_value


def _is_automatic(collection: Collection, label: str) -> bool:
    """Whether the tagset is the catalogue's own. In an imported collection even one of the same name is not."""
    return label in AUTOMATIC and not collection.imported


def _refuse_automatic(collection: Collection, label: str) -> None:
    if _is_automatic(collection, label):
        raise TagInvalid(f"The tag group {label} follows the file; it cannot be written.")


def _of_item(txn: Transaction, item_id: int, tagset_id: int) -> list[int]:
    rows: list[Any] = txn.execute(
        "SELECT tag.id FROM tagging JOIN tag ON tag.id = tagging.tag_id "
        "WHERE tagging.item_id = ? AND tag.tagset_id = ?",
        item_id, tagset_id,
    ).fetchall()  # fmt: skip
    return [row[0] for row in rows]


def touched(txn: Transaction, item_id: int) -> None:
    """The item was changed by a person."""
    txn.execute("UPDATE node SET updated_us = ? WHERE id = ?", txn.tick(), item_id)
    txn.reworded(item_id)
