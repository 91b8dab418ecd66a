"""The dialect's JSON. The only place that knows its key names and their order. What is unknown is left out."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from media_proto import metadata_pb2 as pb
from media_proto import search_pb2

from gateway.kinds import NAMES, value_text

MESSAGE: Final = "Media items retrieved successfully"

#: By the dialect's word; a text is a document to it.
KINDS: Final[dict[str, tuple[pb.MediaKind.ValueType, ...]]] = {
    "document": (pb.MEDIA_KIND_DOCUMENT, pb.MEDIA_KIND_TEXT),
    "image": (pb.MEDIA_KIND_IMAGE,),
    "video": (pb.MEDIA_KIND_VIDEO,),
    "audio": (pb.MEDIA_KIND_AUDIO,),
    "model": (pb.MEDIA_KIND_MODEL,),
}
ALL_KINDS: Final = tuple(kind for kinds in KINDS.values() for kind in kinds)
_WORDS: Final = {kind: word for word, kinds in KINDS.items() for kind in kinds}
_PREFIXES: Final = {"document": "doc", "image": "img", "video": "vid", "audio": "aud", "model": "mdl"}
_EPOCH: Final = datetime(1970, 1, 1)
#: What probing tells, by the name it is printed under.
_PROBED: Final = {
    "width": "width_px",
    "height": "height_px",
    "duration_seconds": "duration_s",
    "page_count": "page_count",
    "camera": "camera",
    "lens": "lens",
    "orientation": "orientation",
    "latitude": "latitude",
    "longitude": "longitude",
}


def time_out(us: int) -> str:
    """`2025-03-09T04:47:54.783840`."""
    return (_EPOCH + timedelta(microseconds=us)).isoformat(timespec="microseconds")


def now_out() -> str:
    return datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")


def wickson_id(media: pb.Media) -> str:
    return f"{_PREFIXES[_WORDS[media.kind]]}_{UUID(bytes=media.uuid)}"


def list_out(items: list[dict[str, Any]], total: int, page: tuple[int, int], applied: dict[str, str]) -> dict[str, Any]:
    """The envelope; `page` is its number and size."""
    number, size = page
    pages = -(-total // size)
    return {
        "success": True,
        "message": MESSAGE,
        "data": {
            "items": items,
            "pagination": {
                "page": number,
                "page_size": size,
                "total_items": total,
                "total_pages": pages,
                "has_next": number < pages,
            },
            "filters": {"applied": applied, "total_matching": total},
        },
        "timestamp": now_out(),
    }


def item_out(media: pb.Media, slug: str, with_metadata: bool) -> dict[str, Any]:
    item: dict[str, Any] = {
        "id": wickson_id(media),
        "media_type": _WORDS[media.kind],
        "file_info": {
            "filename": media.name,
            "size_bytes": media.facts.size_bytes,
            # Files in place are hashed in the background; until then there is nothing to say.
            "checksum": media.sha256.hex(),
            **_known(media.facts, "page_count", "width", "height", "duration_seconds"),
        },
        "collection": slug,
        "storage": {"created_at": time_out(media.created_us)},
    }
    if with_metadata:
        item["metadata"] = {"search": _search_out(media), "modality": _modality_out(media)}
    return item


def vectors_out(model: str, vector: search_pb2.Vector | None) -> dict[str, Any]:
    """By family of models; nothing for what is not embedded."""
    if vector is None:
        return {}
    return {"clip": {"model": model, "dimensions": len(vector.values), "values": list(vector.values)}}


def _known(facts: pb.Facts, *names: str) -> dict[str, Any]:
    return {name: getattr(facts, _PROBED[name]) for name in names if facts.HasField(_PROBED[name])}  # type: ignore[arg-type]


def _search_out(media: pb.Media) -> dict[str, Any]:
    given = json.loads(media.metadata_json or "{}")
    markers = given.get("semantic_markers")
    markers = dict(markers) if isinstance(markers, dict) else {}
    if categories := {text for values in media.tags.values() for text in map(value_text, values.values) if text}:
        markers["categories"] = sorted(categories)
    candidates = {
        "summary": given.get("summary"),
        "description": media.description,
        "entities": given.get("entities"),
        "semantic_markers": markers,
    }
    shapes = {"summary": str, "description": str, "entities": dict, "semantic_markers": dict}
    return {name: value for name, value in candidates.items() if value and isinstance(value, shapes[name])}


def _modality_out(media: pb.Media) -> dict[str, Any]:
    found = _known(media.facts, *_PROBED)
    if media.facts.HasField("taken_us"):
        found["taken_at"] = time_out(media.facts.taken_us)
    if media.facts.HasField("taken_offset_min"):
        found["utc_offset_minutes"] = media.facts.taken_offset_min
    return {NAMES[media.kind]: found} if found else {}
