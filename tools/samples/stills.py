"""Picture files as cameras write them: EXIF dates, make and model, orientation, place."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pillow_heif
from PIL import Image

pillow_heif.register_heif_opener()

#: How a picture is stored so that the orientation (by number) shows it upright.
_STORED: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


@dataclass(frozen=True, slots=True)
class Camera:
    """The names are made up."""

    make: str
    model: str


PHONE: Final = Camera("Corvid", "Phone 7")
COMPACT: Final = Camera("Halden", "H-100")
MIRRORLESS: Final = Camera("Lumora", "LX Pro")
TRAIL: Final = Camera("Fernglen", "NightEye 20")


def save(
    picture: Image.Image,
    file: Path,
    at: datetime,
    camera: Camera | None = None,
    orientation: int = 1,
    place: tuple[float, float] | None = None,
    **options: Any,
) -> None:
    """Write the picture, which is upright, and give the file the time of the shot.

    Args:
        camera: None writes no EXIF at all.
        place: latitude and longitude in degrees.
        options: of Pillow's encoder.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    if orientation in _STORED:
        picture = picture.transpose(_STORED[orientation])
    if camera is not None:
        options["exif"] = _exif(at, camera, orientation, place).tobytes()
    if file.suffix.lower() in (".jpg", ".jpeg"):
        options.setdefault("quality", 84)
    picture.save(file, **options)
    dated(file, at)


def dated(file: Path, at: datetime) -> None:
    """Set the file's times to the shot's: the library is the same however often it is made."""
    seconds = at.replace(tzinfo=UTC).timestamp()
    os.utime(file, (seconds, seconds))


def _exif(at: datetime, camera: Camera, orientation: int, place: tuple[float, float] | None) -> Image.Exif:
    exif = Image.Exif()
    stamp = at.strftime("%Y:%m:%d %H:%M:%S")
    exif[0x010F], exif[0x0110] = camera.make, camera.model
    exif[0x0112] = orientation
    exif[0x0132] = stamp
    shot = exif.get_ifd(0x8769)
    shot[0x9003] = shot[0x9004] = stamp
    shot[0x9291] = f"{at.microsecond // 10_000:02d}"
    shot[0x829A], shot[0x829D], shot[0x8827], shot[0x920A] = 1 / 125, 2.8, 200, 35.0
    if place is not None:
        gps = exif.get_ifd(0x8825)
        latitude, longitude = place
        gps[1], gps[2] = "N" if latitude >= 0 else "S", _degrees(latitude)
        gps[3], gps[4] = "E" if longitude >= 0 else "W", _degrees(longitude)
    return exif


def _degrees(value: float) -> tuple[float, float, float]:
    minutes = abs(value) % 1 * 60
    return (float(int(abs(value))), float(int(minutes)), round(minutes % 1 * 60, 3))
