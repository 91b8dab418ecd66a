"""The use cases over the exact store: what is found, in which order, and what never is."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from search_service.domain import points
from search_service.domain import searching as searching_module
from search_service.domain.errors import UnknownItem
from search_service.domain.filters import Has, Ids, Payload
from search_service.domain.fusion import squashed
from search_service.domain.points import Facts
from search_service.domain.searching import Judged, Page, Scope, Searching
from search_service.domain.vectors import Point, Vector, unit
from search_service.vectors.memory import MemoryStore

DIMENSIONS = 12
WORDS = {"cat": 0, "dog": 1, "tree": 2}


class Axes:
    """Each word is an axis; other words are a mixture. Implements `Words`."""

    async def texts(self, batch: Sequence[str]) -> Vector:
        rows = np.zeros((len(batch), DIMENSIONS), np.float32)
        for row, text in zip(rows, batch, strict=True):
            row[[WORDS[word] for word in text.split()]] = 1
        return unit(rows)


def axis(*parts: float) -> Vector:
    return unit(np.array([*parts, *np.zeros(DIMENSIONS - len(parts))], np.float32))


def point(point_id: int, vector: Vector, *, item: int | None = None, at: float = 0.0, **facts: object) -> Point:
    told = Facts(**({"item_id": item or point_id, "collection_id": 1, "kind": 4, "listed": True} | facts))  # type: ignore[arg-type]
    return Point(point_id, vector, points.payload(point_id, told, at))


@pytest.fixture
async def store() -> MemoryStore:
    store = MemoryStore()
    await store.ensure("now", DIMENSIONS)
    return store


def searching(store: MemoryStore) -> Searching:
    return Searching(store, Axes(), "now")


async def matching(
    store: MemoryStore, bm25: Mapping[int, float], start: int | None = None, *, at_least: float = 0.05, cap: int = 99
) -> Page:
    async def fits() -> Mapping[int, float]:
        return bm25

    return await searching(store).paged(
        Scope(1), "cat", start, fits=fits, at_least=at_least, offset=0, limit=99, cap=cap
    )


async def test_an_item_is_found_once_by_its_best_frame(store: MemoryStore) -> None:
    frames = [point(100 + frame, axis(frame, 10 - frame), item=7, at=frame) for frame in range(10)]
    await store.upsert("now", [*frames, point(8, axis(1, 0.2)), point(9, axis(0, 1))])
    found = await searching(store).nearest(Scope(1), axis(1), 3)
    assert [scored.item_id for scored in found] == [7, 8, 9]
    assert found[0].score == pytest.approx(9 / np.hypot(9, 1), abs=1e-5)


@pytest.mark.parametrize("most", [500_000, 3])
async def test_whose_a_point_is_is_asked_once(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    monkeypatch.setattr(searching_module, "_MOST_OWNED", most)
    store = Counting()
    await store.ensure("now", DIMENSIONS)
    await store.upsert("now", [point(100 + frame, axis(frame, 10 - frame), item=7, at=frame) for frame in range(5)])
    search = searching(store)
    for _ in range(3):
        assert [scored.item_id for scored in await search.nearest(Scope(1), axis(1), 9)] == [7]
    assert store.asked == [100, 101, 102, 103, 104]
    await store.upsert("now", [point(200, axis(1)), point(201, axis(1, 0.1), item=7)])
    for _ in range(2):
        assert [scored.item_id for scored in await search.nearest(Scope(1), axis(1), 9)] == [200, 7]
    assert store.asked == [100, 101, 102, 103, 104, 200, 201]


class Counting(MemoryStore):
    """Notes whose payloads are asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[int] = []

        self.fields: set[str] = set()

    async def payloads(self, name: str, ids: Sequence[int], fields: Sequence[str] = ()) -> dict[int, Payload]:
        self.asked += sorted(ids)
        self.fields.update(fields or points.INDEXES)
        return await super().payloads(name, ids, fields)


async def test_as_many_come_back_as_pass_however_narrow_the_filter(store: MemoryStore) -> None:
    numbers = np.random.default_rng(1)
    await store.upsert("now", [point(key, unit(numbers.standard_normal(DIMENSIONS))) for key in range(1, 300)])
    wanted = Ids(frozenset({5, 50, 250, 999}))
    for limit, many in ((2, 2), (10, 3)):
        assert len(await searching(store).nearest(Scope(1, wanted), axis(1), limit)) == many


