"""Conditions that nearly every point passes: when they are taken out of a question, and who is dropped then."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest
from search_service.domain.filters import EVERYTHING, All, Any, Filter, Has, Ids, Not
from search_service.vectors import edge_usual
from search_service.vectors.edge_usual import Narrowed, Usual

IMAGE = Has("kind", frozenset({"image"}))
OURS = Has("collection", frozenset({1}))
FIELDS = ("kind", "collection")


class FakeEngine:
    """Points by what they fail."""

    def __init__(self, points: int, **failing: set[int]) -> None:
        self.points = points
        self.failing = {IMAGE: failing.get("image", set()), OURS: failing.get("ours", set())}
        self.asked = 0
        self.meanwhile: Callable[[], None] = lambda: None

    def count(self, filter: Filter) -> int:
        self.asked += 1
        self.meanwhile()
        return self.points if filter == EVERYTHING else self.points - len(self.failing[filter])  # type: ignore[index]

    def ids(self, filter: Filter, limit: int) -> Iterable[int]:
        self.asked += 1
        assert isinstance(filter, Not)
        return sorted(self.failing[filter.part])[:limit]  # type: ignore[index]


def write(usual: Usual, *ids: int) -> None:
    with usual.writing(ids):
        pass


def test_what_few_fail_is_left_out_and_they_are_dropped() -> None:
    usual, engine = Usual(FIELDS, 0), FakeEngine(100, image={4, 7}, ours=set())
    filter, narrowed = (
        All((IMAGE, OURS, Not(IMAGE))),
        Narrowed(All((Not(IMAGE),)), False, frozenset({4, 7}), frozenset(), 0.02),
    )
    assert usual.narrowed(filter, engine) == narrowed
    before = engine.asked
    assert usual.narrowed(filter, engine) == narrowed
    assert engine.asked == before


def test_what_many_fail_is_asked_as_it_was() -> None:
    usual, engine = Usual(FIELDS, 0), FakeEngine(100, image=set(range(11)))
    assert usual.narrowed(IMAGE, engine) == Narrowed(All((IMAGE,)), True)
    before = engine.asked
    assert usual.narrowed(IMAGE, engine) == Narrowed(All((IMAGE,)), True)
    assert engine.asked == before


@pytest.mark.parametrize("filter", [Any((IMAGE, OURS)), Not(IMAGE), Ids(frozenset({1})), Has("item", frozenset({1}))])
def test_other_conditions_are_asked_as_they_were(filter: Filter) -> None:
    engine = FakeEngine(100)
    assert Usual(FIELDS, 0).narrowed(filter, engine) == Narrowed(All((filter,)), True)
    assert engine.asked == 0


def test_what_was_written_since_is_told_apart() -> None:
    usual, engine = Usual(FIELDS, 0), FakeEngine(100, image={4, 7})
    usual.narrowed(IMAGE, engine)
    before = engine.asked
    write(usual, 7, 9)
    assert usual.narrowed(IMAGE, engine) == Narrowed(All(()), False, frozenset({4}), frozenset({7, 9}), 0.03)
    assert engine.asked == before


def test_after_many_writes_it_is_asked_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge_usual, "_MOST_WRITTEN", 2)
    usual, engine = Usual(FIELDS, 0), FakeEngine(100, image={4})
    usual.narrowed(IMAGE, engine)
    write(usual, 1, 2, 3)
    engine.failing[IMAGE] = {4, 5}
    assert usual.narrowed(IMAGE, engine) == Narrowed(All(()), False, frozenset({4, 5}), frozenset(), 0.02)


def test_what_was_counted_while_something_was_written_is_not_believed() -> None:
    usual, engine = Usual(FIELDS, 0), FakeEngine(100, image={4})
    engine.meanwhile = lambda: write(usual, 8)
    assert usual.narrowed(IMAGE, engine) == Narrowed(All((IMAGE,)), True)
    engine.meanwhile = lambda: None
    assert usual.narrowed(IMAGE, engine).failing == {4}


def test_nothing_is_counted_while_things_are_being_written() -> None:
    now = [0.0]
    usual, engine = Usual(FIELDS, 2.0, lambda: now[0]), FakeEngine(100)
    write(usual, 1)
    assert usual.narrowed(IMAGE, engine) == Narrowed(All((IMAGE,)), True)
    assert engine.asked == 0
    now[0] = 2.0
    assert usual.narrowed(IMAGE, engine) == Narrowed(All(()), False)


def test_only_so_many_conditions_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge_usual, "_MOST_KNOWN", 1)
    usual, engine = Usual(FIELDS, 0), FakeEngine(100, image={4}, ours={5})
    for filter, failing in ((IMAGE, {4}), (OURS, {5}), (IMAGE, {4})):
        assert usual.narrowed(filter, engine).failing == failing


def test_the_one_that_nobody_asked_for_lately_is_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge_usual, "_MOST_KNOWN", 2)
    usual, engine = Usual(FIELDS, 0), FakeEngine(100)
    theirs = Has("collection", frozenset({2}))
    engine.failing[theirs] = set()
    for filter in (IMAGE, OURS, IMAGE, theirs):
        usual.narrowed(filter, engine)
    before = engine.asked
    usual.narrowed(IMAGE, engine)
    assert engine.asked == before
    usual.narrowed(OURS, engine)
    assert engine.asked > before


def test_nobody_is_believed_to_pass_while_a_write_is_under_way_however_long_it_takes() -> None:
    now = [0.0]
    usual, engine = Usual(FIELDS, 2.0, lambda: now[0]), FakeEngine(100)
    with usual.writing([3]):
        now[0] = 1000.0
        assert usual.narrowed(IMAGE, engine) == Narrowed(All((IMAGE,)), True)
        assert engine.asked == 0


def test_what_changes_after_the_narrowing_is_noticed() -> None:
    usual, engine = Usual(FIELDS, 0), FakeEngine(100)
    narrowed = usual.narrowed(IMAGE, engine)
    assert usual.still(narrowed)
    with usual.writing([3]):
        assert not usual.still(narrowed)
