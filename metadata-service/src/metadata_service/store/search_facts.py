"""What search asks of the catalogue: what items are found and filtered by, everything there is to search, and the tags
that filters mean."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from media_common.dates import dated_us

from metadata_service.domain.errors import FilterTooLarge
from metadata_service.domain.filters import Range, Values
from metadata_service.domain.ids import INT64
from metadata_service.domain.media import Collection, Kind, Marks, Source
from metadata_service.store import retrieval
from metadata_service.store.bits import Family, load
from metadata_service.store.listing import json_ids
from metadata_service.store.paths import folder_paths, ids_of
from metadata_service.store.snapshot import Snapshot
from metadata_service.store.transaction import collection_of

_HIDDEN: Final = int(Marks.GONE | Marks.EMPTIED)
#: Tags that a filter may mean, all its choices together: what fits in an answer.
MAX_MEANT: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class SearchFacts:
    """An item as search sees it."""

    media_id: int
    collection_id: int
    kind: Kind
    listed: bool
    created_us: int
    taken_us: int  # 0: not known
    dated_us: int  # when it is from, taken or not
    tag_ids: tuple[int, ...]  # its own and its group's, sorted
    own_tag_ids: tuple[int, ...]  # sorted
    group_ids: tuple[int, ...]
    folder_ids: tuple[int, ...]  # from the collection's root folder down
    embedded: bool
    pixels: bytes | str | None  # an absolute path, a blob's name, or elsewhere
    seal: str  # another one when the pixels may be others
    size_bytes: int
    duration_s: float | None
    name: str


def facts(snapshot: Snapshot, media_ids: Sequence[int]) -> list[SearchFacts]:
    """Of files that are there, in the order asked for; the others are left out, and so is what is being imported."""
    connection = snapshot.connection
    rows = connection.execute(
        "SELECT node.id, collection_id, parent_id, kind, source, listed, node.name, disk_name, sha256, "
        "node.created_us, taken_us, duration_s, size_bytes, modified_us, inode, group_id FROM json_each(?) AS wanted "
        "CROSS JOIN node ON node.id = wanted.value JOIN collection ON collection.id = node.collection_id "
        "WHERE kind <> ? AND marks & ? = 0 AND complete",
        (json_ids(set(media_ids)), Kind.FOLDER, _HIDDEN),
    ).fetchall()
    collections = {
        collection_id: collection_of(connection, collection_id) for collection_id in {row[1] for row in rows}
    }
    embedded = {collection_id: load(connection, Family.EMBEDDED, collection_id) for collection_id in collections}
    parents = {row[2] for row in rows}
    above, names = _above(connection, parents), folder_paths(connection, parents)
    tags = _tags(connection, {row[0] for row in rows} | {row[15] for row in rows if row[15] is not None})
    found = {}
    for (
        node_id, collection_id, parent_id, kind, source, listed, name, disk_name, sha256, created_us,
        taken_us, duration_s, size_bytes, modified_us, inode, group_id,
    ) in rows:  # fmt: skip
        collection = collections[collection_id]
        pixels: bytes | str | None = None
        seal = ""
        if source == Source.IN_PLACE and collection.root_path is not None:
            parts = (collection.root_path.rstrip(b"/"), names[parent_id], disk_name)
            pixels, seal = b"/".join(part for part in parts if part), f"{size_bytes}-{modified_us}-{inode}"
        elif source == Source.UPLOAD and sha256 is not None:
            pixels = seal = sha256.hex()
        found[node_id] = SearchFacts(
            media_id=node_id,
            collection_id=collection_id,
            kind=Kind(kind),
            listed=bool(listed),
            created_us=created_us,
            taken_us=taken_us or 0,
            dated_us=dated_us(taken_us, modified_us),
            tag_ids=tuple(sorted({*tags[node_id], *(() if group_id is None else tags[group_id])})),
            own_tag_ids=tuple(sorted(tags[node_id])),
            group_ids=() if group_id is None else (group_id,),
            folder_ids=above[parent_id],
            embedded=node_id - collection.id_base in embedded[collection_id],
            pixels=pixels,
            seal=seal,
            size_bytes=size_bytes,
            duration_s=duration_s,
            name=name,
        )
    return [found[media_id] for media_id in dict.fromkeys(media_ids) if media_id in found]


def _above(connection: sqlite3.Connection, folder_ids: Iterable[int]) -> dict[int, tuple[int, ...]]:
    rows = connection.execute(
        "SELECT folder.id, folder.path FROM json_each(?) AS wanted CROSS JOIN folder ON folder.id = wanted.value",
        (json_ids(folder_ids),),
    )
    return {folder_id: tuple(ids_of(path)) for folder_id, path in rows}


def _tags(connection: sqlite3.Connection, ids: Iterable[int]) -> Mapping[int, list[int]]:
    """By item or group, the tags it carries itself."""
    found: dict[int, list[int]] = defaultdict(list)
    for item_id, tag_id in connection.execute(
        "SELECT item_id, tag_id FROM json_each(?) AS wanted CROSS JOIN tagging ON item_id = wanted.value",
        (json_ids(ids),),
    ):
        found[item_id].append(tag_id)
    return found


def searchable(snapshot: Snapshot, after_id: int, limit: int) -> list[int]:
    """The next images and videos that are there, by id, of all collections that are shown."""
    rows = snapshot.connection.execute(
        "SELECT node.id FROM node CROSS JOIN collection ON collection.id = node.collection_id "
        "WHERE node.id > ? AND kind IN (?, ?) AND marks & ? = 0 AND complete ORDER BY node.id LIMIT ?",
        (after_id, Kind.IMAGE, Kind.VIDEO, _HIDDEN, limit),
    )
    return [node_id for (node_id,) in rows]


def tags_meant(
    snapshot: Snapshot, collection: Collection, choices: Iterable[Values | Range], most: int = MAX_MEANT
) -> list[list[int]]:
    """For each choice its tags, sorted; what is no tag of the set is left out.

    Raises:
        FilterTooLarge: together they mean more than `most`.
    """
    meant: list[list[int]] = []
    left = most
    for choice in choices:
        tag_ids = sorted(_tags_of(snapshot.connection, collection, choice))
        left -= len(tag_ids)
        if left < 0:
            raise FilterTooLarge(f"A filter may mean {most} tags at most.")
        meant.append(tag_ids)
    return meant


def _tags_of(connection: sqlite3.Connection, collection: Collection, choice: Values | Range) -> Iterable[int]:
    if isinstance(choice, Range):
        return retrieval.tags_within(connection, collection, choice.tagset_id, choice.lower, choice.upper)
    return _tags_among(connection, collection, choice)


def _tags_among(connection: sqlite3.Connection, collection: Collection, choice: Values) -> set[int]:
    wanted = [collection.id_base + tag_id for tag_id in choice.tag_ids if collection.id_base + tag_id in INT64]
    tagset_id = collection.id_base + choice.tagset_id
    rows = connection.execute(
        "SELECT tag.id, tag.tagset_id FROM json_each(?) AS wanted CROSS JOIN tag ON tag.id = wanted.value "
        "JOIN tagset ON tagset.id = tag.tagset_id WHERE tagset.collection_id = ?",
        (json_ids(wanted), collection.id),
    )
    return {tag_id for tag_id, of_set in rows if of_set == tagset_id}
