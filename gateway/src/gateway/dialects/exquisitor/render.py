"""The dialect's JSON, in the documented form and in that of the existing page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, Protocol

from media_proto import metadata_pb2 as pb
from orjson import loads

from gateway import external
from gateway.paths import Written, text_of
from gateway.shown_items import ShownItem

_MEDIA_TYPES: Final = {
    pb.MEDIA_KIND_IMAGE: 1,
    pb.MEDIA_KIND_VIDEO: 2,
    pb.MEDIA_KIND_AUDIO: 3,
    pb.MEDIA_KIND_TEXT: 4,
}
_OTHER: Final = 5
_EXTERNAL: Final = pb.MEDIA_SOURCE_EXTERNAL
TAGTYPES: Final = {
    pb.TAG_TYPE_ALPHANUMERICAL: "alphanumerical",
    pb.TAG_TYPE_TIMESTAMP: "timestamp",
    pb.TAG_TYPE_TIME: "time",
    pb.TAG_TYPE_DATE: "date",
    pb.TAG_TYPE_NUMERICAL_INT: "numerical_int",
    pb.TAG_TYPE_NUMERICAL_DEC: "numerical_dec",
    pb.TAG_TYPE_JSON: "json",
}


class Blobs(Protocol):
    """Signed addresses of our own media."""

    def of_each(self, item_ids: Sequence[int]) -> list[tuple[str, str]]:
        """Of the file and of its thumbnail, of each."""

    def frame(self, frame_id: int) -> str:
        """Of what a video shows at that moment."""


class Addresses:
    """Where an item's bytes are: below the collection's own addresses when it was imported, else with us."""

    def __init__(self, blobs: Blobs, collection: pb.Collection) -> None:
        self._blobs = blobs
        self._collection = collection

    def of(self, item: pb.Item) -> tuple[str | None, str | None]:
        """Of the file and of its thumbnail. None: a group of our own has no file, nor has an imported row without a
        `uri`."""
        return self.of_each([item])[0]

    def of_each(self, items: Sequence[pb.Item | ShownItem]) -> list[tuple[str | None, str | None]]:
        """`of`, of each."""
        ours = [item.media_id for item in items if item.source != _EXTERNAL and not item.is_group]
        signed = iter(self._blobs.of_each(ours))
        found: list[tuple[str | None, str | None]] = []
        for item in items:
            if item.source == _EXTERNAL:
                found.append(self._external(item))
            elif item.is_group:
                found.append((None, None))
            else:
                original, thumbnail = next(signed)
                item_id = self._collection.id_base + _relative(item)
                found.append((original, thumbnail if item_id == item.media_id else self._blobs.frame(item_id)))
        return found

    def _external(self, item: pb.Item | ShownItem) -> tuple[str | None, str | None]:
        uri = item.uri
        original = external.original(self._collection, uri)
        return original, external.thumbnail(self._collection, uri, item.thumbnail_uri)


def _relative(item: pb.Item | ShownItem) -> int:
    return item.id if isinstance(item, ShownItem) else item.relative_id


def value_out(value: pb.Value) -> int | float | str:
    match value.WhichOneof("value"):
        case "whole":
            return value.whole
        case "decimal":
            return value.decimal
        case _:
            return value.text


def items_out(items: Sequence[ShownItem], addresses: Addresses) -> dict[str, Any]:
    return {
        "items": [
            {
                "id": item.id,
                "uri": text_of(item.uri) if item.uri else None,
                "thumbnail_url": thumbnail,
                "original_url": original,
            }
            for item, (original, thumbnail) in zip(items, addresses.of_each(items), strict=True)
        ]
    }


def detailed_out(items: Sequence[ShownItem], addresses: Addresses) -> dict[str, Any]:
    """Items with their tags; a tagset without a value is left out."""
    answer = items_out(items, addresses)
    for shown, item in zip(answer["items"], items, strict=True):
        shown["tags"] = Written(item.tags_json or b"{}")
    return answer


def page_item_out(item: pb.Item, addresses: Addresses) -> dict[str, Any]:
    item_id = item.relative_id
    original, thumbnail = addresses.of(item)
    return {
        "id": item_id,
        "name": item.name,
        "itemId": item_id,
        "mediaId": item_id,
        "mediaType": _MEDIA_TYPES.get(item.kind, _OTHER),
        "thumbPath": thumbnail,
        "srcPath": original,
        "groupId": item.group_id if item.HasField("group_id") else None,
    }


def page_details_out(item: pb.Item, tagset_ids: Sequence[int], tagsets: Iterable[pb.Tagset]) -> dict[str, Any]:
    """By tagset name: one value as it is, several as a list."""
    names = {tagset.relative_id: tagset.name for tagset in tagsets}
    carried: dict[str, list[int | float | str]] = loads(item.tags_json or b"{}")
    shown: dict[str, Any] = {}
    for tagset_id in tagset_ids:
        values = carried.get(str(tagset_id))
        if tagset_id in names and values:
            shown[names[tagset_id]] = values[0] if len(values) == 1 else values
    return shown


def related_out(ids: Iterable[int], answer: pb.RelatedItems) -> dict[str, Any]:
    return {"related": {str(one): list(answer.related[one].ids) if one in answer.related else [] for one in ids}}


def filters_out(tagsets: Iterable[pb.Tagset]) -> list[dict[str, Any]]:
    return [
        {"id": one.relative_id, "name": one.name, "tagtypeId": int(one.tagtype), "tagtype": TAGTYPES[one.tagtype]}
        for one in tagsets
    ]


def documented_filters_out(tagsets: Iterable[pb.Tagset]) -> dict[str, Any]:
    return {
        "filters": [
            {"id": one.relative_id, "name": one.name, "tagtype_id": int(one.tagtype), "tagtype": TAGTYPES[one.tagtype]}
            for one in tagsets
        ]
    }


def tag_values_out(answer: pb.ListTagValuesResponse) -> list[dict[str, Any]]:
    return [{"id": one.relative_id, "value": value_out(one.value)} for one in answer.values]