async def test_what_is_not_listed_or_of_another_collection_is_never_found(store: MemoryStore) -> None:
    await store.upsert("now", [point(1, axis(1)), point(2, axis(1), listed=False), point(3, axis(1), collection_id=2)])
    for found in (
        await searching(store).nearest(Scope(1), axis(1), 10),
        await searching(store).judged(Scope(1), Judged(query="cat"), 10),
        (await matching(store, {})).scored,
    ):
        assert [scored.item_id for scored in found] == [1]


async def test_seen_items_and_excluded_items_with_their_groups_do_not_come_back(store: MemoryStore) -> None:
    await store.upsert(
        "now",
        [
            point(1, axis(1), group_ids=[50]),
            point(2, axis(1), group_ids=[50, 51]),
            point(3, axis(1), group_ids=[52]),
            point(4, axis(1)),
            point(5, axis(1)),
        ],
    )

    async def found(**scope: Sequence[int]) -> list[int]:
        return [scored.item_id for scored in await searching(store).nearest(Scope(1, **scope), axis(1), 10)]  # type: ignore[arg-type]

    assert await found() == [1, 2, 3, 4, 5]
    assert await found(seen=[4, 777]) == [1, 2, 3, 5]
    assert await found(excluded=[1]) == [3, 4, 5]  # and 2, of its group
    assert await found(excluded=[52, 777]) == [1, 2, 4, 5]  # a group's own id
    assert await found(seen=[5], excluded=[4]) == [1, 2, 3]


async def test_a_hundred_thousand_that_were_seen_or_excluded_stay_away_and_only_their_groups_are_read() -> None:
    store = Counting()
    await store.ensure("now", DIMENSIONS)
    many = range(1, 2001)
    await store.upsert("now", [point(key, axis(1, key / 1000), group_ids=[5000 + key % 7]) for key in many])
    excluded = [*range(1, 4), *range(10_000, 109_997)]  # three of the groups
    away = {key for key in many if key % 7 in (1, 2, 3)}
    scope = Scope(1, seen=[*range(1500, 101_500)], excluded=excluded)

    found = await searching(store).nearest(scope, axis(1), 1000)

    assert [scored.item_id for scored in found] == [key for key in range(1, 1500) if key not in away]
    assert store.fields == {points.GROUPS, points.ITEM}


async def test_like_an_item_is_everything_but_itself(store: MemoryStore) -> None:
    frames = [point(7, axis(1)), point(100, axis(0, 1), item=7)]
    await store.upsert("now", [*frames, point(8, axis(1, 1)), point(9, axis(0, 0, 1))])
    assert [scored.item_id for scored in await searching(store).like(Scope(1), 100, 5)] == [8, 9]
    with pytest.raises(UnknownItem):
        await searching(store).like(Scope(1), 12345, 5)


async def test_words_add_to_likeness_and_bring_in_what_no_vector_would(store: MemoryStore) -> None:
    await store.upsert("now", [point(key, axis(1, key)) for key in range(1, 30)] + [point(40, axis(0, 0, 1))])
    page = await matching(store, {40: 3.0, 2: 1.0}, cap=10)
    scores = {scored.item_id: scored.score for scored in page.scored}
    assert scores[1] == pytest.approx(2**-0.5, abs=1e-5)
    assert scores[2] == pytest.approx(1 / np.hypot(1, 2) + squashed(1.0), abs=1e-5)
    assert page.total == 10
    wide = await matching(store, {40: 3.0})
    assert {scored.item_id: scored.score for scored in wide.scored}[40] == pytest.approx(squashed(3.0))


