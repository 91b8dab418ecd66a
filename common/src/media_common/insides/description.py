"""What is known of a file from the inside. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple

from media_common.formats import AUDIOS, DOCUMENTS, RAWS, VIDEOS, extension_of


class Form(Enum):
    """How a file is to be read."""

    PICTURE = auto()  # of any format: its content says which
    RAW = auto()
    VIDEO = auto()
    AUDIO = auto()
    DOCUMENT = auto()


def form_of(name: bytes) -> Form:
    """By the extension."""
    extension = extension_of(name)
    if extension in VIDEOS:
        return Form.VIDEO
    if extension in AUDIOS:
        return Form.AUDIO
    if extension in DOCUMENTS:
        return Form.DOCUMENT
    return Form.RAW if extension in RAWS else Form.PICTURE


class Size(NamedTuple):
    """As a viewer shows it: orientation applied. All None: it cannot be decoded."""

    width_px: int | None = None
    height_px: int | None = None
    duration_s: float | None = None


@dataclass(frozen=True, slots=True)
class Camera:
    """What the camera wrote; None is unknown, or was not sensible."""

    taken_us: int | None = None  # the camera's own time, as if it were UTC
    taken_offset_min: int | None = None  # that clock's minutes ahead of UTC
    make: str | None = None
    model: str | None = None
    lens: str | None = None
    orientation: int | None = None  # 1..8
    latitude: float | None = None
    longitude: float | None = None


@dataclass(frozen=True, slots=True)
class Description:
    """All of it."""

    size: Size
    camera: Camera
    page_count: int | None = None  # of a document
