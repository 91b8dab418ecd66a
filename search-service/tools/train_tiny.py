"""Trains `tests/tiny/tiny-shapes.pt`: a small open_clip model that knows coloured shapes and nothing else.

    python search-service/tools/train_tiny.py             train, write, measure (some minutes on one core)
    python search-service/tools/train_tiny.py --measure   measure the one that is there

Tests load it through the very code that loads a real checkpoint. Its recall is in tests/tiny/README.md.
"""

from __future__ import annotations

import argparse
import random
import sys
from pathlib import Path
from typing import Final

import numpy as np
import open_clip
import torch
from search_service.encoders.open_clip import OpenClipEncoder, load
from search_service.shapes import COLOURS, SHAPES, caption, drawn
from torch.nn import functional

FOLDER: Final = Path(__file__).resolve().parents[1] / "tests/tiny"
MODEL: Final = "tiny-shapes"
CHECKPOINT: Final = FOLDER / "tiny-shapes.pt"
#: Pictures of the test are drawn from seeds that training never reaches.
UNSEEN_SEED: Final = 10**9
_STEPS: Final = 1500
_WORDINGS: Final = (
    "a {colour} {shape}",
    "{colour} {shape}",
    "a photo of a {colour} {shape}",
    "a picture of a {colour} {shape}",
    "a {shape} that is {colour}",
    "the {colour} {shape}",
)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--measure", action="store_true")
    parser.add_argument("--steps", type=int, default=_STEPS)
    options = parser.parse_args()
    if not options.measure:
        train(options.steps)
    print(f"recall@10 on 200 unseen pictures: {recall(load(MODEL, str(CHECKPOINT))):.3f}")


def train(steps: int) -> None:
    torch.manual_seed(0)
    chance = random.Random(0)
    open_clip.add_model_config(FOLDER / f"{MODEL}.json")
    model, _, prepared = open_clip.create_model_and_transforms(MODEL)
    tokens = open_clip.get_tokenizer(MODEL)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 1e-3, total_steps=steps, pct_start=0.1)
    kinds = [(colour, shape) for colour in COLOURS for shape in SHAPES]
    model.train()
    for step in range(steps):
        # Every kind once a batch: no two captions mean the same, so each picture has one right answer.
        pictures = torch.stack([prepared(drawn(colour, shape, chance)) for colour, shape in kinds])
        wordings = [chance.choice(_WORDINGS).format(colour=colour, shape=shape) for colour, shape in kinds]
        images = model.encode_image(pictures, normalize=True)
        texts = model.encode_text(tokens(wordings), normalize=True)
        answers = model.logit_scale.exp().clamp(max=50) * images @ texts.T
        right = torch.arange(len(kinds))
        loss = (functional.cross_entropy(answers, right) + functional.cross_entropy(answers.T, right)) / 2
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        if step % 100 == 0:
            print(f"step {step}: loss {loss.item():.3f}", file=sys.stderr, flush=True)
    half = {name: weight.half() for name, weight in model.state_dict().items()}
    torch.save(half, CHECKPOINT)


def recall(encoder: OpenClipEncoder) -> float:
    """Of the right pictures that ten places could hold, how many are in the first ten; the mean over all kinds."""
    chance = random.Random(UNSEEN_SEED)
    kinds = [(colour, shape) for colour in COLOURS for shape in SHAPES]
    truth = [chance.choice(kinds) for _ in range(200)]
    images = encoder.images([drawn(colour, shape, chance) for colour, shape in truth])
    found = []
    for kind in kinds:
        right = {number for number, true in enumerate(truth) if true == kind}
        first = np.argsort(-(encoder.texts([caption(*kind)])[0] @ images.T))[:10]
        found.append(len(right.intersection(first.tolist())) / min(10, len(right)))
    return float(np.mean(found))


if __name__ == "__main__":
    main()
