"""The calls of `metadata.proto` about what passes retrieval filters and what is excluded with its groups."""

from __future__ import annotations

import json
from typing import Any, Final

from media_common.errors import InvalidArgument
from media_proto import metadata_pb2 as pb

from metadata_service.domain.filters import Expression, parsed
from metadata_service.listing_calls import checked_limit
from metadata_service.store import collections, passing
from metadata_service.store.sqlite import Catalogue

#: A thousand finds of ten queries each.
MAX_ASKED: Final = 10_000


class PassingCalls:
    """A part of the servicer."""

    _catalogue: Catalogue

    async def ListPassing(self, request: pb.ListPassingRequest, context: Any) -> pb.PassingItems:
        filters, limit = _filters(request.filters_json), checked_limit(request.limit)
        if request.offset < 0:
            raise InvalidArgument("An offset is not negative.")
        collection = await self._catalogue.read(collections.resolved, request.collection)
        found = await self._catalogue.read(
            passing.page, collection, filters, list(request.seen), list(request.excluded), request.offset, limit
        )
        return pb.PassingItems(relative_ids=found.ids, total=found.total)

    async def FindGroups(self, request: pb.FindGroupsRequest, context: Any) -> pb.ItemIds:
        collection = await self._catalogue.read(collections.resolved, request.collection)
        return pb.ItemIds(ids=await self._catalogue.read(passing.groups, collection, list(request.relative_ids)))

    async def FindUnlisted(self, request: pb.FindUnlistedRequest, context: Any) -> pb.ItemIds:
        if len(request.item_ids) > MAX_ASKED:
            raise InvalidArgument(f"At most {MAX_ASKED} ids a call.")
        collection = await self._catalogue.read(collections.resolved, request.collection)
        return pb.ItemIds(ids=await self._catalogue.read(passing.unlisted, collection, list(request.item_ids)))


def _filters(text: str) -> Expression | None:
    """
    Raises:
        InvalidArgument, FilterTooLarge: it is no filter.
    """
    if not text:
        return None
    try:
        given = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidArgument("The filters are no JSON.") from error
    if not isinstance(given, dict):
        raise InvalidArgument("The filters are no JSON object.")
    return parsed(given)
