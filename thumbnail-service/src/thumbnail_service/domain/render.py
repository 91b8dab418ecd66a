"""From an open file to its thumbnail, by what kind of file it is. No path, no queue, no store."""

from __future__ import annotations

from media_common.formats import RAWS, VIDEOS

from thumbnail_service.domain import canvas, pictures
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
        raise _too_much() from error


def look(descriptor: int, extension: bytes, limits: Limits) -> bytes:
    """The figures of the still picture, as `comparing.figures_of` writes them; the rest as for `render`."""
    from thumbnail_service.domain import comparing

    look_at = _raw if extension in RAWS else pictures.render
    try:
        return look_at(descriptor, comparing.SIDE_PX, limits, comparing.figures_of)
    except MemoryError as error:
        raise _too_much() from error


def _too_much() -> Unreadable:
    return Unreadable("Decoding the file takes more memory than a render may use.")


def _raw(descriptor: int, size_px: int, limits: Limits, finish: canvas.Finish = canvas.png_of) -> bytes:
    from thumbnail_service.domain import raws

    try:
        return raws.render(descriptor, size_px, limits, finish)
    except Unreadable as error:
        # A `.raw` or `.tif` renamed by hand may be an ordinary picture.
        try:
            return pictures.render(descriptor, size_px, limits, finish)
        except Unreadable:
            raise error from None
