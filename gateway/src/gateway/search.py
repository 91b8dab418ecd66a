"""search-service as the gateway calls it. Whatever keeps it from answering is one failure: 503 with the reason."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final, TypeVar

import grpc
from media_common.errors import ErrorCode
from media_common.grpc_client import error_code_of, open_channel
from media_common.trust import ANYBODY, Trust
from media_proto import search_pb2 as pb
from media_proto import search_pb2_grpc

from gateway.config import GatewaySettings
from gateway.errors import Failure, is_spoken, search_off
from gateway.remote import Remote

if TYPE_CHECKING:
    from media_proto.search_pb2_grpc import SearchServiceAsyncStub

Q = TypeVar("Q")
A = TypeVar("A")

_NOT_SET_UP: Final = "No search service is set up."
_DOWN: Final = "The search service does not answer."
_LATE: Final = "It did not answer in time."
_LOADING: Final = "The model is being loaded."
#: What a caller of a late answer still waits to learn why.
_WHY_S: Final = 1.0


class SearchClient(Remote):
    """search-service, by name. Requests and answers are its messages; ids are the catalogue's own.

    Every call raises `Failure` 503 `search_unavailable` while search is off, away, loading or without its model, and
    `grpc.aio.AioRpcError` with what the service says of a request.
    """

    SPOKEN = "The search service"

    def __init__(self, channel: grpc.aio.Channel, settings: GatewaySettings) -> None:
        super().__init__(channel, settings.connect_wait_s)
        self.stub: SearchServiceAsyncStub = search_pb2_grpc.SearchServiceStub(channel)
        self._call_s = settings.call_deadline_s
        #: Pictures go through a model, one after another where there is no GPU.
        self._pictures_s = settings.thumbnail_deadline_s
        self._long_s = settings.listing_deadline_s
        self.is_set_up = bool(settings.search_target)

    @classmethod
    def open(cls, settings: GatewaySettings, trust: Trust = ANYBODY) -> SearchClient:
        return cls(open_channel(settings.search_target or "unix:/nonexistent", trust, marked=False), settings)

    async def ask(
        self,
        method: grpc.aio.UnaryUnaryMultiCallable[Q, A],
        request: Q,
        deadline_s: float | None = None,
        *,
        repeatable: bool = True,
    ) -> A:
        """One call.

        Raises:
            Failure: 503, search is not available, and why.
            grpc.aio.AioRpcError: its refusal of the request.
        """
        if not self.is_set_up:
            raise search_off(_NOT_SET_UP)
        try:
            return await self._ask(method, request, deadline_s or self._call_s, repeatable=repeatable)
        except Failure as error:  # it did not come within the connect wait
            raise search_off(_DOWN) from error
        except grpc.aio.AioRpcError as error:
            code = error_code_of(error)
            if code is ErrorCode.SERVICE_UNAVAILABLE:
                raise search_off(error.details() or _DOWN if is_spoken(error) else _DOWN) from error
            if code is ErrorCode.DEADLINE:
                raise search_off(await self._why_late()) from error
            raise

    async def _why_late(self) -> str:
        try:
            answer = await self.stub.GetReadiness(pb.GetReadinessRequest(), timeout=_WHY_S)
        except grpc.aio.AioRpcError:
            return _LATE
        return answer.reason or (_LOADING if answer.encoder.state == pb.ENCODER_STATE_LOADING else _LATE)

    # --- how it is ---
    async def readiness(self) -> pb.Readiness:
        return await self.ask(self.stub.GetReadiness, pb.GetReadinessRequest())

    async def pause_embedding(self, paused: bool) -> pb.Progress:
        return await self.ask(self.stub.PauseEmbedding, pb.PauseEmbeddingRequest(paused=paused))

    # --- vectors of what is given ---
    async def embed_texts(self, texts: Sequence[str]) -> pb.Vectors:
        return await self.ask(self.stub.EmbedTexts, pb.EmbedTextsRequest(texts=texts))

    async def embed_pictures(self, pictures: Sequence[bytes]) -> pb.Vectors:
        request = pb.EmbedPicturesRequest(pictures=pictures)
        return await self.ask(self.stub.EmbedPictures, request, self._pictures_s)

    async def choose_words(self, picture: bytes, options: Sequence[str], *, several: bool) -> pb.Words:
        request = pb.ChooseWordsRequest(picture=picture, options=options, several=several)
        return await self.ask(self.stub.ChooseWords, request, self._pictures_s)

    # --- finding ---
    async def nearest(self, request: pb.FindNearestRequest) -> pb.Found:
        deadline_s = self._pictures_s if request.WhichOneof("target") == "picture" else None
        return await self.ask(self.stub.FindNearest, request, deadline_s)

    async def matching(self, request: pb.FindMatchingRequest) -> pb.FoundPage:
        return await self.ask(self.stub.FindMatching, request)

    async def judged(self, request: pb.FindJudgedRequest) -> pb.Found:
        return await self.ask(self.stub.FindJudged, request)

    async def in_order(self, request: pb.FindInOrderRequest) -> pb.Matches:
        return await self.ask(self.stub.FindInOrder, request)

    async def count(self, scope: pb.Scope) -> int:
        return (await self.ask(self.stub.CountItems, pb.CountItemsRequest(scope=scope))).count

    # --- vectors that are kept ---
    async def vectors(self, point_ids: Sequence[int]) -> pb.PointVectors:
        return await self.ask(self.stub.GetVectors, pb.GetVectorsRequest(point_ids=point_ids))

    async def clusters(self, request: pb.FindClustersRequest) -> pb.Clusters:
        return await self.ask(self.stub.FindClusters, request, self._long_s)

    async def put_vectors(self, request: pb.PutVectorsRequest) -> int:
        """How many were written. Their dimensions must be those of the space."""
        return (await self.ask(self.stub.PutVectors, request, self._pictures_s)).written

    async def put_object_vectors(self, request: pb.PutObjectVectorsRequest) -> int:
        return (await self.ask(self.stub.PutObjectVectors, request, self._pictures_s)).written

    async def make_frames(self, item_id: int, seconds: Sequence[float]) -> None:
        """Those of a video that are missed in the blob store."""
        await self.ask(self.stub.MakeFrames, pb.MakeFramesRequest(item_id=item_id, seconds=seconds))

    async def remove_object_vectors(self, object_ids: Sequence[int]) -> None:
        await self.ask(self.stub.RemoveObjectVectors, pb.RemoveObjectVectorsRequest(object_ids=object_ids))

    # --- models ---
    async def models(self, load: Iterable[str] = ()) -> pb.Models:
        """`load`: object models that are got ready first."""
        request = pb.ListModelsRequest(load=load)
        return await self.ask(self.stub.ListModels, request, self._pictures_s if request.load else None)

    async def use_encoder(self, name: str) -> pb.Models:
        return await self.ask(self.stub.UseEncoder, pb.UseEncoderRequest(name=name), self._pictures_s)


def dated(from_us: int | None, before_us: int | None) -> pb.Filter:
    """What is from a time, on its own clock; None is no bound."""
    upper = None if before_us is None else before_us - 1
    return pb.Filter(between=pb.Between(field=pb.FIELD_DATED_US, lower=from_us, upper=upper))
