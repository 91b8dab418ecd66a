"""The application: parts in, routes on, one door in front."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final

import grpc
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from media_common.blobs import BlobStore, open_store
from media_common.config import PublicSettings
from media_common.errors import ServiceError
from media_common.tracing import Spans
from media_common.trust import ANYBODY, Trust
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match

from gateway.answers import failure_answer
from gateway.audit import AuditLog
from gateway.auth import Keys
from gateway.blobs import BlobSigner
from gateway.catalogue import CatalogueClient
from gateway.clients import FsClient
from gateway.config import GatewaySettings, allowed_origins
from gateway.cors import Cors
from gateway.dependencies import Dependencies
from gateway.dialects.coreviz.lookup import Lookup
from gateway.dialects.coreviz.routes import CoreViz
from gateway.dialects.coreviz.uploads import Uploads
from gateway.dialects.exquisitor import search_docs
from gateway.dialects.exquisitor.routes import Exquisitor
from gateway.dialects.mediareviewer.routes import MediaReviewer
from gateway.dialects.platform import docs
from gateway.dialects.platform.blob import BlobBytes
from gateway.dialects.platform.history import History
from gateway.dialects.platform.keys import KeyDesk
from gateway.dialects.platform.reindex import Reindexing
from gateway.dialects.platform.resolve import Resolver
from gateway.dialects.platform.routes import Platform
from gateway.dialects.platform.session import Sessions
from gateway.dialects.platform.stacks import StackDesk
from gateway.dialects.platform.timeline import Timeline
from gateway.dialects.wickson.routes import Wickson
from gateway.errors import Failure, failure_of
from gateway.frames import Frames
from gateway.front import FrontedApp
from gateway.hosts import Hosts
from gateway.jobs import Jobs
from gateway.library import Library
from gateway.likeness import Likeness
from gateway.metrics import Metrics
from gateway.middleware import Admission, Door
from gateway.openapi import tell_exactly
from gateway.page import Page
from gateway.rate_limit import RateLimit
from gateway.request_lines import Lines
from gateway.search import SearchClient
from gateway.shortcut import Shortcut, Table, table_of
from gateway.stored import Stored
from gateway.tracing import Traced
from gateway.visible import VisibleRoots

logger = logging.getLogger(__name__)

#: Written by whatever starts the processes.
LOG_FILE: Final = Path("logs/framewell.log")
#: What pages of the Exquisitor dialect tell of their sessions.
EVENT_LOG_FILE: Final = Path("logs/exquisitor-events.ndjson")
#: A Host that is not loopback waits no longer than this for the list of trusted ones.
_TRUSTED_DEADLINE_S: Final = 1.0


@dataclass(frozen=True)
class Parts:
    """What the application is made of; `__main__` and the tests fill it in."""

    settings: GatewaySettings
    public: PublicSettings
    admin_key: str
    signing_key: str
    stopping: asyncio.Event
    spans: Spans | None = None  # nobody takes traces
    trust: Trust = ANYBODY


def create_app(parts: Parts) -> FastAPI:
    """The whole gateway. Channels are opened here and closed at the end of the lifespan, on the running loop."""
    fs = FsClient.open(parts.settings, parts.trust)
    catalogue = CatalogueClient.open(parts.settings, parts.trust)
    search = SearchClient.open(parts.settings, parts.trust)
    library = Library(catalogue)
    visible = VisibleRoots(library, fs)
    store = open_store(parts.public)
    signer = BlobSigner(parts.signing_key, parts.public.blob_ttl_s)
    dependencies = Dependencies(fs, parts.settings, parts.trust)
    metrics = Metrics()

    async def trusted_hosts() -> Sequence[str]:
        return (await fs.settings(_TRUSTED_DEADLINE_S)).trusted_hosts

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        level = asyncio.create_task(_adopt_log_level(fs, parts.public))
        tidying = asyncio.create_task(_drop_abandoned(store))
        try:
            yield
        finally:
            level.cancel()
            await asyncio.gather(level, tidying, return_exceptions=True)
            store.close()
            await dependencies.close()
            await catalogue.close()
            await search.close()
            await fs.close()
            lines.flush()

    app = FrontedApp(
        title="Framewell",
        version=metadata.version("framewell-gateway"),
        summary="Review, find and keep order in a library of photos and videos that stays where it is.",
        openapi_tags=docs.TAGS,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
    )
    origins = allowed_origins(parts.public)
    keys = Keys(parts.admin_key, parts.public.auth, catalogue, parts.signing_key)
    door = Door(
        Hosts(parts.public.host, trusted_hosts, parts.settings.hosts()),
        keys,
        origins,
        RateLimit(parts.public.rate_limit),
    )
    exact: Table = {}
    lines = Lines("gateway", parts.public.log_format)
    app.front = Cors(Admission(Shortcut(app.behind, exact), door, metrics, lines), origins)
    if parts.spans is not None:
        app.front = Traced(app.front, parts.spans)
    app.add_exception_handler(HTTPException, _answer)
    app.add_exception_handler(RequestValidationError, _answer)
    MediaReviewer(fs, metrics, parts.public.state_path / LOG_FILE, visible).add_to(app)
    Timeline(fs, visible).add_to(app)
    jobs = Jobs(fs, catalogue, search, parts.public.encoder)
    Platform(fs, jobs, search, dependencies, metrics, parts.stopping, visible).add_to(app)
    History(fs, visible).add_to(app)
    BlobBytes(fs, library, signer, metrics, Stored(store, fs), Frames(store, search)).add_to(app)
    KeyDesk(catalogue, keys.forget).add_to(app)
    Sessions(keys).add_to(app)
    resolver = Resolver(catalogue)
    resolver.add_to(app)
    StackDesk(fs, visible, Likeness(resolver.number_at, search.vectors, is_set_up=search.is_set_up)).add_to(app)
    Reindexing(catalogue).add_to(app)
    Exquisitor(catalogue, search, signer, AuditLog(parts.public.state_path / EVENT_LOG_FILE)).add_to(app)
    CoreViz(fs, library, search, signer, parts.public.search_max_results).add_to(app)
    Uploads(library, Lookup(library, signer), store, parts.public.max_upload_bytes).add_to(app)
    Wickson(library, search).add_to(app)
    Page().add_to(app)
    tell_exactly(app, search_docs.SHAPES)
    exact.update(table_of(app.routes))
    return app


async def _answer(request: Request, error: Exception) -> Response:
    """The framework's own refusals, in the dialect's words; everything else is answered by `Admission`."""
    failure = failure_of(error)
    if failure.status == 405:
        failure.headers["Allow"] = ", ".join(sorted(_methods_of(request)))
    return failure_answer(failure, request.scope["path"])


def _methods_of(request: Request) -> set[str]:
    """Every method that the address takes: each is a route of its own, and the framework names one route's only."""
    methods: set[str] = set()
    for route in request.app.routes:
        if route.matches(request.scope)[0] is not Match.NONE:
            methods |= getattr(route, "methods", None) or set()
    return methods


async def _drop_abandoned(store: BlobStore) -> None:
    """What a gateway that died has left of uploads."""
    try:
        if count := await asyncio.to_thread(store.drop_abandoned):
            logger.info("dropped %d unfinished uploads of an earlier run", count)
    except ServiceError as error:
        logger.warning("unfinished uploads are not looked for: %s", error.message)


async def _adopt_log_level(fs: FsClient, public: PublicSettings) -> None:
    """config.yaml's level, once fs-service has read it, unless the environment names one."""
    while not public.log_level:
        try:
            settings = await fs.settings()
        except (Failure, grpc.aio.AioRpcError):
            await asyncio.sleep(1.0)
            continue
        if settings.log_level:
            try:
                logging.getLogger().setLevel(settings.log_level.upper())
            except ValueError:
                logger.warning("config.yaml: log_level %r is no level", settings.log_level)
        return
