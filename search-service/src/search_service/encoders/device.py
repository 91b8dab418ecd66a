"""Where a model runs, and in which precision."""

from __future__ import annotations

from typing import NamedTuple

import torch


class Placement(NamedTuple):
    device: torch.device
    dtype: torch.dtype


def placement() -> Placement:
    """CUDA before MPS before CPU; half precision where the hardware computes it faster than single."""
    if torch.cuda.is_available():
        return Placement(torch.device("cuda"), torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16)
    if torch.backends.mps.is_available():
        return Placement(torch.device("mps"), torch.float16)
    # Without matrix tiles a processor emulates bfloat16, at a fraction of float32's speed.
    has_tiles = getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)()
    return Placement(torch.device("cpu"), torch.bfloat16 if has_tiles else torch.float32)
