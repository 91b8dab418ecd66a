"""Items by the day that they are of: counts, and listings in the order of time.

An item's time is that of its own clock: what the camera wrote, else when the file was last modified, on this machine's
clock. Days are counted from 1970-01-01.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from fs_service.domain.items import STATES, StatusFilter
from fs_service.domain.views import Counts

#: How many of a day carry each combination of marks, by the state's number.
ByState = Sequence[int]

_ADMITTED: Final = {status: [state for state in range(8) if status.admits(STATES[state])] for status in StatusFilter}


def admitted(status: StatusFilter, by_state: ByState) -> int:
    """How many of them pass the filter."""
    return sum(by_state[state] for state in _ADMITTED[status])


def counts_of(by_state: ByState) -> Counts:
    return Counts(
        all=sum(by_state),
        unseen=admitted(StatusFilter.UNSEEN, by_state),
        locked=admitted(StatusFilter.LOCKED, by_state),
        trashed=admitted(StatusFilter.TRASHED, by_state),
    )


@dataclass(frozen=True, slots=True)
class Cut:
    """Which of a root's items, and in which order: by name and path, or by time and then so."""

    status: StatusFilter
    folder: bytes | None = None  # below the root: its own items alone; empty: the root's own; None: all
    by_date: bool = False
    from_day: int | None = None  # with `by_date` only
    before_day: int | None = None

    def has_day(self, day: int | None) -> bool:
        """None: a day that is not known, which no bound holds."""
        if day is None:
            return self.from_day is None and self.before_day is None
        return (self.from_day is None or day >= self.from_day) and (self.before_day is None or day < self.before_day)


@dataclass(frozen=True, slots=True)
class Histogram:
    """The days of a folder or a root."""

    path: bytes
    days: list[tuple[int, Counts]]  # by day; only those with items of the filter
    undated: Counts = field(default_factory=Counts)  # nobody has read yet when they were taken
    ignored: int = 0  # other files in those folders
    next_folder: bytes | None = None  # absolute: behind this one with items of the filter, round the root
    next_count: int = 0


def next_folder(folders: Iterable[tuple[bytes, int]], current: bytes) -> tuple[bytes, int] | None:
    """The first folder behind the current one by path, or else from the beginning, with items.

    Args:
        folders: relative paths, and how many items each holds itself.
    """
    others = sorted((path.split(b"/") if path else [], path, items) for path, items in folders if items)
    here = current.split(b"/") if current else []
    behind = [one for one in others if one[0] > here]
    before = [one for one in others if one[0] < here]
    for _, path, items in (*behind, *before):
        return path, items
    return None


def days_shown(days: Mapping[int, ByState], status: StatusFilter) -> list[tuple[int, Counts]]:
    """By day, those with items of the filter."""
    return [(day, counts_of(days[day])) for day in sorted(days) if admitted(status, days[day])]
