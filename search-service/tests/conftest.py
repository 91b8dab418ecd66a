"""The stores under test. `tests/servers.py` says where the Qdrant server comes from."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from importlib.util import find_spec
from pathlib import Path

import grpc
import pytest
from search_service.domain.vectors import VectorStore
from search_service.testing import INDEXES
from search_service.vectors.edge import EdgeStore
from search_service.vectors.memory import MemoryStore
from search_service.vectors.server import connected
from servers import Address

#: Set up without the models, there is nothing to test of them. In CI they have to be there.
collect_ignore = (
    [] if os.environ.get("CI") or find_spec("torch") is not None else ["test_offline.py", "test_open_clip.py"]
)

Opened = Callable[[], Awaitable[VectorStore]]


@pytest.fixture(scope="session")
def qdrant(qdrant_server: Address) -> tuple[str, str]:
    """Address and key of a Qdrant server."""
    return qdrant_server.url, qdrant_server.secret


@pytest.fixture(params=["memory", "edge", "server"])
async def opened(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Opened]:
    """Opens the store; the same one each time, after it was closed."""
    memory = MemoryStore()
    made: list[VectorStore] = []
    server = request.getfixturevalue("qdrant") if request.param == "server" else None
    prefix = f"{tmp_path.name}-"

    async def opened() -> VectorStore:
        store: VectorStore
        if request.param == "memory":
            store = memory
        elif request.param == "edge":
            store = EdgeStore(tmp_path / "vectors", INDEXES, frozenset({"kind"}), rest_s=0)
        else:
            assert server is not None
            store = await connected(*server, INDEXES, prefix)
        made.append(store)
        return store

    yield opened
    if server is not None:
        store = await connected(*server, INDEXES, prefix)
        for name in await store.collections():
            await store.drop(name)
        await store.close()
    for store in made:
        await store.close()
    await asyncio.sleep(0)


@pytest.fixture
async def store(opened: Opened) -> VectorStore:
    return await opened()


@contextmanager
def _process(folder: Path, **environment: str) -> Iterator[tuple[grpc.Channel, subprocess.Popen[bytes]]]:
    """The service on a socket of its own, and a channel that is ready."""
    address = f"unix:{folder}/search.sock"
    clean = {name: value for name, value in os.environ.items() if not name.startswith("FRAMEWELL_")}
    running = subprocess.Popen(
        [sys.executable, "-m", "search_service"],
        env={**clean, "SEARCH_LISTEN": address, "FRAMEWELL_STATE_DIR": str(folder / "state"), **environment},
    )
    try:
        with grpc.insecure_channel(address, [("grpc.max_reconnect_backoff_ms", 100)]) as channel:
            grpc.channel_ready_future(channel).result(timeout=20)
            yield channel, running
    finally:
        running.kill()
        running.wait()


@pytest.fixture
def process() -> Callable[..., AbstractContextManager[tuple[grpc.Channel, subprocess.Popen[bytes]]]]:
    """Starts search-service with a folder of its own and these settings."""
    return _process
