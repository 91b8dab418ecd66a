"""The gRPC face: a message in, one call of the domain, a message out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, Protocol

from media_common.errors import InvalidArgument
from media_proto import metadata_pb2, search_pb2_grpc
from media_proto import search_pb2 as pb

from search_service import wire
from search_service.domain import objects, zero_shot
from search_service.domain.progress import Feeding
from search_service.domain.searching import OBJECTS, Judged, ObjectStart
from search_service.domain.vectors import Vector
from search_service.engine import Engine
from search_service.frames import Frames
from search_service.objects import Objects
from search_service.spaces import Answering, Space

_CAP: Final = 1000
_MIN_SIZE: Final = 5
_MOST_TEXTS: Final = 1000
_MOST_PICTURES: Final = 64
_MOST_PUT: Final = 1000
_MOST_WORDS: Final = 1000
_MOST_MOMENTS: Final = 100


class Texts(Protocol):
    """The catalogue's search by words."""

    async def with_words(self, asked: metadata_pb2.FindTextRequest, text: str, limit: int) -> Mapping[int, float]:
        """bm25 by item. May raise `ServiceError`."""


class SearchServicer(search_pb2_grpc.SearchServiceServicer):
    def __init__(
        self, engine: Engine, objects: Objects, frames: Frames, texts: Texts, feeding: Feeding | None = None
    ) -> None:
        self._engine = engine
        self._objects = objects
        self._frames = frames
        self._texts = texts
        self._feeding = feeding
        #: Told of every query that was answered: its kind, and the seconds it took with its model.
        self.on_query: Callable[[str, float], None] = lambda kind, seconds: None

    @asynccontextmanager
    async def _answering(self, kind: str) -> AsyncIterator[Answering]:
        began = time.perf_counter()
        async with self._engine.answering() as now:
            yield now
        self.on_query(kind, time.perf_counter() - began)

    async def GetReadiness(self, request: pb.GetReadinessRequest, context: Any) -> pb.Readiness:
        reason = self._engine.reason
        return pb.Readiness(
            ready=not reason,
            reason=reason,
            encoder=wire.encoder_out(self._engine.status),
            next=wire.next_out(self._engine.next_status),
            progress=await self._progress(),
        )

    async def EmbedTexts(self, request: pb.EmbedTextsRequest, context: Any) -> pb.Vectors:
        _at_most("texts", len(request.texts), _MOST_TEXTS)
        async with self._answering("texts") as now:
            return wire.vectors_out(now.space.model, await now.space.texts(list(request.texts)))

    async def EmbedPictures(self, request: pb.EmbedPicturesRequest, context: Any) -> pb.Vectors:
        _at_most("pictures", len(request.pictures), _MOST_PICTURES)
        async with self._answering("pictures") as now:
            return wire.vectors_out(now.space.model, await now.space.pictures(request.pictures))

    async def ChooseWords(self, request: pb.ChooseWordsRequest, context: Any) -> pb.Words:
        _at_most("options", len(request.options), _MOST_TEXTS)
        options = list(request.options)
        async with self._answering("words") as now:
            [picture], texts = await asyncio.gather(
                now.space.pictures([request.picture]), now.space.texts(zero_shot.prompts(options))
            )
            sharpness = zero_shot.SHARPNESS[now.space.family]
        words = zero_shot.chosen(options, picture, texts, several=request.several, sharpness=sharpness)
        return pb.Words(words=words)

    async def FindNearest(self, request: pb.FindNearestRequest, context: Any) -> pb.Found:
        scope, limit = wire.scope_of(request.scope), wire.limit_of(request.limit)
        target = request.WhichOneof("target") or "nothing"
        async with self._answering(f"nearest_{target}") as now:
            match target:
                case "point_id":
                    found = await now.searching.like(scope, request.point_id, limit)
                case "object":
                    found = await now.searching.like(scope, self._object(request.object), limit)
                case _:
                    found = await now.searching.nearest(scope, await _target(request, now.space), limit)
        return pb.Found(scored=wire.scored_out(found))

    async def FindMatching(self, request: pb.FindMatchingRequest, context: Any) -> pb.FoundPage:
        scope, limit = wire.scope_of(request.scope), wire.limit_of(request.limit)
        if request.offset < 0 or request.cap < 0:
            raise InvalidArgument("offset and cap are never negative.")
        if len(request.words) > _MOST_WORDS:
            raise InvalidArgument(f"words: at most {_MOST_WORDS}, not {len(request.words)}.")
        if request.words and request.HasField("find_words"):
            raise InvalidArgument("words are given or found, not both.")
        like: int | ObjectStart | None = request.point_id if request.HasField("point_id") else None
        if request.HasField("object"):
            like = self._object(request.object)
        async with self._answering("matching") as now:
            page = await now.searching.paged(
                scope,
                request.text,
                like,
                fits=lambda: self._fits(request),
                at_least=request.at_least,
                offset=request.offset,
                limit=limit,
                cap=request.cap or _CAP,
            )
        return pb.FoundPage(scored=wire.scored_out(page.scored), total=page.total)

    async def FindJudged(self, request: pb.FindJudgedRequest, context: Any) -> pb.Found:
        scope, limit = wire.scope_of(request.scope), wire.limit_of(request.limit)
        judged = Judged(tuple(request.right), tuple(request.wrong), request.query)
        async with self._answering("judged") as now:
            return pb.Found(scored=wire.scored_out(await now.searching.judged(scope, judged, limit)))

    async def FindInOrder(self, request: pb.FindInOrderRequest, context: Any) -> pb.Matches:
        scope, limit = wire.scope_of(request.scope), wire.limit_of(request.limit)
        _at_most("texts", len(request.texts), 10)
        async with self._answering("in_order") as now:
            matches = await now.searching.in_order(scope, list(request.texts), limit)
        return pb.Matches(matches=[wire.match_out(match) for match in matches])

    async def GetVectors(self, request: pb.GetVectorsRequest, context: Any) -> pb.PointVectors:
        async with self._answering("vectors") as now:
            return wire.point_vectors_out(now.space.model, await now.vectors(list(request.point_ids)))

    async def FindClusters(self, request: pb.FindClustersRequest, context: Any) -> pb.Clusters:
        min_size = request.min_size or _MIN_SIZE
        if not request.point_ids:
            model = request.object_model or OBJECTS
            return wire.clusters_out(await self._objects.clusters(model, request.collection_id, min_size))
        async with self._answering("clusters") as now:
            vectors = await now.vectors(list(request.point_ids))
        return wire.clusters_out(await objects.grouped(vectors, min_size))

    async def CountItems(self, request: pb.CountItemsRequest, context: Any) -> pb.ItemCount:
        scope = wire.scope_of(request.scope)
        async with self._answering("count") as now:
            return pb.ItemCount(count=await now.searching.count(scope))

    async def PauseEmbedding(self, request: pb.PauseEmbeddingRequest, context: Any) -> pb.Progress:
        if self._feeding is not None:
            (self._feeding.pause if request.paused else self._feeding.go_on)()
        return await self._progress()

    async def MakeFrames(self, request: pb.MakeFramesRequest, context: Any) -> pb.MakeFramesResponse:
        _at_most("seconds", len(request.seconds), _MOST_MOMENTS)
        await self._frames.make(request.item_id, list(request.seconds))
        return pb.MakeFramesResponse()

    async def PutVectors(self, request: pb.PutVectorsRequest, context: Any) -> pb.PutVectorsResponse:
        _at_most("item_ids", len(request.item_ids), _MOST_PUT)
        if len(request.item_ids) != len(request.vectors):
            raise InvalidArgument("There must be one vector an item.")
        vectors = {key: wire.vector_of(one) for key, one in zip(request.item_ids, request.vectors, strict=True)}
        return pb.PutVectorsResponse(written=await self._objects.put_items(request.space, vectors))

    async def PutObjectVectors(self, request: pb.PutObjectVectorsRequest, context: Any) -> pb.PutVectorsResponse:
        _at_most("objects", len(request.objects), _MOST_PUT)
        given = [wire.object_of(one) for one in request.objects]
        shown = sum(one.WhichOneof("given") != "vector" for one in request.objects)
        _at_most("pictures and boxes", shown or 1, _MOST_PICTURES)
        return pb.PutVectorsResponse(written=await self._objects.put(request.model or OBJECTS, given))

    async def RemoveObjectVectors(
        self, request: pb.RemoveObjectVectorsRequest, context: Any
    ) -> pb.RemoveObjectVectorsResponse:
        _at_most("object_ids", len(request.object_ids), _MOST_PUT)
        await self._objects.remove(list(request.object_ids))
        return pb.RemoveObjectVectorsResponse()

    async def ListModels(self, request: pb.ListModelsRequest, context: Any) -> pb.Models:
        for model in request.load:
            await self._objects.get_ready(model)
        return pb.Models(
            encoder=wire.encoder_out(self._engine.status),
            next=wire.next_out(self._engine.next_status),
            object_models=[wire.object_model_out(model) for model in self._objects.models],
        )

    async def UseEncoder(self, request: pb.UseEncoderRequest, context: Any) -> pb.Models:
        await self._engine.use(request.name)
        return await self.ListModels(pb.ListModelsRequest(), context)

    async def _fits(self, request: pb.FindMatchingRequest) -> Mapping[int, float]:
        if request.HasField("find_words"):
            return await self._texts.with_words(request.find_words, request.text, _MOST_WORDS)
        return {one.item_id: one.score for one in request.words}

    async def _progress(self) -> pb.Progress:
        return pb.Progress() if self._feeding is None else wire.progress_out(await self._feeding.progress())

    def _object(self, target: pb.ObjectTarget) -> ObjectStart:
        model = target.model or OBJECTS
        self._objects.require(model)
        return ObjectStart(target.object_id, model)


async def _target(request: pb.FindNearestRequest, space: Space) -> Vector:
    vector: Vector
    match request.WhichOneof("target"):
        case "text":
            [vector] = await space.texts([request.text])
        case "picture":
            [vector] = await space.pictures([request.picture])
        case "vector":
            vector = wire.vector_of(request.vector)
        case _:
            raise InvalidArgument("Nothing is said that items should be near to.")
    return vector


def _at_most(what: str, many: int, most: int) -> None:
    if not 1 <= many <= most:
        raise InvalidArgument(f"{what}: between 1 and {most}, not {many}.")
