"""Any model that open_clip knows: by the hub's name of its weights, or from a checkpoint on this disk."""

from __future__ import annotations

import pickle
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import numpy as np
import open_clip
import torch
from huggingface_hub import constants, try_to_load_from_cache
from PIL import Image

from search_service.domain.errors import EncoderUnavailable
from search_service.domain.vectors import Vector, unit
from search_service.encoders.device import Placement, placement
from search_service.encoders.names import space_of

#: Pictures through the model at a time.
_AT_ONCE: Final = {"cuda": 128, "mps": 64, "cpu": 16}
_HUB_S: Final = 3.0


class OpenClipEncoder:
    """Implements `Encoder`."""

    name = "open_clip"

    def __init__(self, model: str, weights: str, network: Any, prepared: Any, tokens: Any, where: Placement) -> None:
        """
        Args:
            prepared: the model's own preprocessing of one picture.
            tokens: the model's own tokenizer.
        """
        self.model = f"{model}/{weights}"
        self.space = space_of("open_clip", model, weights)
        self._network = network
        self._prepared = prepared
        self._tokens = tokens
        self._where = where
        with torch.inference_mode():
            self.dimensions = int(network.encode_text(tokens(["a"]).to(where.device)).shape[-1])

    def images(self, batch: Sequence[Image.Image]) -> Vector:
        return self._encoded(batch, self._pixels, self._network.encode_image)

    def texts(self, batch: Sequence[str]) -> Vector:
        return self._encoded(batch, lambda part: self._tokens(list(part)), self._network.encode_text)

    def _pixels(self, part: Sequence[Image.Image]) -> torch.Tensor:
        return torch.stack([self._prepared(image.convert("RGB")) for image in part]).to(self._where.dtype)

    def _encoded(self, batch: Sequence[Any], ready: Any, encode: Any) -> Vector:
        step = _AT_ONCE.get(self._where.device.type, 16)
        rows = [np.zeros((0, self.dimensions), np.float32)]
        with torch.inference_mode():
            for start in range(0, len(batch), step):
                given = ready(batch[start : start + step]).to(self._where.device, non_blocking=True)
                rows.append(encode(given, normalize=True).float().cpu().numpy())
        return unit(np.concatenate(rows))  # half precision leaves lengths some thousandths off


def load(model: str, weights: str) -> OpenClipEncoder:
    """The model with these weights.

    Args:
        model: a name that open_clip knows, or that of a JSON configuration beside the checkpoint.
        weights: the hub's name of the weights, or a checkpoint's path.

    Raises:
        EncoderUnavailable: there is no such model, the file cannot be read, the hub cannot be reached.
    """
    file = Path(weights).expanduser()
    is_file = "/" in weights or file.exists()
    if is_file and not file.is_file():
        raise EncoderUnavailable(f"The checkpoint {weights} is not there.")
    try:
        if model not in open_clip.list_models():
            configuration = file.with_name(f"{model}.json")
            if not (is_file and configuration.is_file()):
                raise EncoderUnavailable(f"open_clip knows no model {model}, and there is no {configuration.name}.")
            open_clip.add_model_config(configuration)
        if not is_file:
            _refuse_unreachable(model, weights)
        where = placement()
        precision = {torch.bfloat16: "pure_bf16", torch.float16: "pure_fp16"}.get(where.dtype, "fp32")
        network, _, prepared = open_clip.create_model_and_transforms(
            model, pretrained=str(file) if is_file else weights, precision=precision, device=where.device
        )
        network.eval()
        return OpenClipEncoder(model, weights, network, prepared, open_clip.get_tokenizer(model), where)
    except EncoderUnavailable:
        raise
    except pickle.UnpicklingError as error:  # torch's sentence recommends to take the risk
        raise EncoderUnavailable(
            f"{model} with {weights} cannot be loaded: it is no checkpoint that can be read safely."
        ) from error
    except Exception as error:  # open_clip, torch and the hub raise whatever they like
        raise EncoderUnavailable(f"{model} with {weights} cannot be loaded: {_first_line(error)}.") from error


def _refuse_unreachable(model: str, weights: str) -> None:
    """Say at once what the hub's client would say after many tries.

    Raises:
        EncoderUnavailable: no such weights, or they are neither here nor to be had.
    """
    facts = open_clip.get_pretrained_cfg(model, weights)
    if not facts:
        known = ", ".join(open_clip.list_pretrained_tags_by_model(model)) or "none"
        raise EncoderUnavailable(f"{model} has no weights {weights}; it has: {known}.")
    repository = str(facts.get("hf_hub") or "").rstrip("/")
    if repository and any(
        isinstance(try_to_load_from_cache(repository, name), str)
        for name in ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
    ):
        return
    host = urlsplit(constants.ENDPOINT).hostname or ""
    try:
        socket.create_connection((host, 443), _HUB_S).close()
    except OSError as error:
        raise EncoderUnavailable(
            f"The weights {model}/{weights} are not on this machine, and {host} cannot be reached."
        ) from error


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")[:300]
