"""Short video files of a drawn scene that the camera pans across."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
from av.video.stream import VideoStream
from PIL import Image

from samples.stills import dated

_RATE: Final = 15


def pan(scene: Image.Image, size: tuple[int, int], frames: int) -> Iterator[Image.Image]:
    """Frames of `size` that wander from the scene's left to its right."""
    room_x, room_y = scene.width - size[0], scene.height - size[1]
    for number in range(frames):
        at = number / max(1, frames - 1)
        x, y = int(room_x * at), int(room_y * at / 2)
        yield scene.crop((x, y, x + size[0], y + size[1]))


def save_video(
    scene: Image.Image,
    file: Path,
    at: datetime,
    seconds: float,
    size: tuple[int, int] = (640, 360),
    quarter_turns: int = 0,
    codec: str = "",
) -> None:
    """Write a clip; H.264 where this build of FFmpeg has an encoder, else MPEG-4 part 2.

    Args:
        scene: larger than what is shown in both directions.
        size: as stored; with an odd number of quarter turns it is shown with the sides exchanged.
        quarter_turns: the frames are stored turned and shown upright by a display matrix that turns them back
            counter-clockwise by so many quarters, as phones write them.
        codec: another encoder, for another container.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    # bitexact: no random identifiers in the file.
    with av.open(str(file), "w", container_options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream(codec or _encoder(), rate=_RATE)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = size[0], size[1], "yuv420p"
        stream.codec_context.time_base = Fraction(1, _RATE)
        # One thread: with more the bytes differ from run to run.
        stream.codec_context.thread_count = 1
        stream.bit_rate = 600_000
        if quarter_turns:
            stream.set_display_rotation(90.0 * quarter_turns)
        shown = size[::-1] if quarter_turns % 2 else size
        for upright in pan(scene, shown, max(1, round(seconds * _RATE))):
            picture = upright.rotate(-90.0 * quarter_turns, expand=True)
            frame = av.VideoFrame.from_image(picture)  # type: ignore[no-untyped-call]
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    dated(file, at)


def _encoder() -> str:
    for name in ("libx264", "libopenh264"):
        try:
            av.Codec(name, "w")
        except ValueError:  # av's "unknown codec" is one
            continue
        return name
    return "mpeg4"
