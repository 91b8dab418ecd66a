"""What people are shown of a video's frames: JPEGs in the blob store, put there when the video is embedded, made again
when somebody misses them, dropped when the catalogue knows the video no more.

None of it is worth waiting for: a vector is written without its picture, and a change to what may be found does not
stand behind a blob store that is away.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any, Final

from media_common.blobs import BlobStore
from media_common.errors import ServiceError

from search_service.domain.errors import OutOfReach, UnreadablePicture
from search_service.domain.items import Catalogue, Still
from search_service.domain.sealed import stills_of

logger = logging.getLogger(__name__)

#: Items asked of the catalogue at a time.
_BATCH: Final = 500
#: After a failure nothing is tried for so long: a store that is away takes seconds to say so.
_AWAY_S: Final = 30.0
#: What was made is not made again at once, however often it is asked for: a moment may be missing from it.
_AGAIN_S: Final = 60.0
#: How often it is looked whether there are frames of what is gone; news of it come at once, but may be lost.
_SWEEP_S: Final = 24 * 3600.0
_MOST_REMEMBERED: Final = 10_000


class Frames:
    """Implements `domain.items.Frames`."""

    def __init__(self, blobs: BlobStore, catalogue: Catalogue[Any]) -> None:
        self._blobs = blobs
        self._catalogue = catalogue
        self._away_until = float("-inf")
        self._making: dict[int, asyncio.Task[None]] = {}
        self._made_at: dict[int, float] = {}
        self._gone: set[int] = set()
        self._news = asyncio.Event()

    # ---- keeping ----

    async def keep(self, item_id: int, stills: Sequence[Still[Any]]) -> None:
        self._making.pop(item_id, None)  # whatever it has seen, this is newer
        self._gone.discard(item_id)
        if time.monotonic() < self._away_until:
            return
        try:
            await self._keep(item_id, stills)
        except ServiceError as error:
            self._away_until = time.monotonic() + _AWAY_S
            logger.warning("frames are not kept, and made when somebody asks for them: %s", error.message)

    async def _keep(self, item_id: int, stills: Sequence[Still[Any]]) -> None:
        if jpegs := {round(still.timestamp_s * 1000): still.jpeg for still in stills if still.jpeg}:
            await asyncio.to_thread(self._blobs.keep_frames, item_id, jpegs)

    # ---- making again ----

    async def make(self, item_id: int, moments_s: Sequence[float]) -> None:
        """Have a video's frames kept that somebody misses, unless that was done a moment ago. Who asks while it is
        being done waits for it.

        Raises:
            CatalogueUnavailable, OriginalsUnavailable, StoreUnreachable, StoreFailed
        """
        task = self._making.get(item_id)
        if task is None:
            now = time.monotonic()
            if now - self._made_at.get(item_id, float("-inf")) < _AGAIN_S:
                return
            if len(self._made_at) >= _MOST_REMEMBERED:
                self._made_at.clear()
            self._made_at[item_id] = now
            self._making[item_id] = task = asyncio.create_task(self._make(item_id, moments_s))
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
        await asyncio.shield(task)  # whoever goes away leaves it to the others

    async def _make(self, item_id: int, moments_s: Sequence[float]) -> None:
        own = asyncio.current_task()
        try:
            item = (await self._catalogue.items([item_id])).get(item_id)
            if item is not None and item.is_video:
                stills = await stills_of(item, moments_s)
                if self._making.get(item_id) is own:
                    await self._keep(item_id, stills)
        except (UnreadablePicture, OutOfReach) as error:
            logger.info("no frames of item %d: %s", item_id, error)
        finally:
            if self._making.get(item_id) is own:
                del self._making[item_id]

    # ---- dropping ----

    def gone(self, item_ids: Iterable[int]) -> None:
        self._gone.update(item_ids)
        self._news.set()

    async def run(self) -> None:
        """Drop what is gone, until cancelled."""
        sweep_at = time.monotonic()
        while True:
            self._news.clear()
            try:
                if time.monotonic() >= sweep_at:
                    await self._sweep()
                    sweep_at = time.monotonic() + _SWEEP_S
                while self._gone:
                    item_id = next(iter(self._gone))
                    await asyncio.to_thread(self._blobs.drop_frames, item_id)
                    self._gone.discard(item_id)
            except ServiceError as error:
                logger.debug("frames of what is gone are still there: %s", error.message)
                await asyncio.sleep(_AWAY_S)
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(sweep_at - time.monotonic()):
                    await self._news.wait()

    async def _sweep(self) -> None:
        """Find frames of items that are gone."""
        there = await asyncio.to_thread(lambda: list(self._blobs.framed()))
        for start in range(0, len(there), _BATCH):
            batch = there[start : start + _BATCH]
            self._gone |= set(batch).difference(await self._catalogue.items(batch))
