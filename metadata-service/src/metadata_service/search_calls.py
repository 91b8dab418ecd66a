"""The calls of `metadata.proto` that the search service makes, and those that prepare a search."""

from __future__ import annotations

from typing import Any, Final

from media_common.errors import InvalidArgument
from media_proto import metadata_pb2 as pb

from metadata_service.domain.filters import Range, Values
from metadata_service.domain.tags import Value
from metadata_service.store import collections, frames, search_facts
from metadata_service.store.search_facts import SearchFacts
from metadata_service.store.sqlite import Catalogue

#: Items of one call.
MAX_IDS: Final = 1000
#: Ids alone are small.
MAX_LISTED: Final = 10_000


class SearchCalls:
    """A part of the servicer."""

    _catalogue: Catalogue

    async def GetFacts(self, request: pb.GetFactsRequest, context: Any) -> pb.FactsList:
        _check_ids(len(request.media_ids))
        found = await self._catalogue.read(search_facts.facts, list(request.media_ids))
        return pb.FactsList(facts=[_facts(one) for one in found])

    async def ListSearchable(self, request: pb.ListSearchableRequest, context: Any) -> pb.ItemIds:
        if not 1 <= request.limit <= MAX_LISTED:
            raise InvalidArgument(f"A list has 1 to {MAX_LISTED} ids.")
        return pb.ItemIds(ids=await self._catalogue.read(search_facts.searchable, request.after_id, request.limit))

    async def SetEmbedded(self, request: pb.SetEmbeddedRequest, context: Any) -> pb.SetEmbeddedResponse:
        _check_ids(len(request.media_ids))
        await self._catalogue.write(frames.set_embedded, list(request.media_ids), request.embedded)
        return pb.SetEmbeddedResponse()

    async def ListDetections(self, request: pb.ListDetectionsRequest, context: Any) -> pb.Detections:
        if not 1 <= request.limit <= MAX_IDS:
            raise InvalidArgument(f"A list has 1 to {MAX_IDS} objects.")
        found = await self._catalogue.read(frames.detections, request.after_id, request.limit)
        return pb.Detections(
            detections=[
                pb.Detection(
                    object_id=one.id,
                    media_id=one.media_id,
                    frame=one.frame,
                    model=one.model,
                    shape_json=one.shape_json,
                )
                for one in found
            ]
        )

    async def RemoveObjects(self, request: pb.RemoveObjectsRequest, context: Any) -> pb.RemoveObjectsResponse:
        await self._catalogue.write(frames.remove_objects, list(request.object_ids))
        return pb.RemoveObjectsResponse()

    async def FindTags(self, request: pb.FindTagsRequest, context: Any) -> pb.FoundTags:
        collection = await self._catalogue.read(collections.resolved, request.collection)
        choices = [_choice(one) for one in request.choices]
        found = await self._catalogue.read(search_facts.tags_meant, collection, choices)
        return pb.FoundTags(by_choice=[pb.ItemIds(ids=tag_ids) for tag_ids in found])


def _choice(choice: pb.TagChoice) -> Values | Range:
    if not choice.is_range:
        return Values(choice.tagset_id, tuple(choice.tag_ids))
    lower = _bound(choice.lower) if choice.HasField("lower") else None
    upper = _bound(choice.upper) if choice.HasField("upper") else None
    return Range(choice.tagset_id, lower, upper)


def _bound(bound: pb.Value) -> Value:
    match bound.WhichOneof("value"):
        case "text":
            return bound.text
        case "whole":
            return bound.whole
        case "decimal":
            return bound.decimal
        case None:
            raise InvalidArgument("A bound without a value.")


def _facts(one: SearchFacts) -> pb.SearchFacts:
    kind: Any = one.kind  # the two enumerations have the same numbers
    message = pb.SearchFacts(
        media_id=one.media_id,
        collection_id=one.collection_id,
        kind=kind,
        listed=one.listed,
        created_us=one.created_us,
        taken_us=one.taken_us,
        dated_us=one.dated_us,
        tag_ids=one.tag_ids,
        own_tag_ids=one.own_tag_ids,
        group_ids=one.group_ids,
        folder_ids=one.folder_ids,
        embedded=one.embedded,
        seal=one.seal,
        size_bytes=one.size_bytes,
        duration_s=one.duration_s,
        name=one.name,
    )
    match one.pixels:
        case bytes(path):
            message.path = path
        case str(blob):
            message.blob = blob
    return message


def _check_ids(count: int) -> None:
    if count > MAX_IDS:
        raise InvalidArgument(f"At most {MAX_IDS} ids a call.")
