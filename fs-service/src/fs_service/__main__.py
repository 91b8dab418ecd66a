"""`python -m fs_service`: builds the parts, repairs what was cut off, serves until SIGINT or SIGTERM."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import uvloop
from media_common.config import PublicSettings, SettingsError, loaded
from media_common.errors import ServiceError
from media_common.grpc_server import serving
from media_common.kept import JOURNAL, note_restore
from media_common.logs import configure_logs
from media_common.tasks import ended
from media_common.trust import Trust, trusted
from media_common.watching import Watching, watched
from media_proto import fs_pb2, fs_pb2_grpc

from fs_service.config import FsSettings
from fs_service.domain.deeds import Deeds
from fs_service.domain.errors import ConfigBroken
from fs_service.domain.library import Library
from fs_service.domain.locks import PathLocks
from fs_service.domain.step_undo import StepUndo
from fs_service.domain.trash import Trash
from fs_service.follower import Follower
from fs_service.looking_at import PictureLooks
from fs_service.nats_link import NatsLink
from fs_service.pressing import Pressing
from fs_service.probe import Prober
from fs_service.publisher import Publisher
from fs_service.queues import QueueWatch
from fs_service.servicer import Fixed, FsServicer, Pools, Told
from fs_service.stacking import Stacking
from fs_service.state_lock import StateInUse, state_directory
from fs_service.store import roots as roots_store
from fs_service.store.background import Caretaker, Writer
from fs_service.store.companions import CompanionDisk
from fs_service.store.config_yaml import ConfigFile
from fs_service.store.database import Database
from fs_service.store.dating import Dating
from fs_service.store.decisions import StoredDecisions
from fs_service.store.events import StoredEvents, StoredOutbox
from fs_service.store.files import Files
from fs_service.store.history import StoredHistory
from fs_service.store.index_sqlite import kept_paths
from fs_service.store.insides import Insides
from fs_service.store.journal import SqliteJournal
from fs_service.store.journal_db import JournalDatabase
from fs_service.store.marks import StoredMarks
from fs_service.store.picker import DiskPicker
from fs_service.store.recovery import Recovery
from fs_service.store.root_watch import RootWatch
from fs_service.store.roots import ConfiguredRoots
from fs_service.store.shelves import StoredShelves
from fs_service.store.shots import ShotStore
from fs_service.store.thumbnails import CACHE_FOLDER, ThumbnailStore
from fs_service.threads import Threads
from fs_service.thumbnails import ThumbnailSource

logger = logging.getLogger(__name__)

SERVICE = fs_pb2.DESCRIPTOR.services_by_name["FsService"].full_name
#: Empty-trash runs at once; a further one waits for its turn.
_EMPTYING = 4
_THUMBNAIL_THREADS = 8
#: Descriptions are for the catalogue, which asks for two batches at a time.
_INSIDE_THREADS = 2
_TOLD_THREADS = 2


@dataclass(frozen=True, slots=True)
class Core:
    """What works without an event loop and without NATS."""

    roots: ConfiguredRoots
    library: Library
    deeds: Deeds
    trash: Trash
    files: Files
    insides: Insides
    thumbnails: ThumbnailStore
    shots: ShotStore
    decisions: StoredDecisions
    events: StoredEvents
    outbox: StoredOutbox
    pressing: Pressing
    caretaker: Caretaker
    told: Told


def _say_if_lost(journal: Path, identities: Path) -> None:
    """A journal that is not there although roots were added here before is no first start."""
    if identities.exists() and not (journal.exists() and journal.stat().st_size):
        logger.warning(
            "%s is missing and a new one is begun: earlier steps cannot be undone, marks of read-only roots are "
            "lost, and files trashed before count as trashed by hand (a change since then goes unnoticed)",
            journal,
        )


def _forget_actions(recovery: Recovery) -> None:
    logger.info("a backup was put back; %d actions cut off by it are dropped", recovery.forget_actions())


@contextmanager
def core(state_dir: Path, settings: FsSettings) -> Iterator[Core]:
    """The use cases on the state directory, repaired, with what they do in the background."""
    with ExitStack() as stack:
        roots = ConfiguredRoots(ConfigFile(state_dir), state_dir)
        _say_if_lost(state_dir / JOURNAL.name, state_dir / roots_store.FILE)
        journal_database = JournalDatabase(state_dir / JOURNAL.name)
        stack.callback(journal_database.close)
        database = Database(state_dir)
        stack.callback(database.close)
        marks = StoredMarks(journal_database)
        journal = SqliteJournal(journal_database)
        pressing = Pressing()
        writer = Writer(pressing.give_way)
        events = StoredEvents(database, writer.wake)
        prober = Prober(settings.probe_processes)
        stack.callback(prober.close)
        prober.start()
        shelves = StoredShelves(roots, database, marks, events, prober, writer.wake)
        disk, locks, files = CompanionDisk(roots), PathLocks(), Files(roots)
        cache = settings.thumbnail_cache or state_dir / CACHE_FOLDER
        thumbnails = ThumbnailStore(roots, files, cache, partial(kept_paths, database))
        deeds = Deeds(roots, marks, shelves, events, journal, locks, disk)
        trash = Trash(
            roots, marks, shelves, events, journal, locks, disk, thumbnails, workers=settings.deletion_workers
        )
        recovery = Recovery(roots, marks, shelves, journal, locks, disk, thumbnails, deeds)

        def root_online(root: bytes) -> None:
            """What waited for a root to come back."""
            recovery.run()
            deeds.settle(root)

        writer.start(shelves.flush, events.write)
        stack.callback(writer.stop)
        try:
            note_restore(state_dir / JOURNAL.name, lambda: _forget_actions(recovery))
            logger.info("recovery: %s", recovery.run())
        except ConfigBroken as error:  # which roots there are is not known; it is run again when they are
            logger.warning("recovery waits: %s", error)
        dating = Dating(shelves)
        insides = Insides(roots, prober, files, dating.learned)

        def date_files(root: bytes, stopping: Callable[[], bool]) -> bool:
            return dating.round(root, insides.describe, stopping)

        caretaker = Caretaker(shelves, roots, events, root_online, date_files)
        caretaker.start()
        stack.callback(caretaker.stop)
        root_watch = RootWatch(roots, events)
        root_watch.start()
        stack.callback(root_watch.stop)
        history = StoredHistory(journal_database)
        told = Told(history, StepUndo(deeds.marking, journal, history, locks), root_watch)
        library = Library(roots, shelves, DiskPicker(), roots, events, os.fsencode(state_dir))
        outbox = StoredOutbox(database)
        shots, decisions = ShotStore(database), StoredDecisions(journal_database)
        yield Core(
            roots,
            library,
            deeds,
            trash,
            files,
            insides,
            thumbnails,
            shots,
            decisions,
            events,
            outbox,
            pressing,
            caretaker,
            told,
        )


@asynccontextmanager
async def running(
    parts: Core, state_dir: Path, nats_url: str, settings: FsSettings, watching: Watching
) -> AsyncIterator[tuple[FsServicer, Follower]]:
    """The servicer, and beside it everything that follows and sends."""
    async with AsyncExitStack() as stack:

        def pool(name: str, count: int, pressing: Pressing | None = None) -> Threads:
            threads = Threads(name, count, pressing)
            stack.push_async_callback(asyncio.to_thread, threads.close)
            return threads

        pools = Pools(
            look=pool("look", settings.look_threads),
            deed=pool("deed", settings.deed_threads, parts.pressing),
            read=pool("read", settings.read_threads),
            empty=pool("empty", _EMPTYING, parts.pressing),
            inside=pool("inside", _INSIDE_THREADS),
            told=pool("told", _TOLD_THREADS),
            hash=pool("hash", 1),  # one file after the other: it is work for when there is no other
        )
        link = NatsLink(nats_url)
        await stack.enter_async_context(link.running())
        follower = Follower(parts.events)
        await stack.enter_async_context(follower.running())
        state_cache, give_way = parts.thumbnails.state_cache, parts.pressing.give_way
        publisher = Publisher(parts.outbox, link, state_cache, settings.pregenerate, give_way)
        publishing = asyncio.create_task(publisher.run())
        stack.push_async_callback(ended, publishing)

        look = PictureLooks(lambda: link.connection)
        stacking = Stacking(parts.roots, parts.shots, parts.decisions, parts.insides, look, pool("stack", 2))
        reading = asyncio.create_task(stacking.run())
        stack.push_async_callback(ended, reading)

        counting = pool("queues", 1)  # a stuck disk under the listings must not hide the queues

        async def index_backlog() -> tuple[int, int]:
            return await counting.run(lambda: (parts.library.pending_scans(), parts.outbox.count()))

        if watching.figures is not None:
            from fs_service.figures import tell

            tell(watching.figures, index_backlog, parts.caretaker.states, parts.trash.counters)
            stack.callback(watching.figures.ask_no_more)
        yield (
            FsServicer(
                parts.roots,
                parts.library,
                parts.deeds,
                parts.trash,
                parts.files,
                parts.insides,
                ThumbnailSource(parts.thumbnails, lambda: link.connection, pool("thumbnail", _THUMBNAIL_THREADS)),
                stacking,
                QueueWatch(link, index_backlog),
                follower,
                pools,
                Fixed(os.fsencode(state_dir), settings.deletion_workers),
                parts.told,
            ),
            follower,
        )


async def main(parts: Core, state_dir: Path, public: PublicSettings, settings: FsSettings, trust: Trust) -> None:
    """Serve until a signal."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with (
        watched("fs-service", public) as watching,
        running(parts, state_dir, public.nats_url, settings, watching) as (servicer, follower),
    ):
        register = partial(fs_pb2_grpc.add_FsServiceServicer_to_server, servicer)
        around = watching.interceptors
        async with serving(settings.listen, register, [SERVICE], settings.stop_grace_s, around, trust):
            await stop.wait()
            logger.info("stopping")
            follower.end()


def run() -> int:
    """The exit code: 2 for a setting that is wrong, 1 when the state directory cannot be used."""
    try:
        public = PublicSettings.load()
        settings = loaded(FsSettings)
        trust = trusted(public)
    except SettingsError as error:
        print(f"fs-service: {error}", file=sys.stderr)
        return 2
    state_dir = public.state_path
    try:
        with state_directory(state_dir):
            configure_logs("fs", public.log_level or _log_level(state_dir), public.log_format)
            with core(state_dir, settings) as parts, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(main(parts, state_dir, public, settings, trust))
    except (StateInUse, ServiceError) as error:
        print(f"fs-service: {error}", file=sys.stderr)
        return 1
    return 0


def _log_level(state_dir: Path) -> str:
    """As config.yaml says; a broken one must not keep the service from starting, and is reported by every call."""
    try:
        return ConfigFile(state_dir).settings().log_level
    except ServiceError:
        return "INFO"


if __name__ == "__main__":
    sys.exit(run())
