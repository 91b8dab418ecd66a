"""`/blob/{token}`: media bytes by a signed address, with no key."""

from __future__ import annotations

from typing import Final

import grpc
from fastapi import FastAPI
from media_common.errors import ErrorCode
from media_common.grpc_client import error_code_of
from media_proto import metadata_pb2 as pb
from starlette.requests import Request
from starlette.responses import Response

from gateway import external
from gateway.blobs import BlobSigner, Face
from gateway.clients import FsClient
from gateway.dialects.mediareviewer.files import MAX_THUMBNAIL_PX, send_file, send_thumbnail
from gateway.dialects.platform import docs
from gateway.errors import Failure
from gateway.frames import Frames
from gateway.library import Library
from gateway.metrics import Metrics
from gateway.openapi import add_route
from gateway.stored import Stored

#: Whoever has the address may show it: that is what it is for.
_ANY_PAGE: Final = {"Cross-Origin-Resource-Policy": "cross-origin"}
_NO_STORE: Final = "no-store"
#: The file itself is refused or gone; which of them it is says something of the disk.
_NO_FILE: Final = frozenset((ErrorCode.PATH_MISSING, ErrorCode.OUTSIDE_ROOTS, ErrorCode.NOT_MEDIA))


class BlobBytes:
    """One endpoint: the token says which item and which face of it."""

    def __init__(
        self,
        fs: FsClient,
        library: Library,
        signer: BlobSigner,
        metrics: Metrics,
        stored: Stored,
        frames: Frames,
    ) -> None:
        self._fs = fs
        self._stored = stored
        self._frames = frames
        self._library = library
        self._signer = signer
        self._metrics = metrics

    def add_to(self, app: FastAPI) -> None:
        add_route(app, docs.TAG, "GET", "/blob/{token}", self.blob, docs.BLOB)

    async def blob(self, request: Request) -> Response:
        wanted = self._signer.read(request.path_params["token"])
        found = await self._library.by_item_id(wanted.item_id)
        if found.media.source == pb.MEDIA_SOURCE_EXTERNAL:
            return Response(status_code=302, headers={"Location": _outside(found, wanted.face), **_ANY_PAGE})
        if wanted.face != "frame":
            return await self._own(request, found, wanted.face)
        frame = await self._frames.send(request, found.media, wanted.item_id, _ANY_PAGE)
        if frame is None:
            # Better a picture of the video than none, until there is one of the moment.
            frame = await self._own(request, found, "thumb")
            frame.headers["Cache-Control"] = _NO_STORE
        return frame

    async def _own(self, request: Request, found: pb.Resolution, face: Face) -> Response:
        """The file, or its thumbnail."""
        try:
            if found.media.source == pb.MEDIA_SOURCE_UPLOAD:
                answer = self._stored.file if face == "file" else self._stored.thumbnail
                return await answer(request, found.media, _ANY_PAGE)
            path = path_on_disk(found.collection, found.media)
            if face == "file":
                return await send_file(request, self._fs, path, _ANY_PAGE)
            return await send_thumbnail(request, (self._fs, self._metrics), path, MAX_THUMBNAIL_PX, _ANY_PAGE)
        except grpc.aio.AioRpcError as error:
            if error_code_of(error) in _NO_FILE:
                raise _gone() from error
            raise


def path_on_disk(collection: pb.Collection, media: pb.Media) -> bytes:
    """Where a file in place is.

    Raises:
        Failure: 404, its collection stands for no review path any more.
    """
    if not collection.HasField("root_path"):
        raise _gone()
    return collection.root_path.rstrip(b"/") + b"/" + media.relative_path


def _outside(found: pb.Resolution, face: Face) -> str:
    """Where an imported collection's own server has the file.

    Raises:
        Failure: 404, it has none.
    """
    collection, media = found.collection, found.media
    if face == "file":
        address = external.original(collection, media.relative_path)
    else:
        address = external.thumbnail(collection, media.relative_path, media.thumbnail_uri)
    if address is None:
        raise _gone()
    return address


def _gone() -> Failure:
    return Failure(404, ErrorCode.ITEM_NOT_FOUND, "The file is not there any more.")
