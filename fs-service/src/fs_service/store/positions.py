"""A counted skip directory over sorted keys: where the n-th row of a filter is, without counting rows.

The keys of a root are cut into chunks; for each chunk its first key and how many of its rows carry each mark are kept
in memory, so a page at any offset reads one chunk's rows more than it returns. The keys themselves stay in the store.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate
from typing import Final

from fs_service.domain.items import StatusFilter
from fs_service.domain.views import Counts
from fs_service.store.rows import admits

#: Rows of a fresh chunk: a page reads at most this many in vain, and a million rows are 4,000 chunks.
CHUNK_ROWS: Final = 256
_FILTERS: Final = tuple(StatusFilter)
#: What each state adds to the count of each filter.
_STEPS: Final = [[int(admits(status, state)) for status in _FILTERS] for state in range(8)]
_COLUMN: Final = {status: index for index, status in enumerate(_FILTERS)}

Span = tuple[bytes, bytes]  # from this key on, up to but without that one
#: Above every key: a name has at most 255 bytes, then comes a NUL.
_END: Final = b"\xff" * 256


class Positions:
    """Chunk `i` covers the keys from `_firsts[i]` up to `_firsts[i + 1]`; the first one starts below every key."""

    def __init__(self, rows: Iterable[tuple[bytes, int]] = ()) -> None:
        """Args:
        rows: (key, state) in key order.
        """
        self._firsts: list[bytes] = [b""]
        self._counts: list[list[int]] = [[0] for _ in _FILTERS]
        states: list[int] = []
        for key, state in rows:
            if len(states) == CHUNK_ROWS:
                self._close(states)
                self._firsts.append(key)
                for counts in self._counts:
                    counts.append(0)
                states = []
            states.append(state)
        self._close(states)
        self._totals = [sum(counts) for counts in self._counts]

    def _close(self, states: list[int]) -> None:
        """The last chunk holds rows of these states."""
        for state in range(8):
            if count := states.count(state):
                for counts, step in zip(self._counts, _STEPS[state], strict=True):
                    counts[-1] += count * step

    def add(self, key: bytes, state: int) -> None:
        self._step(key, state, 1)

    def remove(self, key: bytes, state: int) -> None:
        self._step(key, state, -1)

    def _step(self, key: bytes, state: int, sign: int) -> None:
        chunk = bisect_right(self._firsts, key) - 1
        for column, step in enumerate(_STEPS[state]):
            if step:
                self._counts[column][chunk] += sign
                self._totals[column] += sign

    def counts(self) -> Counts:
        def total(status: StatusFilter) -> int:
            return self._totals[_COLUMN[status]]

        return Counts(
            total(StatusFilter.ALL),
            total(StatusFilter.UNSEEN),
            total(StatusFilter.LOCKED),
            total(StatusFilter.TRASHED),
        )

    def chunk_of(self, key: bytes) -> tuple[Span, int]:
        """The span of the chunk that holds the key, and how the chunk is numbered."""
        chunk = bisect_right(self._firsts, key) - 1
        return self._span(chunk, chunk + 1), chunk

    def rows_before(self, chunk: int, status: StatusFilter) -> int:
        """How many rows of the filter are in the chunks before this one."""
        return sum(self._counts[_COLUMN[status]][:chunk])

    def seek(self, status: StatusFilter, offset: int) -> tuple[int, int] | None:
        """The chunk that holds the filter's row number `offset`, and how many of its rows come before; None: there
        are not so many."""
        column = _COLUMN[status]
        if not 0 <= offset < self._totals[column]:
            return None
        ends = list(accumulate(self._counts[column]))
        chunk = bisect_right(ends, offset)
        return chunk, offset - (ends[chunk - 1] if chunk else 0)

    def spans(self, status: StatusFilter, chunk: int) -> Iterator[Span]:
        """From this chunk on, the runs of chunks that hold rows of the filter."""
        counts = self._counts[_COLUMN[status]]
        end = len(counts)
        while chunk < end:
            if not counts[chunk]:
                chunk += 1
                continue
            start = chunk
            while chunk < end and counts[chunk]:
                chunk += 1
            yield self._span(start, chunk)

    def _span(self, start: int, end: int) -> Span:
        return self._firsts[start], self._firsts[end] if end < len(self._firsts) else _END

    def balance(self, keys: Iterable[bytes], rows: Callable[[Span], list[tuple[bytes, int]]]) -> None:
        """Cut the chunks that have grown too large and take out the empty ones.

        Args:
            keys: those added or removed since the last time.
            rows: reads the (key, state) of a span from the store.
        """
        touched = sorted({bisect_right(self._firsts, key) - 1 for key in keys}, reverse=True)
        for chunk in touched:
            size = self._counts[0][chunk]
            if size == 0 and len(self._firsts) > 1:
                self._take_out(chunk)
            elif size > 2 * CHUNK_ROWS:
                self._cut(chunk, rows(self._span(chunk, chunk + 1)))

    def _take_out(self, chunk: int) -> None:
        # The span goes to the chunk before; the first chunk's goes to the one behind it.
        del self._firsts[chunk]
        self._firsts[0] = b""
        for counts in self._counts:
            del counts[chunk]

    def _cut(self, chunk: int, rows: list[tuple[bytes, int]]) -> None:
        pieces = Positions(rows)
        self._firsts[chunk : chunk + 1] = [self._firsts[chunk], *pieces._firsts[1:]]
        for counts, fresh in zip(self._counts, pieces._counts, strict=True):
            counts[chunk : chunk + 1] = fresh
