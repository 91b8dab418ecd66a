"""A sample library, drawn and written by itself, the same for the same seed: what `make demo` shows.

make_media.py FOLDER             the library (about 120 files); nothing is done when it is complete already
make_media.py FOLDER --tiny N    N small JPEG files in 200 folders, for tests and measurements
"""

from __future__ import annotations

import argparse
import io
import os
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Final

from PIL import Image, ImageFilter
from samples import scenes, stills, videos
from samples.scenes import SCENES, grained
from samples.stills import COMPACT, MIRRORLESS, PHONE, TRAIL, Camera, save

_WIDE: Final = (1600, 1200)
_TALL: Final = (1200, 1600)
#: Written last: a library without it was cut short and is made again.
_COMPLETE: Final = ".complete"
#: Changes when the library does, so that an older one is replaced file by file.
_VERSION: Final = "2"
_TINY_FOLDERS: Final = 200


def make_library(folder: Path, seed: int = 1) -> int:
    """Make the library unless it is there and complete; the number of files made."""
    mark = folder / _COMPLETE
    wanted = f"{_VERSION} {seed}"
    if mark.exists() and mark.read_text() == wanted:
        return 0
    rng = Random(seed)
    folder.mkdir(parents=True, exist_ok=True)
    before = time.monotonic()
    _holiday(rng, folder / "DCIM" / "100MEDIA")
    _trail_camera(rng, folder / "DCIM" / "101TRAIL")
    _lake(rng, folder / "2025" / "Summer by the lake")
    _travel(rng, folder / "2025" / "Été — 旅")
    _formats(rng, folder / "Formats")
    _orientations(rng, folder / "Orientation")
    _videos(rng, folder / "Videos")
    _oddities(rng, folder)
    mark.write_text(wanted)
    made = sum(len(files) for _, _, files in os.walk(folder)) - 1
    print(f"sample library: {made} files in {folder}, made in {time.monotonic() - before:.1f} s")
    return made


def make_tiny(folder: Path, count: int, folders: int = _TINY_FOLDERS, suffix: str = ".jpg") -> list[Path]:
    """`count` valid JPEG files of about half a kilobyte, no two alike, spread over `folders` sub-folders.

    Names sort as their numbers do: `d000/p000000.jpg`, `d001/p000001.jpg`, …
    """
    buffer = io.BytesIO()
    Image.new("RGB", (16, 12), (90, 140, 60)).save(buffer, "JPEG", quality=60)
    jpeg = buffer.getvalue()
    for number in range(folders):
        (folder / f"d{number:03d}").mkdir(parents=True, exist_ok=True)
    files = []
    for number in range(count):
        file = folder / f"d{number % folders:03d}" / f"p{number:06d}{suffix}"
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        os.write(descriptor, jpeg + b"%d" % number)  # bytes behind the end marker: readers ignore them
        os.close(descriptor)
        files.append(file)
    return files


def _shot(rng: Random, size: tuple[int, int] = _WIDE, number: int | None = None) -> Image.Image:
    scene = SCENES[number % len(SCENES)] if number is not None else rng.choice(SCENES)
    return grained(rng, scene(rng, size), rng.uniform(0.03, 0.07))


def _holiday(rng: Random, folder: Path) -> None:
    """A phone and a camera side by side over a week; two bursts, one frame of each sharp."""
    at = datetime(2025, 5, 17, 9, 2, 11)
    number = 1

    def take(picture: Image.Image, camera: Camera, after: timedelta) -> None:
        nonlocal at, number
        at += after
        save(picture, folder / f"IMG_{number:04d}.JPG", at, camera)
        number += 1

    for shot in range(14):
        camera = PHONE if shot % 3 else MIRRORLESS
        night = timedelta(days=1 if shot in (3, 5, 10) else 0)
        take(_shot(rng, _WIDE if shot % 4 else _TALL, shot), camera, night + timedelta(minutes=rng.randint(4, 50)))
    # Bursts: the camera a little moved, less than a second apart.
    for draw, sharp in ((scenes.table, 3), (scenes.meadow, 1)):
        scene = draw(rng, (1760, 1320))
        for frame in range(5):
            left, top = 16 * frame + rng.randint(0, 8), 10 * frame
            moved = scene.crop((left, top, left + _WIDE[0], top + _WIDE[1]))
            if frame != sharp:
                moved = moved.filter(ImageFilter.GaussianBlur(1.5 + abs(frame - sharp)))
            taken = grained(rng, moved, 0.05)
            take(taken, MIRRORLESS, timedelta(milliseconds=700) if frame else timedelta(hours=20))
    for shot in range(6):
        take(_shot(rng, number=shot + 2), PHONE, timedelta(hours=rng.randint(2, 9)))


def _trail_camera(rng: Random, folder: Path) -> None:
    """Three frames each time something moves; most of them show nobody."""
    at = datetime(2025, 10, 3, 21, 40, 2)
    number = 1
    for visit in range(8):
        at += timedelta(minutes=rng.randint(25, 80))
        animal = rng.uniform(0.1, 0.5) if visit in (2, 5, 6) else None
        for frame in range(3):
            stripe = f"NIGHTEYE 02   {at:%Y-%m-%d  %H:%M:%S}   {rng.randint(2, 6)} C"
            where = None if animal is None else animal + 0.13 * frame
            picture = scenes.trail_night(rng, (1280, 960), where, stripe)
            save(picture, folder / f"TRL_{number:04d}.JPG", at, TRAIL, quality=78)
            number += 1
            at += timedelta(seconds=1)
    night = scenes.trail_night(rng, (900, 560), 0.4, f"NIGHTEYE 02   {at:%Y-%m-%d  %H:%M:%S}")
    videos.save_video(night, folder / f"TRL_{number:04d}.MP4", at, 5.0)


