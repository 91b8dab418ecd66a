"""Review roots' folders as deeds see them: companions beside media files, all through directory descriptors."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from media_common import beneath

from fs_service.domain.disk import Look, MarkBlocked
from fs_service.domain.errors import NameTooLong, NotMedia, OutsideRoots, PathMissing, StorageFailed
from fs_service.domain.items import STATES, SUFFIXES, State
from fs_service.domain.ports import Roots
from fs_service.store import removal

logger = logging.getLogger(__name__)

#: The marks as plain numbers: a flag's `&` costs microseconds, and a batch asks six times a file.
_MARKS: Final = tuple((int(mark), mark, suffix) for mark, suffix in SUFFIXES.items())
#: The trash mark first: left behind it would wait for the next file of that name.
_CLEARING: Final = tuple((int(mark), mark) for mark in (State.TRASHED, State.SEEN, State.LOCKED))
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_MISSING: Final = (errno.ENOENT, errno.ENOTDIR)
#: A name too long for the file system is no file's name.
_NO_NAME: Final = (*_MISSING, errno.ENAMETOOLONG)
#: What file systems without a flush of folders answer.
_CANNOT_SYNC: Final = (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS)
_SENTENCES: Final = {
    errno.ENOSPC: "The disk is full",
    errno.EDQUOT: "The disk quota is used up",
    errno.EROFS: "The disk is read-only",
    errno.EACCES: "The folder may not be written to",
    errno.EPERM: "The system does not permit it",
    errno.EIO: "The disk failed to read or write",
    errno.EBUSY: "The file is in use by the system",
    errno.EMFILE: "Too many files are open",
    errno.ENFILE: "Too many files are open",
}


def failed(error: OSError) -> StorageFailed:
    """The sentence for what the system refused; it names no path."""
    reason = _SENTENCES.get(error.errno or 0) or os.strerror(error.errno or errno.EIO)
    return StorageFailed(f"{reason}; nothing was changed.")


def nothing(step: str) -> None:
    """No fault. Tests inject others, to cut the work off at a step."""


class CompanionDisk:
    """`domain.disk.Disk` on real folders."""

    def __init__(self, roots: Roots, fault: Callable[[str], None] = nothing) -> None:
        self._roots = roots
        self._fault = fault
        self._real: dict[bytes, tuple[tuple[int, int], bytes]] = {}

    def real(self, root: bytes) -> bytes:
        try:
            facts = os.stat(root)
        except OSError:
            return root
        directory = (facts.st_dev, facts.st_ino)
        known = self._real.get(root)
        if known is None or known[0] != directory:
            # Following the links anew at every action costs more than the action's look at its file.
            known = self._real[root] = (directory, os.path.realpath(root))
        return known[1]

    @contextmanager
    def opened(self, root: bytes, folder: bytes) -> Iterator[OpenFolder]:
        with self._roots.opened(root) as root_fd:
            try:
                descriptor = beneath.open_folder(root_fd, folder.split(b"/") if folder else [])
            except beneath.Escapes as error:
                raise OutsideRoots from error
            except OSError as error:
                if error.errno in _MISSING:
                    raise PathMissing from error
                raise failed(error) from error
            try:
                yield OpenFolder(root, root_fd, folder, descriptor, self._fault)
            finally:
                os.close(descriptor)


class OpenFolder:
    """`domain.disk.Folder` on a directory descriptor."""

    def __init__(self, root: bytes, root_fd: int, folder: bytes, descriptor: int, fault: Callable[[str], None]) -> None:
        self._root = root
        self._root_fd = root_fd
        self._folder = folder
        self._fd = descriptor
        self._fault = fault
        self._way: _Way | None = None

    def look(self, name: bytes) -> Look:
        return self._look(name, self._check_target)

    def look_bare(self, name: bytes) -> Look:
        return self._look(name, None)

    def stands(self) -> bool:
        if self._way is None:
            self._way = _Way(self._root, self._root_fd, self._folder, self._fd)
        return self._way.stands()

    def has(self, name: bytes) -> bool:
        return self._facts(name) is not None

    def put(self, name: bytes, now: State, target: State) -> None:
        made: list[State] = []
        gone: list[State] = []
        try:
            new, old = int(target) & ~int(now), int(now) & ~int(target)
            for bit, mark, _ in _MARKS:
                if bit & new and self._make(name, mark):
                    made.append(mark)
            for bit, mark, _ in reversed(_MARKS):
                if bit & old:
                    self._fault(f"remove {mark.name}")
                    if removal.remove_companion(self._fd, name, mark):
                        gone.append(mark)
        except (OSError, StorageFailed) as error:
            self._take_back(name, made, gone)
            if isinstance(error, StorageFailed):
                raise
            if error.errno == errno.ENAMETOOLONG:
                raise NameTooLong from error
            raise failed(error) from error

    def remove(self, name: bytes, seen: Look) -> None:
        try:
            self._fault("remove media")
            removal.remove_media(self._fd, name, seen.identity)
        except FileNotFoundError as error:
            raise PathMissing from error
        except OSError as error:
            raise failed(error) from error
        self._clear(name, seen.marks)

    def clear(self, name: bytes, marks: State) -> None:
        if self._facts(name) is not None:
            raise StorageFailed("The media file is still there; its marks were kept.")
        self._clear(name, marks)

    def sync(self) -> None:
        try:
            self._fault("sync")
            os.fsync(self._fd)
        except OSError as error:
            if error.errno not in _CANNOT_SYNC:
                raise failed(error) from error

    def _look(self, name: bytes, check_target: Callable[[bytes], None] | None) -> Look:
        facts = self._facts(name)
        if facts is None:
            raise PathMissing
        if stat.S_ISLNK(facts.st_mode):
            if check_target is not None:
                check_target(name)
        elif not stat.S_ISREG(facts.st_mode):
            raise NotMedia
        marks = blocked = 0
        for bit, _, suffix in _MARKS:
            try:
                mode = os.stat(name + suffix, dir_fd=self._fd, follow_symlinks=False).st_mode
            except FileNotFoundError:
                continue
            except OSError as error:
                if error.errno in _NO_NAME:
                    continue
                raise failed(error) from error
            if stat.S_ISREG(mode):
                marks |= bit
            else:
                blocked |= bit
        return Look(removal.identity_of(facts), STATES[marks], STATES[blocked])

    def _clear(self, name: bytes, marks: State) -> None:
        present = int(marks)
        for bit, mark in _CLEARING:
            if bit & present:
                try:
                    self._fault(f"clear {mark.name}")
                    removal.remove_companion(self._fd, name, mark)
                except OSError as error:
                    logger.warning("the %s mark of a deleted file stays behind: %r: %s", mark.name, name, error)

    def _facts(self, name: bytes) -> os.stat_result | None:
        try:
            return os.stat(name, dir_fd=self._fd, follow_symlinks=False)
        except OSError as error:
            if error.errno in _NO_NAME:
                return None
            raise failed(error) from error

    def _check_target(self, name: bytes) -> None:
        """The file is a link: it counts when it leads to a regular file inside the root."""
        relative = self._folder + b"/" + name if self._folder else name
        try:
            target = beneath.resolve_file(self._root, self._root_fd, relative)
            folders, last = beneath.split(target)
            with beneath.folder(self._root_fd, folders) as parent:
                mode = os.stat(last, dir_fd=parent, follow_symlinks=False).st_mode
        except beneath.Escapes as error:
            raise OutsideRoots from error
        except OSError as error:
            raise PathMissing from error
        if not stat.S_ISREG(mode):
            raise NotMedia

    def _make(self, name: bytes, mark: State) -> bool:
        """Create the companion; False: it appeared meanwhile."""
        companion = name + SUFFIXES[mark]
        self._fault(f"make {mark.name}")
        try:
            os.close(os.open(companion, _NEW, 0o644, dir_fd=self._fd))
        except FileExistsError as error:
            found = self._facts(companion)
            if found is not None and stat.S_ISREG(found.st_mode):
                return False
            raise MarkBlocked(mark) from error
        return True

    def _take_back(self, name: bytes, made: list[State], gone: list[State]) -> None:
        for mark in gone:
            with contextlib.suppress(OSError):
                os.close(os.open(name + SUFFIXES[mark], _NEW, 0o644, dir_fd=self._fd))
        for mark in reversed(made):
            try:
                removal.remove_companion(self._fd, name, mark)
            except OSError as error:
                logger.warning("the %s mark of a file could not be taken back: %r: %s", mark.name, name, error)


class _Way:
    """From a root's path to an open folder."""

    def __init__(self, root: bytes, root_fd: int, folder: bytes, descriptor: int) -> None:
        parts = folder.split(b"/") if folder else []
        self._root = root
        self._root_fd = root_fd
        self._folders = [b"/".join(parts[: count + 1]) for count in range(len(parts))]  # the last one is it
        self._ends = (_identity(os.fstat(root_fd)), _identity(os.fstat(descriptor)))

    def stands(self) -> bool:
        try:
            here = there = os.stat(self._root)
            for folder in self._folders:
                there = os.stat(folder, dir_fd=self._root_fd, follow_symlinks=False)
                if not stat.S_ISDIR(there.st_mode):
                    return False
        except OSError:
            return False
        return (_identity(here), _identity(there)) == self._ends


def _identity(facts: os.stat_result) -> tuple[int, int]:
    return facts.st_dev, facts.st_ino
