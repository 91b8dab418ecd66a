"""Jobs for search, on their way to the queue: sets of items, so that moving a folder of 40,000 files is one bitmap, and
what changes ten times before it is sent is sent once.

Whoever changes something notes it in the same transaction (`Transaction.to_embed`, `to_tell`). A batch that is being
sent is kept in a set of its own until it has arrived: what changes meanwhile is in the first set again, and is sent
again.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from pyroaring import BitMap

from metadata_service.store.bits import Family
from metadata_service.store.snapshot import Snapshot
from metadata_service.store.transaction import Transaction


class Lane(Enum):
    """What search is to do, and the sets of the items that wait for it and that are being sent."""

    EMBED = (Family.TO_EMBED, Family.EMBED_IN_HAND)
    FACTS = (Family.TO_TELL, Family.TELL_IN_HAND)

    @property
    def waiting(self) -> Family:
        return self.value[0]

    @property
    def in_hand(self) -> Family:
        return self.value[1]


_ALL: Final = tuple(family for lane in Lane for family in lane.value)
#: The collections with something in a set; what is still being imported is nobody's yet.
_FIRST: Final = (
    "SELECT bits.owner, id_base, data FROM bits JOIN collection ON collection.id = bits.owner "
    "WHERE family = ? AND complete ORDER BY bits.owner, chunk LIMIT 1"
)


def are_waiting(snapshot: Snapshot, lane: Lane) -> bool:
    return any(snapshot.connection.execute(_FIRST, (int(family),)).fetchone() for family in lane.value)


def unsent(snapshot: Snapshot, lane: Lane) -> int:
    """How many items wait, or are being sent."""
    counted = "SELECT coalesce(sum(count), 0) FROM bits WHERE family = ?"
    return sum(int(snapshot.connection.execute(counted, (int(family),)).fetchone()[0]) for family in lane.value)


def next_batch(txn: Transaction, lane: Lane, most: int, sent: bool = False) -> list[int]:
    """The items to send now, at most so many; none when nothing waits.

    Args:
        sent: the batch in hand has arrived; otherwise it is given again.
    """
    row = txn.execute(_FIRST, int(lane.in_hand)).fetchone()
    if row is not None:
        collection_id, base, data = row
        batch = BitMap.deserialize(data)
        if not sent:
            return [base + position for position in batch]
        txn.bits.remove_all(lane.in_hand, collection_id, batch)
    row = txn.execute(_FIRST, int(lane.waiting)).fetchone()
    if row is None:
        return []
    collection_id, base, data = row
    batch = BitMap.deserialize(data)[:most]
    txn.bits.remove_all(lane.waiting, collection_id, batch)
    txn.bits.add_all(lane.in_hand, collection_id, batch)
    return [base + position for position in batch]


def forget(txn: Transaction) -> None:
    """Nobody searches: a search that is switched on later looks at everything."""
    for family in _ALL:
        txn.execute("DELETE FROM bits WHERE family = ?", int(family))
