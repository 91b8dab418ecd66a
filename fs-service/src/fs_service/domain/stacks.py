"""Which pictures are takes of one picture, and which of them to keep. A suggestion, never an action.

The rule: same folder, format and camera, each within seconds of another, and alike. Brackets (one scene, exposed in
steps), sweeps of a panorama and long sequences are taken apart on purpose, so they are left alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from itertools import accumulate, groupby, pairwise
from operator import mul
from statistics import median
from typing import Final

#: As a burst's in the catalogue: each within this of another one.
GAP_US: Final = 3_000_000
#: Bits of 64 in which two takes may differ. Pictures of different scenes differ in half of them, give or take four;
#: Zauner (2010, 5.2) finds the same picture, changed, below 0.15 to 0.2 of the bits.
_ALIKE: Final = 10
#: Of two files without a camera's word, whose times are only those of their last change.
_VERY_ALIKE: Final = 4
#: So far a scene is still the same one when it is exposed otherwise.
_SCENE: Final = 20
#: Parts of the picture's side: hands shake by less, and a panorama moves by more.
_STILL: Final = 0.06
#: A sweep goes on in one direction for two steps and so far in all.
_STEP: Final = 0.03
_SWEEP: Final = 0.12
#: Stops between neighbouring exposures of a bracket. A camera that measures anew differs by less.
_BRACKET_EV: Final = 0.5
_BRACKET_LEVELS: Final = 3
#: Followers of a picture that it is compared with: a burst may have others between, and must not cost its square.
_REACH: Final = 12
#: More than this is a time-lapse: nobody chooses one of them.
MOST_MEMBERS: Final = 100
#: Grey values between the ends of both profiles; less is a wall, of which nothing can be said.
_FEATURELESS: Final = 3
#: A profile that fits no better than this elsewhere has not moved.
_BETTER: Final = 0.02
_FITS: Final = 0.9


class Decision(IntEnum):
    """What a person said of a stack. The numbers are those of the contract's `StackDecision`."""

    NONE = 0
    DONE = 1
    NOT_A_STACK = 2


@dataclass(frozen=True)
class Figures:
    """What a picture is compared by; see `thumbnail.proto`, `PictureFigures`."""

    hash: int  # 64 bits
    columns: bytes  # mean brightness from left to right
    rows: bytes  # from top to bottom
    sharpness: float
    exposure_ev: float
    dark: float
    bright: float

    @cached_property
    def is_featureless(self) -> bool:
        return all(max(profile) - min(profile) <= _FEATURELESS for profile in (self.columns, self.rows))


@dataclass(frozen=True)
class Shot:
    """A picture of one folder."""

    name: bytes
    at_us: int  # the camera's time; without one that of the last change
    camera: str | None  # None: it does not say
    size_bytes: int = 0
    width_px: int = 0
    height_px: int = 0
    figures: Figures | None = None  # None: not known, or it cannot be read

    @property
    def kind(self) -> tuple[bytes, str]:
        """What all takes have in common. The extension, because a raw and its JPEG are one picture in two files."""
        return self.name.rpartition(b".")[2].lower(), self.camera or ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is said of a member, beside its picture."""

    reasons: tuple[str, ...]
    sharpness: float  # 0..1 of the sharpest member's
    exposure_ev: float  # above the members' median


@dataclass(frozen=True, slots=True)
class Stack:
    """Two or more takes, by time, then name."""

    members: tuple[Shot, ...]
    suggested: int
    verdicts: tuple[Verdict, ...]


def runs(shots: Iterable[Shot]) -> list[list[Shot]]:
    """Those that have another one of their kind within the gap: what is worth a look at the pixels.

    Args:
        shots: of one folder, in any order; their figures do not matter.
    Returns:
        Each by time, then name; the runs by kind and time.
    """
    found: list[list[Shot]] = []
    for _, of_kind in groupby(sorted(shots, key=lambda one: (one.kind, one.at_us, one.name)), lambda one: one.kind):
        run: list[Shot] = []
        for shot in of_kind:
            if run and shot.at_us - run[-1].at_us > GAP_US:
                found.append(run)
                run = []
            run.append(shot)
        found.append(run)
    return [run for run in found if len(run) > 1]


def stacks_of(shots: Iterable[Shot]) -> list[Stack]:
    """The stacks among the pictures of one folder, by their first members' names; no picture is in two."""
    found = [stack for run in runs(shots) for stack in stacks_in(run)]
    return sorted(found, key=lambda stack: stack.members[0].name)


def stacks_in(run: Sequence[Shot]) -> list[Stack]:
    """The stacks of one of `runs`: no other one matters."""
    return [_judged(members) for members in _takes([one for one in run if one.figures])]


