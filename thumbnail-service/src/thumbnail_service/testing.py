"""Sample files and a look at thumbnails, for tests only."""

from __future__ import annotations

import io
import struct
import zlib
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av
import numpy as np
from PIL import Image

#: The four corners of `marked`, as a viewer sees them: top left, top right, bottom left, bottom right.
CORNERS: Final = ((220, 30, 30), (30, 190, 30), (30, 30, 220), (230, 220, 40))
#: The EXIF orientation that undoes each transposition.
TRANSPOSED: Final = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def marked(width_px: int, height_px: int) -> Image.Image:
    """A picture whose quarters have the colours of `CORNERS`, so that a turn or a flip shows."""
    picture = Image.new("RGB", (width_px, height_px))
    for index, colour in enumerate(CORNERS):
        left, top = index % 2 * width_px // 2, index // 2 * height_px // 2
        picture.paste(colour, (left, top, left + width_px - width_px // 2, top + height_px - height_px // 2))
    return picture


def opened(png: bytes) -> Image.Image:
    """A thumbnail's pixels as RGBA."""
    with Image.open(io.BytesIO(png)) as picture:
        assert picture.format == "PNG"
        return picture.convert("RGBA")


def seen_corners(png: bytes, width_px: int, height_px: int) -> list[tuple[int, ...]]:
    """The colours in the middle of the quarters of a `width_px` x `height_px` picture centred in the thumbnail."""
    picture = opened(png)
    left, top = (picture.width - width_px) / 2, (picture.height - height_px) / 2
    return [
        picture.getpixel((int(left + width_px * x), int(top + height_px * y)))  # type: ignore[misc]
        for y in (0.25, 0.75)
        for x in (0.25, 0.75)
    ]


def alike(seen: tuple[int, ...], meant: tuple[int, ...], within: int = 40) -> bool:
    """Whether two colours are the same but for what lossy formats do."""
    return all(abs(a - b) <= within for a, b in zip(seen[:3], meant[:3], strict=True)) and seen[3:] in ((), (255,))


def save_photo(path: Path, width_px: int = 400, height_px: int = 300, **options: Any) -> Path:
    """A `marked` picture, in the format of the path's extension."""
    path.parent.mkdir(parents=True, exist_ok=True)
    marked(width_px, height_px).save(path, **options)
    return path


def save_video(
    path: Path, seconds: float, width_px: int = 160, height_px: int = 120, codec: str = "mpeg4", fps: int = 10
) -> Path:
    """A video whose first second is red, the second green, everything behind blue."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=fps)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = width_px, height_px, "yuv420p"
        stream.time_base = Fraction(1, fps)
        for number in range(round(seconds * fps)):
            colour = ((220, 30, 30), (30, 190, 30), (30, 30, 220))[min(2, number // fps)]
            pixels = np.full((height_px, width_px, 3), colour, dtype=np.uint8)
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def png_header(width_px: int, height_px: int) -> bytes:
    """The first bytes of an RGB PNG that says it is so large."""
    body = b"IHDR" + struct.pack(">IIBBBBB", width_px, height_px, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))
