"""Messages from the domain's values and back: one function a pair, no decision."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import orjson
from media_common.errors import InvalidArgument
from media_common.kept import KeptFile, KeptUploads
from media_proto import metadata_pb2 as pb

from metadata_service.domain.filters import Sort
from metadata_service.domain.keys import Key
from metadata_service.domain.media import Collection, DetectedObject, Facts, Frame, Kind, Marks, Media
from metadata_service.domain.tags import TagType, Value
from metadata_service.store.frames import Cluster, FrameGiven, ObjectFound, ObjectGiven
from metadata_service.store.retrieval import Item, Tagset

_FACTS: Final = tuple(Facts.__dataclass_fields__)


# From requests


def uuid_of(data: bytes) -> UUID:
    """Raises InvalidArgument."""
    if len(data) != 16:
        raise InvalidArgument("An id must be 16 bytes.")
    return UUID(bytes=data)


def uuids_of(path: Iterable[bytes]) -> tuple[UUID, ...]:
    """Raises InvalidArgument."""
    return tuple(uuid_of(label) for label in path)


def kinds_of(numbers: Sequence[int]) -> frozenset[Kind] | None:
    """None: all. Raises InvalidArgument."""
    try:
        return frozenset(Kind(number) for number in numbers) or None
    except ValueError as error:
        raise InvalidArgument("The kind is not one of the catalogue's.") from error


def kind_of(number: int) -> Kind:
    """Raises InvalidArgument."""
    return next(iter(kinds_of([number]) or ()))


def sort_of(number: int) -> Sort:
    """Unspecified is by creation. Raises InvalidArgument."""
    try:
        return Sort(number or Sort.CREATED)
    except ValueError as error:
        raise InvalidArgument("The order is not one of the catalogue's.") from error


def tagtype_of(number: int) -> TagType:
    """Raises InvalidArgument."""
    try:
        return TagType(number)
    except ValueError as error:
        raise InvalidArgument("The tag type is not one of the seven.") from error


def object_of(text: str) -> dict[str, Any]:
    """A JSON object. Raises InvalidArgument."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidArgument("The metadata is not JSON.") from error
    if not isinstance(found, dict):
        raise InvalidArgument("The metadata must be a JSON object.")
    return found


def facts_of(facts: pb.Facts) -> Facts:
    given = {name.name for name, _ in facts.ListFields()}
    return Facts(**{name: getattr(facts, name) for name in _FACTS if name in given})


def frame_of(frame: pb.GivenFrame) -> FrameGiven:
    width = frame.width_px if frame.HasField("width_px") else None
    height = frame.height_px if frame.HasField("height_px") else None
    return FrameGiven(frame.timestamp_s, width, height, frame.caption)


def given_object_of(given: pb.GivenObject) -> ObjectGiven:
    return ObjectGiven(given.frame, given.kind, given.label, given.model, object_of(given.shape_json or "{}"))


# To answers


def collection(one: Collection) -> pb.Collection:
    return pb.Collection(
        id=one.id,
        uuid=one.uuid.bytes,
        slug=one.slug,
        name=one.name,
        icon=one.icon,
        root_path=one.root_path,
        originals_url=one.originals_url,
        thumbnails_url=one.thumbnails_url,
        created_us=one.created_us,
        id_base=one.id_base,
    )


def media(one: Media) -> pb.Media:
    message = pb.Media(
        item_id=one.id,
        uuid=one.uuid.bytes,
        collection_id=one.collection_id,
        kind=_number(pb.MediaKind, one.kind),
        name=one.name,
        path=[label.bytes for label in one.path],
        relative_path=one.relative_path,
        source=_number(pb.MediaSource, one.source),
        status=one.marks.status,
        locked=bool(one.marks & Marks.LOCKED),
        listed=one.marks.listed,
        facts=pb.Facts(**{name: getattr(one.facts, name) for name in _FACTS}),
        created_us=one.created_us,
        updated_us=one.updated_us,
        description=one.description,
        prompt=one.prompt,
        metadata_json=json.dumps(one.metadata, ensure_ascii=False),
        sha256=one.sha256,
        content_type=one.content_type,
        total_versions=one.total_versions,
        thumbnail_uri=one.thumbnail_uri,
        frames=[frame(shown) for shown in one.frames],
        frame_object=None if one.frame_object is None else one.frame_object.bytes,
        items_below=one.items_below,
        previews=one.previews or (),
    )
    for name, found in one.tags.items():
        message.tags[name].values.extend(value(each) for each in found)
    return message


def _number(enum: Any, number: int) -> Any:
    """The two enumerations have the same numbers; a test compares them."""
    return number


