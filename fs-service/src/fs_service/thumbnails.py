"""A file's thumbnail: from the store when it is fresh, else asked of the workers over NATS.

A worker that is at it says so every second. When it falls silent it is taken for dead and another one is asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Set
from dataclasses import dataclass
from typing import Final

from google.protobuf.message import DecodeError
from media_common import subjects
from media_common.errors import InvalidArgument
from media_common.thumbnail_file import Source
from media_proto import thumbnail_pb2
from nats.aio.client import Client

from fs_service.asking import NATS_TROUBLE, NobodyThere, Silent, last_reply
from fs_service.domain.errors import PathMissing, ThumbnailsUnavailable
from fs_service.domain.ports import Place
from fs_service.store.thumbnails import ThumbnailStore
from fs_service.threads import Threads

#: A worker's beat is a second.
_SILENCE_S: Final = 3.0
_TRIES: Final = 3
#: All tries together; a video on a busy machine, behind others, fits.
_WAIT_S: Final = 60.0
#: When the worker that had the job died: time for its successor to start.
_SUCCESSOR_S: Final = 6.0
_PAUSE_S: Final = 0.25
_SIZE_MAX_PX: Final = 1024


@dataclass(frozen=True, slots=True)
class ThumbnailResult:
    """What the caller gets; `png` is empty when `not_modified`."""

    png: bytes
    etag: str  # no quotes; empty for a placeholder, which nobody keeps
    modified_us: int  # the source's
    placeholder: bool = False
    not_modified: bool = False
    cache_hit: bool = False


#: What is asked for: a file's state, or a blob, and a size.
Key = tuple[Source | bytes, int]


class ThumbnailSource:
    """Thumbnails by place and size. However many ask for the same one, the workers are asked once."""

    def __init__(self, store: ThumbnailStore, connection: Callable[[], Client | None], threads: Threads) -> None:
        """
        Args:
            connection: the NATS connection if it stands right now.
        """
        self._store = store
        self._connection = connection
        self._threads = threads
        # By the file's state, so that nobody joins a request that began before the file changed.
        self._asking: dict[Key, asyncio.Task[thumbnail_pb2.RenderReply]] = {}

    async def get(self, place: Place, size_px: int, if_etags: Set[str]) -> ThumbnailResult:
        """The thumbnail of the file as it is now.

        Args:
            if_etags: what the caller has already; a match gives `not_modified`.
        Raises:
            InvalidArgument: the size.
            ThumbnailsUnavailable: not stored, and no worker answers.
            PathMissing, OutsideRoots, NotMedia, RootOffline: as for the file itself.
        """
        if not 1 <= size_px <= _SIZE_MAX_PX:
            raise InvalidArgument(f"size must be between 1 and {_SIZE_MAX_PX}.")
        source, known, png = await self._threads.run(self._look, place, size_px, if_etags)
        etag, modified_us = etag_of(source, size_px), source.mtime_ns // 1000
        if known:
            return ThumbnailResult(b"", etag, modified_us, not_modified=True)
        if png is not None:
            return ThumbnailResult(png, etag, modified_us, cache_hit=True)
        reply = await self._asked_once(place, source, size_px)
        if reply.gone:
            raise PathMissing
        if reply.placeholder:
            return ThumbnailResult(reply.png, "", modified_us, placeholder=True)
        return ThumbnailResult(reply.png, etag, modified_us)

    async def of_blob(self, sha256: bytes, extension: bytes, size_px: int) -> thumbnail_pb2.RenderReply:
        """What the workers make of a blob; they keep it in the blob store, where whoever asks has looked before.

        Raises:
            InvalidArgument: the size.
            ThumbnailsUnavailable: no worker answers.
            PathMissing: there is no such blob.
        """
        if not 1 <= size_px <= _SIZE_MAX_PX:
            raise InvalidArgument(f"size must be between 1 and {_SIZE_MAX_PX}.")
        request = thumbnail_pb2.RenderRequest(sha256=sha256, extension=extension, size_px=size_px)
        reply = await self._shared((sha256, size_px), lambda: self._ask(request, None))
        if reply.gone:
            raise PathMissing
        return reply

    def _look(self, place: Place, size_px: int, if_etags: Set[str]) -> tuple[Source, bool, bytes | None]:
        source = self._store.source(place)
        if etag_of(source, size_px) in if_etags:
            return source, True, None
        return source, False, self._store.fresh(place.root, source, size_px)

    async def _asked_once(self, place: Place, source: Source, size_px: int) -> thumbnail_pb2.RenderReply:
        request = thumbnail_pb2.RenderRequest(
            root=place.root,
            relative_path=place.relative,
            size_px=size_px,
            state_cache=self._store.state_cache(place.root),
        )
        return await self._shared((source, size_px), lambda: self._ask(request, place))

    async def _shared(
        self, key: Key, ask: Callable[[], Coroutine[None, None, thumbnail_pb2.RenderReply]]
    ) -> thumbnail_pb2.RenderReply:
        task = self._asking.get(key)
        if task is None:
            self._asking[key] = task = asyncio.create_task(ask())
            task.add_done_callback(lambda done: self._forget(key, done))
        # A caller that leaves takes nobody else's picture away.
        return await asyncio.shield(task)

    def _forget(self, key: Key, task: asyncio.Task[thumbnail_pb2.RenderReply]) -> None:
        del self._asking[key]
        if not task.cancelled():
            task.exception()  # every caller may have left; then it is nobody's to report

    async def _ask(self, request: thumbnail_pb2.RenderRequest, place: Place | None) -> thumbnail_pb2.RenderReply:
        """The last reply, over as many workers as it takes.

        Args:
            place: where a picture that is too large for a message is found; None: the caller looks for it.
        """
        end = asyncio.get_running_loop().time() + _WAIT_S
        # Whoever is only connecting again is not missed: it is asked for twice before nobody is said to be there.
        tried, successor_by = 0, asyncio.get_running_loop().time() + _PAUSE_S
        while tried < _TRIES:
            try:
                reply = await self._ask_a_worker(request.SerializeToString(), end)
            except NobodyThere as error:
                if asyncio.get_running_loop().time() > successor_by:
                    raise ThumbnailsUnavailable from error
                await asyncio.sleep(_PAUSE_S)
                continue
            except Silent:
                successor_by = asyncio.get_running_loop().time() + _SUCCESSOR_S
                tried += 1
                continue
            except (DecodeError, *NATS_TROUBLE) as error:
                raise ThumbnailsUnavailable from error
            if reply.png or reply.gone or (place is None and not reply.reason):
                return reply
            # Rendered but too large for a message, or a worker that cannot reach the root.
            if place and (png := await self._threads.run(self._stored, place, request.size_px)) is not None:
                return thumbnail_pb2.RenderReply(png=png)
            tried += 1
        raise ThumbnailsUnavailable

    def _stored(self, place: Place, size_px: int) -> bytes | None:
        return self._store.fresh(place.root, self._store.source(place), size_px)

    async def _ask_a_worker(self, request: bytes, end: float) -> thumbnail_pb2.RenderReply:
        """One request and its last reply. Raises what `last_reply` raises."""
        return await last_reply(
            self._connection(), subjects.RENDER, request, thumbnail_pb2.RenderReply, end, _SILENCE_S
        )


def etag_of(source: Source, size_px: int) -> str:
    """Another value whenever the file is written to, and for each size."""
    return f"{source.mtime_ns:x}-{source.size_bytes:x}-{size_px}"
