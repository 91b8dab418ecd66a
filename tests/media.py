"""Small real media files for tests: pictures, videos, and what only pretends to be one."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import av
import numpy as np
from PIL import Image

_ORIENTATION_TAG = 0x0112


def picture(path: Path | bytes, size: tuple[int, int] = (64, 48), colour: str = "red", orientation: int = 1) -> None:
    """A picture of one colour in the format that the name asks for."""
    name = path if isinstance(path, bytes) else bytes(path)
    suffix = name.rpartition(b".")[2].lower().decode("ascii")
    form = {"jpg": "JPEG", "jpeg": "JPEG", "tif": "TIFF", "tiff": "TIFF"}.get(suffix, suffix.upper())
    image = Image.new("RGB", size, colour)
    exif = Image.Exif()
    with open(name, "wb") as file:
        if orientation != 1:
            exif[_ORIENTATION_TAG] = orientation
            image.save(file, form, exif=exif)
        else:
            image.save(file, form)


def halves(path: Path, orientation: int = 1) -> None:
    """A 200 x 100 picture, red on the left and blue on the right as stored."""
    image = Image.new("RGB", (200, 100), "red")
    image.paste("blue", (100, 0, 200, 100))
    exif = Image.Exif()
    exif[_ORIENTATION_TAG] = orientation
    image.save(path, "JPEG", quality=95, exif=exif)


def noise(path: Path, size: tuple[int, int], seed: int = 0) -> None:
    """A JPEG that takes real work to decode; every seed is another picture."""
    pixels = np.random.default_rng(seed).integers(0, 255, (size[1] // 8 + 1, size[0] // 8 + 1, 3), dtype=np.uint8)
    image = Image.fromarray(pixels).resize((size[0], size[1]), Image.Resampling.BICUBIC)
    image.save(path, "JPEG", quality=85)


def video(path: Path, seconds: float = 3.0, size: tuple[int, int] = (64, 48), frames_a_second: int = 10) -> None:
    """A video that is red for its first two seconds and blue from then on."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=frames_a_second)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        for number in range(round(seconds * frames_a_second)):
            colour = "red" if number < 2 * frames_a_second else "blue"
            frame = av.VideoFrame.from_image(Image.new("RGB", size, colour))  # type: ignore[no-untyped-call]
            for packet in stream.encode(frame):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)


def corrupt(path: Path) -> None:
    """A name that promises a picture and bytes that are none."""
    path.write_bytes(b"\xff\xd8\xff\xe0 this was a picture once" * 20)


def huge_png(path: Path, side_px: int = 60_000) -> None:
    """A PNG of a few bytes whose header announces side x side pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side_px, side_px, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(1 << 20))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b""))


def many(folder: Path, count: int, name: str = "frame{:04}.jpg") -> list[Path]:
    """`count` small pictures, each a file of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    first = folder / name.format(0)
    picture(first, (16, 12))
    data = first.read_bytes()
    paths = [folder / name.format(number) for number in range(count)]
    for path in paths[1:]:
        path.write_bytes(data)
    return paths
