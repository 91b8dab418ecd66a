"""Collections of other systems on their way into the catalogue: many small writes, seen by nobody until the last."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Self

from metadata_service.domain.errors import BadImport
from metadata_service.domain.imports import Begin, End, Items, Part, Tags
from metadata_service.domain.media import Collection
from metadata_service.store import imports
from metadata_service.store.sqlite import Catalogue

logger = logging.getLogger(__name__)


class Imports:
    """Takes collections in, several at a time if need be, and erases what there is of one that did not come to its end:
    at once when it fails, at the next start when the process died."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._under_way: set[int] = set()
        self._lock = asyncio.Lock()
        self._sweeps: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._begin_sweep()
        return self

    async def __aexit__(self, *_: object) -> None:
        for sweep in self._sweeps:
            sweep.cancel()
        await asyncio.gather(*self._sweeps, return_exceptions=True)

    async def take(self, parts: AsyncIterator[Part]) -> AsyncGenerator[Collection | None, None]:
        """A step for each part that is stored; the last is the collection, complete. To be closed.

        Raises:
            CollectionExists: there is one of this name.
            BadImport, IdOutOfRange: it cannot be taken; nothing of it is left.
        """
        begin = await anext(parts, None)
        if not isinstance(begin, Begin):
            raise BadImport("An import begins with the collection's name.")
        async with self._lock:
            # What an earlier one left has the same name and the same ids.
            await self._sweep()
            collection = await self._catalogue.write(imports.begin, begin)
            self._under_way.add(collection.id)
        try:
            yield None
            async for _ in self._filled(collection, parts, begin.last_id):
                yield None
            await self._catalogue.write(imports.complete, collection)
        except BaseException:
            self._under_way.discard(collection.id)
            # Also when this call was cancelled: the sweep is a task of its own.
            await asyncio.wait([self._begin_sweep()])
            raise
        self._under_way.discard(collection.id)
        logger.info("imported the collection %s", collection.slug)
        yield collection

    async def _filled(self, collection: Collection, parts: AsyncIterator[Part], last_id: int) -> AsyncIterator[None]:
        items = 0
        async for part in parts:
            match part:
                case Tags(tags):
                    await self._catalogue.write(imports.add_tags, collection, tags)
                case Items(given):
                    await self._catalogue.write(imports.add_items, collection, given, last_id)
                    items += len(given)
                case End(expected):
                    if expected != items:
                        raise BadImport(f"{items} items of {expected} have arrived.")
                    return
                case Begin():
                    raise BadImport("An import has one beginning.")
            yield
        raise BadImport("The import ended before its end was told.")

    def _begin_sweep(self) -> asyncio.Task[None]:
        sweep = asyncio.create_task(self._swept())
        self._sweeps.add(sweep)
        sweep.add_done_callback(self._sweeps.discard)
        return sweep

    async def _swept(self) -> None:
        async with self._lock:
            await self._sweep()

    async def _sweep(self) -> None:
        for collection in await self._catalogue.write(imports.incomplete):
            if collection.id not in self._under_way:
                logger.info("erasing what came of %s, whose import did not come to its end", collection.slug)
                while await self._catalogue.write(imports.erase_some, collection):
                    pass
