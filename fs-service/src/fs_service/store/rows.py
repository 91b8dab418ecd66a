"""What an index keeps of one root, and the interface that both indexes (memory, SQLite) implement.

A row's key is `name NUL relative-path`: keys in byte order are rows in (file name, full path) order, both by code
point, and a key says everything about where the file is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

from fs_service.domain.items import StatusFilter
from fs_service.domain.timeline import ByState, Cut
from fs_service.domain.views import Counts

_SEPARATOR: Final = b"\0"
_WRAP: Final = 1 << 64
_MAX: Final = (1 << 63) - 1
#: When a row is from whose file nobody has read yet: behind everything.
UNDATED: Final = 1 << 62


def signed(number: int) -> int:
    """An inode, a device number or a time in nanoseconds (those after the year 2262 need a bit more) as SQLite and the
    messages keep it: 64 bits, signed."""
    return number if number <= _MAX else number - _WRAP


def key_of(relative: bytes) -> bytes:
    """The key of the file with this path below the root."""
    return relative.rpartition(b"/")[2] + _SEPARATOR + relative


def relative_of(key: bytes) -> bytes:
    return key.partition(_SEPARATOR)[2]


def folder_of(relative: bytes) -> bytes:
    """The folder of a relative path; empty for the root's own files."""
    return relative.rpartition(b"/")[0]


def joined(folder: bytes, name: bytes) -> bytes:
    return folder + b"/" + name if folder else name


class Entry(NamedTuple):
    """A media file as its folder's listing shows it."""

    inode: int  # the directory entry's; of a link, the link's own
    kind: int
    state: int
    link: bool = False


class Facts(NamedTuple):
    """What a look at and into the file found; good as long as inode, size and mtime are the same."""

    inode: int  # of the file itself
    size_bytes: int
    mtime_ns: int
    birth_us: int
    width_px: int | None
    height_px: int | None
    duration_s: float | None
    dated_us: int = UNDATED  # on the file's own clock, as if it were UTC: see `media_common.dates`


class Row(NamedTuple):
    """An entry with its place and, once somebody looked, its facts (inode None: nobody did). Flat, because ten
    thousand of them are read for one stream."""

    key: bytes
    kind: int
    state: int
    link: bool
    inode: int | None
    size_bytes: int
    mtime_ns: int
    birth_us: int
    width_px: int | None
    height_px: int | None
    duration_s: float | None
    dated_us: int = UNDATED


#: Where a row stands in a listing by date: when it is from, and its key.
Spot = tuple[int, bytes]

Stamp = tuple[int, int, int, int]  # device, inode, mtime_ns, ctime_ns of a directory
#: Of a folder that has to be listed (again) before anything is believed.
NEVER: Final[Stamp] = (0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Folder:
    """A known folder and what its last listing saw beside the media."""

    relative: bytes
    stamp: Stamp
    settled: bool  # no change since the listing can hide behind the clock's granularity
    ignored: int = 0
    links: tuple[bytes, ...] = ()  # names of links that look like media, wherever they lead


class Change(NamedTuple):
    """One row before and after; None: there is none."""

    key: bytes
    old: Entry | None
    new: Entry | None

    @property
    def is_another_file(self) -> bool:
        old, new = self.old, self.new
        return bool(old and new and (old.inode, old.kind, old.link) != (new.inode, new.kind, new.link))


class Probed(NamedTuple):
    """New facts of a row; `edited`: it had others before."""

    key: bytes
    facts: Facts
    edited: bool


@dataclass(slots=True)
class Delta:
    """What one look at the disk changed; taken over as a whole or not at all."""

    folders: list[Folder] = field(default_factory=list)
    dropped: list[bytes] = field(default_factory=list)  # relative paths of folders; their rows are among the changes
    changes: list[Change] = field(default_factory=list)
    probed: list[Probed] = field(default_factory=list)
    again: list[bytes] = field(default_factory=list)  # keys of states that are as they were, and to be told once more

    def __bool__(self) -> bool:
        return bool(self.folders or self.dropped or self.changes or self.probed or self.again)


def differences(folder: bytes, old: Mapping[bytes, Entry], new: Mapping[bytes, Entry]) -> list[Change]:
    """What makes the one listing of the folder the other."""
    tail = _SEPARATOR + (folder + b"/" if folder else b"")
    changes = [
        Change(name + tail + name, before, entry) for name, entry in new.items() if (before := old.get(name)) != entry
    ]
    changes += [Change(name + tail + name, entry, None) for name, entry in old.items() if name not in new]
    return changes


class RootIndex(Protocol):
    """The rows of one root. Not safe for threads: the root's shelf takes turns."""

    def folders(self) -> Iterator[Folder]: ...

    def contents(self, folder: bytes) -> dict[bytes, Entry]:
        """The media of one folder, by name."""

    def apply(self, delta: Delta) -> None: ...

    def page(self, status: StatusFilter, after: bytes | None, offset: int, limit: int) -> list[Row]:
        """At most `limit` rows of the filter in key order: those behind the key `after` (which need not exist),
        less the first `offset`."""

    def row(self, key: bytes) -> Row | None: ...

    def entry(self, key: bytes) -> Entry | None: ...

    def counts(self) -> Counts: ...

    def days(self, folder: bytes | None, *, recursive: bool) -> dict[int, ByState]:
        """Rows by day and state: of all (None), or of a folder, with or without what is below it."""

    def folder_counts(self, status: StatusFilter) -> list[tuple[bytes, int]]:
        """Each folder that holds rows, with how many of the filter it holds itself."""

    def cut_page(self, cut: Cut, after: Spot | None, offset: int, limit: int) -> list[Row]:
        """As `page`, of a cut in its order. `after` need not exist; by name its time does not matter."""

    def undated(self, after: bytes, limit: int) -> list[bytes]:
        """Keys of rows that have no time yet, behind that key, by key."""


def admits(status: StatusFilter, state: int) -> bool:
    """`StatusFilter.admits` for the number in a row."""
    return state & MASKS[status][0] == MASKS[status][1]


#: For each filter the bits that matter and what they must be; the bits are `State`'s.
MASKS: Final[dict[StatusFilter, tuple[int, int]]] = {
    StatusFilter.ALL: (0, 0),
    StatusFilter.UNSEEN: (4, 0),
    StatusFilter.SEEN: (4, 4),
    StatusFilter.LOCKED: (1, 1),
    StatusFilter.TRASHED: (2, 2),
}
