"""Deeds on real folders and a real journal, with fakes for what other modules own: roots, index, events, thumbnails."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fs_service.domain.deeds import Deeds
from fs_service.domain.errors import OutsideRoots, RootOffline
from fs_service.domain.items import SUFFIXES, State, states_of
from fs_service.domain.locks import PathLocks
from fs_service.domain.media import is_hidden, kind_of
from fs_service.domain.ports import Marks, Place, RootState, TrashedItem
from fs_service.domain.step_undo import StepUndo
from fs_service.domain.trash import Trash
from fs_service.domain.trash_events import TrashEvent
from fs_service.store.companions import CompanionDisk, nothing
from fs_service.store.history import StoredHistory
from fs_service.store.journal import SqliteJournal
from fs_service.store.journal_db import JournalDatabase
from fs_service.store.marks import StoredMarks
from fs_service.store.recovery import Recovered, Recovery


class FakeRoots:
    """Roots by their inode; tests may say that one is read-only."""

    def __init__(self, paths: Iterable[bytes]) -> None:
        self.inodes = {path: os.stat(path).st_ino for path in paths}
        self.read_only: set[bytes] = set()

    def known(self) -> list[bytes]:
        return sorted(self.inodes)

    def place(self, path: bytes) -> Place:
        holding = [root for root in self.inodes if path == root or path.startswith(root.rstrip(b"/") + b"/")]
        if not holding:
            raise OutsideRoots
        root = max(holding, key=len)
        return Place(root, path[len(root.rstrip(b"/")) + 1 :])

    def state(self, root: bytes) -> tuple[RootState, str]:
        try:
            inode = os.stat(root).st_ino
        except OSError:
            return RootState.OFFLINE, "The directory is not there."
        if inode != self.inodes[root]:
            return RootState.SWAPPED, "Another directory stands in its place."
        if root in self.read_only:
            return RootState.READ_ONLY, "The directory cannot be written."
        return RootState.ONLINE, ""

    @contextmanager
    def opened(self, root: bytes) -> Iterator[int]:
        try:
            descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise RootOffline("The directory is not there.") from error
        try:
            if os.fstat(descriptor).st_ino != self.inodes[root]:
                raise RootOffline("Another directory stands in its place.")
            yield descriptor
        finally:
            os.close(descriptor)


class FakeIndex:
    """Remembers what it is told; its trash is what a walk of the disk finds."""

    def __init__(self, marks: Marks) -> None:
        self._marks = marks
        self.states: dict[bytes, State] = {}
        self.forgotten: list[bytes] = []

    def set_state(self, path: bytes, state: State) -> None:
        self.set_states([(path, state)])

    def set_states(self, states: Sequence[tuple[bytes, State]], *, made_here: bool = True) -> None:
        self.states.update(states)

    def forget(self, paths: Iterable[bytes]) -> None:
        self.forgotten.extend(paths)

    def trashed(self, root: bytes) -> Iterator[TrashedItem]:
        for path, state in sorted(self._walk(root)):
            if state & State.TRASHED:
                yield TrashedItem(Place(root, path[len(root) + 1 :]), state)

    def _walk(self, root: bytes) -> Iterator[tuple[bytes, State]]:
        for folder, folders, names in os.walk(root):
            folders[:] = [name for name in folders if not is_hidden(name)]
            regular = [name for name in names if _is_regular(os.path.join(folder, name))]
            states = states_of(regular)
            for name in names:
                if kind_of(name) is not None:
                    path = os.path.join(folder, name)
                    entry = self._marks.get(path)
                    yield path, states.get(name, State.NONE) if entry is None else entry


def _is_regular(path: bytes) -> bool:
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except FileNotFoundError:  # deleted while the walk was on its way
        return False


class FakeEvents:
    """Keeps what was emitted."""

    def __init__(self) -> None:
        self.emitted: list[tuple[str, dict[str, Any]]] = []

    def emit(self, kind: str, payload: dict[str, Any]) -> None:
        self.emitted.append((kind, payload))

    def emit_all(self, events: Sequence[tuple[str, dict[str, Any]]]) -> None:
        self.emitted.extend(events)


class FakeThumbnails:
    """Keeps what was dropped and pruned."""

    def __init__(self) -> None:
        self.dropped: list[bytes] = []
        self.pruned: list[bytes] = []

    def drop(self, paths: Sequence[bytes]) -> None:
        self.dropped.extend(paths)

    def prune(self, root: bytes) -> int:
        self.pruned.append(root)
        return 0


class World:
    """A root `<base>/rev` beside `<base>/rev2` and `<base>/outside`, and the use cases on it."""

    def __init__(
        self, base: Path, fault: Callable[[str], None] = nothing, roots: Sequence[str] = ("rev",), workers: int = 2
    ) -> None:
        self.base = base
        for name in ("rev", "rev2", "outside", *roots):
            (base / name).mkdir(exist_ok=True, parents=True)
        self.root = base / "rev"
        self.database = JournalDatabase(base / "journal.db", fault)
        self.roots = FakeRoots(os.fsencode(base / name) for name in roots)
        self.journal = SqliteJournal(self.database)
        self.marks = StoredMarks(self.database)
        self.index = FakeIndex(self.marks)
        self.events = FakeEvents()
        self.thumbnails = FakeThumbnails()
        self.locks = PathLocks()
        self.disk = CompanionDisk(self.roots, fault)
        parts = (self.roots, self.marks, self.index, self.events, self.journal, self.locks, self.disk)
        self.deeds = Deeds(*parts)
        self.history = StoredHistory(self.database)
        self.step_undo = StepUndo(self.deeds.marking, self.journal, self.history, self.locks)
        self.trash = Trash(*parts, self.thumbnails, workers)
        self.recovery = Recovery(
            self.roots, self.marks, self.index, self.journal, self.locks, self.disk, self.thumbnails, self.deeds
        )

    def __enter__(self) -> World:
        return self

    def __exit__(self, *_: object) -> None:
        self.database.close()

    def file(self, relative: str | bytes, content: bytes = b"picture", marks: State = State.NONE) -> bytes:
        """A media file with companions made by hand; its path."""
        path = os.path.join(os.fsencode(self.root), os.fsencode(relative))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content)
        self.mark(path, marks)
        return path

    def mark(self, path: bytes, marks: State) -> None:
        """Companions made by hand, exactly these."""
        for mark, suffix in SUFFIXES.items():
            companion = path + suffix
            if mark & marks:
                with open(companion, "wb"):
                    pass
            elif os.path.lexists(companion):
                os.unlink(companion)

    def state(self, path: bytes) -> State:
        """What the disk says."""
        state = State.NONE
        for mark, suffix in SUFFIXES.items():
            if os.path.isfile(path + suffix) and not os.path.islink(path + suffix):
                state |= mark
        return state

    def recovered(self) -> Recovered:
        """What a new start does with this folder."""
        with World(self.base, roots=[os.path.basename(os.fsdecode(one)) for one in self.roots.known()]) as later:
            return later.recovery.run()

    def empty(self, root: bytes | None = None) -> list[TrashEvent]:
        return list(self.trash.empty(root, None))

    def tree(self) -> dict[str, tuple[int, int]]:
        """Every name below the base but the journal's, with inode and size: equal means that nothing changed."""
        found = {}
        for folder, folders, names in os.walk(self.base):
            for name in folders + names:
                path = os.path.join(folder, name)
                facts = os.lstat(path)
                if not name.startswith("journal.db"):
                    found[os.path.relpath(path, self.base)] = (
                        facts.st_ino,
                        facts.st_size if stat.S_ISREG(facts.st_mode) else 0,
                    )
        return found
