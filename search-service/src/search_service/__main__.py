"""`python -m search_service`: builds the parts, serves until SIGINT or SIGTERM."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from contextlib import AsyncExitStack
from functools import partial
from typing import Final

from grpc_health.v1 import health_pb2
from grpc_health.v1._async import HealthServicer
from media_common import subjects
from media_common.blobs import BlobStore
from media_common.blobs import open_store as open_blobs
from media_common.config import PublicSettings, SettingsError, loaded
from media_common.grpc_client import open_channel
from media_common.grpc_server import serving
from media_common.logs import configure_logs
from media_common.tasks import ended
from media_common.tracing import Spans
from media_common.trust import Trust, trusted
from media_common.watching import watched
from media_proto import search_pb2, search_pb2_grpc

from search_service.catalogue_client import RemoteCatalogue
from search_service.config import SearchSettings, decoding_environment
from search_service.domain.agreement import Agreement, FactsLane
from search_service.domain.embedding import Embedding
from search_service.domain.look import Look
from search_service.domain.objects import Giving, NoCatalogue
from search_service.domain.points import INDEXES, NEARLY_ALL
from search_service.domain.vectors import VectorStore
from search_service.encoders.choice import candidates
from search_service.encoders.choosing import OFF, Choosing
from search_service.encoders.object_models import ObjectModels, installed
from search_service.engine import Engine
from search_service.feeding import Feeding, for_ever
from search_service.frames import Frames
from search_service.jobs import Lane, NatsLink
from search_service.loading.given import GivenPictures
from search_service.loading.pixels import Pixels
from search_service.loading.pool import Pool
from search_service.loading.process import DecodingProcess
from search_service.object_look import ObjectLook
from search_service.objects import Objects
from search_service.servicer import SearchServicer

SERVICE = search_pb2.DESCRIPTOR.services_by_name["SearchService"].full_name
#: Durable consumers on the queue of jobs.
EMBEDDING_CONSUMER: Final = "search-embedding"
CHANGES_CONSUMER: Final = "search-changes"
#: In the state directory, while embedding is held back.
HELD: Final = "embedding-held"
#: How soon a change of state shows in the health check.
_LOOK_S: Final = 0.5


async def main(settings: SearchSettings, public: PublicSettings, trust: Trust) -> None:
    """Serve. The process is alive (health of ""); its service is there (health of its name) when it can search."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    choosing = Choosing(
        public.encoder, partial(candidates, threads=settings.threads), public.state_path / "search.json"
    )
    models = ObjectModels(installed())
    async with AsyncExitStack() as ends:
        watching = await ends.enter_async_context(watched("search-service", public))
        blobs = open_blobs(public)
        ends.callback(blobs.close)
        catalogue = await catalogue_of(settings, trust, blobs, ends)
        given = GivenPictures(Pool([DecodingProcess(decoding_environment(), settings.decoder_memory_mb, nice=0)]))
        ends.push_async_callback(given.close)
        engine = Engine(choosing, partial(open_store, settings, public), given.decoded)
        ends.push_async_callback(models.close)
        ends.push_async_callback(engine.close)
        known = catalogue or NoCatalogue()
        frames = Frames(blobs, known)
        agreement = Agreement(known, engine.store, frames.gone)
        giving = Giving(known, agreement.lock)
        objects = Objects(engine, models, giving, known)
        feeding = None
        if catalogue is not None and public.encoder != OFF:
            feeding = feeding_of(
                settings, public, engine, catalogue, agreement, frames, giving, models, objects, watching.spans
            )
        servicer = SearchServicer(engine, objects, frames, known, feeding)
        if watching.figures is not None:
            from search_service.figures import tell

            tell(watching.figures, engine, servicer, feeding)
            ends.callback(watching.figures.ask_no_more)
        register = partial(search_pb2_grpc.add_SearchServiceServicer_to_server, servicer)
        around = watching.interceptors
        async with serving(settings.listen, register, [SERVICE], settings.stop_grace_s, around, trust) as health:
            await health.set(SERVICE, health_pb2.HealthCheckResponse.NOT_SERVING)
            beside = [asyncio.create_task(tell_health(health, engine))]
            if catalogue is not None:
                beside.append(asyncio.create_task(for_ever(frames.run)))
            if feeding is not None:
                beside.append(asyncio.create_task(feeding.run()))
            await stop.wait()
            await ended(*beside)


async def catalogue_of(
    settings: SearchSettings, trust: Trust, blobs: BlobStore, ends: AsyncExitStack
) -> RemoteCatalogue | None:
    """The catalogue with the pixels of what is in it; None: no service has it."""
    if not settings.metadata_target:
        return None
    environment = decoding_environment()
    processes = [DecodingProcess(environment, settings.decoder_memory_mb) for _ in range(settings.decoders)]
    pixels = Pixels(processes, blobs)
    ends.push_async_callback(pixels.close)
    channel = await ends.enter_async_context(open_channel(settings.metadata_target, trust, marked=False))
    return RemoteCatalogue(channel, pixels.load)


def feeding_of(
    settings: SearchSettings,
    public: PublicSettings,
    engine: Engine,
    catalogue: RemoteCatalogue,
    agreement: Agreement,
    frames: Frames,
    giving: Giving,
    models: ObjectModels,
    objects: Objects,
    spans: Spans,
) -> Feeding:
    link = NatsLink(public.nats_url)
    queue = Lane(link, subjects.JOBS_EMBED, EMBEDDING_CONSUMER, subjects.DEAD_EMBED, spans)
    look = Look(queue, catalogue, engine, engine.store, agreement, engine.covered)
    embedding = Embedding(look, catalogue, engine, engine.store, agreement, frames, loads=settings.decoders)
    changes = FactsLane(Lane(link, subjects.JOBS_FACTS, CHANGES_CONSUMER), agreement, look.ask)
    object_look = ObjectLook(engine, models, objects, catalogue, lambda: embedding.paused)

    def look_again() -> None:
        look.ask()
        object_look.ask()

    engine.on_lost = look_again
    embedding.on_changed = object_look.ask
    return Feeding(link, queue, look, embedding, changes, engine, giving, [object_look.run], public.state_path / HELD)


async def tell_health(health: HealthServicer, engine: Engine) -> None:
    """Keep the health check true."""
    told = False
    while True:
        if (ready := not engine.reason) != told:
            told = ready
            status = health_pb2.HealthCheckResponse
            await health.set(SERVICE, status.SERVING if ready else status.NOT_SERVING)
        await asyncio.sleep(_LOOK_S)


async def open_store(settings: SearchSettings, public: PublicSettings) -> VectorStore:
    """The Qdrant server that is set, else the engine in this process. The other one's library is not imported.

    Raises:
        StoreUnavailable: it cannot be reached or opened.
    """
    if public.qdrant_url:
        from search_service.vectors.server import connected

        return await connected(public.qdrant_url, settings.qdrant_api_key, INDEXES, f"{settings.qdrant_name}-")
    from search_service.vectors.edge import EdgeStore

    return await asyncio.to_thread(EdgeStore, public.state_path / "vectors", INDEXES, NEARLY_ALL)


def run() -> int:
    """The exit code; 2 for a setting that is wrong."""
    try:
        public = PublicSettings.load()
        settings = loaded(SearchSettings)
        trust = trusted(public)
    except SettingsError as error:
        print(f"search-service: {error}", file=sys.stderr)
        return 2
    configure_logs("search", public.log_level or "INFO", public.log_format)
    asyncio.run(main(settings, public, trust))
    # All is closed. A model that is still being loaded would keep the process for half a minute, and nobody needs it.
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    sys.exit(run())
