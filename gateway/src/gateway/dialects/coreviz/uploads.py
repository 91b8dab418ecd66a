"""`POST /api/upload/multipart`: a file goes into the blob store as it comes, then into the catalogue.

The parts may come in any order, so a file may be on the disk before it is known where it belongs; nothing of it stays
when it does not belong anywhere. A collection that stands for a review path takes uploads like any other: the bytes go
into the blob store and never into the review path, whose files are its owner's alone.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

import grpc
from fastapi import FastAPI
from media_common.blobs import BlobStore
from media_common.errors import ErrorCode
from media_common.grpc_client import error_code_of
from media_proto import metadata_pb2 as pb
from starlette.requests import Request
from starlette.responses import Response

from gateway.access import access_of
from gateway.answers import json_answer
from gateway.dialects.coreviz import docs, fields, ids
from gateway.dialects.coreviz.lookup import Lookup
from gateway.errors import Failure, invalid
from gateway.forms import FileBegins, FileBytes, Text, form_events
from gateway.library import Library
from gateway.openapi import add_route
from gateway.receiving import Receiving, too_large
from gateway.sniffing import HEAD_BYTES, is_refused, kind_of, told

MESSAGE: Final = "File uploaded successfully"
UNNAMED: Final = "upload"
#: What a form has beside its file.
_ENVELOPE_BYTES: Final = 1024 * 1024
#: Files on their way in at a time; each holds a connection, a file and up to two pieces of memory.
_MOST_AT_ONCE: Final = 32


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the upload goes."""

    collection: pb.Collection
    path: list[bytes]
    version_of: bytes | None


class Uploads:
    """One endpoint."""

    def __init__(self, library: Library, lookup: Lookup, store: BlobStore, limit_bytes: int) -> None:
        self._library = library
        self._lookup = lookup
        self._store = store
        self._limit_bytes = limit_bytes
        self._under_way = 0

    def add_to(self, app: FastAPI) -> None:
        add_route(app, docs.TAG, "POST", "/api/upload/multipart", self.upload, docs.UPLOAD)

    async def upload(self, request: Request) -> Response:
        self._check_declared(request)
        if self._under_way >= _MOST_AT_ONCE:
            message = f"{_MOST_AT_ONCE} files are being uploaded; try again in a moment."
            raise Failure(503, ErrorCode.SERVICE_UNAVAILABLE, message, headers={"Retry-After": "5"})
        self._under_way += 1
        try:
            return await self._received(request)
        finally:
            self._under_way -= 1

    async def _received(self, request: Request) -> Response:
        # Not refused yet: a collection that is not there comes before a scope that is missing.
        may_write = access_of(request).may("write")
        given: dict[str, str] = {}
        filename: str | None = None
        async with Receiving(self._store, self._limit_bytes, keep=may_write) as file:
            async for event in form_events(request, "file"):
                match event:
                    case Text(name, value):
                        given[name] = value
                    case FileBegins(called):
                        filename = called
                        if "datasetId" in given:
                            await self._collection(request, given)
                    case FileBytes(data):
                        await file.write(data)
                        is_beginning = file.size_bytes - len(data) < HEAD_BYTES
                        if is_beginning and "datasetId" in given and is_refused(file.head):
                            raise _not_kept()
            place = await self._place(request, given)
            if filename is None:
                raise invalid("file", "Missing file")
            name = fields.name_field({"name": given.get("name") or filename or UNNAMED}, "name")
            content_type = told(file.head, filename) or told(file.head, name)
            if content_type is None:
                raise _not_kept()
            stored = await file.commit()
        facts = pb.Facts(size_bytes=stored.size_bytes, modified_us=time.time_ns() // 1000)
        media = await self._library.add_upload(
            pb.AddUploadRequest(
                collection=place.collection.uuid.hex(),
                path=place.path,
                name=name,
                kind=kind_of(content_type),
                sha256=stored.sha256,
                content_type=content_type,
                facts=facts,
                version_of=place.version_of,
            )
        )
        url = self._lookup.blobs(request).file(media.item_id)
        return json_answer({"mediaId": media.uuid.hex(), "url": url, "message": MESSAGE, "success": True})

    def _check_declared(self, request: Request) -> None:
        """A body that says it is too large is not asked for."""
        declared = request.headers.get("content-length", "0").lstrip("0") or "0"
        limit = self._limit_bytes + _ENVELOPE_BYTES
        if not declared.isdecimal() or len(declared) > 18 or int(declared) > limit:
            raise too_large(self._limit_bytes)

    async def _collection(self, request: Request, given: dict[str, str]) -> pb.Collection:
        """
        Raises:
            Failure: 400 without an id, 404, 403.
        """
        if not given.get("datasetId"):
            raise invalid("datasetId", "Missing datasetId")
        return await self._lookup.collection(request, given["datasetId"], writing=True)

    async def _place(self, request: Request, given: dict[str, str]) -> _Place:
        """
        Raises:
            Failure: 400, 404, 403.
        """
        collection = await self._collection(request, given)
        if source := given.get("sourceMediaId"):
            # Beside the item that it is a version of, whatever path is given.
            return _Place(collection, [], await self._version_of(collection, source))
        path = ids.folder_path(given["path"], collection.uuid) if given.get("path") else []
        if len(path) > 1:
            await self._check_folder(path)
        return _Place(collection, path, None)

    async def _version_of(self, collection: pb.Collection, text: str) -> bytes:
        uuid = ids.parsed(text)
        found = None if uuid is None else await self._library.media(uuid)
        if found is None or found.collection_id != collection.id or found.kind == pb.MEDIA_KIND_FOLDER:
            raise ids.not_found("Media")
        return found.uuid

    async def _check_folder(self, path: list[bytes]) -> None:
        """Before the file is kept: the catalogue looks again."""
        try:
            found = await self._library.media(path[-1])
        except grpc.aio.AioRpcError as error:
            if error_code_of(error) is ErrorCode.ITEM_NOT_FOUND:
                raise ids.not_found("Folder") from error
            raise
        if found.kind != pb.MEDIA_KIND_FOLDER or list(found.path) != path or not found.listed:
            raise ids.not_found("Folder")


def _not_kept() -> Failure:
    return Failure(
        415, "unsupported_media_type", "This kind of file is not kept here: images, video, audio, PDF, models."
    )
