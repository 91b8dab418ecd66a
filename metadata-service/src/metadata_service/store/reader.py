"""A connection that only reads, and what it keeps from one read to the next."""

from __future__ import annotations

import sqlite3
from collections.abc import Hashable
from typing import Any, Final

#: What is kept a connection; past that the lot is forgotten.
_MOST: Final = 50_000


class Reader(sqlite3.Connection):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._version = -1
        self._kept: dict[Hashable, dict[Any, Any]] = {}

    def kept(self, kind: Hashable) -> dict[Any, Any]:
        """What was read of this kind and holds in the running transaction, to look up and to add to: forgotten at the
        first read after anything was written."""
        version: int = self.execute("PRAGMA data_version").fetchone()[0]
        if version != self._version or sum(map(len, self._kept.values())) > _MOST:
            self._version = version
            self._kept = {}
        return self._kept.setdefault(kind, {})
