"""Why there is no picture."""

from __future__ import annotations


class Unreadable(Exception):
    """The file cannot be decoded, now or ever; the text is a sentence for the person who looks."""


class TooLarge(Unreadable):
    """Decoding it would take more than a render may use."""

    def __init__(self, width_px: int, height_px: int) -> None:
        super().__init__(f"The picture is too large: {width_px} x {height_px} pixels.")
