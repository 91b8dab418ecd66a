"""The catalogue as collections, folders and media: what the browsing dialects ask of it and change in it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import Final

from media_proto import metadata_pb2 as pb

from gateway.catalogue import CatalogueClient

#: How long the list of collections is good for. Their ids and slugs never change; a new one is asked for at once.
COLLECTIONS_TTL_S: Final = 2.0
#: So many collections are remembered one by one.
_MOST_LATELY: Final = 100


class Library:
    """Calls of the catalogue, by name. They raise what `CatalogueClient.ask` raises."""

    def __init__(self, catalogue: CatalogueClient) -> None:
        self._catalogue = catalogue
        self._stub = catalogue.stub
        self._known: dict[int, pb.Collection] = {}
        self._known_at = float("-inf")
        self._lately: dict[bytes, tuple[pb.Collection, float]] = {}
        self._lock = asyncio.Lock()

    # --- collections and folders ---
    async def collections(self) -> list[pb.Collection]:
        """All of them, as they are now."""
        found = list((await self._catalogue.collections()).collections)
        self._known = {one.id: one for one in found}
        self._known_at = time.monotonic()
        return found

    async def collection_of(self, media: pb.Media) -> pb.Collection:
        """The item's collection; asked for again every two seconds."""
        return (await self.by_id({media.collection_id}))[media.collection_id]

    async def by_id(self, ids: set[int]) -> dict[int, pb.Collection]:
        """At least these collections, by their numbers."""
        async with self._lock:
            if time.monotonic() - self._known_at > COLLECTIONS_TTL_S or not ids <= self._known.keys():
                await self.collections()
            return self._known

    async def collection(self, name: str) -> pb.Collection:
        return await self._catalogue.collection(name)

    async def collection_lately(self, uuid: bytes) -> pb.Collection:
        """The collection as it was at most two seconds ago: for whoever needs no more of it than its ids."""
        now = time.monotonic()
        found, asked_at = self._lately.get(uuid, (None, 0.0))
        if found is None or now - asked_at > COLLECTIONS_TTL_S:
            self._lately.pop(uuid, None)
            found = await self._catalogue.collection(uuid.hex())
            if len(self._lately) >= _MOST_LATELY:
                self._lately.clear()
            self._lately[uuid] = found, now
        return found

    async def create_collection(self, name: str, icon: str) -> pb.Collection:
        request = pb.CreateCollectionRequest(name=name, icon=icon)
        return await self._catalogue.ask(self._stub.CreateCollection, request, repeatable=False)

    async def update_collection(self, request: pb.UpdateCollectionRequest) -> pb.Collection:
        return await self._catalogue.ask(self._stub.UpdateCollection, request)

    async def create_folder(self, request: pb.CreateFolderRequest) -> pb.Media:
        return await self._catalogue.ask(self._stub.CreateFolder, request, repeatable=request.reuse)

    # --- looking ---
    async def page(self, request: pb.ListMediaRequest) -> pb.MediaPage:
        return await self._catalogue.ask(self._stub.ListMedia, request)

    async def scope(self, request: pb.ListMediaRequest) -> pb.ListingScope:
        """What the filters of the listing mean in the catalogue's ids."""
        return await self._catalogue.ask(self._stub.GetListingScope, request)

    async def listed(self, ids: Iterable[int]) -> dict[int, pb.Media]:
        """By their numbers, those of the media that are listed."""
        answer = await self._catalogue.ask(self._stub.GetListed, pb.GetListedRequest(item_ids=ids))
        return {one.item_id: one for one in answer.media}

    async def newest(self, request: pb.ListNewestRequest) -> pb.MediaPage:
        return await self._catalogue.ask(self._stub.ListNewest, request)

    async def media(self, uuid: bytes) -> pb.Media:
        return await self._catalogue.ask(self._stub.GetMedia, pb.GetMediaRequest(uuid=uuid))

    async def by_item_id(self, item_id: int) -> pb.Resolution:
        return await self._catalogue.resolve(pb.ResolveRequest(item_id=item_id))

    async def versions(self, uuid: bytes) -> list[pb.Media]:
        return list((await self._catalogue.ask(self._stub.ListVersions, pb.ListVersionsRequest(uuid=uuid))).media)

    async def tags(self, collection: str) -> pb.ListTagsResponse:
        return await self._catalogue.ask(self._stub.ListTags, pb.ListTagsRequest(collection=collection))

    async def clusters(self, collection: str, model: str) -> list[pb.Cluster]:
        request = pb.ListClustersRequest(collection=collection, model=model)
        return list((await self._catalogue.ask(self._stub.ListClusters, request)).clusters)

    async def object(self, collection: str, uuid: bytes) -> pb.ObjectPlace:
        return await self._catalogue.ask(self._stub.GetObject, pb.GetObjectRequest(collection=collection, uuid=uuid))

    # --- changing; a call that would be refused the second time is never sent twice ---
    async def edit(self, request: pb.EditMediaRequest) -> pb.Media:
        return await self._catalogue.ask(self._stub.EditMedia, request)

    async def move(self, uuid: bytes, path: list[bytes]) -> pb.Media:
        return await self._catalogue.ask(self._stub.MoveMedia, pb.MoveMediaRequest(uuid=uuid, path=path))

    async def add_tag(self, uuid: bytes, label: str, value: str) -> pb.Media:
        request = pb.TagRequest(uuid=uuid, label=label, value=value)
        return await self._catalogue.ask(self._stub.AddTag, request, repeatable=False)

    async def remove_tag(self, uuid: bytes, label: str, value: str | None) -> pb.Media:
        request = pb.RemoveTagRequest(uuid=uuid, label=label, value=value)
        return await self._catalogue.ask(self._stub.RemoveTag, request, repeatable=False)

    async def relabel_tags(self, uuid: bytes, old: str, new: str) -> pb.Media:
        request = pb.RelabelTagsRequest(uuid=uuid, old_label=old, new_label=new)
        return await self._catalogue.ask(self._stub.RelabelTags, request, repeatable=False)

    async def select_version(self, uuid: bytes) -> pb.Media:
        return await self._catalogue.ask(self._stub.SelectVersion, pb.GetMediaRequest(uuid=uuid))

    async def delete_version(self, uuid: bytes, version: bytes) -> bytes | None:
        """Trash one version; the id of the one that became active for it."""
        request = pb.DeleteVersionRequest(uuid=uuid, version_uuid=version)
        answer = await self._catalogue.ask(self._stub.DeleteVersion, request, repeatable=False)
        return answer.promoted_uuid if answer.HasField("promoted_uuid") else None

    async def add_upload(self, request: pb.AddUploadRequest) -> pb.Media:
        return await self._catalogue.ask(self._stub.AddUpload, request, repeatable=False)

    async def set_trashed(self, uuids: Iterable[bytes]) -> int:
        """What is on no disk into the trash; how many files were not there before."""
        request = pb.SetTrashedRequest(uuids=uuids, trashed=True)
        return (await self._catalogue.ask(self._stub.SetTrashed, request)).count

    async def trash_folder(self, uuid: bytes) -> int:
        """A folder that is on no disk, with all that is in it."""
        return (await self._catalogue.ask(self._stub.TrashFolder, pb.TrashFolderRequest(uuid=uuid))).count

    async def add_objects(self, request: pb.AddObjectsRequest) -> list[pb.DetectedObject]:
        answer = await self._catalogue.ask(self._stub.AddObjects, request, repeatable=False)
        return list(answer.objects)

    async def remove_objects(self, object_ids: Iterable[int]) -> None:
        request = pb.RemoveObjectsRequest(object_ids=object_ids)
        await self._catalogue.ask(self._stub.RemoveObjects, request)

    async def set_clusters(self, request: pb.SetClustersRequest) -> list[pb.Cluster]:
        """In place of the ones of that model before."""
        return list((await self._catalogue.ask(self._stub.SetClusters, request)).clusters)
