"""The sample photographs of scikit-image and scikit-learn: real ones, at hand wherever the models are.

`python -m bench.photographs FOLDER` copies them, so that there is something to search for.
"""

from __future__ import annotations

import shutil
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from PIL import Image

#: Everything that was photographed. Drawings and test patterns are left out.
PHOTOGRAPHS: Final = {
    "skimage/data": (
        "astronaut.png", "brick.png", "camera.png", "cell.png", "chelsea.png", "clock_motion.png", "coffee.png",
        "coins.png", "grass.png", "gravel.png", "hubble_deep_field.jpg", "ihc.png", "microaneurysms.png", "moon.png",
        "motorcycle_left.png", "page.png", "retina.jpg", "rocket.jpg", "text.png",
    ),
    "sklearn/datasets/images": ("china.jpg", "flower.jpg"),
}  # fmt: skip


def files() -> list[Path]:
    """
    Raises:
        FileNotFoundError: the packages are not installed.
    """
    found = []
    for folder, names in PHOTOGRAPHS.items():
        package, _, below = folder.partition("/")
        specification = find_spec(package)
        if specification is None or specification.origin is None:
            raise FileNotFoundError(f"{package} is not installed: `make setup` brings it with the models.")
        found += [Path(specification.origin).parent / below / name for name in names]
    return found


def photographs() -> dict[str, Image.Image]:
    """By their names without the suffix."""
    return {file.stem: Image.open(file).convert("RGB") for file in files()}


def main(folder: Path) -> int:
    try:
        found = files()
    except FileNotFoundError as error:
        print(error, file=sys.stderr)
        return 1
    folder.mkdir(parents=True, exist_ok=True)
    for file in found:
        shutil.copyfile(file, folder / file.name)
    print(f"{len(found)} photographs in {folder}")
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m bench.photographs FOLDER")
    sys.exit(main(Path(sys.argv[1])))
