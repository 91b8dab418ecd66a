"""Detected objects: their vectors by the encoder or by a registered model, put in, carried over and clustered."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from media_common.errors import InvalidArgument
from PIL.Image import Image

from search_service.domain import objects, points, sealed
from search_service.domain.clusters import Cluster
from search_service.domain.errors import NoSuchVectors, OutOfReach, UnreadablePicture
from search_service.domain.filters import Ids
from search_service.domain.items import Catalogue, Still
from search_service.domain.objects import Box, Given, Giving, ModelNotInstalled
from search_service.domain.searching import OBJECTS
from search_service.domain.vectors import Vector, VectorStore, checked
from search_service.encoders.cutting import cut_out
from search_service.encoders.kept import State
from search_service.encoders.object_models import ModelStatus, ObjectModels
from search_service.engine import Engine
from search_service.spaces import Space

logger = logging.getLogger(__name__)

_CARRIED: Final = 32


@dataclass(frozen=True, slots=True)
class GivenObject:
    """A detected object, and its vector, a whole file that shows it, or where it is in its media."""

    object_id: int
    item_id: int
    what: Vector | bytes | Box


@dataclass(frozen=True, slots=True)
class _Shown:
    object_id: int
    item_id: int
    picture: Image
    box: Box | None

    def given(self, vector: Vector) -> Given:
        return Given(self.object_id, self.item_id, vector, {} if self.box is None else self.box.as_payload())


class Objects:
    def __init__(self, engine: Engine, models: ObjectModels, giving: Giving, catalogue: Catalogue[Image]) -> None:
        self._engine = engine
        self._models = models
        self._giving = giving
        self._catalogue = catalogue
        engine.carry = self.carry

    @property
    def models(self) -> list[ModelStatus]:
        """What is there, by name: the encoder's own among them."""
        status = self._engine.status
        reason = "" if status.state is State.READY else self._engine.reason
        own = ModelStatus(OBJECTS, status.dimensions, reason)
        return sorted([own, *self._models.statuses], key=lambda model: model.name)

    def require(self, model: str) -> None:
        """
        Raises:
            ModelNotInstalled: nobody registered it.
        """
        if model != OBJECTS:
            self._models.require(model)

    async def get_ready(self, model: str) -> None:
        """From now on the length of its vectors is known. A model that is not installed is passed over.

        Raises:
            EncoderUnavailable, StoreUnavailable: the model or the store is away.
        """
        if model == OBJECTS:
            async with self._engine.answering():
                return
        await self._engine.store()
        with suppress(ModelNotInstalled):
            await self._models.dimensions(model)

    async def remove(self, object_ids: Sequence[int]) -> None:
        """Of whatever model.

        Raises:
            StoreUnavailable: some may be left.
        """
        store = await self._engine.store()
        for place in filter(points.are_of_objects, await store.collections()):
            await store.delete(place, object_ids)

    async def put(self, model: str, given: Sequence[GivenObject]) -> int:
        """Write what the model says of objects; how many are written. What cannot be shown to it is left out.

        Raises:
            ModelNotInstalled, WrongDimensions, UnreadablePicture: nothing was written.
            EncoderUnavailable, StoreUnavailable: the model or the store is away.
        """
        self.require(model)
        vectors = [(one, one.what) for one in given if not isinstance(one.what, bytes | Box)]
        store = await self._engine.store()
        if model != OBJECTS:
            place, dimensions = points.objects_by(model), await self._models.dimensions(model)
            rows = [Given(one.object_id, one.item_id, checked(vector, dimensions), {}) for one, vector in vectors]
            if shown := await self._shown(given):
                made = await self._models.embed(model, [one.picture for one in shown])
                rows += [one.given(vector) for one, vector in zip(shown, made, strict=True)]
            return len(await self._giving.put(store, place, dimensions, rows))
        async with self._engine.answering() as now:
            space = now.space
            rows = [Given(one.object_id, one.item_id, checked(vector, space.dimensions), {}) for one, vector in vectors]
            shown = await self._shown(given)
            written = await self._giving.put(store, points.objects_of(space.name), space.dimensions, rows)
        for filled in await self._engine.filling() if shown else []:
            kept = await self._put_shown(store, filled, shown)
            if filled.name == space.name:
                written += kept
        return len(written)

    async def put_items(self, name: str, vectors: Mapping[int, Vector]) -> int:
        """Write vectors of whole items that were made elsewhere; how many are written.

        Args:
            name: the space they are of; empty: the one that answers.

        Raises:
            InvalidArgument: no such space is filled, or one of them cannot be of it; nothing was written.
        """
        async with self._engine.answering() as now:
            spaces = {space.name: space for space in (now.space, *await self._engine.filling())}
            if (space := spaces.get(name or now.space.name)) is None:
                raise InvalidArgument(
                    f"There is no encoder with the vectors '{name}' here; there is {', '.join(spaces)}."
                )
            return len(await self._giving.put_items(now.store, space.name, space.dimensions, vectors))

    async def clusters(self, model: str, collection_id: int, min_size: int) -> list[Cluster]:
        """Of a collection's objects, by what the model says of them.

        Raises:
            ModelNotInstalled, InvalidArgument: no such model, or too many objects.
        """
        self.require(model)
        async with self._engine.answering() as now:
            place = points.objects_of(now.space.name) if model == OBJECTS else points.objects_by(model)
            return await objects.clustered(now.store, place, collection_id, min_size)

    async def carry(self, store: VectorStore, before: str, following: Space) -> None:
        """Show the next encoder the objects that the one of the space before was shown, as far as it was not. Given
        vectors cannot be carried.

        Raises:
            OutOfReach: the disk of some is away; to be called again.
        """
        place = points.objects_of(before)
        after = -1
        while True:
            try:
                ids = await store.ids(place, after=after, limit=_CARRIED)
            except NoSuchVectors:
                return
            if not ids:
                return
            after = ids[-1]
            known = await self._known(store, points.objects_of(following.name), ids)
            given = []
            for key, payload in (await store.payloads(place, [key for key in ids if key not in known])).items():
                item_id, box = payload.get(points.ITEM), objects.box_in(payload)
                if isinstance(item_id, int) and box is not None:
                    given.append(GivenObject(key, item_id, box))
            items = await self._catalogue.items([one.item_id for one in given])
            if any(item.away for item in items.values()):
                raise OutOfReach("Objects are to be shown to the next encoder, and the disk of their media is away.")
            await self._put_shown(store, following, await self._shown(given))

    async def _known(self, store: VectorStore, place: str, ids: Sequence[int]) -> set[int]:
        try:
            return set(await store.ids(place, Ids(frozenset(ids)), limit=len(ids)))
        except NoSuchVectors:  # the first one makes it
            return set()

    async def _put_shown(self, store: VectorStore, space: Space, shown: Sequence[_Shown]) -> list[int]:
        if not shown:
            return []
        made = await space.images([one.picture for one in shown])
        rows = [one.given(vector) for one, vector in zip(shown, made, strict=True)]
        return await self._giving.put(store, points.objects_of(space.name), space.dimensions, rows)

    async def _shown(self, given: Sequence[GivenObject]) -> list[_Shown]:
        shown = []
        boxed: dict[int, list[tuple[int, Box]]] = {}
        for one in given:
            if isinstance(one.what, bytes):
                picture = await self._engine.decode(one.what)
                shown.append(_Shown(one.object_id, one.item_id, picture, None))
            elif isinstance(one.what, Box):
                boxed.setdefault(one.item_id, []).append((one.object_id, one.what))
        for item_id, stills in (await self._stills(list(boxed))).items():
            for object_id, box in boxed[item_id]:
                if not 0 <= box.frame < len(stills):
                    continue
                still = stills[box.frame]
                frame = still.width_px, still.height_px
                cut = cut_out(still.picture, frame, (box.x, box.y, box.width, box.height))
                if cut is not None:
                    shown.append(_Shown(object_id, item_id, cut, box))
        return shown

    async def _stills(self, item_ids: Sequence[int]) -> Mapping[int, Sequence[Still[Image]]]:
        found = {}
        items = await self._catalogue.items(item_ids) if item_ids else {}
        videos = {item_id: item for item_id, item in items.items() if item.is_video}
        moments = await sealed.moments(await self._engine.store(), videos)
        for item_id, item in items.items():
            try:
                found[item_id] = await sealed.stills_of(item, moments.get(item_id, ()))
            except (UnreadablePicture, OutOfReach) as error:
                logger.warning("objects of item %d cannot be cut out: %s", item_id, error)
        return found
