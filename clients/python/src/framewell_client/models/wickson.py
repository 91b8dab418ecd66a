"""Answers of the Wickson dialect. What is not known of an item is not there."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from framewell_client.models import Model


class FileInfo(Model, rename=None):
    """`checksum`: SHA-256, hexadecimal; empty until the file has been read."""

    filename: str
    size_bytes: int
    checksum: str = ""
    page_count: int | None = None
    width: int | None = None
    height: int | None = None
    duration_seconds: float | None = None


class Storage(Model, rename=None):
    created_at: datetime

    def __post_init__(self) -> None:
        # The dialect writes UTC and no zone; a time without one would be taken for the caller's own.
        if self.created_at.tzinfo is None:
            msgspec.structs.force_setattr(self, "created_at", self.created_at.replace(tzinfo=UTC))


class Vector(Model, rename=None):
    model: str
    dimensions: int
    values: list[float]


class MediaItem(Model, rename=None):
    """`metadata` and `vectors` are None when they were not asked for."""

    id: str
    media_type: str
    file_info: FileInfo
    collection: str
    storage: Storage
    metadata: dict[str, Any] | None = None
    vectors: dict[str, Vector] | None = None


class Pagination(Model, rename=None):
    page: int
    page_size: int
    total_items: int
    total_pages: int
    has_next: bool


class MediaList(Model, rename=None):
    items: list[MediaItem]
    pagination: Pagination
