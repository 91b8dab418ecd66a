"""What only this service knows, for Prometheus: the outbox, the roots, deletions. Imported where figures are served."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping

from media_common.figures import Figures
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from fs_service.domain.trash import DeletionCounters

#: Said of every status, so that a line does not begin with the first trouble.
STATUSES = ("online", "read-only", "offline", "swapped")


def tell(
    figures: Figures,
    backlog: Callable[[], Awaitable[tuple[int, int]]],
    roots: Callable[[], Mapping[str, int]],
    deletions: Callable[[], DeletionCounters],
) -> None:
    """
    Args:
        backlog: scans of roots not yet complete, and events not yet published.
        roots: how many are how.
    """

    async def waiting() -> Iterable[Metric]:
        scans, unpublished = await backlog()
        return [
            GaugeMetricFamily("framewell_outbox_events", "Events not yet published", value=unpublished),
            GaugeMetricFamily("framewell_root_scans_pending", "Roots whose first scan is not complete", value=scans),
        ]

    async def known() -> Iterable[Metric]:
        return [_roots(roots()), *_deletions(deletions())]

    # The index may be busy; what is known without it is told all the same.
    figures.ask(waiting)
    figures.ask(known)


def _roots(counts: Mapping[str, int]) -> Metric:
    family = GaugeMetricFamily("framewell_roots", "Review paths, by how they are", labels=["status"])
    for status in STATUSES:
        family.add_metric([status], counts.get(status, 0))
    return family


def _deletions(counters: DeletionCounters) -> Iterable[Metric]:
    files = CounterMetricFamily(
        "framewell_deletions", "Files that an empty-trash came to, by what became of them", labels=["result"]
    )
    kept = counters.completed_jobs - counters.deleted_files
    for result, count in (("deleted", counters.deleted_files), ("kept", kept), ("failed", counters.failed_jobs)):
        files.add_metric([result], count)
    yield files
    yield CounterMetricFamily("framewell_deleted_bytes", "Their size", value=counters.deleted_bytes)
    yield GaugeMetricFamily("framewell_deletions_in_progress", "Files in deletion", value=counters.active_jobs)
