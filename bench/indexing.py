"""Files on the disk into the catalogue, with their EXIF data and hashes, beside a loop that reads the same."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from time import perf_counter
from typing import Final

from PIL import ExifTags, Image

from bench.client import Connection
from bench.product import Product, wait_for
from bench.table import Row, ratio_at_least
from bench.trees import photographs

_PICTURES: Final = 20
_FILES: Final = 900
_WITHIN_S: Final = 300.0


def measure(work: Path) -> list[Row]:
    """On a stack of its own that makes no thumbnails by itself."""
    root = work / "photos-indexed"
    _photographs_of_a_camera(work / "photos-taken", root)
    with Product(work / "state-indexed", FS_PREGENERATE="false") as product, Connection(product.port) as connection:
        began = perf_counter()
        connection.post("/api/review-paths", {"path": str(root)})
        wait_for(lambda: bool(connection.json("/api/jobs")["idle"]), _WITHIN_S, "all files are indexed", 0.05)
        product_s = perf_counter() - began
    bare_s = _bare_s(root)
    return [
        ratio_at_least(
            "indexing photographs of 12 megapixels, files a second",
            _FILES / product_s,
            "/s",
            0.5,
            "loop that reads EXIF and hash",
            _FILES / bare_s,
            f"{_FILES} files, {sum(path.stat().st_size for path in root.glob('*.jpg')) / _FILES / 1e6:.1f} MB each",
        )
    ]


def _photographs_of_a_camera(source: Path, root: Path) -> None:
    """Files with dates and a camera, no two with the same content."""
    exif = Image.Exif()
    exif[ExifTags.Base.Make], exif[ExifTags.Base.Model] = "NIKON CORPORATION", "NIKON D90"
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = "2024:05:06 07:08:09"
    written = exif.tobytes()
    segment = b"\xff\xe1" + (len(written) + 2).to_bytes(2, "big") + written
    taken = [path.read_bytes() for path in photographs(source, _PICTURES)]
    root.mkdir()
    for number in range(_FILES):
        data = taken[number % _PICTURES]
        (root / f"IMG_{number:04}.jpg").write_bytes(data[:2] + segment + data[2:] + number.to_bytes(4, "big"))
    # They are on the disk already: while gigabytes are still being written, every commit of a database waits for them.
    os.sync()


def _bare_s(root: Path) -> float:
    began = perf_counter()
    for path in sorted(root.glob("*.jpg")):
        with Image.open(path) as image:
            exif = image.getexif()
            assert exif[ExifTags.Base.Model]
            assert exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal]
        with path.open("rb") as file:
            hashlib.file_digest(file, "sha256").hexdigest()
    return perf_counter() - began
