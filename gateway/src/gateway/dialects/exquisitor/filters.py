"""The filter grammar of this dialect: read from JSON, its tags asked of the catalogue, told to search."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from media_proto import metadata_pb2, search_pb2

from gateway.dialects.exquisitor.requests import unfit
from gateway.errors import Failure, invalid

MAX_DEPTH: Final = 32
MAX_VALUES: Final = 10_000
#: Each may mean every tag of a set, so they count apart from the ids.
MAX_RANGES: Final = 100
#: Leaves and groups: as many leaves as there may be ids, and groups round them.
MAX_NODES: Final = 20_000
_INT64: Final = 2**63
_OPERATORS: Final = {True: "AND", False: "OR"}


@dataclass(frozen=True, slots=True)
class Values:
    """Carries any (or every) of these tags of a tagset. No ids: nothing for any, everything for every."""

    tagset_id: int
    tag_ids: tuple[int, ...]
    every: bool = False
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Range:
    """Carries a tag of the set whose value is within the bounds, both inclusive; None is no bound."""

    tagset_id: int
    lower: int | float | str | None
    upper: int | float | str | None
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """Every (or any) of the children holds. No children: true for every, false for any."""

    every: bool
    children: tuple[Expression, ...]
    negated: bool = False


Expression = Values | Range | Group


def filters_of(fields: Mapping[str, Any], *, required: bool = False) -> Expression | None:
    """The expression of the field `filters`; None for one that says nothing.

    Raises:
        Failure: 422, it is not of the grammar, or is missing though required; 400, it is deeper or larger than allowed,
            or an id is outside 64 bits.
    """
    given = fields.get("filters")
    if given is None and not required:
        return None
    if not isinstance(given, Mapping):
        raise unfit("Field 'filters' must be an object.", "filters")
    root = given.get("root")
    return None if root is None else _Reader().expression(root, 1)


class _Reader:
    """One pass over a tree, which counts what it has seen."""

    def __init__(self) -> None:
        self._nodes = 0
        self._values = 0
        self._ranges = 0

    def expression(self, node: Any, depth: int) -> Expression:
        if depth > MAX_DEPTH:
            raise invalid("filters", f"A filter may be {MAX_DEPTH} levels deep at most.")
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise invalid("filters", f"A filter may have {MAX_NODES} expressions at most.")
        if not isinstance(node, Mapping):
            raise _unfit("An expression of a filter must be an object.")
        negated = _flag(node.get("not_"))
        match node.get("kind") or ("leaf" if "filter" in node else "group"):
            case "leaf":
                return self._leaf(node.get("filter"), negated)
            case "group":
                return self._group(node, depth, negated)
        raise _unfit("The kind of an expression must be 'leaf' or 'group'.")

    def _group(self, node: Mapping[str, Any], depth: int, negated: bool) -> Group:
        children = node.get("children")
        if not isinstance(children, list):
            raise _unfit("The children of a filter's group must be a list.")
        if "operator" not in node:
            raise _unfit("A filter's group must have an operator, 'AND' or 'OR'.")
        every = _every(node["operator"])
        return Group(every, tuple(self.expression(child, depth + 1) for child in children), negated)

    def _leaf(self, leaf: Any, negated: bool) -> Values | Range:
        if not isinstance(leaf, Mapping) or not isinstance(leaf.get("constraint"), Mapping):
            raise _unfit("A leaf must have a filter with an id and a constraint.")
        tagtype_id = leaf.get("tagtype_id")
        if tagtype_id is not None and type(tagtype_id) is not int:
            raise _unfit("The tagtype_id of a filter must be an integer.")
        tagset_id, constraint = _id(leaf.get("id")), leaf["constraint"]
        ids = constraint.get("value_ids")
        if ids is None:
            self._ranges += 1
            if self._ranges > MAX_RANGES:
                raise invalid("filters", f"A filter may have {MAX_RANGES} ranges at most.")
            return Range(tagset_id, _bound(constraint, "lower_bound"), _bound(constraint, "upper_bound"), negated)
        if not isinstance(ids, list):
            raise _unfit("The value_ids of a constraint must be a list of integers.")
        self._values += len(ids)
        if self._values > MAX_VALUES:
            raise invalid("filters", f"A filter may have {MAX_VALUES} value ids at most.")
        operator = constraint.get("operator")
        return Values(tagset_id, tuple(_id(one) for one in ids), operator is not None and _every(operator), negated)


def _unfit(message: str) -> Failure:
    return unfit(message, "filters")


def _flag(value: Any) -> bool:
    if value is None or isinstance(value, bool):
        return bool(value)
    raise _unfit("not_ must be true or false.")


def _every(operator: Any) -> bool:
    match operator:
        case "AND":
            return True
        case "OR":
            return False
    raise _unfit("The operator of a filter must be 'AND' or 'OR'.")


def _id(value: Any) -> int:
    if type(value) is not int:
        raise _unfit("An id in a filter must be an integer.")
    if not -_INT64 <= value < _INT64:
        raise invalid("filters", "An id in a filter must be a 64-bit integer.")
    return value


def _bound(constraint: Mapping[str, Any], name: str) -> int | float | str | None:
    bound = constraint.get(name)
    if bound is None:
        return None
    if isinstance(bound, str):
        # Half a surrogate pair is in no value; what stands for it sorts about where it would.
        return bound.encode("utf-8", "replace").decode()
    if isinstance(bound, bool) or not isinstance(bound, int | float):
        raise _unfit(f"{name} must be a number or a text.")
    if not -_INT64 <= bound < _INT64:
        # Beyond every value there is, and what no 64 bits hold: the largest number says the same.
        return sys.float_info.max if bound > 0 else -sys.float_info.max
    return bound


# --- told to others ---
def leaves(tree: Expression) -> Iterator[Values | Range]:
    """From left to right."""
    if isinstance(tree, Group):
        for child in tree.children:
            yield from leaves(child)
    else:
        yield tree


def questions(tree: Expression) -> list[Values | Range]:
    """What the catalogue is asked for the tree: once for each tagset that ids are of, and once for each range."""
    ids: dict[int, list[int]] = {}
    ranges: dict[Range, None] = {}
    for leaf in leaves(tree):
        if isinstance(leaf, Values):
            ids.setdefault(leaf.tagset_id, []).extend(leaf.tag_ids)
        else:
            ranges[replace(leaf, negated=False)] = None
    return [*(Values(tagset_id, tuple(dict.fromkeys(of_set))) for tagset_id, of_set in ids.items()), *ranges]


def choice_out(question: Values | Range) -> metadata_pb2.TagChoice:
    """Which of its tags the catalogue is asked for."""
    if isinstance(question, Values):
        return metadata_pb2.TagChoice(tagset_id=question.tagset_id, tag_ids=question.tag_ids)
    lower, upper = _value_out(question.lower), _value_out(question.upper)
    return metadata_pb2.TagChoice(tagset_id=question.tagset_id, is_range=True, lower=lower, upper=upper)


class Meant:
    """The catalogue's tags that leaves mean."""

    def __init__(self, base: int, asked: Sequence[Values | Range], answers: Iterable[Iterable[int]]) -> None:
        """
        Args:
            base: the collection's, by which the catalogue's ids are greater.
            asked: `questions`, each with its answer.
        """
        self._base = base
        self._of_set: dict[int, frozenset[int]] = {}
        self._within: dict[Range, list[int]] = {}
        for question, answer in zip(asked, answers, strict=True):
            if isinstance(question, Values):
                self._of_set[question.tagset_id] = frozenset(answer)
            else:
                self._within[question] = sorted(set(answer))

    def by(self, leaf: Values | Range) -> list[int]:
        """Those that exist and are of the leaf's tagset."""
        if isinstance(leaf, Range):
            return self._within[replace(leaf, negated=False)]
        return sorted({self._base + one for one in leaf.tag_ids} & self._of_set[leaf.tagset_id])


