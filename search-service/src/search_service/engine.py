"""The parts of search put together: the encoder, the store, and what is searched with both of them now."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from PIL.Image import Image

from search_service.domain.errors import StoreUnavailable
from search_service.domain.searching import Searching, TextIndex
from search_service.domain.vectors import Vector, VectorStore
from search_service.encoders.kept import KeptEncoder, State
from search_service.encoders.pictures import decoded

OpenStore = Callable[[], Awaitable[VectorStore]]


class Engine:
    """Opened when it is first needed: a store or a model that is away is asked for again by the next call."""

    def __init__(self, encoder: KeptEncoder, open_store: OpenStore, catalogue: TextIndex | None = None) -> None:
        self.encoder = encoder
        self._open_store = open_store
        self._catalogue = catalogue
        self._opening = asyncio.Lock()
        self._store: VectorStore | None = None
        self._trouble = ""

    @property
    def reason(self) -> str:
        """Why there is no search, in a sentence; empty when there is."""
        status = self.encoder.status
        if status.state is State.LOADING:
            return "The model is being loaded, or has not been asked for yet."
        return self._trouble if status.state is State.READY else status.reason

    async def store(self) -> VectorStore:
        """
        Raises:
            StoreUnavailable: it cannot be opened now.
        """
        async with self._opening:
            if self._store is None:
                try:
                    self._store = await self._open_store()
                except StoreUnavailable as error:
                    self._trouble = error.message
                    raise
                self._trouble = ""
            return self._store

    async def searching(self) -> Searching:
        """Over the vectors of the encoder in use.

        Raises:
            EncoderUnavailable, StoreUnavailable: with the reason.
        """
        encoder = await self.encoder.ready()
        store = await self.store()
        await store.ensure(encoder.space, encoder.dimensions)
        return Searching(store, self.encoder, self._catalogue, encoder.space)

    async def vectors(self, ids: Sequence[int]) -> dict[int, Vector]:
        """Of points that have one, in the encoder's space."""
        encoder = await self.encoder.ready()
        store = await self.store()
        await store.ensure(encoder.space, encoder.dimensions)
        return await store.vectors(encoder.space, ids)

    async def pictures(self, files: Sequence[bytes]) -> Vector:
        """Vectors of whole files.

        Raises:
            UnreadablePicture: one of them cannot be decoded.
        """
        return await self.encoder.images(await asyncio.to_thread(_decoded, files))

    async def close(self) -> None:
        await self.encoder.close()
        if self._store is not None:
            await self._store.close()


def _decoded(files: Sequence[bytes]) -> list[Image]:
    return [decoded(data) for data in files]
