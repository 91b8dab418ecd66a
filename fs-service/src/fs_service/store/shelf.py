"""One root's index, kept true to the disk: whoever asks gets what the disk held at the moment of asking or later.

A root that was never scanned is walked into memory and served from there at once; `persist` brings it to SQLite in the
background. From then on a look costs one `stat` a known folder, and only folders that changed are listed again.
"""

from __future__ import annotations

import logging
import math
import os
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from heapq import heapify, heappop, heappush
from itertools import chain
from typing import Final, NamedTuple

from media_common import beneath

from fs_service.domain.errors import StorageFailed
from fs_service.domain.items import State, StatusFilter
from fs_service.domain.marking import state_event
from fs_service.domain.ports import EventLog, Marks, Roots
from fs_service.domain.timeline import Cut, Histogram, counts_of, days_shown, next_folder
from fs_service.domain.views import Counts
from fs_service.store.catching_up import CatchingUp, wanted_of
from fs_service.store.database import Database
from fs_service.store.days import NO_DAY
from fs_service.store.index_memory import MemoryIndex
from fs_service.store.index_sqlite import SqliteIndex
from fs_service.store.links import LinkTargets
from fs_service.store.rows import (
    NEVER,
    UNDATED,
    Change,
    Delta,
    Entry,
    Facts,
    Folder,
    Probed,
    RootIndex,
    Row,
    Spot,
    differences,
    folder_of,
    joined,
    key_of,
    relative_of,
)
from fs_service.store.walk import Listing, list_folder, stamp_of, walk

logger = logging.getLogger(__name__)

#: Seconds between two `scan` events of a walk.
_PROGRESS_S: Final = 0.5
#: Seconds that counters wait for a comparison with the disk. Most take a few milliseconds; those of a huge or sleeping
#: disk are not waited for.
_PATIENCE_S: Final = 0.5
_GONE: Final = (FileNotFoundError, NotADirectoryError, beneath.Escapes)


class _Put(NamedTuple):
    """A state that the disk has already; see `Shelf.put`."""

    state: State | None
    made_here: bool


