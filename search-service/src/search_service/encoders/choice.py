"""From the setting to the encoders to try. Imports no model: that is for the moment one is loaded."""

from __future__ import annotations

from functools import partial

from search_service.encoders.names import DEFAULT_MODEL, DEFAULT_WEIGHTS, open_clip_of
from search_service.encoders.port import Encoder, Load


def candidates(setting: str) -> list[tuple[str, Load]]:
    """What each is called, and how it is loaded, in order of preference.

    Args:
        setting: `off`, `offline`, `auto` or `open_clip:<model>/<weights>`.
    """
    if setting == "off":
        return []
    offline: tuple[str, Load] = ("the offline encoder", _offline)
    if setting == "offline":
        return [offline]
    if setting == "auto":
        return [_open_clip(DEFAULT_MODEL, DEFAULT_WEIGHTS), offline]
    return [_open_clip(*open_clip_of(setting))]


def _open_clip(model: str, weights: str) -> tuple[str, Load]:
    return f"open_clip {model}/{weights}", partial(_load_open_clip, model, weights)


def _offline() -> Encoder:
    from search_service.encoders import offline

    return offline.load()


def _load_open_clip(model: str, weights: str) -> Encoder:
    from search_service.encoders import open_clip

    return open_clip.load(model, weights)
