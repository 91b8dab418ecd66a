"""Answers of Framewell's own endpoints."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from framewell_client.models import Model


class Dependency(Model):
    state: str
    reason: str | None = None


class Readiness(Model):
    """Whether all that is needed runs, and how each part is."""

    status: str
    dependencies: dict[str, Dependency]

    @property
    def is_ready(self) -> bool:
        return self.status == "ready"


class CollectionName(Model):
    id: str
    slug: str


class Faces(Model):
    """The names of one thing in the four dialects. A folder has a `folder_id` and no other id, a root only its
    collection; `path` is None for what is not on the server's disk."""

    collection: CollectionName
    path: str | None = None
    item_id: int | None = None
    media_id: str | None = None
    wickson_id: str | None = None
    folder_id: str | None = None


class Key(Model):
    """`collections` None: all. `key`, the secret, is told once, by the call that makes it."""

    id: str
    name: str
    scopes: list[str]
    created_at: datetime
    collections: list[str] | None = None
    expires_at: datetime | None = None
    key: str | None = None

    def __repr__(self) -> str:
        return f"Key(id={self.id!r}, name={self.name!r}, scopes={self.scopes!r})"


class DeadJob(Model):
    path: str
    reason: str


class Queue(Model):
    """`paused`: held back by hand. `remaining_seconds` (None: not known) is said of `embed` alone."""

    pending: int
    running: int
    done: int
    dead: int
    dead_jobs: list[DeadJob] = msgspec.field(default_factory=list)
    paused: bool = False
    remaining_seconds: float | None = None


class Encoder(Model):
    """`state`: off, loading, ready or, with a reason, unavailable. `next`: the one that is being filled meanwhile."""

    name: str
    state: str
    model: str | None = None
    dimensions: int | None = None
    reason: str | None = None
    next: Encoder | None = None


class Jobs(Model):
    idle: bool
    queues: dict[str, Queue]
    encoder: Encoder


@dataclass(frozen=True, slots=True)
class Event:
    """One server-sent event. `id`: to resume behind; `kind`: state, root, scan, queue, trash, or a later server's."""

    id: str
    kind: str
    data: dict[str, Any]


class PlannedRoot(Model):
    path: str
    state: str
    count: int
    bytes: int


class TrashPlan(Model):
    """What emptying the trash would do now; `hash` names exactly this plan."""

    hash: str
    count: int
    bytes: int
    locked: int
    changed: int
    roots: list[PlannedRoot]
