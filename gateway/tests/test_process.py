"""`python -m gateway` as it is started: settings, the key file, a clean stop."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from fake_fs import FakeFs, Pause


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def environment(tmp_path: Path, target: str, **more: str) -> dict[str, str]:
    plain = {key: value for key, value in os.environ.items() if not key.startswith(("FRAMEWELL_", "GATEWAY_"))}
    return {**plain, "FRAMEWELL_STATE_DIR": str(tmp_path / "state"), "GATEWAY_FS_TARGET": target, **more}


async def start(env: dict[str, str]) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", env=env, stderr=asyncio.subprocess.PIPE
    )


@asynccontextmanager
async def running(
    env: dict[str, str], port: int
) -> AsyncIterator[tuple[asyncio.subprocess.Process, httpx.AsyncClient]]:
    process = await start(env)
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
            async with asyncio.timeout(20):
                while True:
                    try:
                        await client.get("/health/live")
                        break
                    except httpx.TransportError:
                        await asyncio.sleep(0.05)
            yield process, client
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_serves_makes_a_key_and_stops_cleanly_with_a_listener_on(
    service: FakeFs, socket_path: str, tmp_path: Path, number: signal.Signals
) -> None:
    service.answers["WatchEvents"] = [Pause()]
    port = free_port()
    async with running(environment(tmp_path, socket_path, FRAMEWELL_PORT=str(port)), port) as (process, client):
        assert (await client.get("/api/health")).status_code == 200
        key = await asyncio.to_thread((tmp_path / "state" / "admin.key").read_text)
        assert (await client.get("/api/health", headers={"X-Api-Key": key.strip()})).status_code == 200
        async with client.stream("GET", "/api/events") as answer:
            chunks = answer.aiter_raw()
            await anext(chunks)
            process.send_signal(number)
            async with asyncio.timeout(5):
                assert await process.wait() == 0
                assert process.stderr is not None
                log = (await process.stderr.read()).decode()

    assert "admin.key" in log
    assert key.strip() not in log
    assert "Traceback" not in log


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"FRAMEWELL_PROT": "1"}, "FRAMEWELL_PROT"),
        ({"FRAMEWELL_PORT": "99999"}, "FRAMEWELL_PORT"),
        ({"FRAMEWELL_AUTH": "off"}, "FRAMEWELL_AUTH"),
        ({"FRAMEWELL_CORS_ORIGINS": "*"}, "FRAMEWELL_CORS_ORIGINS"),
        ({"GATEWAY_FS_TARGET": ""}, "GATEWAY_FS_TARGET"),
        ({"GATEWAY_CALL_DEADLINE_S": "-1"}, "GATEWAY_CALL_DEADLINE_S"),
    ],
)
async def test_a_wrong_setting_stops_the_start_with_a_sentence(
    tmp_path: Path, settings: dict[str, str], sentence: str
) -> None:
    process = await start(environment(tmp_path, "unix:/nowhere", **settings))
    _, errors = await process.communicate()

    assert process.returncode == 2
    assert sentence in errors.decode()
    assert "Traceback" not in errors.decode()
