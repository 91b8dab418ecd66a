"""The picture that stands in for one that cannot be read: it says so, with the file's kind and extension."""

from __future__ import annotations

from PIL import Image, ImageDraw, ImageFont

from thumbnail_service.domain import canvas

_GROUND = (58, 62, 70, 255)
_EDGE = (120, 126, 138, 255)
_TEXT = (226, 229, 235, 255)
_LABEL_MIN_PX = 48  # below, letters are no longer letters


def draw(size_px: int, kind: str, extension: bytes) -> bytes:
    """The placeholder PNG.

    Args:
        kind: "Photo" or "Video".
        extension: as in the file's name; shown when it is a short plain word.
    """
    picture = Image.new("RGBA", (size_px, size_px), _GROUND)
    pen = ImageDraw.Draw(picture)
    if size_px >= 3:
        pen.rectangle((0, 0, size_px - 1, size_px - 1), outline=_EDGE, width=max(1, size_px // 64))
    if size_px >= _LABEL_MIN_PX:
        word = extension.decode("ascii", "replace")
        title = f"{kind} .{word}" if word.isalnum() and word.isascii() and len(word) <= 5 else kind
        _line(pen, size_px, 0.40, 0.13, title)
        _line(pen, size_px, 0.60, 0.10, "can't be read")
    return canvas.png_of(canvas.from_pillow(picture), size_px)


def _line(pen: ImageDraw.ImageDraw, size_px: int, middle: float, height: float, text: str) -> None:
    font = ImageFont.load_default(max(8, round(size_px * height)))
    pen.text((size_px / 2, size_px * middle), text, fill=_TEXT, font=font, anchor="mm")
