"""Which photographs belong together because they were taken in one go."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

#: Each within this of the one before.
BURST_GAP_US: Final = 3_000_000


class GroupKind(IntEnum):
    BURST = 1
    FRAMES = 2  # a video and its further frames
    IMPORTED = 3


@dataclass(frozen=True, slots=True)
class Shot:
    """A picture that has a camera and a time."""

    id: int
    taken_us: int


def bursts(shots: Iterable[Shot]) -> list[list[int]]:
    """The runs of two or more among pictures of one folder and one camera.

    Args:
        shots: in any order.
    Returns:
        ids by time, then id; runs by their first picture.
    """
    runs: list[list[int]] = []
    run: list[Shot] = []
    for shot in sorted(shots, key=lambda shot: (shot.taken_us, shot.id)):
        if run and shot.taken_us - run[-1].taken_us > BURST_GAP_US:
            _keep(runs, run)
            run = []
        run.append(shot)
    _keep(runs, run)
    return runs


def _keep(runs: list[list[int]], run: list[Shot]) -> None:
    if len(run) > 1:
        runs.append([shot.id for shot in run])
