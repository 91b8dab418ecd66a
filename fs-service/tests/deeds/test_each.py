"""Single actions that come together end as they would have one after the other, cut off anywhere or not."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from deeds_world import World
from fs_service.domain.deeds import Deed
from fs_service.domain.errors import ItemLocked, NotMedia, OutsideRoots, PathMissing
from fs_service.domain.items import Action, State, after
from hypothesis import given, settings
from hypothesis import strategies as st
from media_common.errors import ServiceError
from test_crash import at_every_step

NAMES = ("a/1.jpg", "a/2.jpg", "b/3.jpg", "b/gone.jpg", "b/notes.txt")
LOCKED, TRASHED, SEEN, NONE = State.LOCKED, State.TRASHED, State.SEEN, State.NONE
Wish = tuple[str, Action]


def made(base: Path) -> World:
    world = World(base)
    for name in NAMES[:3]:
        world.file(name)
    return world


def deeds_of(world: World, wishes: Sequence[Wish]) -> list[Deed]:
    return [Deed(os.fsencode(world.root / name), action, f"id-{at}") for at, (name, action) in enumerate(wishes)]


def told(outcomes: Sequence[State | ServiceError]) -> list[object]:
    return [type(one) if isinstance(one, ServiceError) else one for one in outcomes]


def history(world: World) -> list[tuple[bytes, State, State, int]]:
    """What an undo knows, oldest first, steps counted from the first."""
    entries = world.journal.latest(1000)[::-1]
    steps = {step: at for at, step in enumerate(sorted({entry.step for entry in entries}))}
    return [
        (os.path.basename(one.change.path), one.change.before, one.change.after, steps[one.step]) for one in entries
    ]


def one_by_one(world: World, deeds: Sequence[Deed]) -> list[State | ServiceError]:
    outcomes: list[State | ServiceError] = []
    for deed in deeds:
        try:
            outcomes.append(world.deeds.act(deed.path, deed.action))
        except ServiceError as error:
            outcomes.append(error)
    return outcomes


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(list(Action))), max_size=12))
def test_together_is_one_after_the_other(wishes: list[Wish]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        with made(base / "together") as group, made(base / "alone") as single:
            outcomes = told(group.deeds.act_each(deeds_of(group, wishes)))
            assert outcomes == told(one_by_one(single, deeds_of(single, wishes)))
            assert {name: tell[1] for name, tell in group.tree().items() if "journal" not in name} == {
                name: tell[1] for name, tell in single.tree().items() if "journal" not in name
            }
            # Of different files the order within a group is nobody's to see.
            assert sorted(one[:3] for one in history(group)) == sorted(one[:3] for one in history(single))
            assert len({one[3] for one in history(group)}) == len(history(group))
            assert len(group.events.emitted) == len(single.events.emitted)
            names = {os.fsencode(group.root): group, os.fsencode(single.root): single}
            recorded = [
                {path[len(root) :] for path in world.journal.recorded_below(root)} for root, world in names.items()
            ]
            assert recorded[0] == recorded[1]
            if history(group):
                group.deeds.undo(1000)
            assert all(group.state(os.fsencode(group.root / name)) == NONE for name in NAMES[:3])


def test_each_is_refused_by_itself(world: World) -> None:
    fine, locked = world.file("fine.jpg"), world.file("locked.jpg", marks=LOCKED)
    outcomes = world.deeds.act_each(
        [
            Deed(locked, Action.TRASH),
            Deed(fine, Action.TRASH),
            Deed(fine + b"x", Action.SEEN),
            Deed(os.fsencode(world.root / "none.jpg"), Action.SEEN),
            Deed(b"/elsewhere/photo.jpg", Action.SEEN),
        ]
    )
    assert told(outcomes) == [ItemLocked, TRASHED | SEEN, NotMedia, PathMissing, OutsideRoots]
    assert (world.state(fine), world.state(locked)) == (TRASHED | SEEN, LOCKED)


def test_each_is_a_step_of_its_own_and_knows_who_asked(world: World) -> None:
    first, second = world.file("1.jpg"), world.file("2.jpg")
    world.deeds.act_each([Deed(first, Action.LOCK, "one"), Deed(second, Action.LOCK, "two")])
    asked = world.database.read(
        lambda connection: connection.execute(
            "SELECT path, request_id FROM entries JOIN steps ON steps.id = step ORDER BY path"
        ).fetchall()
    )
    assert asked == [(first, "one"), (second, "two")]
    assert [outcome.path for outcome in world.deeds.undo(1)] == [second]
    assert (world.state(first), world.state(second)) == (LOCKED | SEEN, NONE)


def test_a_folder_that_cannot_be_flushed_fails_its_files_only(tmp_path: Path) -> None:
    failing = [False]
    syncs = 0

    def fault(step: str) -> None:
        nonlocal syncs
        if step == "sync" and failing[0]:
            syncs += 1
            if syncs == 1:
                raise OSError(5, "the disk failed")

    with World(tmp_path, fault) as world:
        one, other = world.file("a/1.jpg"), world.file("b/2.jpg")
        failing[0] = True
        outcomes = world.deeds.act_each([Deed(one, Action.SEEN), Deed(other, Action.SEEN)])
        assert isinstance(outcomes[0], ServiceError)
        assert outcomes[1] == SEEN
        assert (world.state(one), world.state(other)) == (NONE, SEEN)
        assert [entry.change.path for entry in world.journal.latest(10)] == [other]


GROUPS: list[list[Wish]] = [
    [("a/1.jpg", Action.TRASH), ("a/2.jpg", Action.LOCK), ("b/3.jpg", Action.SEEN)],
    [("a/1.jpg", Action.UNTRASH), ("a/1.jpg", Action.LOCK), ("a/2.jpg", Action.UNLOCK)],
]


def gathered(world: World, tell: Callable[[str], None]) -> None:
    for name in NAMES[:3]:
        world.file(name)
    for at, wishes in enumerate(GROUPS):
        assert not [one for one in world.deeds.act_each(deeds_of(world, wishes)) if isinstance(one, ServiceError)]
        tell(f"{at}")


@pytest.mark.timeout(120)
def test_a_group_cut_off_leaves_each_file_before_or_after_its_action(tmp_path: Path) -> None:
    def check(world: World, acknowledged: list[str], killed: bool) -> None:
        states = {name: {NONE} for name in NAMES[:3]}  # what each may be in
        for at, wishes in enumerate(GROUPS[: len(acknowledged) + 1]):
            for name, action in wishes:
                then = {after(state, action) for state in states[name]}
                states[name] = then if at < len(acknowledged) else states[name] | then
        for name, possible in states.items():
            if (world.root / name).exists():
                assert world.state(os.fsencode(world.root / name)) in possible
        if acknowledged:
            world.deeds.undo(100)
            assert all(world.state(os.fsencode(world.root / name)) == NONE for name in NAMES[:3])

    assert at_every_step(tmp_path, gathered, check) > 25
