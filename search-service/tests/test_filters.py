"""What a filter means, and that a simpler one means the same."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st
from search_service.domain.filters import EVERYTHING, NOTHING, All, Any, Filter, Has, Ids, Not, both, depth, matches
from search_service.domain.filters import simplified as simple
from search_service.testing import points, tree

POINTS = points(how_many=40)


def passing(filter: Filter) -> list[int]:
    return [point.point_id for point in POINTS if matches(filter, point.point_id, point.payload)]


def is_plain(filter: Filter) -> bool:
    """`Not` stands on leaves only, and no group is in one of its kind."""
    match filter:
        case Not(part):
            return not isinstance(part, All | Any | Not)
        case All(parts) | Any(parts):
            return all(not isinstance(part, type(filter)) and is_plain(part) for part in parts)
        case _:
            return True


@given(st.integers(0, 10**6))
def test_a_simpler_filter_means_the_same(seed: int) -> None:
    made = tree(random.Random(seed), levels=6)
    assert passing(simple(made)) == passing(made)
    assert is_plain(simple(made))
    assert depth(simple(made)) <= depth(made) + 1
    assert simple(simple(made)) == simple(made)


@given(st.integers(0, 10**6))
def test_not_is_the_rest(seed: int) -> None:
    made = tree(random.Random(seed))
    assert sorted(passing(made) + passing(Not(made))) == sorted(point.point_id for point in POINTS)


def test_a_deep_tree_of_nots_is_half_as_deep() -> None:
    made: Filter = Ids(frozenset({1}))
    for level in range(32):
        group = (All if level % 2 else Any)((made, Has("tags", frozenset({level}))))
        made = Not(group)
    assert depth(made) == 65
    assert depth(simple(made)) <= 34
    assert passing(simple(made)) == passing(made)


def test_both_of_nothing_said_is_everything() -> None:
    leaf = Ids(frozenset({1}))
    assert both() == both(None, EVERYTHING) == EVERYTHING
    assert both(None, leaf, EVERYTHING) == leaf
    assert both(leaf, NOTHING) == All((leaf, NOTHING))