def frame(one: Frame) -> pb.Frame:
    return pb.Frame(
        item_id=one.id,
        uuid=one.uuid.bytes,
        index=one.index,
        timestamp_s=one.timestamp_s,
        width_px=one.width_px,
        height_px=one.height_px,
        objects=[detected(found) for found in one.objects],
    )


def detected(one: DetectedObject) -> pb.DetectedObject:
    return pb.DetectedObject(
        object_id=one.id,
        uuid=one.uuid.bytes,
        kind=one.kind,
        label=one.label,
        model=one.model,
        shape_json=json.dumps(one.shape),
    )


def object_place(one: ObjectFound) -> pb.ObjectPlace:
    shown = pb.DetectedObject(object_id=one.id, uuid=one.uuid.bytes, model=one.model, shape_json=json.dumps(one.shape))
    return pb.ObjectPlace(object=shown, frame_id=one.frame_id, frame=one.frame, media_id=one.media_id, whole=one.whole)


def value(one: Any) -> pb.Value:
    match one:
        case int():
            return pb.Value(whole=one)
        case float():
            return pb.Value(decimal=one)
        case _:
            return pb.Value(text=one)


def tag_groups(groups: Mapping[str, Sequence[Any]]) -> pb.ListTagsResponse:
    message = pb.ListTagsResponse()
    for name, values in groups.items():
        message.tags[name].values.extend(value(each) for each in values)
    return message


def items(found: Sequence[Item], tags: Mapping[int, Mapping[int, Sequence[Value]]]) -> pb.Items:
    message = pb.Items()
    add = message.items.add
    for relative_id, media_id, kind, name, uri, thumbnail_uri, source, group_id, position, is_group in found:
        # A hundred an answer: what an item does not have costs nothing.
        added = add(
            relative_id=relative_id,
            media_id=media_id,
            kind=_number(pb.MediaKind, kind),
            name=name,
            uri=uri,
            source=_number(pb.MediaSource, source),
        )
        if thumbnail_uri is not None:
            added.thumbnail_uri = thumbnail_uri
        if group_id is not None:
            added.group_id = group_id
        if position:
            added.frame = position
        if is_group:
            added.is_group = True
        if sets := tags.get(media_id):
            added.tags_json = _tags_json(sets)
    return message


def columns(
    message: pb.ItemColumns, found: Sequence[Item], tags: Mapping[int, Mapping[int, Sequence[Value]]], tagged: bool
) -> None:
    """Fill a message in place: a message that is put into another one is copied."""
    message.SetInParent()
    if not found:
        return
    relative_ids, media_ids, _, _, uris, thumbnail_uris, sources, _, _, are_groups = zip(*found, strict=True)
    message.relative_ids.extend(relative_ids)
    message.media_ids.extend(media_ids)
    message.uris.extend([uri or b"" for uri in uris])
    message.thumbnail_uris.extend([uri or "" for uri in thumbnail_uris])
    message.sources.extend([_number(pb.MediaSource, source) for source in sources])
    message.are_groups.extend(are_groups)
    if tagged:
        message.tags_json.extend([_tags_json(tags.get(media_id)) for media_id in media_ids])


def _tags_json(sets: Mapping[int, Sequence[Value]] | None) -> bytes:
    return orjson.dumps({str(tagset_id): sets[tagset_id] for tagset_id in sorted(sets)}) if sets else b""


def related(found: Mapping[int, Sequence[int]]) -> pb.RelatedItems:
    message = pb.RelatedItems()
    for item_id, others in found.items():
        message.related[item_id].ids.extend(others)
    return message


def tagset(one: Tagset) -> pb.Tagset:
    return pb.Tagset(relative_id=one.id, name=one.name, tagtype=_number(pb.TagType, one.tagtype))


def clusters(found: Iterable[Cluster]) -> pb.Clusters:
    return pb.Clusters(
        clusters=[
            pb.Cluster(uuid=one.uuid.bytes, label=one.label, size=one.size, object_uuid=one.object_uuid.bytes)
            for one in found
        ]
    )


def key(one: Key, secret: str = "") -> pb.Key:
    return pb.Key(
        uuid=one.uuid.bytes,
        name=one.name,
        scopes=one.scopes,
        collection_ids=one.collections or (),
        all_collections=one.collections is None,
        created_us=one.created_us,
        expires_us=one.expires_us,
        revoked_us=one.revoked_us,
        secret=secret,
    )


def backup_part(part: KeptFile | bytes | KeptUploads) -> pb.BackupPart:
    if isinstance(part, bytes):
        return pb.BackupPart(data=part)
    if isinstance(part, KeptUploads):
        named = [pb.BackupUpload(uuid=uuid, sha256=sha256) for uuid, sha256 in part.named]
        return pb.BackupPart(uploads=pb.BackupUploads(uploads=named))
    return pb.BackupPart(file=pb.BackupFile(name=part.name, size_bytes=part.size_bytes))
