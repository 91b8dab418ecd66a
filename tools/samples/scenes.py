"""Scenes drawn from a random number generator: the same generator state draws the same picture."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random
from typing import Final

from PIL import Image, ImageDraw, ImageFilter, ImageFont, ImageOps

Colour = tuple[int, int, int]
Size = tuple[int, int]
Scene = Callable[[Random, Size], Image.Image]


def gradient(size: Size, top: Colour, bottom: Colour) -> Image.Image:
    """Top to bottom, smooth."""
    mask = Image.linear_gradient("L").resize(size)
    return Image.composite(Image.new("RGB", size, bottom), Image.new("RGB", size, top), mask)


def grained(rng: Random, picture: Image.Image, strength: float) -> Image.Image:
    """With sensor noise: what makes a photograph's file a photograph's size."""
    small = (picture.width // 2, picture.height // 2)
    noise = Image.frombytes("L", small, rng.randbytes(small[0] * small[1])).resize(picture.size)
    return Image.blend(picture, Image.merge("RGB", (noise, noise, noise)), strength)


def hills(rng: Random, size: Size) -> Image.Image:
    """Mountains behind mountains, a sun, a lake now and then."""
    width, height = size
    dusk = rng.random() < 0.5
    sky = ((250, 180, 110), (120, 60, 110)) if dusk else ((90, 150, 220), (220, 235, 245))
    picture = gradient(size, *(sky if not dusk else sky[::-1]))
    draw = ImageDraw.Draw(picture)
    sun_x, sun_y, radius = (
        rng.uniform(0.1, 0.9) * width,
        rng.uniform(0.15, 0.4) * height,
        rng.uniform(0.03, 0.07) * width,
    )
    draw.ellipse((sun_x - radius, sun_y - radius, sun_x + radius, sun_y + radius), fill=(255, 240, 190))
    hue = (rng.randint(20, 90), rng.randint(60, 120), rng.randint(60, 130))
    for layer in range(4):
        base = (0.45 + 0.13 * layer) * height
        waves = [(rng.uniform(0.5, 3.5), rng.uniform(0, 6.3), rng.uniform(0.02, 0.09) * height) for _ in range(4)]
        line = [
            (x, base + sum(math.sin(x / width * 6.3 * pace + phase) * reach for pace, phase, reach in waves))
            for x in range(0, width + 8, 8)
        ]
        shade = 1.15 - 0.27 * layer
        fill = tuple(min(255, int(part * shade)) for part in hue)
        draw.polygon([*line, (width, height), (0, height)], fill=fill)
    if rng.random() < 0.5:
        shore = int(height * 0.78)
        mirror = ImageOps.flip(picture.crop((0, height // 2 - (height - shore) // 2, width, height // 2))).resize(
            (width, height - shore)
        )
        picture.paste(mirror.filter(ImageFilter.GaussianBlur(4)), (0, shore))
    return picture


def city(rng: Random, size: Size) -> Image.Image:
    """Houses with lit windows."""
    width, height = size
    picture = gradient(size, (10, 14, 40), (90, 60, 100))
    draw = ImageDraw.Draw(picture)
    for _ in range(120):
        x, y = rng.randrange(width), rng.randrange(height // 2)
        draw.point((x, y), fill=(230, 230, 255))
    left = 0
    while left < width:
        wide, tall = rng.randint(width // 18, width // 7), rng.randint(height // 4, int(height * 0.75))
        tone = rng.randint(20, 50)
        draw.rectangle((left, height - tall, left + wide, height), fill=(tone, tone, tone + 14))
        step = max(10, width // 70)
        for window_x in range(left + step // 2, left + wide - step // 2, step):
            for window_y in range(height - tall + step, height - step, int(step * 1.4)):
                if rng.random() < 0.45:
                    glow = rng.choice([(255, 220, 130), (255, 200, 90), (200, 220, 255)])
                    draw.rectangle((window_x, window_y, window_x + step // 2, window_y + step // 2), fill=glow)
        left += wide + rng.randint(0, 6)
    return picture


def meadow(rng: Random, size: Size) -> Image.Image:
    """Flowers, the near ones large."""
    width, height = size
    picture = gradient(size, (150, 200, 240), (60, 120, 50))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, height * 0.4, width, height), fill=(70, 130, 55))
    for _ in range(260):
        x, y = rng.randrange(width), rng.uniform(0.4, 1.0) * height
        length = (y / height) ** 2 * height * 0.08
        draw.line((x, y, x + rng.uniform(-8, 8), y - length), fill=(40, rng.randint(80, 150), 40), width=3)
    for row in range(40):
        x, y = rng.randrange(width), height * (0.42 + 0.56 * row / 40)
        petal = width * 0.03 * (0.15 + row / 40)
        colour = rng.choice([(230, 60, 80), (250, 210, 60), (200, 120, 220), (250, 250, 250), (240, 130, 50)])
        for turn in range(6):
            at_x, at_y = x + math.cos(turn * 1.047) * petal, y + math.sin(turn * 1.047) * petal
            draw.ellipse((at_x - petal * 0.7, at_y - petal * 0.7, at_x + petal * 0.7, at_y + petal * 0.7), fill=colour)
        draw.ellipse((x - petal / 2, y - petal / 2, x + petal / 2, y + petal / 2), fill=(120, 80, 20))
    return picture


def portrait(rng: Random, size: Size) -> Image.Image:
    """A face before a blurred room."""
    width, height = size
    picture = gradient(size, (rng.randint(80, 200), 150, 140), (60, rng.randint(50, 120), 90))
    draw = ImageDraw.Draw(picture)
    for _ in range(14):
        x, y, radius = rng.uniform(0, width), rng.uniform(0, height), rng.uniform(0.03, 0.1) * width
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=(rng.randint(120, 255), 200, 120))
    picture = picture.filter(ImageFilter.GaussianBlur(width / 60))
    draw = ImageDraw.Draw(picture)
    unit = min(width, height)
    x, y = width / 2 + rng.uniform(-0.08, 0.08) * unit, height * 0.45
    skin = rng.choice([(240, 200, 170), (200, 150, 115), (140, 95, 65), (90, 60, 45)])
    hair = rng.choice([(40, 25, 20), (120, 80, 40), (200, 170, 90), (150, 150, 155)])
    coat = (rng.randint(30, 220), rng.randint(30, 200), rng.randint(30, 220))
    draw.ellipse((x - unit * 0.42, y + unit * 0.3, x + unit * 0.42, y + unit * 1.3), fill=coat)
    draw.rectangle((x - unit * 0.07, y + unit * 0.15, x + unit * 0.07, y + unit * 0.36), fill=skin)
    draw.ellipse((x - unit * 0.21, y - unit * 0.31, x + unit * 0.21, y + unit * 0.16), fill=hair)
    draw.ellipse((x - unit * 0.17, y - unit * 0.22, x + unit * 0.17, y + unit * 0.24), fill=skin)
    for side in (-1, 1):
        eye = x + side * unit * 0.07
        draw.ellipse((eye - unit * 0.025, y - unit * 0.03, eye + unit * 0.025, y), fill="white")
        draw.ellipse((eye - unit * 0.011, y - unit * 0.026, eye + unit * 0.011, y - unit * 0.004), fill=(40, 40, 50))
    draw.arc((x - unit * 0.07, y + unit * 0.05, x + unit * 0.07, y + unit * 0.15), 20, 160, fill=(150, 50, 50), width=6)
    return picture


def beach(rng: Random, size: Size) -> Image.Image:
    """Sand, sea, sails and a parasol."""
    width, height = size
    picture = gradient(size, (70, 150, 230), (200, 230, 250))
    draw = ImageDraw.Draw(picture)
    sea, sand = height * 0.45, height * 0.7
    draw.rectangle((0, sea, width, sand), fill=(20, 110, 160))
    for _ in range(60):
        x, y = rng.uniform(0, width), rng.uniform(sea, sand)
        draw.line((x, y, x + rng.uniform(0.01, 0.06) * width, y), fill=(190, 225, 240), width=2)
    draw.rectangle((0, sand, width, height), fill=(230, 205, 150))
    for _ in range(rng.randint(1, 4)):
        x, tall = rng.uniform(0.1, 0.9) * width, rng.uniform(0.06, 0.16) * height
        draw.polygon([(x, sea + 10), (x, sea - tall), (x + tall * 0.6, sea + 10)], fill="white")
        draw.polygon([(x - 20, sea + 12), (x + tall * 0.7, sea + 12), (x + tall * 0.5, sea + 28)], fill=(150, 50, 40))
    x, y, radius = rng.uniform(0.2, 0.8) * width, height * 0.72, height * 0.13
    draw.line((x, y, x, y + radius * 1.6), fill=(120, 90, 60), width=8)
    for part in range(6):
        colour = (220, 50, 60) if part % 2 else (250, 245, 235)
        draw.pieslice((x - radius, y - radius, x + radius, y + radius), 180 + part * 30, 210 + part * 30, fill=colour)
    return picture


def table(rng: Random, size: Size) -> Image.Image:
    """Plates and fruit from above."""
    width, height = size
    wood = (rng.randint(110, 170), rng.randint(70, 110), 60)
    picture = Image.new("RGB", size, wood)
    draw = ImageDraw.Draw(picture)
    for line in range(0, height, max(6, height // 90)):
        tone = rng.randint(-14, 14)
        draw.line((0, line, width, line + rng.randint(-5, 5)), fill=tuple(part + tone for part in wood), width=3)
    for _ in range(rng.randint(2, 4)):
        x, y, radius = rng.uniform(0.2, 0.8) * width, rng.uniform(0.25, 0.75) * height, rng.uniform(0.12, 0.2) * height
        draw.ellipse(
            (x - radius, y - radius, x + radius, y + radius), fill=(245, 245, 240), outline=(200, 200, 195), width=5
        )
        for _ in range(rng.randint(3, 9)):
            turn, away, fruit = rng.uniform(0, 6.3), rng.uniform(0, radius * 0.6), radius * 0.22
            at_x, at_y = x + math.cos(turn) * away, y + math.sin(turn) * away
            colour = rng.choice([(220, 40, 40), (250, 160, 30), (120, 170, 50), (110, 40, 110), (250, 220, 80)])
            draw.ellipse((at_x - fruit, at_y - fruit, at_x + fruit, at_y + fruit), fill=colour)
            draw.ellipse((at_x - fruit * 0.5, at_y - fruit * 0.6, at_x - fruit * 0.1, at_y - fruit * 0.2), fill="white")
    return picture


def forest(rng: Random, size: Size) -> Image.Image:
    """Trunks, the far ones pale."""
    width, height = size
    picture = gradient(size, (200, 215, 190), (60, 75, 45))
    draw = ImageDraw.Draw(picture)
    for number in range(46):
        near = number / 46
        x, wide = rng.randrange(width), width * (0.006 + 0.035 * near)
        tone = int(165 - 135 * near)
        foot = height * (0.62 + 0.4 * near)
        draw.polygon(
            [(x - wide / 2, 0), (x + wide / 2, 0), (x + wide * 0.8, foot), (x - wide * 0.8, foot)],
            fill=(tone, int(tone * 0.88), int(tone * 0.7)),
        )
        crown = width * (0.03 + 0.07 * near)
        for _ in range(3):
            leaf_x, leaf_y = x + rng.uniform(-crown, crown), rng.uniform(-0.05, 0.28) * height
            draw.ellipse(
                (leaf_x - crown, leaf_y - crown * 0.7, leaf_x + crown, leaf_y + crown * 0.7),
                fill=(int(tone * 0.5), rng.randint(90, 150), 40),
            )
    return picture


SCENES: Final[tuple[Scene, ...]] = (hills, city, meadow, portrait, beach, table, forest)


def trail_night(rng: Random, size: Size, animal: float | None, stripe: str) -> Image.Image:
    """What an infrared trail camera sees at night: grey, bright in the middle, a line of facts below.

    Args:
        animal: where across the picture an animal stands, 0..1; None: nobody there.
    """
    width, height = size
    forest_seed = Random(7)  # the camera does not move: the same trees in every frame
    picture = ImageOps.grayscale(forest(forest_seed, size)).point([int(level * 0.55) for level in range(256)])
    draw = ImageDraw.Draw(picture)
    if animal is not None:
        _deer(draw, animal * width, height * 0.78, height * 0.24, 185 + rng.randint(0, 40))
    light = Image.radial_gradient("L").resize(size)
    picture = Image.composite(Image.new("L", size, 4), picture, light)
    picture = picture.filter(ImageFilter.GaussianBlur(1.2))
    seen = grained(rng, picture.convert("RGB"), 0.12)
    draw = ImageDraw.Draw(seen)
    draw.rectangle((0, height - height // 16, width, height), fill="black")
    draw.text((width // 60, height - height // 18), stripe, fill="white", font=ImageFont.load_default(height // 24))
    return seen


def _deer(draw: ImageDraw.ImageDraw, x: float, ground: float, tall: float, tone: int) -> None:
    body = (x - tall * 0.55, ground - tall, x + tall * 0.45, ground - tall * 0.5)
    draw.ellipse(body, fill=tone)
    for leg in (-0.4, -0.25, 0.2, 0.33):
        draw.line(
            (x + tall * leg, ground - tall * 0.6, x + tall * leg, ground), fill=tone, width=max(3, int(tall / 14))
        )
    draw.polygon(
        [
            (x + tall * 0.25, ground - tall * 0.9),
            (x + tall * 0.55, ground - tall * 1.45),
            (x + tall * 0.45, ground - tall * 0.7),
        ],
        fill=tone,
    )
    head_x, head_y = x + tall * 0.62, ground - tall * 1.45
    draw.ellipse((head_x - tall * 0.18, head_y - tall * 0.11, head_x + tall * 0.18, head_y + tall * 0.11), fill=tone)
    for ear in (-0.12, 0.0):
        draw.ellipse((head_x + tall * ear - 5, head_y - tall * 0.28, head_x + tall * ear + 8, head_y), fill=tone)
    draw.ellipse((head_x + tall * 0.02, head_y - tall * 0.06, head_x + tall * 0.09, head_y + tall * 0.01), fill=255)
