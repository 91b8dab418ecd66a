"""What the rules and the use cases need from outside. All of it is synchronous: the servicer runs it in threads.

Paths are bytes, absolute unless named `relative`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Protocol

from fs_service.domain.items import Described, Identity, Item, Probe, State, StatusFilter
from fs_service.domain.media import Kind
from fs_service.domain.timeline import Cut, Histogram
from fs_service.domain.views import Counts, FolderInfo, FolderPage, Settings


class RootState(IntEnum):
    """The numbers are those of the contract's `RootState`."""

    ONLINE = 1
    READ_ONLY = 2
    OFFLINE = 3
    SWAPPED = 4


@dataclass(frozen=True, slots=True)
class Place:
    """A path inside the deepest review root that holds it."""

    root: bytes
    relative: bytes  # clean: no empty, `.` or `..` part; empty for the root itself

    @property
    def path(self) -> bytes:
        return self.root.rstrip(b"/") + b"/" + self.relative if self.relative else self.root


@dataclass(frozen=True, slots=True)
class TrashedItem:
    """A row of the index that carries the trash mark."""

    place: Place
    state: State


class Roots(Protocol):
    """The configured review roots and whether each is what it was."""

    def known(self) -> list[bytes]:
        """Every root, sorted."""

    def place(self, path: bytes) -> Place:
        """The place of an absolute, normalised path in its deepest root.

        Raises:
            OutsideRoots: it is in none.
        """

    def state(self, root: bytes) -> tuple[RootState, str]:
        """How the root is right now, and why when it is not online (a sentence). Cheap: two system calls."""

    def opened(self, root: bytes) -> AbstractContextManager[int]:
        """A directory descriptor of the root, its identity checked on that very descriptor.

        Raises:
            RootOffline: it cannot be reached or is not the directory that was added.
        """


class Marks(Protocol):
    """Marks of files on roots that cannot be written, kept in the state directory and as lasting as the journal.

    An entry is the file's whole state and stands in place of its companions, for as long as it is there, whatever
    its root's state is: `state = entry if there is one else companions`. Entries of a root that can be written again
    become companions and are forgotten (`Deeds.settle`).
    """

    def get(self, path: bytes) -> State | None:
        """The entry; None: there is none, the companions count. NONE is an entry (such as a lock taken back)."""

    def set_all(self, states: Sequence[tuple[bytes, State]]) -> None:
        """Durable when it returns."""

    def forget(self, paths: Iterable[bytes]) -> None:
        """The companions count again. Durable when it returns."""

    def below(self, root: bytes) -> dict[bytes, State]:
        """Every entry below the root."""


class ItemIndex(Protocol):
    """The part of the index that deeds need."""

    def set_state(self, path: bytes, state: State) -> None:
        """Record a state that the disk already has, in every root that holds the path, with its events."""

    def set_states(self, states: Sequence[tuple[bytes, State]], *, made_here: bool = True) -> None:
        """`set_state` of many in one transaction: a batch of 500 costs about as much as one.

        Args:
            made_here: by whoever calls, who tells the public followers; else they were found so.
        """

    def forget(self, paths: Iterable[bytes]) -> None:
        """Record that files are gone because this service deleted them, with their events."""

    def trashed(self, root: bytes) -> Iterator[TrashedItem]:
        """What the root's trash holds, revalidated against the disk, in path order."""


class EventLog(Protocol):
    """The public events (`/api/events`), numbered, kept for resuming."""

    def emit(self, kind: str, payload: dict[str, Any]) -> None: ...

    def emit_all(self, events: Sequence[tuple[str, dict[str, Any]]]) -> None:
        """`emit` of many in one transaction, in this order."""


class Thumbnails(Protocol):
    """The stored thumbnails of files that are gone. Failing to remove one is logged, never raised."""

    def drop(self, paths: Sequence[bytes]) -> None:
        """Remove the files' thumbnails, in every size."""

    def prune(self, root: bytes) -> int:
        """Remove the thumbnails below the root whose source file is gone; how many."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the journal knows of a file that it saw trashed."""

    identity: Identity
    at_us: int


