"""The gRPC face: a message in, one call of the domain, a message out."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import numpy as np
from media_common.errors import InvalidArgument
from media_proto import search_pb2 as pb
from media_proto import search_pb2_grpc

from search_service import wire
from search_service.domain import clusters, zero_shot
from search_service.domain.searching import Judged
from search_service.domain.vectors import Vector
from search_service.engine import Engine

_CAP: Final = 1000
_MIN_SIZE: Final = 5
_MOST_TEXTS: Final = 1000
_MOST_PICTURES: Final = 64


class SearchServicer(search_pb2_grpc.SearchServiceServicer):
    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._paused = False

    async def GetReadiness(self, request: pb.GetReadinessRequest, context: Any) -> pb.Readiness:
        reason = self._engine.reason
        return pb.Readiness(
            ready=not reason,
            reason=reason,
            encoder=wire.encoder_out(self._engine.encoder.status),
            progress=self._progress(),
        )

    async def EmbedTexts(self, request: pb.EmbedTextsRequest, context: Any) -> pb.Vectors:
        _at_most("texts", len(request.texts), _MOST_TEXTS)
        vectors = await self._engine.encoder.texts(list(request.texts))
        return wire.vectors_out(self._engine.encoder.status.model, vectors)

    async def EmbedPictures(self, request: pb.EmbedPicturesRequest, context: Any) -> pb.Vectors:
        _at_most("pictures", len(request.pictures), _MOST_PICTURES)
        vectors = await self._engine.pictures(request.pictures)
        return wire.vectors_out(self._engine.encoder.status.model, vectors)

    async def ChooseWords(self, request: pb.ChooseWordsRequest, context: Any) -> pb.Words:
        _at_most("options", len(request.options), _MOST_TEXTS)
        options = list(request.options)
        [picture], texts = await asyncio.gather(
            self._engine.pictures([request.picture]), self._engine.encoder.texts(zero_shot.prompts(options))
        )
        sharpness = zero_shot.SHARPNESS[self._engine.encoder.status.name]
        words = zero_shot.chosen(options, picture, texts, several=request.several, sharpness=sharpness)
        return pb.Words(words=words)

    async def FindNearest(self, request: pb.FindNearestRequest, context: Any) -> pb.Found:
        scope, limit = wire.scope_of(request.scope), wire.limit_of(request.limit)
        searching = await self._engine.searching()
        if request.WhichOneof("target") == "point_id":
            return pb.Found(scored=wire.scored_out(await searching.like(scope, request.point_id, limit)))
        return pb.Found(scored=wire.scored_out(await searching.nearest(scope, await self._target(request), limit)))

    async def FindMatching(self, request: pb.FindMatchingRequest, context: Any) -> pb.FoundPage:
        scope, limit = wire.scope_of(request.scope), wire.limit_of(request.limit)
        if request.offset < 0 or request.cap < 0:
            raise InvalidArgument("offset and cap are never negative.")
        searching = await self._engine.searching()
        page = await searching.paged(
            scope,
            request.text,
            request.point_id if request.HasField("point_id") else None,
            at_least=request.at_least,
            offset=request.offset,
            limit=limit,
            cap=request.cap or _CAP,
        )
        return pb.FoundPage(scored=wire.scored_out(page.scored), total=page.total)

    async def FindJudged(self, request: pb.FindJudgedRequest, context: Any) -> pb.Found:
        scope, limit = wire.scope_of(request.scope), wire.limit_of(request.limit)
        judged = Judged(tuple(request.right), tuple(request.wrong), request.query)
        searching = await self._engine.searching()
        return pb.Found(scored=wire.scored_out(await searching.judged(scope, judged, limit)))

    async def FindInOrder(self, request: pb.FindInOrderRequest, context: Any) -> pb.Matches:
        scope, limit = wire.scope_of(request.scope), wire.limit_of(request.limit)
        _at_most("texts", len(request.texts), 10)
        searching = await self._engine.searching()
        matches = await searching.in_order(scope, list(request.texts), limit)
        return pb.Matches(matches=[wire.match_out(match) for match in matches])

    async def GetVectors(self, request: pb.GetVectorsRequest, context: Any) -> pb.PointVectors:
        vectors = await self._engine.vectors(list(request.point_ids))
        return wire.point_vectors_out(self._engine.encoder.status.model, vectors)

    async def FindClusters(self, request: pb.FindClustersRequest, context: Any) -> pb.Clusters:
        vectors = await self._engine.vectors(list(request.point_ids))
        rows = np.stack(list(vectors.values())) if vectors else np.zeros((0, 1), np.float32)
        # Minutes for many thousands: a thread of its own, so that everything else goes on.
        found = await asyncio.to_thread(clusters.clustered, list(vectors), rows, request.min_size or _MIN_SIZE)
        return pb.Clusters(clusters=[pb.Cluster(middle_id=one.middle_id, member_ids=one.member_ids) for one in found])

    async def CountItems(self, request: pb.CountItemsRequest, context: Any) -> pb.ItemCount:
        scope = wire.scope_of(request.scope)
        return pb.ItemCount(count=await (await self._engine.searching()).count(scope))

    async def PauseEmbedding(self, request: pb.PauseEmbeddingRequest, context: Any) -> pb.Progress:
        self._paused = request.paused
        return self._progress()

    def _progress(self) -> pb.Progress:
        return pb.Progress(paused=self._paused)

    async def _target(self, request: pb.FindNearestRequest) -> Vector:
        vector: Vector
        match request.WhichOneof("target"):
            case "text":
                [vector] = await self._engine.encoder.texts([request.text])
            case "picture":
                [vector] = await self._engine.pictures([request.picture])
            case "vector":
                vector = wire.vector_of(request.vector)
            case _:
                raise InvalidArgument("Nothing is said that items should be near to.")
        return vector


def _at_most(what: str, many: int, most: int) -> None:
    if not 1 <= many <= most:
        raise InvalidArgument(f"{what}: between 1 and {most}, not {many}.")
