"""The contract of `metadata.proto` translated: message, one call of the store in a thread, message."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any, Final
from uuid import UUID, uuid4

from media_common.errors import InvalidArgument
from media_proto import metadata_pb2 as pb
from media_proto import metadata_pb2_grpc

from metadata_service import convert
from metadata_service.blob_jobs import BlobJobs
from metadata_service.domain.errors import KeyNotFound
from metadata_service.domain.keys import PREFIX, SCOPES, digest
from metadata_service.domain.media import FILES, Collection
from metadata_service.import_parts import parts_of
from metadata_service.importing import Imports
from metadata_service.indexing import Indexing
from metadata_service.listing_calls import ListingCalls, checked_limit
from metadata_service.passing_calls import PassingCalls
from metadata_service.search_calls import SearchCalls
from metadata_service.store import browsing, collections, details, frames, keys, listing, media, retrieval
from metadata_service.store.sqlite import Catalogue, now_us
from metadata_service.store.transaction import Transaction
from metadata_service.upload_calls import UploadCalls

Context = Any  # grpc.aio.ServicerContext; its own annotation is generic over the messages

#: Items of one retrieval call.
MAX_IDS: Final = 1000
#: Of all questions asked together.
MAX_IDS_OF_EACH: Final = 10_000


class MetadataServicer(ListingCalls, PassingCalls, SearchCalls, UploadCalls, metadata_pb2_grpc.MetadataServiceServicer):
    """Every call of `MetadataService`; those of listings and uploads are in `listing_calls`, `upload_calls`."""

    def __init__(self, catalogue: Catalogue, indexing: Indexing, imports: Imports, blob_jobs: BlobJobs) -> None:
        self._catalogue = catalogue
        self._indexing = indexing
        self._imports = imports
        self._blob_jobs = blob_jobs

    async def GetReadiness(self, request: pb.GetReadinessRequest, context: Context) -> pb.Readiness:
        await self._catalogue.read(collections.listed)
        return pb.Readiness(ready=True)

    # Collections and folders

    async def ListCollections(self, request: pb.ListCollectionsRequest, context: Context) -> pb.ListCollectionsResponse:
        found = await self._catalogue.read(collections.listed)
        away = [one.id for one in found if one.root_path in self._indexing.away]
        return pb.ListCollectionsResponse(collections=[convert.collection(one) for one in found], away_ids=away)

    async def GetCollection(self, request: pb.GetCollectionRequest, context: Context) -> pb.Collection:
        return convert.collection(await self._collection(request.collection))

    async def CreateCollection(self, request: pb.CreateCollectionRequest, context: Context) -> pb.Collection:
        made = await self._catalogue.write(collections.create, request.name, icon=request.icon)
        return convert.collection(made)

    async def UpdateCollection(self, request: pb.UpdateCollectionRequest, context: Context) -> pb.Collection:
        name = request.name if request.HasField("name") else None
        icon = request.icon if request.HasField("icon") else None
        found = await self._collection(request.collection)
        return convert.collection(await self._catalogue.write(collections.rename, found.id, name, icon))

    async def CreateFolder(self, request: pb.CreateFolderRequest, context: Context) -> pb.Media:
        collection, parent_id = await self._place(request.collection, convert.uuids_of(request.path))
        folder_id = await self._catalogue.write(
            collections.create_folder, collection, parent_id, request.name, request.reuse
        )
        return await self._shown(folder_id)

    async def ImportCollection(
        self, requests: AsyncIterator[pb.ImportPart], context: Context
    ) -> AsyncIterator[pb.ImportStep]:
        async with aclosing(self._imports.take(parts_of(requests))) as steps:
            async for made in steps:
                yield pb.ImportStep(collection=None if made is None else convert.collection(made))

    # Browsing

    async def ListNewest(self, request: pb.ListNewestRequest, context: Context) -> pb.MediaPage:
        names = None if request.all_collections else tuple(request.collections)
        kinds = convert.kinds_of(request.kinds) or FILES
        found, total = await self._catalogue.read(
            browsing.newest, names, kinds, request.offset, checked_limit(request.limit)
        )
        return pb.MediaPage(media=[convert.media(one) for one in found], total=total)

    async def GetMedia(self, request: pb.GetMediaRequest, context: Context) -> pb.Media:
        return convert.media(await self._catalogue.read(details.one, convert.uuid_of(request.uuid)))

    async def ListVersions(self, request: pb.ListVersionsRequest, context: Context) -> pb.MediaList:
        item = await self._catalogue.read(details.one, convert.uuid_of(request.uuid))
        found = await self._catalogue.read(details.versions, item.id)
        return pb.MediaList(media=[convert.media(one) for one in found])

    async def ListTags(self, request: pb.ListTagsRequest, context: Context) -> pb.ListTagsResponse:
        collection = await self._collection(request.collection)
        return convert.tag_groups(await self._catalogue.read(listing.tag_groups, collection))

    async def Resolve(self, request: pb.ResolveRequest, context: Context) -> pb.Resolution:
        match request.WhichOneof("face"):
            case "uuid":
                collection, found = await self._catalogue.read(browsing.by_uuid, convert.uuid_of(request.uuid))
                return pb.Resolution(collection=convert.collection(collection), media=convert.media(found))
            case "item_id":
                collection, found = await self._catalogue.read(browsing.by_id, request.item_id)
                return pb.Resolution(collection=convert.collection(collection), media=convert.media(found))
            case "path":
                collection, below = await self._catalogue.read(
                    browsing.by_path, request.path.root, request.path.relative_path
                )
                shown = None if below is None else convert.media(below)
                return pb.Resolution(collection=convert.collection(collection), media=shown)
        raise InvalidArgument("Nothing to resolve was given.")

    # Changing

    async def EditMedia(self, request: pb.EditMediaRequest, context: Context) -> pb.Media:
        metadata = convert.object_of(request.metadata_json) if request.HasField("metadata_json") else None
        tags = None
        if request.HasField("tags"):
            tags = {group.tagset: list(group.values) for group in request.tags.groups}
        name = request.name if request.HasField("name") else None
        uuid = convert.uuid_of(request.uuid)
        return await self._shown(await self._catalogue.write(browsing.edited, uuid, name, metadata, tags))

    async def MoveMedia(self, request: pb.MoveMediaRequest, context: Context) -> pb.Media:
        uuid, path = convert.uuid_of(request.uuid), convert.uuids_of(request.path)
        return await self._shown(await self._catalogue.write(browsing.moved, uuid, path))

    async def AddTag(self, request: pb.TagRequest, context: Context) -> pb.Media:
        uuid = convert.uuid_of(request.uuid)
        return await self._shown(await self._catalogue.write(browsing.tagged, uuid, request.label, request.value))

    async def RemoveTag(self, request: pb.RemoveTagRequest, context: Context) -> pb.Media:
        uuid, value = convert.uuid_of(request.uuid), request.value if request.HasField("value") else None
        return await self._shown(await self._catalogue.write(browsing.untagged, uuid, request.label, value))

    async def RelabelTags(self, request: pb.RelabelTagsRequest, context: Context) -> pb.Media:
        uuid = convert.uuid_of(request.uuid)
        return await self._shown(
            await self._catalogue.write(browsing.relabelled, uuid, request.old_label, request.new_label)
        )

    async def SelectVersion(self, request: pb.GetMediaRequest, context: Context) -> pb.Media:
        def select(txn: Transaction, uuid: UUID) -> int:
            return browsing.changed(txn, uuid, lambda _, node_id: media.select_version(txn, node_id))

        return await self._shown(await self._catalogue.write(select, convert.uuid_of(request.uuid)))

    async def DeleteVersion(self, request: pb.DeleteVersionRequest, context: Context) -> pb.DeleteVersionResponse:
        root = await self._catalogue.read(details.one, convert.uuid_of(request.uuid))
        version = await self._catalogue.read(details.one, convert.uuid_of(request.version_uuid))
        promoted = await self._catalogue.write(media.delete_version, root.id, version.id)
        if promoted is None:
            return pb.DeleteVersionResponse()
        (shown,) = await self._catalogue.read(details.media, [promoted])
        return pb.DeleteVersionResponse(promoted_uuid=shown.uuid.bytes)

    # Interactive retrieval

    async def GetItems(self, request: pb.GetItemsRequest, context: Context) -> pb.Items:
        _check_ids(len(request.relative_ids))
        found, tags = await self._catalogue.read(
            browsing.items, request.collection, list(request.relative_ids), list(request.tagset_ids)
        )
        return convert.items(found, tags)

    async def GetItemsOfEach(self, request: pb.GetItemsOfEachRequest, context: Context) -> pb.ItemsOfEach:
        _check_ids(sum(len(each.relative_ids) for each in request.requests), MAX_IDS_OF_EACH)
        wanted = [(each.collection, list(each.relative_ids), list(each.tagset_ids)) for each in request.requests]
        answers = await self._catalogue.read(browsing.items_of_each, wanted)
        message = pb.ItemsOfEach()
        for (_, _, tagset_ids), answer in zip(wanted, answers, strict=True):
            added = message.answers.add()
            if answer is not None:
                convert.columns(added.items, *answer, bool(tagset_ids))
        return message

    async def GetRelated(self, request: pb.GetItemsRequest, context: Context) -> pb.RelatedItems:
        _check_ids(len(request.relative_ids))
        found = await self._catalogue.read(browsing.related, request.collection, list(request.relative_ids))
        return convert.related(found)

    async def GetRelatedOfEach(self, request: pb.GetItemsOfEachRequest, context: Context) -> pb.RelatedOfEach:
        _check_ids(sum(len(each.relative_ids) for each in request.requests), MAX_IDS_OF_EACH)
        wanted = [(each.collection, list(each.relative_ids)) for each in request.requests]
        answers = await self._catalogue.read(browsing.related_of_each, wanted)
        return pb.RelatedOfEach(
            answers=[pb.MaybeRelated(items=None if one is None else convert.related(one)) for one in answers]
        )

    async def GetMembers(self, request: pb.GetMembersRequest, context: Context) -> pb.ItemIds:
        collection = await self._collection(request.collection)
        return pb.ItemIds(ids=await self._catalogue.read(retrieval.members, collection, request.relative_id))

    async def IsExcluded(self, request: pb.IsExcludedRequest, context: Context) -> pb.Excluded:
        collection = await self._collection(request.collection)
        answer = await self._catalogue.read(
            retrieval.excluded, collection, request.relative_id, list(request.group_ids)
        )
        return pb.Excluded(excluded=answer)

    async def ListTagsets(self, request: pb.ListTagsetsRequest, context: Context) -> pb.ListTagsetsResponse:
        found = await self._catalogue.read(retrieval.tagsets, await self._collection(request.collection))
        return pb.ListTagsetsResponse(tagsets=[convert.tagset(one) for one in found])

    async def ListTagValues(self, request: pb.ListTagValuesRequest, context: Context) -> pb.ListTagValuesResponse:
        collection, tagtype = await self._collection(request.collection), convert.tagtype_of(request.tagtype)
        found = await self._catalogue.read(retrieval.tag_values, collection, tagtype, request.tagset_id)
        return pb.ListTagValuesResponse(
            values=[pb.TagValue(relative_id=tag_id, value=convert.value(value)) for tag_id, value in found]
        )

    async def CountItems(self, request: pb.CountItemsRequest, context: Context) -> pb.ItemCount:
        collection = await self._collection(request.collection)
        return pb.ItemCount(count=await self._catalogue.read(retrieval.total, collection))

    # What the search service reads and tells

    async def SetFrames(self, request: pb.SetFramesRequest, context: Context) -> pb.ItemIds:
        given = [convert.frame_of(one) for one in request.frames]
        ids = await self._catalogue.write(frames.set_frames, request.item_id, given, request.embedded)
        return pb.ItemIds(ids=ids)

    async def GetObject(self, request: pb.GetObjectRequest, context: Context) -> pb.ObjectPlace:
        collection, uuid = await self._collection(request.collection), convert.uuid_of(request.uuid)
        return convert.object_place(await self._catalogue.read(frames.find_object, collection, uuid))

    async def AddObjects(self, request: pb.AddObjectsRequest, context: Context) -> pb.DetectedObjects:
        item = await self._catalogue.read(details.one, convert.uuid_of(request.uuid))
        given = [convert.given_object_of(one) for one in request.objects]
        added = await self._catalogue.write(frames.add_objects, item.id, given)
        return pb.DetectedObjects(
            objects=[pb.DetectedObject(object_id=object_id, uuid=uuid.bytes) for object_id, uuid in added]
        )

    async def SetClusters(self, request: pb.SetClustersRequest, context: Context) -> pb.Clusters:
        collection = await self._collection(request.collection)
        given = [(one.label, one.middle_object_id, list(one.object_ids)) for one in request.clusters]
        await self._catalogue.write(frames.set_clusters, collection, request.model, given)
        return convert.clusters(await self._catalogue.read(frames.clusters, collection, request.model))

    async def ListClusters(self, request: pb.ListClustersRequest, context: Context) -> pb.Clusters:
        collection = await self._collection(request.collection)
        return convert.clusters(await self._catalogue.read(frames.clusters, collection, request.model))

    # Keys

    async def CreateKey(self, request: pb.CreateKeyRequest, context: Context) -> pb.Key:
        if not request.scopes or not set(request.scopes) <= set(SCOPES):
            raise InvalidArgument(f"A key's scopes are some of {', '.join(SCOPES)}.")
        limited = None
        if not request.all_collections:
            limited = [(await self._collection(name)).id for name in request.collections]
        secret = PREFIX + secrets.token_urlsafe(32)
        scopes = [scope for scope in SCOPES if scope in request.scopes]
        expires = request.expires_us if request.HasField("expires_us") else None
        made = await self._catalogue.write(keys.create, uuid4(), request.name, digest(secret), scopes, limited, expires)
        return convert.key(made, secret)

    async def ListKeys(self, request: pb.ListKeysRequest, context: Context) -> pb.Keys:
        return pb.Keys(keys=[convert.key(one) for one in await self._catalogue.read(keys.listed)])

    async def RevokeKey(self, request: pb.RevokeKeyRequest, context: Context) -> pb.RevokeKeyResponse:
        await self._catalogue.write(keys.revoke, convert.uuid_of(request.uuid))
        return pb.RevokeKeyResponse()

    async def CheckKey(self, request: pb.CheckKeyRequest, context: Context) -> pb.Key:
        found = await self._catalogue.read(keys.by_digest, digest(request.secret))
        if not found.good_at(now_us()):
            raise KeyNotFound
        return convert.key(found)

    # Indexing

    async def GetIndexing(self, request: pb.GetIndexingRequest, context: Context) -> pb.Indexing:
        return await self._indexing.told()

    async def Reindex(self, request: pb.ReindexRequest, context: Context) -> pb.Indexing:
        await self._indexing.ask(request.root if request.HasField("root") else None)
        return await self._indexing.told()

    async def PauseReading(self, request: pb.PauseReadingRequest, context: Context) -> pb.Indexing:
        self._indexing.hold(request.paused)
        return await self._indexing.told()

    # Keeping

    async def Backup(self, request: pb.BackupRequest, context: Context) -> AsyncIterator[pb.BackupPart]:
        async with aclosing(self._catalogue.kept()) as parts:
            async for part in parts:
                yield convert.backup_part(part)

    async def _collection(self, name: str) -> Collection:
        return await self._catalogue.read(collections.resolved, name)

    async def _place(self, name: str, path: tuple[UUID, ...]) -> tuple[Collection, int]:
        return await self._catalogue.read(browsing.place, name, path)

    async def _shown(self, node_id: int) -> pb.Media:
        (found,) = await self._catalogue.read(details.media, [node_id])
        return convert.media(found)


def _check_ids(count: int, most: int = MAX_IDS) -> None:
    if count > most:
        raise InvalidArgument(f"At most {most} ids a call.")
