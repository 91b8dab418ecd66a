"""The bytes of media files: their facts for a conditional read, and ranges in chunks.

Every file is opened below its root's descriptor without following links, its own link inside the root excepted.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from media_common import beneath
from media_common.errors import InvalidArgument
from media_common.media_types import type_of

from fs_service.domain.errors import FileChanged, NotMedia, OutsideRoots, PathMissing, StorageFailed
from fs_service.domain.media import is_hidden, kind_of
from fs_service.domain.ports import Place, Roots
from fs_service.store.birth import birth_us as birth_us

#: Large enough that the hop to a thread costs nothing beside the read, small enough for a flat memory.
CHUNK_BYTES: Final = 512 * 1024


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What a conditional or ranged read needs to know."""

    path: bytes  # absolute
    size_bytes: int
    modified_us: int
    etag: str  # no quotes
    content_type: str


def content_type(name: bytes) -> str:
    """The media type by the extension, in any case."""
    return type_of(name.rpartition(b".")[2].lower()) or "application/octet-stream"


def etag_of(facts: os.stat_result) -> str:
    """Another value whenever the file is another one or was written to."""
    return f"{facts.st_ino:x}-{facts.st_size:x}-{facts.st_mtime_ns:x}"


class Files:
    """Reads media files of the review roots."""

    def __init__(self, roots: Roots) -> None:
        self._roots = roots

    def facts(self, place: Place) -> FileFacts:
        """The file's facts now.

        Raises:
            OutsideRoots: a link leads out of the root, or a folder on the way is one.
            PathMissing: not there, or not to be read.
            NotMedia: not media by name, below a hidden folder, or no regular file.
            RootOffline: the root cannot be reached.
        """
        with self.opened(place) as descriptor:
            stat = os.fstat(descriptor)
        return FileFacts(
            path=place.path,
            size_bytes=stat.st_size,
            modified_us=stat.st_mtime_ns // 1000,
            etag=etag_of(stat),
            content_type=content_type(place.relative),
        )

    def read(self, place: Place, offset: int, length: int, etag: str) -> Iterator[bytes]:
        """The bytes [offset, offset + length) in chunks of at most `CHUNK_BYTES`.

        Raises:
            FileChanged: the etag is not `etag`, or the file grew shorter than the range while it was read.
            InvalidArgument: the range does not lie inside the file.
            The errors of `facts`.
        """
        if offset < 0 or length < 0:
            raise InvalidArgument("The range is negative.")
        with self.opened(place) as descriptor:
            stat = os.fstat(descriptor)
            if etag_of(stat) != etag:
                raise FileChanged
            if offset + length > stat.st_size:
                raise InvalidArgument("The range lies outside the file.")
            end = offset + length
            while offset < end:
                chunk = os.pread(descriptor, min(CHUNK_BYTES, end - offset), offset)
                if not chunk:
                    raise FileChanged
                offset += len(chunk)
                yield chunk

    @contextmanager
    def opened(self, place: Place) -> Iterator[int]:
        """A descriptor of the media file, with the errors of `facts`."""
        folders, _, name = place.relative.rpartition(b"/")
        if kind_of(name) is None or any(is_hidden(part) for part in folders.split(b"/")):
            raise NotMedia
        try:
            with self._roots.opened(place.root) as root_fd:
                relative = beneath.resolve_file(place.root, root_fd, place.relative)
                descriptor = beneath.open_file(root_fd, relative)
            try:
                yield descriptor
            finally:
                os.close(descriptor)
        except beneath.Escapes as error:
            raise OutsideRoots from error
        except OSError as error:
            raise _refusal(error) from error


def _refusal(error: OSError) -> Exception:
    if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP):
        return PathMissing()
    if error.errno == errno.EINVAL:
        return NotMedia()
    if error.errno in (errno.EACCES, errno.EPERM):
        return PathMissing("The file may not be read.")
    return StorageFailed("The disk could not read the file.")
