"""The catalogue over gRPC: what items are, what their vectors are filtered by, where their pixels are."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final, TypeVar

import grpc
from media_common.boxes import box_of
from media_common.formats import RAWS, extension_of
from media_common.grpc_client import marks
from media_proto import metadata_pb2 as pb
from media_proto import metadata_pb2_grpc
from PIL.Image import Image

from search_service.domain.errors import CatalogueUnavailable
from search_service.domain.items import Item, Still
from search_service.domain.objects import Box, Detection
from search_service.domain.points import Facts
from search_service.loading.child import RAW, STILL, VIDEO
from search_service.loading.pixels import Place

logger = logging.getLogger(__name__)
T = TypeVar("T")

_DEADLINE_S: Final = 10.0
#: The same in all where somebody waits, who is told before his own time is over; and how long a restart may take.
_SOMEBODY_WAITS_S: Final = 6.0
_CONNECT_WAIT_S: Final = 2.0
_NO_ANSWER: Final = "The catalogue is not available right now."
#: Ids of one call; the catalogue's own limit.
_MOST_IDS: Final = 1000
#: So long the list of collections is good for; one that is not in it is asked for at once.
_COLLECTIONS_S: Final = 5.0
_AWAY: Final = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED)

Load = Callable[[Place], Awaitable[Sequence[Still[Image]]]]


class RemoteCatalogue:
    """Implements `Catalogue` and `Everything`. Every call may raise `CatalogueUnavailable`."""

    def __init__(self, channel: grpc.aio.Channel, load: Load) -> None:
        self._channel = channel
        self._stub: Any = metadata_pb2_grpc.MetadataServiceStub(channel)
        self._load = load
        self._collections: Mapping[int, pb.Collection] = {}
        self._away: frozenset[int] = frozenset()
        self._read_at = float("-inf")
        self._reading = asyncio.Lock()

    # ---- items ----

    async def items(self, item_ids: Sequence[int]) -> Mapping[int, Item[Image]]:
        return {told.media_id: await self._item(told) for told in await self._told(item_ids)}

    async def frame_ids(self, item_id: int, stills: Sequence[Still[Image]]) -> Sequence[int]:
        frames = [
            pb.GivenFrame(timestamp_s=still.timestamp_s, width_px=still.width_px, height_px=still.height_px)
            for still in stills
        ]
        try:
            answer = await self._asked(self._stub.SetFrames, pb.SetFramesRequest(item_id=item_id, frames=frames))
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.NOT_FOUND:
                return []
            raise
        return list(answer.ids)

    async def embedded(self, item_ids: Sequence[int]) -> None:
        for start in range(0, len(item_ids), _MOST_IDS):
            ids = item_ids[start : start + _MOST_IDS]
            await self._asked(self._stub.SetEmbedded, pb.SetEmbeddedRequest(media_ids=ids, embedded=True))

    async def searchable(self, after_id: int, limit: int) -> Sequence[int]:
        asked = pb.ListSearchableRequest(after_id=after_id, limit=limit)
        return list((await self._asked(self._stub.ListSearchable, asked)).ids)

    async def detected(self, after_id: int, limit: int) -> Sequence[Detection]:
        asked = pb.ListDetectionsRequest(after_id=after_id, limit=limit)
        told = (await self._asked(self._stub.ListDetections, asked)).detections
        return [Detection(one.object_id, one.media_id, one.model, _box(one)) for one in told]

    async def with_words(self, asked: pb.FindTextRequest, text: str, limit: int) -> Mapping[int, float]:
        """What has any of the words by how well they fit (bm25, more is better), the best `limit` of what `asked` is
        about. Nothing of a collection or folder that is gone."""
        wanted = pb.FindTextRequest()
        wanted.CopyFrom(asked)
        wanted.text, wanted.limit, wanted.as_columns = text, limit, True
        try:
            hits = await self._asked_patiently(self._stub.FindText, wanted)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.NOT_FOUND:
                return {}
            raise
        # A catalogue of before knows no columns.
        return dict(zip(hits.item_ids, hits.bm25, strict=True)) or {hit.item_id: hit.bm25 for hit in hits.hits}

    async def away(self) -> frozenset[int]:
        async with self._reading:
            await self._read_collections()
            return self._away

    # ---- steps ----

    async def _told(self, item_ids: Sequence[int]) -> list[pb.SearchFacts]:
        told: list[pb.SearchFacts] = []
        for start in range(0, len(item_ids), _MOST_IDS):
            asked = pb.GetFactsRequest(media_ids=item_ids[start : start + _MOST_IDS])
            told += (await self._asked(self._stub.GetFacts, asked)).facts
        return told

    async def _item(self, told: pb.SearchFacts) -> Item[Image]:
        place = await self._place(told)
        is_video = told.kind == pb.MEDIA_KIND_VIDEO
        return Item(
            _facts(told),
            told.seal,
            None if place is None else partial(self._load, place),
            embedded=told.embedded,
            is_video=is_video,
            path=told.path or told.name.encode("utf-8", "surrogateescape"),
            away=place is not None and not place.sha256 and told.collection_id in self._away,
            load_at=partial(self._load_at, place) if place is not None and is_video else None,
        )

    async def _load_at(self, place: Place, moments_s: Sequence[float]) -> Sequence[Still[Image]]:
        return await self._load(replace(place, moments_s=tuple(moments_s)))

    async def _place(self, told: pb.SearchFacts) -> Place | None:
        """None: it has no pictures, or they are elsewhere."""
        if told.kind not in (pb.MEDIA_KIND_IMAGE, pb.MEDIA_KIND_VIDEO):
            return None
        extension = extension_of(told.name.encode("utf-8", "surrogateescape"))
        form = VIDEO if told.kind == pb.MEDIA_KIND_VIDEO else RAW if extension in RAWS else STILL
        match told.WhichOneof("pixels"):
            case "path":
                collection = await self._collection(told.collection_id)
                # Removed or moved a moment ago: its own job tells.
                if collection is None:
                    return None
                root = collection.root_path.rstrip(b"/")
                if not told.path.startswith(root + b"/"):
                    return None
                relative = told.path[len(root) + 1 :]
                return Place(root or b"/", relative, form=form)
            case "blob":
                return Place(sha256=bytes.fromhex(told.blob), form=form)
            case _:
                return None

    async def _collection(self, collection_id: int) -> pb.Collection | None:
        async with self._reading:
            await self._read_collections(collection_id)
            return self._collections.get(collection_id)

    async def _read_collections(self, needed: int | None = None) -> None:
        """Again, when it was long ago or the one that is needed is not among them."""
        old = time.monotonic() - self._read_at > _COLLECTIONS_S
        if old or (needed is not None and needed not in self._collections):
            listed = await self._asked(self._stub.ListCollections, pb.ListCollectionsRequest())
            self._collections = {one.id: one for one in listed.collections}
            self._away = frozenset(listed.away_ids)
            self._read_at = time.monotonic()

    async def _asked_patiently(self, call: Callable[..., Awaitable[T]], request: object) -> T:
        """A question that somebody waits for: a catalogue that is being restarted is waited for, and asked once more
        when it dies under the call. Not for what changes anything."""
        ends = time.monotonic() + _SOMEBODY_WAITS_S
        for is_last in (False, True):
            left = ends - time.monotonic()
            try:
                async with asyncio.timeout(min(_CONNECT_WAIT_S, left)):
                    await self._channel.channel_ready()
                return await call(request, timeout=ends - time.monotonic(), metadata=marks())
            except TimeoutError as error:
                raise CatalogueUnavailable(_NO_ANSWER) from error
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.UNAVAILABLE or is_last:
                    raise _named(error) from error
        raise AssertionError("unreachable")

    async def _asked(self, call: Callable[..., Awaitable[T]], request: object) -> T:
        try:
            return await call(request, timeout=_DEADLINE_S, metadata=marks())
        except grpc.aio.AioRpcError as error:
            raise _named(error) from error


def _named(error: grpc.aio.AioRpcError) -> Exception:
    """What the transport says in our own words, and the catalogue's own refusal as it is."""
    if error.code() not in _AWAY:
        return error
    logger.debug("the catalogue does not answer: %s", error.details())
    return CatalogueUnavailable(_NO_ANSWER)


def _box(told: pb.Detection) -> Box | None:
    shape = json.loads(told.shape_json)
    box = box_of(shape) if isinstance(shape, dict) else None
    return None if box is None else Box(told.frame, *box)


def _facts(told: pb.SearchFacts) -> Facts:
    return Facts(
        item_id=told.media_id,
        collection_id=told.collection_id,
        kind=told.kind,
        listed=told.listed,
        created_us=told.created_us,
        taken_us=told.taken_us,
        dated_us=told.dated_us,
        tag_ids=tuple(told.tag_ids),
        own_tag_ids=tuple(told.own_tag_ids),
        group_ids=tuple(told.group_ids),
        folder_ids=tuple(told.folder_ids),
    )
