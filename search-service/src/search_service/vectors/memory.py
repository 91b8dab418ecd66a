"""Vectors in memory, searched exactly: what the other stores are compared with in tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from search_service.domain.errors import NoSuchVectors, WrongDimensions
from search_service.domain.filters import EVERYTHING, Filter, Payload, matches
from search_service.domain.vectors import DEFAULT_EF, Hit, Point, Vector, checked, checked_name


@dataclass(slots=True)
class _Collection:
    dimensions: int
    vectors: dict[int, Vector] = field(default_factory=dict)
    payloads: dict[int, Payload] = field(default_factory=dict)

    def passing(self, filter: Filter) -> list[int]:
        return sorted(key for key, payload in self.payloads.items() if matches(filter, key, payload))


class MemoryStore:
    """Implements `VectorStore`; it forgets at the end."""

    def __init__(self) -> None:
        self._collections: dict[str, _Collection] = {}
        self._aliases: dict[str, str] = {}

    async def ensure(self, name: str, dimensions: int) -> None:
        there = self._collections.setdefault(checked_name(name), _Collection(dimensions))
        if there.dimensions != dimensions:
            raise WrongDimensions(f"Vectors of {name} have {there.dimensions} numbers, not {dimensions}.")

    async def collections(self) -> Mapping[str, int]:
        return {name: there.dimensions for name, there in self._collections.items()}

    async def drop(self, name: str) -> None:
        if self._collections.pop(name, None) is not None:
            self._aliases = {alias: meant for alias, meant in self._aliases.items() if meant != name}

    async def set_alias(self, alias: str, name: str) -> None:
        if name not in self._collections:
            raise NoSuchVectors(f"There are no vectors of {name}.")
        self._aliases[checked_name(alias)] = name

    async def aliases(self) -> Mapping[str, str]:
        return dict(self._aliases)

    async def upsert(self, name: str, points: Sequence[Point]) -> None:
        there = self._of(name)
        ready = [(point, checked(point.vector, there.dimensions)) for point in points]
        for point, vector in ready:
            there.vectors[point.point_id] = vector
            there.payloads[point.point_id] = dict(point.payload)

    async def set_payload(self, name: str, payloads: Mapping[int, Payload]) -> None:
        there = self._of(name)
        for key, fields in payloads.items():
            if key in there.payloads:
                there.payloads[key] = {**there.payloads[key], **fields}

    async def delete(self, name: str, ids: Sequence[int]) -> None:
        there = self._of(name)
        for key in ids:
            there.vectors.pop(key, None)
            there.payloads.pop(key, None)

    async def search(
        self,
        name: str,
        query: Vector,
        limit: int,
        filter: Filter = EVERYTHING,
        *,
        ef: int = DEFAULT_EF,
        exact: bool = False,
    ) -> list[Hit]:
        there = self._of(name)
        wanted = checked(query, there.dimensions)
        passing = there.passing(filter)
        if not passing:
            return []
        scores = np.stack([there.vectors[key] for key in passing]) @ wanted
        order = np.lexsort((np.asarray(passing), -scores))[:limit]
        return [Hit(passing[place], float(scores[place])) for place in order]

    async def vectors(self, name: str, ids: Sequence[int]) -> dict[int, Vector]:
        there = self._of(name)
        return {key: there.vectors[key] for key in ids if key in there.vectors}

    async def payloads(self, name: str, ids: Sequence[int], fields: Sequence[str] = ()) -> dict[int, Payload]:
        there = self._of(name)
        return {
            key: {name: value for name, value in there.payloads[key].items() if not fields or name in fields}
            for key in ids
            if key in there.payloads
        }

    async def count(self, name: str, filter: Filter = EVERYTHING) -> int:
        return len(self._of(name).passing(filter))

    async def ids(self, name: str, filter: Filter = EVERYTHING, *, after: int = -1, limit: int = 10_000) -> list[int]:
        return [key for key in self._of(name).passing(filter) if key > after][:limit]

    async def optimise(self, name: str) -> None:
        self._of(name)

    async def close(self) -> None:
        """Nothing to give back."""

    def _of(self, name: str) -> _Collection:
        there = self._collections.get(self._aliases.get(name, name))
        if there is None:
            raise NoSuchVectors(f"There are no vectors of {name}.")
        return there
