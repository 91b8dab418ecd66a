"""Everything that is printed of the items of a page, read for the whole page at once."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from pyroaring import BitMap

from metadata_service.domain.errors import ItemNotFound
from metadata_service.domain.media import (
    COUNTED,
    DetectedObject,
    Facts,
    Frame,
    Kind,
    Marks,
    Media,
    Source,
)
from metadata_service.domain.tags import Value
from metadata_service.store import one_step
from metadata_service.store.bits import Family, from_the_end
from metadata_service.store.listing import json_ids, listed
from metadata_service.store.orders import by_position
from metadata_service.store.paths import ids_of
from metadata_service.store.snapshot import Snapshot
from metadata_service.store.transaction import collection_of

#: Thumbnails shown of a folder's contents.
PREVIEWS: Final = 3
_FACTS: Final = tuple(Facts.__dataclass_fields__)
_COLUMNS: Final = (
    "id", "uuid", "collection_id", "parent_id", "kind", "source", "marks", "name", "disk_name", "created_us",
    "updated_us", "description", "prompt", "metadata", "sha256", "content_type", "uri", "thumbnail_uri", "group_id",
    "version_root_id", *_FACTS,
)  # fmt: skip
_WIDTH, _HEIGHT = _COLUMNS.index("width_px"), _COLUMNS.index("height_px")
_ROWS: Final = (
    f"SELECT {', '.join('node.' + name for name in _COLUMNS)} "  # noqa: S608 - names of our own
    "FROM json_each(?) AS wanted CROSS JOIN node ON node.id = wanted.value"
)

_PATHS: Final = (
    "SELECT folder.id, hex(folder.path) FROM json_each(?) AS wanted CROSS JOIN folder ON folder.id = wanted.value"
)
_PARTS: Final = (
    "SELECT node.id, hex(node.uuid), hex(node.disk_name), node.name FROM json_each(?) AS wanted "
    "CROSS JOIN node ON node.id = wanted.value"
)
_TAGS: Final = (
    f"SELECT tagging.item_id, tagset.name, {one_step.exact('tag.value')} FROM json_each(?) AS wanted "  # noqa: S608
    "CROSS JOIN tagging ON tagging.item_id = wanted.value JOIN tag ON tag.id = tagging.tag_id "
    "JOIN tagset ON tagset.id = tag.tagset_id"
)


def media(snapshot: Snapshot, ids: Sequence[int]) -> list[Media]:
    """The items in the order asked for; those that are not there are left out."""
    connection = snapshot.connection
    rows = {row[0]: row for row in connection.execute(_ROWS, (json_ids(ids),))}
    folders = _Folders(connection, (row[3] for row in rows.values() if row[3] is not None))
    files = [row[0] for row in rows.values() if row[4] != Kind.FOLDER]
    pictures = {row[0]: (row[_WIDTH], row[_HEIGHT]) for row in rows.values() if row[4] == Kind.IMAGE}
    tags, frames = tags_of(connection, rows), frames_of(connection, files, pictures)
    versions = _versions(connection, {row[19] for row in rows.values() if row[19] is not None})
    found = []
    for node_id in ids:
        row = rows.get(node_id)
        if row is None or row[3] is None:
            continue
        kind = Kind(row[4])
        labels, relative = folders.of(row[3])
        raw_name = row[7].encode() if row[8] is None else bytes(row[8])
        shown, whole = frames.get(node_id, ((), None))
        found.append(
            Media(
                id=node_id,
                uuid=UUID(bytes=row[1]),
                collection_id=row[2],
                kind=kind,
                name=row[7],
                path=(*labels, UUID(bytes=row[1])),
                relative_path=_joined(relative, raw_name) if row[5] != Source.EXTERNAL else (row[16] or "").encode(),
                source=Source(row[5]),
                marks=Marks(row[6]),
                facts=Facts(*row[20:]),
                created_us=row[9],
                updated_us=row[10],
                description=row[11],
                prompt=row[12],
                metadata=json.loads(row[13]) if row[13] else {},
                tags=tags.get(node_id, {}),
                sha256=row[14],
                content_type=row[15],
                group_id=row[18],
                total_versions=versions.get(row[19], 1),
                thumbnail_uri=row[17],
                frames=shown,
                frame_object=whole,
                items_below=folders.items_below(node_id) if kind is Kind.FOLDER else None,
                previews=folders.previews(row[2], node_id) if kind is Kind.FOLDER else None,
            )
        )
    return found


def one(snapshot: Snapshot, uuid: UUID) -> Media:
    """An item or folder by its public id, trashed ones and old versions too.

    Raises:
        ItemNotFound: there is none, it was emptied, or its collection is still being imported.
    """
    row = snapshot.connection.execute(
        "SELECT node.id FROM node JOIN collection ON collection.id = collection_id WHERE node.uuid = ? AND complete",
        (uuid.bytes,),
    ).fetchone()
    found = [] if row is None else media(snapshot, [row[0]])
    if not found or found[0].marks & Marks.EMPTIED:
        raise ItemNotFound
    return found[0]


def versions(snapshot: Snapshot, node_id: int) -> list[Media]:
    """All versions of an item that are not deleted, the first one first."""
    rows = snapshot.connection.execute(
        "SELECT id FROM node WHERE version_root_id = (SELECT version_root_id FROM node WHERE id = ?) ORDER BY id",
        (node_id,),
    ).fetchall()
    found = media(snapshot, [row[0] for row in rows] or [node_id])
    return [item for item in found if not item.marks & (Marks.TRASHED | Marks.EMPTIED)]


def tags_of(connection: sqlite3.Connection, ids: Iterable[int]) -> dict[int, dict[str, list[Value]]]:
    """By item and tagset name, the values it carries itself, sorted."""
    found: dict[int, dict[str, list[Value]]] = defaultdict(lambda: defaultdict(list))
    for item_id, name, value in one_step.rows(connection, 3, _TAGS, (json_ids(ids),)):
        found[item_id][name].append(value)
    return {
        item_id: {
            name: values if len(values) == 1 else sorted(values, key=_typed) for name, values in sorted(sets.items())
        }
        for item_id, sets in found.items()
    }


def _typed(value: Value) -> tuple[bool, Any]:
    return isinstance(value, str), value


def frames_of(
    connection: sqlite3.Connection, media_ids: Sequence[int], pictures: Mapping[int, tuple[int | None, int | None]]
) -> dict[int, tuple[tuple[Frame, ...], UUID | None]]:
    """By media: its frames with their detected objects, and the object that stands for the whole of frame 0.

    Args:
        pictures: the sizes of images. An image's frame is the image: what is known of its size now counts, whenever
            the frame was made.
    """
    wanted = json_ids(media_ids)
    objects: dict[int, list[DetectedObject]] = defaultdict(list)
    whole: dict[int, UUID] = {}
    for row in connection.execute(
        "SELECT object.frame_id, object.id, object.uuid, object.kind, object.label, object.model, object.shape, whole "
        "FROM json_each(?) AS wanted CROSS JOIN frame ON frame.media_id = wanted.value "
        "JOIN object ON object.frame_id = frame.id",
        (wanted,),
    ):
        if row[7]:
            whole[row[0]] = UUID(bytes=row[2])
        else:
            objects[row[0]].append(
                DetectedObject(row[1], UUID(bytes=row[2]), row[3], row[4], row[5], json.loads(row[6]))
            )
    found: dict[int, tuple[tuple[Frame, ...], UUID | None]] = {}
    for row in connection.execute(
        "SELECT frame.media_id, frame.id, frame.uuid, frame.position, frame.timestamp_s, frame.width_px, "
        "frame.height_px FROM json_each(?) AS wanted CROSS JOIN frame ON frame.media_id = wanted.value",
        (wanted,),
    ):
        shown, first = found.get(row[0], ((), None))
        width, height = pictures.get(row[0], (None, None))
        if width is None or height is None:
            width, height = row[5], row[6]
        frame = Frame(row[1], UUID(bytes=row[2]), row[3], row[4], width, height, _ordered(objects[row[1]]))
        found[row[0]] = (tuple(sorted((*shown, frame), key=lambda f: f.index)), first or whole.get(row[0]))
    return found


def _ordered(objects: Iterable[DetectedObject]) -> tuple[DetectedObject, ...]:
    return tuple(sorted(objects, key=lambda found: found.id))


def _versions(connection: sqlite3.Connection, roots: set[int]) -> dict[int, int]:
    """By the first version: how many there are that are not deleted."""
    deleted = Marks.TRASHED | Marks.EMPTIED
    return {
        root: connection.execute(
            "SELECT count(*) FROM node WHERE version_root_id = ? AND marks & ? = 0", (root, int(deleted))
        ).fetchone()[0]
        for root in roots
    }


def _joined(folder: bytes, name: bytes) -> bytes:
    return folder + b"/" + name if folder else name


class _Folders:
    """The folders above a page's items, all read at once."""

    def __init__(self, connection: sqlite3.Connection, folder_ids: Iterable[int]) -> None:
        self._connection = connection
        self._shown: dict[int, tuple[int, BitMap]] = {}
        chains = {
            folder_id: ids_of(bytes.fromhex(path))
            for folder_id, path in one_step.rows(connection, 2, _PATHS, (json_ids(set(folder_ids)),))
        }
        parts = {
            part: (UUID(hex=uuid), bytes.fromhex(disk_name) if disk_name else name.encode())
            for part, uuid, disk_name, name in one_step.rows(
                connection, 4, _PARTS, (json_ids({part for chain in chains.values() for part in chain}),)
            )
        }
        self._known = {
            folder_id: (
                tuple(parts[part][0] for part in chain),
                b"/".join([parts[part][1] for part in chain[1:]]),
            )
            for folder_id, chain in chains.items()
        }

    def of(self, folder_id: int) -> tuple[tuple[UUID, ...], bytes]:
        """The ids from the collection's down to the folder's, and its path relative to the root."""
        return self._known[folder_id]

    def items_below(self, folder_id: int) -> int:
        (items,) = self._connection.execute("SELECT items_below FROM folder WHERE id = ?", (folder_id,)).fetchone()
        return int(items)

    def previews(self, collection_id: int, folder_id: int) -> tuple[int, ...]:
        """The newest listed images and videos below a folder."""
        if collection_id not in self._shown:
            collection = collection_of(self._connection, collection_id)
            self._shown[collection_id] = collection.id_base, listed(self._connection, collection, COUNTED)
        base, shown = self._shown[collection_id]
        found: list[int] = []
        for part in from_the_end(self._connection, Family.BELOW, folder_id):
            found += by_position(shown & part, 0, PREVIEWS - len(found), True)
            if len(found) == PREVIEWS:
                break
        return tuple(base + position for position in found)