def _takes(run: Sequence[Shot]) -> list[list[Shot]]:
    """The stacks of a run."""
    apart = _bracketed(run)
    if run and run[0].camera is not None:  # without one, only what stands still is very much alike
        apart |= _swept(run)
    left = [shot for shot in run if shot.name not in apart]
    return [part for part in _joined(left, are_takes) if 1 < len(part) <= MOST_MEMBERS]


def are_takes(one: Shot, other: Shot) -> bool:
    """Whether two pictures that were taken within the gap show the same thing from the same place."""
    a, b = one.figures, other.figures
    if a is None or b is None or a.is_featureless or b.is_featureless:
        return False
    most = _ALIKE if one.camera is not None and other.camera is not None else _VERY_ALIKE
    return (a.hash ^ b.hash).bit_count() <= most and max(map(abs, shift(a, b))) <= _STILL


def _same_scene(one: Shot, other: Shot) -> bool:
    a, b = one.figures, other.figures
    return a is not None and b is not None and (a.hash ^ b.hash).bit_count() <= _SCENE


def _joined(run: Sequence[Shot], alike: Callable[[Shot, Shot], bool]) -> list[list[Shot]]:
    """What hangs together by pairs that are alike and within the gap. Such a part is in one piece in time too: whatever
    lies between two of its pictures is spanned by a pair."""
    leader = list(range(len(run)))

    def first(at: int) -> int:
        while leader[at] != at:
            leader[at] = leader[leader[at]]
            at = leader[at]
        return at

    for at, shot in enumerate(run):
        for next_ in range(at + 1, min(len(run), at + 1 + _REACH)):
            if run[next_].at_us - shot.at_us > GAP_US:
                break
            if first(at) != first(next_) and alike(shot, run[next_]):
                leader[first(next_)] = first(at)
    parts: dict[int, list[Shot]] = {}
    for at, shot in enumerate(run):
        parts.setdefault(first(at), []).append(shot)
    return list(parts.values())


def _bracketed(run: Sequence[Shot]) -> set[bytes]:
    """The names of those that are one scene, exposed in steps on purpose: three levels or more, and every second step
    of the sequence at least is one from a level to another."""
    found: set[bytes] = set()
    for part in _joined(run, _same_scene):
        stops = [one.figures.exposure_ev for one in part if one.figures is not None]
        levels = 1 + sum(after - before > _BRACKET_EV for before, after in pairwise(sorted(stops)))
        steps = sum(abs(after - before) > _BRACKET_EV for before, after in pairwise(stops))
        if levels >= _BRACKET_LEVELS and 2 * steps >= len(part) - 1:
            found |= {one.name for one in part}
    return found


def _swept(run: Sequence[Shot]) -> set[bytes]:
    """The names of those in which the camera goes on in one direction."""
    found: set[bytes] = set()
    steps = [shift(_figures(before), _figures(after)) for before, after in pairwise(run)]
    for along in zip(*steps, strict=True):  # the width, then the height
        going: list[Shot] = []
        total = 0.0
        for step, before, after in zip(along, run, run[1:], strict=False):
            if abs(step) < _STEP or step * total < 0:
                going, total = [], 0.0
            if abs(step) >= _STEP:
                going = [*(going or [before]), after]
                total += step
            if len(going) > 2 and abs(total) >= _SWEEP:
                found |= {one.name for one in going}
    return found


def shift(one: Figures, other: Figures) -> tuple[float, float]:
    """How far the second picture has moved against the first, as parts of its width and height; 0 where that cannot be
    told."""
    return _moved(one.columns, other.columns), _moved(one.rows, other.rows)


