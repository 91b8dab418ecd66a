"""What words found lately, in the order in which they fit."""

from __future__ import annotations

import threading
from array import array
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

#: So many searches are kept, and finds of all of them: 16 bytes each.
SEARCHES: Final = 16
FINDS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Ranked:
    """What some words find, the best first, and the scores."""

    ids: array[int]
    scores: array[float]
    is_all: bool

    @classmethod
    def of(cls, rows: Iterable[tuple[int, float]], most: int | None = None) -> Ranked:
        """The first `most` of the rows, taken one by one: there may be as many as items."""
        ids, scores = array("q"), array("d")
        for node_id, score in rows:
            if len(ids) == most:
                return cls(ids, scores, False)
            ids.append(node_id)
            scores.append(score)
        return cls(ids, scores, True)

    def passing(self, passes: Callable[[int], bool], limit: int) -> list[tuple[int, float]]:
        """The best of those that pass."""
        return list(islice((row for row in zip(self.ids, self.scores, strict=True) if passes(row[0])), limit))


@dataclass(slots=True)
class Finds:
    """What words found lately, for all readers: it holds while nobody's words have changed. What is listed is no part
    of it, so that marks, which are written all the time, do not touch it."""

    _version: int = -1
    _kept: dict[tuple[int, str], Ranked] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, version: int, asked: tuple[int, str]) -> Ranked | None:
        with self._lock:
            return self._kept.get(asked) if version == self._version else None

    def put(self, version: int, asked: tuple[int, str], ranked: Ranked) -> None:
        with self._lock:
            if version < self._version or len(ranked.ids) > FINDS:
                return  # read before the words changed; or too much: what is kept of it stays
            there = self._kept.get(asked) if version == self._version else None
            if there is not None and there.is_all:
                return  # somebody else has found all of it meanwhile
            others = {} if version > self._version else {key: one for key, one in self._kept.items() if key != asked}
            finds = len(ranked.ids) + sum(len(one.ids) for one in others.values())
            if len(others) >= SEARCHES or finds > FINDS:
                others = {}
            self._version = version
            self._kept = {**others, asked: ranked}
