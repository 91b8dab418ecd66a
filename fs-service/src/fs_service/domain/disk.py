"""What deeds need from the disk: open folders of review roots, marks beside files, and the one way to delete."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

from media_common.errors import ErrorCode

from fs_service.domain.errors import StorageFailed
from fs_service.domain.items import SUFFIXES, Identity, State


class MarkBlocked(StorageFailed):
    """A link, a folder or the like stands where a companion would be made: a fault of the folder, not of the disk."""

    code = ErrorCode.MARK_BLOCKED

    def __init__(self, mark: State) -> None:
        super().__init__(
            f"Something that is no mark stands in the place of the file's {SUFFIXES[mark].decode()} companion; "
            "nothing was changed."
        )


class Replaced(Exception):
    """Another file has the name since it was looked at, or the file was written to; nothing was changed."""


class Look(NamedTuple):
    """A media file and its marks, read a moment ago."""

    identity: Identity
    marks: State
    blocked: State  # marks in whose place something stands that is no regular file


class Folder(Protocol):
    """A folder of a review root, held open: a link put in its place or above it meanwhile changes nothing."""

    def look(self, name: bytes) -> Look:
        """The file and its marks.

        Raises:
            PathMissing: no such file.
            NotMedia: not a regular file, nor a link to one.
            OutsideRoots: a link that leads out of the root.
        """

    def look_bare(self, name: bytes) -> Look:
        """The same without asking where a link leads: deleting takes the link itself.

        Raises:
            PathMissing: no such file.
            NotMedia: neither a regular file nor a link.
        """

    def stands(self) -> bool:
        """Whether the way to the folder still leads to it, without a link; if not, whoever opens it anew is told."""

    def has(self, name: bytes) -> bool:
        """Whether anything has the name."""

    def put(self, name: bytes, now: State, target: State) -> None:
        """Make the companions say `target`. New marks first, so that a cut leaves a file rather more protected.

        Raises:
            StorageFailed, NameTooLong: the disk refused; the companions are as they were.
        """

    def remove(self, name: bytes, seen: Look) -> None:
        """Delete the media file that was seen for good, then the companions seen beside it. The only call here that
        deletes media.

        Raises:
            PathMissing: somebody else was faster.
            Replaced: it is not the file that was seen.
            StorageFailed: the disk refused; the file and its marks are as they were.
        """

    def clear(self, name: bytes, marks: State) -> None:
        """Delete these companions of a media file that is gone. What cannot be deleted is logged.

        Raises:
            StorageFailed: there is such a media file.
        """

    def sync(self) -> None:
        """Changes of the folder are on the disk when it returns.

        Raises:
            StorageFailed: the disk refused.
        """


class Disk(Protocol):
    """The review roots' folders."""

    def real(self, root: bytes) -> bytes:
        """The root without links on the way to it: one name for a file that two roots reach, to lock it by."""

    def opened(self, root: bytes, folder: bytes) -> AbstractContextManager[Folder]:
        """A folder below the root (empty: the root itself), reached without following any link.

        Raises:
            RootOffline: the root is not there, or not the one that was added.
            OutsideRoots: a folder on the way is a link.
            PathMissing: no such folder.
            StorageFailed: it cannot be opened.
        """
