"""Finds out when the files are from that nobody has read: a little of each round, as long as nobody else is at it.

The catalogue reads every new file anyway, and what it reads is kept. This is for a library without one, and for files
that it knew already when the index began anew.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from fs_service.store.insides import Answer
from fs_service.store.rows import Facts, joined, relative_of
from fs_service.store.shelves import StoredShelves

#: Somebody else has read files so lately: they may come to these, too.
_PATIENCE_S: Final = 5.0
#: Of a round, for each root.
_SHARE_S: Final = 1.0
_FILES: Final = 64
#: Files that could not be read are tried again after so long.
_AGAIN_S: Final = 600.0


class Dating:
    """Reads what is missing. One round at a time."""

    def __init__(self, shelves: StoredShelves, patience_s: float = _PATIENCE_S) -> None:
        self._shelves = shelves
        self._patience_s = patience_s
        self._read_at = 0.0
        self._own = threading.local()
        self._begun: dict[bytes, tuple[bytes, float]] = {}  # by root: where to go on, and not before

    def learned(self, found: Mapping[bytes, Facts]) -> None:
        """Keep what was read, by path. Raises StorageFailed."""
        if not getattr(self._own, "reads", False):
            self._read_at = time.monotonic()
        self._shelves.learn(found)

    def round(
        self, root: bytes, describe: Callable[[Sequence[bytes]], list[Answer]], stopping: Callable[[], bool]
    ) -> bool:
        """Read some files of the root that have no time yet; whether there are more.

        Args:
            describe: reads files, and has them `learned`.
        """
        key, not_before = self._begun.get(root, (b"", 0.0))
        begun = time.monotonic()
        if begun < not_before or begun - self._read_at < self._patience_s:
            return False
        self._own.reads = True
        try:
            while time.monotonic() - begun < _SHARE_S and not stopping():
                keys = self._shelves.undated(root, key, _FILES)
                if not keys:
                    self._begun[root] = (b"", time.monotonic() + _AGAIN_S if key else 0.0)
                    return False
                describe([joined(root.rstrip(b"/"), relative_of(one)) for one in keys])
                key = keys[-1]
                self._begun[root] = (key, 0.0)
        finally:
            self._own.reads = False
        return True