class RootBook(Roots, Protocol):
    """The roots and the way to change which there are."""

    def add(self, path: bytes) -> None:
        """Keep the directory as a root and take what stands there now as its identity; again is fine.

        Raises:
            ConfigBroken, StorageFailed: nothing was changed.
        """

    def remove(self, path: bytes) -> None:
        """Raises:
        RootNotConfigured, ConfigBroken, StorageFailed: nothing was changed.
        """


class SettingsBook(Protocol):
    """`config.yaml` apart from the roots."""

    def settings(self) -> Settings:
        """Raises ConfigBroken when the file cannot be read; the text names the line."""

    def set_video_preload_mb(self, value: int) -> None: ...


class Picker(Protocol):
    """Directories anywhere outside the hidden policy."""

    def real(self, path: bytes) -> bytes:
        """The path with every link resolved, whether it exists or not."""

    def is_folder(self, path: bytes) -> bool: ...

    def below(self, path: bytes) -> list[FolderInfo]:
        """The child folders, by name; none when the directory cannot be read."""


class Prober(Protocol):
    """Reads sizes and durations from inside files."""

    def probe(self, files: Sequence[tuple[bytes, Kind]]) -> list[Probe]:
        """One answer a file, in the order given; never raises, whatever the files hold."""


class Describer(Protocol):
    """Reads all that files say of themselves."""

    def describe(self, files: Sequence[tuple[bytes, Kind]]) -> list[Described | None]:
        """As `Prober.probe`; None when nobody could be asked."""


class Shelves(ItemIndex, Protocol):
    """The index as the use cases of looking see it."""

    def stream(
        self, root: bytes, status: StatusFilter, offset: int, after: bytes | None, limit: int
    ) -> Iterator[list[Item]]:
        """At most `limit` items behind the relative path `after` and `offset` more, in (name, path) order, after one
        revalidation; the first batch is small.

        Raises:
            RootOffline: at once, or on the way when the root goes.
        """

    def cut(self, root: bytes, cut: Cut, offset: int, after: bytes | None, limit: int) -> Iterator[list[Item]]:
        """As `stream`, of a cut in its order.

        Raises:
            InvalidArgument: by date, `after` is not there.
        """

    def histogram(self, place: Place, status: StatusFilter, *, recursive: bool) -> Histogram:
        """The days of a folder or a root, from counters; as true as they are."""

    def folder_page(self, place: Place, offset: int, limit: int) -> FolderPage:
        """Raises PathMissing, OutsideRoots, RootOffline."""

    def item(self, place: Place) -> Item:
        """One file, its state straight from the disk. Raises as `check`."""

    def check(self, place: Place) -> None:
        """That a regular file, or a link to one inside the same root, is there.

        Raises:
            OutsideRoots: the way leads through a link or out of the root.
            PathMissing, NotMedia, RootOffline.
        """

    def counts(self, root: bytes) -> Counts:
        """From counters; waits only for a root's first scan."""

    def scanned(self, root: bytes) -> bool:
        """Whether the root's first scan is complete."""

    def pending_scans(self) -> int:
        """Reachable roots whose first scan is not yet kept."""

    def root_added(self) -> None:
        """Look at the list of roots now and scan the new ones, in the background."""

    def root_removed(self, root: bytes) -> None:
        """Forget the root's rows; no file is touched."""


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """A message not yet published; `sequence` only grows."""

    sequence: int
    subject: str
    root: bytes
    path: bytes  # absolute
    inode: int


class Outbox(Protocol):
    """Messages written in the same transaction as the index rows that they speak of."""

    @property
    def epoch(self) -> str:
        """Names this index: sequences of another one mean nothing here."""

    def pending(self, limit: int) -> list[OutboxRow]:
        """The oldest, in order."""

    def sent(self, through_sequence: int) -> None:
        """Forget everything up to this one."""

    def count(self) -> int: ...

    def wait(self, timeout_s: float) -> bool:
        """Until something is pending; False when the time is over first."""


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """A public event as it is kept."""

    sequence: int
    kind: str
    payload_json: str


class EventFeed(EventLog, Protocol):
    """The log and the way to follow it."""

    def after(self, sequence: int, limit: int) -> list[LoggedEvent]:
        """The events behind the sequence that are still kept, in order."""

    def last(self) -> int:
        """The newest sequence; 0 when there never was one."""

    def wait(self, sequence: int, timeout_s: float) -> bool:
        """Until there is an event behind the sequence; False when the time is over first."""
