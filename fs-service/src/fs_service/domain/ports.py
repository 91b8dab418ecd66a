"""What the rules and the use cases need from outside. All of it is synchronous: the servicer runs it in threads.

Paths are bytes, absolute unless named `relative`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Protocol

from fs_service.domain.items import Identity, State


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

    def set_states(self, states: Sequence[tuple[bytes, State]]) -> None:
        """`set_state` of many in one transaction: a batch of 500 costs about as much as one."""

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

    def drop(self, path: bytes) -> None:
        """Remove the file's thumbnails, in every size."""

    def prune(self, root: bytes) -> int:
        """Remove the thumbnails below the root whose source file is gone; how many."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the journal knows of a file that it saw trashed."""

    identity: Identity
    at_us: int