def _value_out(bound: int | float | str | None) -> metadata_pb2.Value | None:
    match bound:
        case None:
            return None
        case int():
            return metadata_pb2.Value(whole=bound)
        case float():
            return metadata_pb2.Value(decimal=bound)
        case str():
            return metadata_pb2.Value(text=bound)


def json_out(tree: Expression | None) -> dict[str, Any]:
    """The tree in the grammar again, with nothing but the grammar's fields."""
    return {"root": None if tree is None else _node_out(tree)}


def _node_out(tree: Expression) -> dict[str, Any]:
    match tree:
        case Group(every, children, negated):
            operator, below = _OPERATORS[every], [_node_out(child) for child in children]
            return {"kind": "group", "not_": negated, "operator": operator, "children": below}
        case Values(tagset_id, tag_ids, every, negated):
            constraint: dict[str, Any] = {"value_ids": tag_ids, "operator": _OPERATORS[every]}
        case Range(tagset_id, lower, upper, negated):
            constraint = {"lower_bound": lower, "upper_bound": upper}
    return {"kind": "leaf", "not_": negated, "filter": {"id": tagset_id, "constraint": constraint}}


def filter_out(tree: Expression, meant: Meant) -> search_pb2.Filter:
    """The tree as search evaluates it: an item's point carries its own tags and its group's."""
    match tree:
        case Group(every, children, negated):
            parts = [filter_out(child, meant) for child in children]
            made = (
                search_pb2.Filter(all=search_pb2.Filters(parts=parts))
                if every
                else search_pb2.Filter(any=search_pb2.Filters(parts=_joined(parts)))
            )
        case Values(_, tag_ids, every, negated) if every:
            made = _all_of(len(set(tag_ids)), meant.by(tree))
        case Values(_, _, _, negated) | Range(_, _, _, negated):
            made = _any_of(meant.by(tree))
    made.negated = negated
    return made


def _joined(parts: Sequence[search_pb2.Filter]) -> list[search_pb2.Filter]:
    """The same with all that only asks for some tag as one: thousands of leaves are one question to the index."""
    plain = [part for part in parts if part.WhichOneof("node") == "has" and not part.negated]
    if len(plain) < 2:
        return list(parts)
    others = [part for part in parts if part.WhichOneof("node") != "has" or part.negated]
    return [_any_of(sorted({value for part in plain for value in part.has.values})), *others]


def _any_of(tag_ids: Sequence[int]) -> search_pb2.Filter:
    return search_pb2.Filter(has=search_pb2.HasNumber(field=search_pb2.FIELD_TAG, values=tag_ids))


def _all_of(asked: int, tag_ids: Sequence[int]) -> search_pb2.Filter:
    """Nothing carries what is no tag of the set."""
    if len(tag_ids) < asked:
        return _any_of([])
    return search_pb2.Filter(all=search_pb2.Filters(parts=[_any_of([one]) for one in tag_ids]))
