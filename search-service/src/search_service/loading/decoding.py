"""From an open file to its pictures: upright, RGB, small, each with its second and the size that it has at full size.
In the decoding process only.

Each function may raise `UnreadablePicture`, `MemoryError`, or `OSError` when the disk fails; it moves the offset.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from io import BytesIO
from typing import Final

import numpy as np
from PIL import Image

from search_service.domain.errors import UnreadablePicture
from search_service.domain.items import Still
from search_service.encoders import pictures

#: LibRaw's `flip` as what undoes it. Source: LibRaw API docs, libraw_image_sizes_t.
_TURN: Final = {3: Image.Transpose.ROTATE_180, 5: Image.Transpose.ROTATE_90, 6: Image.Transpose.ROTATE_270}
#: Of those, the ones that lay it on its side.
_SIDEWAYS: Final = (5, 6)
_ORIENTATION_TAG: Final = 0x0112

Found = list[Still[Image.Image]]


def still(descriptor: int) -> Found:
    """Its format is told by its bytes, never by its name."""
    os.lseek(descriptor, 0, os.SEEK_SET)
    with os.fdopen(os.dup(descriptor), "rb") as file:
        return [_still(*pictures.read_sized(file))]


def given(data: bytes) -> Found:
    """A picture that is no file."""
    return [_still(*pictures.read_sized(BytesIO(data)))]


def raw(descriptor: int) -> Found:
    """The preview that the camera put in; where there is none, a quick development at half size."""
    import rawpy

    try:
        # By the descriptor's own name: LibRaw opens the same file again, whatever has become of its path.
        with rawpy.imread(f"/proc/self/fd/{descriptor}") as opened:
            sizes = opened.sizes
            turn = _TURN.get(sizes.flip)
            size = (sizes.height, sizes.width) if sizes.flip in _SIDEWAYS else (sizes.width, sizes.height)
            try:
                preview = opened.extract_thumb()
            except (rawpy.LibRawNoThumbnailError, rawpy.LibRawUnsupportedThumbnailError):
                # LibRaw turns it already.
                developed = opened.postprocess(half_size=True, use_camera_wb=True, output_bps=8)
                return [_still(_small(developed), size)]
            if preview.format != rawpy.ThumbFormat.JPEG:
                return [_still(_turned(_small(np.asarray(preview.data)), turn), size)]
            data = bytes(preview.data)
            picture = pictures.decoded(data)
            with Image.open(BytesIO(data), formats=("JPEG",)) as inner:
                is_upright = bool(inner.getexif().get(_ORIENTATION_TAG))  # by its own word
            return [_still(picture if is_upright else _turned(picture, turn), size)]
    except rawpy.LibRawError as error:
        # A `.raw` renamed by hand may be an ordinary picture.
        try:
            return still(descriptor)
        except UnreadablePicture:
            raise UnreadablePicture("The raw file cannot be decoded.") from error


def video(descriptor: int, moments_s: Sequence[float]) -> Found:
    """At these moments; where none are given, those that stand for it."""
    from search_service.loading import moments, videos

    return moments.frames_at(descriptor, moments_s) if moments_s else videos.frames(descriptor)


def _still(picture: Image.Image, size: tuple[int, int]) -> Still[Image.Image]:
    return Still(0.0, picture, *size)


def _small(pixels: np.ndarray) -> Image.Image:
    picture = Image.fromarray(pixels).convert("RGB")
    picture.thumbnail((pictures.ENOUGH_PX, pictures.ENOUGH_PX), reducing_gap=2.0)
    return picture


def _turned(picture: Image.Image, turn: Image.Transpose | None) -> Image.Image:
    return picture if turn is None else picture.transpose(turn)
