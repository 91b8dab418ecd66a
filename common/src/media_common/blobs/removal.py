"""The one place where uploaded bytes are deleted: what never became a blob, and blobs that no item refers to; and the
frames of videos that are gone or are others now.

Files of review paths are another matter: those are deleted by fs-service alone (`fs_service/store/removal.py`).
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Container, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from minio import Minio

    from media_common.blobs import BlobStore, Listed

#: An upload's bytes are in the store before the catalogue knows of them; nothing this young is removed.
YOUNG_S: Final = 3600.0
_BATCH: Final = 500
Referenced = Callable[[Sequence[bytes]], set[bytes]]


@dataclass(frozen=True, slots=True)
class Removed:
    """What a sweep has taken away."""

    count: int = 0
    size_bytes: int = 0


def drop_unfinished(path: Path) -> None:
    """The file of an upload, a thumbnail or a frame that did not come to its end; it may be gone already."""
    path.unlink(missing_ok=True)


def drop_abandoned(incoming: Path) -> int:
    """Uploads that a process left when it died: the files that nobody holds. How many there were."""
    dropped = 0
    for path in list(incoming.iterdir()) if incoming.is_dir() else []:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        else:
            path.unlink(missing_ok=True)
            dropped += 1
        finally:
            os.close(descriptor)
    return dropped


def unreferenced(
    store: BlobStore,
    referenced: Referenced,
    *,
    young_s: float = YOUNG_S,
    clock: Callable[[], float] = time.time,
) -> list[Listed]:
    """The blobs that no item refers to.

    Args:
        referenced: which of these SHA-256 an item refers to; asked after the store was listed, so that what is uploaded
            meanwhile is not in question.
        young_s: one that was uploaded so lately is none of them.
    """
    old = [one for one in store.listed() if clock() - one.written_s >= young_s]
    found: list[Listed] = []
    for start in range(0, len(old), _BATCH):
        batch = old[start : start + _BATCH]
        kept = referenced([one.sha256 for one in batch])
        found += [one for one in batch if one.sha256 not in kept]
    return found


def sweep(store: BlobStore, blobs: Iterable[Listed], referenced: Referenced) -> Removed:
    """Remove those of these blobs that still nobody refers to, with their thumbnails."""
    removed = Removed()
    for one in blobs:
        if not referenced([one.sha256]) and store.remove(one):
            removed = Removed(removed.count + 1, removed.size_bytes + one.size_bytes)
    return removed


def remove_file(place: Path, thumbnails: Path, lock: Path, blob: Listed) -> bool:
    """Delete a blob's file unless its bytes were uploaded again since it was listed; whether it went."""
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        # No upload takes its place between the look and the deletion.
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        try:
            if place.stat().st_mtime != blob.written_s:
                return False
            place.unlink()
        except FileNotFoundError:
            return False
    finally:
        os.close(descriptor)
    for thumbnail in thumbnails.glob(f"{blob.sha256.hex()}-*.png"):
        thumbnail.unlink(missing_ok=True)
    return True


def drop_frames(folder: Path, kept: Container[str] = ()) -> None:
    """Delete an item's frames but those of these names; with none of them left, their folder goes too."""
    for path in list(folder.iterdir()) if folder.is_dir() else []:
        if path.name not in kept:
            path.unlink(missing_ok=True)
    with suppress(OSError):  # not empty, or not there
        folder.rmdir()


def remove_objects(client: Minio, bucket: str, keys: Iterable[str]) -> None:
    """Delete objects of ours; those that are not there are no trouble."""
    for key in keys:
        client.remove_object(bucket, key)
