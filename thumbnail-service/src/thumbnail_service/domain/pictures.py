"""Still pictures: pyvips where it shrinks while loading (JPEG, PNG, WebP, TIFF), Pillow for the rest and for what
pyvips does not take. Which format a file is, its first bytes say, never its name.
"""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator
from typing import Any, Final

import pyvips

from thumbnail_service.domain import canvas
from thumbnail_service.domain.errors import Unreadable
from thumbnail_service.domain.letterbox import fit
from thumbnail_service.domain.limits import Limits

#: What Pillow may open. Not its whole list: EPS, for one, starts Ghostscript.
_PILLOW: Final = ("AVIF", "BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP")
_ORIENTATION_TAG: Final = 0x0112
_HEAD_BYTES: Final = 32


def render(descriptor: int, size_px: int, limits: Limits, finish: canvas.Finish = canvas.png_of) -> bytes:
    """The thumbnail PNG of the still picture in the open file: first frame, upright, sRGB.

    Args:
        finish: makes something else of these pixels.

    Raises:
        Unreadable: unknown, broken, cut short, too large.
        OSError: the disk failed (EIO and its like); the file may be fine.
    """
    head = os.pread(descriptor, _HEAD_BYTES, 0)
    if not head:
        raise Unreadable("The file is empty.")
    if _is_for_vips(head):
        # A second decoder for what the first refuses: it takes some odd TIFFs, and a failing disk has a name in it.
        with contextlib.suppress(pyvips.Error):
            return _by_vips(descriptor, size_px, limits, head, finish)
    return _by_pillow(descriptor, size_px, limits, head, finish)


def render_bytes(
    data: bytes, size_px: int, limits: Limits, orientation: int, finish: canvas.Finish = canvas.png_of
) -> bytes:
    """The same of a picture in memory; `orientation` is used when it carries none of its own."""
    with _pillow_errors(), _pillow().open(io.BytesIO(data), formats=_PILLOW) as picture:
        own = _orientation(picture)
        small = _small(picture, size_px, limits)
        return finish(canvas.from_pillow(_upright(small, own or orientation)), size_px)


def render_pixels(pixels: Any, size_px: int, orientation: int, finish: canvas.Finish = canvas.png_of) -> bytes:
    """The same of an 8-bit grey or RGB array."""
    picture = _pillow().fromarray(pixels)
    small = _shrunk(picture, fit(picture.width, picture.height, size_px))
    return finish(canvas.from_pillow(_upright(small, orientation)), size_px)


def _is_for_vips(head: bytes) -> bool:
    return (
        head.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"))
        or head[:4] + head[8:12] == b"RIFFWEBP"
    )


def _by_vips(descriptor: int, size_px: int, limits: Limits, head: bytes, finish: canvas.Finish) -> bytes:
    header = pyvips.Image.new_from_source(canvas.source_of(descriptor), "", access="sequential")
    limits.check_streamed(header.width, header.height)
    options: dict[str, Any] = {}
    # A colour transform costs a quarter of the whole render: only where a profile says that it changes something.
    if header.get_typeof("icc-profile-data") and b"sRGB" not in header.get("icc-profile-data"):
        options["output_profile"] = "srgb"
    # As text for the loader: of the operation's own `fail_on` nothing reaches it. A cut TIFF is an "error" to vips.
    strict = "fail_on=error" if head.startswith((b"II", b"MM")) else "fail_on=truncated"
    image = pyvips.Image.thumbnail_source(
        canvas.source_of(descriptor), size_px, height=size_px, size="down", option_string=strict, **options
    )
    return finish(image, size_px)


def _by_pillow(descriptor: int, size_px: int, limits: Limits, head: bytes, finish: canvas.Finish) -> bytes:
    os.lseek(descriptor, 0, os.SEEK_SET)
    with (
        _pillow_errors(),
        os.fdopen(os.dup(descriptor), "rb") as file,
        _pillow().open(file, formats=_formats(head)) as picture,
    ):
        orientation = _orientation(picture)
        small = _small(picture, size_px, limits)
        return finish(canvas.from_pillow(_upright(small, orientation)), size_px)


