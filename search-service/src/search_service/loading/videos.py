"""Frames of a video that stand for it: where the scene changes, every ten seconds at least, 32 at most.

Only key frames are decoded, which costs a fraction of all of them, and encoders put one where a scene begins; a video
with hardly any is decoded as a whole.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from itertools import pairwise
from typing import Any, Final

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from search_service.domain.errors import UnreadablePicture
from search_service.domain.items import Still

MOST: Final = 32
EVERY_S: Final = 10.0
#: Mean difference of two tiny grey pictures, of 255, from which on it is another scene: pans and walking people stay
#: below 20, cuts are mostly above 40.
_ANOTHER_SCENE: Final = 30.0
#: Scenes shorter than this are one.
_SHORTEST_S: Final = 1.0
_TINY_PX: Final = 16
#: No encoder looks at more of a frame.
_SIDE_PX: Final = 384
#: What people are shown of a frame is as large as the largest thumbnail.
SHOWN_PX: Final = 1024
#: Hardly to be told from better ones at this size, and some 80 KB of a film.
_QUALITY: Final = 80
_MOST_PIXELS: Final = 100_000_000
#: What was found by then will do.
_PATIENCE_S: Final = 40.0
#: Containers by name, because others are playlists: an HLS or concat list called a.mp4 would open files and
#: addresses of its author's choice.
_CONTAINERS: Final = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegts,mpegvideo,asf,h264,hevc,m4v"

Found = list[Still[Image.Image]]


def frames(descriptor: int) -> Found:
    """In order of time.

    Raises:
        UnreadablePicture: no known container, no picture in it, no frame that decodes.
    """
    av.logging.set_level(av.logging.PANIC)
    limit = time.monotonic() + _PATIENCE_S
    try:
        found, length_s = _chosen(descriptor, True, limit)
        if len(found) <= length_s / EVERY_S / 2 or not found:
            every, _ = _chosen(descriptor, False, limit)
            found = every if len(every) > len(found) else found
    except av.error.FFmpegError as error:
        raise UnreadablePicture("The video cannot be decoded.") from error
    if not found:
        raise UnreadablePicture("The video has no frame that can be decoded.")
    return found


def _chosen(descriptor: int, key_frames: bool, limit: float) -> tuple[Found, float]:
    """The frames, and the video's length in seconds as far as it is known."""
    chosen: Found = []
    tiny: NDArray[np.int16] | None = None
    with opened(descriptor, key_frames) as (container, stream):
        length_s = float(stream.duration * stream.time_base) if stream.duration else 0.0
        length_s = length_s or (container.duration or 0) / av.time_base
        shortest_s = max(_SHORTEST_S, length_s / MOST / 4)
        for at_s, frame in timed(container, stream):
            seen = _tiny(frame)
            since_s = at_s - chosen[-1].timestamp_s if chosen else EVERY_S
            is_scene = tiny is None or float(np.abs(seen - tiny).mean()) > _ANOTHER_SCENE
            if since_s >= EVERY_S or (is_scene and since_s >= shortest_s):
                chosen.append(still(round(at_s, 3), frame, stream))
                tiny = seen
                _thin(chosen)
            if time.monotonic() > limit:
                break
    return chosen, length_s


@contextmanager
def opened(descriptor: int, key_frames: bool) -> Iterator[tuple[Any, Any]]:
    """The file, and the video in it, of which only key frames are decoded or all.

    Raises:
        UnreadablePicture: there is none, or one that is too large.
    """
    os.lseek(descriptor, 0, os.SEEK_SET)
    options = {"format_whitelist": _CONTAINERS, "protocol_whitelist": "none"}
    with (
        os.fdopen(os.dup(descriptor), "rb", buffering=0) as file,
        av.open(file, mode="r", options=options, metadata_errors="replace") as container,
    ):
        stream = container.streams.best("video")
        if not isinstance(stream, av.VideoStream) or not stream.time_base:
            raise UnreadablePicture("The file has no video in it.")
        _check(stream.width, stream.height)
        stream.thread_type = "NONE"
        stream.codec_context.thread_count = 1
        if key_frames:
            stream.codec_context.skip_frame = "NONKEY"
        yield container, stream


def begin_of(stream: Any) -> float:
    """The second that its times are counted from."""
    return float((stream.start_time or 0) * stream.time_base)


def timed(container: Any, stream: Any) -> Iterator[tuple[float, Any]]:
    """Frames with their seconds, up to where it is broken: what came before is still of this video."""
    begin, last = begin_of(stream), 0.0
    try:
        for frame in container.decode(stream):
            last = max(last, (frame.time if frame.time is not None else begin) - begin)
            yield last, frame
    except av.error.FFmpegError:
        return


def _thin(chosen: Found) -> None:
    """Of too many, the one that is nearest to its predecessor goes, so that all of the video stays covered."""
    if len(chosen) > MOST:
        gaps = [after.timestamp_s - before.timestamp_s for before, after in pairwise(chosen)]
        del chosen[1 + gaps.index(min(gaps))]


def _tiny(frame: Any) -> NDArray[np.int16]:
    small = frame.reformat(width=_TINY_PX, height=_TINY_PX, format="gray", interpolation="AREA")
    return np.asarray(small.to_ndarray(), np.int16)


def still(at_s: float, frame: Any, stream: Any) -> Still[Image.Image]:
    """For the encoder and for people; its size is that of the video's own pixels.

    Raises:
        UnreadablePicture: it is too large.
    """
    _check(frame.width, frame.height)
    across, down = (frame.height, frame.width) if _quarters(frame) % 2 else (frame.width, frame.height)
    shown = BytesIO()
    _picture(frame, stream, SHOWN_PX).save(shown, "JPEG", quality=_QUALITY)
    return Still(at_s, _picture(frame, stream, _SIDE_PX), across, down, shown.getvalue())


def _picture(frame: Any, stream: Any, side_px: int) -> Image.Image:
    """No larger than that, in its true shape, upright."""
    ratio = float(stream.sample_aspect_ratio or 1) or 1.0
    width, height = max(1, round(frame.width * ratio)), frame.height
    scale = min(1.0, side_px / max(width, height))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = frame.reformat(width=size[0], height=size[1], format="rgb24", interpolation="AREA")
    picture = Image.fromarray(small.to_ndarray())
    how = (None, Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_270)[_quarters(frame)]
    return picture if how is None else picture.transpose(how)


def _quarters(frame: Any) -> int:
    """How often it is to be turned, counter-clockwise."""
    return int(round(frame.rotation / 90) % 4)


def _check(width_px: int, height_px: int) -> None:
    if width_px * height_px > _MOST_PIXELS:
        raise UnreadablePicture(f"A video of {width_px} x {height_px} pixels is too large.")
