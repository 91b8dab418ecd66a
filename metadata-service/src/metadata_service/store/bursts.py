"""Bursts, kept at what the rule in `domain/groups.py` makes of the shots that are there.

Whoever changes a shot says so with `touch`, before and after; `settle` then looks at the shots round each of those, and
at no others: what a burst is follows from the shots alone, so the order in which they came does not matter.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Final

from metadata_service.domain.groups import BURST_GAP_US, GroupKind, Shot, bursts
from metadata_service.domain.media import Collection, Kind
from metadata_service.store.groups import add_group, set_group
from metadata_service.store.transaction import Transaction

#: What makes a file a shot; as in the index `node_by_shot`.
_SHOT: Final = "camera IS NOT NULL AND taken_us IS NOT NULL AND kind = 4 AND source = 1 AND marks & 24 = 0"
_ROWS: Final = f"SELECT id, taken_us, group_id FROM node WHERE parent_id = ? AND camera = ? AND {_SHOT} "  # noqa: S608


@dataclass(frozen=True, slots=True)
class _Grouped:
    shot: Shot
    group_id: int | None


def touch(txn: Transaction, node_id: int) -> None:
    """The item, as it is now, comes, goes or changes."""
    row = txn.execute(
        f"SELECT collection_id, parent_id, camera, taken_us FROM node WHERE id = ? AND {_SHOT}",  # noqa: S608
        node_id,
    ).fetchone()
    if row is not None:
        txn.shots.add(row)


def settle(txn: Transaction) -> None:
    """Make the groups right round every shot that was touched."""
    times: dict[tuple[int, int, str], list[int]] = defaultdict(list)
    for collection_id, folder_id, camera, taken_us in txn.shots:
        times[collection_id, folder_id, camera].append(taken_us)
    txn.shots.clear()
    for (collection_id, folder_id, camera), touched in sorted(times.items()):
        done_us: int | None = None
        for taken_us in sorted(touched):
            if done_us is not None and taken_us <= done_us:
                continue
            around = _around(txn, folder_id, camera, taken_us)
            if around:
                done_us = around[-1].shot.taken_us
                _regroup(txn, txn.collection(collection_id), around)


def _around(txn: Transaction, folder_id: int, camera: str, taken_us: int) -> list[_Grouped]:
    """The shots from which one comes to this time, or to a shot at it, in steps of no more than a burst's gap."""
    before = _chain(txn, _ROWS + "AND taken_us <= ? ORDER BY taken_us DESC", folder_id, camera, taken_us)
    after = _chain(txn, _ROWS + "AND taken_us > ? ORDER BY taken_us", folder_id, camera, taken_us)
    return [*reversed(before), *after]


def _chain(txn: Transaction, statement: str, folder_id: int, camera: str, taken_us: int) -> list[_Grouped]:
    found: list[_Grouped] = []
    last_us = taken_us
    for node_id, at_us, group_id in txn.execute(statement, folder_id, camera, taken_us):
        if abs(at_us - last_us) > BURST_GAP_US:
            break
        last_us = at_us
        found.append(_Grouped(Shot(node_id, at_us), group_id))
    return found


def _regroup(txn: Transaction, collection: Collection, around: list[_Grouped]) -> None:
    group_of = {one.shot.id: one.group_id for one in around}
    others = {group_id for group_id in set(group_of.values()) if group_id is not None and not _is_burst(txn, group_id)}
    free = [one.shot for one in around if one.group_id not in others]
    taken: set[int] = set()
    grouped: set[int] = set()
    for run in bursts(free):
        # A run keeps the oldest group that one of its shots is in, so that a group outlives what comes and goes.
        own = {group_id for node_id in run if (group_id := group_of[node_id]) is not None and group_id not in taken}
        kept = min(own) if own else None
        if kept is None:
            kept = add_group(txn, collection, GroupKind.BURST, run, source_kind=Kind.IMAGE)
        for node_id in run:
            set_group(txn, collection, node_id, kept)
        taken.add(kept)
        grouped.update(run)
    for shot in free:
        if shot.id not in grouped:
            set_group(txn, collection, shot.id, None)


def _is_burst(txn: Transaction, group_id: int) -> bool:
    return bool(txn.one("SELECT kind FROM item_group WHERE id = ?", group_id) == GroupKind.BURST)
