"""The only module of this service that deletes. Every call names one file in a folder that is open already.

Nothing here follows a link: `unlink` takes the name itself away, whatever it is, and never what a link points to; a
folder is never removed. Who may be deleted is decided by the callers; what *kind* of thing may go is checked here.
"""

from __future__ import annotations

import os
import re
import stat
from typing import Final

from fs_service.domain.disk import Replaced
from fs_service.domain.items import SUFFIXES, Identity, State
from fs_service.domain.media import kind_of
from fs_service.store.freeing import Freeing
from fs_service.store.rows import signed

#: A thumbnail's name, or the temporary one of its making (`.<md5>.png.<process>.<random>`).
_THUMBNAIL: Final = re.compile(rb"\A(?:[0-9a-f]{32}\.png|\.[0-9a-f]{32}\.png\.[0-9]+\.[0-9a-f]+)\Z")


_freeing: Final = Freeing()


class NotRemovable(OSError):
    """What has the name is not of the kind that this call deletes; nothing was changed."""


def remove_media(folder_fd: int, name: bytes, identity: Identity) -> None:
    """Delete a media file, or the link of that name (never its target), when it is still this one.

    The look and the deletion are two system calls with nothing between them: other programs take no locks of ours.

    Raises:
        NotRemovable: the name is no media file's, or neither a regular file nor a link has it.
        Replaced: another file has the name, or the file was written to.
        OSError: missing, or the system refuses.
    """
    media = kind_of(name) is not None
    with _freeing.put_off(folder_fd, name):
        facts = os.stat(name, dir_fd=folder_fd, follow_symlinks=False)
        if not media or not (stat.S_ISREG(facts.st_mode) or stat.S_ISLNK(facts.st_mode)):
            raise NotRemovable("not a media file")
        if not identity_of(facts).agrees(identity):
            raise Replaced
        os.unlink(name, dir_fd=folder_fd)


def identity_of(facts: os.stat_result) -> Identity:
    """What the file is told by."""
    return Identity(facts.st_dev, facts.st_ino, facts.st_size, signed(facts.st_mtime_ns))


def remove_companion(folder_fd: int, name: bytes, mark: State) -> bool:
    """Delete the companion of one mark of the media file `name`; False: there was none.

    Raises:
        NotRemovable: something other than a regular file has that name.
        OSError: the system refuses.
    """
    companion = name + SUFFIXES[mark]
    try:
        if kind_of(name) is None or not stat.S_ISREG(_mode(folder_fd, companion)):
            raise NotRemovable("not a companion file")
        os.unlink(companion, dir_fd=folder_fd)
    except FileNotFoundError:
        return False
    return True


def remove_thumbnail(bucket_fd: int, name: bytes) -> bool:
    """Delete a stored thumbnail, or one left half-made, of an open bucket; False: there was none.

    Raises:
        NotRemovable: the name is no thumbnail's, or no regular file has it.
        OSError: the system refuses.
    """
    try:
        if not _THUMBNAIL.match(name) or not stat.S_ISREG(_mode(bucket_fd, name)):
            raise NotRemovable("not a thumbnail")
        with _freeing.put_off(bucket_fd, name):
            os.unlink(name, dir_fd=bucket_fd)
    except FileNotFoundError:
        return False
    return True


def _mode(folder_fd: int, name: bytes) -> int:
    return os.stat(name, dir_fd=folder_fd, follow_symlinks=False).st_mode
