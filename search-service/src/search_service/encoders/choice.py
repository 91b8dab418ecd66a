"""From the setting to the encoders to try. Imports no model: that is for the moment one is loaded."""

from __future__ import annotations

from functools import partial

from search_service.encoders.names import DEFAULT_MODEL, DEFAULT_WEIGHTS, open_clip_of
from search_service.encoders.port import Encoder, Load


def candidates(setting: str, threads: int = 0) -> list[tuple[str, Load]]:
    """What each is called, and how it is loaded, in order of preference.

    Args:
        setting: `off`, `offline`, `auto` or `open_clip:<model>/<weights>`.
        threads: of the processor, for one picture or text; 0: as many as there are cores.
    """
    if setting == "off":
        return []
    offline: tuple[str, Load] = ("the offline encoder", partial(_offline, threads))
    if setting == "offline":
        return [offline]
    if setting == "auto":
        return [_open_clip(DEFAULT_MODEL, DEFAULT_WEIGHTS, threads), offline]
    return [_open_clip(*open_clip_of(setting), threads)]


def _open_clip(model: str, weights: str, threads: int) -> tuple[str, Load]:
    return f"open_clip {model}/{weights}", partial(_load_open_clip, model, weights, threads)


def _offline(threads: int) -> Encoder:
    _limit(threads)
    from search_service.encoders import offline

    return offline.load()


def _load_open_clip(model: str, weights: str, threads: int) -> Encoder:
    _limit(threads)
    from search_service.encoders import open_clip

    return open_clip.load(model, weights)


def _limit(threads: int) -> None:
    if threads:
        import torch

        torch.set_num_threads(threads)
