"""Sets of items as compressed bitmaps in the database, changed in the transaction that changes the rows.

A position is an item's id less its collection's base. A row holds the positions of one chunk of 65,536, so a change
writes at most 8 KB however large the set; a set of a million is read in sixteen rows.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from enum import IntEnum
from typing import Final

from pyroaring import BitMap

from metadata_service.domain.media import Kind

CHUNK_BITS: Final = 16


class Family(IntEnum):
    """What a set is of; kept in the database. Its owner is the id of the folder, tag, ... it belongs to."""

    BELOW = 1  # a folder's folders and media at any depth, listed or not
    CHILDREN = 2  # its direct ones
    TAGGED = 3  # media that carry a tag themselves
    GROUP_TAGGED = 4  # media whose group carries it
    CLUSTERED = 5  # media with an object in a cluster
    PRESENT = 6  # a collection's media that are neither gone nor emptied
    EMBEDDED = 7  # its media that have a vector
    UNDESCRIBED = 8  # its files in place that nobody has looked into since they changed
    UNHASHED = 9  # those that have no hash yet
    FRESH = 10  # those that never had one: they may be known files that have moved
    TO_EMBED = 11  # its media whose pixels may be others than those search has seen
    TO_TELL = 12  # those that search filters by other things now
    EMBED_IN_HAND = 13  # of `TO_EMBED`, those that are being sent
    TELL_IN_HAND = 14
    LISTED = 16  # plus the kind's number: a collection's listed rows of that kind


def listed_family(kind: Kind) -> int:
    return Family.LISTED + kind


def load(connection: sqlite3.Connection, family: int, owner: int) -> BitMap:
    """The whole set; empty when there is none."""
    rows = connection.execute("SELECT data FROM bits WHERE family = ? AND owner = ?", (family, owner)).fetchall()
    return _union(rows)


def from_the_end(connection: sqlite3.Connection, family: int, owner: int) -> Iterator[BitMap]:
    """The set in parts, the one with the highest positions first; read as far as is asked for."""
    rows = connection.execute(
        "SELECT data FROM bits WHERE family = ? AND owner = ? ORDER BY chunk DESC", (family, owner)
    )
    for (data,) in rows:
        yield BitMap.deserialize(data)


def load_any(connection: sqlite3.Connection, family: int, owners: Iterable[int]) -> BitMap:
    """The union of the sets of all owners."""
    found: list[tuple[bytes]] = []
    for owner in owners:
        found += connection.execute("SELECT data FROM bits WHERE family = ? AND owner = ?", (family, owner)).fetchall()
    return _union(found)


def count(connection: sqlite3.Connection, family: int, owner: int) -> int:
    """How many the set has; reads no bitmap."""
    row = connection.execute(
        "SELECT coalesce(sum(count), 0) FROM bits WHERE family = ? AND owner = ?", (family, owner)
    ).fetchone()
    return int(row[0])


def _union(rows: list[tuple[bytes]]) -> BitMap:
    if not rows:
        return BitMap()
    sets = [BitMap.deserialize(data) for (data,) in rows]
    return sets[0] if len(sets) == 1 else BitMap.union(*sets)


class Changes:
    """What a transaction adds to and takes from sets, written once at its end."""

    def __init__(self) -> None:
        self._changes: dict[tuple[int, int], tuple[BitMap, BitMap]] = {}

    def add(self, family: int, owner: int, position: int) -> None:
        added, removed = self._of(family, owner)
        added.add(position)
        removed.discard(position)

    def remove(self, family: int, owner: int, position: int) -> None:
        added, removed = self._of(family, owner)
        removed.add(position)
        added.discard(position)

    def add_all(self, family: int, owner: int, positions: BitMap) -> None:
        added, removed = self._of(family, owner)
        added |= positions
        removed -= positions

    def remove_all(self, family: int, owner: int, positions: BitMap) -> None:
        added, removed = self._of(family, owner)
        removed |= positions
        added -= positions

    def put(self, family: int, owner: int, position: int, member: bool) -> None:
        (self.add if member else self.remove)(family, owner, position)

    def load(self, connection: sqlite3.Connection, family: int, owner: int) -> BitMap:
        """The set as it will be when this transaction is done."""
        found = load(connection, family, owner)
        change = self._changes.get((family, owner))
        return found if change is None else (found | change[0]) - change[1]

    def write(self, connection: sqlite3.Connection) -> None:
        """Write everything, and begin anew."""
        for (family, owner), (added, removed) in self._changes.items():
            for chunk in _chunks(added | removed):
                _write_chunk(connection, family, owner, chunk, added, removed)
        self._changes.clear()

    def _of(self, family: int, owner: int) -> tuple[BitMap, BitMap]:
        key = (family, owner)
        change = self._changes.get(key)
        if change is None:
            change = self._changes[key] = (BitMap(), BitMap())
        return change


def _chunks(positions: BitMap) -> list[int]:
    chunks, position = [], 0
    while (found := _at_or_after(positions, position)) is not None:
        chunks.append(found >> CHUNK_BITS)
        position = (chunks[-1] + 1) << CHUNK_BITS
    return chunks


def _at_or_after(positions: BitMap, position: int) -> int | None:
    if position >= 1 << 32:
        return None
    try:
        return int(positions.next_set_bit(position))
    except ValueError:
        return None


def _write_chunk(
    connection: sqlite3.Connection, family: int, owner: int, chunk: int, added: BitMap, removed: BitMap
) -> None:
    window = BitMap(range(chunk << CHUNK_BITS, (chunk + 1) << CHUNK_BITS))
    row = connection.execute(
        "SELECT rowid, data FROM bits WHERE family = ? AND owner = ? AND chunk = ?", (family, owner, chunk)
    ).fetchone()
    old = BitMap() if row is None else BitMap.deserialize(row[1])
    new = (old | (added & window)) - removed
    if row is not None and new == old:
        return
    if not new:
        if row is not None:
            connection.execute("DELETE FROM bits WHERE rowid = ?", (row[0],))
        return
    new.run_optimize()
    data = new.serialize()
    if row is None:
        connection.execute("INSERT INTO bits VALUES (?, ?, ?, ?, ?)", (family, owner, chunk, len(new), data))
    else:
        connection.execute("UPDATE bits SET count = ?, data = ? WHERE rowid = ?", (len(new), data, row[0]))
