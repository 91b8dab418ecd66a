"""Frames, the objects found in them, clusters of objects, and which media have a vector."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from pyroaring import BitMap

from metadata_service.domain.errors import FrameNotFound, ItemNotFound, ObjectNotFound
from metadata_service.domain.groups import GroupKind
from metadata_service.domain.ids import child_uuid
from metadata_service.domain.media import Collection, Kind, Marks
from metadata_service.store import cluster_members
from metadata_service.store.bits import Family
from metadata_service.store.groups import add_group, set_group
from metadata_service.store.snapshot import Snapshot
from metadata_service.store.transaction import Transaction

#: The kind of the object that stands for a whole frame: what "find similar" starts from without any detector.
WHOLE = "frame"
_HIDDEN: Final = int(Marks.GONE | Marks.EMPTIED)


@dataclass(frozen=True, slots=True)
class FrameGiven:
    """A processed frame."""

    timestamp_s: float
    width_px: int | None
    height_px: int | None
    caption: str = ""


@dataclass(frozen=True, slots=True)
class ObjectGiven:
    """A detection, from a detector or from a person's import."""

    frame: int
    kind: str
    label: str
    model: str
    shape: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ObjectFound:
    """Where an object is."""

    id: int
    uuid: UUID
    frame_id: int
    frame: int
    media_id: int
    collection_id: int
    model: str
    whole: bool
    shape: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Detection:
    """An object as search sees it."""

    id: int
    media_id: int
    frame: int
    model: str
    shape_json: str


@dataclass(frozen=True, slots=True)
class Cluster:
    uuid: UUID
    label: str
    size: int
    object_uuid: UUID


def set_frames(txn: Transaction, media_id: int, frames: Sequence[FrameGiven], embedded: bool) -> list[int]:
    """Make a media's frames these, the first with the media's own number; done again it changes nothing.

    A frame keeps its number while there is one in its place, and no number is ever given to another.

    Returns:
        the frames' ids.
    Raises:
        ItemNotFound: there is no such media.
    """
    row = txn.execute("SELECT collection_id, uuid, marks, kind, group_id FROM node WHERE id = ?", media_id).fetchone()
    if row is None or Marks(row[2]) & Marks.EMPTIED or row[3] == Kind.FOLDER:
        raise ItemNotFound
    collection, media_uuid = txn.collection(row[0]), UUID(bytes=row[1])
    rows = txn.execute("SELECT position, id, caption FROM frame WHERE media_id = ?", media_id).fetchall()
    known = {position: frame_id for position, frame_id, _ in rows}
    ids = []
    for position, frame in enumerate(frames):
        frame_id = known.pop(position, None)
        facts = (frame.timestamp_s, frame.width_px, frame.height_px, frame.caption)
        if frame_id is None:
            frame_id = media_id if position == 0 else txn.next_id(collection)
            _add_frame(txn, media_id, media_uuid, frame_id, position, facts)
        else:
            txn.execute(
                "UPDATE frame SET timestamp_s = ?, width_px = ?, height_px = ?, caption = ? WHERE id = ?",
                *facts, frame_id,
            )  # fmt: skip
        ids.append(int(frame_id))
    for frame_id in known.values():
        objects = [row[0] for row in txn.execute("SELECT id FROM object WHERE frame_id = ?", frame_id)]
        cluster_members.lost(txn, collection, objects)
        txn.execute("DELETE FROM object WHERE frame_id = ?", frame_id)
        txn.execute("DELETE FROM frame WHERE id = ?", frame_id)
    if row[3] == Kind.VIDEO:
        _group(txn, collection, media_id, row[4], len(ids))
    # What is gone has lost its vector, whoever is still at work on it.
    txn.bits.put(Family.EMBEDDED, collection.id, media_id - collection.id_base, embedded and Marks(row[2]).present)
    if sorted(caption for *_, caption in rows if caption) != sorted(frame.caption for frame in frames if frame.caption):
        txn.reworded(media_id)
    return ids


