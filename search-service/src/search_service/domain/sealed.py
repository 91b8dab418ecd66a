"""Which vectors are of an item's very pixels: those that carry its seal. What is asked of a video once more is asked of
the same frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from search_service.domain import points
from search_service.domain.agreement import SEAL, payloads_of
from search_service.domain.errors import NoSuchVectors
from search_service.domain.filters import Payload
from search_service.domain.items import Item, Still
from search_service.domain.objects import BOX
from search_service.domain.vectors import VectorStore

P = TypeVar("P")


def by_item(payloads: Mapping[int, Payload]) -> dict[int, dict[int, Payload]]:
    """The points of each item."""
    found: dict[int, dict[int, Payload]] = {}
    for key, payload in payloads.items():
        item_id = payload.get(points.ITEM)
        if isinstance(item_id, int):
            found.setdefault(item_id, {})[key] = payload
    return found


def is_sealed(there: Mapping[int, Payload], seal: str) -> bool:
    """Whether its vectors are of these very pixels."""
    return bool(there) and all(payload.get(SEAL) == seal for payload in there.values())


async def moments(store: VectorStore, videos: Mapping[int, Item[Any]]) -> dict[int, list[float]]:
    """The seconds at which videos were looked at for any encoder, if they have not changed since.

    Looked at anew, a video might have fewer frames, as how far that gets depends on how long it takes; and objects and
    other vectors would be of frames that are no more.
    """
    found: dict[int, list[float]] = {}
    for name in await store.collections() if videos else ():
        try:
            known = by_item(await payloads_of(store, name, list(videos)))
        except NoSuchVectors:  # dropped a moment ago
            continue
        for item_id, there in known.items():
            # One alone may have been given from outside, by somebody who did not look at the rest.
            if is_sealed(there, videos[item_id].seal) and len(there) > max(1, len(found.get(item_id, ()))):
                at_us = [payload.get(points.AT) for payload in there.values()]
                found[item_id] = sorted(at / 1e6 for at in at_us if isinstance(at, int))
    return found


async def drop_crops(store: VectorStore, item_ids: Sequence[int]) -> None:
    """Vectors of what was cut out of these items go; those that came from outside stay."""
    for name in await store.collections():
        with suppress(NoSuchVectors):  # dropped a moment ago
            known = await payloads_of(store, name, item_ids)
            if cut := [key for key, payload in known.items() if BOX in payload]:
                await store.delete(name, cut)


async def stills_of(item: Item[P], moments_s: Sequence[float]) -> Sequence[Still[P]]:
    """Its pictures; of a video at these moments, if there are any. Raises as `Item.load` does."""
    if item.load is None:
        return ()
    if moments_s and item.load_at is not None:
        return await item.load_at(moments_s)
    return await item.load()
