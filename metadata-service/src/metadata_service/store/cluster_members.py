"""What becomes of clusters when objects in them go."""

from __future__ import annotations

import json
from collections.abc import Sequence

from pyroaring import BitMap

from metadata_service.domain.media import Collection
from metadata_service.store.bits import Family
from metadata_service.store.transaction import Transaction


def lost(txn: Transaction, collection: Collection, object_ids: Sequence[int]) -> None:
    """Take these objects of the collection's out of its clusters, before they are deleted. A cluster without its middle
    has another one, and one without any object goes."""
    rows = txn.execute(
        "SELECT cluster_id, cluster_object.object_id FROM cluster CROSS JOIN json_each(?) AS wanted "
        "CROSS JOIN cluster_object ON cluster_id = cluster.id AND cluster_object.object_id = wanted.value "
        "WHERE cluster.collection_id = ?",
        json.dumps([*object_ids]), collection.id,
    ).fetchall()  # fmt: skip
    for row in rows:
        txn.execute("DELETE FROM cluster_object WHERE cluster_id = ? AND object_id = ?", *row)
    for cluster_id in sorted({cluster_id for cluster_id, _ in rows}):
        _settle(txn, collection, cluster_id)


def drop(txn: Transaction, cluster_id: int) -> None:
    members = txn.bits.load(txn.connection, Family.CLUSTERED, cluster_id)
    txn.bits.remove_all(Family.CLUSTERED, cluster_id, members)
    txn.execute("DELETE FROM cluster_object WHERE cluster_id = ?", cluster_id)
    txn.execute("DELETE FROM cluster WHERE id = ?", cluster_id)


def _settle(txn: Transaction, collection: Collection, cluster_id: int) -> None:
    left = txn.execute(
        "SELECT object_id, media_id FROM cluster_object JOIN object ON object.id = object_id "
        "JOIN frame ON frame.id = frame_id WHERE cluster_id = ? ORDER BY object_id",
        cluster_id,
    ).fetchall()
    if not left:
        drop(txn, cluster_id)
        return
    middle_id = txn.one("SELECT object_id FROM cluster WHERE id = ?", cluster_id)
    if middle_id not in (object_id for object_id, _ in left):
        middle_id = left[0][0]
    txn.execute("UPDATE cluster SET size = ?, object_id = ? WHERE id = ?", len(left), middle_id, cluster_id)
    before = txn.bits.load(txn.connection, Family.CLUSTERED, cluster_id)
    now = BitMap(media_id - collection.id_base for _, media_id in left)
    txn.bits.remove_all(Family.CLUSTERED, cluster_id, before - now)
