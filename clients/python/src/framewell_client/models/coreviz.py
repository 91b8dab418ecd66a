"""Answers of the CoreViz dialect. Ids are UUIDs as 32 hexadecimal digits; addresses of blobs need no key and expire."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, TypedDict

import msgspec

from framewell_client.models import Model


class Me(Model):
    user_id: str
    email: str
    name: str
    organization_id: str
    organization_name: str


class Organization(Model):
    id: str
    name: str
    slug: str


class Dataset(Model):
    """A collection."""

    id: str
    name: str
    icon: str | None = None
    type: str = "collection"
    organization_id: str = ""


class DetectedObject(Model):
    id: str
    type: str = ""
    label: str = ""
    blob: str = ""


class Frame(Model):
    """`timestamp`: seconds, as a string."""

    id: str
    timestamp: str
    blob: str
    width: int | None = None
    height: int | None = None
    objects: list[DetectedObject] = msgspec.field(default_factory=list)


class Media(Model):
    """A file or a folder. `metadata["tags"]` is always there: the values of each group, sorted."""

    id: str
    name: str
    type: str
    blob: str
    path: str
    dataset_id: str
    size_bytes: int
    created_at: datetime
    updated_at: datetime | None = None
    status: str = "active"
    width: int | None = None
    height: int | None = None
    duration: float | None = None
    metadata: dict[str, Any] = msgspec.field(default_factory=dict)
    total_versions: int = 1
    frame_object_id: str | None = None
    folder_item_count: int | None = None
    folder_previews: list[str] | None = None
    frames: list[Frame] = msgspec.field(default_factory=list)
    score: float | None = msgspec.field(default=None, name="_score")

    @property
    def tags(self) -> dict[str, list[str]]:
        tags: dict[str, list[str]] = self.metadata.get("tags") or {}
        return tags


class Pagination(Model):
    total: int
    limit: int
    offset: int
    has_more: bool


class MediaPage(Model):
    media: list[Media]
    pagination: Pagination


class Moved(Model):
    id: str
    new_path: str
    success: bool = True


class Deleted(Model):
    """How many files went, all versions counted."""

    id: str
    deleted_count: int


class DeletedVersion(Model):
    deleted_id: str
    promoted_id: str | None = None


class Folder(Model):
    id: str
    name: str
    path: str
    collection_id: str
    dataset_id: str
    status: str
    created_at: datetime
    metadata: dict[str, Any] = msgspec.field(default_factory=dict)


class AddedObject(Model):
    id: str
    type: str
    label: str
    model: str


class Cluster(Model):
    id: str
    label: str
    size: int
    object_id: str


class Uploaded(Model):
    media_id: str
    url: str
    message: str = ""
    success: bool = True


class Caption(Model):
    text: str


class FoundObject(Model):
    """`polygon`: points [x, y] in the frame's pixels."""

    id: str
    type: str = ""
    label: str = ""
    polygon: list[list[float]] | None = None


class FoundMedia(Model):
    """What a frame that was found is of."""

    id: str
    name: str
    type: str
    blob: str
    created_at: datetime
    width: int | None = None
    height: int | None = None
    duration: float | None = None


class Ranks(Model):
    """The parts of a score, and it."""

    text_rank: float
    object_embedding_rank: float
    total_rank: float


class SearchResult(Model):
    """A frame that was found."""

    id: str
    rank: float
    media: FoundMedia
    ranking_metrics: Ranks
    timestamp: str = "0"
    blob: str = ""
    width: int | None = None
    height: int | None = None
    captions: list[Caption] = msgspec.field(default_factory=list)
    objects: list[FoundObject] = msgspec.field(default_factory=list)


class MediaFilters(TypedDict, total=False):
    """What a listing may be narrowed and sorted by. `q` or `similar_to_object_id` make it a search."""

    path: str
    recursive: bool
    type: Literal["image", "video", "folder", "all", "document", "audio", "model"]
    date_from: str  # YYYY-MM-DD, UTC, inclusive; date_to as well
    date_to: str
    sort_by: Literal["name", "createdAt", "type", "description", "prompt"]
    sort_direction: Literal["asc", "desc"]
    tags: list[str]
    tag_filters: dict[str, list[str]]
    media_id: str
    cluster_id: str
    q: str
    similar_to_object_id: str
    similar_to_object_model: Literal["faces", "objects", "shoeprints"]
    min_score: float


class NewObject(TypedDict, total=False):
    """A detection to import: `type`, `label`, `model`, and either `bbox` ([x, y, width, height]) or `polygon`."""

    frame: int
    type: str
    label: str
    model: str
    bbox: list[float]
    polygon: list[list[float]]
    vector: list[float]
