"""The item endpoints of the Exquisitor dialect over HTTP, on a catalogue of 100,000 items."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any, Final

from metadata_service.store import retrieval
from metadata_service.store.reader import MOST

from bench import load
from bench.bare_server import bare_server
from bench.client import Connection
from bench.library import make
from bench.product import Product
from bench.table import Row, at_least, only_said

ITEMS: Final = 100_000
_CLIENTS: Final = 8
#: Different requests that the clients send in turn.
_REQUESTS: Final = 50
#: As many as no run sends. Their items are drawn from all there are, and each of the catalogue's readers keeps `MOST`
#: of them before it forgets the lot, half as many on average: of those asked for, so many were read before.
_FRESH: Final = 4_000
_AT_HAND: Final = MOST / 2 / ITEMS
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
            _fresh(product, work, "base"),
            _fresh(product, work, "details", tagset_ids=tagsets),
        ]


def _row(product: Product, work: Path, name: str, ids: int, reach: float, **more: object) -> Row:
    target, bodies = f"/exq/item/{name}", _bodies(ids, _REQUESTS, **more)
    with Connection(product.port) as connection:
        size = max(len(connection.post(target, body)) for body in bodies)
    figure = load.post_rate(product.port, target, bodies, _CLIENTS, work)
    # It tells how fast the machine is right now.
    with bare_server(size) as port:
        bare = load.post_rate(port, target, bodies, _CLIENTS, work)
    note = f"{_CLIENTS} clients, {load.client()}, answers of {size // 1000} kB"
    return at_least(f"/exq/item/{name}, {ids} ids", figure, "/s", reach, "bare FastAPI, bytes in memory", bare, note)


def _fresh(product: Product, work: Path, name: str, **more: object) -> Row:
    """The same with items that for the most part nobody asked for lately."""
    figure = load.post_rate(product.port, f"/exq/item/{name}", _bodies(100, _FRESH, **more), _CLIENTS, work)
    return only_said(
        f"/exq/item/{name}, 100 ids, always others", figure, "/s", "", None, f"about {_AT_HAND:.0%} of them at hand"
    )


def _bodies(ids: int, requests: int, **more: object) -> list[dict[str, Any]]:
    chance = random.Random(3)
    return [
        {"session_info": _SESSION, "media_ids": [chance.randrange(1, ITEMS) for _ in range(ids)]} | more
        for _ in range(requests)
    ]
