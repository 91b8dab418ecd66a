"""A collection of Exquisitor as the messages of an import: row by row, whatever its size."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from media_proto import metadata_pb2 as pb

from gateway.command.exquisitor_file import Collection

#: Rows of a message, each written in one transaction of the catalogue; fewer when they are long.
ROWS: Final = 1000
#: A message stays well below what the wire takes, even with the longest text on top.
BYTES: Final = 4 * 1024 * 1024
_KINDS: Final = {
    "image": pb.MEDIA_KIND_IMAGE,
    "video": pb.MEDIA_KIND_VIDEO,
    "audio": pb.MEDIA_KIND_AUDIO,
    "text": pb.MEDIA_KIND_TEXT,
    "document": pb.MEDIA_KIND_DOCUMENT,
    "model": pb.MEDIA_KIND_MODEL,
}
_GROUPS: Final = "(SELECT group_id FROM medias WHERE group_id IS NOT NULL)"


@dataclass(frozen=True, slots=True)
class Addresses:
    """What the files are called by; their rows hold what comes after it."""

    originals: str
    thumbnails: str


def parts_of(collection: Collection, name: str, addresses: Addresses) -> Iterator[pb.ImportPart]:
    """The beginning, tags, groups, items, the end. Raises sqlite3.Error."""
    tagsets = [pb.Tagset(relative_id=one.id, name=one.name, tagtype=one.tagtype) for one in collection.tagsets]
    yield pb.ImportPart(
        begin=pb.ImportBegin(
            name=name,
            originals_url=addresses.originals,
            thumbnails_url=addresses.thumbnails,
            last_id=collection.last_id,
            tagsets=tagsets,
        )
    )
    for table in collection.value_tables:
        yield from _tags(collection.connection, table)
    kinds = _kinds(collection.connection)
    yield from _items(collection, kinds, groups=True)
    yield from _items(collection, kinds, groups=False)
    yield pb.ImportPart(end=pb.ImportEnd(items=collection.groups + collection.items))


def rows_of(part: pb.ImportPart) -> int:
    """What a progress bar counts."""
    return len(part.tags.tags) + len(part.items.items)


def _tags(connection: sqlite3.Connection, table: str) -> Iterator[pb.ImportPart]:
    tags, size = pb.ImportTags(), 0
    rows = connection.execute(f"SELECT id, tagset_id, value FROM {table} ORDER BY id")  # noqa: S608 - a name of our own
    for tag_id, tagset_id, value in rows:
        tags.tags.append(pb.ImportTag(relative_id=tag_id, tagset_id=tagset_id, value=_value(value)))
        size += len(value) if isinstance(value, str) else 0
        if len(tags.tags) >= ROWS or size >= BYTES:
            yield pb.ImportPart(tags=tags)
            tags, size = pb.ImportTags(), 0
    if tags.tags:
        yield pb.ImportPart(tags=tags)


def _value(value: Any) -> pb.Value:
    match value:
        case int():
            return pb.Value(whole=value)
        case float():
            return pb.Value(decimal=value)
        case _:
            return pb.Value(text=value)


def _kinds(connection: sqlite3.Connection) -> dict[int | None, pb.MediaKind.ValueType]:
    """By source type; those that the catalogue has no word for are `other`."""
    rows = connection.execute("SELECT id, name FROM source_types")
    return {number: _KINDS.get(str(name).strip().lower(), pb.MEDIA_KIND_OTHER) for number, name in rows}


def _items(
    collection: Collection, kinds: dict[int | None, pb.MediaKind.ValueType], *, groups: bool
) -> Iterator[pb.ImportPart]:
    """Medias in the order of their ids, so that each batch touches few sets of the catalogue."""
    of_these = f"{'IN' if groups else 'NOT IN'} {_GROUPS}"
    rows = collection.connection.execute(
        f"SELECT id, {collection.uri_column}, thumbnail_uri, source_type, group_id FROM medias "  # noqa: S608
        f"WHERE id {of_these} ORDER BY id"
    )
    carried = _Carried(collection.connection, of_these)
    items, size = pb.ImportItems(), 0
    for media_id, uri, thumbnail_uri, source_type, group_id in rows:
        tag_ids = carried.by(media_id)
        items.items.append(
            pb.ImportItem(
                relative_id=media_id,
                uri=uri,
                thumbnail_uri=thumbnail_uri,
                kind=kinds.get(source_type, pb.MEDIA_KIND_OTHER),
                is_group=groups,
                group_id=group_id,
                tag_ids=tag_ids,
            )
        )
        size += len(uri or "") + len(thumbnail_uri or "") + 8 * len(tag_ids)
        if len(items.items) >= ROWS or size >= BYTES:
            yield pb.ImportPart(items=items)
            items, size = pb.ImportItems(), 0
    if items.items:
        yield pb.ImportPart(items=items)


class _Carried:
    """The tags of medias that are asked for in the order of their ids."""

    def __init__(self, connection: sqlite3.Connection, of_these: str) -> None:
        self._rows = connection.execute(
            "SELECT DISTINCT media_id, tag_id FROM taggings "  # noqa: S608 - our own text
            f"WHERE media_id {of_these} ORDER BY media_id, tag_id"
        )
        self._next = self._rows.fetchone()

    def by(self, media_id: int) -> list[int]:
        tag_ids = []
        while self._next is not None and self._next[0] == media_id:
            tag_ids.append(self._next[1])
            self._next = self._rows.fetchone()
        return tag_ids
