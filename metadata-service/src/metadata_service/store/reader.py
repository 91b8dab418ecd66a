"""A connection that only reads, and what it keeps from one read to the next."""

from __future__ import annotations

import sqlite3
from typing import Any, Final

#: Paths of folders kept a connection; past that the lot is forgotten.
_MOST_PATHS: Final = 50_000


class Reader(sqlite3.Connection):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._version = -1
        self._folder_paths: dict[int, bytes] = {}

    def folder_paths(self) -> dict[int, bytes]:
        """Paths by folder that hold in the running transaction, to look up and to fill: forgotten at the first read
        after anything was written."""
        version: int = self.execute("PRAGMA data_version").fetchone()[0]
        if version != self._version or len(self._folder_paths) > _MOST_PATHS:
            self._version = version
            self._folder_paths.clear()
        return self._folder_paths
