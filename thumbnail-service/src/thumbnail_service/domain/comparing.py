"""What a picture is compared with others by: is it the same scene, which one is sharper, which one is better exposed.

Judging is not done here: these are measures of one picture, and the file service knows the others.
"""

from __future__ import annotations

import json
import math
from functools import lru_cache
from statistics import fmean, median
from typing import Any, Final

import pyvips

#: Length of the longer side at which sharpness is measured: of every picture the same, so that a small copy, which is
#: blown up for it, counts as less sharp than its original. Blur of one pixel in a picture of 24 MP is still seen.
SIDE_PX: Final = 1024
#: Of the profiles.
PROFILE: Final = 64
_SMALL_PX: Final = 32
_KEPT: Final = 8
#: Grey values that hold no detail any more.
_DARK: Final = 3
_BRIGHT: Final = 252
_TILES: Final = 8
#: The darkest mean that has a logarithm.
_DARKEST: Final = 2.0**-16


def figures_of(image: Any, size_px: int) -> bytes:
    """The figures of an upright sRGB pyvips image as JSON, by the fields of `PictureFigures`.

    Args:
        size_px: as for a thumbnail's box; what it holds has been shrunk into it.
    Sources: hash: the DCT hash of Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions", 2010,
        3.2.1. Sharpness: energy of the Laplacian (Subbarao, Choi and Nikzad, "Focusing techniques", 1993), of the
        sharpest quarter of 8 x 8 tiles, because a subject in focus may stand before a blurred ground; by the square of
        the mean brightness, because more light makes every edge higher.
    """
    grey = _grey(image)
    counts = memoryview(grey.hist_find().cast("uint").write_to_memory()).cast("I")
    total = sum(counts)
    linear = sum(count * _LINEAR[level] for level, count in enumerate(counts)) / total
    mean = sum(count * level for level, count in enumerate(counts)) / total
    shown = {
        "hash": _hash(_squeezed(grey, _SMALL_PX)),
        **_profiles(_squeezed(grey, PROFILE)),
        "sharpness": _sharpness(grey, size_px) / (1 + mean) ** 2,
        "exposure_ev": math.log2(max(linear, _DARKEST)),
        "dark": sum(counts[: _DARK + 1]) / total,
        "bright": sum(counts[_BRIGHT:]) / total,
    }
    return json.dumps(shown).encode()


def _grey(image: Any) -> Any:
    if image.hasalpha():
        image = image.flatten(background=[128] * (image.bands - 1))
    grey = image.colourspace("b-w")
    if grey.format != "uchar":
        grey = grey.cast("uchar")
    # Read several times, which a file that is decoded row by row cannot be.
    return grey.extract_band(0).copy_memory()


def _squeezed(grey: Any, side_px: int) -> bytes:
    """The whole picture as a square, row by row."""
    small = grey.thumbnail_image(side_px, height=side_px, size="force")
    pixels: bytes = small.extract_band(0).write_to_memory()
    return pixels


def _rows(pixels: bytes, side_px: int) -> list[bytes]:
    return [pixels[at : at + side_px] for at in range(0, len(pixels), side_px)]


def _profiles(pixels: bytes) -> dict[str, list[int]]:
    rows = _rows(pixels, PROFILE)
    return {
        "rows": [round(fmean(row)) for row in rows],
        "columns": [round(fmean(column)) for column in zip(*rows, strict=True)],
    }


def _hash(pixels: bytes) -> int:
    """64 bits, those of the lowest frequencies first: whether each is above the median of all but the mean."""
    basis = _basis()
    across = [
        [sum(value * wave for value, wave in zip(row, waves, strict=True)) for waves in basis]
        for row in _rows(pixels, _SMALL_PX)
    ]
    low = [sum(row[u] * wave for row, wave in zip(across, waves, strict=True)) for waves in basis for u in range(_KEPT)]
    middle = median(low[1:])
    bits = 0
    for value in low:
        bits = bits << 1 | (value > middle)
    return bits


@lru_cache(maxsize=1)
def _basis() -> list[list[float]]:
    """The first 8 waves of the DCT-II of 32 values."""
    return [[math.cos(math.pi / _SMALL_PX * (at + 0.5) * wave) for at in range(_SMALL_PX)] for wave in range(_KEPT)]


def _sharpness(grey: Any, size_px: int) -> float:
    longer = max(grey.width, grey.height)
    if longer < size_px:
        grey = grey.resize(size_px / longer, kernel="cubic")
    edges = grey.cast("float").conv(pyvips.Image.new_from_array([[0, 1, 0], [1, -4, 1], [0, 1, 0]]))
    tiles = (edges * edges).shrink(max(1, grey.width // _TILES), max(1, grey.height // _TILES)).cast("float")
    energies = sorted(memoryview(tiles.write_to_memory()).cast("B").cast("f"), reverse=True)
    return fmean(energies[: max(1, len(energies) // 4)])


def _linear(level: int) -> float:
    """IEC 61966-2-1."""
    value = level / 255
    return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)


_LINEAR: Final = [_linear(level) for level in range(256)]
