"""What only search knows, for Prometheus: the encoder, the vectors, embedding, queries by kind. Imported where figures
are served."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Protocol

from media_common.figures import Figures
from prometheus_client import Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from search_service.domain.embedding import Counts
from search_service.domain.progress import Progress
from search_service.encoders.kept import State
from search_service.engine import Engine
from search_service.servicer import SearchServicer

_BUCKETS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Feeding(Protocol):
    """What fills the vectors."""

    @property
    def counts(self) -> Counts: ...

    async def now(self) -> Progress: ...


def tell(figures: Figures, engine: Engine, servicer: SearchServicer, feeding: Feeding | None) -> None:
    """`feeding` None: nothing is embedded here."""
    queries = Histogram(
        "framewell_query_seconds",
        "Time of a query that was answered, by its kind",
        ("kind",),
        buckets=_BUCKETS_S,
        registry=figures.registry,
    )

    def on_query(kind: str, seconds: float) -> None:
        queries.labels(kind).observe(seconds)

    servicer.on_query = on_query

    async def encoder() -> Iterable[Metric]:
        return [_encoder(engine.status.state)]

    async def vectors() -> Iterable[Metric]:
        family = GaugeMetricFamily(
            "framewell_vectors", "Vectors of pictures and frames, by what their space is for", labels=["space"]
        )
        for space, count in (await engine.vectors()).items():
            family.add_metric([space], count)
        return [family]

    # Apart from each other: a store that does not answer in time hides nothing but itself.
    figures.ask(encoder)
    figures.ask(vectors)
    if feeding is not None:

        async def embedding() -> Iterable[Metric]:
            return await _embedding(feeding)

        figures.ask(embedding)


def _encoder(now: State) -> Metric:
    family = GaugeMetricFamily(
        "framewell_encoder_state", "1 for the state of the encoder that answers, 0 for the others", labels=["state"]
    )
    for state in State:
        family.add_metric([state.value], state is now)
    return family


async def _embedding(feeding: Feeding) -> Iterable[Metric]:
    progress, counts = await feeding.now(), feeding.counts
    jobs = GaugeMetricFamily("framewell_embedding_jobs", "Items to embed, by how they are", labels=["state"])
    for state in ("pending", "running", "dead"):
        jobs.add_metric([state], getattr(progress, state))
    return [
        jobs,
        GaugeMetricFamily("framewell_embedding_paused", "1 while it is held back", value=progress.paused),
        CounterMetricFamily("framewell_embedded_pictures", "Pictures and frames embedded", value=counts.embedded),
        CounterMetricFamily(
            "framewell_embedded_items", "Jobs done, those without a change among them", value=counts.done
        ),
        CounterMetricFamily("framewell_embedding_parked", "Jobs that failed for good", value=counts.parked),
    ]
