"""How many rows of each folder are of which day: counted in memory, kept in step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from media_common.dates import DAY_US

from fs_service.domain.items import StatusFilter
from fs_service.domain.timeline import ByState, Cut, admitted
from fs_service.store.rows import UNDATED

#: Of rows that have no day yet.
NO_DAY: Final = UNDATED // DAY_US


def day_of(when_us: int) -> int:
    return when_us // DAY_US


class Step(NamedTuple):
    """So many rows more, or less."""

    folder: bytes
    when_us: int
    state: int
    by: int


class DayCounts:
    """Rows by folder, day and state. A root with a thousand folders of a few days each is some thousand counters."""

    def __init__(self, rows: Iterable[tuple[bytes, int, int, int]] = ()) -> None:
        """Args:
        rows: (folder, day, state, how many).
        """
        self._all: dict[int, list[int]] = {}
        self._folders: dict[bytes, dict[int, list[int]]] = {}
        self._totals: dict[bytes, list[int]] = {}
        for folder, day, state, count in rows:
            self._step(folder, day, state, count)

    def step(self, steps: Iterable[Step]) -> None:
        for folder, when_us, state, by in steps:
            self._step(folder, day_of(when_us), state, by)

    def _step(self, folder: bytes, day: int, state: int, by: int) -> None:
        days = self._folders.setdefault(folder, {})
        self._totals.setdefault(folder, [0] * 8)[state] += by
        for counted in (days, self._all):
            by_state = counted.setdefault(day, [0] * 8)
            by_state[state] += by
            if not any(by_state):
                del counted[day]
        if not days:
            del self._folders[folder], self._totals[folder]

    def of(self, folder: bytes | None, *, recursive: bool = False) -> dict[int, ByState]:
        """By day, of all (None), or of a folder with or without what is below it. Not to be changed."""
        if folder is None or (recursive and not folder):
            return dict(self._all)
        if not recursive:
            return dict(self._folders.get(folder, {}))
        found: dict[int, list[int]] = {}
        prefix = folder + b"/"
        for path, days in self._folders.items():
            if path != folder and not path.startswith(prefix):
                continue
            for day, by_state in days.items():
                if (sums := found.get(day)) is None:
                    found[day] = by_state.copy()
                    continue
                for state, count in enumerate(by_state):
                    if count:
                        sums[state] += count
        return dict(found)

    def folders(self, status: StatusFilter) -> Iterator[tuple[bytes, int]]:
        """Each folder with how many rows of the filter it holds itself."""
        for folder, by_state in self._totals.items():
            yield folder, admitted(status, by_state)

    def runs(self, cut: Cut) -> list[tuple[int, int, int]]:
        """The days of a listing by date in runs without a day that has rows but none of the filter's.

        Returns:
            First day, the day behind the last, how many rows of the filter; by day. Days not known come last.
        """
        found: list[tuple[int, int, int]] = []
        is_run = False
        days = self.of(cut.folder)
        for day in sorted(days):
            if not cut.has_day(None if day == NO_DAY else day):
                continue
            count = admitted(cut.status, days[day])
            if count and is_run:
                found[-1] = (found[-1][0], day + 1, found[-1][2] + count)
            elif count:
                found.append((day, day + 1, count))
            # A heavy day is a run of its own, so that no row is passed over but its own.
            is_run = 0 < count < _LIGHT
        return found


#: Rows of a run, that a page may read in vain.
_LIGHT: Final = 256