def _moved(one: bytes, other: bytes) -> float:
    """By normalised correlation of what overlaps; at least half of it does."""
    count = len(one)
    a, b = _Sums(one), _Sums(other)
    still = _correlation(a, b, 0, 0, count)
    if still + _BETTER >= 1:
        return 0.0
    best, best_at = max(still + _BETTER, _FITS), 0
    for by in range(1, count // 2 + 1):
        there, back = _correlation(a, b, by, 0, count - by), _correlation(a, b, 0, by, count - by)
        if there > best:
            best, best_at = there, by
        if back > best:
            best, best_at = back, -by
    return best_at / count


class _Sums:
    """A profile, and sums of all its beginnings: the mean and spread of any part of it are two differences."""

    __slots__ = ("squares", "values", "whole")

    def __init__(self, values: bytes) -> None:
        self.values = values
        self.whole = [0, *accumulate(values)]
        self.squares = [0, *accumulate(map(mul, values, values))]


def _correlation(one: _Sums, other: _Sums, at_one: int, at_other: int, count: int) -> float:
    """Pearson's, of `count` values of each from there on; 1 of two flat parts, 0 of a flat one and another."""
    to_one, to_other = at_one + count, at_other + count
    sum_a, sum_b = one.whole[to_one] - one.whole[at_one], other.whole[to_other] - other.whole[at_other]
    spread_a = one.squares[to_one] - one.squares[at_one] - sum_a * sum_a / count
    spread_b = other.squares[to_other] - other.squares[at_other] - sum_b * sum_b / count
    if spread_a < count or spread_b < count:  # less than a grey value: nothing to hold on to
        return 1.0 if spread_a < count and spread_b < count else 0.0
    product = sum(map(mul, one.values[at_one:to_one], other.values[at_other:to_other]))
    return float((product - sum_a * sum_b / count) / math.sqrt(spread_a * spread_b))


# Which to keep

#: Weights against one halving of sharpness: a halving of the pixels, and all of the picture without detail.
_PIXELS: Final = 1.0
_CLIPPED: Final = 6.0
_OFF_EV: Final = 0.5
#: Sharpness differs by so much between takes that nobody can tell apart.
_AS_SHARP: Final = 0.9
_SOFT: Final = 0.6
_BLURRED: Final = 0.25
#: Stops from the middle of the members at which one is called dark or bright, and shares of lost detail.
_OFF: Final = 0.7
_LOST: Final = 0.02


def _judged(takes: Sequence[Shot]) -> Stack:
    """The takes with a suggestion; of equals the first."""
    sharpest = max(max(_figures(one).sharpness for one in takes), 1e-9)
    most_px = max(max(_pixels(one) for one in takes), 1)
    middle_ev = median(_figures(one).exposure_ev for one in takes)
    least_lost = min(_lost(one) for one in takes)

    def worth(one: Shot) -> tuple[float, int]:
        figures = _figures(one)
        sharp = math.log2(max(min(figures.sharpness / sharpest / _AS_SHARP, 1.0), 2.0**-6))
        pixels = math.log2(max(_pixels(one), 1) / most_px)
        off = max(0.0, abs(figures.exposure_ev - middle_ev) - _OFF)
        return sharp + _PIXELS * pixels - _CLIPPED * (_lost(one) - least_lost) - _OFF_EV * off, one.size_bytes

    suggested = max(range(len(takes)), key=lambda at: (worth(takes[at]), -at))
    verdicts = []
    for at, one in enumerate(takes):
        figures = _figures(one)
        seen = math.sqrt(figures.sharpness / sharpest)  # an energy: its root is what an eye sees
        off_ev = figures.exposure_ev - middle_ev
        reasons = _praise(takes, at) if at == suggested else _blame(one, seen, off_ev, least_lost, most_px)
        verdicts.append(Verdict(tuple(reasons), seen, off_ev))
    return Stack(tuple(takes), suggested, tuple(verdicts))


def _praise(takes: Sequence[Shot], at: int) -> list[str]:
    """What speaks for the one that is suggested."""
    one, others = takes[at], [other for number, other in enumerate(takes) if number != at]
    reasons = []
    if _figures(one).sharpness * _AS_SHARP > max(_figures(other).sharpness for other in others):
        reasons.append(f"Sharpest of {len(takes)}")
    if _pixels(one) > max(map(_pixels, others)):
        reasons.append(f"Most pixels: {one.width_px} × {one.height_px}")
    if _lost(one) + _LOST < max(map(_lost, others)):
        reasons.append("Keeps more light and shadow")
    if not reasons and _figures(one).sharpness >= max(_figures(other).sharpness for other in others) * _AS_SHARP:
        reasons.append("As sharp as any")
    return reasons or ["Best balance of sharpness, exposure and size"]


def _blame(one: Shot, seen: float, off_ev: float, least_lost: float, most_px: int) -> list[str]:
    """What speaks against another one."""
    reasons = []
    if seen < math.sqrt(_BLURRED):
        reasons.append("Blurred")
    elif seen < math.sqrt(_SOFT):
        reasons.append("Softer")
    figures = _figures(one)
    if off_ev < -_OFF:
        reasons.append("Darker")
    elif off_ev > _OFF:
        reasons.append("Brighter")
    if _lost(one) - least_lost > _LOST:
        reasons.append("Lost highlights" if figures.bright > figures.dark else "Lost shadows")
    if 0 < _pixels(one) < most_px:
        reasons.append(f"Fewer pixels: {one.width_px} × {one.height_px}")
    return reasons or ["Nearly the same"]


def _figures(shot: Shot) -> Figures:
    assert shot.figures is not None
    return shot.figures


def _pixels(shot: Shot) -> int:
    return shot.width_px * shot.height_px


def _lost(shot: Shot) -> float:
    figures = _figures(shot)
    return figures.dark + figures.bright
