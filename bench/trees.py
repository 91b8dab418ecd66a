"""Libraries to measure on: many small files made fast, or a few that are real work."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image


def small_picture() -> bytes:
    """The bytes of a JPEG as small as they come."""
    buffer = io.BytesIO()
    Image.new("RGB", (16, 12), "grey").save(buffer, "JPEG")
    return buffer.getvalue()


def tree(root: Path, files: int, folders: int) -> None:
    """So many small pictures spread over folders, each a file of its own; every tenth seen, every fiftieth locked."""
    data = small_picture()
    for number in range(folders):
        folder = root / f"folder{number:03}"
        folder.mkdir(parents=True)
        for place in range(files // folders):
            which = place * folders + number
            path = folder / f"IMG_{which:06}.jpg"
            path.write_bytes(data)
            if which % 10 == 0:
                Path(f"{path}.seen").touch()
            if which % 50 == 0:
                Path(f"{path}.lock").touch()


def photographs(folder: Path, count: int) -> list[Path]:
    """JPEGs of 12 megapixels, each with a picture of its own: large shapes under a sensor's fine noise."""
    folder.mkdir(parents=True)
    paths = []
    for number in range(count):
        random = np.random.default_rng(number)
        shapes = Image.fromarray(random.integers(0, 255, (36, 48, 3), dtype=np.uint8))
        large = np.asarray(shapes.resize((4000, 3000), Image.Resampling.BICUBIC)).astype(np.int16)
        noisy = np.clip(large + random.integers(-12, 13, large.shape, dtype=np.int8), 0, 255).astype(np.uint8)
        path = folder / f"photo{number:03}.jpg"
        Image.fromarray(noisy).save(path, "JPEG", quality=88)
        paths.append(path)
    return paths
