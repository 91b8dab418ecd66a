"""A connection that only reads, and what it keeps from one read to the next."""

from __future__ import annotations

import sqlite3
from collections.abc import Hashable
from typing import Any, Final

#: What a connection keeps from one read to the next, in all and in how many kinds; past either the lot is forgotten.
#: Kinds are of a caller's making, and one that holds nothing takes memory too.
MOST: Final = 20_000
MOST_KINDS: Final = 100


class Reader(sqlite3.Connection):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._version = -1
        self._kept: dict[Hashable, dict[Any, Any]] = {}

    def kept(self, kind: Hashable) -> dict[Any, Any]:
        """What was read of this kind and holds in the running transaction, to look up and to add to: forgotten at the
        first read after anything was written."""
        version: int = self.execute("PRAGMA data_version").fetchone()[0]
        if version != self._version:
            self._version = version
            self._kept = {}
        return self._kept.setdefault(kind, {})

    def trim(self) -> None:
        """After each read: what it left here stays within the bounds."""
        if self.size > MOST or self.kinds > MOST_KINDS:
            self._kept = {}

    @property
    def size(self) -> int:
        """How much is kept, of all kinds."""
        return sum(map(len, self._kept.values()))

    @property
    def kinds(self) -> int:
        return len(self._kept)


def kept_of(connection: sqlite3.Connection, kind: Hashable) -> dict[Any, Any]:
    """Nothing in a transaction that writes: what it reads may be its own."""
    return connection.kept(kind) if isinstance(connection, Reader) else {}
