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

from search_service.domain.errors import OriginalsUnavailable, OutOfReach, UnreadablePicture
from search_service.domain.items import Still
from search_service.loading import child
from search_service.loading.pool import Pool
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
    moments_s: tuple[float, ...] = ()  # of a video, where it is to be looked at; none: where that stands for it


class Pixels:
    """As many files at a time as there are processes; those that had nothing to do for a while are let go."""

    def __init__(self, processes: Sequence[DecodingProcess], blobs: BlobStore, idle_s: float = 60.0) -> None:
        self._pool = Pool(processes, idle_s)
        self._blobs = blobs

    async def load(self, place: Place) -> list[Still[Image.Image]]:
        """Its pictures in order of time; none when the file is gone.

        Raises:
            UnreadablePicture: it cannot be decoded, or it is an upload whose bytes are lost.
            OriginalsUnavailable: no upload can be read now.
            OutOfReach: not now, perhaps later.
        """
        try:
            async with self._at_hand(place) as (root, relative):
                limit_s = _VIDEO_S if place.form == child.VIDEO else _IMAGE_S
                moments = b"".join(map(child.MOMENT.pack, place.moments_s))
                status, reason, *fields = await self._pool.asked([root, relative, place.form, moments], limit_s)
        except BlobMissing as error:
            # Nobody else will notice: unlike a file in place, nothing watches it.
            raise UnreadablePicture("The uploaded file is not in the blob store any more.") from error
        except StoreUnreachable as error:
            raise OriginalsUnavailable(error.message) from error
        except StoreFailed as error:
            raise OutOfReach(error.message) from error
        match status:
            case child.FOUND:
                return stills_of(fields)
            case child.GONE:
                return []
            case child.UNREADABLE:
                raise UnreadablePicture(reason.decode())
            case _:
                raise OutOfReach(reason.decode())

    async def close(self) -> None:
        await self._pool.close()

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


def stills_of(fields: Sequence[bytes]) -> list[Still[Image.Image]]:
    """The pictures of an answer, as they come after its sentence."""
    stills = []
    for head, pixels, jpeg in zip(fields[::3], fields[1::3], fields[2::3], strict=True):
        at_s, width, height, width_px, height_px = child.HEAD.unpack(head)
        stills.append(Still(at_s, Image.frombytes("RGB", (width, height), pixels), width_px, height_px, jpeg))
    return stills
