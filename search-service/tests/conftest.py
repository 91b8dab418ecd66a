"""The stores under test. A Qdrant server comes from `QDRANT_TEST_URL` (and `QDRANT_TEST_API_KEY`), or as a stand-in
from the lab beside the repository; without either its tests are skipped.
"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time
import urllib.request
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

_LAB = Path(__file__).resolve().parents[3] / "shared" / "lab" / "images" / "qdrant" / "server.py"
_KEY = "a-key-of-the-tests"

#: Set up without the models, there is nothing to test of them. In CI they have to be there.
collect_ignore = (
    [] if os.environ.get("CI") or find_spec("torch") is not None else ["test_offline.py", "test_open_clip.py"]
)

Opened = Callable[[], Awaitable[VectorStore]]


@pytest.fixture(scope="session")
def qdrant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Address and key of a Qdrant server."""
    if url := os.environ.get("QDRANT_TEST_URL"):
        yield url, os.environ.get("QDRANT_TEST_API_KEY", "")
        return
    if not _LAB.exists():
        pytest.skip("no Qdrant server: set QDRANT_TEST_URL")
    print("Qdrant: the tests run against a stand-in, not the official server", file=sys.stderr)
    folder = tmp_path_factory.mktemp("qdrant")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    told = os.environ | {"QDRANT__STORAGE__STORAGE_PATH": str(folder / "storage"), "QDRANT__SERVICE__API_KEY": _KEY}
    command = [sys.executable, "-m", "uvicorn", "server:app", "--port", str(port), "--log-level", "warning"]
    with (folder / "log").open("w") as log:
        server = subprocess.Popen([*command, "--app-dir", str(_LAB.parent)], env=told, stdout=log, stderr=log)
    try:
        _wait_for(f"http://127.0.0.1:{port}/readyz", folder / "log")
        yield f"http://127.0.0.1:{port}", _KEY
    finally:
        server.kill()
        server.wait()


def _wait_for(url: str, log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(url, timeout=1).close()  # noqa: S310  # loopback
            return
        except OSError:
            time.sleep(0.1)  # there is nothing else to wait for
    raise AssertionError(log.read_text())


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