def _group(txn: Transaction, collection: Collection, media_id: int, group_id: int | None, frames: int) -> None:
    """A video and its further frames are a group, unless it is in one that came with an import."""
    if group_id is None:
        if frames > 1:
            add_group(txn, collection, GroupKind.FRAMES, [media_id], source_kind=Kind.VIDEO)
    elif frames < 2 and txn.one("SELECT kind FROM item_group WHERE id = ?", group_id) == GroupKind.FRAMES:
        set_group(txn, collection, media_id, None)


def set_embedded(txn: Transaction, media_ids: Iterable[int], embedded: bool) -> None:
    """Which media have a vector; those that are not there are passed over. What has no frame yet gets its first, so
    that there is something to find similar ones from."""
    rows = txn.execute(
        "SELECT node.id, collection_id, node.uuid, node.width_px, node.height_px, frame.id FROM json_each(?) AS wanted "
        "CROSS JOIN node ON node.id = wanted.value LEFT JOIN frame ON frame.media_id = node.id AND position = 0 "
        "WHERE kind <> ? AND marks & ? = 0",
        json.dumps(list(media_ids)), Kind.FOLDER, _HIDDEN,
    ).fetchall()  # fmt: skip
    for media_id, collection_id, uuid, width_px, height_px, frame_id in rows:
        collection = txn.collection(collection_id)
        txn.bits.put(Family.EMBEDDED, collection.id, media_id - collection.id_base, embedded)
        if embedded and frame_id is None:
            _add_frame(txn, media_id, UUID(bytes=uuid), media_id, 0, (0.0, width_px, height_px, ""))


def _add_frame(
    txn: Transaction,
    media_id: int,
    media_uuid: UUID,
    frame_id: int,
    position: int,
    facts: tuple[float, int | None, int | None, str],
) -> None:
    """With the object that stands for it as a whole.

    Args:
        facts: time, width, height, caption.
    """
    uuid = child_uuid(media_uuid, "frame", str(position))
    txn.execute("INSERT INTO frame VALUES (?, ?, ?, ?, ?, ?, ?, ?)", frame_id, uuid.bytes, media_id, position, *facts)
    _add_object(txn, frame_id, child_uuid(uuid, "object", WHOLE), True, WHOLE, "", "", {})


def _add_object(
    txn: Transaction, frame_id: int, uuid: UUID, whole: bool, kind: str, label: str, model: str, shape: dict[str, Any]
) -> int:
    """Its number, which no other object ever had: vectors are kept by it."""
    object_id = txn.next_of("object id")
    txn.execute(
        "INSERT INTO object VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        object_id, uuid.bytes, frame_id, whole, kind, label, model, json.dumps(shape),
    )  # fmt: skip
    return object_id


def add_objects(txn: Transaction, media_id: int, objects: Sequence[ObjectGiven]) -> list[tuple[int, UUID]]:
    """Number and id of each new object.

    Raises:
        FrameNotFound: the media has no such frame.
    """
    added = []
    for given in objects:
        row = txn.execute(
            "SELECT id, uuid FROM frame WHERE media_id = ? AND position = ?", media_id, given.frame
        ).fetchone()
        if row is None:
            raise FrameNotFound
        number = txn.next_of("object")
        uuid = child_uuid(UUID(bytes=row[1]), "object", str(number))
        object_id = _add_object(txn, row[0], uuid, False, given.kind, given.label, given.model, given.shape)
        added.append((object_id, uuid))
    return added


def remove_objects(txn: Transaction, object_ids: Sequence[int]) -> None:
    """Detections, and not what stands for a whole frame; unknown ones are passed over."""
    txn.execute(
        "DELETE FROM object WHERE id IN (SELECT value FROM json_each(?)) AND NOT whole", json.dumps([*object_ids])
    )


