"""What indexing needs from outside: the truth about files, as the file service tells it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from metadata_service.domain.media import FileSeen


@dataclass(frozen=True, slots=True)
class Root:
    """A review path."""

    path: bytes
    online: bool  # it can be reached and is what it was
    scanned: bool  # its first scan is complete


@dataclass(frozen=True, slots=True)
class Looked:
    """One path looked at again."""

    path: bytes  # absolute
    seen: FileSeen | None  # relative to nothing yet: `relative_path` is absolute here
    missing: bool  # its root is healthy and the file is not there


class Disk(Protocol):
    """Every method raises `Unreachable` while nobody answers."""

    async def roots(self) -> list[Root]: ...

    async def look(self, paths: Sequence[bytes]) -> list[Looked]:
        """Each path as it is now, in this order."""

    def replay(self, root: bytes) -> AsyncIterator[list[FileSeen]]:
        """Every file of a root, in batches; paths absolute."""
