"""deploy/certificates.sh, with the machine's openssl: what it makes, and that services let each other in with it."""

from __future__ import annotations

import asyncio
import os
import subprocess
from contextlib import AsyncExitStack
from pathlib import Path

import grpc
import pytest
from as_composed import read
from grpc_health.v1 import health_pb2, health_pb2_grpc
from media_common.config import PublicSettings
from media_common.grpc_client import open_channel
from media_common.grpc_server import serving
from media_common.testing import free_port, openssl_binary
from media_common.trust import AUTHORITY, CERTIFICATE, KEY, Trust, trusted
from stack import REPOSITORY

SERVICES = ("fs-service", "metadata-service", "search-service", "thumbnail-service")


class Folder:
    """The folder of the secrets, and the script on it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def run(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        told = {"PATH": os.environ["PATH"], "PUID": str(os.getuid()), "PGID": str(os.getgid()), **more}
        command = ["sh", str(REPOSITORY / "deploy" / "certificates.sh"), *arguments, str(self.path)]
        return subprocess.run(command, env=told, capture_output=True, text=True, timeout=60, check=False)

    def made(self, *arguments: str, **more: str) -> set[str]:
        """The files that it says it made."""
        ran = self.run(*arguments, **more)
        assert ran.returncode == 0, ran.stderr
        return {Path(line.removeprefix("made ")).name for line in ran.stdout.splitlines()}

    def lose(self, *names: str) -> None:
        for name in names:
            (self.path / name).unlink()

    def contents(self) -> dict[str, bytes]:
        return {file.name: file.read_bytes() for file in self.path.iterdir()}

    def told_of(self, name: str) -> str:
        """What openssl reads in a certificate."""
        command = [openssl_binary(), "x509", "-in", self.path / f"{name}.crt", "-noout", "-text"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    def trust(self, name: str) -> Trust:
        files = {CERTIFICATE: f"{name}.crt", KEY: f"{name}.key", AUTHORITY: "ca.crt"}
        return trusted(PublicSettings(**{variable: str(self.path / file) for variable, file in files.items()}))


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    openssl_binary()
    return Folder(tmp_path / "secrets")


def test_all_that_the_stack_names_is_made_and_none_twice(folder: Folder) -> None:
    named = set(read("docker-compose.mtls.yml")["secrets"]) | {"ca.key"}
    assert folder.made() == named
    first = folder.contents()
    assert first.keys() == named

    assert folder.made() == set()
    assert folder.contents() == first
    assert all(file.stat().st_mode & 0o077 == 0 for file in folder.path.iterdir())


async def calls(folder: Folder, service: str, called_as: str, caller: str) -> str:
    """What becomes of a call between two of them: OK, or gRPC's name of the failure."""
    port = free_port()
    async with AsyncExitStack() as stack:
        listening = serving(f"127.0.0.1:{port}", lambda server: None, [], 0.1, trust=folder.trust(service))
        await stack.enter_async_context(listening)
        # As the name would lead there in a container.
        channel = await stack.enter_async_context(named_channel(called_as, port, folder.trust(caller)))
        async with asyncio.timeout(20):
            while True:
                try:
                    await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=5)
                    return "OK"
                except grpc.aio.AioRpcError as error:
                    # A busy machine may take too long over an attempt, which says nothing.
                    if "attempt timed out" not in str(error.details()):
                        return error.code().name


def named_channel(name: str, port: int, trust: Trust) -> grpc.aio.Channel:
    if name in ("localhost", "127.0.0.1"):
        return open_channel(f"{name}:{port}", trust)
    assert trust.identity is not None
    pem = trust.identity.pem
    credentials = grpc.ssl_channel_credentials(pem.authority, pem.key, pem.certificate)
    options = [("grpc.ssl_target_name_override", name)]
    return grpc.aio.secure_channel(f"127.0.0.1:{port}", credentials, options=options)


