"""A thumbnail worker: `python -m thumbnail_service`. Start as many as there are processors to use."""

from __future__ import annotations

import asyncio
import signal
import sys
from functools import partial

from grpc_health.v1 import health_pb2
from media_common.blobs import open_store
from media_common.config import PublicSettings, SettingsError, loaded
from media_common.grpc_server import serving
from media_common.logs import configure_logs
from media_common.trust import Trust, trusted
from media_common.watching import watched
from media_proto import thumbnail_pb2, thumbnail_pb2_grpc

from thumbnail_service.blob_renders import BlobRenders
from thumbnail_service.config import ThumbnailSettings, render_environment
from thumbnail_service.domain.limits import Limits
from thumbnail_service.render_process import RenderProcess
from thumbnail_service.renders import Renders
from thumbnail_service.servicer import ThumbnailServicer
from thumbnail_service.worker import Worker

SERVICE = thumbnail_pb2.DESCRIPTOR.services_by_name["ThumbnailService"].full_name


async def main(public: PublicSettings, settings: ThumbnailSettings, trust: Trust) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    limits = Limits(settings.streamed_mpx, settings.decoded_mpx)
    environment = render_environment()
    processes = [
        RenderProcess(environment, settings.memory_mb, limits, settings.image_limit_s, settings.video_limit_s)
        for _ in range(settings.concurrency)
    ]
    renders = Renders(processes, settings.idle_s)
    store = open_store(public)
    register = partial(thumbnail_pb2_grpc.add_ThumbnailServiceServicer_to_server, ThumbnailServicer(renders.figures))
    async with (
        watched("thumbnail-service", public) as watching,
        serving(settings.listen, register, (SERVICE,), settings.stop_grace_s, watching.interceptors, trust) as health,
    ):

        async def on_connection(up: bool) -> None:
            status = health_pb2.HealthCheckResponse.SERVING if up else health_pb2.HealthCheckResponse.NOT_SERVING
            for name in ("", SERVICE):
                await health.set(name, status)

        await on_connection(False)
        worker = Worker(
            public.nats_url,
            renders,
            BlobRenders(store, renders),
            concurrency=settings.concurrency,
            ack_wait_s=settings.ack_wait_s,
            stop_grace_s=settings.stop_grace_s,
            on_connection=on_connection,
            spans=watching.spans,
        )
        if watching.figures is not None:
            from thumbnail_service.figures import tell

            tell(watching.figures, renders, worker)
        try:
            await worker.run(stop)
        finally:
            await renders.close()
            store.close()


def run() -> None:
    try:
        public = PublicSettings.load()
        settings = loaded(ThumbnailSettings)
        trust = trusted(public)
        if not public.nats_url:
            raise SettingsError("NATS_URL is not set: a worker gets its work from there.")
    except SettingsError as error:
        sys.exit(f"thumbnail-service: {error}")
    configure_logs("thumbnail-service", public.log_level or "INFO", public.log_format)
    asyncio.run(main(public, settings, trust))


if __name__ == "__main__":
    run()
