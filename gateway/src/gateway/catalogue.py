"""metadata-service as the gateway calls it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Sequence
from typing import TYPE_CHECKING, Final, TypeVar

import grpc
from media_common.errors import ErrorCode
from media_common.grpc_client import error_code_of, open_channel
from media_common.trust import ANYBODY, Trust
from media_proto import metadata_pb2 as pb
from media_proto import metadata_pb2_grpc

from gateway.config import GatewaySettings
from gateway.errors import Failure, is_spoken, service_down
from gateway.remote import Remote
from gateway.shown_items import ShownItem, of_columns, of_items
from gateway.together import Together

if TYPE_CHECKING:
    from media_proto.metadata_pb2_grpc import MetadataServiceAsyncStub

Q = TypeVar("Q")
A = TypeVar("A")

#: Items of a request that is asked for together with others.
_FEW: Final = 200
_LATE: Final = "The catalogue did not answer in time."


class CatalogueClient(Remote):
    """metadata-service, by name. Requests and answers are its messages; `collection` is a slug or an id."""

    SPOKEN = "The catalogue"

    def __init__(self, channel: grpc.aio.Channel, settings: GatewaySettings) -> None:
        super().__init__(channel, settings.connect_wait_s)
        self.stub: MetadataServiceAsyncStub = metadata_pb2_grpc.MetadataServiceStub(channel)
        self._call_s = settings.call_deadline_s
        self._transfer_s = settings.transfer_deadline_s
        self.is_set_up = bool(settings.metadata_target)
        self._shown = Together(self._shown_alone, self._shown_of_each)
        self._related = Together(self._related_alone, self._related_of_each)

    @classmethod
    def open(cls, settings: GatewaySettings, trust: Trust = ANYBODY) -> CatalogueClient:
        """Where none is set up, every call answers that the catalogue is not available."""
        return cls(open_channel(settings.metadata_target or "unix:/nonexistent", trust, marked=False), settings)

    async def ask(self, method: grpc.aio.UnaryUnaryMultiCallable[Q, A], request: Q, *, repeatable: bool = True) -> A:
        """One call; what the transport says is said in our own words.

        Raises:
            Failure: 503 or 504, the service does not answer.
            grpc.aio.AioRpcError: its own refusal.
        """
        try:
            return await self._ask(method, request, self._call_s, repeatable=repeatable)
        except grpc.aio.AioRpcError as error:
            self._reword(error)
            raise

    def _reword(self, error: grpc.aio.AioRpcError) -> None:
        """Raises Failure for what the transport says."""
        code = error_code_of(error)
        if code is ErrorCode.SERVICE_UNAVAILABLE and not is_spoken(error):
            raise service_down(self.SPOKEN) from error
        if code is ErrorCode.DEADLINE:
            raise Failure(504, code, _LATE) from error

    # --- collections ---
    async def collections(self) -> pb.ListCollectionsResponse:
        return await self.ask(self.stub.ListCollections, pb.ListCollectionsRequest())

    async def collection(self, name: str) -> pb.Collection:
        return await self.ask(self.stub.GetCollection, pb.GetCollectionRequest(collection=name))

    async def import_collection(self, parts: AsyncIterable[pb.ImportPart]) -> pb.Collection:
        """A collection of another system, complete. When the parts break off with an error, nothing of it is kept.

        Raises:
            Failure: 503 or 504, the service does not answer.
            grpc.aio.AioRpcError: its own refusal.
        """
        await self.connected()
        call = self.stub.ImportCollection(timeout=self._transfer_s)
        collection = pb.Collection()
        try:
            async for part in parts:
                await call.write(part)
                step = await call.read()
                assert isinstance(step, pb.ImportStep), "each part is answered"
                collection = step.collection
            return collection
        except grpc.aio.AioRpcError as error:
            self._reword(error)
            raise
        finally:
            call.cancel()

    # --- interactive retrieval; ids are relative to the collection's base ---
    async def items(self, collection: str, ids: Sequence[int], tagset_ids: Sequence[int] = ()) -> pb.Items:
        """With everything about them."""
        request = pb.GetItemsRequest(collection=collection, relative_ids=ids, tagset_ids=tagset_ids)
        return await self.ask(self.stub.GetItems, request)

    async def shown_items(
        self, collection: str, ids: Sequence[int], tagset_ids: Sequence[int] = ()
    ) -> Sequence[ShownItem]:
        """As lists print them, in request order; unknown ones are left out."""
        request = pb.GetItemsRequest(collection=collection, relative_ids=ids, tagset_ids=tagset_ids)
        return await (self._shown.ask if len(ids) <= _FEW else self._shown_alone)(request)

    async def _shown_alone(self, request: pb.GetItemsRequest) -> Sequence[ShownItem]:
        return of_items(await self.ask(self.stub.GetItems, request))

    async def _shown_of_each(self, requests: Sequence[pb.GetItemsRequest]) -> Sequence[Sequence[ShownItem] | None]:
        found = await self.ask(self.stub.GetItemsOfEach, pb.GetItemsOfEachRequest(requests=requests))
        return [of_columns(answer.items) if answer.HasField("items") else None for answer in found.answers]

    async def related(self, collection: str, ids: Sequence[int]) -> pb.RelatedItems:
        request = pb.GetItemsRequest(collection=collection, relative_ids=ids)
        return await (self._related.ask if len(ids) <= _FEW else self._related_alone)(request)

    async def _related_alone(self, request: pb.GetItemsRequest) -> pb.RelatedItems:
        return await self.ask(self.stub.GetRelated, request)

    async def _related_of_each(self, requests: Sequence[pb.GetItemsRequest]) -> Sequence[pb.RelatedItems | None]:
        found = await self.ask(self.stub.GetRelatedOfEach, pb.GetItemsOfEachRequest(requests=requests))
        return [answer.items if answer.HasField("items") else None for answer in found.answers]

    async def members(self, collection: str, group_id: int) -> pb.ItemIds:
        request = pb.GetMembersRequest(collection=collection, relative_id=group_id)
        return await self.ask(self.stub.GetMembers, request)

    async def is_excluded(self, collection: str, item_id: int, group_ids: Sequence[int]) -> bool:
        request = pb.IsExcludedRequest(collection=collection, relative_id=item_id, group_ids=group_ids)
        return (await self.ask(self.stub.IsExcluded, request)).excluded

    async def tagsets(self, collection: str) -> pb.ListTagsetsResponse:
        return await self.ask(self.stub.ListTagsets, pb.ListTagsetsRequest(collection=collection))

    async def tag_values(
        self, collection: str, tagtype: pb.TagType.ValueType, tagset_id: int
    ) -> pb.ListTagValuesResponse:
        request = pb.ListTagValuesRequest(collection=collection, tagtype=tagtype, tagset_id=tagset_id)
        return await self.ask(self.stub.ListTagValues, request)

    async def count_items(self, collection: str) -> int:
        return (await self.ask(self.stub.CountItems, pb.CountItemsRequest(collection=collection))).count

    async def passing(self, request: pb.ListPassingRequest) -> pb.PassingItems:
        return await self.ask(self.stub.ListPassing, request)

    async def groups_of(self, collection: str, ids: Sequence[int]) -> Sequence[int]:
        """The groups of items, by the catalogue's own ids."""
        request = pb.FindGroupsRequest(collection=collection, relative_ids=ids)
        return (await self.ask(self.stub.FindGroups, request)).ids

    async def unlisted(self, collection: str, item_ids: Iterable[int]) -> set[int]:
        """Those that no search may find now, with a frame its media; all by the catalogue's own ids."""
        request = pb.FindUnlistedRequest(collection=collection, item_ids=item_ids)
        return set((await self.ask(self.stub.FindUnlisted, request)).ids)

    async def tags_meant(self, collection: str, choices: Sequence[pb.TagChoice]) -> pb.FoundTags:
        """The tags of each choice, by the catalogue's own ids."""
        return await self.ask(self.stub.FindTags, pb.FindTagsRequest(collection=collection, choices=choices))

    # --- indexing ---
    async def indexing(self) -> pb.Indexing:
        return await self.ask(self.stub.GetIndexing, pb.GetIndexingRequest())

    async def pause_reading(self, paused: bool) -> pb.Indexing:
        return await self.ask(self.stub.PauseReading, pb.PauseReadingRequest(paused=paused))

    # --- faces ---
    async def resolve(self, request: pb.ResolveRequest) -> pb.Resolution:
        return await self.ask(self.stub.Resolve, request)

    # --- keys ---
    async def create_key(self, request: pb.CreateKeyRequest) -> pb.Key:
        return await self.ask(self.stub.CreateKey, request, repeatable=False)

    async def keys(self) -> pb.Keys:
        return await self.ask(self.stub.ListKeys, pb.ListKeysRequest())

    async def revoke_key(self, uuid: bytes) -> None:
        await self.ask(self.stub.RevokeKey, pb.RevokeKeyRequest(uuid=uuid))

    # --- keeping ---
    def backup(self) -> AsyncGenerator[pb.BackupPart, None]:
        return self._follow(self.stub.Backup, pb.BackupRequest(), self._transfer_s)
