"""Figures for Prometheus. Labels are route templates and dialects, never a path or an id."""

from __future__ import annotations

from typing import Final

import grpc
from media_proto import fs_pb2
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)

from gateway.clients import FsClient
from gateway.dialects import Dialect
from gateway.errors import Failure

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_METHODS: Final = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
_BUCKETS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
#: A scrape does not wait longer than this for the queues' figures.
_SCRAPE_DEADLINE_S: Final = 1.0


class Metrics:
    """One registry an application, so that two in one process do not meet."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)
        self._requests = Counter(
            "framewell_http_requests",
            "Requests answered",
            ("dialect", "route", "method", "status"),
            registry=self.registry,
        )
        self._errors = Counter(
            "framewell_http_errors", "Requests failed here (5xx)", ("dialect", "route"), registry=self.registry
        )
        self._seconds = Histogram(
            "framewell_http_request_seconds",
            "Time to the end of the answer, by how it was sent",
            ("dialect", "route", "sent"),
            buckets=_BUCKETS_S,
            registry=self.registry,
        )
        self.in_progress = Gauge("framewell_http_in_progress", "Requests being answered", registry=self.registry)
        self._thumbnails = Counter(
            "framewell_thumbnails", "Thumbnails served, by where they came from", ("result",), registry=self.registry
        )
        self._queue_jobs = Gauge("framewell_queue_jobs", "Jobs, by state", ("queue", "state"), registry=self.registry)
        self._queue_age = Gauge(
            "framewell_queue_oldest_age_seconds", "Age of the oldest job waiting", ("queue",), registry=self.registry
        )
        self._up = Gauge("framewell_dependency_up", "1 when it answers", ("name",), registry=self.registry)

    def answered(
        self, dialect: Dialect, route: str, method: str, status: int, seconds: float, *, in_pieces: bool = False
    ) -> None:
        """One request is over; status 499 says that the caller left first.

        Args:
            in_pieces: how long it took is how long somebody read: an event stream, a listing, a file.
        """
        known = method if method in _METHODS else "OTHER"
        self._requests.labels(dialect.value, route, known, str(status)).inc()
        self._seconds.labels(dialect.value, route, "pieces" if in_pieces else "whole").observe(seconds)
        if status >= 500:
            self._errors.labels(dialect.value, route).inc()

    def thumbnail(self, thumbnail: fs_pb2.Thumbnail) -> None:
        if thumbnail.placeholder:
            result = "placeholder"
        elif thumbnail.cache_hit or thumbnail.not_modified:
            result = "hit"
        else:
            result = "miss"
        self._thumbnails.labels(result).inc()

    async def scrape(self, fs: FsClient) -> bytes:
        """The exposition, the queues' figures as of now; they are missing while fs-service is."""
        self._queue_jobs.clear()
        self._queue_age.clear()
        self._up.clear()
        try:
            queues = await fs.queues(_SCRAPE_DEADLINE_S)
        except (Failure, grpc.aio.AioRpcError):
            self._up.labels("fs").set(0)
            return generate_latest(self.registry)
        self._up.labels("fs").set(1)
        self._up.labels("nats").set(queues.nats_up)
        self._up.labels("thumbnail").set(queues.workers_up)
        for name, queue in (("index", queues.index), ("thumbnail", queues.thumbnail), ("embed", queues.embed)):
            self._queue_age.labels(name).set(queue.oldest_age_s)
            for state in ("pending", "running", "done", "dead"):
                self._queue_jobs.labels(name, state).set(getattr(queue, state))
        return generate_latest(self.registry)
