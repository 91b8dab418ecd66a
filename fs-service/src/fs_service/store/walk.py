"""One folder's listing, and the walk over a whole root. Through directory descriptors only; nothing is opened but
folders, and no link is followed.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from media_common import beneath

from fs_service.domain.items import SUFFIXES
from fs_service.domain.media import companion_of, kind_of
from fs_service.store.rows import NEVER, Entry, Stamp, joined, signed

_ENCODING: Final = sys.getfilesystemencoding()
_ERRORS: Final = sys.getfilesystemencodeerrors()
_GONE: Final = (FileNotFoundError, NotADirectoryError, beneath.Escapes)
_COMPANION: Final = -1
_MARKS: Final[dict[bytes, int]] = {suffix[1:]: int(mark) for mark, suffix in SUFFIXES.items()}

#: Time stamps come from a clock that ticks every 1 to 10 ms ...
_TICK_NS: Final = 50_000_000
#: ... or, where they have no fraction, every one or two seconds (FAT, HFS+, old NFS).
_COARSE_TICK_NS: Final = 2_500_000_000
_SECOND_NS: Final = 1_000_000_000


@dataclass(slots=True)
class Listing:
    """A folder as it was at one moment."""

    stamp: Stamp
    settled: bool
    entries: dict[bytes, Entry]  # media files, companions taken into account; no links
    links: dict[bytes, Entry]  # links with a media name, wherever they lead
    subfolders: list[bytes]
    ignored: int  # regular files that are neither media nor companions


class _Kinds(dict[bytes, int]):
    """The kind by the extension as it is spelled; filled as spellings turn up."""

    def __missing__(self, extension: bytes) -> int:
        kind = _COMPANION if extension in _MARKS else int(kind_of(b"x." + extension) or 0)
        if len(self) < 4096:
            self[extension] = kind
        return kind


_KINDS: Final = _Kinds()


def stamp_of(facts: os.stat_result) -> Stamp:
    """What changes whenever a name in the directory does."""
    return signed(facts.st_dev), signed(facts.st_ino), signed(facts.st_mtime_ns), signed(facts.st_ctime_ns)


def is_settled(stamp: Stamp, now_ns: int) -> bool:
    """Whether a change after `now_ns` must show in the stamp: the last one is more than a tick of its clock ago."""
    changed_ns = max(stamp[2], stamp[3])
    coarse = stamp[2] % _SECOND_NS == 0 and stamp[3] % _SECOND_NS == 0
    return now_ns - changed_ns > (_COARSE_TICK_NS if coarse else _TICK_NS)


def list_folder(folder_fd: int) -> Listing:
    """The folder behind the descriptor, its stamp taken before its names.

    Raises:
        OSError: it cannot be read.
    """
    now_ns = time.time_ns()
    stamp = stamp_of(os.fstat(folder_fd))
    entries: dict[bytes, Entry] = {}
    links: dict[bytes, Entry] = {}
    companions: list[bytes] = []
    subfolders: list[bytes] = []
    ignored = 0
    kinds = _KINDS
    with os.scandir(folder_fd) as scan:
        for found in scan:
            name = found.name.encode(_ENCODING, _ERRORS)
            stem, _, extension = name.rpartition(b".")
            if name[0] == 46:  # hidden
                ignored += found.is_file(follow_symlinks=False)
                continue
            kind = kinds[extension] if stem else 0
            if kind > 0 and found.is_file(follow_symlinks=False):
                entries[name] = Entry(signed(found.inode()), kind, 0)
            elif found.is_dir(follow_symlinks=False):
                subfolders.append(name)
            elif kind > 0:
                if found.is_symlink():
                    links[name] = Entry(signed(found.inode()), kind, 0, True)
            elif found.is_file(follow_symlinks=False):
                if kind == _COMPANION and companion_of(name) is not None:
                    companions.append(name)
                else:
                    ignored += 1
    for name in companions:
        owner, _, suffix = name.rpartition(b".")
        for names in (entries, links):
            if (entry := names.get(owner)) is not None:
                names[owner] = entry._replace(state=entry.state | _MARKS[suffix])
    return Listing(stamp, is_settled(stamp, now_ns), entries, links, subfolders, ignored)


def walk(root_fd: int, found: Callable[[int], None]) -> Iterator[tuple[bytes, Listing]]:
    """Every folder of the root that is not hidden, by relative path, its listing with it; parents first.

    Folders that are gone by the time they are reached are left out; one that cannot be read has an empty listing.

    Args:
        found: told the number of media files so far, after each folder.
    Raises:
        OSError: the root cannot be read.
    """
    yield b"", (listing := list_folder(root_fd))
    count = len(listing.entries)
    waiting = [(b"", name) for name in reversed(listing.subfolders)]
    while waiting:
        parent, name = waiting.pop()
        relative = joined(parent, name)
        try:
            with beneath.folder(root_fd, relative.split(b"/")) as folder_fd:
                listing = list_folder(folder_fd)
        except _GONE:
            continue
        except OSError:
            # Known all the same: asked again at the next look.
            listing = Listing(NEVER, False, {}, {}, [], 0)
        yield relative, listing
        count += len(listing.entries)
        found(count)
        waiting.extend((relative, name) for name in reversed(listing.subfolders))
