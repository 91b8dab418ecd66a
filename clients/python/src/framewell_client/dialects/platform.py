"""`client.platform`: Framewell's own endpoints: keys, jobs, events, undo, the faces of an item, signed addresses."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Literal
from urllib.parse import urlsplit

from framewell_client.errors import Dialect
from framewell_client.feeds import Chunks, EventFeed, Feed
from framewell_client.models import platform as models
from framewell_client.models.review import Outcome
from framewell_client.namespaces import Namespace, S, call, stream
from framewell_client.wire import Answer, Call, Path, Request, json_call, query_of, request, segment

Scope = Literal["read", "write", "trash", "empty-trash", "admin"]

_ask = partial(request, Dialect.PLATFORM)


class Platform(Namespace[S]):
    """What no other system has."""

    # --- how it is ---
    @call
    def is_live(self) -> Call[bool]:
        """Whether the process runs; needs no key."""
        return Call(_ask("GET", "/health/live"), lambda answer: answer.head.status == 200)

    @call
    def readiness(self) -> Call[models.Readiness]:
        """Each part the server needs, whether all are there or not; needs no key."""
        asked = Request("GET", "/health/ready", Dialect.PLATFORM, accepted=frozenset((503,)))
        return json_call(asked, models.Readiness)

    @call
    def metrics(self) -> Call[str]:
        """Figures in Prometheus' text form."""
        return Call(_ask("GET", "/metrics"), _text)

    @call
    def openapi(self) -> Call[dict[str, Any]]:
        """The description of every route."""
        return json_call(_ask("GET", "/openapi.json"), dict[str, Any])

    @call
    def jobs(self) -> Call[models.Jobs]:
        """The queues and the encoder."""
        return json_call(_ask("GET", "/api/jobs"), models.Jobs)

    @call
    def retry_dead_jobs(self) -> Call[int]:
        """Put the parked jobs back; how many."""
        return json_call(_ask("POST", "/api/jobs/dead/retry"), int, "retried")

    @call
    def pause_embedding(self, paused: bool = True) -> Call[bool]:
        """Hold embedding back, or let it go on; whether it is held back now."""
        return json_call(_ask("POST", "/api/jobs/embed/pause", body={"paused": paused}), bool, "paused")

    @stream
    def events(self, last_event_id: str = "") -> Feed[models.Event]:
        """What happens from now on, or behind an event, without end. A connection that breaks is made again behind
        the last event that came."""
        return EventFeed("/api/events", last_event_id)

    # --- one thing, four names ---
    @call
    def resolve_path(self, path: Path) -> Call[models.Faces]:
        """The names of what is at a path of the server's disk."""
        return json_call(_ask("GET", "/api/resolve", query_of(path=path)), models.Faces)

    @call
    def resolve_id(self, face: int | str, collection: str | None = None) -> Call[models.Faces]:
        """The names of what has this id in any dialect; `collection`: whose numbers it speaks of."""
        return json_call(_ask("GET", "/api/resolve", query_of(id=face, collection=collection)), models.Faces)

    @stream
    def blob(self, url: str) -> Feed[bytes]:
        """The bytes behind an address that the server gave out (`Media.blob`, `Item.original_url`, …). The key is not
        sent along: the address is one.

        Raises:
            ValueError: it is no absolute address.
        """
        if urlsplit(url).scheme not in ("http", "https"):
            raise ValueError(f"{url!r} is no absolute http address")
        return Chunks(Request("GET", url, Dialect.PLATFORM, is_foreign=True))

    # --- keys ---
    @call
    def create_key(
        self,
        name: str,
        scopes: Sequence[Scope],
        *,
        collections: Sequence[str] | None = None,
        expires_in_days: float | None = None,
    ) -> Call[models.Key]:
        """A new key; its secret, `key`, is told now and never again. `collections` None: all."""
        body: dict[str, Any] = {"name": name, "scopes": list(scopes)}
        if collections is not None:
            body["collections"] = list(collections)
        if expires_in_days is not None:
            body["expiresInDays"] = expires_in_days
        return json_call(_ask("POST", "/api/keys", body=body), models.Key)

    @call
    def keys(self) -> Call[list[models.Key]]:
        """All keys, without their secrets."""
        return json_call(_ask("GET", "/api/keys"), list[models.Key], "keys")

    @call
    def revoke_key(self, key_id: str) -> Call[None]:
        """From now on it is a wrong one."""
        return Call(_ask("DELETE", f"/api/keys/{segment(key_id)}"), _nothing)

    # --- back and ahead ---
    @call
    def undo(self, steps: int = 1) -> Call[list[Outcome]]:
        """Take back the latest marks, 1 to 1,000 of them, exactly."""
        return json_call(_ask("POST", "/api/undo", body={"steps": steps}), list[Outcome], "results")

    @call
    def trash_plan(self, root: Path | None = None) -> Call[models.TrashPlan]:
        """What emptying the trash of one root, or of all, would do now."""
        return json_call(_ask("GET", "/api/trash/plan", query_of(path=root)), models.TrashPlan)


def _text(answer: Answer) -> str:
    return answer.body.decode("utf-8", "replace")


def _nothing(answer: Answer) -> None:
    return None
