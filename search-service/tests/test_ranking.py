"""The pure rules of ranking, as properties."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from search_service.domain import fusion, temporal, zero_shot
from search_service.domain.feedback import Marks, direction
from search_service.domain.vectors import Vector, unit

DIMENSIONS = 24
scores = st.floats(-1, 1)
numbers = st.dictionaries(st.integers(0, 30), scores, max_size=12)
bm25 = st.dictionaries(st.integers(0, 30), st.floats(-5, 1e9), max_size=12)


def rows(many: int, seed: int) -> Vector:
    return unit(np.random.default_rng(seed).standard_normal((many, DIMENSIONS)))


NONE = rows(0, 0)


# ---- relevance feedback ----


@given(st.integers(0, 6), st.integers(0, 6), st.integers(0, 10), st.integers(0, 99))
def test_whatever_is_marked_the_direction_is_one_unit_vector(right: int, wrong: int, weak: int, seed: int) -> None:
    marks = Marks(rows(right, seed), rows(wrong, seed + 100), rows(weak, seed + 200), rows(50, seed + 300))
    vector = direction(marks)
    assert vector.shape == (DIMENSIONS,)
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-4)
    np.testing.assert_array_equal(vector, direction(marks))


@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 99))
def test_what_is_right_scores_above_what_is_wrong_in_the_mean(right: int, wrong: int, seed: int) -> None:
    marks = Marks(rows(right, seed), rows(wrong, seed + 100), NONE, NONE)
    vector = direction(marks)
    assert (marks.right @ vector).mean() > (marks.wrong @ vector).mean()


@given(st.integers(0, 99))
def test_more_wrong_marks_do_not_drown_the_right_one(seed: int) -> None:
    right, wrong = rows(1, seed), rows(15, seed + 1)
    vector = direction(Marks(right, wrong, NONE, NONE))
    assert float(right[0] @ vector) > (wrong @ vector).max()


@given(st.integers(2, 5), st.integers(0, 99))
def test_the_order_of_marks_does_not_matter(many: int, seed: int) -> None:
    right, wrong = rows(many, seed), rows(many, seed + 1)
    one = direction(Marks(right, wrong, NONE, NONE))
    other = direction(Marks(right[::-1], wrong[::-1], NONE, NONE))
    np.testing.assert_allclose(one, other, atol=1e-5)


def test_a_query_pulls_less_than_a_person() -> None:
    person, query = rows(1, 1), rows(10, 2)
    vector = direction(Marks(person, rows(5, 3), query, NONE))
    assert float(person[0] @ vector) > float((query @ vector).mean())


def test_nothing_at_all_is_no_direction_and_no_failure() -> None:
    assert not direction(Marks(NONE, NONE, NONE, NONE)).any()


# ---- fusion ----


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(allow_nan=False, allow_infinity=False))
def test_squashed_bm25_stays_below_a_half_and_keeps_the_order(one: float, other: float) -> None:
    assert 0 <= fusion.squashed(one) < 0.5
    if one < other:
        assert fusion.squashed(one) <= fusion.squashed(other)


@given(numbers, bm25)
def test_a_fused_score_counts_both_and_leaves_nothing_out(cosines: dict[int, float], words: dict[int, float]) -> None:
    fused = fusion.fused(cosines, words)
    assert fused.keys() == cosines.keys() | words.keys()
    for key, score in fused.items():
        assert score >= max(0.0, cosines.get(key, 0.0))
        assert score < max(0.0, cosines.get(key, 0.0)) + 0.5


@given(numbers, st.dictionaries(st.integers(0, 30), st.integers(0, 5), max_size=20))
def test_an_item_has_the_best_score_of_its_frames(frames: dict[int, float], owners: dict[int, int]) -> None:
    best = fusion.by_item(frames, owners)
    for item, score in best.items():
        assert score == max(0.0, *(frames[frame] for frame in frames if owners.get(frame) == item))


@given(numbers, scores)
def test_ranking_is_sorted_and_keeps_only_what_is_good_enough(given_: dict[int, float], least: float) -> None:
    ranked = fusion.ranked(given_, least)
    assert {scored.item_id for scored in ranked} == {key for key, score in given_.items() if score >= least}
    assert ranked == sorted(ranked, key=lambda scored: (-scored.score, scored.item_id))


@given(numbers, scores, st.integers(0, 40), st.integers(1, 10), st.integers(1, 20))
def test_pages_put_together_are_the_ranking_up_to_the_cap(
    given_: dict[int, float], least: float, offset: int, limit: int, cap: int
) -> None:
    ranked = fusion.ranked(given_, least)
    whole: list[fusion.Scored] = []
    while part := fusion.page(given_, least, len(whole), limit, cap)[0]:
        whole += part
    assert whole == ranked[:cap]
    page, total = fusion.page(given_, least, offset, limit, cap)
    assert total == len(whole)
    assert page == whole[offset : offset + limit]


def test_query_and_likeness_together_are_the_mean() -> None:
    assert fusion.averaged({1: 0.5, 2: 0.25}, {1: 0.25, 3: 1.0}) == {1: 0.375, 2: 0.125, 3: 0.5}


# ---- temporal queries ----


@given(
    st.lists(st.integers(0, 50), unique=True, max_size=7),
    st.lists(st.dictionaries(st.integers(0, 50), scores, max_size=40), min_size=1, max_size=3),
)
def test_the_way_through_a_group_is_the_best_of_all_ways(members: list[int], queries: list[dict[int, float]]) -> None:
    ways = [
        sum(query[member] for query, member in zip(queries, way, strict=True)) / len(queries)
        for way in itertools.combinations(members, len(queries))
        if all(member in query for query, member in zip(queries, way, strict=True))
    ]
    match = temporal.matched(1, members, queries)
    if not ways:
        assert match is None
        return
    assert match is not None
    assert match.score == pytest.approx(max(ways))
    places = [members.index(item) for item in match.item_ids]
    assert places == sorted(set(places))
    assert len(places) == len(queries)
    best = max(query[item] for query, item in zip(queries, match.item_ids, strict=True))
    assert queries[match.item_ids.index(match.best_item_id)][match.best_item_id] == best


def test_queries_that_match_in_the_wrong_order_do_not_match() -> None:
    cat_then_dog = [{1: 0.9, 2: 0.1}, {1: 0.1, 2: 0.9}]
    forwards, backwards = temporal.matched(7, [1, 2], cat_then_dog), temporal.matched(8, [2, 1], cat_then_dog)
    assert forwards is not None
    assert backwards is not None
    assert (forwards.score, backwards.score) == (pytest.approx(0.9), pytest.approx(0.1))
    assert [match.group_id for match in temporal.ranked([backwards, forwards])] == [7, 8]
    assert temporal.matched(9, [1], cat_then_dog) is None


# ---- zero shot ----


@given(st.lists(st.text(max_size=5), max_size=6), st.booleans(), st.integers(0, 99))
def test_options_are_chosen_from_those_given_the_best_first(options: list[str], several: bool, seed: int) -> None:
    texts, picture = rows(len(options), seed), rows(1, seed + 1)[0]
    chosen = zero_shot.chosen(options, picture, texts, several=several, sharpness=20)
    assert set(chosen) <= set(options)
    assert len(chosen) == len(set(chosen))
    assert bool(chosen) == bool(options)
    if options:
        assert chosen[0] == options[int(np.argmax(texts @ picture))]
        assert several or len(chosen) == 1


def test_options_that_fit_alike_are_all_chosen_when_several_may() -> None:
    picture = unit(np.array([1.0, 1.0, 0.0]))
    texts = unit(np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]))
    assert zero_shot.chosen(["cat", "dog", "car"], picture, texts, several=True, sharpness=100) == ["cat", "dog"]
    assert zero_shot.chosen(["cat", "dog", "car"], picture, texts, several=False, sharpness=100) == ["cat"]


# ---- clusters ----


@settings(deadline=None, max_examples=15)
@given(st.integers(2, 4), st.integers(0, 50))
def test_vectors_that_lie_together_are_one_cluster_each(kinds: int, seed: int) -> None:
    pytest.importorskip("sklearn")
    from search_service.domain.clusters import clustered

    middles = rows(kinds, seed)
    gaps = middles @ middles.T - np.eye(kinds)
    assume(gaps.max() < 0.5)
    noise = np.random.default_rng(seed).standard_normal((kinds * 20, DIMENSIONS)) * 0.02
    vectors = unit(np.repeat(middles, 20, axis=0) + noise)
    ids = [1000 - place for place in range(len(vectors))]
    found = clustered(ids, vectors, 5)
    assert sorted(sorted(cluster.member_ids) for cluster in found) == sorted(
        sorted(ids[start : start + 20]) for start in range(0, len(ids), 20)
    )
    assert all(cluster.middle_id in cluster.member_ids for cluster in found)
    shuffled = np.random.default_rng(seed).permutation(len(ids))
    assert clustered([ids[place] for place in shuffled], vectors[shuffled], 5) == found


def test_too_few_vectors_make_no_cluster() -> None:
    from search_service.domain.clusters import clustered

    assert clustered([], NONE, 2) == []
    assert clustered([1], rows(1, 1), 2) == []


def test_the_least_cluster_is_a_pair_whoever_asks_for_less() -> None:
    pytest.importorskip("sklearn")
    from search_service.domain.clusters import clustered

    vectors = np.repeat(rows(2, 3), 3, axis=0)
    assert clustered(range(6), vectors, 1) == clustered(range(6), vectors, 2) != []
