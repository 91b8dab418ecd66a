"""Uploaded bytes, kept by what they are: a blob's name is the SHA-256 of its bytes. Beside them pictures that can be
made again: thumbnails of blobs, and frames of videos wherever those are.

The port, and which of its two implementations a process uses. The gateway writes and reads, the thumbnail workers read
and keep thumbnails, search reads and keeps frames; the catalogue knows which blob belongs to which item. Nothing here
deletes: `removal` does.

All calls block, and may be made from any thread.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from media_common.config import PublicSettings
from media_common.errors import ErrorCode, ServiceError

#: Below the state directory, when no S3 is set up.
FOLDER: Final = "blobs"
#: Bytes read in one go.
CHUNK_BYTES: Final = 1024 * 1024


class BlobMissing(ServiceError):
    """The store has no such blob."""

    code = ErrorCode.ITEM_NOT_FOUND

    def __init__(self) -> None:
        super().__init__("The file is not there any more.")


class StoreUnreachable(ServiceError):
    """An S3 server that does not answer, or refuses us."""

    code = ErrorCode.SERVICE_UNAVAILABLE

    def __init__(self) -> None:
        super().__init__("The blob store is not available right now; try again in a moment.")


class StoreFailed(ServiceError):
    """A disk that is full or fails."""

    code = ErrorCode.STORAGE_FAILED

    def __init__(self, reason: str) -> None:
        super().__init__(f"The blob store cannot keep the file: {reason}.")


@dataclass(frozen=True, slots=True)
class Stored:
    """What a writer has put into the store."""

    sha256: bytes
    size_bytes: int
    is_new: bool  # nothing with the same bytes was there


@dataclass(frozen=True, slots=True)
class Listed:
    """A blob in the store."""

    sha256: bytes
    size_bytes: int
    written_s: float  # seconds since the epoch; of the last upload of these bytes


class BlobWriter(Protocol):
    """One blob on its way in. Ends with `commit` or `discard`; after either, `discard` does nothing."""

    def write(self, data: bytes) -> None:
        """More of its bytes.

        Raises:
            StoreUnreachable, StoreFailed
        """

    def commit(self) -> Stored:
        """Put it into the store: afterwards it is there, whole, whatever happens to this process or to the power.

        Raises:
            StoreUnreachable, StoreFailed: it is not in the store.
        """

    def discard(self) -> None:
        """Leave nothing of it."""


class BlobStore(Protocol):
    """Blobs by the SHA-256 of their bytes (32 bytes) and the thumbnails made of them, and frames by their video's item.

    Every call may raise `StoreUnreachable` or `StoreFailed`.
    """

    def writer(self) -> BlobWriter:
        """The way in."""

    def size(self, sha256: bytes) -> int:
        """In bytes.

        Raises:
            BlobMissing
        """

    def read(self, sha256: bytes, offset: int, length: int) -> Iterator[bytes]:
        """That part of the bytes, a chunk at a time.

        Raises:
            BlobMissing: it is not there, or shorter than that.
        """

    def local(self, sha256: bytes) -> AbstractContextManager[Path]:
        """A file on this machine with the blob's bytes, to be read only, for as long as the context lasts.

        Raises:
            BlobMissing
        """

    def thumbnail(self, sha256: bytes, size_px: int) -> bytes | None:
        """The kept one."""

    def keep_thumbnail(self, sha256: bytes, size_px: int, png: bytes) -> None:
        """Keep it; it can always be made again."""

    def frame(self, item_id: int, at_ms: int) -> bytes | None:
        """The kept JPEG of that moment of a video."""

    def keep_frames(self, item_id: int, jpegs: Mapping[int, bytes]) -> None:
        """Keep these of a video, by their millisecond, and no others; they can always be made again. Each is there
        whole or not at all."""

    def framed(self) -> Iterator[int]:
        """The items that have frames."""

    def drop_frames(self, item_id: int) -> None:
        """All of the item's, if it has any."""

    def listed(self) -> Iterator[Listed]:
        """Every blob."""

    def remove(self, blob: Listed) -> bool:
        """For `removal.sweep` alone: delete a blob with its thumbnails, unless its bytes were uploaded again since it
        was listed; whether it went."""

    def drop_abandoned(self) -> int:
        """Delete what processes that died have left of uploads; how many there were."""

    def close(self) -> None:
        """Let connections go."""


def open_store(public: PublicSettings) -> BlobStore:
    """The S3 bucket that is set up, else a folder in the state directory."""
    if public.s3_endpoint:
        from media_common.blobs.s3 import S3Store

        return S3Store(
            public.s3_endpoint, public.s3_access_key, public.s3_secret_key, public.s3_bucket, public.s3_region
        )
    from media_common.blobs.folder import FolderStore

    return FolderStore(public.state_path / FOLDER)
