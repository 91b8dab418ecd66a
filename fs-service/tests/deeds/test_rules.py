"""The rules of marks, pure."""

from __future__ import annotations

import pytest
from fs_service.domain.errors import ItemLocked
from fs_service.domain.items import SUFFIXES, Action, Identity, State, after, moved, states_of
from fs_service.domain.media import companion_of, kind_of
from hypothesis import given
from hypothesis import strategies as st

states = st.integers(0, 7).map(State)
unlocked = states.filter(lambda state: not state & State.LOCKED)
actions = st.sampled_from(list(Action))


@given(states, actions)
def test_doing_it_twice_is_doing_it_once(state: State, action: Action) -> None:
    try:
        once = after(state, action)
    except ItemLocked:
        return
    assert after(once, action) == once


@given(unlocked.filter(lambda state: not state & State.TRASHED))
def test_untrash_restores_what_trash_did_but_that_it_was_seen(state: State) -> None:
    assert after(after(state, Action.TRASH), Action.UNTRASH) == state | State.SEEN


@given(states)
def test_lock_implies_seen_and_keeps_the_trash_mark(state: State) -> None:
    locked = after(state, Action.LOCK)
    assert locked & State.LOCKED
    assert locked & State.SEEN
    assert locked & State.TRASHED == state & State.TRASHED


@given(states)
def test_only_an_unlocked_file_is_trashed(state: State) -> None:
    if state & State.LOCKED:
        with pytest.raises(ItemLocked):
            after(state, Action.TRASH)
    else:
        assert after(state, Action.TRASH) == state | State.TRASHED | State.SEEN


@given(states, states)
def test_moving_back_is_the_inverse_of_moving(before: State, later: State) -> None:
    assert moved(before, before, later) == later
    assert moved(moved(before, before, later), later, before) == before


@given(states, states, states)
def test_moving_leaves_other_marks_alone(now: State, before: State, later: State) -> None:
    same = ~(before ^ later)
    assert moved(now, before, later) & same == now & same


names = st.binary(min_size=1, max_size=12) | st.sampled_from(
    [b"a.jpg", b"a.jpg.lock", b"a.jpg.seen", b"a.jpg.trash", b"b.MP4.lock", b".c.jpg.lock", b"x.lock", b"a.jpg.LOCK"]
)


@given(st.lists(names, max_size=12))
def test_the_states_of_a_folder_are_its_companions_one_by_one(folder: list[bytes]) -> None:
    states_now = states_of(folder)
    for mark, suffix in SUFFIXES.items():
        marked = {name for name, state in states_now.items() if state & mark}
        assert marked == {one[0] for name in folder if (one := companion_of(name)) and b"." + one[1] == suffix}
    assert all(kind_of(name) is not None for name in states_now)


def test_the_same_file_on_a_remounted_disk_is_the_same() -> None:
    assert Identity(1, 7, 10, 99).agrees(Identity(2, 7, 10, 99))
    for other in (Identity(1, 8, 10, 99), Identity(1, 7, 11, 99), Identity(1, 7, 10, 98)):
        assert not Identity(1, 7, 10, 99).agrees(other)
