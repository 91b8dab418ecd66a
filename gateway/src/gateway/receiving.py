"""A file on its way into the blob store: counted, its beginning looked at, written in large pieces by a thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from media_common.blobs import BlobStore, BlobWriter, Stored

from gateway.errors import Failure
from gateway.sniffing import HEAD_BYTES

T = TypeVar("T")

#: Written at a time: the way to a thread and back costs nothing beside it, and memory stays flat.
_PIECE_BYTES: Final = 1024 * 1024


class Receiving:
    """One file. Unless `commit` was reached, nothing of it is left behind the `async with`."""

    def __init__(self, store: BlobStore, limit_bytes: int, *, keep: bool) -> None:
        """
        Args:
            keep: whether the bytes are written at all; a caller that may not upload is heard to the end for nothing.
        """
        self._store = store
        self._limit_bytes = limit_bytes
        self._keep = keep
        self._writer: BlobWriter | None = None
        #: What a thread does, or did last.
        self._step: asyncio.Task[Any] | None = None
        self._piece = bytearray()
        self._head = bytearray()
        self.size_bytes = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Also when this task is cancelled once more: the file must go.
        await asyncio.shield(asyncio.ensure_future(self._discard()))

    @property
    def head(self) -> bytes:
        """The first bytes, as many as tell what it is."""
        return bytes(self._head)

    async def write(self, data: bytes) -> None:
        """
        Raises:
            Failure: 413, the file is larger than it may be.
            StoreUnreachable, StoreFailed: the store's.
        """
        self.size_bytes += len(data)
        if self.size_bytes > self._limit_bytes:
            raise too_large(self._limit_bytes)
        if len(self._head) < HEAD_BYTES:
            self._head += data[: HEAD_BYTES - len(self._head)]
        if not self._keep:
            return
        self._piece += data
        if len(self._piece) >= _PIECE_BYTES:
            await self._flush()

    async def commit(self) -> Stored:
        """The file is in the store."""
        await self._flush()
        assert self._writer is not None
        return await self._in_thread(self._writer.commit)

    async def _flush(self) -> None:
        piece, self._piece = bytes(self._piece), bytearray()
        if self._writer is None:
            await self._in_thread(self._open)
        assert self._writer is not None
        await self._in_thread(self._writer.write, piece)

    def _open(self) -> None:
        self._writer = self._store.writer()

    async def _in_thread(self, work: Callable[..., T], *given: Any) -> T:
        """A thread cannot be cancelled: when this task is, the step goes on, and `_discard` waits for its end."""
        self._step = step = asyncio.create_task(asyncio.to_thread(work, *given))
        return await asyncio.shield(step)

    async def _discard(self) -> None:
        if self._step is not None:
            # Its descriptor is not closed under it: the number may be another file's by then.
            await asyncio.wait({self._step})
        if self._writer is not None:
            await asyncio.to_thread(self._writer.discard)


def too_large(limit_bytes: int) -> Failure:
    return Failure(413, "body_too_large", f"The file is larger than {limit_bytes} bytes.")
