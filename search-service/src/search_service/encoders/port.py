"""The port of an encoder: what the rest of the service knows of any model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

from PIL.Image import Image

from search_service.domain.vectors import Vector


class Encoder(Protocol):
    """A model in memory, safe to call from several threads. Both ways give vectors of one space, of unit length."""

    @property
    def name(self) -> str:
        """The family: `open_clip` or `offline`."""

    @property
    def model(self) -> str:
        """Which one, for people: architecture and weights."""

    @property
    def space(self) -> str:
        """Names its vectors' collection: two encoders share it only when their vectors can be compared."""

    @property
    def dimensions(self) -> int: ...

    def images(self, batch: Sequence[Image]) -> Vector:
        """Shape (len(batch), dimensions), in the order given; pictures of any size and mode."""

    def texts(self, batch: Sequence[str]) -> Vector:
        """Shape (len(batch), dimensions), in the order given; what is too long for the model is cut."""


#: Brings a model into memory; raises `EncoderUnavailable` with a sentence when it cannot.
Load: TypeAlias = Callable[[], Encoder]
