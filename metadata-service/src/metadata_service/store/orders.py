"""The orders of a listing by text: every listed item of a collection that has one, as an array of positions.

SQLite keeps these orders as indexes; an array is one index read once and then kept in step, so that any page of any
filtered set is a walk over 32-bit numbers instead of over rows.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from metadata_service.domain.filters import Sort

Positions = NDArray[np.uint32]

#: The column and the index of each order by text. The blank are in no array: among them, ids decide.
COLUMNS: Final = {
    Sort.NAME: ("name_key", "node_by_name", ""),
    Sort.DESCRIPTION: ("description", "node_by_description", "AND description <> ''"),
    Sort.PROMPT: ("prompt", "node_by_prompt", "AND prompt <> ''"),
}


@dataclass(frozen=True, slots=True)
class Limits:
    """Where one way of paging gives way to another; measured, and of no effect on what a page holds."""

    sorted_by_key: int = 400  # up to so many items are sorted by their keys: no array is needed
    patched: int = 500  # more changes than this, and than a fiftieth of the array: the index is read again
    block: int = 1 << 15  # positions that a walk looks at in one go


DEFAULTS: Final = Limits()
#: A set with fewer than one in so many of the order's items is sorted by its ranks rather than met by a walk.
SPARSE: Final = 8
#: Positions that are looked up one by one before a mask of the whole set is made.
NEAR: Final = 4000


class StaleSnapshot(Exception):
    """The reader's snapshot is older than an order that is kept; it is to be taken again."""


@dataclass(frozen=True)
class Order:
    """One collection's items by one text, then id."""

    version: int
    positions: Positions
    members: BitMap

    @cached_property
    def ranks(self) -> Positions:
        """By position, its place in the order."""
        ranks = np.zeros(int(self.members.max()) + 1, dtype=np.uint32)
        ranks[self.positions] = np.arange(len(self.positions), dtype=np.uint32)
        return ranks

    def page(self, wanted: BitMap, offset: int, limit: int, descending: bool, block_size: int) -> list[int]:
        """The positions `offset` to `offset + limit` of `wanted` (all of them members) in this order."""
        ordered = self.positions[::-1] if descending else self.positions
        if len(wanted) == len(ordered):
            return [int(p) for p in ordered[offset : offset + limit]]
        near = _near_end(ordered, wanted, offset, limit)
        if len(near) == limit:
            return near
        if len(wanted) <= len(ordered) // SPARSE:
            ranks = self.ranks[_array(wanted)]
            if descending:
                ranks = np.uint32(len(ordered) - 1) - ranks
            return [int(p) for p in ordered[_smallest(ranks, offset + limit)[offset:]]]
        mask = self._mask(wanted)
        found: list[int] = []
        for start in range(0, len(ordered), block_size):
            block = ordered[start : start + block_size]
            hits = mask[block]
            passed = int(np.count_nonzero(hits))
            if passed <= offset:
                offset -= passed
                continue
            found += [int(p) for p in block[np.flatnonzero(hits)[offset : offset + limit - len(found)]]]
            offset = 0
            if len(found) == limit:
                break
        return found

    def _mask(self, wanted: BitMap) -> NDArray[np.bool_]:
        """By position, whether it is wanted; from the smaller half, as every position takes its time."""
        size = int(self.members.max()) + 1
        if len(wanted) <= len(self.positions) // 2:
            return _mask(wanted, size)
        return ~_mask(self.members - wanted, size)


