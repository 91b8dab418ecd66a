"""Groups of items: an item is in one, or in none."""

from __future__ import annotations

from uuid import UUID

from metadata_service.domain.groups import GroupKind
from metadata_service.domain.ids import child_uuid
from metadata_service.domain.media import Collection, Kind
from metadata_service.store.tagging import follow_group
from metadata_service.store.transaction import Transaction


def add_group(
    txn: Transaction,
    collection: Collection,
    kind: GroupKind,
    members: list[int],
    *,
    name: str = "",
    relative_id: int | None = None,
    uri: str = "",
    thumbnail_uri: str | None = None,
    source_kind: Kind = Kind.OTHER,
) -> int:
    """A new group of these items; those of them that were in another leave it."""
    group_id = txn.next_id(collection) if relative_id is None else collection.id_base + relative_id
    uuid: UUID = child_uuid(collection.uuid, "group", str(group_id))
    txn.execute(
        "INSERT INTO item_group VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        group_id, uuid.bytes, collection.id, kind, name, uri, thumbnail_uri, source_kind,
    )  # fmt: skip
    for member_id in members:
        set_group(txn, collection, member_id, group_id)
    return group_id


def set_group(txn: Transaction, collection: Collection, item_id: int, group_id: int | None) -> None:
    """Put an item into a group, or into none; a group left by its last member goes, unless it was imported."""
    old = txn.one("SELECT group_id FROM node WHERE id = ?", item_id)
    if old == group_id:
        return
    txn.execute("UPDATE node SET group_id = ? WHERE id = ?", group_id, item_id)
    txn.to_tell(collection, item_id)
    if old is not None:
        follow_group(txn, collection, item_id, old, False)
        if txn.one("SELECT 1 FROM node WHERE group_id = ? LIMIT 1", old) is None:
            txn.execute("DELETE FROM item_group WHERE id = ? AND kind <> ?", old, GroupKind.IMPORTED)
    if group_id is not None:
        follow_group(txn, collection, item_id, group_id, True)
