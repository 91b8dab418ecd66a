"""A page of the listed media that pass retrieval filters, without those that somebody does not want to see again."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from pyroaring import BitMap

from metadata_service.domain.filters import Expression, Page
from metadata_service.domain.ids import INT64
from metadata_service.domain.media import FILES, Collection
from metadata_service.store import retrieval
from metadata_service.store.bits import listed_family, load
from metadata_service.store.listing import json_ids
from metadata_service.store.snapshot import Snapshot

#: More than any position within a collection.
_POSITIONS: Final = 2**32


def page(
    snapshot: Snapshot,
    collection: Collection,
    filters: Expression | None,
    seen: Sequence[int],
    excluded: Sequence[int],
    offset: int,
    limit: int,
) -> Page:
    """By number, less the base; numbers in the arguments too, and unknown ones are passed over.

    Args:
        excluded: items, which go with all of their groups, or groups.
    """
    connection = snapshot.connection
    wanted = _listed(connection, collection) & retrieval.passing(snapshot, collection, filters)
    wanted -= _positions((*seen, *excluded))
    if excluded:
        wanted -= _members(connection, collection, excluded)
    first = min(offset, len(wanted))
    return Page(list(wanted[first : first + limit]), len(wanted))


def groups(snapshot: Snapshot, collection: Collection, numbers: Iterable[int]) -> set[int]:
    """The groups of these items (of a frame: its media's), by the catalogue's ids; unknown numbers are passed over."""
    wanted = json_ids(_internal(collection, numbers))
    found = snapshot.connection.execute(
        "SELECT group_id FROM json_each(?) AS wanted CROSS JOIN node ON node.id = wanted.value "
        "WHERE collection_id = ? AND group_id IS NOT NULL",
        (wanted, collection.id),
    ).fetchall()
    found += snapshot.connection.execute(
        "SELECT group_id FROM json_each(?) AS wanted CROSS JOIN frame ON frame.id = wanted.value "
        "JOIN node ON node.id = frame.media_id WHERE collection_id = ? AND group_id IS NOT NULL",
        (wanted, collection.id),
    )
    return {group_id for (group_id,) in found}


def unlisted(snapshot: Snapshot, collection: Collection, item_ids: Iterable[int]) -> set[int]:
    """Those of media and frames that are not listed now, or not the collection's, by the catalogue's ids; with a frame
    its media."""
    base, wanted = collection.id_base, set(item_ids)
    listed = _listed(snapshot.connection, collection)
    found = wanted - {base + position for position in listed & _positions(one - base for one in wanted)}
    if not found:
        return found
    frames = snapshot.connection.execute(
        "SELECT frame.id, media_id FROM json_each(?) AS wanted CROSS JOIN frame ON frame.id = wanted.value "
        "JOIN node ON node.id = media_id WHERE collection_id = ?",
        (json_ids(found), collection.id),
    ).fetchall()
    for frame_id, media_id in frames:
        if media_id - base in listed:
            found.discard(frame_id)
        else:
            found.add(media_id)
    return found


def _listed(connection: sqlite3.Connection, collection: Collection) -> BitMap:
    kinds = (load(connection, listed_family(kind), collection.id) for kind in sorted(FILES))
    return BitMap.union(BitMap(), *kinds)


def _internal(collection: Collection, numbers: Iterable[int]) -> Iterator[int]:
    """The catalogue's ids; those that can be no item's are left out."""
    base = collection.id_base
    return (base + number for number in numbers if number > 0 and base + number in INT64)


def _positions(numbers: Iterable[int]) -> BitMap:
    return BitMap(number for number in numbers if 0 <= number < _POSITIONS)


def _members(connection: sqlite3.Connection, collection: Collection, numbers: Iterable[int]) -> BitMap:
    """Everything in the groups of these items (of a frame: its media's), and in those of these that are groups."""
    rows = connection.execute(
        "WITH wanted(id) AS (SELECT value FROM json_each(?)), "
        "groups(id) AS (SELECT id FROM wanted "
        "UNION SELECT group_id FROM wanted CROSS JOIN node USING (id) "
        "UNION SELECT group_id FROM wanted CROSS JOIN frame USING (id) JOIN node ON node.id = frame.media_id) "
        "SELECT node.id FROM groups CROSS JOIN node ON node.group_id = groups.id WHERE node.collection_id = ?",
        (json_ids(_internal(collection, numbers)), collection.id),
    )
    return BitMap(node_id - collection.id_base for (node_id,) in rows)
