"""The calls of `metadata.proto` that speak of what is on no disk: uploads, their trash, their blobs."""

from __future__ import annotations

from typing import Any, Final

from media_common.errors import InvalidArgument
from media_proto import metadata_pb2 as pb

from metadata_service import convert
from metadata_service.blob_jobs import BlobJobs, job_of
from metadata_service.domain.media import FILES, Upload
from metadata_service.indexing import Indexing
from metadata_service.store import collections, details, uploads
from metadata_service.store.sqlite import Catalogue

_SHA256_BYTES: Final = 32


class UploadCalls:
    """A part of the servicer."""

    _catalogue: Catalogue
    _blob_jobs: BlobJobs
    _indexing: Indexing

    async def AddUpload(self, request: pb.AddUploadRequest, context: Any) -> pb.Media:
        if len(request.sha256) != _SHA256_BYTES:
            raise InvalidArgument("A SHA-256 has 32 bytes.")
        if (kind := convert.kind_of(request.kind)) not in FILES:
            raise InvalidArgument("A folder cannot be uploaded.")
        upload = Upload(
            name=request.name,
            kind=kind,
            sha256=request.sha256,
            facts=convert.facts_of(request.facts),
            content_type=request.content_type,
        )
        place = uploads.Place(
            collection=request.collection,
            path=convert.uuids_of(request.path),
            version_of=convert.uuid_of(request.version_of) if request.HasField("version_of") else None,
        )
        if (job := job_of(upload)) is not None:
            self._blob_jobs.trails.note(job[1])
        node_id = await self._catalogue.write(uploads.added_at, place, upload, job)
        # In time: the batch that it is in is taken by the thread that wrote it, and told here after this.
        self._indexing.search_trails.note(node_id)
        await self._blob_jobs.sent()
        (shown,) = await self._catalogue.read(details.media, [node_id])
        return convert.media(shown)

    async def SetTrashed(self, request: pb.SetTrashedRequest, context: Any) -> pb.SetTrashedResponse:
        uuids = convert.uuids_of(request.uuids)
        work = uploads.set_trashed if request.trashed else uploads.untrash
        count = await self._catalogue.write(work, uuids)
        return pb.SetTrashedResponse(count=count)

    async def TrashFolder(self, request: pb.TrashFolderRequest, context: Any) -> pb.SetTrashedResponse:
        count = await self._catalogue.write(uploads.trash_folder, convert.uuid_of(request.uuid))
        return pb.SetTrashedResponse(count=count)

    async def PurgeUploads(self, request: pb.PurgeUploadsRequest, context: Any) -> pb.PurgeUploadsResponse:
        if request.min_age_s < 0:
            raise InvalidArgument("An age is not below nought.")
        collection = None
        if request.HasField("collection"):
            collection = await self._catalogue.read(collections.resolved, request.collection)
        gone = await self._catalogue.write(uploads.purge, collection, request.min_age_s)
        return pb.PurgeUploadsResponse(count=gone.uploads, size_bytes=gone.size_bytes, kept=gone.kept)

    async def FindBlobs(self, request: pb.FindBlobsRequest, context: Any) -> pb.FindBlobsResponse:
        found = await self._catalogue.read(uploads.referenced, list(request.sha256))
        return pb.FindBlobsResponse(sha256=found)
