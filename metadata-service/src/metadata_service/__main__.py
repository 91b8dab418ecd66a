"""`python -m metadata_service`: builds the parts, serves until SIGINT or SIGTERM."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from functools import partial

import uvloop
from media_common.config import PublicSettings, SettingsError, loaded
from media_common.grpc_client import open_channel
from media_common.grpc_server import serving
from media_common.kept import CATALOGUE, restored_mark
from media_common.logs import configure_logs
from media_common.tasks import ended
from media_common.trust import Trust, trusted
from media_common.watching import watched
from media_proto import metadata_pb2, metadata_pb2_grpc

from metadata_service.blob_jobs import BlobJobs
from metadata_service.config import MetadataSettings
from metadata_service.disk import FileService
from metadata_service.follower import Follower
from metadata_service.importing import Imports
from metadata_service.indexer import Indexer
from metadata_service.indexing import Indexing
from metadata_service.reading import Reading
from metadata_service.search_jobs import SearchJobs
from metadata_service.servicer import MetadataServicer
from metadata_service.store.sqlite import Catalogue, Database

logger = logging.getLogger(__name__)

#: There while reading inside files is held back.
_HELD = "reading-held"
SERVICE = metadata_pb2.DESCRIPTOR.services_by_name["MetadataService"].full_name


async def main(settings: MetadataSettings, public: PublicSettings, trust: Trust) -> None:
    """Serve, and index beside it."""
    state_dir, nats_url = public.state_path, public.nats_url
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with (
        Catalogue(Database(state_dir / CATALOGUE.name)) as catalogue,
        Imports(catalogue) as imports,
        open_channel(settings.fs_target, trust) as channel,
        watched("metadata-service", public) as watching,
    ):
        files = FileService(channel)
        indexer = Indexer(catalogue, files)
        reading = Reading(catalogue, files, indexer, state_dir / _HELD)
        if (mark := restored_mark(state_dir / CATALOGUE.name)).exists():
            logger.info("a backup was put back: every review path is gone through as a whole")
            await indexer.ask(None)
            mark.unlink()
        follower = Follower(nats_url, indexer)
        blob_jobs = BlobJobs(nats_url, catalogue, watching.spans)
        search_jobs = SearchJobs(nats_url, catalogue, public.encoder != "off")
        told = Indexing(catalogue, indexer, follower, reading, search_jobs)
        servicer = MetadataServicer(catalogue, told, imports, blob_jobs)
        if watching.figures is not None:
            from metadata_service.figures import tell

            tell(watching.figures, catalogue, indexer, told)
        register = partial(metadata_pb2_grpc.add_MetadataServiceServicer_to_server, servicer)
        around = watching.interceptors
        async with serving(settings.listen, register, [SERVICE], settings.stop_grace_s, around, trust):
            queues = (blob_jobs, search_jobs)
            parts = (indexer, follower, reading, *queues) if settings.fs_target else queues
            working = [asyncio.create_task(each.run()) for each in parts]
            try:
                await stop.wait()
            finally:
                await ended(*working)


def run() -> int:
    """The exit code: 2 for a setting that is wrong, 1 when the catalogue cannot be opened."""
    try:
        public = PublicSettings.load()
        settings = loaded(MetadataSettings)
        trust = trusted(public)
    except SettingsError as error:
        print(f"metadata-service: {error}", file=sys.stderr)
        return 2
    configure_logs("metadata", public.log_level or "INFO", public.log_format)
    try:
        public.state_path.mkdir(mode=0o700, parents=True, exist_ok=True)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(main(settings, public, trust))
    except (OSError, RuntimeError) as error:
        print(f"metadata-service: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(run())
