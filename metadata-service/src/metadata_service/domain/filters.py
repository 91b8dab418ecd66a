"""What can be asked of the catalogue: a page of a listing, and the retrieval filters as a tree."""

from __future__ import annotations

import math
import sys
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

from metadata_service.domain.errors import FilterTooLarge
from metadata_service.domain.media import Kind
from metadata_service.domain.tags import Value

MAX_DEPTH: Final = 32
MAX_VALUES: Final = 10_000
#: Each may mean every tag of a set, so they count apart from the ids.
MAX_RANGES: Final = 100
#: Leaves and groups: as many leaves as there may be ids, and groups round them.
MAX_NODES: Final = 20_000


class Sort(IntEnum):
    """The numbers are those of the contract's `Sort`."""

    CREATED = 1
    NAME = 2
    KIND = 3
    DESCRIPTION = 4
    PROMPT = 5


@dataclass(frozen=True, slots=True)
class ListQuery:
    """A page of one collection. Everything given must hold."""

    collection_id: int
    limit: int
    offset: int = 0
    folder_id: int | None = None  # None: the root
    recursive: bool | None = None  # None: as `deep` decides
    kinds: frozenset[Kind] | None = None
    created_from_us: int | None = None  # inclusive
    created_before_us: int | None = None  # exclusive
    dated_from_us: int | None = None  # of files: when they are from; inclusive
    dated_before_us: int | None = None  # exclusive
    sort: Sort = Sort.CREATED
    descending: bool = True
    tags: tuple[str, ...] | None = None  # any of these values, in any tagset
    tag_filters: tuple[tuple[str, tuple[str, ...]], ...] = ()  # of each tagset any of its values
    media: uuid.UUID | None = None
    cluster: uuid.UUID | None = None

    @property
    def deep(self) -> bool:
        """The whole subtree, not one level. A cluster is asked of the subtree unless the caller says otherwise."""
        return self.cluster is not None if self.recursive is None else self.recursive


@dataclass(frozen=True, slots=True)
class Scope:
    """What a listing's filters mean in the catalogue's numbers, for a search with the same filters."""

    collection_id: int
    folder_id: int | None = None  # below it; None: no matter
    left_out: tuple[int, ...] = ()  # folders in it whose contents do not count
    tag_ids: tuple[tuple[int, ...], ...] = ()  # any of each; an empty one: nothing passes
    item_ids: tuple[int, ...] | None = None  # only these


@dataclass(frozen=True, slots=True)
class Page:
    ids: list[int]
    total: int


@dataclass(frozen=True, slots=True)
class Values:
    """Carries any (or every) of these tags. No ids: nothing for OR, everything for AND."""

    tagset_id: int
    tag_ids: tuple[int, ...]
    every: bool = False
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Range:
    """Carries a tag of the set whose value is within the bounds, both inclusive; None is no bound."""

    tagset_id: int
    lower: Value | None
    upper: Value | None
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Branch:
    """Every (or any) of the children holds. No children: true for every, false for any."""

    every: bool
    children: tuple[Expression, ...]
    negated: bool = False


Expression = Values | Range | Branch


def parsed(filters: Mapping[str, Any]) -> Expression | None:
    """The expression of an `ActiveFilters` object; None for one without a root.

    Raises:
        FilterTooLarge: it is not of the grammar, deeper than 32, or has more than 10,000 value ids or 100 ranges.
    """
    root = filters.get("root")
    if root is None:
        return None
    return _expression(root, 1, _Counted())


@dataclass(slots=True)
class _Counted:
    """How much of a tree has been read."""

    nodes: int = 0
    values: int = 0
    ranges: int = 0


def _expression(node: Any, depth: int, counted: _Counted) -> Expression:
    if depth > MAX_DEPTH:
        raise FilterTooLarge(f"A filter may be {MAX_DEPTH} levels deep at most.")
    if not isinstance(node, Mapping):
        raise FilterTooLarge("A filter expression must be an object.")
    counted.nodes += 1
    if counted.nodes > MAX_NODES:
        raise FilterTooLarge(f"A filter may have {MAX_NODES} expressions at most.")
    negated = _flag(node.get("not_", False))
    kind = node.get("kind", "leaf" if "filter" in node else "group")
    if kind == "group":
        return Branch(_every(node.get("operator", "AND")), _children(node, depth, counted), negated)
    if kind == "leaf":
        return _leaf(node.get("filter"), negated, counted)
    raise FilterTooLarge('The kind of a filter expression must be "leaf" or "group".')


def _children(node: Mapping[str, Any], depth: int, counted: _Counted) -> tuple[Expression, ...]:
    children = node.get("children", [])
    if not isinstance(children, list):
        raise FilterTooLarge("The children of a filter group must be a list.")
    return tuple(_expression(child, depth + 1, counted) for child in children)


def _leaf(leaf: Any, negated: bool, counted: _Counted) -> Expression:
    if not isinstance(leaf, Mapping) or not isinstance(leaf.get("constraint"), Mapping):
        raise FilterTooLarge("A filter must have an id and a constraint.")
    tagset_id, constraint = _integer(leaf.get("id")), leaf["constraint"]
    if "value_ids" not in constraint:
        counted.ranges += 1
        if counted.ranges > MAX_RANGES:
            raise FilterTooLarge(f"A filter may have {MAX_RANGES} ranges at most.")
        return Range(tagset_id, _bound(constraint, "lower_bound"), _bound(constraint, "upper_bound"), negated)
    ids = constraint["value_ids"]
    if not isinstance(ids, list):
        raise FilterTooLarge("value_ids must be a list.")
    counted.values += len(ids)
    if counted.values > MAX_VALUES:
        raise FilterTooLarge(f"A filter may have {MAX_VALUES} values at most.")
    return Values(tagset_id, tuple(_integer(i) for i in ids), _every(constraint.get("operator", "OR")), negated)


def _bound(constraint: Mapping[str, Any], name: str) -> Value | None:
    bound = constraint.get(name)
    if bound is None:
        return None
    finite = not isinstance(bound, float) or math.isfinite(bound)
    if isinstance(bound, bool) or not isinstance(bound, str | int | float) or not finite:
        raise FilterTooLarge(f"{name} must be a number or a text.")
    if isinstance(bound, int) and not -(2**63) <= bound < 2**63:
        # Beyond every value there is; not all such integers are floats.
        return sys.float_info.max if bound > 0 else -sys.float_info.max
    return bound


def _every(operator: Any) -> bool:
    match operator:
        case "AND":
            return True
        case "OR" | None:
            return False
    raise FilterTooLarge('The operator of a filter must be "AND" or "OR".')


def _flag(value: Any) -> bool:
    if value is None or isinstance(value, bool):
        return bool(value)
    raise FilterTooLarge("not_ must be true or false.")


def _integer(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not -(2**63) <= value < 2**63:
        raise FilterTooLarge("An id in a filter must be a 64-bit integer.")
    return value
