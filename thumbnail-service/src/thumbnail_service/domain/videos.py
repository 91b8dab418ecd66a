"""Videos: the frame at two seconds, or the first one of a shorter video, upright."""

from __future__ import annotations

import os
import time
from enum import Enum, auto
from typing import IO, Any, Final

from thumbnail_service.domain import canvas
from thumbnail_service.domain.errors import Unreadable
from thumbnail_service.domain.letterbox import fit
from thumbnail_service.domain.limits import Limits

_AT_S: Final = 2.0
#: Decoding from the last key frame to the wanted one; past this the frame in hand will do.
_PATIENCE_S: Final = 10.0
#: Containers by name, because others are playlists: an HLS or concat list called a.mp4 would open files and
#: addresses of its author's choice.
_CONTAINERS: Final = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegts,mpegvideo,asf,h264,hevc,m4v"


def render(descriptor: int, size_px: int, limits: Limits) -> bytes:
    """The thumbnail PNG of the video in the open file.

    Raises:
        Unreadable: no known container, no picture in it, no frame that decodes.
        OSError: the disk failed.
    """
    import av

    av.logging.set_level(av.logging.PANIC)
    try:
        for way in _Way:
            # Each from a fresh start: a seek that found nothing leaves some containers at their end.
            os.lseek(descriptor, 0, os.SEEK_SET)
            with os.fdopen(os.dup(descriptor), "rb", buffering=0) as file:
                png = _found(file, way, size_px, limits)
            if png is not None:
                return png
    except av.error.FFmpegError as error:
        raise Unreadable("The video cannot be decoded.") from error
    raise Unreadable("The video has no frame that can be decoded.")


class _Way(Enum):
    """How to come to a frame, the quickest first."""

    SEEK = auto()  # to two seconds, over the index
    DECODE = auto()  # to two seconds, from the beginning: MPEG streams may have no key frame where a seek lands
    FIRST = auto()  # the first frame: the video is shorter


def _found(file: IO[bytes], way: _Way, size_px: int, limits: Limits) -> bytes | None:
    """The thumbnail; None when this way leads to no frame."""
    import av

    options = {"format_whitelist": _CONTAINERS, "protocol_whitelist": "none"}
    with av.open(file, mode="r", options=options) as container:
        stream = container.streams.best("video")
        if not isinstance(stream, av.VideoStream) or not stream.time_base:
            raise Unreadable("The file has no video in it.")
        limits.check_decoded(stream.width or 1, stream.height or 1)
        stream.thread_type = "NONE"
        stream.codec_context.thread_count = 1
        target_s = float("-inf")
        if way is not _Way.FIRST:
            length_s = _length_s(container, stream)
            if length_s is not None and length_s <= _AT_S:
                return None
            target_s = float((stream.start_time or 0) * stream.time_base) + _AT_S
        if way is _Way.SEEK:
            try:
                container.seek(int(target_s / stream.time_base), stream=stream)
            except av.error.FFmpegError:
                return None
        frame = _first_from(container, stream, target_s)
        if frame is None:
            return None
        limits.check_decoded(frame.width, frame.height)
        return canvas.png_of(_upright(frame, _aspect(stream), size_px), size_px)


def _first_from(container: Any, stream: Any, target_s: float) -> Any:
    import av

    last, limit = None, time.monotonic() + _PATIENCE_S
    try:
        for frame in container.decode(stream):
            last = frame
            # Half a millisecond: time stamps are rounded to the stream's clock.
            if frame.time is None or frame.time >= target_s - 0.0005 or time.monotonic() > limit:
                return frame
    except av.error.FFmpegError:
        return last  # broken from here on: what came before is still a picture of this video
    return None  # it ended before


def _length_s(container: Any, stream: Any) -> float | None:
    import av

    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    if container.duration is not None:
        return float(container.duration / av.time_base)
    return None


def _aspect(stream: Any) -> float:
    """Width of a pixel over its height, as broadcast and camcorder formats have it."""
    ratio = stream.sample_aspect_ratio
    return float(ratio) if ratio else 1.0


def _upright(frame: Any, aspect: float, size_px: int) -> Any:
    """The frame as a pyvips image that fits the box. It is scaled while it is converted, before it is turned."""
    shown_width = max(1, round(frame.width * aspect))
    width, height = fit(shown_width, frame.height, size_px)
    small = frame.reformat(width=width, height=height, format="rgb24", interpolation="AREA")
    plane = small.planes[0]
    rows = bytes(plane)
    if plane.line_size != width * 3:  # rows are padded for the processor's sake
        rows = b"".join(rows[at : at + width * 3] for at in range(0, plane.line_size * height, plane.line_size))
    image = canvas.from_rgb(rows[: width * height * 3], width, height)
    quarters = round(frame.rotation / 90) % 4  # counter-clockwise
    return image if quarters == 0 else image.rot(("d0", "d270", "d180", "d90")[quarters])
