"""A library on real folders with a real index; fakes for what looks into files and for marks that are kept apart."""

from __future__ import annotations

import json
import os
import stat
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from fs_service.domain.items import SUFFIXES, Item, Probe, State, StatusFilter
from fs_service.domain.library import Library
from fs_service.domain.media import Kind, companion_of, is_hidden, kind_of
from fs_service.store.background import Caretaker, Writer
from fs_service.store.config_yaml import ConfigFile
from fs_service.store.database import Database
from fs_service.store.events import StoredEvents, StoredOutbox
from fs_service.store.picker import DiskPicker
from fs_service.store.roots import ConfiguredRoots
from fs_service.store.shelves import StoredShelves


class FakeMarks:
    """Marks in a dictionary."""

    def __init__(self) -> None:
        self.states: dict[bytes, State] = {}

    def get(self, path: bytes) -> State | None:
        return self.states.get(path)

    def set_all(self, states: Sequence[tuple[bytes, State]]) -> None:
        self.states.update(states)

    def forget(self, paths: Iterable[bytes]) -> None:
        for path in paths:
            self.states.pop(path, None)

    def below(self, root: bytes) -> dict[bytes, State]:
        return {path: state for path, state in self.states.items() if path.startswith(root + b"/")}


class FakeProber:
    """Finds every file as wide as it has bytes; remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []
        self.hold = threading.Event()
        self.hold.set()

    def probe(self, files: Sequence[tuple[bytes, Kind]]) -> list[Probe]:
        self.hold.wait(10)
        self.asked += [os.path.realpath(path) for path, _ in files]  # named by an open folder
        return [Probe(os.stat(path).st_size, 1, None) for path, _ in files]


class World:
    """Everything from the state directory up, as the process builds it; `restart` is a new process, `crash` one
    that had no time to write what it had put off."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.state_dir = base / "state"
        self.state_dir.mkdir()
        self.marks = FakeMarks()
        self.prober = FakeProber()
        self._start()

    def _start(self) -> None:
        self.config = ConfigFile(self.state_dir)
        self.roots = ConfiguredRoots(self.config, self.state_dir)
        self.database = Database(self.state_dir)
        self.writer = Writer()
        self.events = StoredEvents(self.database, self.writer.wake)
        self.outbox = StoredOutbox(self.database)
        self.shelves = StoredShelves(self.roots, self.database, self.marks, self.events, self.prober, self.writer.wake)
        self.writer.start(self.shelves.flush, self.events.write)
        self.caretaker = Caretaker(self.shelves, self.roots, self.events)
        self.library = Library(
            self.roots, self.shelves, DiskPicker(), self.roots, self.events, os.fsencode(self.state_dir)
        )

    def __enter__(self) -> World:
        return self

    def __exit__(self, *_: object) -> None:
        self.writer.stop()
        self.database.close()

    def restart(self) -> None:
        self.writer.stop()
        self.database.close()
        self._start()

    def crash(self) -> None:
        """The old process writes nothing any more."""
        old = self.database
        self._start()
        old.close()

    def root(self, name: str = "rev") -> Path:
        """A new directory that is a root."""
        path = self.base / name
        path.mkdir(parents=True, exist_ok=True)
        self.library.add_root(os.fsencode(path))
        return path

    def background(self) -> None:
        """One round of what goes on in the background."""
        self.caretaker.round()

    def items(
        self,
        root: Path,
        status: StatusFilter = StatusFilter.ALL,
        offset: int = 0,
        limit: int = 10_000,
        after: bytes | None = None,
    ) -> list[Item]:
        return [
            item for batch in self.library.stream(os.fsencode(root), offset, limit, status, after) for item in batch
        ]

    def names(self, root: Path, *args: Any, **kwargs: Any) -> list[str]:
        """Paths below the root, in the stream's order."""
        prefix = os.fsencode(root) + b"/"
        return [os.fsdecode(item.path.removeprefix(prefix)) for item in self.items(root, *args, **kwargs)]

    def messages(self, forget: bool = True) -> list[tuple[str, str]]:
        """What waits in the outbox, but the jobs: (subject, name)."""
        rows = self.outbox.pending(1_000_000)
        if rows and forget:
            self.outbox.sent(rows[-1].sequence)
        return [
            (row.subject, os.path.basename(os.fsdecode(row.path))) for row in rows if row.subject != "jobs.thumbnail"
        ]

    def told(self, kind: str, after: int = 0) -> list[Any]:
        """Payloads of the public events of a kind."""
        return [json.loads(event.payload_json) for event in self.events.after(after, 10_000) if event.kind == kind]


def put(root: Path, *names: str, content: bytes = b"") -> None:
    """Make files, and the folders they are in."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def eventually(claim: Callable[[], bool], within_s: float = 5.0) -> None:
    """Wait until the claim is true."""
    deadline = time.monotonic() + within_s
    tick = threading.Event()
    while not claim():
        assert time.monotonic() < deadline, "it never became true"
        tick.wait(0.01)


def settled(path: Path) -> None:
    """Wait until a change of the directory's names must show in its time stamp."""
    tick = threading.Event()
    while time.time_ns() - max(path.stat().st_mtime_ns, path.stat().st_ctime_ns) < 80_000_000:
        tick.wait(0.02)


def oracle(root: Path) -> list[tuple[bytes, State]]:
    """What a root holds, by the plainest means: (relative path, state) in the order of pages."""
    found: list[tuple[bytes, State]] = []
    real_root = os.path.realpath(os.fsencode(root))
    for folder, folders, names in os.walk(os.fsencode(root)):
        folders[:] = [name for name in folders if not is_hidden(name)]
        present = {name for name in names if not os.path.islink(os.path.join(folder, name))}
        for name in names:
            path = os.path.join(folder, name)
            if kind_of(name) is None or companion_of(name) is not None:
                continue
            if os.path.islink(path) and not os.path.realpath(path).startswith(real_root + b"/"):
                continue
            try:
                if not stat.S_ISREG(os.stat(path).st_mode):
                    continue
            except OSError:
                continue
            state = State.NONE
            for mark, suffix in SUFFIXES.items():
                if name + suffix in present:
                    state |= mark
            found.append((os.path.relpath(path, os.fsencode(root)), state))
    return sorted(found, key=lambda one: (os.path.basename(one[0]), one[0]))
