"""All roots' shelves: implements `ports.Shelves`, and does in the background what nobody should wait for."""

from __future__ import annotations

import errno
import os
import stat
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Final

from media_common import beneath
from media_common.errors import InvalidArgument

from fs_service.domain.errors import ConfigBroken, NotMedia, OutsideRoots, PathMissing, RootOffline
from fs_service.domain.items import SUFFIXES, Item, State, StatusFilter
from fs_service.domain.media import is_hidden, kind_of
from fs_service.domain.paths import is_inside
from fs_service.domain.ports import EventLog, Marks, Place, Prober, Roots, RootState, TrashedItem
from fs_service.domain.timeline import Cut, Histogram
from fs_service.domain.views import Counts, FolderPage
from fs_service.store.database import Database
from fs_service.store.index_sqlite import drop_root, kept_roots, sweep
from fs_service.store.links import resolved
from fs_service.store.looks import Looks
from fs_service.store.rows import Facts, Row, Spot, joined, key_of, relative_of
from fs_service.store.shelf import Shelf
from fs_service.store.walk import list_folder

#: Items of a stream's first batch: a screenful, so that the first line is out before thousands are looked into.
FIRST_BATCH: Final = 16
BATCH: Final = 500
#: Where comparing with the disk is quick, counters are compared each time; else when they are older than this, and
#: nobody waits for it.
_STALE_S: Final = 2.0
_QUICK_S: Final = 0.01
#: Seconds between two looks that nobody asked for, or so many times what one takes if that is more.
_POLL_S: Final = 10.0
_POLL_SHARE: Final = 50.0
REACHABLE: Final = (RootState.ONLINE, RootState.READ_ONLY)
_UNKNOWN: Final = (None, 0, 0, 0, None, None, None)


