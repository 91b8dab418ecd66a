"""What one render may use. The memory limit is the operating system's, set by the render process on itself."""

from __future__ import annotations

from dataclasses import dataclass

from thumbnail_service.domain.errors import TooLarge, Unreadable


@dataclass(frozen=True, slots=True)
class Limits:
    streamed_mpx: int = 500  # read row by row or shrunk while loading: costs time, hardly memory
    decoded_mpx: int = 100  # held in memory as a whole, some 4 to 12 bytes a pixel

    def check_streamed(self, width_px: int, height_px: int) -> None:
        _check(width_px, height_px, self.streamed_mpx)

    def check_decoded(self, width_px: int, height_px: int) -> None:
        _check(width_px, height_px, self.decoded_mpx)


def _check(width_px: int, height_px: int, mpx: int) -> None:
    if width_px < 1 or height_px < 1:
        raise Unreadable("The picture has no pixels.")
    if width_px * height_px > mpx * 1_000_000:
        raise TooLarge(width_px, height_px)
