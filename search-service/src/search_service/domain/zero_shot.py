"""Which of some words fit a picture: their vectors against the picture's, without training (Radford et al. 2021)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from search_service.domain.vectors import Vector

#: How sharply a difference in cosine counts. CLIP learned 100; the offline encoder's cosines lie wider apart.
SHARPNESS: Final = {"open_clip": 100.0, "offline": 20.0}
#: With several allowed, an option counts when it is at least this likely beside the best.
_BESIDE_THE_BEST: Final = 0.5
_PROMPT: Final = "a photo of {}"


def prompts(options: Sequence[str]) -> list[str]:
    return [_PROMPT.format(option) for option in options]


def chosen(options: Sequence[str], picture: Vector, texts: Vector, *, several: bool, sharpness: float) -> list[str]:
    """The best option, or all that are about as likely, best first.

    Args:
        picture: its unit vector.
        texts: unit vectors of the options' prompts, one row each.
    """
    if not options:
        return []
    cosines = texts @ picture
    order = sorted(range(len(options)), key=lambda place: (-float(cosines[place]), place))
    likely = np.exp(sharpness * (cosines - cosines.max()))
    kept = [place for place in order if likely[place] >= _BESIDE_THE_BEST] if several else order[:1]
    return list(dict.fromkeys(options[place] for place in kept))
