"""Pages of listings: which items, in which order, and how many there are. Only ids; `details` reads the rest."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Final

from media_common.dates import DAY_US, FIRST_US, LAST_US, dated_us
from pyroaring import BitMap

from metadata_service.domain.filters import ListQuery, Page, Scope, Sort
from metadata_service.domain.media import FILES, Collection, Kind
from metadata_service.domain.tags import TagType, parsed
from metadata_service.store.bits import Family, count, listed_family, load, load_any
from metadata_service.store.orders import by_position
from metadata_service.store.reader import kept_of
from metadata_service.store.snapshot import Snapshot
from metadata_service.store.transaction import collection_of

ALL_KINDS = frozenset(Kind)
#: Beyond every date.
_FAR_US: Final = 2**60
#: Sets of what is listed that each reader keeps: 128 kB each for a million items.
_KEPT_SETS: Final = 16


def page(snapshot: Snapshot, query: ListQuery) -> Page:
    """A page of one collection."""
    collection = collection_of(snapshot.connection, query.collection_id)
    wanted = matching(snapshot.connection, collection, query)
    positions = _page_of(snapshot, collection, query, wanted)
    return Page([collection.id_base + position for position in positions], len(wanted))


def _page_of(snapshot: Snapshot, collection: Collection, query: ListQuery, wanted: BitMap) -> list[int]:
    if query.offset >= len(wanted):
        return []
    match query.sort:
        case Sort.CREATED:  # the order of ids
            return by_position(wanted, query.offset, query.limit, query.descending)
        case Sort.KIND:
            return _by_kind(snapshot.connection, collection, query, wanted)
        case Sort.NAME | Sort.DESCRIPTION | Sort.PROMPT:
            window = (query.offset, query.limit)
            of = (collection.id, collection.id_base)
            return snapshot.orders.page(snapshot.connection, of, query.sort, wanted, window, query.descending)


def _by_kind(connection: sqlite3.Connection, collection: Collection, query: ListQuery, wanted: BitMap) -> list[int]:
    found: list[int] = []
    offset = query.offset
    for kind in sorted(ALL_KINDS, reverse=query.descending):
        of_kind = wanted & listed(connection, collection, [kind])
        found += by_position(of_kind, offset, query.limit - len(found), query.descending)
        offset = max(0, offset - len(of_kind))
        if len(found) == query.limit:
            break
    return found


def matching(connection: sqlite3.Connection, collection: Collection, query: ListQuery) -> BitMap:
    """Every listed item that the query's filters pass, as positions, not to be changed in place; this is also what a
    search may answer with."""
    wanted = listed(connection, collection, ALL_KINDS if query.kinds is None else query.kinds)
    if query.media is not None:
        wanted = wanted & _item(connection, collection, query)
    else:
        folder_id = collection.root_folder_id if query.folder_id is None else query.folder_id
        if not query.deep:
            wanted = wanted & load(connection, Family.CHILDREN, folder_id)
        elif folder_id != collection.root_folder_id:
            wanted = wanted & load(connection, Family.BELOW, folder_id)
    if query.created_from_us is not None or query.created_before_us is not None:
        wanted = wanted & _created(connection, collection, query.created_from_us, query.created_before_us)
    if query.dated_from_us is not None or query.dated_before_us is not None:
        wanted = wanted & _dated(connection, collection, query.dated_from_us, query.dated_before_us)
    if query.cluster is not None:
        wanted = wanted & _clustered(connection, collection, query)
    for tag_ids in _tags_meant(connection, collection, query):
        wanted = wanted & load_any(connection, Family.TAGGED, tag_ids)
    return wanted


def listed(connection: sqlite3.Connection, collection: Collection, kinds: Iterable[Kind]) -> BitMap:
    """All that is listed of these kinds, kept until anything is written. Not to be changed in place."""
    kept: dict[tuple[int, frozenset[Kind]], BitMap] = kept_of(connection, "listed")
    wanted = collection.id, frozenset(kinds)
    found = kept.get(wanted)
    if found is None:
        sets = (load(connection, listed_family(kind), collection.id) for kind in sorted(wanted[1]))
        found = BitMap.union(BitMap(), *sets)
        if len(kept) >= _KEPT_SETS:
            kept.clear()
        kept[wanted] = found
    return found


def scope(snapshot: Snapshot, query: ListQuery) -> Scope:
    """The query's filters by their numbers; kinds and times are numbers already."""
    connection = snapshot.connection
    collection = collection_of(connection, query.collection_id)
    folder_id, left_out = None, BitMap()
    item_ids = None if query.media is None else _item(connection, collection, query)
    if query.media is None:
        folder_id = collection.root_folder_id if query.folder_id is None else query.folder_id
        if not query.deep:
            folders = load(connection, listed_family(Kind.FOLDER), collection.id)
            left_out = folders & load(connection, Family.CHILDREN, folder_id)
        elif folder_id == collection.root_folder_id:
            folder_id = None
    if query.cluster is not None:
        clustered = _clustered(connection, collection, query)
        item_ids = clustered if item_ids is None else item_ids & clustered
    return Scope(
        collection.id,
        folder_id,
        tuple(collection.id_base + position for position in left_out),
        tuple(tuple(tag_ids) for tag_ids in _tags_meant(connection, collection, query)),
        None if item_ids is None else tuple(collection.id_base + position for position in item_ids),
    )


