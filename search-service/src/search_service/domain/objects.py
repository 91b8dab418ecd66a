"""Vectors that are given: of items whose pictures are elsewhere, and of detected objects, by whichever model."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
from media_common.errors import InvalidArgument

from search_service.domain import clusters, points
from search_service.domain.agreement import SEAL
from search_service.domain.errors import CatalogueUnavailable, NoSuchVectors
from search_service.domain.filters import Payload
from search_service.domain.items import Catalogue, Item, Still
from search_service.domain.vectors import Point, Vector, VectorStore, checked

#: The payload field of where an object was cut out.
BOX: Final = "box"
#: Clustering compares everything with everything: twice as many take four times as long.
MOST_CLUSTERED: Final = 20_000
_PAGE: Final = 10_000


class ModelNotInstalled(InvalidArgument):
    """Nobody registered an object model of that name here."""

    def __init__(self, name: str) -> None:
        super().__init__(f"model '{name}' is not installed on this server")


@dataclass(frozen=True, slots=True)
class Box:
    """Where an object is, in pixels of the frame."""

    frame: int
    x: float
    y: float
    width: float
    height: float

    def as_payload(self) -> Payload:
        """Kept beside the vector, so that another encoder can be shown the object too."""
        return {BOX: [self.frame, self.x, self.y, self.width, self.height]}


def box_in(payload: Payload) -> Box | None:
    match payload.get(BOX):
        case [frame, x, y, width, height]:
            return Box(int(frame), float(x), float(y), float(width), float(height))
        case _:
            return None


@dataclass(frozen=True, slots=True)
class Detection:
    """A detected object as the catalogue has it."""

    object_id: int
    item_id: int
    model: str
    box: Box | None


class Detections(Protocol):
    async def detected(self, after_id: int, limit: int) -> Sequence[Detection]:
        """Those of all items that are there, by ascending number.

        Raises:
            CatalogueUnavailable: it is away.
        """


@dataclass(frozen=True, slots=True)
class Given:
    """A vector for a point of an item, and what its payload carries beside the item's facts."""

    point_id: int
    item_id: int
    vector: Vector
    more: Payload


class NoCatalogue:
    """Knows no item. Implements `Catalogue`."""

    async def items(self, item_ids: Sequence[int]) -> Mapping[int, Item[Any]]:
        return {}

    async def frame_ids(self, item_id: int, stills: Sequence[Still[Any]]) -> Sequence[int]:
        return []

    async def embedded(self, item_ids: Sequence[int]) -> None:
        """Nobody to tell."""

    async def with_words(self, asked: object, text: str, limit: int) -> Mapping[int, float]:
        raise CatalogueUnavailable("No catalogue is set up.")


class Giving:
    def __init__(self, catalogue: Catalogue[Any], lock: asyncio.Lock) -> None:
        """
        Args:
            lock: of all who read facts and write them; the one who writes later has read the later ones.
        """
        self.written = 0
        self._catalogue = catalogue
        self._lock = lock

    async def put(self, store: VectorStore, place: str, dimensions: int, given: Sequence[Given]) -> list[int]:
        """Write them; the items whose vectors are written. Those that the catalogue does not know are left out.

        Raises:
            WrongDimensions: one of them has another length, or is not made of numbers; nothing was written.
        """
        if not given:
            return []
        vectors = [checked(one.vector, dimensions) for one in given]
        async with self._lock:
            items = await self._catalogue.items(list(dict.fromkeys(one.item_id for one in given)))
            made = []
            for one, vector in zip(given, vectors, strict=True):
                if (item := items.get(one.item_id)) is not None:
                    made.append(Point(one.point_id, vector, {**points.payload(one.point_id, item.facts), **one.more}))
            if made:
                await store.ensure(place, dimensions)
                await store.upsert(place, made)
                self.written += len(made)
        return [one.item_id for one in given if one.item_id in items]

    async def put_items(
        self, store: VectorStore, space: str, dimensions: int, vectors: Mapping[int, Vector]
    ) -> list[int]:
        """The same for whole items: from then on they are embedded, as if it had been done here."""
        items = await self._catalogue.items(list(vectors)) if vectors else {}
        given = [
            Given(key, key, vector, {SEAL: items[key].seal} if key in items else {}) for key, vector in vectors.items()
        ]
        written = await self.put(store, space, dimensions, given)
        if written:
            await self._catalogue.embedded(written)
        return written


async def clustered(store: VectorStore, place: str, collection_id: int, min_size: int) -> list[clusters.Cluster]:
    """Groups of a collection's objects that look alike, the largest first.

    Raises:
        InvalidArgument: there are too many.
    """
    filter = points.within(collection_id)
    ids: list[int] = []
    try:
        if await store.count(place, filter) > MOST_CLUSTERED:
            raise InvalidArgument(f"At most {MOST_CLUSTERED:,} objects can be clustered at a time.")
        while page := await store.ids(place, filter, after=ids[-1] if ids else -1, limit=_PAGE):
            ids += page
        vectors = await store.vectors(place, ids)
    except NoSuchVectors:  # nobody ever gave one
        return []
    return await grouped(vectors, min_size)


async def grouped(vectors: Mapping[int, Vector], min_size: int) -> list[clusters.Cluster]:
    rows = np.stack(list(vectors.values())) if vectors else np.zeros((0, 1), np.float32)
    # Minutes for many thousands: a thread of its own, so that everything else goes on.
    return await asyncio.to_thread(clusters.clustered, list(vectors), rows, min_size)
