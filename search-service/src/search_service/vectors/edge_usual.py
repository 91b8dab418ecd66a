"""Conditions that nearly every point passes, as "in this library" and "neither trashed nor hidden" are.

The engine asks each condition of each point that its walk comes by, which takes longer than to compare the vectors. It
is cheaper to find without the condition and to drop the few that do not pass. Who they are is asked of the engine once
and kept; what was written since is left to the engine's own filter, in a small question beside the large one.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, Protocol

from search_service.domain.filters import EVERYTHING, All, Filter, Has, Not, simplified

#: So many may fail, at most, and so large a part of all points.
_MOST_FAILING: Final = 5_000
_PART_FAILING: Final = 0.1
#: Points written since; past that the failing ones are asked for anew.
_MOST_WRITTEN: Final = 1_000
#: Conditions that are kept; past that the lot is forgotten.
_MOST_KNOWN: Final = 100


class Asked(Protocol):
    """The engine, as far as it is asked here."""

    def count(self, filter: Filter) -> int:
        """How many points pass."""

    def ids(self, filter: Filter, limit: int) -> Iterable[int]:
        """Of those that pass."""


@dataclass(frozen=True, slots=True)
class Narrowed:
    """A filter in parts: what the engine asks, which points are to be dropped of what it finds then, and which have
    been written lately, so that it is to be asked about them with the whole filter."""

    filter: Filter
    #: Nothing was taken out of it.
    is_whole: bool = False
    failing: frozenset[int] = frozenset()
    written: frozenset[int] = frozenset()
    #: Of all points, how many are dropped.
    share: float = 0.0
    #: How many changes there had been when this was found out.
    changes: int = field(default=0, compare=False)

    @property
    def dropped(self) -> frozenset[int]:
        return self.failing | self.written


@dataclass(slots=True)
class _Known:
    """Who failed a condition when that was last asked; None: too many."""

    failing: frozenset[int] | None
    points: int
    written: set[int] = field(default_factory=set)


class Usual:
    """Of one collection of vectors. Safe to use from any thread."""

    def __init__(self, fields: Collection[str], rest_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        """
        Args:
            fields: whose conditions nearly every point passes, as a rule: each new one costs the engine two counts.
            rest_s: so long nothing has been written before the engine is asked who fails: it takes longer than the
                questions that gain by it.
        """
        self._fields = fields
        self._rest_s = rest_s
        self._clock = clock
        self._lock = threading.Lock()
        self._changes = 0
        self._under_way = 0
        self._written_at = float("-inf")
        self._known: dict[Has, _Known] = {}  # those asked for last at the end
        self._last: tuple[Filter, Narrowed] | None = None

    @contextmanager
    def writing(self, ids: Iterable[int]) -> Iterator[None]:
        """Around every change of these points: nobody knows from when on the engine shows it."""
        touched = set(ids)
        self._touch(touched, 1)
        try:
            yield
        finally:
            self._touch(touched, -1)

    def still(self, narrowed: Narrowed) -> bool:
        """Whether nothing has been changed since; what was found in between may have come by what was dropped."""
        return narrowed.changes == self._changes

    def narrowed(self, tree: Filter, engine: Asked) -> Narrowed:
        last = self._last
        if last is not None and last[0] == tree and self.still(last[1]):
            return last[1]
        narrowed = self._narrowed(tree, engine)
        if narrowed.dropped:  # else there was little to do, or nothing is known yet
            self._last = tree, narrowed
        return narrowed

    def _narrowed(self, tree: Filter, engine: Asked) -> Narrowed:
        plain, changes = simplified(tree), self._changes
        left: list[Filter] = []
        failing: set[int] = set()
        written: set[int] = set()
        points = 0
        parts = plain.parts if isinstance(plain, All) else (plain,)
        for part in parts:
            known = self._of(part, engine) if isinstance(part, Has) and part.field in self._fields else None
            if known is None or known.failing is None:
                left.append(part)
                continue
            failing |= known.failing
            written |= known.written
            points = max(points, known.points)
        share = len(failing | written) / points if points else 0.0
        is_whole = len(left) == len(parts)
        return Narrowed(All(tuple(left)), is_whole, frozenset(failing - written), frozenset(written), share, changes)

    def _touch(self, ids: set[int], step: int) -> None:
        with self._lock:
            self._changes += 1
            self._under_way += step
            self._written_at = self._clock()
            for condition, known in list(self._known.items()):
                known.written |= ids
                if len(known.written) > _MOST_WRITTEN:
                    del self._known[condition]

    def _of(self, condition: Has, engine: Asked) -> _Known | None:
        """What is known, as it is now."""
        with self._lock:
            if (known := self._known.pop(condition, None)) is not None:
                self._known[condition] = known
                return _Known(known.failing, known.points, set(known.written))
            if self._under_way or self._clock() - self._written_at < self._rest_s:
                return None
            changes = self._changes
        points = engine.count(EVERYTHING)
        most = min(_MOST_FAILING, int(points * _PART_FAILING))
        failing = None
        if points - engine.count(condition) <= most:
            failing = frozenset(engine.ids(Not(condition), most + 1))
        with self._lock:
            if changes != self._changes:
                return None
            if len(self._known) >= _MOST_KNOWN:
                del self._known[next(iter(self._known))]
            self._known[condition] = _Known(failing, points)
        return _Known(failing, points)
