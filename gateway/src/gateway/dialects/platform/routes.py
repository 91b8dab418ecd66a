"""Our own endpoints."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from gateway.access import access_of
from gateway.answers import json_answer
from gateway.bodies import read_object
from gateway.clients import FsClient
from gateway.dependencies import Dependencies
from gateway.dialects.platform import docs, render
from gateway.errors import Failure, invalid
from gateway.events import EVENT_STREAM, QueueWatch, event_stream
from gateway.jobs import Jobs
from gateway.metrics import CONTENT_TYPE, Metrics
from gateway.ndjson import StreamedAnswer
from gateway.openapi import Doc, Endpoint, add_route
from gateway.query import Query, strict_integer
from gateway.search import SearchClient
from gateway.visible import VisibleRoots

MAX_UNDO_STEPS: Final = 1000
MAX_RECEIPTS: Final = 100


class Platform:
    """Health, figures, jobs, events, undo, the plan."""

    def __init__(
        self,
        fs: FsClient,
        jobs: Jobs,
        search: SearchClient,
        dependencies: Dependencies,
        metrics: Metrics,
        stopping: asyncio.Event,
        visible: VisibleRoots,
    ) -> None:
        """`stopping` is set when the server ends, so that listeners are let go."""
        self._fs = fs
        self._jobs = jobs
        self._search = search
        self._dependencies = dependencies
        self._metrics = metrics
        self._stopping = stopping
        self._visible = visible
        self._watch = QueueWatch(self._jobs, render.queues_out)

    def add_to(self, app: FastAPI) -> None:
        routes: tuple[tuple[str, str, Endpoint, Doc], ...] = (
            ("GET", "/health/live", self.live, docs.LIVE),
            ("GET", "/health/ready", self.ready, docs.READY),
            ("GET", "/metrics", self.metrics, docs.METRICS),
            ("GET", "/api/jobs", self.jobs, docs.JOBS),
            ("POST", "/api/jobs/dead/retry", self.retry, docs.RETRY),
            ("POST", "/api/jobs/embed/pause", self.pause, docs.PAUSE),
            ("POST", "/api/jobs/thumbnail/pause", self.pause_thumbnails, docs.PAUSE_THUMBNAILS),
            ("POST", "/api/jobs/index/pause", self.pause_reading, docs.PAUSE_READING),
            ("GET", "/api/events", self.events, docs.EVENTS),
            ("POST", "/api/undo", self.undo, docs.UNDO),
            ("GET", "/api/trash/plan", self.plan, docs.PLAN),
            ("GET", "/api/trash/receipts", self.receipts, docs.RECEIPTS),
        )
        for method, path, endpoint, doc in routes:
            add_route(app, docs.TAG, method, path, endpoint, doc)

    async def live(self, request: Request) -> Response:
        return json_answer({"status": "live"})

    async def ready(self, request: Request) -> Response:
        readiness = await self._dependencies.readiness()
        return json_answer(render.readiness_out(readiness), 200 if readiness.ready else 503)

    async def metrics(self, request: Request) -> Response:
        return Response(await self._metrics.scrape(self._fs), headers={"Content-Type": CONTENT_TYPE})

    async def jobs(self, request: Request) -> Response:
        return json_answer(render.jobs_out(await self._jobs.queues()))

    async def pause(self, request: Request) -> Response:
        return json_answer({"paused": (await self._search.pause_embedding(await _paused(request))).paused})

    async def pause_thumbnails(self, request: Request) -> Response:
        return json_answer({"paused": (await self._fs.pause_thumbnails(await _paused(request))).paused})

    async def pause_reading(self, request: Request) -> Response:
        return json_answer({"paused": (await self._jobs.pause_reading(await _paused(request))).paused})

    async def retry(self, request: Request) -> Response:
        return json_answer({"retried": (await self._fs.retry_dead_jobs()).retried})

    async def events(self, request: Request) -> Response:
        chunks = event_stream(self._fs, self._watch, _last_event_id(request), self._stopping)
        return StreamedAnswer(chunks, EVENT_STREAM, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})

    async def undo(self, request: Request) -> Response:
        steps = _steps(await read_object(request))
        return json_answer(render.undo_out(await self._fs.undo(steps)))

    async def plan(self, request: Request) -> Response:
        path = Query(request.scope["query_string"]).optional_path()
        access = access_of(request)
        if path is not None:
            path = await self._visible.checked_whole(access, path)
        elif access.collections is not None:
            raise Failure(403, "forbidden", "The key is limited to collections: name a review path of theirs.")
        return json_answer(render.plan_out(await self._fs.trash_plan(path)))

    async def receipts(self, request: Request) -> Response:
        query = Query(request.scope["query_string"])
        limit = query.integer("limit", 20, 1, MAX_RECEIPTS)
        wanted = query.raw("id")
        told = (await self._fs.receipts(MAX_RECEIPTS if wanted is not None else limit)).receipts
        if wanted is None:
            return json_answer({"receipts": [render.receipt_out(one) for one in told]})
        named = wanted.decode("utf-8", "replace")
        found = [render.receipt_out(one, paths=True) for one in told if one.receipt_id == named]
        return json_answer({"receipts": found})


async def _paused(request: Request) -> bool:
    """Raises Failure: 400."""
    paused = (await read_object(request)).get("paused")
    if not isinstance(paused, bool):
        raise invalid("paused", "Field 'paused' must be true or false.")
    return paused


def _steps(body: dict[str, Any]) -> int:
    steps = body.get("steps", 1)
    if type(steps) is int and 1 <= steps <= MAX_UNDO_STEPS:
        return steps
    raise invalid("steps", f"Field 'steps' must be an integer from 1 to {MAX_UNDO_STEPS}.")


def _last_event_id(request: Request) -> int | None:
    """The event to resume behind; an empty id is a listener that has had none.

    Raises:
        Failure: 400, no id of ours.
    """
    sent = request.headers.get("last-event-id", "")
    if not sent:
        return None
    number = strict_integer(sent.encode("latin-1"))
    if number is None or number < 0:
        raise invalid("Last-Event-ID", "Last-Event-ID must be the id of an event.")
    return number