async def test_services_let_each_other_in_by_their_names_in_the_stack(folder: Folder) -> None:
    folder.made()
    for service in SERVICES:
        for name in (service, "localhost", "127.0.0.1"):
            assert await calls(folder, service, name, "gateway") == "OK", (service, name)
    assert await calls(folder, "metadata-service", "metadata-service", "search-service") == "OK"
    assert await calls(folder, "metadata-service", "fs-service", "gateway") == "UNAVAILABLE"


async def test_a_program_on_another_machine_gets_a_certificate_to_call_with_and_no_more(folder: Folder) -> None:
    folder.made(TRUSTED_HOSTS="photos.example,192.168.1.10,fd00::10")
    assert folder.made("--client", "laptop") == {"laptop.key", "laptop.crt"}

    for name in ("photos.example", "192.168.1.10"):
        assert await calls(folder, "fs-service", name, "laptop") == "OK", name
    assert "IP Address:FD00:0:0:0:0:0:0:10" in folder.told_of("search-service")
    for caller in ("laptop", "gateway"):
        assert await calls(folder, caller, caller, "fs-service") == "UNAVAILABLE", "it passes for a service"


def test_the_names_of_the_server_are_read_from_the_settings_of_the_stack_too(folder: Folder) -> None:
    folder.made(TRUSTED_HOSTS="photos.example, *.everywhere,,10.0.0.7")
    told = folder.told_of("fs-service")
    assert "DNS:fs-service, DNS:localhost, IP Address:127.0.0.1, DNS:photos.example, IP Address:10.0.0.7\n" in told


async def test_a_certificate_that_was_taken_away_is_made_again_with_its_key(folder: Folder) -> None:
    folder.made()
    before = folder.contents()
    folder.lose("fs-service.crt")

    assert folder.made() == {"fs-service.crt"}
    after = folder.contents()
    assert {name for name in before if before[name] != after[name]} == {"fs-service.crt"}
    assert await calls(folder, "fs-service", "fs-service", "gateway") == "OK"


async def test_an_authority_is_made_again_with_its_key_and_all_stay_good(folder: Folder) -> None:
    folder.made()
    folder.lose("ca.crt")

    assert folder.made() == {"ca.crt"}
    assert await calls(folder, "fs-service", "fs-service", "gateway") == "OK"


def test_certificates_of_an_authority_that_is_gone_are_told(folder: Folder) -> None:
    folder.made()
    folder.lose("ca.crt", "ca.key")

    ran = folder.run()

    assert ran.returncode == 1
    assert f"{folder.path}/fs-service.crt has ended, or is not from ca.crt: delete it" in ran.stderr


def test_what_ends_soon_is_told_and_is_no_failure(folder: Folder) -> None:
    folder.made()
    request = folder.path.parent / "request"
    key, signed = folder.path / "fs-service.key", folder.path / "fs-service.crt"
    authority = ["-CA", folder.path / "ca.crt", "-CAkey", folder.path / "ca.key", "-set_serial", "7"]
    for arguments in (
        ["req", "-new", "-key", key, "-subj", "/CN=fs-service", "-out", request],
        ["x509", "-req", "-in", request, *authority, "-days", "59", "-out", signed],
    ):
        subprocess.run([openssl_binary(), *arguments], capture_output=True, check=True)

    ran = folder.run()

    assert ran.returncode == 0
    assert ran.stderr.splitlines() == [
        f"{folder.path}/fs-service.crt ends within two months: delete it, run this again, and start the stack again"
    ]


def test_without_the_authoritys_key_what_is_there_is_enough_and_nothing_is_made(folder: Folder) -> None:
    folder.made()
    folder.lose("ca.key")
    assert folder.made() == set()

    ran = folder.run("--client", "laptop")

    assert ran.returncode == 1
    assert "ca.key is missing" in ran.stderr
    assert not list(folder.path.glob("laptop*"))
    assert not list(folder.path.glob(".*"))


@pytest.mark.parametrize("name", ["", "../laptop", ".laptop", "a b", "-x"])
def test_a_client_needs_a_name_that_a_file_can_have(folder: Folder, name: str) -> None:
    ran = folder.run("--client", name)
    assert ran.returncode == 2
    assert "a name is needed" in ran.stderr
    assert not folder.path.exists()
