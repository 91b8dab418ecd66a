"""What tests of this service share: random filter trees, payloads and vectors, the same for every store."""

from __future__ import annotations

import random

import numpy as np

from search_service.domain.filters import All, Any, Between, Filter, Has, Ids, Not, Payload
from search_service.domain.vectors import FieldKind, Point

INDEXES: dict[str, FieldKind] = {"tags": "integer", "created": "integer", "number": "float", "kind": "keyword"}
DIMENSIONS = 16
POINTS = 300


def payload(chance: random.Random) -> Payload:
    """Every field may be missing; tags may be none."""
    made: dict[str, int | float | str | list[int]] = {"tags": chance.sample(range(40), chance.randrange(6))}
    if chance.random() < 0.8:
        made["created"] = chance.randrange(1_700_000_000_000_000, 1_700_000_000_000_100)
    if chance.random() < 0.7:
        made["number"] = chance.choice([-1.5, 0.0, 0.25, 3.0, 1e6])
    if chance.random() < 0.9:
        made["kind"] = chance.choice(["image", "video", "Übung"])
    return made


def points(seed: int = 7, how_many: int = POINTS, dimensions: int = DIMENSIONS) -> list[Point]:
    chance, numbers = random.Random(seed), np.random.default_rng(seed)
    # Some ids are as large as an imported collection's.
    ids = [key if key % 3 else key + 2**40 for key in range(how_many)]
    return [Point(key, numbers.standard_normal(dimensions, np.float32), payload(chance)) for key in ids]


def tree(chance: random.Random, levels: int = 4) -> Filter:
    kind = chance.randrange(8 if levels else 4)
    match kind:
        case 0:
            return Has("tags", frozenset(chance.sample(range(45), chance.randrange(8))))
        case 1:
            return Has("kind", frozenset(chance.sample(["image", "video", "Übung", "none"], chance.randrange(3))))
        case 2:
            return _range(chance)
        case 3:
            return Ids(frozenset(chance.randrange(-3, POINTS) for _ in range(chance.randrange(60))))
        case 4 | 5:
            return All(tuple(tree(chance, levels - 1) for _ in range(chance.randrange(4))))
        case 6:
            return Any(tuple(tree(chance, levels - 1) for _ in range(chance.randrange(4))))
        case _:
            return Not(tree(chance, levels - 1))


def _range(chance: random.Random) -> Between:
    if chance.random() < 0.5:
        low = chance.choice([None, 1_700_000_000_000_000 + chance.randrange(100)])
        high = chance.choice([None, 1_700_000_000_000_000 + chance.randrange(100)])
        return Between("created", low, high)
    return Between("number", chance.choice([None, -2.0, 0.0, 0.25]), chance.choice([None, 0.25, 3.0, 1e7]))
