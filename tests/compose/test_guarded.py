"""The small stack with certificates, the token and figures: it works, and lets in nobody who lacks one of the two."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator

import deployed
import httpx
import pytest
from api import eventually, query
from deployed import OURS, Deployed, docker

from bench import photographs

pytestmark = [pytest.mark.compose, pytest.mark.timeout(1800, func_only=True)]

#: Run inside a container that has a certificate: who calls with what, and what comes of it.
_CALLS = """
import grpc, json, sys
from media_proto import fs_pb2, fs_pb2_grpc

def held(name):
    return open("/run/secrets/" + name, "rb").read()

def told(target, shown=None, token="", **options):
    named = [("grpc.ssl_target_name_override", name) for name in options.values()]
    with grpc.secure_channel(target, shown, named) if shown else grpc.insecure_channel(target) as channel:
        metadata = [("authorization", "Bearer " + token)] if token else []
        try:
            fs_pb2_grpc.FsServiceStub(channel).ListRoots(fs_pb2.ListRootsRequest(), timeout=20, metadata=metadata)
        except grpc.RpcError as error:
            return error.code().name
    return "OK"

fs, token, ca = "fs-service:50051", held("grpc-token").decode().strip(), held("ca.crt")
mine = grpc.ssl_channel_credentials(ca, held("gateway.key"), held("gateway.crt"))
print(json.dumps({
    "nothing": told(fs),
    "the token alone": told(fs, None, token),
    "the authority alone": told(fs, grpc.ssl_channel_credentials(ca), token),
    "a certificate alone": told(fs, mine),
    "another token": told(fs, mine, token + "x"),
    "another service": told("metadata-service:50052", mine, token, name="fs-service"),
    "both": told(fs, mine, token),
}))
"""


@pytest.fixture(scope="module")
def stack(engine: str, tmp_path_factory: pytest.TempPathFactory, tell: Callable[[str], None]) -> Iterator[Deployed]:
    folder = tmp_path_factory.mktemp("guarded")
    more = ["tests/compose/unwatched.yml"]
    with deployed.deployed(folder, "lite mtls token observability", tell, more) as running:
        yield running


def test_files_are_listed_drawn_and_found(stack: Deployed) -> None:
    folder = stack.library / "photographs"
    folder.mkdir()
    count = photographs.main(folder)
    stack.owned()
    stack.api.add_root(folder)
    with stack.caller() as caller:
        resolve = f"/api/resolve?{query(path=folder)}"
        known = eventually(lambda: caller.get(resolve), lambda answer: answer.status_code == 200, 120).json()
        assert stack.api.wait_idle(600)["encoder"]["state"] == "ready"
        assert len(stack.api.stream(folder, limit=100).names) >= count
        assert stack.api.thumbnail(folder / "chelsea.png").status_code == 200
        asked = {"q": "a cat", "limit": 1}
        found = caller.get(f"/api/dataset/{known['collection']['id']}/media", params=asked).json()
    assert found["media"][0]["name"] == "chelsea.png"
    stack.wait_well()
    assert json.loads(stack.command("doctor", "--json"))["ok"]


def test_who_lacks_the_certificate_or_the_token_is_refused(stack: Deployed) -> None:
    told = json.loads(stack.compose("exec", "-T", "gateway", "python", "-c", _CALLS, timeout_s=180))
    assert told == {
        "nothing": "UNAVAILABLE",
        "the token alone": "UNAVAILABLE",
        "the authority alone": "UNAVAILABLE",
        "a certificate alone": "UNAUTHENTICATED",
        "another token": "UNAUTHENTICATED",
        "another service": "UNAVAILABLE",
        "both": "OK",
    }


@pytest.mark.parametrize("name", ["grpc-token", "admin-key"])
def test_a_secret_is_in_no_environment_no_command_and_no_log(stack: Deployed, name: str) -> None:
    secret = stack.secret(name)
    for container in stack.all_containers():
        assert secret not in json.dumps(container), container["Name"]
        assert secret not in docker("top", container["Id"]), container["Name"]
    assert secret not in stack.compose("logs", "--no-color")


def test_figures_are_told_inside_and_not_outside(stack: Deployed) -> None:
    asked = "import sys, urllib.request as u; print(u.urlopen(sys.argv[1], timeout=20).read().decode())"
    for service in OURS[1:]:
        command = ("exec", "-T", service, "python", "-c", asked, f"http://{service}:9464/metrics")
        assert "process_resident_memory_bytes" in stack.compose(*command), service
    with socket.socket() as probe:
        probe.settimeout(2)
        assert probe.connect_ex(("127.0.0.1", 9464)) != 0
    key = {"Authorization": f"Bearer {stack.secret('metrics-key')}"}
    assert "framewell_dependency_up" in httpx.get(f"{stack.url}/metrics", headers=key, trust_env=False).text
    assert httpx.get(f"{stack.url}/metrics", trust_env=False).status_code == 401