class StoredShelves:
    """Shelves are made when their root is first asked for. `background.Background` calls the second half."""

    def __init__(
        self,
        roots: Roots,
        database: Database,
        marks: Marks,
        events: EventLog,
        prober: Prober,
        wake_writer: Callable[[], None],
    ) -> None:
        """Args:
        wake_writer: called when there is something for `flush`.
        """
        self._roots = roots
        self._database = database
        self._marks = marks
        self._events = events
        self._looks = Looks(roots, prober)
        self._wake_writer = wake_writer
        #: Set when there is something for the background to look at.
        self.news = threading.Event()
        self._stopping = threading.Event()
        self._shelves: dict[bytes, Shelf] = {}
        self._mutex = threading.Lock()

    # Looking

    def stream(
        self, root: bytes, status: StatusFilter, offset: int, after: bytes | None, limit: int
    ) -> Iterator[list[Item]]:
        shelf = self._shelf(root)
        shelf.fresh()
        key = None if after is None else key_of(after)

        def page(behind: Row | None, skipped: int, most: int) -> list[Row]:
            return shelf.page(status, key if behind is None else behind.key, skipped, most)

        return self._batches(shelf, root, page, offset, limit)

    def cut(self, root: bytes, cut: Cut, offset: int, after: bytes | None, limit: int) -> Iterator[list[Item]]:
        shelf = self._shelf(root)
        shelf.fresh()
        spot: Spot | None = None
        if after is not None:
            spot = shelf.spot(after) if cut.by_date else (0, key_of(after))
            if spot is None:
                raise InvalidArgument("after must be an item that is there, when the order is by date.")

        def page(behind: Row | None, skipped: int, most: int) -> list[Row]:
            return shelf.cut_page(cut, spot if behind is None else (behind.dated_us, behind.key), skipped, most)

        return self._batches(shelf, root, page, offset, limit)

    def _batches(
        self, shelf: Shelf, root: bytes, page: Callable[[Row | None, int, int], list[Row]], offset: int, limit: int
    ) -> Iterator[list[Item]]:
        """
        Args:
            page: rows behind a row (None: from the listing's begin), after so many skipped, at most so many.
        """
        last: Row | None = None
        size = FIRST_BATCH
        while limit > 0:
            asked = min(size, limit)
            rows = page(last, offset, asked)
            if not rows:
                return
            items = self._seen(shelf, root, rows)
            if not items:
                self._check_reachable(root)
            else:
                yield items
            if len(rows) < asked:
                return
            # Files that have gone meanwhile are made up for: a page is full while items remain.
            limit -= len(items)
            last, offset, size = rows[-1], 0, BATCH

    def folder_page(self, place: Place, offset: int, limit: int) -> FolderPage:
        if any(is_hidden(part) for part in place.relative.split(b"/")):
            raise PathMissing("The folder is hidden.")
        try:
            with (
                self._roots.opened(place.root) as root_fd,
                beneath.folder(root_fd, place.relative.split(b"/") if place.relative else []) as folder_fd,
            ):
                listing = list_folder(folder_fd)
        except beneath.Escapes as error:
            raise OutsideRoots from error
        except PermissionError as error:
            raise PathMissing("The folder may not be read.") from error
        except OSError as error:
            raise PathMissing("Path does not exist or is not a directory.") from error
        entries = listing.entries
        for name, entry in listing.links.items():
            if resolved(self._roots, joined(place.path, name)) is not None:
                entries[name] = entry
        names = sorted(entries)
        shelf = self._shelf(place.root)
        items: list[Item] = []
        while len(items) < limit and (names_here := names[offset : offset + limit - len(items)]):
            keys = {key_of(joined(place.relative, name)): entries[name] for name in names_here}
            known = shelf.rows(keys)
            rows = []
            for key, entry in keys.items():
                facts = known[key][4:] if key in known else _UNKNOWN
                mark = self._marks.get(joined(place.root, relative_of(key)))
                rows.append(Row(key, entry.kind, entry.state if mark is None else int(mark), entry.link, *facts))
            items += self._seen(shelf, place.root, rows)
            offset += len(names_here)
        return FolderPage(place.path, items, len(entries), listing.ignored)

    def item(self, place: Place) -> Item:
        link, state = self._look(place)
        key = key_of(place.relative)
        shelf = self._shelf(place.root)
        known = shelf.rows([key]).get(key)
        if known is None or known.state != int(state):
            shelf.doubt(place.relative)
            link, state = self._look(place)
        kind = kind_of(place.relative.rpartition(b"/")[2])
        facts = _UNKNOWN if known is None else known[4:]
        row = Row(key, int(kind or 0), int(state), link, *facts)
        items = self._seen(shelf, place.root, [row])
        if not items:
            raise PathMissing
        return items[0]

    def check(self, place: Place) -> None:
        self._look(place)

    def _look(self, place: Place) -> tuple[bool, State]:
        """Whether the file is a link, and its marks, through the root's own descriptor."""
        folder, _, name = place.relative.rpartition(b"/")
        folders = folder.split(b"/") if folder else []
        if kind_of(name) is None or any(is_hidden(part) for part in folders):
            raise NotMedia
        try:
            with self._roots.opened(place.root) as root_fd:
                real = beneath.resolve_file(place.root, root_fd, place.relative)
                os.close(beneath.open_file(root_fd, real))
                with beneath.folder(root_fd, folders) as folder_fd:
                    state = _marks_beside(name, folder_fd)
        except beneath.Escapes as error:
            raise OutsideRoots from error
        except PermissionError as error:
            raise PathMissing("The file may not be read.") from error
        except IsADirectoryError as error:
            raise NotMedia from error
        except OSError as error:
            raise (NotMedia() if error.errno == errno.EINVAL else PathMissing()) from error
        mark = self._marks.get(place.path)
        return real != place.relative, state if mark is None else mark

    def _seen(self, shelf: Shelf, root: bytes, rows: Sequence[Row]) -> list[Item]:
        items, probed = self._looks.items(root, rows)
        if probed:
            shelf.remember(probed)
        return items

    def _check_reachable(self, root: bytes) -> None:
        state, reason = self._roots.state(root)
        if state not in REACHABLE:
            raise RootOffline(reason)

    # Counting

    def counts(self, root: bytes) -> Counts:
        shelf = self._shelf(root)
        shelf.counts()  # brings in what was put, which may show that the index is behind the disk
        if not shelf.walked or shelf.behind or shelf.check_s < _QUICK_S:
            with suppress(RootOffline):
                shelf.fresh()
        elif time.monotonic() - shelf.checked_at > _STALE_S:
            shelf.wanted = True
            self.news.set()
        return shelf.counts() if shelf.walked else Counts()

    def histogram(self, place: Place, status: StatusFilter, *, recursive: bool) -> Histogram:
        self.counts(place.root)  # as true to the disk as the counters are
        return self._shelf(place.root).histogram(place.relative, status, recursive=recursive)

    def learn(self, found: Mapping[bytes, Facts]) -> None:
        """What was read inside files, by their absolute paths."""
        by_root: dict[bytes, dict[bytes, Facts]] = {}
        roots = self._roots.known()
        for path, facts in found.items():
            for root in roots:
                if path != root and is_inside(path, root):
                    by_root.setdefault(root, {})[key_of(path[len(root.rstrip(b"/")) + 1 :])] = facts
        for root, of_root in by_root.items():
            self._shelf(root).learn(of_root)

    def undated(self, root: bytes, after: bytes, limit: int) -> list[bytes]:
        """Keys of the root's rows whose files nobody has read yet, behind that key."""
        return self._shelf(root).undated(after, limit)

    def scanned(self, root: bytes) -> bool:
        return self._shelf(root).walked

    def pending_scans(self) -> int:
        try:
            known = self._roots.known()
        except ConfigBroken:  # nothing is scanned then; the other figures are still wanted
            return 0
        return sum(not self._shelf(root).persisted and self._roots.state(root)[0] in REACHABLE for root in known)

    # Deeds

    def set_state(self, path: bytes, state: State) -> None:
        self.set_states([(path, state)])

    def set_states(self, states: Sequence[tuple[bytes, State]], *, made_here: bool = True) -> None:
        roots = self._roots.known()
        for path, state in states:
            self._put(roots, path, state, made_here)
        self._wake_writer()

    def forget(self, paths: Iterable[bytes]) -> None:
        roots = self._roots.known()
        for path in paths:
            self._put(roots, path, None)
        self._wake_writer()

    def _put(self, roots: Sequence[bytes], path: bytes, state: State | None, made_here: bool = True) -> None:
        for root in roots:
            if path != root and is_inside(path, root):
                self._shelf(root).put(path[len(root.rstrip(b"/")) + 1 :], state, made_here=made_here)

    def trashed(self, root: bytes) -> Iterator[TrashedItem]:
        shelf = self._shelf(root)
        shelf.fresh()
        found: list[tuple[bytes, State]] = []
        key: bytes | None = None
        while rows := shelf.page(StatusFilter.TRASHED, key, 0, BATCH):
            found += [(relative_of(row.key), State(row.state)) for row in rows]
            key = rows[-1].key
        for relative, state in sorted(found):
            with suppress(OutsideRoots):  # taken off the list meanwhile
                yield TrashedItem(self._roots.place(joined(root.rstrip(b"/"), relative)), state)

    def stop(self) -> None:
        """Break off walks: the process ends, and the next one begins them anew."""
        self._stopping.set()

    # Roots

    def root_added(self) -> None:
        self._links_may_lead_elsewhere()
        self.news.set()

    def root_removed(self, root: bytes) -> None:
        with self._mutex:
            shelf = self._shelves.pop(root, None)
        if shelf is not None:
            shelf.close()
        drop_root(self._database, root)
        self._links_may_lead_elsewhere()
        self.news.set()

    def shelf_roots(self) -> set[bytes]:
        """The roots that have rows or a shelf."""
        with self._mutex:
            return {*self._shelves, *kept_roots(self._database)}

    def flush(self) -> None:
        """Write every state that was put. Raises StorageFailed."""
        for shelf in self._all():
            shelf.flush()

    def keep_true(self, root: bytes) -> bool:
        """Scan the root when it never was, else compare it with the disk when that is due; whether it was done.

        Raises:
            RootOffline, StorageFailed.
        """
        shelf = self._shelf(root)
        if shelf.persisted:
            due = shelf.wanted or time.monotonic() - shelf.checked_at > max(_POLL_S, _POLL_SHARE * shelf.check_s)
            if due:
                shelf.wanted = False
                shelf.fresh()
            return due
        if not shelf.walked:
            shelf.fresh()
        return shelf.persist()

    def sweep(self) -> bool:
        """Delete some rows of removed roots; whether there were any."""
        return sweep(self._database)

    def _links_may_lead_elsewhere(self) -> None:
        for shelf in self._all():
            shelf.roots_changed()

    def _all(self) -> list[Shelf]:
        with self._mutex:
            return list(self._shelves.values())

    def _shelf(self, root: bytes) -> Shelf:
        with self._mutex:
            shelf = self._shelves.get(root)
            if shelf is None:
                shelf = self._shelves[root] = Shelf(
                    root, self._roots, self._database, self._marks, self._events, self._stopping
                )
            return shelf


def _marks_beside(name: bytes, folder_fd: int) -> State:
    """The marks whose companion is there."""
    state = State.NONE
    for mark, suffix in SUFFIXES.items():
        with suppress(OSError):
            if stat.S_ISREG(os.stat(name + suffix, dir_fd=folder_fd, follow_symlinks=False).st_mode):
                state |= mark
    return state
