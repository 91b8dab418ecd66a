"""What is embedded: items, their pictures, and the ports of where those come from and who turns them into vectors."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from search_service.domain.points import Facts
from search_service.domain.vectors import Vector

P = TypeVar("P")  # a decoded picture, which only the encoder looks into
Shown = TypeVar("Shown", contravariant=True)


@dataclass(frozen=True, slots=True)
class Still(Generic[P]):
    """A picture of an item: itself, or a moment of a video."""

    timestamp_s: float
    picture: P  # as large as the encoder needs
    #: Of the original, upright: what objects are told in.
    width_px: int = 0
    height_px: int = 0
    jpeg: bytes = b""  # what people are shown of it; none where the item is shown itself


@dataclass(frozen=True, slots=True)
class Item(Generic[P]):
    """What the catalogue says of it now."""

    facts: Facts
    seal: str  # changes with the pixels
    #: None: it has no pixels here. Raises `UnreadablePicture`, `OutOfReach` or `OriginalsUnavailable`; no stills: its
    #: file is gone.
    load: Callable[[], Awaitable[Sequence[Still[P]]]] | None
    embedded: bool = False  # the catalogue knows that it has a vector
    is_video: bool = False
    path: bytes = b""  # what people know it by
    away: bool = False  # its disk cannot be reached now
    #: Of a video: one still for each of these seconds. Raises as `load` does.
    load_at: Callable[[Sequence[float]], Awaitable[Sequence[Still[P]]]] | None = None


class Catalogue(Protocol[P]):
    """Every call may raise `ServiceError`: it is away."""

    async def items(self, item_ids: Sequence[int]) -> Mapping[int, Item[P]]:
        """Those that there are."""

    async def frame_ids(self, item_id: int, stills: Sequence[Still[P]]) -> Sequence[int]:
        """Make these a video's frames; their ids, the first is the item's own. None when it is gone."""

    async def embedded(self, item_ids: Sequence[int]) -> None:
        """They have a vector now."""


class Frames(Protocol):
    """What people are shown of videos' frames. Neither call fails, and neither is worth waiting for long."""

    async def keep(self, item_id: int, stills: Sequence[Still[Any]]) -> None:
        """These are a video's now, and no others."""

    def gone(self, item_ids: Iterable[int]) -> None:
        """These videos are no more."""


class Space(Protocol[Shown]):
    """A collection of vectors, and its model."""

    @property
    def name(self) -> str: ...

    async def images(self, batch: Sequence[Shown]) -> Vector:
        """
        Raises:
            EncoderUnavailable: the model is gone, or is that of another space by now.
        """


class Models(Protocol[Shown]):
    async def filling(self) -> Sequence[Space[Shown]]:
        """What has to hold every item.

        Raises:
            EncoderUnavailable, StoreUnavailable: nothing can be filled, with the reason.
        """

    async def lost(self) -> None:
        """Vectors were missed in the store: what is gone is made anew and filled."""
