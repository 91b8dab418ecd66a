"""Filters in the words of Qdrant Edge."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import qdrant_edge as engine

from search_service.domain.filters import EVERYTHING, All, Any, Between, Filter, Has, Ids, Not, simplified

_LARGEST: Final = 1.7e308
_FEW: Final = 8


class Needed:
    """Leaves out of a filter what every point passes anyway, as "in this library" does where there is one: the engine
    asks each condition of each point that it comes by, which takes longer than to compare the vectors. To count takes
    longer than such a question, so that it is done only when nothing has been written for a while."""

    #: Conditions that are kept; past that the lot is forgotten.
    _MOST: Final = 100

    def __init__(self, rest_s: float) -> None:
        """
        Args:
            rest_s: so long nothing has been written before anything is counted.
        """
        self._rest_s = rest_s
        self._writes = 0
        self._written_at = time.monotonic()
        self._known: dict[Has, tuple[int, bool]] = {}

    def written(self) -> None:
        """To be said before and after everything that changes a point: what was counted meanwhile is not believed."""
        self._writes += 1
        self._written_at = time.monotonic()

    def of(self, tree: Filter, count: Callable[[Filter], int]) -> Filter:
        """
        Args:
            count: how many points pass a filter.
        """
        plain = simplified(tree)
        parts = plain.parts if isinstance(plain, All) else (plain,)
        return All(tuple(part for part in parts if not self._is_passed_by_all(part, count)))

    def _is_passed_by_all(self, part: Filter, count: Callable[[Filter], int]) -> bool:
        # Few values: a fixed part of many questions, as the kinds are, and not what somebody asks once.
        if not isinstance(part, Has) or len(part.values) > _FEW:
            return False
        writes = self._writes
        at, passed = self._known.get(part, (-1, False))
        if at != writes:
            if time.monotonic() - self._written_at < self._rest_s:
                return False
            passed = count(part) == count(EVERYTHING)
            if len(self._known) >= self._MOST:
                self._known.clear()
            self._known[part] = writes, passed
        return passed and writes == self._writes


def translated(tree: Filter) -> engine.Filter | None:
    plain = simplified(tree)
    return None if plain == EVERYTHING else engine.Filter(must=[_condition(plain)])


def _condition(tree: Filter) -> engine.ConditionType:
    """The same tree in the engine's words. "Nothing" is "no id" there: an empty list of conditions would be true."""
    match tree:
        case All(parts):
            return engine.Filter(must=[_condition(part) for part in parts])
        case Any(parts):
            return engine.Filter(should=[_condition(part) for part in parts]) if parts else _none()
        case Not(part):
            return engine.Filter(must_not=[_condition(part)])
        case Has(field, values):
            return engine.FieldCondition(key=field, match=_any(values))
        case Between(field, lower, upper):
            # Without a bound any number will do, and nothing that is no number.
            gte = -_LARGEST if lower is None else float(lower)
            lte = None if upper is None else float(upper)
            return engine.FieldCondition(key=field, range=engine.RangeFloat(gte=gte, lte=lte))
        case Ids(ids):
            return engine.HasIdCondition({key for key in ids if key >= 0})


def _any(values: frozenset[int] | frozenset[str]) -> engine.MatchAny:
    texts = sorted(value for value in values if isinstance(value, str))
    return engine.MatchAny(texts or sorted(value for value in values if isinstance(value, int)))


def _none() -> engine.HasIdCondition:
    return engine.HasIdCondition(set())
