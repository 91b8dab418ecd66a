"""Answers of the Exquisitor dialect. Ids are the collection's own numbers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

from framewell_client.models import Model

TagValue = int | float | str


@dataclass(frozen=True, slots=True)
class Session:
    """A collection as one session of one model looks at it. The server keeps nothing of the last two but its log."""

    collection: str
    session: str = "framewell-client"
    model_id: int | str = 0

    def body(self) -> dict[str, Any]:
        return {"session": self.session, "collection": self.collection, "modelId": self.model_id}


class Item(Model, rename=None):
    """`uri` is the path below the collection's root. The addresses need no key; None: there is no file."""

    id: int
    uri: str
    thumbnail_url: str | None = None
    original_url: str | None = None


class DetailedItem(Item, rename=None):
    """With its tags, by tagset id; a tagset without a value for it is not there."""

    tags: dict[str, list[TagValue]] = msgspec.field(default_factory=dict)


class PageItem(Model):
    """An item as the retrieval page has it. `media_type`: 1 image, 2 video, 3 audio, 4 text, 5 other."""

    id: int
    name: str
    item_id: int
    media_id: int
    media_type: int
    thumb_path: str | None = None
    src_path: str | None = None
    group_id: int | None = None


class Suggestions(Model, rename=None):
    """Ids, the best first, and the score of each. `total` and `offset` where the strategy has them."""

    suggestions: list[int]
    scores: list[float] = msgspec.field(default_factory=list)
    strategy: str = ""
    request_timestamp: Any = None
    completion_time: float | None = None  # milliseconds
    offset: int | None = None
    total: int | None = None


class CollectionSize(Model, rename=None):
    name: str
    total_items: int


class Tagset(Model):
    """A filter; `tagtype_id` is one of 1 alphanumerical, 2 timestamp, 3 time, 4 date, 5 numerical_int,
    6 numerical_dec, 7 json."""

    id: int
    name: str
    tagtype_id: int
    tagtype: str


class Tag(Model):
    id: int
    value: TagValue


@dataclass(frozen=True, slots=True)
class Narrowing:
    """What a search leaves out: ids seen already, ids excluded with all of their groups, and what fails the filter
    (`{"root": …}`, the grammar of the contract)."""

    seen: list[int] = field(default_factory=list)
    excluded: list[int] = field(default_factory=list)
    filters: dict[str, Any] | None = None

    def body(self) -> dict[str, Any]:
        return {"seen": self.seen, "excluded": self.excluded, "filters": self.filters}
