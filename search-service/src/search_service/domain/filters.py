"""Which points a search may return: a tree over payload fields and ids, the same for every store.

`matches` is the meaning; a store that translates the tree for an engine must give the same ids.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

Scalar: TypeAlias = int | float | str
Payload: TypeAlias = Mapping[str, Scalar | Sequence[Scalar]]

#: Deeper trees are refused: engines walk them recursively.
MAX_DEPTH: Final = 100


@dataclass(frozen=True, slots=True)
class All:
    """Every part holds; nothing to hold is true."""

    parts: tuple[Filter, ...] = ()


@dataclass(frozen=True, slots=True)
class Any:
    """At least one part holds; nothing to hold is false."""

    parts: tuple[Filter, ...] = ()


@dataclass(frozen=True, slots=True)
class Not:
    part: Filter


@dataclass(frozen=True, slots=True)
class Has:
    """The field is, or as a list contains, one of the values (whole numbers, or texts)."""

    field: str
    values: frozenset[int] | frozenset[str]


@dataclass(frozen=True, slots=True)
class Between:
    """The field is a number, or as a list contains one, within the bounds, both inclusive; None is no bound."""

    field: str
    lower: float | None = None
    upper: float | None = None


@dataclass(frozen=True, slots=True)
class Ids:
    """The point is one of these."""

    ids: frozenset[int] = field(default_factory=frozenset)


Filter: TypeAlias = All | Any | Not | Has | Between | Ids

EVERYTHING: Final = All()
NOTHING: Final = Any()


def matches(tree: Filter, point_id: int, payload: Payload) -> bool:
    """Whether the point passes."""
    match tree:
        case All(parts):
            return all(matches(part, point_id, payload) for part in parts)
        case Any(parts):
            return any(matches(part, point_id, payload) for part in parts)
        case Not(part):
            return not matches(part, point_id, payload)
        case Has(name, values):
            return any(value in values for value in _values(payload, name))
        case Between(name, lower, upper):
            numbers = (value for value in _values(payload, name) if isinstance(value, int | float))
            return any((lower is None or value >= lower) and (upper is None or value <= upper) for value in numbers)
        case Ids(ids):
            return point_id in ids


def depth(tree: Filter) -> int:
    """Levels of the tree, a leaf being one. Not recursive, so that any tree can be measured."""
    deepest, waiting = 0, [(tree, 1)]
    while waiting:
        node, level = waiting.pop()
        deepest = max(deepest, level)
        match node:
            case All(parts) | Any(parts):
                waiting += [(part, level + 1) for part in parts]
            case Not(part):
                waiting.append((part, level + 1))
            case _:
                pass
    return deepest


def simplified(tree: Filter, negated: bool = False) -> Filter:
    """The same meaning with `Not` on leaves only, no group inside one of its kind, and nothing that decides nothing.

    So a tree is half as deep in an engine's words, whose readers have limits.
    """
    match tree:
        case Not(part):
            return simplified(part, not negated)
        case All(parts):
            return _joined([simplified(part, negated) for part in parts], All if not negated else Any)
        case Any(parts):
            return _joined([simplified(part, negated) for part in parts], Any if not negated else All)
        case Has(_, values) if not values:
            return EVERYTHING if negated else NOTHING
        case Ids(ids) if not ids:
            return EVERYTHING if negated else NOTHING
        case _:
            return Not(tree) if negated else tree


def _joined(parts: Sequence[Filter], kind: type[All] | type[Any]) -> Filter:
    neutral, deciding = (EVERYTHING, NOTHING) if kind is All else (NOTHING, EVERYTHING)
    if deciding in parts:
        return deciding
    flat: list[Filter] = []
    for part in parts:
        if isinstance(part, kind):
            flat += part.parts
        elif part != neutral:
            flat.append(part)
    return flat[0] if len(flat) == 1 else kind(tuple(flat))


def both(*parts: Filter | None) -> Filter:
    """All of them, those that say nothing left out."""
    said = tuple(part for part in parts if part is not None and part != EVERYTHING)
    return said[0] if len(said) == 1 else All(said)


def _values(payload: Payload, name: str) -> Sequence[Scalar]:
    value = payload.get(name, ())
    return (value,) if isinstance(value, int | float | str) else value
