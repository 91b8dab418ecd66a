"""Answers of the MediaReviewer dialect. Paths hold lone surrogates where a file's name is no UTF-8."""

from __future__ import annotations

from datetime import datetime

from msgspec import field

from framewell_client.models import Model


class DeletionQueue(Model, rename=None):
    max_workers: int
    active_jobs: int
    submitted_jobs: int
    completed_jobs: int
    failed_jobs: int


class ServerSettings(Model):
    state_directory: str
    hidden_picker_paths: list[str]
    deletion_workers: int
    video_preload_mb: int = 50


class Health(Model):
    status: str
    service: str
    settings: ServerSettings
    deletion_queue: DeletionQueue


class ReviewPaths(Model):
    """The roots; `available_paths` is where a folder picker begins."""

    known_paths: list[str]
    hidden_picker_paths: list[str]
    available_paths: list[str] = field(default_factory=list)


class AddedPath(Model):
    added_path: str
    known_paths: list[str]


class RemovedPath(Model):
    removed_path: str
    known_paths: list[str]


class Folder(Model, rename=None):
    path: str
    name: str
    has_children: bool


class Folders(Model):
    path: str
    folders: list[Folder]


class Status(Model):
    """The three marks of a file."""

    locked: bool
    trashed: bool
    seen: bool


class MediaFacts(Model, rename=None):
    """As a viewer shows it; None where it cannot be told."""

    width: int | None = None
    height: int | None = None
    duration_seconds: float | None = None


class MediaItem(Model):
    """One photo or video on disk."""

    path: str
    name: str
    media_type: str
    thumbnail_url: str
    size_bytes: int
    modified_at: datetime
    created_at: datetime
    status: Status
    metadata: MediaFacts


class FolderPage(Model):
    path: str
    offset: int
    limit: int
    count: int
    ignored_count: int
    items: list[MediaItem]
    total: int


class Counts(Model):
    all: int
    unseen: int
    seen: int
    locked: int
    trashed: int


class Summary(Model):
    path: str
    counts: Counts


class Acted(Model):
    path: str
    action: str
    status: Status


class Outcome(Model):
    """What became of one path of several: its marks now, or a sentence why not."""

    path: str
    status: Status | None = None
    error: str | None = None


class TrashEvent(Model):
    """One event of emptying the trash. `type` is `deleting`, `deleted`, `skipped`, `error`, `folder_done` or, last,
    `done`; the other fields are those of its type."""

    type: str
    path: str | None = None
    reason: str | None = None
    message: str | None = None
    deleted: int | None = None
    errors: int | None = None
    skipped: int | None = None
    bytes: int | None = None
    receipt_id: str | int | None = None


class Settings(Model):
    video_preload_mb: int


class Logs(Model):
    lines: list[str]
    available: bool
    file: str = field(name="logFile")
