"""From an open file to its thumbnail, by what kind of file it is. No path, no queue, no store."""

from __future__ import annotations

from media_common.formats import RAWS, VIDEOS

from thumbnail_service.domain import pictures
from thumbnail_service.domain.errors import Unreadable
from thumbnail_service.domain.limits import Limits


def render(descriptor: int, extension: bytes, size_px: int, limits: Limits) -> bytes:
    """The thumbnail PNG, exactly `size_px` square.

    Args:
        descriptor: a regular file, readable; its offset is moved.
        extension: lower case, without the dot. It tells videos and raws; a picture's format is told by its bytes.
    Raises:
        Unreadable: the file cannot be decoded.
        OSError: the disk failed.
    """
    try:
        if extension in VIDEOS:
            from thumbnail_service.domain import videos

            return videos.render(descriptor, size_px, limits)
        if extension in RAWS:
            return _raw(descriptor, size_px, limits)
        return pictures.render(descriptor, size_px, limits)
    except MemoryError as error:
        raise Unreadable("Decoding the file takes more memory than a render may use.") from error


def _raw(descriptor: int, size_px: int, limits: Limits) -> bytes:
    from thumbnail_service.domain import raws

    try:
        return raws.render(descriptor, size_px, limits)
    except Unreadable as error:
        # A `.raw` or `.tif` renamed by hand may be an ordinary picture.
        try:
            return pictures.render(descriptor, size_px, limits)
        except Unreadable:
            raise error from None
