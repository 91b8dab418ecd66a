"""What a file is by its name alone: image, video, companion, hidden."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from media_common.formats import IMAGES, VIDEOS


class Kind(IntEnum):
    """The numbers are those of the contract's `Kind`."""

    IMAGE = 1
    VIDEO = 2


_COMPANIONS: Final = frozenset((b"lock", b"trash", b"seen"))

#: The file system's limit on one name, in bytes.
NAME_MAX: Final = 255


def kind_of(name: bytes) -> Kind | None:
    """The kind of media, by the extension in any case; None for everything else, hidden files included."""
    if name.startswith(b"."):
        return None
    stem, dot, extension = name.rpartition(b".")
    if not dot or not stem:
        return None
    extension = extension.lower()
    if extension in IMAGES:
        return Kind.IMAGE
    if extension in VIDEOS:
        return Kind.VIDEO
    return None


def companion_of(name: bytes) -> tuple[bytes, bytes] | None:
    """`(media file name, suffix)` when the name is a companion's, such as `photo.jpg.lock`; whether that file
    exists is another matter."""
    owner, _, suffix = name.rpartition(b".")
    if suffix in _COMPANIONS and kind_of(owner) is not None:
        return owner, suffix
    return None


def is_hidden(name: bytes) -> bool:
    """Dot files and dot directories are never listed and never walked."""
    return name.startswith(b".")
