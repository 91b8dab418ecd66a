"""Blobs as files: `<folder>/ab/cd/<sha-256 in hex>`, thumbnails of them in `<folder>/thumbnails/ab/cd/`, frames
of videos as `<folder>/frames/ab/<item>/<millisecond>.jpg`, and what is on its way in as `<folder>/incoming/<random>`.

A blob is written beside its place, flushed to the disk and renamed, so it is whole or not there. The same bytes again
replace the file with themselves: one file, and a damaged one is healed by uploading it again.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from media_common.blobs import CHUNK_BYTES, BlobMissing, Listed, Stored, StoreFailed, removal

INCOMING: Final = "incoming"
THUMBNAILS: Final = "thumbnails"
FRAMES: Final = "frames"
LOCK: Final = ".lock"
#: Nothing is taken that would leave less: the catalogue and everybody else write to the same disk.
SPARE_BYTES: Final = 64 * 1024 * 1024
_PAIR: Final = re.compile(r"[0-9a-f]{2}")
_NAME: Final = re.compile(r"[0-9a-f]{64}")
_ITEM: Final = re.compile(r"[0-9]+")


class FolderStore:
    """Implements `BlobStore`. The folder is made when something is first written."""

    def __init__(self, folder: Path, spare_bytes: int = SPARE_BYTES) -> None:
        self.folder = folder
        self.spare_bytes = spare_bytes

    def writer(self) -> FolderWriter:
        with _storage():
            return FolderWriter(self)

    def size(self, sha256: bytes) -> int:
        with _storage():
            return self.place(sha256).stat().st_size

    def read(self, sha256: bytes, offset: int, length: int) -> Iterator[bytes]:
        with _storage():
            descriptor = os.open(self.place(sha256), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            left = length
            while left:
                with _storage():
                    data = os.pread(file.fileno(), min(left, CHUNK_BYTES), offset + length - left)
                if not data:
                    raise BlobMissing
                left -= len(data)
                yield data

    @contextmanager
    def local(self, sha256: bytes) -> Iterator[Path]:
        self.size(sha256)
        yield self.place(sha256)

    def thumbnail(self, sha256: bytes, size_px: int) -> bytes | None:
        with suppress(BlobMissing), _storage():
            return self._thumbnail_place(sha256, size_px).read_bytes()
        return None

    def keep_thumbnail(self, sha256: bytes, size_px: int, png: bytes) -> None:
        with _storage():
            _keep(self._thumbnail_place(sha256, size_px), png)

    def frame(self, item_id: int, at_ms: int) -> bytes | None:
        with suppress(BlobMissing), _storage():
            return (self._frames_of(item_id) / _frame_name(at_ms)).read_bytes() or None
        return None

    def keep_frames(self, item_id: int, jpegs: Mapping[int, bytes]) -> None:
        folder = self._frames_of(item_id)
        named = {_frame_name(at_ms): jpeg for at_ms, jpeg in jpegs.items()}
        with _storage():
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            disk = os.statvfs(self.folder)
            if disk.f_bavail * disk.f_frsize < self.spare_bytes + sum(map(len, named.values())):
                raise StoreFailed("the disk has no room left")
            for name, jpeg in named.items():
                _keep(folder / name, jpeg)
            removal.drop_frames(folder, named)

    def framed(self) -> Iterator[int]:
        for shelf in _named(self.folder / FRAMES, _PAIR):
            for folder in _named(shelf, _ITEM):
                yield int(folder.name)

    def drop_frames(self, item_id: int) -> None:
        with _storage():
            removal.drop_frames(self._frames_of(item_id))

    def listed(self) -> Iterator[Listed]:
        for first in _named(self.folder, _PAIR):
            for second in _named(first, _PAIR):
                for place in _named(second, _NAME):
                    with suppress(OSError):  # removed meanwhile
                        facts = place.stat()
                        yield Listed(bytes.fromhex(place.name), facts.st_size, facts.st_mtime)

    def remove(self, blob: Listed) -> bool:
        thumbnails = self._thumbnail_place(blob.sha256, 0).parent
        with _storage():
            return removal.remove_file(self.place(blob.sha256), thumbnails, self.folder / LOCK, blob)

    def drop_abandoned(self) -> int:
        with _storage():
            return removal.drop_abandoned(self.folder / INCOMING)

    def close(self) -> None:
        """Nothing is held."""

    def place(self, sha256: bytes) -> Path:
        """Where the blob is or would be."""
        name = sha256.hex()
        return self.folder / name[:2] / name[2:4] / name

    def _thumbnail_place(self, sha256: bytes, size_px: int) -> Path:
        name = sha256.hex()
        return self.folder / THUMBNAILS / name[:2] / name[2:4] / f"{name}-{size_px}.png"

    def _frames_of(self, item_id: int) -> Path:
        return self.folder / FRAMES / f"{item_id % 256:02x}" / str(item_id)


class FolderWriter:
    """Implements `BlobWriter`."""

    def __init__(self, store: FolderStore) -> None:
        self._store = store
        self._hash = hashlib.sha256()
        self._size = 0
        incoming = store.folder / INCOMING
        incoming.mkdir(mode=0o700, parents=True, exist_ok=True)
        while True:
            self._path = incoming / secrets.token_hex(16)
            self._file = open(self._path, "xb", buffering=0, opener=_private)  # noqa: SIM115 - closed at its end
            # Held for as long as this process is at it: one that nobody holds was left by a process that died.
            fcntl.flock(self._file, fcntl.LOCK_EX)
            if self._path.exists():
                return
            # Whoever clears up took it for one of those, in the moment before it was held.
            self._file.close()

    def write(self, data: bytes) -> None:
        view = memoryview(data)
        with _storage():
            disk = os.fstatvfs(self._file.fileno())
            if disk.f_bavail * disk.f_frsize < self._store.spare_bytes + len(data):
                raise StoreFailed("the disk has no room left")
            while view:
                written = self._file.write(view)
                self._hash.update(view[:written])
                self._size += written
                view = view[written:]

    def commit(self) -> Stored:
        digest = self._hash.digest()
        place = self._store.place(digest)
        try:
            with _storage():
                if os.fstat(self._file.fileno()).st_size != self._size:
                    raise StoreFailed("the disk did not keep what it was given")
                # Its age counts from here, however long ago its last byte came: what is young is not removed.
                os.utime(self._file.fileno())
                os.fsync(self._file.fileno())
                for folder in (place.parent.parent, place.parent):
                    if not folder.is_dir():
                        folder.mkdir(mode=0o700, exist_ok=True)
                        _flush(folder.parent)
                with shared(self._store.folder):
                    is_new = not place.exists()
                    self._path.replace(place)
                _flush(place.parent)
        finally:
            self.discard()
        return Stored(digest, self._size, is_new)

    def discard(self) -> None:
        self._file.close()
        removal.drop_unfinished(self._path)


@contextmanager
def shared(folder: Path) -> Iterator[None]:
    """While a blob takes its place, none is removed."""
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield
    finally:
        os.close(descriptor)


def _keep(place: Path, data: bytes) -> None:
    """What can be made again. Not flushed: a cut leaves none or an empty one, and an empty one is made again."""
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = place.with_name(f".{secrets.token_hex(8)}")
    try:
        temporary.write_bytes(data)
        temporary.replace(place)
    except BaseException:
        removal.drop_unfinished(temporary)
        raise


def _frame_name(at_ms: int) -> str:
    return f"{at_ms}.jpg"


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def _flush(folder: Path) -> None:
    """Make a rename in the folder outlast a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _named(folder: Path, pattern: re.Pattern[str]) -> list[Path]:
    try:
        return sorted(folder / name for name in os.listdir(folder) if pattern.fullmatch(name))
    except FileNotFoundError:
        return []


@contextmanager
def _storage() -> Iterator[None]:
    """The system's failures as the port's."""
    try:
        yield
    except FileNotFoundError as error:
        raise BlobMissing from error
    except OSError as error:
        raise StoreFailed((error.strerror or "the disk fails").lower()) from error
