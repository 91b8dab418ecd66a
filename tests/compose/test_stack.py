"""The stack as it stands: what it does over HTTP, what can be reached of it, what is in its images."""

from __future__ import annotations

import io
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from api import eventually, query
from deployed import OURS, Deployed, docker
from media import picture
from PIL import Image

from bench import photographs

pytestmark = [pytest.mark.compose, pytest.mark.timeout(1800, func_only=True)]

#: What listens inside: of none of it anything is on the server.
INSIDE_PORTS = (50051, 50052, 50053, 50054, 4222, 8222, 6333, 6334, 9000)


@pytest.fixture
def folder(stack: Deployed, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A review path of the test's own, to be filled before it is added."""
    path = stack.library / str(request.node.originalname)
    path.mkdir()
    yield path
    stack.api.remove_root(path)


@pytest.fixture
def caller(stack: Deployed) -> Iterator[httpx.Client]:
    with stack.caller() as client:
        yield client


def ok(answer: httpx.Response, status: int = 200) -> Any:
    assert answer.status_code == status, f"{answer.status_code}: {answer.text[:500]}"
    return answer.json()


# ---- what it does ----


def test_review_from_adding_a_root_to_an_empty_trash(stack: Deployed, folder: Path) -> None:
    for number in range(4):
        picture(folder / f"{number}.jpg", (640, 480))
    stack.owned()
    api = stack.api
    api.add_root(folder)

    assert api.stream(folder).names == ["0.jpg", "1.jpg", "2.jpg", "3.jpg"]
    thumbnail = api.thumbnail(folder / "0.jpg")
    assert thumbnail.status_code == 200, thumbnail.text + stack.logs("fs-service", "thumbnail-service", "nats")
    assert Image.open(io.BytesIO(thumbnail.content)).size == (256, 256)
    api.act(folder / "1.jpg", "lock")
    assert api.action(folder / "1.jpg", "trash").status_code == 409
    api.act(folder / "2.jpg", "trash")
    assert (folder / "2.jpg.trash").exists()
    done = api.empty_trash(folder)[-1]
    assert (done["type"], done["deleted"]) == ("done", 1)
    assert not (folder / "2.jpg").exists()
    assert api.stream(folder).names == ["0.jpg", "1.jpg", "3.jpg"]


def test_words_find_a_photograph_and_an_upload_is_there_in_all_dialects(
    stack: Deployed, folder: Path, caller: httpx.Client
) -> None:
    photographs.main(folder)
    stack.owned()
    stack.api.add_root(folder)
    collection = eventually(
        lambda: caller.get(f"/api/resolve?{query(path=folder)}"), lambda answer: answer.status_code == 200, 120
    ).json()["collection"]

    content = io.BytesIO()
    Image.new("RGB", (320, 200), "green").save(content, "JPEG")
    form = {"datasetId": collection["id"], "name": "meadow.jpg"}
    uploaded = ok(caller.post("/api/upload/multipart", data=form, files={"file": ("meadow.jpg", content.getvalue())}))
    assert httpx.get(uploaded["url"], trust_env=False).content == content.getvalue()

    jobs = stack.api.wait_idle(600)
    assert jobs["encoder"]["state"] == "ready"
    dataset = f"/api/dataset/{collection['id']}/media"
    found = ok(caller.get(dataset, params={"q": "a cat", "limit": 1}))
    assert found["media"][0]["name"] == "chelsea.png"
    listed = ok(caller.get(dataset, params={"recursive": "true", "type": "image", "limit": 100}))["media"]
    assert "meadow.jpg" in {media["name"] for media in listed}
    newest = ok(caller.get("/v1/media", params={"page_size": 50}))
    assert "meadow.jpg" in json.dumps(newest)


def test_the_operators_command_finds_all_well(stack: Deployed) -> None:
    told = json.loads(stack.command("doctor", "--json"))
    assert told["ok"], told
    assert {check["check"] for check in told["checks"]} >= {"version", "state directory", "service fs", "service nats"}
    key = json.loads(stack.command("key", "create", "compose", "--scope", "read", "--json"))
    assert httpx.get(f"{stack.url}/api/jobs", headers={"X-Api-Key": key["key"]}, trust_env=False).status_code == 200


def test_the_client_of_the_grpc_page_runs_inside(stack: Deployed, folder: Path) -> None:
    picture(folder / "a.jpg")
    stack.owned()
    stack.api.add_root(folder)
    page = (stack.place / "docs" / "grpc.md").read_text(encoding="utf-8")
    program = page.partition("```python\n")[2].partition("```")[0]
    command = ("exec", "-T", "fs-service", "python", "-c", program, "fs-service:50051", str(folder))
    assert f"{folder}/a.jpg" in stack.compose(*command)


# ---- what can be reached ----


def test_every_container_is_well(stack: Deployed) -> None:
    stack.wait_well()
    for container in stack.all_containers():
        assert container["RestartCount"] == 0, container["Name"]


def test_only_the_gateways_port_is_published_and_only_here(stack: Deployed) -> None:
    published = {
        (container["Config"]["Labels"]["com.docker.compose.service"], binding["HostIp"], binding["HostPort"])
        for container in stack.all_containers()
        for bindings in (container["NetworkSettings"]["Ports"] or {}).values()
        for binding in bindings or ()
    }
    assert published == {("gateway", "127.0.0.1", str(stack.port))}
    for port in INSIDE_PORTS:
        with socket.socket() as probe:
            probe.settimeout(2)
            assert probe.connect_ex(("127.0.0.1", port)) != 0, port


def test_a_worker_reaches_nats_and_the_blob_store_and_no_service(stack: Deployed) -> None:
    """By no name and no address: a file may have taken it over."""
    networks = {
        container["Config"]["Labels"]["com.docker.compose.service"]: [
            network["IPAddress"] for network in container["NetworkSettings"]["Networks"].values()
        ]
        for container in stack.all_containers()
    }
    ports = dict(zip(OURS, (8080, 50051, 50054, 50052, 50053), strict=True))
    wanted = [(name, port) for name, port in ports.items() if name != "thumbnail-service"]
    wanted += [(address, port) for name, port in wanted for address in networks[name]]
    look = (
        "import json, socket, sys\n"
        "def is_reached(host, port):\n"
        "    try:\n"
        "        socket.create_connection((host, port), 1).close()\n"
        "    except OSError:\n"
        "        return False\n"
        "    return True\n"
        "print(json.dumps([one for one in json.loads(sys.argv[1]) if is_reached(*one)]))"
    )
    asked = json.dumps([*wanted, ("nats", 4222)])
    reached = json.loads(stack.compose("exec", "-T", "thumbnail-service", "python", "-c", look, asked))
    assert reached == [["nats", 4222]]


def test_nobody_is_let_in_without_a_key(stack: Deployed) -> None:
    for address in ("/api/review-paths", "/api/jobs", "/metrics", "/v1/media"):
        assert httpx.get(stack.url + address, trust_env=False).status_code == 401, address
    assert httpx.get(f"{stack.url}/health/ready", trust_env=False).status_code == 200


def test_no_container_can_write_outside_its_volumes_or_is_root(stack: Deployed) -> None:
    stand_ins = {one.partition(":")[0] for one in stack.stand_ins}
    for container in stack.all_containers():
        if any(container["Config"]["Image"].startswith(image) for image in stand_ins):
            continue  # not what is deployed
        host = container["HostConfig"]
        assert host["ReadonlyRootfs"], container["Name"]
        assert host["CapDrop"] == ["ALL"], container["Name"]
        assert not host["CapAdd"], container["Name"]
        assert host["Memory"] > 0, container["Name"]
        users = docker("top", container["Id"], "-eo", "pid,uid").splitlines()[1:]
        assert {line.split()[1] for line in users} == {str(stack.user)}, container["Name"]


# ---- what is in the images ----


@pytest.mark.parametrize("service", OURS)
def test_an_image_holds_no_compiler_and_no_secret(stack: Deployed, service: str) -> None:
    image = json.loads(stack.compose("config", "--format", "json"))["services"][service]["image"]
    facts = json.loads(docker("image", "inspect", image))[0]["Config"]
    assert facts["User"] == "1000:1000"
    assert facts["Labels"]["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert facts["Healthcheck"]["Test"][0] == "CMD"
    words = docker("history", "--no-trunc", "--format", "{{.CreatedBy}}", image) + json.dumps(facts)
    for file in (stack.place / "secrets").iterdir():
        assert file.name in ("s3-access-key",) or file.read_text().strip() not in words, file.name
    look = "command -v gcc cc g++ clang make ld; ls -d /run/secrets /root/.cache /tmp/.cache 2>/dev/null; true"
    assert docker("run", "--rm", "--network", "none", "--entrypoint", "sh", image, "-c", look) == ""
