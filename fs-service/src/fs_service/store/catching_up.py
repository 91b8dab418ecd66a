"""Brings SQLite's rows of a root to what memory holds, folder by folder, in small transactions."""

from __future__ import annotations

from typing import Final, NamedTuple

from fs_service.store.index_sqlite import SqliteIndex
from fs_service.store.rows import Delta, Entry, Folder, Probed, differences

#: Rows of one transaction: some 20 ms that another root's reader may have to wait.
CHUNK_ROWS: Final = 1000


class Wanted(NamedTuple):
    """A folder as SQLite should hold it."""

    folder: Folder
    entries: dict[bytes, Entry]
    probed: list[Probed]


class CatchingUp:
    """Gathers what is missing, and writes whenever there is enough of it."""

    def __init__(self, kept: SqliteIndex) -> None:
        self._kept = kept
        self._delta = Delta()

    def add(self, relative: bytes, wanted: Wanted | None) -> None:
        """Args:
        wanted: None: there is no such folder any more.
        """
        kept = self._kept.contents(relative)
        if wanted is None:
            self._delta.changes += differences(relative, kept, {})
            self._delta.dropped.append(relative)
            return
        changes = differences(relative, kept, wanted.entries)
        while len(changes) > CHUNK_ROWS:
            self.write()
            self._delta.changes, changes = changes[:CHUNK_ROWS], changes[CHUNK_ROWS:]
        # The folder's stamp goes with its last rows: half a folder is never taken for a whole one.
        self._delta.changes += changes
        self._delta.probed += wanted.probed
        self._delta.folders.append(wanted.folder)
        if len(self._delta.changes) >= CHUNK_ROWS:
            self.write()

    def write(self) -> None:
        """Raises StorageFailed; what was gathered is still there."""
        if self._delta:
            self._kept.apply(self._delta)
            self._delta = Delta()
