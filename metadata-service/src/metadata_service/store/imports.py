"""A collection of another system, written in small transactions while nobody sees it, then shown as a whole or erased.

Its numbers are those it came with, plus its base; whatever is of it has such a number, so erasing it is erasing ranges.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Final

from metadata_service.domain.errors import BadImport
from metadata_service.domain.groups import GroupKind
from metadata_service.domain.ids import BASE_STEP, IMPORTED_TAGS
from metadata_service.domain.imports import Begin, GivenTag, check_begin, check_id, check_item, place_of, value_of
from metadata_service.domain.media import Collection, Imported, Kind
from metadata_service.domain.tags import TagType
from metadata_service.store import collections, groups, media
from metadata_service.store.bits import Family, listed_family
from metadata_service.store.tagging import add_tagset, attach_group
from metadata_service.store.transaction import Transaction
from metadata_service.store.words import words_changed

#: Rows that one transaction erases; others write between two.
ERASED_AT_ONCE: Final = 5000
_OF_COLLECTION: Final = (Family.PRESENT, Family.EMBEDDED, Family.TO_TELL, *(listed_family(kind) for kind in Kind))
_OF_OTHERS: Final = (Family.BELOW, Family.CHILDREN, Family.TAGGED, Family.GROUP_TAGGED, Family.CLUSTERED)
#: Each takes the first number, the one after the last, and how many rows at most.
_ERASE_WORDS: Final = (
    "DELETE FROM words WHERE rowid IN (SELECT rowid FROM words WHERE rowid >= ? AND rowid < ? LIMIT ?)"
)
_ERASE: Final = (
    "DELETE FROM tagging WHERE (item_id, tag_id) IN "
    "(SELECT item_id, tag_id FROM tagging WHERE item_id >= ? AND item_id < ? LIMIT ?)",
    *(
        f"DELETE FROM {table} WHERE id IN (SELECT id FROM {table} WHERE id >= ? AND id < ? LIMIT ?)"  # noqa: S608
        for table in ("node", "folder", "item_group", "tag", "tagset")
    ),
    *(
        f"DELETE FROM bits WHERE rowid IN (SELECT rowid FROM bits WHERE family = {int(family)} "  # noqa: S608
        "AND owner >= ? AND owner < ? LIMIT ?)"
        for family in _OF_OTHERS
    ),
)


def begin(txn: Transaction, given: Begin) -> Collection:
    """A collection that is not shown yet, with its tagsets.

    Raises:
        CollectionExists: there is one of this name.
        BadImport, IdOutOfRange: it cannot be taken.
    """
    check_begin(given)
    collection = collections.create(
        txn,
        given.name,
        slug=given.name,
        imported=True,
        first_id=given.last_id + 1,
        originals_url=given.originals_url,
        thumbnails_url=given.thumbnails_url,
    )
    txn.execute("UPDATE collection SET complete = 0 WHERE id = ?", collection.id)
    for tagset in given.tagsets:
        try:
            add_tagset(txn, collection, collection.id_base + tagset.relative_id, tagset.name, tagset.tagtype)
        except sqlite3.IntegrityError as error:
            raise BadImport(f"The tagset {tagset.relative_id}, or its name {tagset.name!r}, is there twice.") from error
    return collection


def add_tags(txn: Transaction, collection: Collection, tags: Sequence[GivenTag]) -> None:
    """
    Raises:
        BadImport, IdOutOfRange: a tag is there twice, its tagset is not there, or its value is of another type.
    """
    rows = txn.execute("SELECT id, tagtype FROM tagset WHERE collection_id = ?", collection.id)
    types = {tagset_id - collection.id_base: TagType(number) for tagset_id, number in rows.fetchall()}
    for tag in tags:
        check_id(tag.relative_id, IMPORTED_TAGS, "tag")
        if tag.tagset_id not in types:
            raise BadImport(f"The tag {tag.relative_id} is of the tagset {tag.tagset_id}, which is not there.")
    base = collection.id_base
    rows_in = [(base + tag.relative_id, base + tag.tagset_id, value_of(types[tag.tagset_id], tag)) for tag in tags]
    try:
        txn.connection.executemany("INSERT INTO tag (id, tagset_id, value) VALUES (?, ?, ?)", rows_in)
    except sqlite3.IntegrityError as error:
        raise BadImport("A tag id is there twice.") from error


def add_items(txn: Transaction, collection: Collection, items: Sequence[Imported], last_id: int) -> None:
    """Items and groups with their tags.

    Raises:
        BadImport, IdOutOfRange: one is there twice, or what it refers to is not there.
    """
    for item in items:
        check_item(item, last_id)
    _require_tags(txn, collection, items)
    own_ids = [collection.id_base + item.relative_id for item in items]
    taken = _known(txn, "node", own_ids) | _known(txn, "item_group", own_ids)
    if taken or len(set(own_ids)) < len(own_ids):
        raise BadImport("An item id is there twice.")
    for item in items:
        if item.is_group:
            _add_group(txn, collection, item)
    _require_groups(txn, collection, items)
    for item in items:
        if not item.is_group:
            media.add_imported(txn, collection, item)


def _add_group(txn: Transaction, collection: Collection, item: Imported) -> None:
    group_id = groups.add_group(
        txn,
        collection,
        GroupKind.IMPORTED,
        [],
        name=place_of(item)[1],
        relative_id=item.relative_id,
        uri=item.uri or "",
        thumbnail_uri=item.thumbnail_uri,
        source_kind=item.kind,
    )
    for tag_id in item.tag_ids:
        attach_group(txn, collection, group_id, collection.id_base + tag_id)


def _require_tags(txn: Transaction, collection: Collection, items: Sequence[Imported]) -> None:
    wanted = {collection.id_base + tag_id for item in items for tag_id in item.tag_ids}
    missing = wanted - _known(txn, "tag", wanted)
    if missing:
        raise BadImport(f"An item has the tag {min(missing) - collection.id_base}, which is not there.")


def _require_groups(txn: Transaction, collection: Collection, items: Sequence[Imported]) -> None:
    groups = {item.group_relative_id for item in items if item.group_relative_id is not None}
    wanted = {collection.id_base + group for group in groups}
    missing = wanted - _known(txn, "item_group", wanted)
    if missing:
        raise BadImport(f"An item is in the group {min(missing) - collection.id_base}, which is not there.")


def _known(txn: Transaction, table: str, ids: Iterable[int]) -> set[int]:
    rows = txn.execute(
        f"SELECT {table}.id FROM json_each(?) AS wanted CROSS JOIN {table} "  # noqa: S608 - names of our own
        f"ON {table}.id = wanted.value",
        json.dumps(list(ids)),
    )
    return {row[0] for row in rows}


def complete(txn: Transaction, collection: Collection) -> None:
    """Show it. Nothing of it has been asked for by a search, so there is no change to tell."""
    waiting = txn.bits.load(txn.connection, Family.TO_TELL, collection.id)
    txn.bits.remove_all(Family.TO_TELL, collection.id, waiting)
    txn.execute("UPDATE collection SET complete = 1 WHERE id = ?", collection.id)


def incomplete(txn: Transaction) -> list[Collection]:
    """Collections that are being imported, or were until something ended it. A writer's question: what was written
    before it is seen."""
    rows = txn.execute("SELECT id FROM collection WHERE NOT complete ORDER BY id").fetchall()
    return [txn.collection(row[0]) for row in rows]


def erase_some(txn: Transaction, collection: Collection) -> bool:
    """Erase the next rows of a collection that nobody has seen; whether something is left."""
    left = ERASED_AT_ONCE
    for statement in (_ERASE_WORDS, *_ERASE):
        erased = txn.execute(statement, collection.id_base, collection.id_base + BASE_STEP, left).rowcount
        if erased and statement is _ERASE_WORDS:
            words_changed(txn.connection)
        left -= erased
        if left <= 0:
            return True
    for family in _OF_COLLECTION:
        txn.execute("DELETE FROM bits WHERE family = ? AND owner = ?", int(family), collection.id)
    for sequence in ("item", "tagset", "tag"):
        txn.execute("DELETE FROM sequence WHERE name = ?", f"{sequence}:{collection.id}")
    txn.execute("DELETE FROM collection WHERE id = ?", collection.id)
    txn.forget_collection(collection.id)
    return False
