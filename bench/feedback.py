"""Relevance feedback on planted classes: 500 of 20,000 vectors belong to one, a person marks ten a round. Asked as the
service asks: of the embedded store, its index built.

A class is several loose groups, as "my child" or "the sea" is: each lies in a cone of its own, among look-alikes that
are no members. A person is shown the first fifty not yet judged and marks five right and five wrong ones, if there are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from search_service.domain import points
from search_service.domain.points import INDEXES, NEARLY_ALL, Facts
from search_service.domain.searching import Judged, Scope, Searching
from search_service.domain.vectors import Point, Vector, VectorStore, unit
from search_service.vectors.edge import EdgeStore

from bench.table import Row, at_least

_ITEMS: Final = 20_000
_MEMBERS: Final = 500
_DIMENSIONS: Final = 512
_GROUPS: Final = 3
_ROUNDS: Final = 5
_CLASSES: Final = 5
#: People who look for the same class, each from another member on: one alone says little about the last steps.
_PEOPLE: Final = 8
_SHOWN: Final = 50
_SPACE: Final = "planted"
_COLLECTION: Final = 1
_IMAGE: Final = 4
_BATCH: Final = 1000
#: How far members stand out from the look-alikes round them, and how far all scatter.
_THEME: Final = 0.3
_SCATTER: Final = 2.0


def planted(seed: int = 1) -> tuple[Vector, frozenset[int]]:
    """The vectors, and which of them are members."""
    numbers = np.random.default_rng(seed)
    common = numbers.standard_normal(_DIMENSIONS)

    def around(middle: np.ndarray, many: int, spread: float) -> np.ndarray:
        return middle + spread * numbers.standard_normal((many, _DIMENSIONS))

    topics = [around(common * 0.5 + numbers.standard_normal(_DIMENSIONS), 1, 0)[0] for _ in range(60)]
    theme = numbers.standard_normal(_DIMENSIONS) * _THEME
    inside = [around(topics[group] + theme, _MEMBERS // _GROUPS + 1, _SCATTER) for group in range(_GROUPS)]
    members = np.concatenate(inside)[:_MEMBERS]
    others = np.concatenate([around(topic, _ITEMS // 60 + 1, _SCATTER) for topic in topics])[: _ITEMS - _MEMBERS]
    places = numbers.permutation(_ITEMS)
    vectors = np.empty((_ITEMS, _DIMENSIONS), np.float32)
    vectors[places] = unit(np.concatenate([members, others]))
    return vectors, frozenset(places[:_MEMBERS].tolist())


async def precisions(folder: Path, seed: int) -> list[float]:
    """Share of members among the first fifty not yet judged, before any mark and after each round: the mean of all
    people."""
    vectors, members = planted(seed)
    store = await filled(folder, vectors)
    search = Searching(store, NoWords(), _SPACE)
    begun = sorted(members)[:: _MEMBERS // _PEOPLE][:_PEOPLE]
    found = [await _one_person(search, members, first) for first in begun]
    await store.close()
    return [float(share) for share in np.mean(found, axis=0)]


async def _one_person(search: Searching, members: frozenset[int], first: int) -> list[float]:
    scope = Scope(_COLLECTION)
    right: list[int] = [first]
    wrong: list[int] = []
    found = []
    for _ in range(_ROUNDS + 1):
        shown = [scored.item_id for scored in await search.judged(scope, Judged(right, wrong), _SHOWN)]
        assert len(shown) == _SHOWN
        assert not {*right, *wrong} & set(shown)
        good = [place for place in shown if place in members]
        bad = [place for place in shown if place not in members]
        found.append(len(good) / _SHOWN)
        right += good[:5]
        wrong += bad[: 10 - len(good[:5])]
    return found


async def filled(folder: Path, vectors: Vector) -> VectorStore:
    """The embedded store, its index built."""
    store = EdgeStore(folder, INDEXES, NEARLY_ALL)
    await store.ensure(_SPACE, _DIMENSIONS)
    for start in range(0, len(vectors), _BATCH):
        keys = range(start, min(start + _BATCH, len(vectors)))
        facts = [Facts(key, _COLLECTION, _IMAGE, True) for key in keys]
        rows = zip(keys, facts, strict=True)
        await store.upsert(_SPACE, [Point(key, vectors[key], points.payload(key, fact)) for key, fact in rows])
    await store.optimise(_SPACE)
    return store


class NoWords:
    """Implements `Words`: here people mark, and say nothing."""

    async def texts(self, batch: Sequence[str]) -> Vector:
        raise AssertionError(f"nobody asked for {batch}")


def measure(work: Path) -> list[Row]:
    seeds = range(1, _CLASSES + 1)
    found = np.mean([asyncio.run(precisions(work / f"feedback-{seed}", seed)) for seed in seeds], axis=0)
    steps = ", ".join(f"{value:.2f}" for value in found)
    last, least = float(found[-1]), float(np.diff(found).min())
    beside = (
        f"{_CLASSES} classes of {_MEMBERS} in {_ITEMS}, {_PEOPLE} people each, before and after each round: {steps}"
    )
    return [
        at_least("feedback, members among the first 50, five rounds of ten marks", last, "", 0.9, beside, None),
        at_least("feedback, the least that a round adds to it", least, "", 0.001, "it rises every round", None),
    ]
