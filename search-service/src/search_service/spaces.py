"""A space of vectors with the model they are of, and what one query holds of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from PIL.Image import Image

from search_service.domain.searching import Owners, Searching
from search_service.domain.vectors import Vector, VectorStore
from search_service.encoders.kept import KeptEncoder, State
from search_service.encoders.port import Encoder

#: A picture that a caller sent; raises `UnreadablePicture`.
Decode = Callable[[bytes], Awaitable[Image]]


class Space:
    """Vectors of one model, and that model. Implements `Model` and `Words`: nothing but its own vectors comes out."""

    def __init__(self, encoder: Encoder, kept: KeptEncoder, decode: Decode) -> None:
        self.name = encoder.space
        self.dimensions = encoder.dimensions
        self.family = encoder.name
        self.model = encoder.model
        self.kept = kept
        self.owners = Owners()
        self._decode = decode
        self._users = 0
        self._unused = asyncio.Event()
        self._unused.set()

    @property
    def is_loaded(self) -> bool:
        status = self.kept.status
        return status.state is State.READY and status.space == self.name

    async def images(self, batch: Sequence[Image]) -> Vector:
        return await self.kept.images(batch, self.name)

    async def texts(self, batch: Sequence[str]) -> Vector:
        return await self.kept.texts(batch, self.name)

    async def pictures(self, files: Sequence[bytes]) -> Vector:
        """Vectors of whole files.

        Raises:
            UnreadablePicture: one of them cannot be decoded.
        """
        return await self.images([await self._decode(data) for data in files])

    def enter(self) -> None:
        self._users += 1
        self._unused.clear()

    def leave(self) -> None:
        self._users -= 1
        if not self._users:
            self._unused.set()

    async def unused(self) -> None:
        """When the last query is over."""
        await self._unused.wait()


class Answering:
    """What one query works with from beginning to end, whatever is switched meanwhile."""

    def __init__(self, space: Space, store: VectorStore) -> None:
        self.space = space
        self.store = store
        self.searching = Searching(store, space, space.name, space.owners)

    async def vectors(self, ids: Sequence[int]) -> dict[int, Vector]:
        """Of points that have one."""
        return await self.store.vectors(self.space.name, ids)
