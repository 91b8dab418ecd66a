"""all-MiniLM-L6-v2 (sentence-transformers), the text side of the offline encoder, from the weights of a package.

The network is written out here, since the libraries that would bring it take longer to import than it takes to run.
tests/test_offline.py compares it with them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional

from search_service.domain.vectors import Vector

DIMENSIONS: Final = 384
_LAYERS: Final = 6
_HEADS: Final = 12
_FEED_FORWARD: Final = 1536
_LONGEST: Final = 256
_EPSILON: Final = 1e-12


class _Layer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(DIMENSIONS, DIMENSIONS) for _ in range(3))
        self.attended = nn.Linear(DIMENSIONS, DIMENSIONS)
        self.attended_norm = nn.LayerNorm(DIMENSIONS, eps=_EPSILON)
        self.widened = nn.Linear(DIMENSIONS, _FEED_FORWARD)
        self.narrowed = nn.Linear(_FEED_FORWARD, DIMENSIONS)
        self.narrowed_norm = nn.LayerNorm(DIMENSIONS, eps=_EPSILON)

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        rows, length, _ = states.shape

        def heads(linear: nn.Linear) -> Tensor:
            return linear(states).view(rows, length, _HEADS, -1).transpose(1, 2)  # type: ignore[no-any-return]

        mixed = functional.scaled_dot_product_attention(
            heads(self.query), heads(self.key), heads(self.value), attn_mask=mask[:, None, None, :]
        )
        mixed = mixed.transpose(1, 2).reshape(rows, length, DIMENSIONS)
        states = self.attended_norm(states + self.attended(mixed))
        result: Tensor = self.narrowed_norm(states + self.narrowed(functional.gelu(self.widened(states))))
        return result


class MiniLm(nn.Module):
    """Texts to unit vectors: the mean of the last layer's states over a text's tokens."""

    def __init__(self, folder: Path) -> None:
        """
        Args:
            folder: `model.safetensors` and `tokenizer.json`.
        """
        super().__init__()
        weights = load_file(folder / "model.safetensors")
        self.words = nn.Embedding(*weights["embeddings.word_embeddings.weight"].shape)
        self.places = nn.Embedding(*weights["embeddings.position_embeddings.weight"].shape)
        self.kinds = nn.Embedding(*weights["embeddings.token_type_embeddings.weight"].shape)
        self.norm = nn.LayerNorm(DIMENSIONS, eps=_EPSILON)
        self.layers = nn.ModuleList([_Layer() for _ in range(_LAYERS)])
        self.load_state_dict({ours: weights[theirs] for ours, theirs in _names().items()})
        self.eval()
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(_LONGEST)
        self._tokenizer.enable_padding()

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        places = torch.arange(tokens.shape[1], device=tokens.device)
        states: Tensor = self.norm(self.words(tokens) + self.places(places) + self.kinds(torch.zeros_like(tokens)))
        for layer in self.layers:
            states = layer(states, mask)
        weights = mask[:, :, None].to(states.dtype)
        return functional.normalize((states * weights).sum(1) / weights.sum(1), dim=-1)

    def encoded(self, texts: Sequence[str]) -> Vector:
        """Shape (len(texts), 384)."""
        coded = self._tokenizer.encode_batch(list(texts))
        device = self.norm.weight.device
        tokens = torch.tensor([one.ids for one in coded], device=device)
        mask = torch.tensor([one.attention_mask for one in coded], dtype=torch.bool, device=device)
        with torch.inference_mode():
            vectors: Vector = self(tokens, mask).float().cpu().numpy()
        return vectors


def _names() -> dict[str, str]:
    """Our names of the weights to the file's."""
    modules = {
        "words": "embeddings.word_embeddings",
        "places": "embeddings.position_embeddings",
        "kinds": "embeddings.token_type_embeddings",
        "norm": "embeddings.LayerNorm",
    }
    inside = {
        "query": "attention.self.query",
        "key": "attention.self.key",
        "value": "attention.self.value",
        "attended": "attention.output.dense",
        "attended_norm": "attention.output.LayerNorm",
        "widened": "intermediate.dense",
        "narrowed": "output.dense",
        "narrowed_norm": "output.LayerNorm",
    }
    modules |= {
        f"layers.{n}.{ours}": f"encoder.layer.{n}.{theirs}" for n in range(_LAYERS) for ours, theirs in inside.items()
    }
    only_weights = {"words", "places", "kinds"}
    return {
        f"{ours}.{part}": f"{theirs}.{part}"
        for ours, theirs in modules.items()
        for part in (("weight",) if ours in only_weights else ("weight", "bias"))
    }