class Orders:
    """The arrays that have been asked for, and which items changed since. One for all reading threads."""

    def __init__(self, limits: Limits = DEFAULTS) -> None:
        self._limits = limits
        self._lock = threading.Lock()
        self._kept: dict[tuple[int, Sort], Order] = {}
        self._changes: dict[int, deque[tuple[int, BitMap]]] = {}

    def changed(self, collection_id: int, version: int, positions: BitMap) -> None:
        """Note what a committed transaction changed. Called by the writer, before any reader can see the version."""
        with self._lock:
            changes = self._changes.setdefault(collection_id, deque(maxlen=1000))
            changes.append((version, positions))

    def page(
        self,
        connection: sqlite3.Connection,
        collection: tuple[int, int],
        sort: Sort,
        wanted: BitMap,
        window: tuple[int, int],
        descending: bool,
    ) -> list[int]:
        """A page of `wanted`; the blank come first ascending and last descending, by id in the same direction.

        Args:
            collection: its id and its base.
            window: offset and limit.
        Raises:
            StaleSnapshot: begin the read again.
        """
        offset, limit = window
        if len(wanted) <= self._limits.sorted_by_key:
            return _sorted_by_key(connection, collection[1], sort, wanted, descending)[offset : offset + limit]
        order = self.of(connection, collection, sort)
        keyed = wanted & order.members
        blank = wanted - keyed if len(keyed) < len(wanted) else BitMap()
        first, second = (len(keyed), len(blank)) if descending else (len(blank), len(keyed))
        parts = [
            (min(offset, first), max(0, min(limit, first - offset))),
            (max(0, offset - first), limit - max(0, min(limit, first - offset))),
        ]
        keyed_part, blank_part = (parts[0], parts[1]) if descending else (parts[1], parts[0])
        by_key = order.page(keyed, *keyed_part, descending, self._limits.block) if keyed and keyed_part[1] else []
        by_id = by_position(blank, *blank_part, descending) if second or first else []
        return by_key + by_id if descending else by_id + by_key

    def of(self, connection: sqlite3.Connection, collection: tuple[int, int], sort: Sort) -> Order:
        """The order as the connection's snapshot has it."""
        collection_id, base = collection
        (version,) = connection.execute("SELECT version FROM collection WHERE id = ?", (collection_id,)).fetchone()
        with self._lock:
            kept = self._kept.get((collection_id, sort))
            changes = self._since(collection_id, kept.version, version) if kept is not None else None
        if kept is not None and kept.version == version:
            return kept
        if kept is not None and kept.version > version:
            raise StaleSnapshot
        if kept is None or changes is None or len(changes) > max(self._limits.patched, len(kept.positions) // 50):
            order = _read(connection, collection_id, base, sort, version)
        else:
            order = _patched(connection, collection, sort, kept, changes, version)
        with self._lock:
            newest = self._kept.get((collection_id, sort))
            if newest is None or newest.version < version:
                self._kept[(collection_id, sort)] = order
        return order

    def _since(self, collection_id: int, old: int, new: int) -> BitMap | None:
        """What changed after version `old` up to `new`; None when that is not known any more."""
        found, versions = BitMap(), set()
        for version, positions in self._changes.get(collection_id, ()):
            if old < version <= new:
                found |= positions
                versions.add(version)
        return found if len(versions) == new - old else None


def by_position(wanted: BitMap, offset: int, limit: int, descending: bool) -> list[int]:
    """A page in order of the positions themselves."""
    count = len(wanted)
    if limit <= 0 or offset >= count:
        return []
    if descending:
        return list(reversed(list(wanted[max(0, count - offset - limit) : count - offset])))
    return list(wanted[offset : min(count, offset + limit)])


def _smallest(ranks: Positions, count: int) -> Positions:
    """The first `count` in order."""
    if count < len(ranks) // 2:
        ranks = np.partition(ranks, count - 1)[:count]
    return np.sort(ranks)[:count]


def _near_end(ordered: Positions, wanted: BitMap, offset: int, limit: int) -> list[int]:
    """The page, if it is full within a few thousand positions of the end; else what of it is there. Not looked for
    where so many are not to be expected."""
    found: list[int] = []
    if 2 * (offset + limit) * len(ordered) > len(wanted) * NEAR:
        return found
    for position in ordered[:NEAR].tolist():
        if position in wanted:
            if offset:
                offset -= 1
                continue
            found.append(position)
            if len(found) == limit:
                break
    return found


def _mask(positions: BitMap, size: int) -> NDArray[np.bool_]:
    mask = np.zeros(size, dtype=np.bool_)
    mask[_array(positions)] = True
    return mask


def _array(positions: BitMap) -> Positions:
    return np.frombuffer(positions.to_array(), dtype=np.uint32)


def keys_of(connection: sqlite3.Connection, base: int, sort: Sort, positions: Iterable[int]) -> list[tuple[str, int]]:
    """Each item's key and position, for those that are still listed."""
    column = COLUMNS[sort][0]
    rows = connection.execute(
        f"SELECT node.{column}, node.id - ? FROM json_each(?) AS wanted "  # noqa: S608 - a name of our own
        "CROSS JOIN node ON node.id = wanted.value + ? WHERE listed",
        (base, json.dumps(list(positions)), base),
    )
    return rows.fetchall()


def _sorted_by_key(
    connection: sqlite3.Connection, base: int, sort: Sort, wanted: BitMap, descending: bool
) -> list[int]:
    keyed = sorted(keys_of(connection, base, sort, wanted), reverse=descending)
    return [position for _, position in keyed]


def _read(connection: sqlite3.Connection, collection_id: int, base: int, sort: Sort, version: int) -> Order:
    column, index, condition = COLUMNS[sort]
    rows = connection.execute(
        f"SELECT id - ? FROM node INDEXED BY {index} WHERE collection_id = ? AND listed {condition} "  # noqa: S608
        f"ORDER BY {column}, id",
        (base, collection_id),
    )
    positions = np.fromiter((row[0] for row in rows), dtype=np.uint32)
    return Order(version, positions, BitMap(positions))


def _patched(
    connection: sqlite3.Connection,
    collection: tuple[int, int],
    sort: Sort,
    old: Order,
    changes: BitMap,
    version: int,
) -> Order:
    """The order with the changed items taken out and put in again where they belong now."""
    base = collection[1]
    size = int(max(old.members.max() if old.members else 0, changes.max() if changes else 0)) + 1
    rest = old.positions[~_mask(changes, size)[old.positions]] if len(old.positions) else old.positions
    listed = [pair for pair in keys_of(connection, base, sort, changes) if pair[0]]
    listed.sort(reverse=True)
    successors = _successors(connection, collection, sort, listed, changes)
    ends = BitMap(successor for successor in successors if successor is not None)
    at: dict[int, int] = {}
    if ends:
        places = np.flatnonzero(_mask(ends, size)[rest])
        at = dict(zip(rest[places].tolist(), places.tolist(), strict=True))
    inserts = [len(rest) if successor is None else at[successor] for successor in successors]
    # Several that go before the same successor are inserted in the order in which they are given: ascending.
    positions = np.insert(rest, inserts[::-1], [position for _, position in reversed(listed)])
    return Order(version, positions.astype(np.uint32), (old.members - changes) | BitMap(p for _, p in listed))


def _successors(
    connection: sqlite3.Connection,
    collection: tuple[int, int],
    sort: Sort,
    listed: Sequence[tuple[str, int]],
    changes: BitMap,
) -> list[int | None]:
    """For each item, from the last in order to the first, the next one that did not change; None: the end."""
    column, index, condition = COLUMNS[sort]
    collection_id, base = collection
    statement = (
        f"SELECT id - ? FROM node INDEXED BY {index} WHERE collection_id = ? AND listed {condition} "  # noqa: S608
        f"AND ({column}, id) > (?, ?) ORDER BY {column}, id LIMIT 1"
    )
    found: dict[int, int | None] = {}
    for key, position in listed:
        row = connection.execute(statement, (base, collection_id, key, base + position)).fetchone()
        successor = None if row is None else int(row[0])
        found[position] = found[successor] if successor is not None and successor in changes else successor
    return [found[position] for _, position in listed]
