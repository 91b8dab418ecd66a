"""The index of one root in memory: what the first page of an unknown root is served from while SQLite catches up,
and the plain model that the other index is compared with.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator
from itertools import islice

from fs_service.domain.items import StatusFilter
from fs_service.domain.timeline import ByState, Cut
from fs_service.domain.views import Counts
from fs_service.store.days import DayCounts, day_of
from fs_service.store.rows import UNDATED, Delta, Entry, Facts, Folder, Row, Spot, admits, folder_of


class MemoryIndex:
    """Implements `rows.RootIndex` with a sorted list of keys; pages of a filter look at every row."""

    def __init__(self) -> None:
        self._folders: dict[bytes, Folder] = {}
        self._contents: dict[bytes, dict[bytes, Entry]] = {}
        self._keys: list[bytes] = []
        self._facts: dict[bytes, Facts] = {}
        self._counts: Counts | None = None
        self._days: DayCounts | None = None
        self._dated: list[Spot] | None = None

    def load(self, listed: Iterable[tuple[Folder, dict[bytes, Entry]]]) -> None:
        """Take a whole walk over, in place of everything."""
        keys: list[bytes] = []
        for folder, entries in listed:
            self._folders[folder.relative] = folder
            self._contents[folder.relative] = entries
            tail = b"\0" + (folder.relative + b"/" if folder.relative else b"")
            keys += [name + tail + name for name in entries]
        keys.sort()
        self._keys = keys
        self._counts = self._days = self._dated = None

    def folders(self) -> Iterator[Folder]:
        return iter(list(self._folders.values()))

    def contents(self, folder: bytes) -> dict[bytes, Entry]:
        return dict(self._contents.get(folder, {}))

    def facts(self, key: bytes) -> Facts | None:
        return self._facts.get(key)

    def apply(self, delta: Delta) -> None:
        self._counts = self._days = self._dated = None
        for folder in delta.folders:
            self._folders[folder.relative] = folder
            self._contents.setdefault(folder.relative, {})
        gone: set[bytes] = set()
        found: list[bytes] = []
        for key, old, new in delta.changes:
            name, _, relative = key.partition(b"\0")
            contents = self._contents.setdefault(folder_of(relative), {})
            if new is None:
                del contents[name]
                gone.add(key)
            else:
                contents[name] = new
                if old is None:
                    found.append(key)
        self._rekey(gone, found)
        for change in delta.changes:
            if change.is_another_file or change.new is None:
                self._facts.pop(change.key, None)
        for probed in delta.probed:
            if self.row(probed.key) is not None:
                self._facts[probed.key] = probed.facts
        for relative in delta.dropped:
            self._folders.pop(relative, None)
            self._contents.pop(relative, None)

    def _rekey(self, gone: set[bytes], found: list[bytes]) -> None:
        if len(gone) + len(found) > 100:
            self._keys = sorted([key for key in self._keys if key not in gone] + found)
            return
        for key in gone:
            del self._keys[bisect_left(self._keys, key)]
        for key in found:
            insort(self._keys, key)

    def page(self, status: StatusFilter, after: bytes | None, offset: int, limit: int) -> list[Row]:
        start = 0 if after is None else bisect_right(self._keys, after)
        if status is StatusFilter.ALL:
            return [self._row(key) for key in self._keys[start + offset : start + offset + limit]]
        admitted = (key for key in islice(self._keys, start, None) if admits(status, self._present(key).state))
        return [self._row(key) for key in islice(admitted, offset, offset + limit)]

    def row(self, key: bytes) -> Row | None:
        name, _, relative = key.partition(b"\0")
        return self._row(key) if name in self._contents.get(folder_of(relative), {}) else None

    def entry(self, key: bytes) -> Entry | None:
        name, _, relative = key.partition(b"\0")
        return self._contents.get(folder_of(relative), {}).get(name)

    def counts(self) -> Counts:
        if self._counts is None:
            states = [entry.state for entries in self._contents.values() for entry in entries.values()]

            def count(status: StatusFilter) -> int:
                return sum(admits(status, state) for state in states)

            self._counts = Counts(
                len(states), count(StatusFilter.UNSEEN), count(StatusFilter.LOCKED), count(StatusFilter.TRASHED)
            )
        return self._counts

    def days(self, folder: bytes | None, *, recursive: bool) -> dict[int, ByState]:
        return self._counted().of(folder, recursive=recursive)

    def folder_counts(self, status: StatusFilter) -> list[tuple[bytes, int]]:
        return list(self._counted().folders(status))

    def cut_page(self, cut: Cut, after: Spot | None, offset: int, limit: int) -> list[Row]:
        if not cut.by_date:
            spots = ((0, key) for key in self._keys if after is None or key > after[1])
        else:
            if self._dated is None:
                self._dated = sorted((self._when(key), key) for key in self._keys)
            spots = (spot for spot in self._dated if after is None or spot > after)
        passing = (key for when_us, key in spots if self._passes(cut, when_us, key))
        return [self._row(key) for key in islice(passing, offset, offset + limit)]

    def undated(self, after: bytes, limit: int) -> list[bytes]:
        keys = islice(self._keys, bisect_right(self._keys, after), None)
        return list(islice((key for key in keys if self._when(key) == UNDATED), limit))

    def _counted(self) -> DayCounts:
        if self._days is None:
            self._days = DayCounts(
                (folder_of(key.partition(b"\0")[2]), day_of(self._when(key)), int(self._present(key).state), 1)
                for key in self._keys
            )
        return self._days

    def _when(self, key: bytes) -> int:
        facts = self._facts.get(key)
        return UNDATED if facts is None else facts.dated_us

    def _passes(self, cut: Cut, when_us: int, key: bytes) -> bool:
        if cut.folder is not None and folder_of(key.partition(b"\0")[2]) != cut.folder:
            return False
        if cut.by_date and not cut.has_day(None if when_us == UNDATED else day_of(when_us)):
            return False
        return admits(cut.status, self._present(key).state)

    def _present(self, key: bytes) -> Entry:
        name, _, relative = key.partition(b"\0")
        return self._contents[folder_of(relative)][name]

    def _row(self, key: bytes) -> Row:
        entry = self._present(key)
        facts = self._facts.get(key)
        if facts is None:
            return Row(key, entry.kind, entry.state, entry.link, None, 0, 0, 0, None, None, None)
        return Row(key, entry.kind, entry.state, entry.link, *facts)
