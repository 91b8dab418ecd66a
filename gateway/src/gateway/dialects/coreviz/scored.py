"""Scored mode: what is like words, like an object, or like both, best first. Filters go into the vector query."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from typing import Final

import grpc
from media_common.errors import ErrorCode
from media_common.grpc_client import error_code_of
from media_proto import metadata_pb2 as pb
from media_proto import search_pb2

from gateway.dialects.coreviz import ids
from gateway.dialects.coreviz.found import Found
from gateway.dialects.coreviz.parameters import Question
from gateway.errors import invalid
from gateway.library import Library
from gateway.search import SearchClient, dated

#: Search hears of the trash a moment later, or not before the queue is back: so often it is asked again without what
#: is trashed, so that the page is full and the total right.
_AGAIN: Final = 3
#: For so long, and of so many, it is remembered that search did not know of the trash.
_GONE_S: Final = 60.0
_MOST_GONE: Final = 200
#: The filters that are about what only the catalogue can name by its numbers.
_MEANT: Final = frozenset(("path", "media", "cluster", "tags", "tag_filters"))
#: What the search service takes the encoder's own vectors of objects by.
OBJECTS: Final = "objects"


class Gone:
    """What search found of a collection lately though it is not listed: it is left out from the first, so that the next
    page begins where this one ends."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._noted: dict[int, float] = {}  # the last one noted at the end

    def note(self, item_ids: AbstractSet[int]) -> None:
        now = self._clock()
        for item_id in item_ids:
            self._noted.pop(item_id, None)
            self._noted[item_id] = now
        while len(self._noted) > _MOST_GONE:
            del self._noted[next(iter(self._noted))]

    def lately(self) -> set[int]:
        since = self._clock() - _GONE_S
        self._noted = {item_id: noted for item_id, noted in self._noted.items() if noted >= since}
        return set(self._noted)


class Scoring:
    """Asks the catalogue what the filters mean, search what fits, and the catalogue what that is."""

    def __init__(self, library: Library, search: SearchClient, most: int) -> None:
        """`most`: results counted at most."""
        self._library = library
        self._search = search
        self._most = most
        self._gone: dict[int, Gone] = {}  # by collection

    async def page(self, collection: pb.Collection, wanted: pb.ListMediaRequest, question: Question) -> Found:
        """
        Args:
            wanted: the filters, of that collection.

        Raises:
            Failure: 404, no such object; 400, it has no vector in that model; 503, search is not available.
            grpc.aio.AioRpcError: the catalogue's refusal (there is no such folder), or search's.
        """
        asked = search_pb2.FindMatchingRequest(
            text=question.text,
            at_least=question.min_score,
            offset=min(wanted.offset, self._most),
            limit=wanted.limit,
            cap=self._most,
        )
        if question.text:
            asked.find_words.CopyFrom(words_among(wanted))
        scope, _ = await asyncio.gather(self._scope(collection, wanted), self._aim(asked, wanted.collection, question))
        asked.scope.CopyFrom(search_scope(wanted, scope))
        noted = self._gone.setdefault(scope.collection_id, Gone())
        if lately := noted.lately():
            asked.scope.seen.extend(lately - (await self._library.listed(lately)).keys())
        for last_time in (*(False,) * _AGAIN, True):
            found = await self._matching(asked, question)
            media = await self._library.listed([one.item_id for one in found.scored]) if found.scored else {}
            own = {item_id: one for item_id, one in media.items() if one.collection_id == scope.collection_id}
            gone = {one.item_id for one in found.scored} - own.keys()
            noted.note(gone)
            if last_time or not gone:
                break
            asked.scope.seen.extend(gone)
        return Found.of(found, own)

    async def _scope(self, collection: pb.Collection, wanted: pb.ListMediaRequest) -> pb.ListingScope:
        """What of the filters only the catalogue knows; of a whole collection that is nothing."""
        fields = {field.name for field, _ in wanted.ListFields()}
        if wanted.recursive and not fields & _MEANT:
            return pb.ListingScope(collection_id=collection.id)
        return await self._library.scope(wanted)

    async def _matching(self, asked: search_pb2.FindMatchingRequest, question: Question) -> search_pb2.FoundPage:
        try:
            return await self._search.matching(asked)
        except grpc.aio.AioRpcError as error:
            if question.object_id is not None and error_code_of(error) in _NO_VECTOR:
                reason = error.details() or "This object has no vector."
                raise invalid("similarToObjectId", reason) from error
            raise

    async def _aim(self, asked: search_pb2.FindMatchingRequest, collection: str, question: Question) -> None:
        """At the object that is to be resembled, if there is one."""
        if question.object_id is None:
            return
        uuid = ids.parsed(question.object_id)
        if uuid is None:
            raise ids.not_found("Object")
        found = await self._library.object(collection, uuid)
        model = question.model or found.object.model
        if found.whole and model in ("", OBJECTS):
            asked.point_id = found.frame_id
        else:
            asked.object.object_id = found.object.object_id
            asked.object.model = model


def words_among(listing: pb.ListMediaRequest) -> pb.FindTextRequest:
    """Has search ask the catalogue what it finds by the text of what the listing would show."""
    return pb.FindTextRequest(collection=listing.collection, among=listing)


#: How search says that there is nothing to start from.
_NO_VECTOR: Final = frozenset((ErrorCode.ITEM_NOT_FOUND, ErrorCode.OBJECT_NOT_FOUND, ErrorCode.INVALID_ARGUMENT))


def search_scope(wanted: pb.ListMediaRequest, scope: pb.ListingScope) -> search_pb2.Scope:
    """The filters of a listing for the vector query."""
    parts = []
    if wanted.kinds:
        parts.append(_has(search_pb2.FIELD_KIND, wanted.kinds))
    if wanted.HasField("created_from_us") or wanted.HasField("created_before_us"):
        parts.append(_created(wanted))
    if wanted.HasField("dated_from_us") or wanted.HasField("dated_before_us"):
        parts.append(
            dated(
                wanted.dated_from_us if wanted.HasField("dated_from_us") else None,
                wanted.dated_before_us if wanted.HasField("dated_before_us") else None,
            )
        )
    if scope.HasField("folder_id"):
        parts.append(_has(search_pb2.FIELD_FOLDER, [scope.folder_id]))
    if scope.left_out_folder_ids:
        parts.append(_has(search_pb2.FIELD_FOLDER, scope.left_out_folder_ids, negated=True))
    parts += [_has(search_pb2.FIELD_OWN_TAG, any_of.ids) for any_of in scope.tag_ids]
    if scope.HasField("item_ids"):
        parts.append(_has(search_pb2.FIELD_ITEM, scope.item_ids.ids))
    together = search_pb2.Filter(all=search_pb2.Filters(parts=parts)) if parts else None
    return search_pb2.Scope(collection_id=scope.collection_id, filter=together)


def _has(field: search_pb2.Field.ValueType, values: Iterable[int], *, negated: bool = False) -> search_pb2.Filter:
    return search_pb2.Filter(negated=negated, has=search_pb2.HasNumber(field=field, values=values))


def _created(wanted: pb.ListMediaRequest) -> search_pb2.Filter:
    lower = wanted.created_from_us if wanted.HasField("created_from_us") else None
    upper = wanted.created_before_us - 1 if wanted.HasField("created_before_us") else None
    return search_pb2.Filter(between=search_pb2.Between(field=search_pb2.FIELD_CREATED_US, lower=lower, upper=upper))
