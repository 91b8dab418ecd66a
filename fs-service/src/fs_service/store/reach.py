"""Files reached through their root's descriptor and held by their folder's, so that a folder swapped for a link
meanwhile shows nothing of what the link leads to."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Final

from media_common import beneath

from fs_service.domain.ports import Roots
from fs_service.store.birth import birth_us
from fs_service.store.links import resolved
from fs_service.store.rows import Row, folder_of, relative_of

#: Folders held open at once, of each page that is made.
_FOLDERS: Final = 32
#: Enough that a question to the probe processes keeps all of them busy. A single folder may have more.
_FILES: Final = 256
#: Where another process finds our descriptors; without it, files are named by their path.
_HAS_PROC: Final = os.path.isdir("/proc/self/fd")


@dataclass(frozen=True, slots=True)
class Reached:
    """A regular file, its folder held open."""

    path: bytes  # for any process of this user: leads to that folder's file, whatever stands at the folder's path now
    facts: os.stat_result
    created_us: int


def groups(rows: Mapping[int, Row]) -> Iterator[dict[int, Row]]:
    """The numbered rows, folder by folder, as many at a time as may be held at once."""
    by_folder: dict[bytes, list[int]] = {}
    for number, row in rows.items():
        by_folder.setdefault(folder_of(relative_of(row.key)), []).append(number)
    group: dict[int, Row] = {}
    folders = 0
    for numbers in by_folder.values():
        if folders == _FOLDERS or (group and len(group) + len(numbers) > _FILES):
            yield group
            group, folders = {}, 0
        group.update((number, rows[number]) for number in numbers)
        folders += 1
    if group:
        yield group


@contextmanager
def held(roots: Roots, root: bytes, rows: Iterable[Row]) -> Iterator[list[Reached | None]]:
    """The rows' files, of a link the one it leads to inside the root; None for one that is not there or is reached
    through a link. Good while the body runs.

    Raises:
        RootOffline
    """
    with roots.opened(root) as root_fd, ExitStack() as stack:
        folders: dict[bytes, int] = {}
        yield [_reached(roots, root, root_fd, row, folders, stack) for row in rows]


def _reached(
    roots: Roots, root: bytes, root_fd: int, row: Row, folders: dict[bytes, int], stack: ExitStack
) -> Reached | None:
    relative = _target(roots, root, relative_of(row.key)) if row.link else relative_of(row.key)
    if relative is None:
        return None
    folder, _, name = relative.rpartition(b"/")
    try:
        if folder not in folders:
            folders[folder] = beneath.open_folder(root_fd, folder.split(b"/") if folder else [])
            stack.callback(os.close, folders[folder])
        folder_fd = folders[folder]
        facts = os.stat(name, dir_fd=folder_fd, follow_symlinks=False)
        if not stat.S_ISREG(facts.st_mode):
            return None
        created_us = birth_us(name, dir_fd=folder_fd)
    except OSError:
        return None
    path = root.rstrip(b"/") + b"/" + relative
    if _HAS_PROC:
        path = b"/proc/%d/fd/%d/%s" % (os.getpid(), folder_fd, name)
    return Reached(path, facts, created_us)


def _target(roots: Roots, root: bytes, relative: bytes) -> bytes | None:
    """Where a link leads, below the root."""
    real = resolved(roots, root.rstrip(b"/") + b"/" + relative)
    prefix = os.path.realpath(root).rstrip(b"/") + b"/"
    return real[len(prefix) :] if real is not None and real.startswith(prefix) else None
