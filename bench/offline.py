"""What the offline encoder finds on the sample photographs of scikit-image and scikit-learn, and what its settings do.

`python -m bench.offline` prints every query's place and the settings' neighbours; `measure` is the rows of `bench`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from time import perf_counter
from typing import Final

from PIL import Image
from search_service.encoders.port import Encoder

from bench.photographs import photographs
from bench.table import Row, at_least, only_said

#: What somebody might type, and the photographs that are right. Written down before anything was measured.
QUERIES: Final[Mapping[str, tuple[str, ...]]] = {
    "a cat": ("chelsea",),
    "an animal": ("chelsea",),
    "a pet": ("chelsea",),
    "cat face": ("chelsea",),
    "a cup of coffee": ("coffee",),
    "a drink": ("coffee",),
    "breakfast table": ("coffee",),
    "food": ("coffee",),
    "a motorcycle": ("motorcycle_left",),
    "a vehicle": ("motorcycle_left", "rocket"),
    "a red motorbike in a garage": ("motorcycle_left",),
    "a rocket": ("rocket",),
    "spaceship on the launch pad": ("rocket",),
    "space travel": ("rocket", "astronaut"),
    "a temple": ("china",),
    "a building": ("china",),
    "chinese palace": ("china",),
    "architecture": ("china",),
    "a house by the lake": ("china",),
    "a flower": ("flower",),
    "a plant": ("flower",),
    "garden": ("flower",),
    "a man with a camera": ("camera",),
    "a photographer": ("camera",),
    "camera on a tripod": ("camera",),
    "a person wearing a helmet": ("astronaut",),
    "an astronaut": ("astronaut",),
    "a page of text": ("page", "text"),
    "handwriting": ("text", "page"),
    "a book": ("page",),
    "stars in the night sky": ("hubble_deep_field",),
    "a brick wall": ("brick",),
    "coins": ("coins",),
}


def places(encoder: Encoder, pictures: Mapping[str, Image.Image]) -> dict[str, int]:
    """The place of the best right photograph, 0 being the first, for each query."""
    names = list(pictures)
    scores = encoder.texts(list(QUERIES)) @ encoder.images(list(pictures.values())).T
    order = (-scores).argsort(1)
    return {
        query: min(list(order[row]).index(names.index(name)) for name in right)
        for row, (query, right) in enumerate(QUERIES.items())
    }


def share(found: Mapping[str, int], first: int) -> float:
    """Queries whose right photograph is among the first so many, in percent."""
    return 100 * sum(place < first for place in found.values()) / len(found)


def measure(work: Path) -> list[Row]:
    from search_service.encoders import offline  # the models may not be installed

    began = perf_counter()
    encoder = offline.load()
    took_s = perf_counter() - began
    pictures = photographs()
    found = places(encoder, pictures)
    beside = f"{len(QUERIES)} queries, {len(pictures)} photographs"
    return [
        at_least("offline encoder, right photograph first", share(found, 1), "%", 85, beside, None),
        at_least("offline encoder, right photograph in the first three", share(found, 3), "%", 95, beside, None),
        only_said("offline encoder, load", took_s, "s", "once a process", None),
    ]


def main() -> None:
    from search_service.encoders import offline

    encoder, pictures = offline.load(), photographs()
    found = places(encoder, pictures)
    for query, place in found.items():
        print(f"{place + 1:3d}  {query}", file=sys.stderr if place else sys.stdout)
    print(f"first {share(found, 1):.1f} %, in the first three {share(found, 3):.1f} %\n\nneighbours of the settings:")
    settings = offline.KINDS, offline.TEMPERATURE
    for kinds in (10, 20, 50, 100):
        for temperature in (1.0, 1.5, 2.0):
            offline.KINDS, offline.TEMPERATURE = kinds, temperature  # type: ignore[misc]
            found = places(encoder, pictures)
            print(f"kinds {kinds:3d} temperature {temperature}: {share(found, 1):.1f} % / {share(found, 3):.1f} %")
    offline.KINDS, offline.TEMPERATURE = settings  # type: ignore[misc]


if __name__ == "__main__":
    main()
