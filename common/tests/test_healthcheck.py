"""The container's health check against real servers, and against whatever else may listen there."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from grpc_health.v1 import health_pb2
from media_common import healthcheck
from media_common.config import PublicSettings
from media_common.grpc_server import serving
from media_common.healthcheck import Unwell
from media_common.testing import Certificates, free_port
from media_common.trust import ANYBODY, Trust, trusted

STATUS = health_pb2.HealthCheckResponse


@asynccontextmanager
async def answering(answer: bytes) -> AsyncIterator[int]:
    """Something on a port that says one thing and leaves."""

    async def told(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(told, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def checked(address: str) -> None:
    await asyncio.to_thread(healthcheck.check, address)


@asynccontextmanager
async def service(trust: Trust = ANYBODY) -> AsyncIterator[tuple[str, object]]:
    port = free_port()
    async with serving(f"127.0.0.1:{port}", lambda server: None, ["a.Service"], 0.1, trust=trust) as health:
        yield f"grpc://127.0.0.1:{port}", health


async def test_a_service_that_serves_is_well() -> None:
    async with service() as (address, _):
        await checked(address)
        await checked(f"{address}/a.Service")


async def test_a_service_that_says_it_does_not_serve_is_unwell() -> None:
    async with service() as (address, health):
        await health.set("a.Service", STATUS.NOT_SERVING)  # type: ignore[attr-defined]
        await checked(address)
        with pytest.raises(Unwell, match=r"^a\.Service says that it is not serving$"):
            await checked(f"{address}/a.Service")


async def test_a_service_that_nobody_knows_is_unwell() -> None:
    async with service() as (address, _):
        with pytest.raises(Unwell, match=r"not serving"):
            await checked(f"{address}/another.Service")


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return Certificates(tmp_path / "certificates")


def told(monkeypatch: pytest.MonkeyPatch, settings: dict[str, str]) -> None:
    """The container's environment, which is the service's and the check's."""
    for name, value in settings.items():
        monkeypatch.setenv(name, value)


async def test_a_service_with_certificates_and_a_token_is_asked_with_its_own_certificate(
    monkeypatch: pytest.MonkeyPatch, certificates: Certificates
) -> None:
    """It is called fs-service, and asks itself on 127.0.0.1, which its certificate does not name."""
    settings = certificates.issued("fs-service")
    async with service(trusted(PublicSettings(**settings, **{"GRPC_TOKEN": "a-token"}))) as (address, health):
        with pytest.raises(Unwell):
            await checked(address)
        told(monkeypatch, settings)
        await checked(address)
        await health.set("a.Service", STATUS.NOT_SERVING)  # type: ignore[attr-defined]
        with pytest.raises(Unwell, match="not serving"):
            await checked(f"{address}/a.Service")


async def test_a_service_of_another_authority_is_unwell(
    monkeypatch: pytest.MonkeyPatch, certificates: Certificates, tmp_path: Path
) -> None:
    async with service(trusted(PublicSettings(**certificates.issued("fs-service")))) as (address, _):
        told(monkeypatch, Certificates(tmp_path / "others").issued("fs-service"))
        with pytest.raises(Unwell, match="certificate verify failed"):
            await checked(address)


async def test_a_certificate_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    told(monkeypatch, dict.fromkeys(healthcheck._TLS_FILES, str(tmp_path / "nothing")))
    async with service() as (address, _):
        with pytest.raises(Unwell, match="No such file"):
            await checked(address)


@pytest.mark.parametrize("scheme", ["grpc", "http"])
async def test_nobody_there_is_unwell(scheme: str) -> None:
    with pytest.raises(Unwell, match="does not answer"):
        await checked(f"{scheme}://127.0.0.1:{free_port()}/")


@pytest.mark.parametrize(
    "answer",
    [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x00" * 4096, b"\xff" * 100, b"\x00\x00\x05\x00\x00\x00\x00\x00\x01"],
)
async def test_something_else_that_listens_there_is_unwell(answer: bytes) -> None:
    async with answering(answer) as port:
        with pytest.raises(Unwell):
            await checked(f"grpc://127.0.0.1:{port}")


@pytest.mark.parametrize(
    ("answer", "well"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", True),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", False),
        (b"HTTP/1.1 404 200\r\n\r\n", False),
        (b"", False),
        (b"SSH-2.0\r\n", False),
    ],
)
async def test_only_a_200_over_http_is_well(answer: bytes, well: bool) -> None:
    async with answering(answer) as port:
        if well:
            await checked(f"http://127.0.0.1:{port}/health/live")
        else:
            with pytest.raises(Unwell):
                await checked(f"http://127.0.0.1:{port}/health/live")


@pytest.mark.parametrize("address", ["", "127.0.0.1:1", "ftp://h:1", "grpc://host", "grpc://:1", "http://host:http/"])
def test_what_is_no_address_is_said_to_be_none(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert healthcheck.main([address]) == 2
    assert "is no address such as" in capsys.readouterr().err


def test_a_name_that_no_service_has_is_refused() -> None:
    with pytest.raises(ValueError, match="less than 127"):
        healthcheck.question("n" * 200)


async def test_it_is_a_command_that_says_why_and_imports_little() -> None:
    async with service() as (address, _):
        program = (
            "import sys; from media_common import healthcheck; code = healthcheck.main(sys.argv[1:]);"
            "print(sorted({'grpc', 'pydantic', 'asyncio', 'google', 'ssl'} & sys.modules.keys())); sys.exit(code)"
        )
        ran = await asyncio.to_thread(
            subprocess.run, [sys.executable, "-c", program, address], capture_output=True, text=True, check=False
        )
        assert (ran.returncode, ran.stdout) == (0, "[]\n")
    command = [sys.executable, "-m", "media_common.healthcheck", address]
    ran = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert "does not answer" in ran.stderr
