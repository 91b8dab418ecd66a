"""Uploaded files out of the blob store: the file, or a part of it, and its thumbnail."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator, Mapping
from typing import Final

from media_common.blobs import BlobStore
from media_common.media_types import extension_of_type
from media_proto import fs_pb2
from media_proto import metadata_pb2 as pb
from starlette.requests import Request
from starlette.responses import Response

from gateway.clients import FsClient
from gateway.dialects.mediareviewer.files import MAX_THUMBNAIL_PX, send_part
from gateway.errors import Failure
from gateway.gone import until_gone
from gateway.ranges import Range, etags

#: The bytes under a name that is made of them never change.
_CACHE: Final = "private, max-age=3600"
_NO_STORE: Final = "no-store"


class Stored:
    """Answers of one blob store."""

    def __init__(self, store: BlobStore, fs: FsClient) -> None:
        self._store = store
        self._fs = fs

    async def file(self, request: Request, media: pb.Media, policy: Mapping[str, str]) -> Response:
        """The file or the part of it that was asked for; `policy` as for a file of a review path.

        Raises:
            BlobMissing, StoreUnreachable
        """
        size = await asyncio.to_thread(self._store.size, media.sha256)
        facts = fs_pb2.FileFacts(
            path=media.name.encode(),
            size_bytes=size,
            modified_us=media.facts.modified_us,
            etag=media.sha256.hex(),
            content_type=media.content_type,
        )
        return await send_part(request, facts, lambda part: self._chunks(media.sha256, part), policy)

    async def _chunks(self, sha256: bytes, part: Range) -> AsyncGenerator[bytes, None]:
        chunks: Iterator[bytes] = iter(self._store.read(sha256, part.offset, part.length))
        while (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
            yield chunk

    async def thumbnail(self, request: Request, media: pb.Media, policy: Mapping[str, str]) -> Response:
        """A PNG: the kept one, else one that a worker makes now; a placeholder is never kept."""
        etag = f"{media.sha256.hex()}-{MAX_THUMBNAIL_PX}"
        headers = {"Cache-Control": _CACHE, "ETag": f'"{etag}"', **policy}
        if {etag, "*"} & set(etags(request.headers.get("if-none-match", ""))):
            return Response(status_code=304, headers=headers)
        png = await asyncio.to_thread(self._store.thumbnail, media.sha256, MAX_THUMBNAIL_PX)
        if not png:
            async with until_gone(request.receive):
                made = await self._fs.render_blob(media.sha256, extension_of_type(media.content_type), MAX_THUMBNAIL_PX)
            if made.placeholder:
                headers = {"Cache-Control": _NO_STORE, **policy}
            png = made.png or await asyncio.to_thread(self._store.thumbnail, media.sha256, MAX_THUMBNAIL_PX)
        if not png:
            raise Failure(503, "thumbnails_unavailable", "The thumbnail could not be made; try again in a moment.")
        return Response(png, 200, headers, media_type="image/png")
