"""From a file's bytes to a picture that an encoder takes."""

from __future__ import annotations

from io import BytesIO
from typing import IO, Final

from PIL import Image, ImageOps

from search_service.domain.errors import UnreadablePicture

#: No encoder looks at more; a JPEG is decoded at the smallest scale above it.
ENOUGH_PX: Final = 640
_MOST_PIXELS: Final = 100_000_000
_ORIENTATION: Final = 0x0112
#: Turned by a quarter.
_SIDEWAYS: Final = (5, 6, 7, 8)
#: What Pillow may take a file for. Not its whole list: EPS, for one, starts Ghostscript.
_FORMATS: Final = ("AVIF", "BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP")


def decoded(data: bytes) -> Image.Image:
    """The picture in these bytes; see `read`."""
    return read(BytesIO(data))


def read(file: IO[bytes]) -> Image.Image:
    """Upright, RGB, not much larger than any encoder needs; see `read_sized`."""
    return read_sized(file)[0]


def read_sized(file: IO[bytes]) -> tuple[Image.Image, tuple[int, int]]:
    """The picture made small, and width and height of the whole one as it is seen.

    Raises:
        UnreadablePicture: no picture, a damaged one, or one of more than 100 megapixels.
        OSError: the disk failed.
    """
    try:
        with Image.open(file, formats=_formats(file)) as picture:
            if picture.width * picture.height > _MOST_PIXELS:
                raise UnreadablePicture(f"A picture of {picture.width} x {picture.height} pixels is too large.")
            across, down = picture.size  # before a draft makes it smaller
            picture.draft("RGB", (ENOUGH_PX, ENOUGH_PX))
            upright = ImageOps.exif_transpose(picture)
            # Known for certain only now: a PNG may say it behind its pixels, and a TIFF has been turned by being read.
            is_sideways = picture.getexif().get(_ORIENTATION) in _SIDEWAYS
            upright.thumbnail((ENOUGH_PX, ENOUGH_PX), Image.Resampling.BICUBIC, reducing_gap=2.0)
            return _on_white(upright), (down, across) if is_sideways else (across, down)
    except UnreadablePicture:
        raise
    # Pillow raises almost anything for damaged input; what has a number is the disk's.
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise UnreadablePicture("That is no picture that can be read.") from error


def _formats(file: IO[bytes]) -> tuple[str, ...]:
    """HEIC only where the bytes say so, as its library is large."""
    file.seek(0)
    head = file.read(12)
    file.seek(0)
    if head[4:8] != b"ftyp" or head[8:12] in (b"avif", b"avis"):
        return _FORMATS
    import pillow_heif

    pillow_heif.options.DECODE_THREADS = 1
    pillow_heif.register_heif_opener()
    return ("HEIF",)


def _on_white(picture: Image.Image) -> Image.Image:
    """What is transparent shows as white, as on a page."""
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    layered = picture.convert("RGBA")
    background = Image.new("RGBA", layered.size, "white")
    return Image.alpha_composite(background, layered).convert("RGB")
