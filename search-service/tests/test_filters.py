"""What a filter means, and that a simpler one means the same."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st
from media_proto import search_pb2 as pb
from search_service.domain.filters import EVERYTHING, NOTHING, All, Any, Filter, Has, Ids, Not, both, depth, matches
from search_service.domain.filters import simplified as simple
from search_service.domain.points import INDEXES, Facts, payload
from search_service.testing import points, tree
from search_service.wire import filter_of

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


def test_every_field_that_can_be_asked_for_is_carried_indexed_and_its_own() -> None:
    facts = Facts(
        1, 2, kind=3, listed=True, created_us=4, dated_us=9, tag_ids=[5, 6], own_tag_ids=[6], group_ids=[7],
        folder_ids=[8],
    )  # fmt: skip
    carried = payload(1, facts)
    passing_values = {}
    for field in pb.Field.values():
        if field == pb.FIELD_UNSPECIFIED:
            continue
        asked = [pb.Filter(has=pb.HasNumber(field=field, values=[value])) for value in range(10)]
        passing_values[pb.Field.Name(field)] = [
            value for value in range(10) if matches(filter_of(asked[value]), 1, carried)
        ]
        made = filter_of(asked[0])
        assert isinstance(made, Has)
        assert made.field in INDEXES
    assert passing_values == {
        "FIELD_ITEM": [1], "FIELD_KIND": [3], "FIELD_TAG": [5, 6], "FIELD_OWN_TAG": [6], "FIELD_GROUP": [7],
        "FIELD_FOLDER": [8], "FIELD_CREATED_US": [4], "FIELD_DATED_US": [9],
    }  # fmt: skip
