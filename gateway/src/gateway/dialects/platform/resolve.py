"""`/api/resolve`: the faces of one thing, whichever of them is given."""

from __future__ import annotations

import re
from typing import Any, Final
from uuid import UUID

import grpc
from fastapi import FastAPI
from media_common.errors import ErrorCode
from media_common.grpc_client import error_code_of
from media_proto import metadata_pb2 as pb
from starlette.requests import Request
from starlette.responses import Response

from gateway.access import access_of
from gateway.answers import json_answer
from gateway.catalogue import CatalogueClient
from gateway.dialects.platform import catalogue_docs, docs
from gateway.errors import Failure, invalid
from gateway.openapi import add_route
from gateway.paths import is_below, plain, text_of
from gateway.query import Query

_PREFIXES: Final = {
    pb.MEDIA_KIND_AUDIO: "aud",
    pb.MEDIA_KIND_DOCUMENT: "doc",
    pb.MEDIA_KIND_IMAGE: "img",
    pb.MEDIA_KIND_MODEL: "mdl",
    pb.MEDIA_KIND_VIDEO: "vid",
}
_NUMBER: Final = re.compile(r"[0-9]{1,19}")
_UUID: Final = re.compile(
    r"(?:(?:aud|doc|img|mdl|vid)_)?([0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12})", re.IGNORECASE
)
_INT64: Final = 2**63
_NOT_FOUND: Final = frozenset((ErrorCode.ITEM_NOT_FOUND, ErrorCode.FOLDER_NOT_FOUND, ErrorCode.COLLECTION_NOT_FOUND))


class Resolver:
    """One endpoint."""

    def __init__(self, catalogue: CatalogueClient) -> None:
        self._catalogue = catalogue

    def add_to(self, app: FastAPI) -> None:
        add_route(app, docs.TAG, "GET", "/api/resolve", self.resolve, catalogue_docs.RESOLVE)

    async def resolve(self, request: Request) -> Response:
        query = Query(request.scope["query_string"])
        path, face = query.optional_path(), query.raw("id")
        if (path is None) == (face is None):
            raise invalid("path", "Give one of the query parameters 'path' and 'id'.")
        if path is not None:
            found = await self.at_path(plain(path))
        else:
            collection = query.raw("collection")
            named = None if collection is None else collection.decode("utf-8", "replace")
            found = await self.of_id((face or b"").decode("utf-8", "replace"), named)
        access_of(request).require_collection(found.collection.id)
        return json_answer(faces_out(found))

    async def at_path(self, path: bytes) -> pb.Resolution:
        """What is at a plain path, in the innermost review path that knows it.

        Raises:
            Failure: 404.
        """
        roots = [
            one.root_path
            for one in (await self._catalogue.collections()).collections
            if one.HasField("root_path") and is_below(path, one.root_path)
        ]
        for root in sorted(roots, key=len, reverse=True):
            rooted = pb.RootedPath(root=root, relative_path=path[len(root.rstrip(b"/")) + 1 :])
            if found := await self._found(pb.ResolveRequest(path=rooted)):
                return found
        raise _nothing()

    async def number_at(self, path: bytes) -> int | None:
        """The catalogue's own number of the media at a plain path; None: there is none."""
        try:
            found = await self.at_path(path)
        except Failure as error:
            if error.status != 404:
                raise
            return None
        return found.media.item_id if found.HasField("media") else None

    async def of_id(self, face: str, collection: str | None) -> pb.Resolution:
        """What has this id; `collection`: whose numbers it speaks of.

        Raises:
            Failure: 404.
        """
        if number := _NUMBER.fullmatch(face):
            item_id = int(number[0])
            if collection:
                item_id += (await self._catalogue.collection(collection)).id_base
            if item_id < _INT64 and (found := await self._found(pb.ResolveRequest(item_id=item_id))):
                return found
        elif label := _UUID.fullmatch(face):
            uuid = UUID(label[1])
            if found := await self._found(pb.ResolveRequest(uuid=uuid.bytes)):
                return found
            try:
                return pb.Resolution(collection=await self._catalogue.collection(uuid.hex))
            except grpc.aio.AioRpcError as error:
                if error_code_of(error) not in _NOT_FOUND:
                    raise
        raise _nothing()

    async def _found(self, request: pb.ResolveRequest) -> pb.Resolution | None:
        try:
            return await self._catalogue.resolve(request)
        except grpc.aio.AioRpcError as error:
            if error_code_of(error) in _NOT_FOUND:
                return None
            raise


def faces_out(found: pb.Resolution) -> dict[str, Any]:
    """The path is null for what is not on this server's disk."""
    collection, media = found.collection, found.media
    told = {"id": collection.uuid.hex(), "slug": collection.slug}
    root = collection.root_path if collection.HasField("root_path") else None
    if not found.HasField("media") or media.uuid == collection.uuid:
        return {"path": None if root is None else text_of(root), "collection": told}
    path = None
    if root is not None and media.source == pb.MEDIA_SOURCE_IN_PLACE:
        path = text_of(root.rstrip(b"/") + b"/" + media.relative_path)
    if media.kind == pb.MEDIA_KIND_FOLDER:
        return {"path": path, "folderId": media.uuid.hex(), "collection": told}
    prefix = _PREFIXES.get(media.kind)
    return {
        "path": path,
        "itemId": media.item_id - collection.id_base,
        "mediaId": media.uuid.hex(),
        "wicksonId": f"{prefix}_{UUID(bytes=media.uuid)}" if prefix else None,
        "collection": told,
    }


def _nothing() -> Failure:
    return Failure(404, ErrorCode.ITEM_NOT_FOUND, "There is nothing by that name.")
