"""An object cut out of its picture."""

from __future__ import annotations

import math

from PIL import Image


def cut_out(picture: Image.Image, frame: tuple[int, int], box: tuple[float, float, float, float]) -> Image.Image | None:
    """What is in a box of the picture; None when that is nothing.

    Args:
        frame: width and height of the frame that the box' pixels are of; the picture may be a smaller one of it.
        box: x, y, width, height.
    """
    across, down = (
        picture.width / max(1, frame[0] or picture.width),
        picture.height / max(1, frame[1] or picture.height),
    )
    x, y, width, height = box
    if not all(math.isfinite(part) for part in box) or width <= 0 or height <= 0:
        return None
    left, top = max(0, math.floor(x * across)), max(0, math.floor(y * down))
    right = min(picture.width, math.ceil((x + width) * across))
    bottom = min(picture.height, math.ceil((y + height) * down))
    return picture.crop((left, top, right, bottom)) if left < right and top < bottom else None
