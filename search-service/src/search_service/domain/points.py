"""What a vector's point carries, so that a search can be limited inside the vector query. One point a frame."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from search_service.domain.filters import Between, Filter, Has, Ids, Not, Payload, both
from search_service.domain.vectors import FieldKind

COLLECTION: Final = "collection"
ITEM: Final = "item"
KIND: Final = "kind"
TAGS: Final = "tags"
OWN_TAGS: Final = "own_tags"
GROUPS: Final = "groups"
FOLDERS: Final = "folders"
CREATED: Final = "created"
DATED: Final = "dated"
ORDER: Final = "order"
#: A frame's moment in microseconds, which is in its order and which no fact of the item says.
AT: Final = "at"
LISTED: Final = "listed"
LOT: Final = "lot"

INDEXES: Final[Mapping[str, FieldKind]] = {
    COLLECTION: "integer",
    ITEM: "integer",
    KIND: "integer",
    TAGS: "integer",
    OWN_TAGS: "integer",
    GROUPS: "integer",
    FOLDERS: "integer",
    CREATED: "integer",
    DATED: "integer",
    LISTED: "integer",
    LOT: "integer",
}

#: Nearly every point of a library passes what is asked of these, where there is one library and little trash.
NEARLY_ALL: Final = frozenset((COLLECTION, LISTED))

#: The kind that has frames, of framewell.metadata.v1.MediaKind.
VIDEO: Final = 8

_OBJECTS: Final = ".objects"
_BY_MODEL: Final = "object-model."

#: Lots are drawn from this many: a random sample of a collection is its points with the lowest.
LOTS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Facts:
    """What the catalogue says of an item, as far as searches are limited by it."""

    item_id: int
    collection_id: int
    kind: int  # framewell.metadata.v1.MediaKind
    listed: bool  # neither trashed nor an inactive version: only these are ever found
    created_us: int = 0
    taken_us: int = 0
    dated_us: int = 0  # when it is from, taken or not
    tag_ids: Sequence[int] = ()  # its own and its groups'
    own_tag_ids: Sequence[int] = ()
    group_ids: Sequence[int] = ()
    folder_ids: Sequence[int] = ()  # all above it, so that a subtree is one value


def objects_of(space: str) -> str:
    """The collection of what an encoder says of detected objects, beside that of frames."""
    return f"{space}{_OBJECTS}"


def objects_by(model: str) -> str:
    """The collection of what a registered object model says. No encoder's space has a dot in its name."""
    return f"{_BY_MODEL}{model}"


def are_of_objects(place: str) -> bool:
    return place.endswith(_OBJECTS) or place.startswith(_BY_MODEL)


def payload(point_id: int, facts: Facts, timestamp_s: float = 0.0) -> Payload:
    """Every field is there, so that writing it again leaves nothing of the old one."""
    return {
        COLLECTION: facts.collection_id,
        ITEM: facts.item_id,
        KIND: facts.kind,
        TAGS: list(facts.tag_ids),
        OWN_TAGS: list(facts.own_tag_ids),
        GROUPS: list(facts.group_ids),
        FOLDERS: list(facts.folder_ids),
        CREATED: facts.created_us,
        DATED: facts.dated_us,
        AT: round(timestamp_s * 1e6),
        ORDER: facts.taken_us + round(timestamp_s * 1e6),
        LISTED: int(facts.listed),
        LOT: lot(point_id),
    }


def lot(point_id: int) -> int:
    """The same for the same point for ever, and otherwise random."""
    drawn = hashlib.blake2b(str(point_id).encode(), digest_size=8).digest()
    return int.from_bytes(drawn, "big") % LOTS


def within(collection_id: int, *filters: Filter) -> Filter:
    """Points of a collection that may be found, further limited."""
    return both(Has(COLLECTION, frozenset({collection_id})), Has(LISTED, frozenset({1})), *filters)


def without_items(ids: Sequence[int]) -> Filter | None:
    return Not(Has(ITEM, frozenset(ids))) if ids else None


def without_points(ids: Sequence[int]) -> Filter | None:
    return Not(Ids(frozenset(ids))) if ids else None


def without_groups(ids: Sequence[int]) -> Filter | None:
    return Not(Has(GROUPS, frozenset(ids))) if ids else None


def in_any_group() -> Filter:
    return Between(GROUPS)


def lots_below(limit: int) -> Filter:
    return Between(LOT, None, limit - 1)
