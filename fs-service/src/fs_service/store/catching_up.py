"""Brings SQLite's rows of a root to what memory holds, folder by folder, in small transactions."""

from __future__ import annotations

from typing import Final, NamedTuple

from fs_service.store.index_memory import MemoryIndex
from fs_service.store.index_sqlite import SqliteIndex
from fs_service.store.rows import Delta, Entry, Folder, Probed, differences, joined, key_of

#: Rows of one transaction: some 20 ms that another root's reader may have to wait.
CHUNK_ROWS: Final = 1000
#: Rows gathered and sorted before they are written, so that messages go out roughly in the order of pages.
GATHERED_ROWS: Final = 5000


class Wanted(NamedTuple):
    """A folder as SQLite should hold it."""

    folder: Folder
    entries: dict[bytes, Entry]
    probed: list[Probed]


def wanted_of(folder: Folder | None, memory: MemoryIndex) -> Wanted | None:
    """The folder as memory holds it; None: there is none."""
    if folder is None:
        return None
    entries = memory.contents(folder.relative)
    probed = []
    for name in entries:
        key = key_of(joined(folder.relative, name))
        if (facts := memory.facts(key)) is not None:
            probed.append(Probed(key, facts, edited=False))
    return Wanted(folder, entries, probed)


class CatchingUp:
    """Gathers what is missing, and writes whenever there is enough of it."""

    def __init__(self, kept: SqliteIndex) -> None:
        self._kept = kept
        self._missing = Delta()

    def add(self, relative: bytes, wanted: Wanted | None) -> None:
        """Args:
        wanted: None: there is no such folder any more.
        """
        missing = self._missing
        kept = self._kept.contents(relative)
        if wanted is None:
            missing.changes += differences(relative, kept, {})
            missing.dropped.append(relative)
        else:
            missing.changes += differences(relative, kept, wanted.entries)
            missing.probed += wanted.probed
            missing.folders.append(wanted.folder)
        if len(missing.changes) >= GATHERED_ROWS:
            self.write()

    def write(self) -> None:
        """Raises StorageFailed; only part is written then."""
        missing, self._missing = self._missing, Delta()
        changes = sorted(missing.changes, key=lambda change: change.key)
        while len(changes) > CHUNK_ROWS:
            self._kept.apply(Delta(changes=changes[:CHUNK_ROWS]))
            changes = changes[CHUNK_ROWS:]
        # The folders' stamps go with the last rows: half a folder is never taken for a whole one.
        missing.changes = changes
        if missing:
            self._kept.apply(missing)
