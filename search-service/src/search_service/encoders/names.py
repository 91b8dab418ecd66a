"""What `FRAMEWELL_ENCODER` can say, and what the vectors of each encoder are called. Imports no model."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Final, NamedTuple

#: What `auto` tries first.
DEFAULT_MODEL: Final = "ViT-B-32"
DEFAULT_WEIGHTS: Final = "laion2b_s34b_b79k"


class OpenClip(NamedTuple):
    model: str
    weights: str  # the hub's name or a path


def open_clip_of(setting: str) -> OpenClip:
    """`open_clip:<model>/<weights>` in its parts."""
    model, _, weights = setting.removeprefix("open_clip:").partition("/")
    return OpenClip(model, weights)


def setting_of(family: str, model: str) -> str:
    """What a model is set by: its family, or that and which one."""
    return family if family == "offline" else f"{family}:{model}"


def space_of(family: str, model: str, weights: str) -> str:
    """A name for the vectors: told apart by the weights, and by what is in a checkpoint when it is a file.

    A checkpoint that is trained again under its old name gives other vectors, which must not mix with the old ones; one
    that was moved, or lost and put back, gives the same.
    """
    short = Path(weights).stem
    if (file := Path(weights).expanduser()).is_file():
        with file.open("rb") as opened:
            short = hashlib.file_digest(opened, lambda: hashlib.blake2b(digest_size=8)).hexdigest()
    return re.sub(r"[^A-Za-z0-9_-]+", "-", f"{family}-{model}-{short}")[:100]