async def test_what_has_no_vector_is_found_by_its_words_alone(store: MemoryStore) -> None:
    await store.upsert("now", [point(1, axis(1)), point(2, axis(1, 1))])
    page = await matching(store, {1: 2.0, 999: 8.0}, at_least=0.1)
    assert {scored.item_id: scored.score for scored in page.scored} == {
        1: pytest.approx(1 + squashed(2.0)), 2: pytest.approx(2**-0.5), 999: squashed(8.0),
    }  # fmt: skip
    like = await matching(store, {1: 2.0, 999: 8.0}, 1, at_least=0.1)
    assert {scored.item_id: scored.score for scored in like.scored} == {
        2: pytest.approx(2**-0.5), 999: pytest.approx(squashed(8.0) / 2),
    }  # fmt: skip


async def test_words_and_likeness_together_are_the_mean(store: MemoryStore) -> None:
    await store.upsert("now", [point(1, axis(0, 1)), point(2, axis(1)), point(3, axis(1, 1)), point(4, axis(0, 0, 1))])
    page = await matching(store, {}, 1)
    assert [(scored.item_id, pytest.approx(scored.score, abs=1e-5)) for scored in page.scored] == [
        (3, 2**-0.5),
        (2, 0.5),
    ]


async def test_what_is_unlike_counts_nothing_whether_likeness_or_words_found_it(store: MemoryStore) -> None:
    # 1 is what the others shall be like; 2 is its opposite and 3 stands across, both as near to the word.
    opposite = unit(axis(1) - axis(0, 1))
    across = unit(axis(1) + axis(0, 0, 1))
    await store.upsert("now", [point(1, axis(0, 1)), point(2, opposite), point(3, across)])

    found_by_both = await matching(store, {}, 1)
    found_by_words = await matching(store, {2: 1e-9}, 1, cap=1)

    assert [scored.item_id for scored in found_by_both.scored] == [2, 3]
    assert {round(scored.score, 5) for scored in found_by_both.scored} == {round(2**-0.5 / 2, 5)}
    assert found_by_words.scored[0].score == pytest.approx(2**-0.5 / 2)


async def test_feedback_finds_more_of_what_is_right_and_nothing_that_was_judged(store: MemoryStore) -> None:
    numbers = np.random.default_rng(5)
    cats = [point(key, unit(axis(1) + 0.2 * numbers.standard_normal(DIMENSIONS))) for key in range(1, 40)]
    others = [point(key, unit(numbers.standard_normal(DIMENSIONS) - axis(1))) for key in range(100, 400)]
    await store.upsert("now", cats + others)
    judged = Judged(right=[1, 2, 3, 98765], wrong=[100, 101])
    found = await searching(store).judged(Scope(1), judged, 20)
    ids = [scored.item_id for scored in found]
    assert sum(key < 40 for key in ids) >= 19
    assert not {1, 2, 3, 100, 101} & set(ids)
    assert len(set(ids)) == 20
    assert await searching(store).judged(Scope(1), judged, 20) == found
    for other in (Judged(), Judged(query="cat"), Judged(wrong=[1]), Judged(right=[1])):
        again = await searching(store).judged(Scope(1), other, 20)
        assert len(again) == 20
        assert await searching(store).judged(Scope(1), other, 20) == again
    words = await searching(store).judged(Scope(1), Judged(query="cat"), 20)
    assert sum(scored.item_id < 40 for scored in words) >= 19


async def test_words_beside_marks_pull_towards_the_frame_that_fits_them_and_not_the_first_of_its_video(
    store: MemoryStore,
) -> None:
    dog, fence = axis(0, 1), axis(0, 0, 0, 1)
    videos = [
        point(100 * video + frame, fence if not frame else axis(1), item=100 * video, at=frame)
        for video in range(1, 12)
        for frame in range(3)
    ]
    await store.upsert("now", [*videos, point(8001, dog), point(8002, unit(axis(1) + 0.1 * dog)), point(8003, fence)])

    found = await searching(store).judged(Scope(1), Judged(wrong=[8001], query="cat"), 20)

    places = [scored.item_id for scored in found]
    assert places.index(8002) < places.index(8003)
    assert {scored.item_id: scored.score for scored in found}[8003] < 0.1


async def test_feedback_on_nothing_at_all_finds_nothing(store: MemoryStore) -> None:
    assert await searching(store).judged(Scope(1), Judged(right=[1], query="cat"), 5) == []


