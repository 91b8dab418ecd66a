"""What only a worker knows, for Prometheus: its renders and how its jobs ended. Imported where figures are served."""

from __future__ import annotations

from typing import Final

from media_common.figures import Figures
from prometheus_client import Counter, Histogram

from thumbnail_service.domain.jobs import Again, Job, Outcome, Park, Result, Verdict
from thumbnail_service.renders import Renders
from thumbnail_service.worker import Worker

#: From an icon to the limit of a video.
_BUCKETS_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30)
_ENDS: Final = ("done", "again", "dead")


def tell(figures: Figures, renders: Renders, worker: Worker) -> None:
    rendered = Counter(
        "framewell_renders", "Thumbnails made or not, by what came of it", ("result",), registry=figures.registry
    )
    seconds = Histogram(
        "framewell_render_seconds",
        "Time in the render process, by what was rendered",
        ("kind",),
        buckets=_BUCKETS_S,
        registry=figures.registry,
    )
    jobs = Counter(
        "framewell_thumbnail_jobs", "Deliveries of background jobs, by their end", ("end",), registry=figures.registry
    )
    redelivered = Counter(
        "framewell_thumbnail_jobs_redelivered", "Those that were not the job's first", registry=figures.registry
    )
    # So that a line begins at nought and not with the first trouble.
    for result in Result:
        rendered.labels(result.name.lower())
    for end in _ENDS:
        jobs.labels(end)

    def on_made(job: Job, outcome: Outcome, took_s: float) -> None:
        rendered.labels(outcome.result.name.lower()).inc()
        seconds.labels("video" if job.is_video else "still").observe(took_s)

    def on_settled(decision: Verdict, deliveries: int) -> None:
        jobs.labels(_end(decision)).inc()
        if deliveries > 1:
            redelivered.inc()

    renders.on_made, worker.on_settled = on_made, on_settled


def _end(decision: Verdict) -> str:
    match decision:
        case Park():
            return "dead"
        case Again():
            return "again"
        case _:
            return "done"
