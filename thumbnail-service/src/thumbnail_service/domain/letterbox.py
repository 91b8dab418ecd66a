"""The geometry of a thumbnail: a picture inside a square, whole, centred, never enlarged. Pure."""

from __future__ import annotations


def fit(width_px: int, height_px: int, box_px: int) -> tuple[int, int]:
    """The size of the picture inside the box: same aspect within a pixel, at least 1 x 1, never larger than it was."""
    scale = min(1.0, box_px / width_px, box_px / height_px)
    return (
        min(box_px, max(1, round(width_px * scale))),
        min(box_px, max(1, round(height_px * scale))),
    )


def corner(width_px: int, height_px: int, box_px: int) -> tuple[int, int]:
    """Where the picture's top left corner goes, so that it is in the middle."""
    return (box_px - width_px) // 2, (box_px - height_px) // 2