def find_object(snapshot: Snapshot, collection: Collection, uuid: UUID) -> ObjectFound:
    """
    Raises:
        ObjectNotFound: the collection has none with this id.
    """
    row = snapshot.connection.execute(
        "SELECT object.id, object.uuid, frame.id, frame.position, frame.media_id, node.collection_id, object.model, "
        "object.whole, object.shape FROM object JOIN frame ON frame.id = object.frame_id "
        "JOIN node ON node.id = frame.media_id WHERE object.uuid = ? AND node.collection_id = ?",
        (uuid.bytes, collection.id),
    ).fetchone()
    if row is None:
        raise ObjectNotFound
    return ObjectFound(
        id=row[0],
        uuid=UUID(bytes=row[1]),
        frame_id=row[2],
        frame=row[3],
        media_id=row[4],
        collection_id=row[5],
        model=row[6],
        whole=bool(row[7]),
        shape=json.loads(row[8]),
    )


def detections(snapshot: Snapshot, after_id: int, limit: int) -> list[Detection]:
    """Of files that are there, trashed ones too, by number."""
    rows = snapshot.connection.execute(
        "SELECT object.id, media_id, position, model, shape FROM object INDEXED BY object_detected "
        "JOIN frame ON frame.id = frame_id JOIN node ON node.id = media_id "
        "JOIN collection ON collection.id = node.collection_id "
        "WHERE object.id > ? AND NOT whole AND marks & ? = 0 AND complete ORDER BY object.id LIMIT ?",
        (after_id, _HIDDEN, limit),
    )
    return [Detection(*row) for row in rows]


def set_clusters(
    txn: Transaction, collection: Collection, model: str, clusters: Iterable[tuple[str, int, Sequence[int]]]
) -> None:
    """Replace the clusters of a model.

    Args:
        clusters: label, the object nearest to the middle, all objects. Without a label it has the one that most of
            its objects have.
    """
    for (old_id,) in txn.execute(
        "SELECT id FROM cluster WHERE collection_id = ? AND model = ?", collection.id, model
    ).fetchall():
        cluster_members.drop(txn, old_id)
    for label, middle_id, object_ids in clusters:
        number = txn.next_of("cluster")
        label = label or _usual_label(txn, object_ids)
        uuid = child_uuid(collection.uuid, "cluster", str(number))
        txn.execute(
            "INSERT INTO cluster VALUES (?, ?, ?, ?, ?, ?, ?)",
            number, uuid.bytes, collection.id, model, label, len(object_ids), middle_id,
        )  # fmt: skip
        media_ids = set()
        for object_id in object_ids:
            txn.execute("INSERT INTO cluster_object VALUES (?, ?)", number, object_id)
            media_ids.add(
                txn.one("SELECT media_id FROM object JOIN frame ON frame.id = frame_id WHERE object.id = ?", object_id)
            )
        positions = BitMap(media_id - collection.id_base for media_id in media_ids if media_id is not None)
        txn.bits.add_all(Family.CLUSTERED, number, positions)


def _usual_label(txn: Transaction, object_ids: Sequence[int]) -> str:
    row = txn.execute(
        "SELECT label FROM json_each(?) AS wanted CROSS JOIN object ON object.id = wanted.value "
        "GROUP BY label ORDER BY count(*) DESC, label LIMIT 1",
        json.dumps(list(object_ids)),
    ).fetchone()
    return "" if row is None else str(row[0])


def clusters(snapshot: Snapshot, collection: Collection, model: str) -> list[Cluster]:
    """The clusters of a model, the largest first."""
    rows = snapshot.connection.execute(
        "SELECT cluster.uuid, cluster.label, cluster.size, object.uuid FROM cluster "
        "JOIN object ON object.id = cluster.object_id WHERE cluster.collection_id = ? AND cluster.model = ?",
        (collection.id, model),
    )
    found = [Cluster(UUID(bytes=row[0]), row[1], row[2], UUID(bytes=row[3])) for row in rows]
    return sorted(found, key=lambda cluster: (-cluster.size, cluster.uuid.int))