async def test_queries_in_a_row_find_the_groups_where_they_follow_each_other(store: MemoryStore) -> None:
    def frames(group: int, *axes: Vector) -> list[Point]:
        return [
            point(group * 10 + place, vector, item=group, group_ids=[group], taken_us=5, at=place)
            for place, vector in enumerate(axes)
        ]

    cat, dog, tree = axis(1), axis(0, 1), axis(0, 0, 1)
    made = frames(1, tree, cat, dog) + frames(2, dog, tree, cat) + frames(3, cat, cat, axis(0, 2, 1))
    chance = random.Random(1)
    chance.shuffle(made)
    await store.upsert("now", [*made, point(9, cat)])
    found = await searching(store).in_order(Scope(1), ["cat", "dog"], 10)
    assert [match.group_id for match in found[:2]] == [1, 3]
    assert found[0].item_ids == (11, 12)
    assert found[0].score == pytest.approx(1, abs=1e-5)
    assert all(match.score < 0.8 for match in found if match.group_id == 2)
    only_two = Scope(1, Has(points.ITEM, frozenset({2})))
    assert [match.group_id for match in await searching(store).in_order(only_two, ["cat", "dog"], 10)] == [2]
    assert await searching(store).in_order(Scope(1), ["cat"] * 4, 10) == []


async def test_a_thousand_pictures_by_themselves_do_not_hide_a_video_that_matches(store: MemoryStore) -> None:
    alone = [point(key, axis(1) if key % 2 else axis(0, 1)) for key in range(1, 1201)]
    video = [point(7000, axis(2, 1), group_ids=[9000]), point(7001, axis(1, 2), item=7000, at=1, group_ids=[9000])]
    await store.upsert("now", [*alone, *video])

    [match] = await searching(store).in_order(Scope(1), ["cat", "dog"], 10)

    assert match.item_ids == (7000, 7001)


def test_lots_are_spread_evenly() -> None:
    drawn = [points.lot(key) for key in range(10_000)]
    assert 0 <= min(drawn) < max(drawn) < points.LOTS
    assert abs(np.mean(drawn) / points.LOTS - 0.5) < 0.02


async def test_marks_on_items_of_another_collection_say_nothing(store: MemoryStore) -> None:
    numbers = np.random.default_rng(4)
    await store.upsert("now", [point(key, unit(numbers.standard_normal(DIMENSIONS))) for key in range(1, 60)])
    theirs = [point(key, axis(1), collection_id=2) for key in range(100, 110)]
    unmarked = await searching(store).judged(Scope(1), Judged(), 20)
    await store.upsert("now", theirs)

    for judged in (Judged(right=range(100, 110)), Judged(wrong=range(100, 110)), Judged([100], [105])):
        assert await searching(store).judged(Scope(1), judged, 20) == unmarked


async def test_a_frame_that_was_seen_does_not_come_back(store: MemoryStore) -> None:
    frames = [point(100 + frame, axis(10 - frame, frame), item=7, at=frame, group_ids=[70]) for frame in range(5)]
    await store.upsert("now", frames)

    [first] = await searching(store).in_order(Scope(1), ["cat", "dog"], 10)
    [second] = await searching(store).in_order(Scope(1, seen=[first.best_item_id]), ["cat", "dog"], 10)
    assert first.best_item_id not in second.item_ids
    assert await searching(store).in_order(Scope(1, seen=[7]), ["cat", "dog"], 10) == []
    assert await searching(store).in_order(Scope(1, excluded=[104]), ["cat", "dog"], 10) == []


async def test_a_video_of_more_frames_than_a_store_gives_at_once_is_whole(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Its best frames are the last ones by id.
    frames = [point(100 + frame, axis(frame, 30 - frame), item=7, at=frame, group_ids=[70]) for frame in range(30)]
    await store.upsert("now", [*frames, point(1, axis(1))])
    monkeypatch.setattr(searching_module, "_PAGE", 10)

    page = await matching(store, {7: 3.0}, cap=1)
    assert page.scored[0].item_id == 7
    assert page.scored[0].score == pytest.approx(29 / np.hypot(29, 1) + squashed(3.0), abs=1e-5)
    [match] = await searching(store).in_order(Scope(1), ["dog", "cat"], 10)
    assert match.item_ids == (100, 129)
