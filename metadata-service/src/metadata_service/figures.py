"""What only the catalogue knows, for Prometheus: how far indexing is, what there is, how long writing takes. Imported
where figures are served."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from media_common.figures import Figures
from prometheus_client import Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric

from metadata_service.domain.media import FILES
from metadata_service.indexer import Indexer
from metadata_service.indexing import Indexing
from metadata_service.store import collections, listing
from metadata_service.store.sqlite import Catalogue

_BUCKETS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


def tell(figures: Figures, catalogue: Catalogue, indexer: Indexer, indexing: Indexing) -> None:
    writes = Histogram(
        "framewell_catalogue_write_seconds",
        "Time of a writing transaction, to the disk",
        buckets=_BUCKETS_S,
        registry=figures.registry,
    )
    batches = Histogram(
        "framewell_index_batch_seconds",
        "Time to look at a batch of files and write it",
        buckets=_BUCKETS_S,
        registry=figures.registry,
    )
    files = Counter("framewell_indexed_files", "Files in those batches", registry=figures.registry)

    def on_batch(count: int, seconds: float) -> None:
        batches.observe(seconds)
        files.inc(count)

    catalogue.on_written, indexer.on_batch = writes.observe, on_batch

    async def items() -> Iterable[Metric]:
        return [await _items(catalogue)]

    async def backlog() -> Iterable[Metric]:
        return [await _backlog(indexing)]

    figures.ask(items)
    figures.ask(backlog)


async def _items(catalogue: Catalogue) -> Metric:
    family = GaugeMetricFamily("framewell_catalogue_items", "Items that are listed, by kind", labels=["kind"])
    counts = dict.fromkeys(FILES, 0)
    for collection in await catalogue.read(collections.listed):
        for kind in FILES:
            counts[kind] += await catalogue.read(listing.total, collection, (kind,))
    for kind, count in counts.items():
        family.add_metric([kind.name.lower()], count)
    return family


async def _backlog(indexing: Indexing) -> Metric:
    told = await indexing.told()
    family = GaugeMetricFamily("framewell_index_backlog", "What is still to be done, by step", labels=["step"])
    steps = {
        "look": told.waiting,  # events
        "describe": told.undescribed,  # files, as those below
        "hash": told.unhashed,
        "send": told.unsent,
    }
    for step, count in steps.items():
        family.add_metric([step], count)
    return family
