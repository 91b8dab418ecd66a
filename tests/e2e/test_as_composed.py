"""What the compose files tell the services works: each has the secrets, volumes and addresses of its container."""

from __future__ import annotations

import io
import json
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import grpc
import httpx
import pytest
from api import Api, eventually, query
from as_composed import OURS, Composed, as_composed
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from media import many, picture
from media_common.config import PublicSettings
from media_common.grpc_client import open_channel
from media_common.trust import ANYBODY, Trust, trusted
from PIL import Image

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


@pytest.fixture(scope="module", params=["full", "lite", "lite mtls token"])
def composed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Composed]:
    with as_composed(tmp_path_factory.mktemp(request.param.replace(" ", "-")), request.param) as running:
        yield running


@pytest.fixture
def api(composed: Composed) -> Iterator[Api]:
    client = Api(composed.url)
    client.client.headers["X-Api-Key"] = (composed.secrets / "admin-key").read_text().strip()
    yield client
    client.close()


def test_review_works_and_thumbnails_come_over_the_queue(composed: Composed, api: Api) -> None:
    folder = composed.library / "review"
    paths = many(folder, 5)
    api.add_root(folder)

    assert api.stream(folder).paths == [str(path) for path in paths]
    answer = api.thumbnail(paths[0])
    assert answer.status_code == 200
    assert Image.open(io.BytesIO(answer.content)).size == (256, 256)
    api.act(paths[1], "trash")
    assert api.empty_trash(folder)[-1]["deleted"] == 1
    assert not paths[1].exists()


def test_an_upload_reaches_a_worker_that_has_no_state_of_its_own(composed: Composed, api: Api) -> None:
    folder = composed.library / "uploads"
    many(folder, 1)
    api.add_root(folder)
    where = f"/api/resolve?{query(path=folder)}"
    found = eventually(lambda: api.client.get(where), lambda told: told.status_code == 200, 60).json()
    picture(composed.folder / "green.jpg", (64, 48), "green")
    content = (composed.folder / "green.jpg").read_bytes()

    form = {"datasetId": found["collection"]["id"], "name": "green.jpg"}
    told = api.ok(api.client.post("/api/upload/multipart", data=form, files={"file": ("green.jpg", content)}))

    assert httpx.get(told["url"], trust_env=False).content == content
    media = f"/api/media/{told['mediaId']}"
    eventually(lambda: api.ok(api.get(media))["media"], lambda media: media["width"] == 64, 60)


def test_thumbnails_of_a_folder_that_cannot_be_written_go_where_the_workers_write_too(composed: Composed) -> None:
    cache = composed.volume("fs-service", "/cache")
    assert cache is not None
    assert composed.environment("fs-service")["FS_THUMBNAIL_CACHE"] == str(cache)
    assert composed.volume("thumbnail-service", "/cache") == cache


def test_the_operators_command_reaches_everything_from_the_gateways_place(composed: Composed, tmp_path: Path) -> None:
    checks = {check["check"]: check for check in json.loads(composed.command("doctor", "--json"))["checks"]}
    assert all(checks[f"service {name}"]["ok"] for name in ("fs", "nats", "thumbnail", "metadata")), checks
    assert checks["gateway"]["ok"] if "gateway" in checks else checks["service gateway"]["ok"]
    key = json.loads(composed.command("key", "create", "phone", "--scope", "read", "--json"))["key"]
    assert httpx.get(f"{composed.url}/api/jobs", headers={"X-Api-Key": key}, trust_env=False).status_code == 200

    file = tmp_path / "backup.tar.gz"
    told = json.loads(composed.command("backup", str(file), "--json"))
    assert {"journal.db", "catalogue.db", "blob.key"} <= told["members"].keys()
    assert composed.command("restore", str(file), "--verify")


def test_a_wrong_key_is_refused(composed: Composed) -> None:
    answer = httpx.get(f"{composed.url}/api/jobs", headers={"X-Api-Key": "fw_no"}, trust_env=False)
    assert answer.status_code == 401


@pytest.mark.parametrize("service", OURS)
def test_no_environment_holds_a_secret(composed: Composed, service: str) -> None:
    words = json.dumps(composed.environment(service))
    for file in composed.secrets.iterdir():
        secret = file.read_text().strip()
        assert file.name == "s3-access-key" or secret not in words, file.name


def said_by_nats(address: str, token: str) -> bytes:
    """What the server says to somebody who comes in with that token and asks whether it is there."""
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=10) as link:
        told = link.makefile("rb")
        assert told.readline().startswith(b"INFO ")
        link.sendall(b"CONNECT %s\r\nPING\r\n" % json.dumps({"auth_token": token, "verbose": False}).encode())
        return told.readline()


def test_the_messages_are_not_open_to_who_has_no_token(composed: Composed) -> None:
    url = (composed.secrets / "nats-url").read_text().strip()
    token, _, address = url.removeprefix("nats://").partition("@")

    assert said_by_nats(address, token) == b"PONG\r\n"
    assert b"Authorization Violation" in said_by_nats(address, "")
    assert b"Authorization Violation" in said_by_nats(address, "another")


@pytest.mark.parametrize("port", ["50051", "50052", "50053", "50054"])
async def test_a_service_lets_in_who_has_what_it_asks_for(composed: Composed, port: str) -> None:
    told = {name: value for name, value in composed.environment("gateway").items() if name.startswith("GRPC_TLS_")}

    async def listed(trust: Trust) -> str:
        question = iter([reflection_pb2.ServerReflectionRequest(list_services="")])
        async with open_channel(composed.address(port), trust) as channel:
            service = reflection_pb2_grpc.ServerReflectionStub(channel)
            # Who is not let in would wait for ever to get through.
            patient = trust.identity is not None or not told
            call = service.ServerReflectionInfo(question, timeout=20, wait_for_ready=patient)
            try:
                return str(await anext(aiter(call)))
            except grpc.aio.AioRpcError as error:
                return error.code().name

    if not told:
        assert "grpc.health.v1.Health" in await listed(ANYBODY)
        return
    token = (composed.secrets / "grpc-token").read_text().strip()
    shown = trusted(PublicSettings(**told))
    assert await listed(Trust(token=token)) == "UNAVAILABLE"
    assert await listed(shown) == "UNAUTHENTICATED"
    assert "grpc.health.v1.Health" in await listed(replace(shown, token=token))
