"""What a camera's notes mean, however odd they are: EXIF tags and a container's metadata to a `Camera`. Pure and total:
whatever a value is, the answer is a sensible one or None.

Source: Exif 2.32 (CIPA DC-008), QuickTime File Format (metadata keys), ISO 6709.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from media_common.insides.description import Camera

#: Longer names are nonsense, and nobody wants them as tags.
_TEXT_MAX: Final = 120
_YEARS: Final = range(1800, 10_000)
_HOURS_AHEAD: Final = range(-12 * 60, 14 * 60 + 1)
#: What clocks show that were never set, in a video's header.
_UNSET: Final = ((1904, 1, 1), (1970, 1, 1))

_STAMP: Final = re.compile(
    r"\s*([0-9]{4})[:/.-]([0-9]{1,2})[:/.-]([0-9]{1,2})[ T]+([0-9]{1,2}):([0-9]{1,2})(?::([0-9]{1,2}))?"
    r"(?:[.,]([0-9]+))?\s*(Z|[+-][0-9]{2}:?[0-9]{2})?"
)
_OFFSET: Final = re.compile(r"\s*([+-])([0-9]{1,2}):?([0-9]{2})\b")
_PLACE: Final = re.compile(r"([+-][0-9]{2}(?:\.[0-9]+)?)([+-][0-9]{3}(?:\.[0-9]+)?)")

_MAKE, _MODEL, _ORIENTATION, _CHANGED = 0x010F, 0x0110, 0x0112, 0x0132
#: When the picture was taken, its fraction of a second and the clock's offset; when it was digitised, the same.
_MOMENTS: Final = ((0x9003, 0x9291, 0x9011), (0x9004, 0x9292, 0x9012))
_CHANGED_FRACTION, _CHANGED_OFFSET = 0x9290, 0x9010
_LENS: Final = 0xA434


def of_exif(main: Mapping[int, Any], shot: Mapping[int, Any], gps: Mapping[int, Any]) -> Camera:
    """From a picture's tags.

    Args:
        main: the first directory.
        shot: the Exif directory.
        gps: the GPS directory.
    """
    make, model = text(main.get(_MAKE)), text(main.get(_MODEL))
    taken_us = offset_min = None
    for stamp, fraction, offset in _MOMENTS:
        taken_us, offset_min = moment(shot.get(stamp), shot.get(fraction))
        if taken_us is not None:
            offset_min = _first(_ahead(shot.get(offset)), _ahead(shot.get(_CHANGED_OFFSET)), offset_min)
            break
    if taken_us is None and (make or model):
        # Only the time of the last change: an old camera's own, where a camera is named; an editor's elsewhere.
        taken_us, offset_min = moment(main.get(_CHANGED), shot.get(_CHANGED_FRACTION))
        if taken_us is not None:
            offset_min = _first(_ahead(shot.get(_CHANGED_OFFSET)), offset_min)
    latitude, longitude = _place(degrees(gps.get(2), gps.get(1), "NS", 90), degrees(gps.get(4), gps.get(3), "EW", 180))
    orientation = main.get(_ORIENTATION)
    return Camera(
        taken_us=taken_us,
        taken_offset_min=offset_min,
        make=make,
        model=model,
        lens=text(shot.get(_LENS)),
        orientation=orientation if type(orientation) is int and 1 <= orientation <= 8 else None,
        latitude=latitude,
        longitude=longitude,
    )


def of_container(tags: Mapping[str, str]) -> Camera:
    """From a video's metadata. Apple writes the local time with its offset; others write UTC, and say so."""
    found = {key.lower(): value for key, value in tags.items()}
    taken_us = offset_min = None
    for key in ("com.apple.quicktime.creationdate", "creation_time", "date"):
        taken_us, offset_min = moment(found.get(key), None)
        if taken_us is not None and _is_set(taken_us):
            break
        taken_us = offset_min = None
    latitude = longitude = None
    for key in ("com.apple.quicktime.location.iso6709", "location", "location-eng"):
        if (match := _PLACE.match(found.get(key, ""))) is not None:
            latitude, longitude = _place(_within(float(match[1]), 90), _within(float(match[2]), 180))
            break
    return Camera(
        taken_us=taken_us,
        taken_offset_min=offset_min,
        make=_first_text(found, "com.apple.quicktime.make", "com.android.manufacturer", "make"),
        model=_first_text(found, "com.apple.quicktime.model", "com.android.model", "model"),
        latitude=latitude,
        longitude=longitude,
    )


