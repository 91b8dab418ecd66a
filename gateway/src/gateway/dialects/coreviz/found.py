"""What a search has found, with the media that were looked up for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from media_proto import metadata_pb2 as pb
from media_proto import search_pb2


@dataclass(frozen=True, slots=True)
class Found:
    """A page of scored mode."""

    scored: list[tuple[pb.Media, float]]
    count: int  # one that has been trashed since is found, and not shown
    total: int

    @classmethod
    def of(cls, page: search_pb2.FoundPage, media: Mapping[int, pb.Media]) -> Found:
        shown = [(media[one.item_id], one.score) for one in page.scored if one.item_id in media]
        return cls(shown, len(page.scored), page.total)


@dataclass(frozen=True, slots=True)
class Find:
    """An item with its score, the frame of it that fits best, and that frame's part of the score."""

    media: pb.Media
    frame: pb.Frame
    score: float
    likeness: float
