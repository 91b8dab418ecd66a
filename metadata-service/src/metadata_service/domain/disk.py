"""What indexing needs from outside: the truth about files, as the file service tells it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from metadata_service.domain.media import Facts, FileSeen


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


@dataclass(frozen=True, slots=True)
class Inside:
    """What a file says of itself; size, time and inode are those of the very file that was read."""

    facts: Facts
    inode: int


@dataclass(frozen=True, slots=True)
class Content:
    """The hash of a file that kept still."""

    sha256: bytes
    size_bytes: int
    modified_us: int
    inode: int


class Refused(Enum):
    """Why there is no answer."""

    GONE = "gone"  # or another kind of thing than the catalogue takes it for
    BUSY = "busy"  # it changes right now
    BROKEN = "broken"  # the disk cannot read it
    AWAY = "away"  # its root cannot be reached


class Depths(Protocol):
    """Reads inside files. Every method raises `Unreachable` while nobody answers."""

    async def describe(self, paths: Sequence[bytes]) -> list[Inside | Refused]:
        """One answer a path, in this order."""

    def hashes(self, paths: Sequence[bytes]) -> AsyncGenerator[list[Content | Refused], None]:
        """One answer a path, in this order, as they become known."""


class Disk(Protocol):
    """Every method raises `Unreachable` while nobody answers."""

    async def roots(self) -> list[Root]: ...

    async def look(self, paths: Sequence[bytes]) -> list[Looked]:
        """Each path as it is now, in this order."""

    def replay(self, root: bytes) -> AsyncIterator[list[FileSeen]]:
        """Every file of a root, in batches; paths absolute."""
