"""The source file of a job, opened so that nothing can be swapped under it, and its stored thumbnail."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from media_common import beneath, thumbnail_file
from media_common.thumbnail_file import Source

from thumbnail_service.domain.jobs import Job

_NOT_THERE: Final = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EINVAL, errno.ENAMETOOLONG, errno.ENXIO)


class Gone(Exception):
    """No regular file is there, or the way to it leads through a link or out of the root."""


class RootUnreachable(Exception):
    """The root itself cannot be opened by this worker."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A source file, and what it was when it was opened."""

    descriptor: int
    source: Source
    inode: int


@contextmanager
def opened(job: Job) -> Iterator[Opened]:
    """The job's file, open for reading; its own link is followed only inside the root.

    Raises:
        Gone: it is not there.
        RootUnreachable: its root is not.
        OSError: it is there and cannot be opened.
    """
    descriptor = _open(job)
    try:
        facts = os.fstat(descriptor)
        yield Opened(descriptor, Source(job.path, facts.st_mtime_ns, facts.st_size), facts.st_ino)
    finally:
        os.close(descriptor)


def _open(job: Job) -> int:
    try:
        root_fd = os.open(job.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise RootUnreachable(error.strerror) from error
    try:
        return beneath.open_file(root_fd, beneath.resolve_file(job.root, root_fd, job.relative))
    except OSError as error:
        if error.errno in _NOT_THERE:
            raise Gone from error
        raise
    finally:
        os.close(root_fd)


def is_still(job: Job, before: Opened) -> bool:
    """Whether the path still leads to the very file that was opened, unchanged."""
    try:
        with opened(job) as now:
            return now.inode == before.inode and now.source == before.source
    except (Gone, RootUnreachable, OSError):
        return False


def fresh(job: Job, source: Source) -> bytes | None:
    """A stored thumbnail of this very state of the file."""
    for base in (job.root, job.state_cache):
        if base and (png := thumbnail_file.read_fresh(base, source, job.size_px)) is not None:
            return png
    return None


def keep(job: Job, source: Source, png: bytes) -> None:
    """Store the thumbnail in the root, or in the state cache when the root does not take it.

    Raises:
        OSError: neither takes it.
    """
    if thumbnail_file.is_writable(job.root) or not job.state_cache:
        try:
            return thumbnail_file.store(job.root, source, job.size_px, png)
        except OSError:  # a link or a file in a bucket's place, a full or failing disk
            if not job.state_cache:
                raise
    os.makedirs(job.state_cache, mode=0o700, exist_ok=True)
    return thumbnail_file.store(job.state_cache, source, job.size_px, png)
