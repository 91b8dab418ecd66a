"""Filters in the words of Qdrant Edge."""

from __future__ import annotations

from typing import Final

import qdrant_edge as engine

from search_service.domain.filters import EVERYTHING, All, Any, Between, Filter, Has, Ids, Not, simplified

_LARGEST: Final = 1.7e308


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
