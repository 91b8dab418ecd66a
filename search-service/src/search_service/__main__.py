"""`python -m search_service`: builds the parts, serves until SIGINT or SIGTERM."""

from __future__ import annotations

import asyncio
import signal
import sys
from functools import partial

from grpc_health.v1 import health_pb2
from grpc_health.v1._async import HealthServicer
from media_common.config import PublicSettings, SettingsError, loaded
from media_common.grpc_server import serving
from media_common.logs import configure_logs
from media_proto import search_pb2, search_pb2_grpc

from search_service.config import SearchSettings
from search_service.domain.objects import Giving, NoCatalogue
from search_service.domain.points import INDEXES
from search_service.domain.vectors import VectorStore
from search_service.encoders.choice import candidates
from search_service.encoders.choosing import Choosing
from search_service.encoders.object_models import ObjectModels, installed
from search_service.engine import Engine
from search_service.objects import Objects
from search_service.servicer import SearchServicer

SERVICE = search_pb2.DESCRIPTOR.services_by_name["SearchService"].full_name
#: How soon a change of state shows in the health check.
_LOOK_S = 0.5


async def main(settings: SearchSettings, public: PublicSettings) -> None:
    """Serve. The process is alive (health of ""); its service is there (health of its name) when it can search."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    choosing = Choosing(
        public.encoder, partial(candidates, threads=settings.threads), public.state_path / "search.json"
    )
    engine = Engine(choosing, partial(open_store, settings, public))
    models = ObjectModels(installed())
    objects = Objects(engine, models, Giving(NoCatalogue(), asyncio.Lock()), NoCatalogue())
    register = partial(search_pb2_grpc.add_SearchServiceServicer_to_server, SearchServicer(engine, objects))
    async with serving(settings.listen, register, [SERVICE], settings.stop_grace_s) as health:
        await health.set(SERVICE, health_pb2.HealthCheckResponse.NOT_SERVING)
        telling = asyncio.create_task(tell_health(health, engine))
        await stop.wait()
        telling.cancel()
    await engine.close()
    await models.close()


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

        return await connected(public.qdrant_url, settings.qdrant_api_key, INDEXES)
    from search_service.vectors.edge import EdgeStore

    return await asyncio.to_thread(EdgeStore, public.state_path / "vectors", INDEXES)


def run() -> int:
    """The exit code; 2 for a setting that is wrong."""
    try:
        public = PublicSettings.load()
        settings = loaded(SearchSettings)
    except SettingsError as error:
        print(f"search-service: {error}", file=sys.stderr)
        return 2
    configure_logs("search", public.log_level or "INFO", public.log_format)
    asyncio.run(main(settings, public))
    return 0


if __name__ == "__main__":
    sys.exit(run())