class Shelf:
    """One root. Every use of the index takes `_lock`, so a page never sees half of a change."""

    def __init__(
        self,
        root: bytes,
        roots: Roots,
        database: Database,
        marks: Marks,
        events: EventLog,
        stopping: threading.Event,
    ) -> None:
        """Args:
        stopping: set to break off walks and what goes on in the background.
        """
        self._root = root
        self._stopping = stopping
        self._prefix = root.rstrip(b"/") + b"/"
        self._roots = roots
        self._marks = marks
        self._events = events
        self._lock = threading.RLock()
        self._kept = SqliteIndex(database, root)
        self._memory: MemoryIndex | None = None
        self._unwritten: set[bytes] = set()  # folders that differ between memory and SQLite
        self._known: dict[bytes, Folder] = {}
        self._paths: dict[bytes, bytes] = {}
        self._children: dict[bytes, set[bytes]] = {}
        self._links = LinkTargets(roots)
        self._pending: dict[bytes, _Put] = {}
        self._doubted: dict[bytes, set[bytes]] = {}  # rows by folder, see `doubt`
        self._again: set[bytes] = set()  # of these, those that are told when a walk in memory is over
        self._pending_lock = threading.Lock()
        self._last_counts = Counts()
        self._closed = False
        self.checked_at = -math.inf  # when the last comparison with the disk began
        self.check_s = 0.0  # how long it took; none yet: it is tried
        self.wanted = False  # somebody would like one soon
        if self._kept.scanned:
            self._learn(self._kept.folders())

    @property
    def walked(self) -> bool:
        """The first scan is complete, in memory at least."""
        return self._memory is not None or self._kept.scanned

    @property
    def persisted(self) -> bool:
        return self._kept.scanned

    @property
    def behind(self) -> bool:
        """Known to differ from the disk, or never compared with it by this process."""
        return self.checked_at == -math.inf

    @property
    def _index(self) -> RootIndex:
        return self._memory if self._memory is not None else self._kept

    # Reading

    def fresh(self) -> None:
        """Compare with the disk, unless somebody else began to do so after this call did.

        Raises:
            RootOffline, StorageFailed.
        """
        asked = time.monotonic()
        with self._lock:
            if self.checked_at > asked:
                return
            begun = time.monotonic()
            with self._roots.opened(self._root) as root_fd:
                self._flush()
                if walked := self.walked:
                    if suspects := self._suspects(root_fd):
                        self._relist(root_fd, suspects)
                else:
                    self._walk(root_fd)
            self.checked_at = begun
            if walked:  # how long a walk took says nothing about that
                self.check_s = time.monotonic() - begun

    def page(self, status: StatusFilter, after: bytes | None, offset: int, limit: int) -> list[Row]:
        """As `rows.RootIndex.page`, with every state that was put before."""
        with self._lock:
            self._flush()
            return self._index.page(status, after, offset, limit)

    def counts(self) -> Counts:
        """Waits a moment, not for ever, for a comparison that is under way; then the counts are those before it."""
        if self._lock.acquire(timeout=_PATIENCE_S):
            try:
                self._flush()
                self._last_counts = self._index.counts()
            finally:
                self._lock.release()
        return self._last_counts

    def cut_page(self, cut: Cut, after: Spot | None, offset: int, limit: int) -> list[Row]:
        """As `page`, of a cut."""
        with self._lock:
            self._flush()
            return self._index.cut_page(cut, after, offset, limit)

    def spot(self, relative: bytes) -> Spot | None:
        """Where the file stands in a listing by date; None: there is no such row."""
        with self._lock:
            row = self._index.row(key_of(relative))
        return None if row is None else (row.dated_us, row.key)

    def histogram(self, folder: bytes, status: StatusFilter, *, recursive: bool) -> Histogram:
        """The days of the folder (empty: the root's), with every state that was put before."""
        with self._lock:
            self._flush()
            days = dict(self._index.days(folder if folder or not recursive else None, recursive=recursive))
            behind = next_folder(self._index.folder_counts(status), folder)
            below = folder + b"/" if folder else b""
            ignored = sum(
                one.ignored
                for relative, one in self._known.items()
                if relative == folder or (recursive and relative.startswith(below))
            )
        undated = days.pop(NO_DAY, None)
        return Histogram(
            self._path_of(folder),
            days_shown(days, status),
            Counts() if undated is None else counts_of(undated),
            ignored,
            None if behind is None else self._path_of(behind[0]),
            0 if behind is None else behind[1],
        )

    def _path_of(self, folder: bytes) -> bytes:
        return self._prefix + folder if folder else self._root

    def undated(self, after: bytes, limit: int) -> list[bytes]:
        """Keys of rows whose files nobody has read yet, behind that key; none while a walk is under way."""
        if not self.walked or not self._lock.acquire(timeout=0.1):
            return []
        try:
            return self._index.undated(after, limit)
        finally:
            self._lock.release()

    def rows(self, keys: Iterable[bytes]) -> dict[bytes, Row]:
        """Those that there are; none while a walk is under way."""
        if not self.walked or not self._lock.acquire(timeout=0.1):
            return {}
        try:
            return {key: row for key in keys if (row := self._index.row(key)) is not None}
        finally:
            self._lock.release()

    # Writing

    def put(self, relative: bytes, state: State | None, *, made_here: bool = True) -> None:
        """A state that the disk has already (None: the file is gone). Costs nothing now: it is written with others
        soon, and before anything is read.

        Args:
            made_here: by a deed, which tells the followers itself; else it was found so.
        """
        with self._pending_lock:
            self._pending[key_of(relative)] = _Put(state, made_here)

    def doubt(self, relative: bytes) -> None:
        """Somebody is about to look at a file that is not as its row says. When its folder is listed next, the file's
        state is told once more, changed or not: should it be as the row says again by then, nothing else would tell.

        The look has to come after. A row that differs from the disk has a folder that will be listed again; a look
        that agrees with the row needs none of this.
        """
        with self._pending_lock:
            self._doubted.setdefault(folder_of(relative), set()).add(key_of(relative))

    def flush(self) -> None:
        """Write what was put."""
        if self._pending:
            with self._lock:
                self._flush()

    def remember(self, probed: list[Probed]) -> None:
        """New facts of rows; of rows that are gone meanwhile, nothing."""
        with self._lock:
            there = [one for one in probed if (row := self._index.row(one.key)) is not None and _is_new(row, one.facts)]
            if there and self.walked:
                self._apply(Delta(probed=there))

    def learn(self, found: Mapping[bytes, Facts]) -> None:
        """As `remember`, from somebody who has read the files without having looked at their rows, by key."""
        rows = self.rows(found)
        self.remember(
            [
                Probed(key, found[key], edited=row.inode is not None and not _is_of(row, found[key]))
                for key, row in rows.items()
            ]
        )

    def roots_changed(self) -> None:
        """Which links lead out of their root may be another question now."""
        with self._lock:
            self._links.clear()

    def close(self) -> None:
        with self._lock:
            self._closed = True

    def persist(self) -> bool:
        """Bring a walk that is in memory to SQLite, in small transactions, while pages are served from memory. A
        process that dies in the middle leaves rows that the next walk compares with.

        Returns:
            Whether there was something to do.
        """
        memory = self._memory
        if memory is None:
            return False
        with self._lock:
            self._unwritten.clear()
            todo = list(chain(self._known, (folder.relative for folder in self._kept.folders())))
        catching_up = CatchingUp(self._kept)
        for relative in dict.fromkeys(todo):
            with self._lock:
                if self._closed or self._stopping.is_set():
                    return False
                self._unwritten.discard(relative)
                wanted = wanted_of(self._known.get(relative), memory)
            catching_up.add(relative, wanted)
        catching_up.write()
        self._kept.prepare()
        with self._lock:
            if self._closed:
                return False
            for relative in self._unwritten:
                catching_up.add(relative, wanted_of(self._known.get(relative), memory))
            catching_up.write()
            self._unwritten.clear()
            self._kept.apply(Delta(again=sorted(self._again)))
            self._again.clear()
            self._kept.mark_scanned()
            self._memory = None
            found = self._kept.counts().all
        self._events.emit("scan", {"path": os.fsdecode(self._root), "found": found, "done": True})
        return True

    # Keeping true

    def _flush(self) -> None:
        with self._pending_lock:
            pending, self._pending = self._pending, {}
        if not pending or not self.walked or self._closed:
            return
        delta = Delta()
        touched: set[bytes] = set()
        found: list[Change] = []
        for key, (state, made_here) in pending.items():
            old = self._index.entry(key)
            new = None if old is None or state is None else old._replace(state=int(state))
            if new != old:
                delta.changes.append(Change(key, old, new))
                if not made_here:
                    found.append(delta.changes[-1])
            if new != old or made_here:
                touched.add(folder_of(relative_of(key)))
            if old is None and state is not None:
                self.checked_at = -math.inf  # a file that the index has not seen yet: it is behind the disk
        for relative in touched:
            folder = self._known.get(relative)
            if folder is not None and folder.settled:
                # The disk may have moved on since that state was put: the folder is listed again next time.
                delta.folders.append(replace(folder, settled=False))
        try:
            self._apply(delta)
        except StorageFailed:
            with self._pending_lock:
                self._pending = pending | self._pending
            raise
        self._tell(found)

    def _apply(self, delta: Delta) -> None:
        if not delta or self._closed:
            return
        self._index.apply(delta)
        for relative in delta.dropped:
            self._known.pop(relative, None)
            self._paths.pop(relative, None)
            self._children.pop(relative, None)
            self._children.get(folder_of(relative), set()).discard(relative)
            with self._pending_lock:
                self._doubted.pop(relative, None)
        self._learn(delta.folders)
        if self._memory is not None:
            self._again.update(delta.again)
            self._unwritten.update(delta.dropped)
            self._unwritten.update(folder.relative for folder in delta.folders)
            self._unwritten.update(folder_of(relative_of(change.key)) for change in delta.changes)
            self._unwritten.update(folder_of(relative_of(probed.key)) for probed in delta.probed)

    def _learn(self, folders: Iterable[Folder]) -> None:
        for folder in folders:
            relative = folder.relative
            if relative not in self._known:
                self._paths[relative] = self._prefix + relative
                if relative:
                    self._children.setdefault(folder_of(relative), set()).add(relative)
            self._known[relative] = folder

    def _walk(self, root_fd: int) -> None:
        path = os.fsdecode(self._root)
        self._events.emit("scan", {"path": path, "found": 0, "done": False})
        last = time.monotonic()

        def progress(found: int) -> None:
            nonlocal last
            if self._stopping.is_set():
                raise StorageFailed("The service is stopping.")
            if time.monotonic() - last > _PROGRESS_S:
                last = time.monotonic()
                self._events.emit("scan", {"path": path, "found": found, "done": False})

        marks = self._marks.below(self._root)
        try:
            listed = [
                (_folder(relative, listing), self._visible(relative, listing, marks))
                for relative, listing in walk(root_fd, progress)
            ]
        except OSError as error:
            raise StorageFailed(f"The review path cannot be read: {error.strerror}.") from error
        memory = MemoryIndex()
        memory.load(listed)
        self._learn(folder for folder, _ in listed)
        self._memory = memory

    def _suspects(self, root_fd: int) -> list[bytes]:
        """Known folders that must be listed again."""
        suspects = []
        paths = self._paths
        for relative, folder in self._known.items():
            try:
                facts = os.lstat(paths[relative]) if relative else os.fstat(root_fd)
            except (FileNotFoundError, NotADirectoryError):
                # Its parent says whether it is gone.
                suspects.append(folder_of(relative))
                continue
            except OSError:
                continue
            if not folder.settled or folder.stamp != stamp_of(facts) or (folder.links and self._has_moved(folder)):
                suspects.append(relative)
        return suspects

    def _has_moved(self, folder: Folder) -> bool:
        """Whether a link in the folder leads to another file than at its last listing."""
        return any(self._links.has_moved(self._prefix + joined(folder.relative, name)) for name in folder.links)

    def _relist(self, root_fd: int, suspects: list[bytes]) -> None:
        doubted: dict[bytes, set[bytes]] = {}
        try:
            self._list_again(root_fd, suspects, doubted)
        except BaseException:
            with self._pending_lock:
                for relative, keys in doubted.items():
                    self._doubted.setdefault(relative, set()).update(keys)
            raise

    def _list_again(self, root_fd: int, suspects: list[bytes], doubted: dict[bytes, set[bytes]]) -> None:
        """
        Args:
            doubted: whatever is taken out of `_doubted` is put here.
        """
        delta = Delta()
        still: list[Change] = []  # told once more
        dropped: set[bytes] = set()
        marks: Mapping[bytes, State] | None = None
        # By length: a folder comes before everything below it.
        waiting = [(len(relative), relative) for relative in set(suspects)]
        heapify(waiting)
        while waiting:
            _, relative = heappop(waiting)
            if relative in dropped:
                continue
            try:
                with beneath.folder(root_fd, relative.split(b"/") if relative else []) as folder_fd:
                    listing = list_folder(folder_fd)
            except _GONE:
                self._drop(relative, delta, dropped)
                continue
            except OSError as error:
                # Nothing is gone because a disk does not answer; asked again next time.
                logger.debug("a folder cannot be listed: %s", error.strerror)
                if relative not in self._known:
                    delta.folders.append(Folder(relative, NEVER, settled=False))
                continue
            if marks is None:
                marks = self._marks.below(self._root)
            folder = _folder(relative, listing)
            known = self._known.get(relative)
            if folder != known:
                delta.folders.append(folder)
            entries = self._visible(relative, listing, marks)
            kept = self._index.contents(relative) if known else {}
            changes = differences(relative, kept, entries)
            delta.changes += changes
            with self._pending_lock:
                doubted[relative] = self._doubted.pop(relative, set())
            for key in doubted[relative] - {change.key for change in changes}:
                if (entry := entries.get(relative_of(key).rpartition(b"/")[2])) is not None:
                    still.append(Change(key, entry, entry))
            below = {joined(relative, name) for name in listing.subfolders}
            for child in self._children.get(relative, set()) - below:
                self._drop(child, delta, dropped)
            for child in below - self._known.keys():
                heappush(waiting, (len(child), child))
        delta.again = [change.key for change in still]
        self._apply(delta)
        self._tell(delta.changes)
        self._emit(still)

    def _drop(self, relative: bytes, delta: Delta, dropped: set[bytes]) -> None:
        """The folder and all below it are gone."""
        todo = [relative]
        while todo:
            folder = todo.pop()
            todo += self._children.get(folder, ())
            dropped.add(folder)
            if folder in self._known:
                delta.dropped.append(folder)
                delta.changes += differences(folder, self._index.contents(folder), {})

    def _visible(self, folder: bytes, listing: Listing, marks: Mapping[bytes, State]) -> dict[bytes, Entry]:
        """The listing's media: links only when they lead to a file in the same root, and marks that are kept apart
        instead of companions."""
        entries = listing.entries
        for name, entry in listing.links.items():
            if self._links.leads_inside(self._prefix + joined(folder, name)):
                entries[name] = entry
        if marks:
            for name, entry in entries.items():
                mark = marks.get(self._prefix + joined(folder, name))
                if mark is not None:
                    entries[name] = entry._replace(state=int(mark))
        return entries

    def _tell(self, changes: list[Change]) -> None:
        """The public events of states that somebody changed by hand."""
        self._emit([one for one in changes if one.old and one.new and one.old.state != one.new.state])

    def _emit(self, changes: list[Change]) -> None:
        for key, _, new in changes:
            if new is not None:
                self._events.emit(*state_event(self._prefix + relative_of(key), State(new.state)))


def _folder(relative: bytes, listing: Listing) -> Folder:
    return Folder(relative, listing.stamp, listing.settled, listing.ignored, tuple(sorted(listing.links)))


def _is_of(row: Row, facts: Facts) -> bool:
    """Whether the facts are of the file as the row knows it."""
    return (row.inode, row.size_bytes, row.mtime_ns) == (facts.inode, facts.size_bytes, facts.mtime_ns)


def _is_new(row: Row, facts: Facts) -> bool:
    """Whether the facts say more than the row. A look that does not read when a file is from forgets nothing."""
    return not _is_of(row, facts) or facts.dated_us not in (UNDATED, row.dated_us)