def _tags_meant(connection: sqlite3.Connection, collection: Collection, query: ListQuery) -> list[list[int]]:
    """For each filter by tags, the tags of which an item must carry one."""
    meant = []
    if query.tags is not None:
        tagsets = connection.execute("SELECT id, tagtype FROM tagset WHERE collection_id = ?", (collection.id,))
        meant.append(_tags(connection, tagsets.fetchall(), query.tags))
    for name, values in query.tag_filters:
        if not values:
            continue
        tagset = connection.execute(
            "SELECT id, tagtype FROM tagset WHERE collection_id = ? AND name = ?", (collection.id, name)
        )
        meant.append(_tags(connection, tagset.fetchall(), values))
    return meant


def _item(connection: sqlite3.Connection, collection: Collection, query: ListQuery) -> BitMap:
    assert query.media is not None
    row = connection.execute(
        "SELECT id FROM node WHERE uuid = ? AND collection_id = ?", (query.media.bytes, collection.id)
    ).fetchone()
    return BitMap() if row is None else BitMap([row[0] - collection.id_base])


def _clustered(connection: sqlite3.Connection, collection: Collection, query: ListQuery) -> BitMap:
    assert query.cluster is not None
    row = connection.execute(
        "SELECT id FROM cluster WHERE uuid = ? AND collection_id = ?", (query.cluster.bytes, collection.id)
    ).fetchone()
    return BitMap() if row is None else load(connection, Family.CLUSTERED, row[0])


def _tags(connection: sqlite3.Connection, tagsets: Iterable[tuple[int, int]], values: Iterable[str]) -> list[int]:
    wanted = list(dict.fromkeys(values))
    tag_ids: list[int] = []
    for tagset_id, tagtype in tagsets:
        for value in wanted:
            typed = parsed(TagType(tagtype), value)
            if typed is not None:
                rows = connection.execute("SELECT id FROM tag WHERE tagset_id = ? AND value = ?", (tagset_id, typed))
                tag_ids += [tag_id for (tag_id,) in rows]
    return tag_ids


def _created(
    connection: sqlite3.Connection, collection: Collection, from_us: int | None, before_us: int | None
) -> BitMap:
    """The positions made in a time: a range, since ids grow with time."""
    first = 0 if from_us is None else _first_since(connection, collection, from_us)
    last = 2**32 if before_us is None else _first_since(connection, collection, before_us)
    return BitMap(range(first, last)) if first < last else BitMap()


def _dated(
    connection: sqlite3.Connection, collection: Collection, from_us: int | None, before_us: int | None
) -> BitMap:
    """The positions of files that are from a time."""
    low = -_FAR_US if from_us is None else max(from_us, -_FAR_US)
    high = _FAR_US if before_us is None else min(before_us, _FAR_US)
    taken = connection.execute(
        "SELECT id - ? FROM node INDEXED BY node_by_taken WHERE collection_id = ? AND taken_us IS NOT NULL"
        " AND kind <> 3 AND taken_us >= ? AND taken_us < ?",
        (collection.id_base, collection.id, low, high),
    )
    found = BitMap(position for (position,) in taken)
    # Of the others the clock is this machine's, whose distance from UTC is another one in summer.
    modified = connection.execute(
        "SELECT id - ?, modified_us FROM node INDEXED BY node_by_modified WHERE collection_id = ? AND taken_us IS NULL"
        " AND kind <> 3 AND modified_us >= ? AND modified_us < ?",
        # Beyond the first and the last date all are of that date.
        (
            collection.id_base,
            collection.id,
            low - DAY_US if low > FIRST_US else -(2**63),
            high + DAY_US if high <= LAST_US else 2**63 - 1,
        ),
    )
    found |= BitMap(
        position
        for position, at_us in modified
        if low + DAY_US <= at_us < high - DAY_US or low <= dated_us(None, at_us) < high
    )
    return found


