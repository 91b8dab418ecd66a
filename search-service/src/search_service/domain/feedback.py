"""Relevance feedback: from what a person marked right and wrong to a direction in the vectors' space.

A linear classifier separates right (+1) from wrong (-1); its weight vector is the next query, so one search gives the
items deepest on the right side. It is ridge regression in its dual form: exact, the same every time, and quick, for
marks are few and numbers many. A random sample counts as wrong, for almost everything is: fully when nothing was
marked wrong, a little beside marks, without which a few right ones and their look-alikes would separate along any
direction at all, and the next round show neither (bench/feedback.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from search_service.domain.vectors import Vector, unit

#: Pull towards the plain mean of the marks; chosen by bench/feedback.py.
RIDGE: Final = 0.1
#: What the random sample counts beside the marks of a person.
BACKGROUND: Final = 0.3
#: What a query's own finds count beside a mark of a person.
WEAK: Final = 0.25
#: Finds of the query that count as weakly right.
WEAK_POSITIVES: Final = 10
#: Items of the random sample that stands in for marks.
SAMPLE: Final = 100


@dataclass(frozen=True, slots=True)
class Marks:
    """Vectors of unit length, one row an item; any may have no rows."""

    right: Vector
    wrong: Vector
    weakly_right: Vector
    sample: Vector


def direction(marks: Marks) -> Vector:
    """The query that the marks amount to, of unit length.

    Without anything right, the sample stands in for it: the answer is then far from what is wrong, else anything.
    """
    right, sample = marks.right, marks.sample
    if not len(right) and not len(marks.weakly_right):
        half = 0 if len(marks.wrong) else len(sample) // 2
        right, sample = sample[half:], sample[:half]
    parts = [
        (right, 1.0, 1.0),
        (marks.weakly_right, 1.0, WEAK),
        (marks.wrong, -1.0, 1.0),
        (sample, -1.0, BACKGROUND if len(marks.wrong) else 1.0),
    ]
    rows = np.concatenate([part for part, _, _ in parts]).astype(np.float64)
    if not len(rows):
        return np.zeros(marks.right.shape[1], np.float32)
    targets = np.concatenate([np.full(len(part), target) for part, target, _ in parts])
    weights = np.concatenate([_shared(len(part), weight) for part, _, weight in parts])
    return unit(_ridge(rows, targets, weights))


def _shared(many: int, weight: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Each side weighs the same, however many marks it has: a hundred wrong ones do not drown three right ones."""
    return np.full(many, weight / max(1, many))


def _ridge(
    rows: np.ndarray[tuple[int, int], np.dtype[np.float64]],
    targets: np.ndarray[tuple[int], np.dtype[np.float64]],
    weights: np.ndarray[tuple[int], np.dtype[np.float64]],
) -> Vector:
    """argmin_w of sum weights (row . w + b - target)^2 + RIDGE |w|^2, with an intercept b."""
    total = weights.sum()
    middle = weights @ rows / total
    roots = np.sqrt(weights / total)
    centred = (rows - middle) * roots[:, None]
    wanted = (targets - weights @ targets / total) * roots
    kernel = centred @ centred.T
    kernel[np.diag_indices_from(kernel)] += RIDGE
    solution = centred.T @ np.linalg.solve(kernel, wanted)
    return np.asarray(solution, np.float32)
