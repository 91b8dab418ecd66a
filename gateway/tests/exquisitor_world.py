"""A collection as plain rows, and a metadata-service that answers from them: the tests compare the gateway's JSON with
what the rows say."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from fake_fs import Refused
from fake_metadata import FakeMetadata
from media_common.errors import ErrorCode
from media_proto import metadata_pb2 as pb

Value = int | float | str
SLUG = "my_collection"
UUID = bytes(range(16))
SESSION = {"session": "abc123", "collection": SLUG, "modelId": "model_1"}
ORIGINALS = "https://cdn.example.com/originals/"
THUMBNAILS = "https://cdn.example.com/thumbs"
TYPES = {"text": pb.TAG_TYPE_ALPHANUMERICAL, "int": pb.TAG_TYPE_NUMERICAL_INT, "dec": pb.TAG_TYPE_NUMERICAL_DEC}


@dataclass
class Row:
    """One item or group."""

    id: int
    uri: str
    thumbnail: str | None = None
    group: int | None = None
    is_group: bool = False
    kind: pb.MediaKind.ValueType = pb.MEDIA_KIND_IMAGE
    source: pb.MediaSource.ValueType = pb.MEDIA_SOURCE_EXTERNAL
    tags: dict[int, list[Value]] = field(default_factory=dict)
    frame_of: int | None = None  # a video's id

    @property
    def name(self) -> str:
        return self.uri.rsplit("/", 1)[-1].encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


@dataclass
class World:
    """Rows in the order of their time."""

    rows: list[Row]
    tagsets: dict[int, tuple[str, str]] = field(default_factory=dict)  # name and type

    def row(self, item_id: int) -> Row | None:
        return next((row for row in self.rows if row.id == item_id), None)

    def members(self, group_id: int) -> list[int]:
        return [row.id for row in self.rows if row.group == group_id]


def value_message(value: Value) -> pb.Value:
    if isinstance(value, int):
        return pb.Value(whole=value)
    return pb.Value(decimal=value) if isinstance(value, float) else pb.Value(text=value)


def collection_message() -> pb.Collection:
    return pb.Collection(id=7, uuid=UUID, slug=SLUG, originals_url=ORIGINALS, thumbnails_url=THUMBNAILS)


def item_message(row: Row, tagset_ids: Any) -> pb.Item:
    item = pb.Item(
        relative_id=row.id,
        media_id=row.frame_of or row.id,
        kind=row.kind,
        name=row.name,
        uri=row.uri.encode("utf-8", "surrogateescape"),
        thumbnail_uri=row.thumbnail,
        source=row.source,
        group_id=row.group,
        is_group=row.is_group,
    )
    carried = {str(tagset_id): row.tags[tagset_id] for tagset_id in sorted(set(tagset_ids)) if row.tags.get(tagset_id)}
    item.tags_json = json.dumps(carried).encode() if carried else b""
    return item


def serve(world: World, fake: FakeMetadata) -> None:
    """Make the fake answer from the rows."""

    def known(request: Any) -> None:
        if request.collection not in (SLUG, UUID.hex()):
            raise Refused(ErrorCode.COLLECTION_NOT_FOUND, "There is no such collection.")

    def collection(request: Any) -> pb.Collection:
        known(request)
        return collection_message()

    def items(request: pb.GetItemsRequest) -> pb.Items:
        known(request)
        rows = (world.row(one) for one in request.relative_ids)
        return pb.Items(items=[item_message(row, request.tagset_ids) for row in rows if row])

    def items_of_each(request: pb.GetItemsOfEachRequest) -> pb.ItemsOfEach:
        answer = pb.ItemsOfEach()
        for one in request.requests:
            added = answer.answers.add()
            if one.collection not in (SLUG, UUID.hex()):
                continue
            added.items.SetInParent()
            for item in items(one).items:
                added.items.relative_ids.append(item.relative_id)
                added.items.media_ids.append(item.media_id)
                added.items.uris.append(item.uri)
                added.items.thumbnail_uris.append(item.thumbnail_uri)
                added.items.sources.append(item.source)
                added.items.are_groups.append(item.is_group)
                if one.tagset_ids:
                    added.items.tags_json.append(item.tags_json)
        return answer

    def related(request: pb.GetItemsRequest) -> pb.RelatedItems:
        known(request)
        answer = pb.RelatedItems()
        for one in set(request.relative_ids):
            row = world.row(one)
            group = [] if row is None or row.group is None else world.members(row.group)
            answer.related[one].ids.extend(member for member in group if member != one)
        return answer

    def related_of_each(request: pb.GetItemsOfEachRequest) -> pb.RelatedOfEach:
        ours = [one.collection in (SLUG, UUID.hex()) for one in request.requests]
        found = [related(one) if known_ else None for one, known_ in zip(request.requests, ours, strict=True)]
        return pb.RelatedOfEach(answers=[pb.MaybeRelated(items=one) for one in found])

    def members(request: pb.GetMembersRequest) -> pb.ItemIds:
        known(request)
        return pb.ItemIds(ids=world.members(request.relative_id))

    def excluded(request: pb.IsExcludedRequest) -> pb.Excluded:
        known(request)
        row = world.row(request.relative_id)
        if row is None:
            raise Refused(ErrorCode.ITEM_NOT_FOUND, "There is no such item.")
        return pb.Excluded(excluded=(row.id if row.is_group else row.group) in request.group_ids)

    def tagsets(request: pb.ListTagsetsRequest) -> pb.ListTagsetsResponse:
        known(request)
        return pb.ListTagsetsResponse(
            tagsets=[pb.Tagset(relative_id=one, name=name, tagtype=TYPES[kind]) for one, (name, kind) in
                     sorted(world.tagsets.items())]
        )  # fmt: skip

    def tag_values(request: pb.ListTagValuesRequest) -> pb.ListTagValuesResponse:
        known(request)
        if TYPES.get(world.tagsets.get(request.tagset_id, ("", ""))[1]) != request.tagtype:
            return pb.ListTagValuesResponse()
        values = {value for row in world.rows for value in row.tags.get(request.tagset_id, ())}
        found = [pb.TagValue(relative_id=n, value=value_message(v)) for n, v in enumerate(sorted(values), start=1)]
        return pb.ListTagValuesResponse(values=found)

    def count(request: pb.CountItemsRequest) -> pb.ItemCount:
        known(request)
        return pb.ItemCount(count=sum(not row.is_group for row in world.rows))

    fake.answers.update(
        GetCollection=collection,
        GetItemsOfEach=items_of_each,
        ListCollections=lambda _: pb.ListCollectionsResponse(collections=[collection_message()]),
        GetItems=items,
        GetRelated=related,
        GetRelatedOfEach=related_of_each,
        GetMembers=members,
        IsExcluded=excluded,
        ListTagsets=tagsets,
        ListTagValues=tag_values,
        CountItems=count,
    )
