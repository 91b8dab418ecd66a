"""`python -m search_service`: builds the parts, serves until SIGINT or SIGTERM."""

from __future__ import annotations

import asyncio
import signal
import sys
from functools import partial

from grpc_health.v1 import health_pb2
from media_common.config import PublicSettings, SettingsError, loaded
from media_common.grpc_server import serving
from media_common.logs import configure_logs
from media_proto import search_pb2, search_pb2_grpc

from search_service.config import SearchSettings
from search_service.servicer import SearchServicer

SERVICE = search_pb2.DESCRIPTOR.services_by_name["SearchService"].full_name


async def main(settings: SearchSettings, reason: str) -> None:
    """Serve. The process is alive (health of ""), its service is not there yet (health of its name)."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    register = partial(search_pb2_grpc.add_SearchServiceServicer_to_server, SearchServicer(reason))
    async with serving(settings.listen, register, [SERVICE], settings.stop_grace_s) as health:
        await health.set(SERVICE, health_pb2.HealthCheckResponse.NOT_SERVING)
        await stop.wait()


def reason_for(encoder: str) -> str:
    """Why there is no search, in a sentence."""
    if encoder == "off":
        return "Search is switched off (FRAMEWELL_ENCODER=off)."
    return "Search is not built yet."


def run() -> int:
    """The exit code; 2 for a setting that is wrong."""
    try:
        public = PublicSettings.load()
        settings = loaded(SearchSettings)
    except SettingsError as error:
        print(f"search-service: {error}", file=sys.stderr)
        return 2
    configure_logs("search", public.log_level or "INFO", public.log_format)
    asyncio.run(main(settings, reason_for(public.encoder)))
    return 0


if __name__ == "__main__":
    sys.exit(run())
