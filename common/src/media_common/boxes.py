"""What holds a detected object, as it was described when it was imported."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def box_of(shape: Mapping[str, Any]) -> tuple[float, float, float, float] | None:
    """Left, top, width and height of a `bbox` or of what holds a `polygon`, in pixels; None: it has neither."""
    if "bbox" in shape:
        left, top, width, height = shape["bbox"]
        return left, top, width, height
    if "polygon" in shape:
        across, down = zip(*shape["polygon"], strict=True)
        left, top = min(across), min(down)
        return left, top, max(across) - left, max(down) - top
    return None
