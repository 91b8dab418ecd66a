"""What embeddings take away from stacks, and that stacks do without them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from gateway.errors import Failure
from gateway.likeness import FAR, Likeness, cosine, without_strangers
from hypothesis import given
from hypothesis import strategies as st
from media_proto import fs_pb2
from media_proto import search_pb2 as pb

NEAR, FAR_OFF = [1.0, 0.1], [0.1, 1.0]
PATHS = (b"/r/a.jpg", b"/r/b.jpg", b"/r/c.jpg")


def stack(suggested: int = 0, count: int = 3) -> fs_pb2.Stack:
    members = [fs_pb2.StackMember(path=path) for path in PATHS[:count]]
    return fs_pb2.Stack(members=members, suggested=suggested, decision=fs_pb2.STACK_DECISION_DONE)


def paths(of: fs_pb2.Stack | None) -> list[bytes]:
    return [] if of is None else [one.path for one in of.members]


def test_who_shows_something_else_leaves_and_the_suggestion_stays_the_same_picture() -> None:
    vectors = {PATHS[0]: FAR_OFF, PATHS[1]: NEAR, PATHS[2]: NEAR}
    left = without_strangers(stack(suggested=2), vectors)
    assert left is not None
    assert (paths(left), left.suggested, left.decision) == ([*PATHS[1:]], 1, fs_pb2.STACK_DECISION_DONE)


def test_of_who_has_no_vector_nothing_is_said() -> None:
    assert paths(without_strangers(stack(), {})) == [*PATHS]
    assert paths(without_strangers(stack(), {PATHS[1]: FAR_OFF})) == [*PATHS]
    assert paths(without_strangers(stack(), {PATHS[0]: NEAR, PATHS[1]: FAR_OFF})) == [PATHS[0], PATHS[2]]


def test_one_that_is_left_alone_is_no_stack() -> None:
    assert without_strangers(stack(count=2), {PATHS[0]: NEAR, PATHS[1]: FAR_OFF}) is None


vectors_of_two = st.lists(st.floats(-1, 1), min_size=2, max_size=2)


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(PATHS, vectors_of_two)), st.integers(0, 2))
def test_it_only_takes_away_and_never_the_suggested_one(vectors: dict[bytes, list[float]], suggested: int) -> None:
    left = without_strangers(stack(suggested), vectors)
    assert set(paths(left)) <= set(PATHS)
    if left is not None:
        assert left.members[left.suggested].path == PATHS[suggested]
        best = vectors.get(PATHS[suggested])
        for one in left.members:
            if best is not None and one.path in vectors and one.path != PATHS[suggested]:
                assert cosine(best, vectors[one.path]) >= FAR


class Search:
    """Vectors by number; or what is raised instead."""

    def __init__(self, trouble: BaseException | None = None, wait_s: float = 0.0) -> None:
        self.trouble, self.wait_s = trouble, wait_s
        self.asked: list[bytes] = []

    async def number_of(self, path: bytes) -> int | None:
        self.asked.append(path)
        return PATHS.index(path) + 1 if path in PATHS else None

    async def vectors(self, numbers: Sequence[int]) -> pb.PointVectors:
        await asyncio.sleep(self.wait_s)
        if self.trouble is not None:
            raise self.trouble
        given = {1: NEAR, 2: NEAR, 3: FAR_OFF}
        return pb.PointVectors(vectors={number: pb.Vector(values=given[number]) for number in numbers})


async def test_numbers_are_asked_for_once() -> None:
    search = Search()
    likeness = Likeness(search.number_of, search.vectors, is_set_up=True)
    for _ in range(2):
        assert [paths(one) for one in await likeness.refined([stack()])] == [[*PATHS[:2]]]
    assert sorted(search.asked) == [*PATHS]


@pytest.mark.parametrize(
    ("search", "is_set_up"),
    [(Search(Failure(503, "search_unavailable", "Off.")), True), (Search(wait_s=30), True), (Search(), False)],
    ids=["away", "slow", "off"],
)
async def test_without_search_stacks_are_as_they_were(
    search: Search, is_set_up: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.likeness._PATIENCE_S", 0.05)
    likeness = Likeness(search.number_of, search.vectors, is_set_up=is_set_up)
    assert await likeness.refined([stack()]) == [stack()]
