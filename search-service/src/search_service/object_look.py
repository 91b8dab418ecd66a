"""A look at all detected objects that the catalogue knows: those that no model has said anything of are shown to it,
and vectors of those that are no more go.

They were imported while there was no search, their vectors were lost, or their picture has changed. Nothing of it is
kept: after a restart it begins again, and what has its vectors is passed over.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final

from media_common.errors import ServiceError

from search_service.domain import points
from search_service.domain.errors import CatalogueUnavailable, StoreUnavailable
from search_service.domain.filters import Payload
from search_service.domain.objects import BOX, Detection, Detections
from search_service.domain.searching import OBJECTS
from search_service.domain.vectors import VectorStore
from search_service.encoders.object_models import ObjectModels
from search_service.engine import Engine
from search_service.objects import GivenObject, Objects

logger = logging.getLogger(__name__)

_PAGE: Final = 1000
#: Cut out and shown at a time.
_SHOWN: Final = 64
#: How often it is looked for new ones. Who imports some has them shown to the models; those that are there a round
#: later and have no vector were not.
NEW_S: Final = 60.0
#: Pause when it has to wait.
_LATER_S: Final = 5.0
#: How often it is looked at all: a disk that was away may be back.
_ALL_S: Final = 3600.0


class ObjectLook:
    def __init__(
        self,
        engine: Engine,
        models: ObjectModels,
        objects: Objects,
        detections: Detections,
        is_held: Callable[[], bool],
        new_s: float = NEW_S,
    ) -> None:
        """
        Args:
            is_held: nothing is to be embedded now.
        """
        self._engine = engine
        self._models = models
        self._objects = objects
        self._detections = detections
        self._is_held = is_held
        self._new_s = new_s
        self._asked = asyncio.Event()
        self._asked.set()
        self._looked_at = 0.0
        self._after = -1
        self._newest: int | None = None  # None: whatever there is has been there for long

    def ask(self) -> None:
        """Look at all of them again."""
        self._asked.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                if self._is_held():
                    await asyncio.sleep(_LATER_S)
                    continue
                await self._look()
            except (ServiceError, OSError) as error:
                logger.debug("the look at objects waits: %s", error)
                await asyncio.sleep(_LATER_S)
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(self._new_s):
                    await self._asked.wait()

    async def _look(self) -> None:
        """At those after the last one looked at, as far as they were there a round ago."""
        if self._asked.is_set() or time.monotonic() - self._looked_at > _ALL_S:
            await self._sweep()
            self._asked.clear()
            self._after, self._looked_at = -1, time.monotonic()
        last = self._after
        while found := await self._detections.detected(last, _PAGE):
            last = found[-1].object_id
            if ripe := [one for one in found if self._newest is None or one.object_id <= self._newest]:
                await self._show(ripe)
                self._after = ripe[-1].object_id
        self._newest = last

    async def _sweep(self) -> None:
        """Who deletes an object in the catalogue, with its frame for one, does not tell of it."""
        store = await self._engine.store()
        for place in filter(points.are_of_objects, await store.collections()):
            after = -1
            while ids := await store.ids(place, after=after, limit=_PAGE):
                after = ids[-1]
                # Asked only now: who brings a vector has told the catalogue of its object before.
                if gone := set(ids) - await self._there(ids[0], after):
                    await store.delete(place, sorted(gone))

    async def _there(self, first: int, last: int) -> set[int]:
        """The numbers of the objects that there are, these two and all between them."""
        there: set[int] = set()
        after = first - 1
        while after < last and (found := await self._detections.detected(after, _PAGE)):
            there.update(one.object_id for one in found)
            after = found[-1].object_id
        return there

    async def _show(self, detected: Sequence[Detection]) -> None:
        for model, lacking in (await self._lacking(detected)).items():
            given = [GivenObject(one.object_id, one.item_id, one.box) for one in lacking if one.box is not None]
            try:
                for start in range(0, len(given), _SHOWN):
                    await self._objects.put(model, given[start : start + _SHOWN])
            except (StoreUnavailable, CatalogueUnavailable):
                raise
            except ServiceError as error:
                if model == OBJECTS:
                    raise
                logger.warning("%d objects have no vectors of the model '%s': %s", len(given), model, error)

    async def _lacking(self, detected: Sequence[Detection]) -> Mapping[str, Sequence[Detection]]:
        """By model, those that it has said nothing of. What came with a vector is its own model's alone."""
        store = await self._engine.store()
        async with self._engine.answering() as now:
            own = points.objects_of(now.space.name)
        ids = [one.object_id for one in detected]
        there = set(await _known(store, own, ids))
        found: dict[str, Sequence[Detection]] = {}
        for status in self._models.statuses:
            known = await _known(store, points.objects_by(status.name), ids)
            there |= {key for key, payload in known.items() if BOX not in payload}
            found[status.name] = [one for one in detected if one.model == status.name and one.object_id not in known]
        return {OBJECTS: [one for one in detected if one.object_id not in there], **found}


async def _known(store: VectorStore, place: str, ids: Sequence[int]) -> Mapping[int, Payload]:
    """Of those that have a vector there, where they were cut out, if they were."""
    return await store.payloads(place, ids, (BOX,)) if place in await store.collections() else {}
