"""The calls of `metadata.proto` that list: a page of a collection, and the parts of a search with the same filters."""

from __future__ import annotations

from typing import Any, Final

from media_common.errors import InvalidArgument
from media_proto import metadata_pb2 as pb

from metadata_service import convert
from metadata_service.domain.filters import ListQuery
from metadata_service.store import browsing, details
from metadata_service.store.sqlite import Catalogue

#: Rows of one page.
MAX_PAGE: Final = 1000


class ListingCalls:
    """A part of the servicer."""

    _catalogue: Catalogue

    async def ListMedia(self, request: pb.ListMediaRequest, context: Any) -> pb.MediaPage:
        path, query = convert.uuids_of(request.path), _query(request, checked_limit(request.limit))
        found, total = await self._catalogue.read(browsing.page, request.collection, path, query)
        return pb.MediaPage(media=[convert.media(one) for one in found], total=total)

    async def GetListingScope(self, request: pb.ListMediaRequest, context: Any) -> pb.ListingScope:
        path = convert.uuids_of(request.path)
        scope = await self._catalogue.read(browsing.scope, request.collection, path, _query(request, 1))
        return pb.ListingScope(
            collection_id=scope.collection_id,
            folder_id=scope.folder_id,
            left_out_folder_ids=scope.left_out,
            tag_ids=[pb.ItemIds(ids=ids) for ids in scope.tag_ids],
            item_ids=None if scope.item_ids is None else pb.ItemIds(ids=scope.item_ids),
        )

    async def FindText(self, request: pb.FindTextRequest, context: Any) -> pb.TextHits:
        among = request.among if request.HasField("among") else pb.ListMediaRequest(recursive=True)
        path, limit = convert.uuids_of(among.path), max(1, request.limit)
        asked = (request.collection, path, _query(among, 1), request.text, limit)
        found = await self._catalogue.read(browsing.with_words, *asked)
        if request.as_columns:
            return pb.TextHits(item_ids=[item_id for item_id, _ in found], bm25=[score for _, score in found])
        return pb.TextHits(hits=[pb.TextHit(item_id=item_id, bm25=score) for item_id, score in found])

    async def GetListed(self, request: pb.GetListedRequest, context: Any) -> pb.MediaList:
        if len(request.item_ids) > MAX_PAGE:
            raise InvalidArgument(f"At most {MAX_PAGE} ids a call.")
        found = await self._catalogue.read(details.media, list(request.item_ids))
        return pb.MediaList(media=[convert.media(one) for one in found if one.marks.listed])


def _query(request: pb.ListMediaRequest, limit: int) -> ListQuery:
    """Its collection and folder are filled in with the snapshot that it is asked of."""
    return ListQuery(
        collection_id=0,
        limit=limit,
        offset=request.offset,
        recursive=request.recursive if request.HasField("recursive") else None,
        kinds=convert.kinds_of(request.kinds),
        created_from_us=request.created_from_us if request.HasField("created_from_us") else None,
        created_before_us=request.created_before_us if request.HasField("created_before_us") else None,
        dated_from_us=request.dated_from_us if request.HasField("dated_from_us") else None,
        dated_before_us=request.dated_before_us if request.HasField("dated_before_us") else None,
        sort=convert.sort_of(request.sort),
        descending=not request.ascending,
        tags=tuple(request.tags) or None,
        tag_filters=tuple((given.tagset, tuple(given.values)) for given in request.tag_filters),
        media=convert.uuid_of(request.media) if request.HasField("media") else None,
        cluster=convert.uuid_of(request.cluster) if request.HasField("cluster") else None,
    )


def checked_limit(limit: int) -> int:
    """
    Raises:
        InvalidArgument: no page is that long.
    """
    if not 1 <= limit <= MAX_PAGE:
        raise InvalidArgument(f"A page has 1 to {MAX_PAGE} rows.")
    return limit
