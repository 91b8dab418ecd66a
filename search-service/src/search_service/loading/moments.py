"""The frames of a video at moments that are known: another encoder is shown what the one before was shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import av

from search_service.domain.errors import UnreadablePicture
from search_service.loading import videos
from search_service.loading.videos import Found

#: Moments are kept to the millisecond; no two frames are so near to each other.
_SLACK_S: Final = 0.002


def frames_at(descriptor: int, moments_s: Sequence[float]) -> Found:
    """One for each moment, in order: the frame that begins then, or else the one that is seen then.

    However long it takes: fewer would take frames away that objects and finds are told by.

    Raises:
        UnreadablePicture: no known container, no picture in it, no frame that decodes.
    """
    av.logging.set_level(av.logging.PANIC)
    wanted = sorted(moments_s)
    try:
        if found := _sought(descriptor, wanted) or _walked(descriptor, wanted, True):
            return found
        found = _walked(descriptor, wanted, False)
    except av.error.FFmpegError as error:
        raise UnreadablePicture("The video cannot be decoded.") from error
    if not found:
        raise UnreadablePicture("The video has no frame that can be decoded.")
    return found


def _sought(descriptor: int, wanted: Sequence[float]) -> Found:
    """Straight from key frame to key frame; none when one of the moments is not such a frame's."""
    found: Found = []
    with videos.opened(descriptor, True) as (container, stream):
        begin = videos.begin_of(stream)
        for at_s in wanted:
            try:
                container.seek(round((begin + at_s + _SLACK_S) / stream.time_base), stream=stream)
                frame = next(container.decode(stream))
            except (av.error.FFmpegError, StopIteration):
                return []
            if frame.time is None or abs(frame.time - begin - at_s) > _SLACK_S:
                return []
            found.append(videos.still(at_s, frame, stream))
    return found


def _walked(descriptor: int, wanted: Sequence[float], key_frames: bool) -> Found:
    """From the first to the last; of key frames alone, none when one of the moments is not such a frame's."""
    found: Found = []
    left = list(wanted)
    before = None
    with videos.opened(descriptor, key_frames) as (container, stream):
        for at_s, frame in videos.timed(container, stream):
            while left and (at_s > left[0] - _SLACK_S):
                is_it = at_s <= left[0] + _SLACK_S
                if key_frames and not is_it:
                    return []
                found.append(videos.still(left.pop(0), frame if is_it or before is None else before, stream))
            if not left:
                return found
            before = frame
        if before is None or key_frames:
            return []
        return [*found, *(videos.still(at_s, before, stream) for at_s in left)]
