"""The fields of request bodies: names, labels, metadata, objects."""

from __future__ import annotations

import json
from typing import Any, Final

from media_proto import metadata_pb2 as pb

from gateway.dialects.coreviz.parameters import MODELS, groups_of, is_text
from gateway.errors import Failure, invalid

MAX_NAME: Final = 255
MAX_OBJECTS: Final = 10_000
#: Of a text that is embedded; a model reads far less of it.
MAX_TEXT: Final = 10_000
#: Words that a picture may be compared with.
MAX_OPTIONS: Final = 1000
#: So that a page of a thousand items still fits one message.
METADATA_MAX_BYTES: Final = 16 * 1024
INT32: Final = 2**31
#: Numbers of a vector that comes along with an object; no model makes more.
MAX_DIMENSIONS: Final = 8192


def name_field(body: dict[str, Any], name: str) -> str:
    """A required name: trimmed, 1 to 255 characters, no NUL.

    Raises:
        Failure: 400.
    """
    value = body.get(name)
    if isinstance(value, str):
        trimmed = value.strip()
        if 1 <= len(trimmed) <= MAX_NAME and "\0" not in trimmed and is_text(trimmed):
            return trimmed
    raise invalid(name, f"Invalid {name}: must be a text of 1 to {MAX_NAME} characters")


def optional_name(body: dict[str, Any], name: str) -> str | None:
    return None if body.get(name) is None else name_field(body, name)


def icon_field(body: dict[str, Any]) -> str | None:
    """Any text, the empty one too."""
    value = body.get("icon")
    if value is None or (isinstance(value, str) and len(value) <= MAX_NAME and is_text(value)):
        return value
    raise invalid("icon", f"Invalid icon: must be a text of at most {MAX_NAME} characters")


def text_or_none(body: dict[str, Any], name: str) -> str | None:
    """A text; an empty one is absent.

    Raises:
        Failure: 400, it is something else.
    """
    value = body.get(name)
    if value is None or (isinstance(value, str) and is_text(value)):
        return value or None
    raise invalid(name, f"Invalid {name}: must be a text")


def flag_field(body: dict[str, Any], name: str) -> bool:
    value = body.get(name)
    if value is None or isinstance(value, bool):
        return bool(value)
    raise invalid(name, f"Invalid {name}: must be true or false")


def edit_of(uuid: bytes, body: dict[str, Any]) -> pb.EditMediaRequest:
    """`{name?, metadata?}`; tags only where `metadata.tags` is given.

    Raises:
        Failure: 400, one is not valid, or neither is given.
    """
    request = pb.EditMediaRequest(uuid=uuid)
    if (name := optional_name(body, "name")) is not None:
        request.name = name
    metadata = body.get("metadata")
    if metadata is not None:
        bad = invalid("metadata", "Invalid metadata: must be a JSON object")
        if not isinstance(metadata, dict):
            raise bad
        rest = {key: value for key, value in metadata.items() if key != "tags"}
        try:
            request.metadata_json = json.dumps(rest, ensure_ascii=False, allow_nan=False)
        except (ValueError, RecursionError, UnicodeEncodeError):
            raise bad from None
        if len(request.metadata_json.encode()) > METADATA_MAX_BYTES:
            raise invalid("metadata", f"Invalid metadata: must be at most {METADATA_MAX_BYTES // 1024} KiB as JSON")
        if (tags := metadata.get("tags")) is not None:
            request.tags.CopyFrom(_tag_groups(tags))
    elif name is None:
        raise Failure(400, "invalid_parameter", "Nothing to change: give a name or metadata", {"parameter": "name"})
    return request


def _tag_groups(tags: Any) -> pb.TagGroups:
    bad = invalid("metadata.tags", "Invalid metadata.tags: must be an object of arrays of strings")
    if not isinstance(tags, dict):
        raise bad
    groups = [
        pb.TagFilter(tagset=name_field({"label": group}, "label"), values=[_value(value) for value in values])
        for group, values in groups_of(tags, bad)
    ]
    return pb.TagGroups(groups=groups)


def _value(value: str) -> str:
    return name_field({"value": value}, "value")


def objects_of(uuid: bytes, value: Any) -> pb.AddObjectsRequest:
    """A list of `{frame?, type, label, model, bbox|polygon, vector?}`, without its vectors.

    Raises:
        Failure: 400.
    """
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_OBJECTS:
        raise invalid("objects", f"Invalid body: must be a list of 1 to {MAX_OBJECTS} objects")
    return pb.AddObjectsRequest(uuid=uuid, objects=[_object(one) for one in value])


def object_vectors_of(value: list[dict[str, Any]]) -> dict[int, list[float]]:
    """By place in such a list, the vectors that came along.

    Raises:
        Failure: 400.
    """
    return {place: _vector(one["vector"]) for place, one in enumerate(value) if one.get("vector") is not None}


def _vector(value: Any) -> list[float]:
    if isinstance(value, list) and 1 <= len(value) <= MAX_DIMENSIONS and all(map(_is_number, value)) and any(value):
        return value
    raise invalid("vector", "Invalid vector: must be a list of numbers, not all of them 0")


def _object(value: Any) -> pb.GivenObject:
    if not isinstance(value, dict):
        raise invalid("objects", "Invalid body: every entry must be an object")
    frame = value.get("frame", 0)
    if type(frame) is not int or not 0 <= frame < INT32:
        raise invalid("frame", "Invalid frame: must be the index of a frame")
    model = value.get("model")
    if model not in MODELS:
        raise invalid("model", f"Invalid model: must be one of {', '.join(MODELS)}")
    return pb.GivenObject(
        frame=frame,
        kind=name_field(value, "type"),
        label=name_field(value, "label"),
        model=model,
        shape_json=json.dumps(_shape(value)),
    )


def _shape(value: dict[str, Any]) -> dict[str, Any]:
    bbox, polygon = value.get("bbox"), value.get("polygon")
    if bbox is not None and polygon is None:
        if isinstance(bbox, list) and len(bbox) == 4 and all(map(_is_number, bbox)) and min(bbox[2:]) > 0:
            return {"bbox": bbox}
        raise invalid("bbox", "Invalid bbox: must be [x, y, width, height] in pixels")
    if polygon is not None and bbox is None:
        if isinstance(polygon, list) and len(polygon) >= 3 and all(map(_is_point, polygon)):
            return {"polygon": polygon}
        raise invalid("polygon", "Invalid polygon: must be a list of at least three points [x, y]")
    raise invalid("bbox", "Every object needs either a bbox or a polygon")


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) < INT32  # nor NaN, which is less than nothing


def _is_point(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(_is_number, value))
