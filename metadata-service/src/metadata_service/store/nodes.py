"""Rows of folders and media: made, and marked."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from metadata_service.domain.errors import ItemNotFound
from metadata_service.domain.media import Collection, Kind, Marks, Source
from metadata_service.store.transaction import Transaction


def insert_node(
    txn: Transaction,
    collection: Collection,
    node_id: int,
    uuid: UUID,
    parent_id: int,
    kind: Kind,
    marks: Marks,
    columns: dict[str, Any],
) -> None:
    """A new row, in every set it belongs to.

    Args:
        columns: further ones, by name.
    """
    created = txn.tick()
    # A number of an import may be lower than one given before it; then it counts as made no later than that one, so
    # that the order of ids is the order of time in every collection.
    later = txn.one(
        "SELECT created_us FROM node NOT INDEXED WHERE id > ? AND id < ? AND collection_id = ? ORDER BY id LIMIT 1",
        node_id, collection.id_base + 2**32, collection.id,
    ) if collection.id_base else None  # fmt: skip
    values = {
        "id": node_id,
        "uuid": uuid.bytes,
        "collection_id": collection.id,
        "parent_id": parent_id,
        "kind": int(kind),
        "marks": int(marks),
        "listed": int(marks.listed),
        "created_us": created if later is None else min(created, later),
        "updated_us": created,
        **columns,
    }
    names, marks_of = ", ".join(values), ", ".join("?" * len(values))
    txn.execute(f"INSERT INTO node ({names}) VALUES ({marks_of})", *values.values())  # noqa: S608 - our own names
    txn.place(collection, node_id, parent_id, True)
    txn.relist(collection, node_id, kind, parent_id, None, marks)
    if marks.present and values.get("source") != Source.EXTERNAL:
        txn.to_embed(collection, node_id, kind)


def marked(txn: Transaction, node_id: int, new: Marks) -> bool:
    """Give a row other marks; whether they are others than before.

    Raises:
        ItemNotFound: there is no such row.
    """
    row = txn.execute("SELECT collection_id, parent_id, kind, marks FROM node WHERE id = ?", node_id).fetchone()
    if row is None or row[1] is None:
        raise ItemNotFound
    old = Marks(row[3])
    if old == new:
        return False
    txn.execute("UPDATE node SET marks = ?, listed = ? WHERE id = ?", int(new), int(new.listed), node_id)
    txn.relist(txn.collection(row[0]), node_id, Kind(row[2]), row[1], old, new)
    return True
