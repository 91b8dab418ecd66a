"""The pictures of an item: of a file below a root, or of a blob."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from media_common.blobs import BlobMissing, BlobStore, StoreFailed, StoreUnreachable
from PIL import Image

from search_service.domain.errors import OutOfReach, UnreadablePicture
from search_service.domain.items import Still
from search_service.loading import child
from search_service.loading.process import DecodingProcess

_IMAGE_S: Final = 20.0
#: Above the time after which the frames found by then will do.
_VIDEO_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where an original is: `relative` below `root`, or a blob."""

    root: bytes = b""
    relative: bytes = b""
    sha256: bytes = b""
    form: bytes = child.STILL


class Pixels:
    """As many files at a time as there are processes; those that had nothing to do for a while are let go."""

    def __init__(self, processes: Sequence[DecodingProcess], blobs: BlobStore, idle_s: float = 60.0) -> None:
        self._processes = tuple(processes)
        self._free: asyncio.LifoQueue[DecodingProcess] = asyncio.LifoQueue()
        for process in processes:
            self._free.put_nowait(process)
        self._blobs = blobs
        self._idle_s = idle_s
        self._letting_go: dict[DecodingProcess, asyncio.TimerHandle] = {}
        self._farewells: set[asyncio.Task[None]] = set()

    async def load(self, place: Place) -> list[Still[Image.Image]]:
        """Its pictures in order of time; none when the file is gone.

        Raises:
            UnreadablePicture: it cannot be decoded.
            OutOfReach: not now, perhaps later.
        """
        try:
            async with self._at_hand(place) as (root, relative):
                limit_s = _VIDEO_S if place.form == child.VIDEO else _IMAGE_S
                status, reason, *fields = await self._decoded([root, relative, place.form], limit_s)
        except BlobMissing:
            return []
        except (StoreUnreachable, StoreFailed) as error:
            raise OutOfReach(error.message) from error
        match status:
            case child.FOUND:
                return _stills(fields)
            case child.GONE:
                return []
            case child.UNREADABLE:
                raise UnreadablePicture(reason.decode())
            case _:
                raise OutOfReach(reason.decode())

    async def close(self) -> None:
        for timer in self._letting_go.values():
            timer.cancel()
        await asyncio.gather(*self._farewells, *(process.stop() for process in self._processes))

    @asynccontextmanager
    async def _at_hand(self, place: Place) -> AsyncIterator[tuple[bytes, bytes]]:
        """Root and relative path of a file of this machine."""
        if not place.sha256:
            yield place.root, place.relative
            return
        local = self._blobs.local(place.sha256)
        path = await asyncio.to_thread(local.__enter__)
        try:
            yield os.fsencode(path.parent), os.fsencode(path.name)
        finally:
            await asyncio.to_thread(local.__exit__, None, None, None)

    async def _decoded(self, fields: Sequence[bytes], limit_s: float) -> list[bytes]:
        process = await self._free.get()
        try:
            if (timer := self._letting_go.pop(process, None)) is not None:
                timer.cancel()
            return await process.asked(fields, limit_s)
        finally:
            self._letting_go[process] = asyncio.get_running_loop().call_later(self._idle_s, self._let_go, process)
            self._free.put_nowait(process)

    def _let_go(self, process: DecodingProcess) -> None:
        self._letting_go.pop(process, None)
        task = asyncio.get_running_loop().create_task(process.stop())
        self._farewells.add(task)
        task.add_done_callback(self._farewells.discard)


def _stills(fields: Sequence[bytes]) -> list[Still[Image.Image]]:
    stills = []
    for head, pixels in zip(fields[::2], fields[1::2], strict=True):
        at_s, width, height = child.HEAD.unpack(head)
        stills.append(Still(at_s, Image.frombytes("RGB", (width, height), pixels), width, height))
    return stills
