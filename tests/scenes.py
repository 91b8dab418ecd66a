"""Generated photographs: scenes, and takes of them as a camera makes them (sharp, blurred, bracketed, swept)."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

#: Of every scene; a take is a window of it.
_WIDTH, _HEIGHT = 3600, 1200
SIZE = (1200, 800)
CAMERA = "Example", "One"
BEGIN = datetime(2026, 4, 12, 10, 0, 0, tzinfo=UTC)
_MAKE, _MODEL, _EXIF_IFD, _TAKEN, _SUBSEC = 0x010F, 0x0110, 0x8769, 0x9003, 0x9291


def scene(seed: int) -> Image.Image:
    """A wide view: light and shade, things of all sizes, fine texture; every seed another one."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(40, 216, (4, 10, 3), dtype=np.uint8)).resize(
        (_WIDTH, _HEIGHT), Image.Resampling.BICUBIC
    )
    draw = ImageDraw.Draw(coarse)
    for _ in range(140):
        x, y = int(rng.integers(0, _WIDTH)), int(rng.integers(0, _HEIGHT))
        wide, high = (int(side) for side in rng.integers(20, 420, 2))
        colour = tuple(int(level) for level in rng.integers(15, 235, 3))
        shape = draw.ellipse if rng.random() < 0.5 else draw.rectangle
        shape((x, y, x + wide, y + high), fill=colour)
    texture = rng.normal(0, 9, (_HEIGHT, _WIDTH, 1))
    return _image(np.asarray(coarse, dtype=np.float64) + texture)


def take(
    view: Image.Image,
    at: tuple[int, int] = (1200, 200),
    *,
    blur: float = 0.0,
    ev: float = 0.0,
    noise_seed: int = 0,
    size: tuple[int, int] = SIZE,
) -> Image.Image:
    """What a camera sees of the scene.

    Args:
        at: the window's corner.
        blur: radius in pixels.
        ev: stops of exposure.
    """
    picture = view.crop((at[0], at[1], at[0] + SIZE[0], at[1] + SIZE[1]))
    if blur:
        picture = picture.filter(ImageFilter.GaussianBlur(blur))
    linear = (np.asarray(picture, dtype=np.float64) / 255) ** 2.2 * 2.0**ev
    noise = np.random.default_rng(noise_seed).normal(0, 1.5, (*linear.shape[:2], 1))
    return _image(np.clip(linear, 0, 1) ** (1 / 2.2) * 255 + noise).resize(size, Image.Resampling.LANCZOS)


def save(
    picture: Image.Image, path: Path, seconds: float | None = 0.0, camera: tuple[str, str] | None = CAMERA
) -> Path:
    """The picture as a file.

    Args:
        seconds: after `BEGIN`, as the camera's time and the file's; None: as the file's time, `BEGIN`.
        camera: None: the file says nothing of a camera, nor of a time.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    at = BEGIN + timedelta(seconds=seconds or 0.0)
    exif = Image.Exif()
    if camera is not None:
        exif[_MAKE], exif[_MODEL] = camera
        inner = exif.get_ifd(_EXIF_IFD)
        inner[_TAKEN] = at.strftime("%Y:%m:%d %H:%M:%S")
        inner[_SUBSEC] = f"{at.microsecond // 1000:03}"
    picture.save(path, quality=90, exif=exif)
    os.utime(path, (at.timestamp(), at.timestamp()))
    return path


def burst(
    folder: Path, seed: int = 1, count: int = 4, sharp: int = 2, name: str = "burst", begin_s: float = 0
) -> list[Path]:
    """Takes of one scene, half a second apart, the hand not quite still; one of them sharp, the others blurred."""
    view = scene(seed)
    return [
        save(
            take(
                view,
                (1200 + 6 * number, 200 - 4 * number),
                blur=0 if number == sharp else 2.5 + number,
                noise_seed=number,
            ),
            folder / f"{name}{number:02}.jpg",
            begin_s + number / 2,
        )
        for number in range(count)
    ]


def bracket(folder: Path, seed: int = 2, name: str = "bracket", begin_s: float = 0) -> list[Path]:
    """One scene at 0, -2 and +2 stops."""
    view = scene(seed)
    return [
        save(take(view, ev=ev, noise_seed=number), folder / f"{name}{number}.jpg", begin_s + number / 2)
        for number, ev in enumerate((0, -2, 2))
    ]


def sweep(
    folder: Path, seed: int = 3, step: int = 360, count: int = 5, name: str = "pano", begin_s: float = 0
) -> list[Path]:
    """A view after the other from left to right, each overlapping the one before."""
    view = scene(seed)
    return [
        save(
            take(view, (100 + step * number, 200), noise_seed=number), folder / f"{name}{number}.jpg", begin_s + number
        )
        for number in range(count)
    ]


def _image(levels: NDArray[np.float64]) -> Image.Image:
    return Image.fromarray(np.clip(levels, 0, 255).astype(np.uint8))
