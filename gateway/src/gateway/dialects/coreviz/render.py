"""The dialect's JSON. The only place that knows its key names and their order."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

from media_proto import metadata_pb2 as pb

from gateway.access import Access
from gateway.blobs import BlobAddresses
from gateway.dialects.coreviz.found import Find, Found
from gateway.dialects.coreviz.ids import ORGANIZATION as ORGANIZATION_UUID
from gateway.dialects.coreviz.ids import path_out
from gateway.kinds import NAMES, sorted_texts

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
ORGANIZATION_ID: Final = ORGANIZATION_UUID.hex
ORGANIZATION: Final = {"id": ORGANIZATION_ID, "name": "Framewell", "slug": "framewell"}


def time_out(us: int) -> str:
    """`2026-03-10T14:22:00.000Z`: always milliseconds."""
    moment = (_EPOCH + timedelta(microseconds=us)).replace(tzinfo=None)
    return moment.isoformat(timespec="milliseconds") + "Z"


def me_out(access: Access) -> dict[str, Any]:
    user = access.key_id if len(access.key_id) == 32 else uuid5(NAMESPACE_URL, f"framewell:{access.key_id}").hex
    return {
        "userId": user,
        "email": "",
        "name": access.name,
        "organizationId": ORGANIZATION_ID,
        "organizationName": ORGANIZATION["name"],
    }


def dataset_out(collection: pb.Collection) -> dict[str, Any]:
    return {
        "id": collection.uuid.hex(),
        "name": collection.name,
        "icon": collection.icon or None,
        "type": "collection",
        "organizationId": ORGANIZATION_ID,
        "createdAt": time_out(collection.created_us),
    }


def page_out(page: pb.MediaPage, limit: int, offset: int, blobs: BlobAddresses) -> dict[str, Any]:
    media = [media_out(one, blobs) for one in page.media]
    return {"media": media, "pagination": _pagination(page.total, limit, offset, len(media))}


def found_out(found: Found, limit: int, offset: int, blobs: BlobAddresses) -> dict[str, Any]:
    """A page of scored mode."""
    media = [{**media_out(one, blobs), "_score": score, "_matchingFrames": []} for one, score in found.scored]
    return {"media": media, "pagination": _pagination(found.total, limit, offset, found.count)}


def _pagination(total: int, limit: int, offset: int, count: int) -> dict[str, Any]:
    return {"total": total, "limit": limit, "offset": offset, "hasMore": offset + count < total}


def find_out(find: Find, blobs: BlobAddresses) -> dict[str, Any]:
    """A frame that fits some words."""
    media = media_out(find.media, blobs)
    frame = _frame_out(find.frame, find.media, blobs)
    return {
        **{name: frame[name] for name in ("id", "timestamp", "width", "height", "blob")},
        "rank": find.score,
        "captions": [{"text": find.media.description}] if find.media.description else [],
        "objects": [
            {"id": one.uuid.hex(), "type": one.kind, "label": one.label, "polygon": _polygon_out(one.shape_json)}
            for one in find.frame.objects
        ],
        "media": {
            name: media[name] for name in ("id", "name", "type", "blob", "width", "height", "duration", "createdAt")
        },
        "rankingMetrics": {
            "textRank": max(0.0, find.score - find.likeness),
            "objectEmbeddingRank": find.likeness,
            "totalRank": find.score,
        },
    }


def _polygon_out(shape_json: str) -> list[list[float]] | None:
    shape: dict[str, Any] = json.loads(shape_json or "{}")
    if "bbox" in shape:
        left, top, width, height = shape["bbox"]
        return [[left, top], [left + width, top], [left + width, top + height], [left, top + height]]
    return shape.get("polygon")


def media_out(media: pb.Media, blobs: BlobAddresses) -> dict[str, Any]:
    is_folder = media.kind == pb.MEDIA_KIND_FOLDER
    facts = media.facts
    return {
        "id": media.uuid.hex(),
        "name": media.name,
        "type": NAMES[media.kind],
        "blob": "folder" if is_folder else blobs.file(media.item_id),
        "path": path_out(media.path),
        "datasetId": media.path[0].hex(),
        "width": facts.width_px if facts.HasField("width_px") else None,
        "height": facts.height_px if facts.HasField("height_px") else None,
        "duration": facts.duration_s if facts.HasField("duration_s") else None,
        "sizeBytes": 0 if is_folder else facts.size_bytes,
        "createdAt": time_out(media.created_us),
        "updatedAt": time_out(media.updated_us),
        "status": _status(media),
        "metadata": _metadata_out(media),
        "totalVersions": max(1, media.total_versions),
        "frameObjectId": media.frame_object.hex() if media.HasField("frame_object") else None,
        "folderItemCount": media.items_below if is_folder else None,
        "folderPreviews": [blobs.thumbnail(item_id) for item_id in media.previews] or None,
        "frames": [_frame_out(frame, media, blobs) for frame in media.frames],
    }


def _status(media: pb.Media) -> str:
    return "trashed" if media.status == "trashed" else "active"


def _metadata_out(media: pb.Media) -> dict[str, Any]:
    given: dict[str, Any] = json.loads(media.metadata_json or "{}")
    return {**given, "tags": tags_out(media.tags.items())}


def tags_out(groups: Iterable[tuple[str, pb.Values]]) -> dict[str, list[str]]:
    return {group: sorted_texts(values.values) for group, values in sorted(groups, key=lambda pair: pair[0])}


def _frame_out(frame: pb.Frame, media: pb.Media, blobs: BlobAddresses) -> dict[str, Any]:
    return {
        "id": frame.uuid.hex(),
        "timestamp": f"{frame.timestamp_s:.6f}".rstrip("0").rstrip("."),
        "blob": _shown_of(frame, media, blobs),
        "width": frame.width_px if frame.HasField("width_px") else None,
        "height": frame.height_px if frame.HasField("height_px") else None,
        "objects": [
            {"id": found.uuid.hex(), "type": found.kind, "label": found.label, "blob": ""} for found in frame.objects
        ],
    }


def _shown_of(frame: pb.Frame, media: pb.Media, blobs: BlobAddresses) -> str:
    """A still is its own frame."""
    return blobs.frame(frame.item_id) if media.kind == pb.MEDIA_KIND_VIDEO else blobs.thumbnail(media.item_id)


def folder_out(folder: pb.Media) -> dict[str, Any]:
    collection_id = folder.path[0].hex()
    return {
        "id": folder.uuid.hex(),
        "name": folder.name,
        "path": path_out(folder.path),
        "collectionId": collection_id,
        "datasetId": collection_id,
        "type": "folder",
        "blob": "folder",
        "status": _status(folder),
        "createdAt": time_out(folder.created_us),
        "metadata": _metadata_out(folder),
    }


def clusters_out(clusters: Sequence[pb.Cluster]) -> list[dict[str, Any]]:
    return [
        {"id": one.uuid.hex(), "label": one.label, "size": one.size, "objectId": one.object_uuid.hex()}
        for one in clusters
    ]