def _pillow() -> Any:
    """Pillow's Image module with its decoders, loaded when first needed: most files never need it. Its own size check
    is off, as ours knows which formats shrink while loading."""
    from PIL import (  # noqa: F401 - importing a plugin registers it
        AvifImagePlugin,
        BmpImagePlugin,
        GifImagePlugin,
        Image,
        JpegImagePlugin,
        PngImagePlugin,
        TiffImagePlugin,
        WebPImagePlugin,
    )

    Image.MAX_IMAGE_PIXELS = None
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    return Image


def _formats(head: bytes) -> tuple[str, ...]:
    """What Pillow may take the file for; HEIC only where the bytes say so, as its library is large."""
    if head[4:8] != b"ftyp" or head[8:12] in (b"avif", b"avis"):
        return _PILLOW
    import pillow_heif

    pillow_heif.options.DECODE_THREADS = 1
    pillow_heif.register_heif_opener()
    return ("HEIF",)


@contextlib.contextmanager
def _pillow_errors() -> Iterator[None]:
    """Every way in which Pillow's decoders say "broken", as `Unreadable`; a failing disk passes."""
    try:
        yield
    except (Unreadable, MemoryError):
        raise
    except OSError as error:
        if error.errno is not None:
            raise
        raise Unreadable("The picture cannot be decoded.") from error
    except Exception as error:
        raise Unreadable("The picture cannot be decoded.") from error


def _small(picture: Any, size_px: int, limits: Limits) -> Any:
    """The opened picture's first frame, RGB or RGBA, shrunk into the box, not yet upright."""
    box = fit(picture.width, picture.height, size_px)
    # JPEG decodes at a fraction of its size; everything else is held as a whole.
    picture.draft("RGB", (box[0] * 2, box[1] * 2))
    limits.check_decoded(picture.width, picture.height)
    return _as_srgb(_shrunk(picture, box), picture.info.get("icc_profile"))


def _shrunk(picture: Any, size: tuple[int, int]) -> Any:
    return _as_rgb(picture).resize(size, _pillow().Resampling.LANCZOS, reducing_gap=2.0)


def _orientation(picture: Any) -> int:
    """The EXIF orientation; 0 when there is none."""
    try:
        return int(picture.getexif().get(_ORIENTATION_TAG, 0))
    except Exception:  # noqa: BLE001 - a broken EXIF block does not spoil the picture
        return 0


def _as_rgb(picture: Any) -> Any:
    if picture.mode.startswith("I;16"):
        return picture.point(lambda level: level * (1 / 256)).convert("L").convert("RGB")
    if picture.mode in ("PA", "LA", "La", "RGBa", "RGBA") or "transparency" in picture.info:
        return picture.convert("RGBA")
    return picture.convert("RGB")


def _as_srgb(small: Any, profile: object) -> Any:
    if not isinstance(profile, bytes) or b"sRGB" in profile or small.mode != "RGB":
        return small
    from PIL import ImageCms

    try:
        return ImageCms.profileToProfile(
            small, ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
        )
    except (ImageCms.PyCMSError, OSError, ValueError):
        return small  # a broken profile does not spoil the picture


def _upright(picture: Any, orientation: int) -> Any:
    """The picture turned as the EXIF orientation 1..8 says; anything else leaves it."""
    how = _pillow().Transpose
    turn = {
        2: how.FLIP_LEFT_RIGHT,
        3: how.ROTATE_180,
        4: how.FLIP_TOP_BOTTOM,
        5: how.TRANSPOSE,
        6: how.ROTATE_270,
        7: how.TRANSVERSE,
        8: how.ROTATE_90,
    }.get(orientation)
    return picture if turn is None else picture.transpose(turn)
