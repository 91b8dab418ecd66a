"""CoreViz' score: how near the vectors are, plus how well the words fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

#: bm25 at which the words count half of what they can.
_HALF: Final = 5.0


class Scored(NamedTuple):
    item_id: int
    score: float


def squashed(bm25: float) -> float:
    """In [0, 0.5), rising with bm25 (more is better; what is not positive counts nothing)."""
    positive = max(0.0, bm25)
    return min(0.5 * positive / (positive + _HALF), _BELOW_HALF)


#: The largest score below a half: a huge bm25 rounds up to it otherwise.
_BELOW_HALF: Final = 0.5 - 2**-50


def by_item(frame_scores: Mapping[int, float], item_of: Mapping[int, int]) -> dict[int, float]:
    """The best cosine of each item's frames, none below 0. A frame without an item is left out."""
    best: dict[int, float] = {}
    for frame_id, score in frame_scores.items():
        item_id = item_of.get(frame_id)
        if item_id is not None:
            best[item_id] = max(best.get(item_id, 0.0), score, 0.0)
    return best


def fused(cosines: Mapping[int, float], bm25: Mapping[int, float]) -> dict[int, float]:
    """Cosine plus squashed bm25, for every item that has either."""
    scores = {item_id: cosine if cosine > 0.0 else 0.0 for item_id, cosine in cosines.items()}
    for item_id, fit in bm25.items():
        scores[item_id] = scores.get(item_id, 0.0) + squashed(fit)
    return scores


def averaged(first: Mapping[int, float], second: Mapping[int, float]) -> dict[int, float]:
    """The mean of both scores, where a query and a similarity are given; a missing one counts 0, and so does one below
    it, however the item was found."""
    return {
        key: (max(0.0, first.get(key, 0.0)) + max(0.0, second.get(key, 0.0))) / 2
        for key in first.keys() | second.keys()
    }


def ranked(scores: Mapping[int, float], at_least: float = float("-inf")) -> list[Scored]:
    """Best first, equal ones by id; none below `at_least`."""
    return [Scored(item_id, -score) for score, item_id in _in_order(scores, at_least)]


def page(scores: Mapping[int, float], at_least: float, offset: int, limit: int, cap: int) -> tuple[list[Scored], int]:
    """A page of the first `cap` of `ranked`, and how many there are of those."""
    counted = _in_order(scores, at_least)[:cap]
    return [Scored(item_id, -score) for score, item_id in counted[offset : offset + limit]], len(counted)


def _in_order(scores: Mapping[int, float], at_least: float) -> list[tuple[float, int]]:
    return sorted((-score, item_id) for item_id, score in scores.items() if score >= at_least)
