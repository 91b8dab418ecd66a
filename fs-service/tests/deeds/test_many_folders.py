"""One step over more folders than are open at once: those that the disk refuses do not take the others with them."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from deeds_world import World
from fs_service.domain.batch import keep_the_best
from fs_service.domain.items import Action, State
from fs_service.domain.marking import by_folders
from media_common.errors import ServiceError

SEEN, TRASHED, LOCKED = State.SEEN, State.TRASHED, State.LOCKED


class BadDisk:
    """Refuses so many companions, from when it is told to."""

    def __init__(self) -> None:
        self.refused = 0

    def __call__(self, step: str) -> None:
        if self.refused and step.startswith("make "):
            self.refused -= 1
            raise OSError(errno.EIO, "no")


@pytest.fixture
def disk() -> BadDisk:
    return BadDisk()


def folders(world: World) -> tuple[list[bytes], int]:
    """A file in each of many folders, and how many of them are in the first lot."""
    paths = [world.file(f"{number:03}/a.jpg") for number in range(70)]
    targets, _ = world.deeds.marking.targets(paths)
    return paths, len(next(by_folders(targets.values())))


def test_a_batch_does_what_it_can_as_one_step(tmp_path: Path, disk: BadDisk) -> None:
    with World(tmp_path, disk) as world:
        paths, first = folders(world)
        disk.refused = first
        outcomes = world.deeds.act_batch(paths, Action.SEEN)
        assert [one.error is None for one in outcomes] == [False] * first + [True] * (70 - first)
        assert [one.files for one in world.history.steps(None, 10)] == [70 - first]
        world.deeds.undo(1)
        assert {world.state(path) for path in paths} == {State.NONE}


def test_the_latest_undo_puts_back_what_it_can_as_one_step(tmp_path: Path, disk: BadDisk) -> None:
    with World(tmp_path, disk) as world:
        paths, first = folders(world)
        world.deeds.act_batch(paths, Action.TRASH)
        world.deeds.act_batch(paths, Action.UNTRASH)
        disk.refused = first
        outcomes = {one.path: one.error for one in world.deeds.undo(1)}
        # The newest first.
        assert [isinstance(outcomes[path], ServiceError) for path in paths] == [False] * (70 - first) + [True] * first
        assert [one.files for one in world.history.steps(None, 1)] == [70 - first]


def test_the_rest_of_a_stack_that_the_disk_refuses_takes_no_other_with_it(tmp_path: Path, disk: BadDisk) -> None:
    with World(tmp_path, disk) as world:
        best = world.file("best.jpg", marks=LOCKED | SEEN)
        paths, first = folders(world)
        disk.refused = first
        outcomes = keep_the_best(world.deeds, best, paths)[1:]
        assert [one.error is None for one in outcomes] == [False] * first + [True] * (70 - first)
        assert world.state(paths[-1]) == TRASHED | SEEN
