"""The gateway before a fake fs-service on a real socket: in process (`client`) and on a real port (`url`)."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from media_common.config import PublicSettings
from media_common.trust import ANYBODY
from media_proto import fs_pb2

sys.path.insert(0, str(Path(__file__).parent))

from fake_fs import FakeFs, settings
from gateway.app import Parts, create_app
from gateway.config import GatewaySettings
from gateway.protocol import SpeakingProtocol
from gateway_rig import KEY, SIGNING_KEY, MakeApp, client_of, serve_fake


@pytest.fixture
def fake() -> FakeFs:
    """With the answers that nearly every test needs."""
    answers: dict[str, Any] = {
        "GetSettings": settings(),
        "GetQueues": fs_pb2.Queues(nats_up=True, workers_up=True),
        "WatchEvents": [],
    }
    return FakeFs(answers)


@pytest.fixture
def socket_path(tmp_path: Path) -> str:
    return f"unix:{tmp_path}/fs.sock"


@pytest.fixture
async def service(fake: FakeFs, socket_path: str) -> AsyncIterator[FakeFs]:
    async with serve_fake(fake, socket_path):
        yield fake


@pytest.fixture
def make_app(socket_path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeApp:
    for name in ("NATS_URL", "QDRANT_URL", "S3_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)

    @asynccontextmanager
    async def make(**changes: Any) -> AsyncIterator[FastAPI]:
        own = {name: changes.pop(name) for name in list(changes) if name in GatewaySettings.model_fields}
        gateway = GatewaySettings(**{"fs_target": socket_path, "connect_wait_s": 1.0, **own})
        trust = changes.pop("trust", ANYBODY)
        admin, signing = changes.pop("keys", (KEY, SIGNING_KEY))
        public = PublicSettings(state_dir=tmp_path / "state", **changes)
        app = create_app(Parts(gateway, public, admin, signing, asyncio.Event(), trust=trust))
        async with app.router.lifespan_context(app):
            yield app

    return make


@pytest.fixture
async def app(make_app: MakeApp, service: FakeFs) -> AsyncIterator[FastAPI]:
    async with make_app() as made:
        yield made


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(app) as made:
        yield made


@pytest.fixture
async def port(app: FastAPI) -> AsyncIterator[int]:
    """The application on a real port, under uvicorn as it runs in production."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(
        app,
        http=SpeakingProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]
    task = asyncio.create_task(server.serve([listener]))
    async with asyncio.timeout(10):
        while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.01)
    yield listener.getsockname()[1]
    server.should_exit = True
    await task
    listener.close()
