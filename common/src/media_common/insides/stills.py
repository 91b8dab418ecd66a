"""The headers of a picture. No pixel is decoded."""

from __future__ import annotations

import importlib
import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from typing import IO, Any, Final

from PIL import Image

from media_common.insides import camera
from media_common.insides.boxes import boxes, read_at
from media_common.insides.description import Camera, Description, Size

# The plugins by name: Pillow's own search would load forty, and ask each.
for _plugin in ("Bmp", "Gif", "Jpeg", "Png", "Tiff", "WebP"):
    importlib.import_module(f"PIL.{_plugin}ImagePlugin")

_ORIENTATION: Final = 0x0112
_SHOT: Final = 0x8769
_GPS: Final = 0x8825
_SIDEWAYS: Final = (5, 6, 7, 8)
_PLAIN: Final = ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP")
#: Makers that changed the first bytes of what else is a TIFF (Olympus, Panasonic), and what stands there in one.
_NEARLY_TIFF: Final = {b"IIRO": b"II*\0", b"IIRS": b"II*\0", b"IIU\0": b"II*\0", b"MMOR": b"MM\0*"}
#: As far as such a file's tags may reach.
_HEAD_BYTES: Final = 4 * 2**20
#: A JPEG's tags are in its first segments, none longer than this.
_SEGMENTS_BYTES: Final = 2**18
#: Where Canon's newest raws keep their tags: one box a directory.
_CANON: Final = bytes.fromhex("85c0b687820f11e08111f4ce462b6a48")


def sized(file: IO[bytes]) -> Size:
    with _opened(file) as image:
        return _size(image)


def described(file: IO[bytes]) -> Description:
    with _opened(file) as image:
        return Description(_size(image), _camera(_exif(image)))


def raw_sized(file: IO[bytes]) -> Size:
    return _raw_size(file) or sized(file)


def raw_described(file: IO[bytes]) -> Description:
    size = _raw_size(file)
    found = Camera()
    with suppress(Exception):  # a raw without tags still has a size
        found = _raw_camera(file)
    return described(file) if size is None else Description(size, found)


@contextmanager
def _opened(file: IO[bytes]) -> Iterator[Image.Image]:
    head = read_at(file, 0, 12)
    file.seek(0)
    formats = _modern() if head[4:8] == b"ftyp" else _PLAIN
    with Image.open(file, formats=formats) as image:
        yield image


@cache
def _modern() -> tuple[str, ...]:
    """HEIF and AVIF; imported when the first such file comes."""
    import pillow_heif

    importlib.import_module("PIL.AvifImagePlugin")
    pillow_heif.register_heif_opener(thumbnails=False)
    return ("AVIF", "HEIF")


def _exif(image: Image.Image) -> Image.Exif:
    # A PNG's own `getexif` would decode the whole picture.
    return Image.Image.getexif(image)


def _size(image: Image.Image) -> Size:
    width, height = image.size
    # Pillow has turned a TIFF's size already.
    turned = image.format != "TIFF" and _exif(image).get(_ORIENTATION) in _SIDEWAYS
    return _checked(height, width) if turned else _checked(width, height)


def _checked(width: int, height: int) -> Size:
    return Size(width, height) if 0 < width < 2**31 and 0 < height < 2**31 else Size()


def _camera(exif: Image.Exif) -> Camera:
    return camera.of_exif(exif, _directory(exif, _SHOT), _directory(exif, _GPS))


def _directory(exif: Image.Exif, tag: int) -> Mapping[int, Any]:
    """Empty when it is not there, or is damaged: the rest still counts."""
    try:
        return exif.get_ifd(tag)
    except Exception:  # noqa: BLE001 - Pillow raises anything at all on odd bytes
        return {}


def _raw_size(file: IO[bytes]) -> Size | None:
    import rawpy

    file.seek(0)
    try:
        # By descriptor: the very file that was checked, whatever bytes its name is of.
        with rawpy.imread(f"/dev/fd/{file.fileno()}") as raw:
            sizes = raw.sizes
            if sizes.flip in (5, 6):
                return _checked(sizes.height, sizes.width)
            return _checked(sizes.width, sizes.height)
    except rawpy.LibRawError:
        return None


def _raw_camera(file: IO[bytes]) -> Camera:
    """From the tags, which every maker keeps in a place of its own."""
    head = read_at(file, 0, 104)
    if head[:4] in (b"II*\0", b"MM\0*"):
        return _camera(_tags(file))
    if head[:4] in _NEARLY_TIFF:
        return _camera(_tags(io.BytesIO(_NEARLY_TIFF[head[:4]] + read_at(file, 4, _HEAD_BYTES))))
    if head.startswith(b"FUJIFILM"):
        preview = io.BytesIO(read_at(file, int.from_bytes(head[84:88], "big"), _SEGMENTS_BYTES))
        with _opened(preview) as image:
            return _camera(_exif(image))
    if head[4:8] == b"ftyp":
        return _canon(file)
    return Camera()


def _canon(file: IO[bytes]) -> Camera:
    end = file.seek(0, io.SEEK_END)
    for moov in boxes(file, 0, end, b"moov"):
        for start, stop in boxes(file, *moov, b"uuid"):
            if read_at(file, start, 16) == _CANON:
                main, shot, gps = (_box_tags(file, start + 16, stop, kind) for kind in (b"CMT1", b"CMT2", b"CMT4"))
                return camera.of_exif(main, shot, gps)
    return Camera()


def _box_tags(file: IO[bytes], start: int, end: int, kind: bytes) -> Mapping[int, Any]:
    for at, stop in boxes(file, start, end, kind):
        with suppress(Exception):  # one damaged directory of three
            return _tags(io.BytesIO(read_at(file, at, min(stop - at, _HEAD_BYTES))))
    return {}


def _tags(file: IO[bytes]) -> Image.Exif:
    exif = Image.Exif()
    file.seek(0)
    exif.load_from_fp(file)
    return exif