def _lake(rng: Random, folder: Path) -> None:
    """Names with spaces; where each was taken."""
    at = datetime(2025, 7, 21, 18, 5, 0)
    for number in range(1, 17):
        at += timedelta(minutes=rng.randint(1, 9))
        place = (47.5 + rng.uniform(-0.05, 0.05), 9.2 + rng.uniform(-0.05, 0.05))
        size = _WIDE if number % 5 else _TALL
        save(
            _shot(rng, size, 0 if number % 3 else 4),
            folder / f"Lake evening {number:02d}.jpg",
            at,
            COMPACT,
            place=place,
        )


def _travel(rng: Random, folder: Path) -> None:
    """Names that are not ASCII, or hard to quote."""
    at = datetime(2025, 8, 9, 11, 30, 0)
    names = [
        "Café №1",
        "日本庭園",
        "grüße aus Köln",
        "Ωμέγα",
        "naïve & bold #1",
        "50% off?",
        'it\'s "quoted"',
        "привет",
    ]
    for number, name in enumerate(names):
        at += timedelta(hours=2)
        save(_shot(rng, number=number), folder / f"{name}.jpg", at, PHONE, place=(48.85, 2.35) if number % 2 else None)
    for number in range(1, 9):
        at += timedelta(minutes=7)
        save(_shot(rng, number=number + 1), folder / "Museum" / f"room {number}.jpg", at, COMPACT)


def _formats(rng: Random, folder: Path) -> None:
    """One picture a file format, and transparency."""
    at = datetime(2024, 12, 24, 16, 0, 0)
    small = (1200, 800)
    badge = Image.new("RGBA", (600, 600), (0, 0, 0, 0))
    round_mask = (
        Image.radial_gradient("L").resize((600, 600)).point([255 if level < 120 else 0 for level in range(256)])
    )
    badge.paste(_shot(rng, (600, 600), 2), (0, 0), round_mask)
    save(badge, folder / "badge with alpha.png", at)
    save(_shot(rng, (900, 600), 1), folder / "city.png", at)
    save(_shot(rng, small, 0), folder / "hills.heic", at, PHONE, quality=60)
    save(_shot(rng, small, 2), folder / "meadow.avif", at, PHONE, quality=60, max_threads=1)
    save(_shot(rng, small, 3), folder / "portrait.webp", at, PHONE, quality=75)
    save(_shot(rng, small, 4), folder / "beach.tiff", at, MIRRORLESS)
    save(_shot(rng, (640, 480), 5), folder / "table.bmp", at)
    frames = [scene.resize((320, 240)).quantize(64) for scene in (SCENES[n](rng, (640, 480)) for n in range(4))]
    save(frames[0], folder / "moving.gif", at, save_all=True, append_images=frames[1:], duration=400, loop=0)
    save(_shot(rng, small, 6).convert("L"), folder / "grey.jpeg", at, COMPACT)
    save(_shot(rng, small, 6).convert("CMYK"), folder / "print.jpg", at)
    save(_shot(rng, (3000, 500), 1), folder / "panorama.jpg", at, PHONE)


def _orientations(rng: Random, folder: Path) -> None:
    """All eight ways a camera can be held; every one of them is to be shown upright."""
    at = datetime(2025, 3, 2, 13, 0, 0)
    wide, tall = _shot(rng, (1200, 900), 4), _shot(rng, (900, 1200), 3)
    for number in range(1, 9):
        save(wide, folder / f"landscape_{number}.jpg", at, MIRRORLESS, orientation=number)
        save(tall, folder / f"portrait_{number}.jpg", at, PHONE, orientation=number)


def _videos(rng: Random, folder: Path) -> None:
    at = datetime(2025, 6, 1, 15, 20, 0)

    def scene(number: int) -> Image.Image:
        return SCENES[number](rng, (1000, 700))

    videos.save_video(scene(0), folder / "walk.mp4", at, 6.0)
    videos.save_video(scene(4), folder / "waves.mov", at, 4.0)
    videos.save_video(scene(2), folder / "blink.mp4", at, 1.2)
    videos.save_video(scene(1), folder / "held upright.mp4", at, 3.0, quarter_turns=-1)
    videos.save_video(scene(5), folder / "table.webm", at, 3.0, codec="libvpx")
    videos.save_video(scene(6), folder / "old camera.avi", at, 3.0, codec="mpeg4")


def _oddities(rng: Random, folder: Path) -> None:
    """What a real library also holds."""
    at = datetime(2025, 1, 1, 0, 0, 0)
    buffer = io.BytesIO()
    _shot(rng, (800, 600), 1).save(buffer, "JPEG")
    damaged = folder / "Broken" / "damaged.jpg"
    damaged.parent.mkdir(parents=True, exist_ok=True)
    whole = buffer.getvalue()
    damaged.write_bytes(whole[:120] + rng.randbytes(2000))
    stills.dated(damaged, at)
    notes = folder / "notes.txt"
    notes.write_text("Not a picture: counted as ignored, never touched.\n", encoding="utf-8")
    stills.dated(notes, at)


def main() -> int:
    parser = argparse.ArgumentParser(description="Make a sample library.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tiny", type=int, metavar="N", help="N small files instead")
    options = parser.parse_args()
    if options.tiny is None:
        make_library(options.folder, options.seed)
    else:
        make_tiny(options.folder, options.tiny)
    return 0


if __name__ == "__main__":
    sys.exit(main())
