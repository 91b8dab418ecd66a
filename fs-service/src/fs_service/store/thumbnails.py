"""Stored thumbnails as the file service sees them: looking one up, and removing those of files that are gone.

Making and writing them is the workers' business. What is deleted here, `removal` deletes.
"""

from __future__ import annotations

import hashlib
import logging
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from media_common import beneath, thumbnail_file
from media_common.errors import ServiceError
from media_common.thumbnail_file import FOLDER, Source

from fs_service.domain.paths import is_inside
from fs_service.domain.ports import Place, Roots
from fs_service.store import removal
from fs_service.store.files import Files

logger = logging.getLogger(__name__)

#: A temporary file older than this belongs to a worker that died; no write takes so long.
_LEFT_BEHIND_S: Final = 3600.0
#: Enough of a thumbnail to hold its text entries; the longest path percent-encoded is 12 kB.
_HEAD_BYTES: Final = 16 * 1024


#: In the state directory, where no other place is set up.
CACHE_FOLDER: Final = "thumbnails"


def state_cache_of(cache: Path, root: bytes) -> bytes:
    """The folder that stands in for a root that takes no thumbnails; it need not exist."""
    return os.path.join(os.fsencode(cache), hashlib.md5(root).hexdigest().encode("ascii"))


class ThumbnailStore:
    """Looks up, drops and prunes, in the root and in its stand-in."""

    def __init__(
        self,
        roots: Roots,
        files: Files,
        cache: Path,
        known: Callable[[bytes], Iterable[bytes]] = lambda root: (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        """
        Args:
            cache: holds the stand-ins.
            known: the media files that the index has below a root, absolute; only to know which thumbnails need no
                second look when pruning. It may be behind or empty.
            clock: seconds since the epoch.
        """
        self._roots = roots
        self._files = files
        self._cache = cache
        self._known = known
        self._clock = clock

    def state_cache(self, root: bytes) -> bytes:
        return state_cache_of(self._cache, root)

    def source(self, place: Place) -> Source:
        """The file's facts that its thumbnail must match. Raises what `Files.opened` raises."""
        with self._files.opened(place) as descriptor:
            facts = os.fstat(descriptor)
        return Source(place.path, facts.st_mtime_ns, facts.st_size)

    def fresh(self, root: bytes, source: Source, size_px: int) -> bytes | None:
        """The stored PNG of exactly this state of the file."""
        for base in (root, self.state_cache(root)):
            if (png := thumbnail_file.read_fresh(base, source, size_px)) is not None:
                return png
        return None

    def drop(self, paths: Sequence[bytes]) -> None:
        """Remove the files' thumbnails, in every size. Failing is logged, never raised."""
        try:
            # A file of a root inside another one has thumbnails in both.
            roots = self._roots.known()
        except ServiceError as error:
            logger.warning("thumbnails of deleted files are left: %s", error)
            return
        for root in roots:
            names = [thumbnail_file.name_of(path) for path in paths if is_inside(path, root)]
            if not names:
                continue
            try:
                for bucket_fd in self._buckets(root):
                    _remove_all(bucket_fd, names)
            except (ServiceError, OSError) as error:
                logger.warning("thumbnails of deleted files are left: %s", error)

    def prune(self, root: bytes) -> int:
        """Remove the thumbnails below the root whose source file is gone, and half-made ones; how many."""
        removed = 0
        try:
            known: set[bytes] | None = None
            with self._roots.opened(root) as root_fd:
                for bucket_fd in self._buckets(root):
                    names = list(map(os.fsencode, os.listdir(bucket_fd)))
                    if names and known is None:
                        known = {thumbnail_file.name_of(path) for path in self._known(root)}
                    for name in names:
                        if name not in (known or ()) and self._is_orphan(bucket_fd, name, root, root_fd):
                            removed += _remove(bucket_fd, name)
        except (ServiceError, OSError) as error:
            logger.warning("pruning thumbnails was cut short: %s", error)
        return removed

    def _is_orphan(self, bucket_fd: int, name: bytes, root: bytes, root_fd: int) -> bool:
        """Whether the file is ours, and of a source inside this root that certainly is no more."""
        if name.startswith(b"."):
            return self._is_left_behind(bucket_fd, name)
        path = _source_path(bucket_fd, name)
        if path is None or thumbnail_file.name_of(path) != name:
            return False
        prefix = root.rstrip(b"/") + b"/"
        if not path.startswith(prefix):
            return False
        try:
            return not _exists(root_fd, path[len(prefix) :])
        except (OSError, ValueError):  # unreadable, or a name of another program's making: left alone
            return False

    def _is_left_behind(self, bucket_fd: int, name: bytes) -> bool:
        """Whether a dot file is too old to be a write under way. `removal` knows a half-made one by its name."""
        try:
            changed_s = os.stat(name, dir_fd=bucket_fd, follow_symlinks=False).st_ctime
        except OSError:
            return False
        return self._clock() - changed_s > _LEFT_BEHIND_S

    def _buckets(self, root: bytes) -> Iterator[int]:
        """A descriptor of each bucket, the root's and its stand-in's, none of them reached through a link; each is
        closed when the next is asked for."""
        with self._roots.opened(root) as root_fd:
            yield from _buckets_in(root_fd)
        try:
            with beneath.root(self.state_cache(root)) as cache_fd:
                yield from _buckets_in(cache_fd)
        except FileNotFoundError:
            return


def _buckets_in(base_fd: int) -> Iterator[int]:
    try:
        with beneath.folder(base_fd, [FOLDER]) as thumbnails_fd:
            names = [name for name in map(os.fsencode, os.listdir(thumbnails_fd)) if thumbnail_file.is_bucket(name)]
            for name in names:
                with _bucket(thumbnails_fd, name) as bucket_fd:
                    if bucket_fd is not None:
                        yield bucket_fd
    except (FileNotFoundError, NotADirectoryError, beneath.Escapes):
        return


@contextmanager
def _bucket(thumbnails_fd: int, name: bytes) -> Iterator[int | None]:
    try:
        descriptor = beneath.open_folder(thumbnails_fd, [name])
    except OSError:  # a link, a file, no right
        yield None
        return
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _remove(bucket_fd: int, name: bytes) -> bool:
    try:
        return removal.remove_thumbnail(bucket_fd, name)
    except removal.NotRemovable:
        return False


def _remove_all(bucket_fd: int, names: Iterable[bytes]) -> None:
    """One that cannot be removed keeps no other."""
    for name in names:
        try:
            _remove(bucket_fd, name)
        except OSError as error:
            logger.warning("a deleted file's thumbnail is left: %s", error)


def _source_path(bucket_fd: int, name: bytes) -> bytes | None:
    """The absolute path in the thumbnail's text; None when it has none that we would have written."""
    try:
        descriptor = beneath.open_file(bucket_fd, name)
    except OSError:
        return None
    try:
        head = os.pread(descriptor, _HEAD_BYTES, 0)
    finally:
        os.close(descriptor)
    return thumbnail_file.path_of(thumbnail_file.read_text(head).get("Thumb::URI", ""))


def _exists(root_fd: int, relative: bytes) -> bool:
    """Whether something has that name below the root; a link counts as itself, one on the way as nothing there.

    Raises:
        OSError: it cannot be told.
        ValueError: not a clean relative path.
    """
    folders, name = beneath.split(relative)
    try:
        with beneath.folder(root_fd, folders) as parent:
            mode = os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode
            return stat.S_ISREG(mode) or stat.S_ISLNK(mode)
    except (FileNotFoundError, NotADirectoryError, beneath.Escapes):
        return False
