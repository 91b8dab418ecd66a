"""Frames of videos out of the blob store, where search keeps them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from hashlib import blake2b

import grpc
from media_common.blobs import BlobStore
from media_common.errors import ServiceError
from media_proto import fs_pb2
from media_proto import metadata_pb2 as pb
from starlette.requests import Request
from starlette.responses import Response

from gateway.dialects.mediareviewer.files import THUMBNAIL_CACHE, send_part
from gateway.errors import Failure
from gateway.gone import until_gone
from gateway.ranges import Range
from gateway.search import SearchClient


class Frames:
    """What is shown of a video's frame."""

    def __init__(self, store: BlobStore, search: SearchClient) -> None:
        self._store = store
        self._search = search

    async def send(
        self, request: Request, media: pb.Media, frame_id: int, policy: Mapping[str, str]
    ) -> Response | None:
        """The frame or the part of it that was asked for; `policy` as for a file of a review path. One that is lost is
        made again; None: there is no such frame, or it cannot be had now."""
        frame = next((one for one in media.frames if one.item_id == frame_id), None)
        if frame is None or media.kind != pb.MEDIA_KIND_VIDEO:
            return None
        at_ms = round(frame.timestamp_s * 1000)
        jpeg = await self._kept(media.item_id, at_ms)
        if jpeg is None:
            async with until_gone(request.receive):
                jpeg = await self._made(media, at_ms)
        return None if jpeg is None else await _send(request, media, jpeg, policy)

    async def _made(self, media: pb.Media, at_ms: int) -> bytes | None:
        try:
            await self._search.make_frames(media.item_id, [frame.timestamp_s for frame in media.frames])
        except (Failure, grpc.aio.AioRpcError):  # search is away; the video's thumbnail is not
            return None
        return await self._kept(media.item_id, at_ms)

    async def _kept(self, item_id: int, at_ms: int) -> bytes | None:
        try:
            return await asyncio.to_thread(self._store.frame, item_id, at_ms)
        except ServiceError:
            return None


async def _send(request: Request, media: pb.Media, jpeg: bytes, policy: Mapping[str, str]) -> Response:
    facts = fs_pb2.FileFacts(
        path=f"{media.name}.jpg".encode(),
        size_bytes=len(jpeg),
        modified_us=media.facts.modified_us,
        etag=blake2b(jpeg, digest_size=16).hexdigest(),
        content_type="image/jpeg",
    )

    async def part(wanted: Range) -> AsyncGenerator[bytes, None]:
        yield jpeg[wanted.offset : wanted.offset + wanted.length]

    return await send_part(request, facts, part, {"Cache-Control": THUMBNAIL_CACHE, **policy})
