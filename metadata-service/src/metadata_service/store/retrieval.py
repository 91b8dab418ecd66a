"""What interactive retrieval asks: items, their tags, their groups, and filters over all of them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final, NamedTuple

from pyroaring import BitMap

from metadata_service.domain.errors import ItemNotFound
from metadata_service.domain.filters import Branch, Expression, Range, Values
from metadata_service.domain.groups import GroupKind
from metadata_service.domain.ids import INT64
from metadata_service.domain.media import Collection, Kind, Marks, Source
from metadata_service.domain.tags import TagType, Value
from metadata_service.store import one_step
from metadata_service.store.bits import Family, count, load, load_any
from metadata_service.store.listing import json_ids
from metadata_service.store.paths import folder_paths
from metadata_service.store.reader import kept_of
from metadata_service.store.snapshot import Snapshot

# Calling an Enum to find its member takes longer than all the rest of a row.
_KINDS: Final = {int(kind): kind for kind in Kind}
_SOURCES: Final = {int(source): source for source in Source}
_SHOWN: Final = "parent_id, kind, source, name, uri, thumbnail_uri, group_id, hex(disk_name)"
_VALUE: Final = one_step.exact("tag.value")
_HIDDEN: Final = int(Marks.GONE | Marks.EMPTIED)
#: Who asks for the tags of more tagsets than these has them read each time.
_KEPT_TAGSETS: Final = 16
#: A group with more members is read anew each time.
_FEW_MEMBERS: Final = 16


class Item(NamedTuple):
    """An item as retrieval shows it. A group is an item too; so is a further frame of a video.

    A tuple, as a call has up to a thousand: a frozen dataclass takes five times as long to make.
    """

    id: int  # less the collection's base
    media_id: int  # of the catalogue; of a frame, its media's
    kind: Kind
    name: str
    uri: bytes | None  # None: it has no file
    thumbnail_uri: str | None
    source: Source
    group_id: int | None
    frame: int  # 0 for all but further frames
    is_group: bool = False


def base(snapshot: Snapshot, collection: Collection, ids: Sequence[int]) -> list[Item]:
    """The items in the order asked for, repeats and all; unknown ones are left out."""
    return base_of_each(snapshot, collection, [ids])[0]


def base_of_each(snapshot: Snapshot, collection: Collection, wanted: Sequence[Sequence[int]]) -> list[list[Item]]:
    """`base` of several questions in the same statements. What was read before is read again when anything was written
    since."""
    connection, id_base = snapshot.connection, collection.id_base
    kept: dict[int, Item] = kept_of(connection, ("items", collection.id))
    numbers = {id_base + i for i in chain.from_iterable(wanted) if i > 0 and id_base + i in INT64} - kept.keys()
    if numbers:
        found = _media(connection, collection, numbers)
        if missing := [number for number in numbers if number not in found]:
            found |= _frames(connection, collection, missing)
            _find_groups(connection, collection, missing, found)
        kept |= found
    return [[kept[id_base + i] for i in ids if id_base + i in kept] for ids in wanted]


def _media(connection: sqlite3.Connection, collection: Collection, ids: Iterable[int]) -> dict[int, Item]:
    rows = one_step.rows(
        connection,
        9,
        f"SELECT node.id, {_SHOWN} "  # noqa: S608 - names of our own
        "FROM json_each(?) AS wanted CROSS JOIN node ON node.id = wanted.value "
        "WHERE collection_id = ? AND kind <> ? AND marks & ? = 0",
        (json_ids(ids), collection.id, Kind.FOLDER, _HIDDEN),
    )
    return _items(connection, collection, rows)


def _frames(connection: sqlite3.Connection, collection: Collection, ids: Iterable[int]) -> dict[int, Item]:
    rows = one_step.rows(
        connection,
        11,
        f"SELECT frame.id, {_SHOWN}, node.id, frame.position FROM json_each(?) AS wanted "  # noqa: S608 - as above
        "CROSS JOIN frame ON frame.id = wanted.value JOIN node ON node.id = frame.media_id "
        "WHERE collection_id = ? AND marks & ? = 0",
        (json_ids(ids), collection.id, _HIDDEN),
    )
    return _items(connection, collection, [row[:9] for row in rows], {row[0]: (row[9], row[10]) for row in rows})


def _items(
    connection: sqlite3.Connection,
    collection: Collection,
    rows: Sequence[Sequence[Any]],
    frames: Mapping[int, tuple[int, int]] | None = None,
) -> dict[int, Item]:
    """
    Args:
        rows: an id and `_SHOWN`.
        frames: of further frames, their media's ids and their positions.
    """
    base_id, external = collection.id_base, int(Source.EXTERNAL)
    folders = folder_paths(connection, {row[1] for row in rows if row[3] != external})
    found = {}
    for item_id, parent_id, kind, source, name, uri, thumbnail_uri, group_id, disk_name in rows:
        node_id, frame = (item_id, 0) if frames is None else frames[item_id]
        if source != external:
            own = bytes.fromhex(disk_name) if disk_name else name.encode()
            folder = folders[parent_id]
            path: bytes | None = folder + b"/" + own if folder else own
        else:
            path = None if uri is None else uri.encode()
        group = None if group_id is None else group_id - base_id
        found[item_id] = Item(
            item_id - base_id, node_id, _KINDS[kind], name, path, thumbnail_uri, _SOURCES[source], group, frame
        )
    return found


def _find_groups(
    connection: sqlite3.Connection, collection: Collection, ids: Iterable[int], found: dict[int, Item]
) -> None:
    for group_id, kind, name, uri, thumbnail_uri, source_kind in connection.execute(
        "SELECT item_group.id, kind, name, uri, thumbnail_uri, source_kind "
        "FROM json_each(?) AS wanted CROSS JOIN item_group ON item_group.id = wanted.value WHERE collection_id = ?",
        (json_ids(ids), collection.id),
    ):
        source = Source.EXTERNAL if kind == GroupKind.IMPORTED else Source.UPLOAD
        found[group_id] = Item(
            group_id - collection.id_base, group_id, Kind(source_kind), name, uri.encode() if uri else None,
            thumbnail_uri, source, None, 0, is_group=True,
        )  # fmt: skip


def tags(
    snapshot: Snapshot, collection: Collection, ids: Sequence[int], tagset_ids: Sequence[int]
) -> dict[int, dict[int, list[Value]]]:
    """By item and tagset, the values that the item itself carries, sorted; both numbers less the base.

    Args:
        ids: of media and groups (of a frame, its media's).
    """
    connection = snapshot.connection
    asked = _tagsets_there(connection, collection, tagset_ids) if ids else ()
    if not asked:
        return {}
    kept = kept_of(connection, ("tags", collection.id, asked)) if len(asked) <= _KEPT_TAGSETS else {}
    if fresh := [item_id for item_id in ids if item_id not in kept]:
        found = _read_tags(connection, collection, fresh, asked)
        kept.update((item_id, found.get(item_id, {})) for item_id in fresh)
    return {item_id: kept[item_id] for item_id in ids if kept[item_id]}


def _tagsets_there(connection: sqlite3.Connection, collection: Collection, ids: Iterable[int]) -> tuple[int, ...]:
    """Those of the numbers that are tagsets, in one order whatever the caller's: they name what is kept."""
    wanted = json_ids(number for i in ids if (number := collection.id_base + i) in INT64)
    rows = one_step.rows(
        connection,
        1,
        "SELECT tagset.id FROM json_each(?) AS wanted CROSS JOIN tagset ON tagset.id = wanted.value "
        "WHERE tagset.collection_id = ?",
        (wanted, collection.id),
    )
    return tuple(sorted({tagset_id for (tagset_id,) in rows}))


def _read_tags(
    connection: sqlite3.Connection, collection: Collection, ids: Sequence[int], asked: Sequence[int]
) -> dict[int, dict[int, list[Value]]]:
    rows = one_step.rows(
        connection,
        3,
        f"SELECT tagging.item_id, tag.tagset_id, {_VALUE} FROM json_each(?) AS wanted "  # noqa: S608
        "CROSS JOIN tagging ON tagging.item_id = wanted.value JOIN tag ON tag.id = tagging.tag_id "
        "WHERE tag.tagset_id IN (SELECT wanted.value FROM json_each(?) AS wanted)",
        (json_ids(ids), json_ids(asked)),
    )
    found: dict[int, dict[int, list[Value]]] = {}
    for item_id, tagset_id, value in rows:
        sets = found.setdefault(item_id, {})
        sets.setdefault(tagset_id - collection.id_base, []).append(value)
    for sets in found.values():
        for values in sets.values():
            if len(values) > 1:
                values.sort(key=lambda value: (isinstance(value, str), value))
    return found


def members(snapshot: Snapshot, collection: Collection, group_id: int) -> list[int]:
    """All items of a group by time, then id; nothing for what is no group of the collection. Numbers less the base."""
    internal = _internal(collection, group_id)
    known = snapshot.connection.execute(
        "SELECT 1 FROM item_group WHERE id = ? AND collection_id = ?", (internal, collection.id)
    )
    return [] if known.fetchone() is None else _members(snapshot.connection, collection, internal)


def _members(connection: sqlite3.Connection, collection: Collection, group_id: int) -> list[int]:
    rows = connection.execute(
        "SELECT taken_us, id, marks, kind FROM node WHERE group_id = ? ORDER BY taken_us, id", (group_id,)
    ).fetchall()
    found: list[tuple[float, int]] = []
    for taken_us, node_id, marks, kind in rows:
        if not marks & _HIDDEN:
            found.append((taken_us or 0, node_id))
            if kind == Kind.VIDEO:
                frames = connection.execute(
                    "SELECT timestamp_s, id FROM frame WHERE media_id = ? AND position > 0", (node_id,)
                )
                found += [((taken_us or 0) + 1e6 * timestamp_s, frame_id) for timestamp_s, frame_id in frames]
    return [node_id - collection.id_base for _, node_id in sorted(found)]


def related(snapshot: Snapshot, collection: Collection, ids: Sequence[int]) -> dict[int, list[int]]:
    """For each id the other items of its group; nothing for an unknown one."""
    groups = {item.id: item.group_id for item in base(snapshot, collection, ids)}
    kept: dict[int, list[int]] = kept_of(snapshot.connection, ("members", collection.id))
    known: dict[int, list[int]] = {}
    for one in {group for group in groups.values() if group is not None}:
        known[one] = kept[one] if one in kept else members(snapshot, collection, one)
    kept |= {group: items for group, items in known.items() if len(items) <= _FEW_MEMBERS}
    found: dict[int, list[int]] = {}
    for item_id in ids:
        group = groups.get(item_id)
        found[item_id] = [] if group is None else [member for member in known[group] if member != item_id]
    return found


def excluded(snapshot: Snapshot, collection: Collection, item_id: int, group_ids: Iterable[int]) -> bool:
    """Whether the item's group is one of these; a group is excluded by its own number.

    Raises:
        ItemNotFound: there is no such item.
    """
    found = base(snapshot, collection, [item_id])
    if not found:
        raise ItemNotFound
    group = found[0].id if found[0].is_group else found[0].group_id
    return group is not None and group in set(group_ids)


def passing(snapshot: Snapshot, collection: Collection, filters: Expression | None) -> BitMap:
    """The media that pass the filters, as positions. A frame passes with its media."""
    connection = snapshot.connection
    everything = load(connection, Family.PRESENT, collection.id)
    return everything if filters is None else everything & _evaluated(connection, collection, filters, everything)


def _evaluated(connection: sqlite3.Connection, collection: Collection, node: Expression, everything: BitMap) -> BitMap:
    match node:
        case Branch(every, children, negated):
            found = everything.copy() if every else BitMap()
            for child in children:
                part = _evaluated(connection, collection, child, everything)
                found = found & part if every else found | part
        case Values(tagset_id, tag_ids, every, negated):
            found = _carrying(connection, collection, tagset_id, tag_ids, every, everything)
        case Range(tagset_id, lower, upper, negated):
            found = _carrying_any(connection, tags_within(connection, collection, tagset_id, lower, upper))
    return everything - found if negated else found


def _carrying(
    connection: sqlite3.Connection,
    collection: Collection,
    tagset_id: int,
    tag_ids: Sequence[int],
    every: bool,
    everything: BitMap,
) -> BitMap:
    internal = [collection.id_base + tag_id for tag_id in tag_ids if collection.id_base + tag_id in INT64]
    of_set = {
        tag_id
        for (tag_id,) in connection.execute(
            "SELECT tag.id FROM json_each(?) AS wanted CROSS JOIN tag ON tag.id = wanted.value "
            "JOIN tagset ON tagset.id = tag.tagset_id WHERE tagset.id = ? AND tagset.collection_id = ?",
            (json_ids(internal), _internal(collection, tagset_id), collection.id),
        )
    }
    if not every:
        return _carrying_any(connection, sorted(of_set))
    found = everything.copy()
    if len(internal) < len(tag_ids) or not of_set.issuperset(internal):
        return BitMap()
    for tag_id in of_set:
        found &= _carrying_any(connection, [tag_id])
    return found


def _carrying_any(connection: sqlite3.Connection, tag_ids: Sequence[int]) -> BitMap:
    own = load_any(connection, Family.TAGGED, tag_ids)
    return own | load_any(connection, Family.GROUP_TAGGED, tag_ids)


def tags_within(
    connection: sqlite3.Connection, collection: Collection, tagset_id: int, lower: Value | None, upper: Value | None
) -> list[int]:
    """The tags of a set between two bounds; a bound of another type than the set's bounds nothing in."""
    row = connection.execute(
        "SELECT tagtype FROM tagset WHERE id = ? AND collection_id = ?",
        (_internal(collection, tagset_id), collection.id),
    ).fetchone()
    if row is None:
        return []
    numeric = TagType(row[0]) in (TagType.NUMERICAL_INT, TagType.NUMERICAL_DEC)
    bounds = [(">=", lower), ("<=", upper)]
    if any(bound is not None and isinstance(bound, str) is numeric for _, bound in bounds):
        return []
    conditions = "".join(f" AND value {sign} ?" for sign, bound in bounds if bound is not None)
    rows = connection.execute(
        f"SELECT id FROM tag WHERE tagset_id = ?{conditions}",  # noqa: S608 - made of two signs
        (_internal(collection, tagset_id), *(bound for _, bound in bounds if bound is not None)),
    )
    return [tag_id for (tag_id,) in rows]


def _internal(collection: Collection, number: int) -> int:
    """A number of the dialect as ours; one that cannot be any item's when it is out of range."""
    internal = collection.id_base + number
    return internal if internal in INT64 else -1


@dataclass(frozen=True, slots=True)
class Tagset:
    id: int
    name: str
    tagtype: TagType


def tagsets(snapshot: Snapshot, collection: Collection) -> list[Tagset]:
    """By number, less the base."""
    rows = snapshot.connection.execute("SELECT id, name, tagtype FROM tagset WHERE collection_id = ?", (collection.id,))
    found = [Tagset(row[0] - collection.id_base, row[1], TagType(row[2])) for row in rows]
    return sorted(found, key=lambda tagset: tagset.id)


def tag_values(snapshot: Snapshot, collection: Collection, tagtype: TagType, tagset_id: int) -> list[tuple[int, Value]]:
    """Number and value of every tag of a set, by value; nothing when the set is not of this type. Of our own only
    those that something carries: an imported collection keeps all it came with."""
    rows = snapshot.connection.execute(
        "SELECT tag.id, tag.value FROM tagset JOIN tag ON tag.tagset_id = tagset.id "
        "WHERE tagset.id = ? AND tagset.collection_id = ? AND tagset.tagtype = ? AND (uses > 0 OR ?) "
        "ORDER BY tag.value",
        (_internal(collection, tagset_id), collection.id, tagtype, collection.imported),
    )
    return [(tag_id - collection.id_base, value) for tag_id, value in rows]


def total(snapshot: Snapshot, collection: Collection) -> int:
    """How many items have a vector."""
    return count(snapshot.connection, Family.EMBEDDED, collection.id)
