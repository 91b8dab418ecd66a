"""The item endpoints of the Exquisitor dialect over HTTP, on a catalogue of 100,000 items."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any, Final

from metadata_service.store import retrieval

from bench import load
from bench.client import Connection
from bench.library import make
from bench.product import Product
from bench.table import Row, at_least

ITEMS: Final = 100_000
_CLIENTS: Final = 8
#: Different requests that the clients send in turn.
_REQUESTS: Final = 50
_SESSION: Final = {"session": "bench", "collection": "library", "modelId": 0}


def measure(work: Path) -> list[Row]:
    """On a stack of its own, its catalogue made beforehand."""
    state = work / "state-items"
    state.mkdir(mode=0o700)
    library = make(state / "catalogue.db", ITEMS, in_place=False)
    tagsets = [found.id for found in library.database.read(retrieval.tagsets, library.collection)[:3]]
    library.database.close()
    with Product(state) as product:
        return [
            _row(product, work, "base", 100, 400),
            _row(product, work, "details", 100, 150, tagset_ids=tagsets),
            _row(product, work, "related", 10, 500),
        ]


def _row(product: Product, work: Path, name: str, ids: int, reach: float, **more: object) -> Row:
    chance = random.Random(3)
    target = f"/exq/item/{name}"
    bodies: list[dict[str, Any]] = [
        {"session_info": _SESSION, "media_ids": [chance.randrange(1, ITEMS) for _ in range(ids)]} | more
        for _ in range(_REQUESTS)
    ]
    with Connection(product.port) as connection:
        for body in bodies:
            connection.post(target, body)
    figure = load.post_rate(product.port, target, bodies, _CLIENTS, work)
    return at_least(
        f"/exq/item/{name}, {ids} ids", figure, "/s", reach, "", None, f"{_CLIENTS} clients, {load.client()}"
    )