def text(value: object) -> str | None:
    """A name without what does not belong into one: nothing behind a NUL, no control characters, not too long."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if not isinstance(value, str):
        return None
    value = value[: 8 * _TEXT_MAX].partition("\0")[0]
    try:
        # Pillow reads text as Latin-1; most that is not ASCII was meant as UTF-8.
        value = value.encode("latin-1").decode("utf-8")
    except UnicodeError:
        value = value.encode("utf-8", "replace").decode("utf-8")
    shown = "".join(character if character.isprintable() else " " for character in value)
    return " ".join(shown.split())[:_TEXT_MAX].rstrip() or None


def moment(stamp: object, fraction: object) -> tuple[int | None, int | None]:
    """Microseconds of a written date and time, as if it were UTC, and the minutes ahead of UTC that it names itself."""
    match = _STAMP.match(_plain(stamp))
    if match is None:
        return None, None
    parts = [int(part or 0) for part in match.groups()[:6]]
    if parts[0] not in _YEARS:
        return None, None
    try:
        seconds = int(datetime(*parts, tzinfo=UTC).timestamp())  # type: ignore[misc,arg-type]
    except (ValueError, OverflowError):
        return None, None
    digits = re.match("[0-9]*", _plain(fraction).strip())
    micros = (match[7] or (digits[0] if digits else ""))[:6].ljust(6, "0")
    return seconds * 1_000_000 + int(micros), 0 if match[8] == "Z" else _ahead(match[8])


def degrees(value: object, reference: object, signs: str, most: int) -> float | None:
    """An angle of degrees, minutes and seconds; without the side of the world there is none.

    Args:
        signs: the letters of the positive and the negative side.
    """
    side = _plain(reference).strip("\0 ").upper()
    if len(side) != 1 or side not in signs or not isinstance(value, tuple | list) or not 1 <= len(value) <= 3:
        return None
    parts = [_number(part) for part in value]
    if any(part is None or part < 0 for part in parts):
        return None
    angle = sum((part or 0.0) / scale for part, scale in zip(parts, (1, 60, 3600), strict=False))
    return _within(-angle if side == signs[1] else angle, most)


def _place(latitude: float | None, longitude: float | None) -> tuple[float | None, float | None]:
    """Both or none. Nought and nought is what receivers write that have found no satellite."""
    if latitude is None or longitude is None or (latitude == 0 and longitude == 0):
        return None, None
    return latitude, longitude


def _within(angle: float, most: int) -> float | None:
    return round(angle, 7) if -most <= angle <= most else None


def _ahead(value: object) -> int | None:
    match = _OFFSET.match(_plain(value))
    if match is None:
        return 0 if _plain(value).strip("\0 ") == "Z" else None
    minutes = int(match[2]) * 60 + int(match[3])
    signed = -minutes if match[1] == "-" else minutes
    return signed if int(match[3]) < 60 and signed in _HOURS_AHEAD else None


def _plain(value: object) -> str:
    if isinstance(value, bytes):
        return value[:_TEXT_MAX].decode("ascii", "replace")
    return value[:_TEXT_MAX] if isinstance(value, str) else ""


def _number(value: object) -> float | None:
    """Also of a fraction, whose denominator may be nought."""
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, ArithmeticError):
        return None
    return number if math.isfinite(number) else None


def _is_set(taken_us: int) -> bool:
    taken = datetime.fromtimestamp(taken_us // 1_000_000, UTC)
    return (taken.year, taken.month, taken.day) not in _UNSET


def _first(*values: int | None) -> int | None:
    return next((value for value in values if value is not None), None)


def _first_text(found: Mapping[str, str], *keys: str) -> str | None:
    return next(filter(None, (text(found.get(key)) for key in keys)), None)
