"""The parts of an import, from messages to the domain's values; no decision."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator

from media_common.errors import InvalidArgument
from media_proto import metadata_pb2 as pb

from metadata_service.convert import kind_of, tagtype_of
from metadata_service.domain.imports import Begin, End, GivenTag, GivenTagset, Items, Part, Tags
from metadata_service.domain.media import Imported, Kind
from metadata_service.domain.tags import Value


async def parts_of(messages: AsyncIterable[pb.ImportPart]) -> AsyncIterator[Part]:
    """Raises InvalidArgument."""
    async for message in messages:
        match message.WhichOneof("part"):
            case "begin":
                yield _begin_of(message.begin)
            case "tags":
                yield Tags(tuple(_tag_of(tag) for tag in message.tags.tags))
            case "items":
                yield Items(tuple(_item_of(item) for item in message.items.items))
            case "end":
                yield End(message.end.items)
            case None:
                raise InvalidArgument("A part of the import is empty.")


def _begin_of(begin: pb.ImportBegin) -> Begin:
    tagsets = (GivenTagset(one.relative_id, one.name, tagtype_of(one.tagtype)) for one in begin.tagsets)
    return Begin(begin.name, begin.originals_url, begin.thumbnails_url, begin.last_id, tuple(tagsets))


def _tag_of(tag: pb.ImportTag) -> GivenTag:
    value: Value
    match tag.value.WhichOneof("value"):
        case "text":
            value = tag.value.text
        case "whole":
            value = tag.value.whole
        case "decimal":
            value = tag.value.decimal
        case None:
            raise InvalidArgument(f"The tag {tag.relative_id} has no value.")
    return GivenTag(tag.relative_id, tag.tagset_id, value)


def _item_of(item: pb.ImportItem) -> Imported:
    kind = kind_of(item.kind)
    if kind is Kind.FOLDER:
        raise InvalidArgument(f"The item {item.relative_id} is of no kind that an item has.")
    return Imported(
        relative_id=item.relative_id,
        uri=item.uri or None,  # an empty one says nothing
        kind=kind,
        thumbnail_uri=item.thumbnail_uri or None,
        group_relative_id=item.group_id if item.HasField("group_id") else None,
        tag_ids=tuple(item.tag_ids),
        is_group=item.is_group,
    )
