"""`python -m metadata_service`: builds the parts, serves until SIGINT or SIGTERM."""

from __future__ import annotations

import asyncio
import signal
import sys
from functools import partial

from grpc_health.v1 import health_pb2
from media_common.config import PublicSettings, SettingsError, loaded
from media_common.grpc_server import serving
from media_common.logs import configure_logs
from media_proto import metadata_pb2, metadata_pb2_grpc

from metadata_service.config import MetadataSettings
from metadata_service.servicer import MetadataServicer

SERVICE = metadata_pb2.DESCRIPTOR.services_by_name["MetadataService"].full_name


async def main(settings: MetadataSettings, reason: str) -> None:
    """Serve. The process is alive (health of ""), its service is not there yet (health of its name)."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    register = partial(metadata_pb2_grpc.add_MetadataServiceServicer_to_server, MetadataServicer(reason))
    async with serving(settings.listen, register, [SERVICE], settings.stop_grace_s) as health:
        await health.set(SERVICE, health_pb2.HealthCheckResponse.NOT_SERVING)
        await stop.wait()


def run() -> int:
    """The exit code; 2 for a setting that is wrong."""
    try:
        public = PublicSettings.load()
        settings = loaded(MetadataSettings)
    except SettingsError as error:
        print(f"metadata-service: {error}", file=sys.stderr)
        return 2
    configure_logs("metadata", public.log_level or "INFO", public.log_format)
    asyncio.run(main(settings, "The catalogue is not built yet."))
    return 0


if __name__ == "__main__":
    sys.exit(run())
