"""Pictures of one coloured shape, for the tiny model's training and for tests. Nothing of the product imports this."""

from __future__ import annotations

import math
import random
from typing import Final

from PIL import Image, ImageDraw

COLOURS: Final = {
    "red": (220, 30, 30),
    "green": (30, 160, 40),
    "blue": (30, 60, 220),
    "yellow": (240, 220, 30),
    "purple": (140, 40, 170),
    "orange": (245, 140, 20),
}
SHAPES: Final = ("square", "circle", "triangle", "star")
_SIDE_PX: Final = 64


def caption(colour: str, shape: str) -> str:
    article = "an" if colour[0] in "aeiou" else "a"
    return f"{article} {colour} {shape}"


def drawn(colour: str, shape: str, chance: random.Random, side_px: int = _SIDE_PX) -> Image.Image:
    """The shape somewhere, in some size and turn, on some grey, in a shade of the colour."""
    picture = Image.new("RGB", (side_px, side_px), (chance.randrange(60, 256),) * 3)
    radius = side_px * chance.uniform(0.2, 0.4)
    x, y = (chance.uniform(radius, side_px - radius) for _ in range(2))
    shade = tuple(max(0, min(255, part + chance.randrange(-18, 19))) for part in COLOURS[colour])
    pen = ImageDraw.Draw(picture)
    if shape == "circle":
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=shade)
        return picture
    turn = chance.uniform(-0.25, 0.25)
    pen.polygon(
        [
            (x + reach * radius * math.sin(turn + angle), y - reach * radius * math.cos(turn + angle))
            for angle, reach in _corners(shape)
        ],
        fill=shade,
    )
    return picture


def _corners(shape: str) -> list[tuple[float, float]]:
    """Angle from the top and reach of each corner."""
    if shape == "square":
        return [(math.pi * (2 * corner + 1) / 4, 1.0) for corner in range(4)]
    if shape == "triangle":
        return [(math.tau * corner / 3, 1.0) for corner in range(3)]
    return [(math.pi * corner / 5, 0.45 if corner % 2 else 1.0) for corner in range(10)]