def _first_since(connection: sqlite3.Connection, collection: Collection, time_us: int) -> int:
    """The position of the first item made at or after a time; 2^32 when there is none."""
    if time_us >= 2**63:
        return 2**32
    row = connection.execute(
        "SELECT id FROM node WHERE collection_id = ? AND created_us >= ? ORDER BY created_us, id LIMIT 1",
        (collection.id, max(time_us, -(2**63))),
    ).fetchone()
    return 2**32 if row is None else row[0] - collection.id_base


def newest(
    snapshot: Snapshot, collections: Sequence[Collection], kinds: frozenset[Kind], offset: int, limit: int
) -> Page:
    """Files of several collections, the newest first, then by id downwards."""
    connection = snapshot.connection
    sets = [(c, listed(connection, c, kinds & FILES)) for c in collections]
    sets = [(c, positions) for c, positions in sets if positions]
    total = sum(len(positions) for _, positions in sets)
    if offset >= total:
        return Page([], total)
    if len(sets) == 1:
        collection, positions = sets[0]
        found = by_position(positions, offset, limit, True)
        return Page([collection.id_base + position for position in found], total)
    return Page(_merged(connection, sets, offset, limit), total)


def _merged(
    connection: sqlite3.Connection, sets: Sequence[tuple[Collection, BitMap]], offset: int, limit: int
) -> list[int]:
    """Find the moment that has `offset` newer items by halving time, then merge from there.

    No two collections ever have an item of the same microsecond, so what lies at the moment itself is of one.
    """
    low, high = 0, 2**62  # newer than low: more than offset; newer than high: at most offset
    while high - low > 1:
        middle = (low + high) // 2
        newer = sum(_newer(connection, collection, positions, middle) for collection, positions in sets)
        if newer <= offset:
            high = middle
        else:
            low = middle
    skips = [_newer(connection, collection, positions, high) for collection, positions in sets]
    at_moment = [_newer(connection, collection, positions, low) for collection, positions in sets]
    rest = offset - sum(skips)
    candidates: list[tuple[int, int]] = []
    for (collection, positions), skip, beyond in zip(sets, skips, at_moment, strict=True):
        first = skip + (rest if beyond > skip else 0)
        for position in by_position(positions, first, limit, True):
            node_id = collection.id_base + position
            (created,) = connection.execute("SELECT created_us FROM node WHERE id = ?", (node_id,)).fetchone()
            candidates.append((created, node_id))
    candidates.sort(reverse=True)
    return [node_id for _, node_id in candidates[:limit]]


def _newer(connection: sqlite3.Connection, collection: Collection, positions: BitMap, time_us: int) -> int:
    first = _first_since(connection, collection, time_us + 1)
    return 0 if first >= 2**32 else len(positions) - (int(positions.rank(first - 1)) if first else 0)


def total(snapshot: Snapshot, collection: Collection, kinds: Iterable[Kind]) -> int:
    """How many are listed; reads counters only."""
    return sum(count(snapshot.connection, listed_family(kind), collection.id) for kind in kinds)


def tag_groups(snapshot: Snapshot, collection: Collection) -> dict[str, list[object]]:
    """Every tagset that is in use with its values, both sorted."""
    found: dict[str, list[object]] = {}
    for tagset_id, name in snapshot.connection.execute(
        "SELECT id, name FROM tagset WHERE collection_id = ? ORDER BY name", (collection.id,)
    ).fetchall():
        rows = snapshot.connection.execute(
            "SELECT value FROM tag WHERE tagset_id = ? AND uses > 0 ORDER BY value", (tagset_id,)
        )
        values = list(dict.fromkeys(value for (value,) in rows))
        if values:
            found[name] = values
    return found


def json_ids(ids: Iterable[int]) -> str:
    """Ids as one bound value, for `json_each`."""
    return json.dumps(list(ids))
