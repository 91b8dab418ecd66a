"""The `framewell` command against the running stack."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import httpx
import pytest
from media import picture
from stack import Stack, wait_until


class Command:
    def __init__(self, **settings: str) -> None:
        self._settings = settings

    def run(self, *arguments: str | bytes) -> subprocess.CompletedProcess[bytes]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("FRAMEWELL_")}
        line = [sys.executable, "-m", "gateway.command", *arguments]
        return subprocess.run(line, env=environment | self._settings, capture_output=True, timeout=60, check=False)

    def json(self, *arguments: str | bytes) -> Any:
        done = self.run(*arguments, "--json")
        assert done.returncode == 0, done.stderr.decode()
        return json.loads(done.stdout)


def by_address(stack: Stack, key: str) -> Command:
    """Nothing of the stack but its address."""
    return Command(FRAMEWELL_URL=f"{stack.url}/", FRAMEWELL_KEY=key, FRAMEWELL_STATE_DIR="/nonexistent/state")


@pytest.fixture(params=["state directory", "address"])
def command(request: pytest.FixtureRequest, stack: Stack) -> Command:
    if request.param == "address":
        return by_address(stack, (stack.state_dir / "admin.key").read_text().strip())
    return Command(FRAMEWELL_STATE_DIR=str(stack.state_dir))


@pytest.fixture
def photo(root: Path, command: Command) -> Path:
    """In the catalogue."""
    path = root / os.fsdecode(b"r\xff d.jpg")
    picture(os.fsencode(path))
    wait_until(lambda: command.run("resolve", os.fsencode(path)).returncode == 0, 60, "the file is in the catalogue")
    return path


def test_a_key_is_made_listed_and_revoked(command: Command, stack: Stack) -> None:
    made = command.json("key", "create", "for a test", "--scope", "read", "--scope", "trash", "--expires-in-days", "1")
    assert made["scopes"] == ["read", "trash"]
    assert httpx.get(f"{stack.url}/exq/init/s", headers={"X-Api-Key": made["key"]}).status_code == 200
    without = {name: value for name, value in made.items() if name != "key"}
    assert without in command.json("key", "list")["keys"]
    assert made["key"].encode() not in command.run("key", "list").stdout
    assert command.json("key", "revoke", made["id"]) == {"revoked": made["id"]}
    assert without not in command.json("key", "list")["keys"]


def test_resolve_tells_every_face(command: Command, stack: Stack, photo: Path) -> None:
    faces = command.json("resolve", os.fsencode(photo))

    assert faces["path"] == str(photo)
    assert command.json("resolve", faces["wicksonId"]) == command.json("resolve", str(faces["itemId"])) == faces
    assert os.fsencode(photo) in command.run("resolve", faces["mediaId"]).stdout


def test_a_path_from_here_needs_no_dot(command: Command, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(photo.parent.parent)

    below = os.fsencode(photo.relative_to(photo.parent.parent))
    assert command.json("resolve", below)["path"] == str(photo)

    gone = command.run("resolve", "nowhere/at/all.jpg")
    assert (gone.returncode, gone.stderr) == (1, b"framewell: There is nothing by that name.\n")


def test_a_trashed_file_comes_back_by_its_path_or_any_id(stack: Stack, root: Path) -> None:
    command = Command(FRAMEWELL_STATE_DIR=str(stack.state_dir))
    path = root / os.fsdecode(b"t\xff.jpg")
    picture(os.fsencode(path))
    wait_until(lambda: command.run("resolve", os.fsencode(path)).returncode == 0, 60, "the file is in the catalogue")
    faces = command.json("resolve", os.fsencode(path))
    key = {"X-Api-Key": (stack.state_dir / "admin.key").read_text().strip()}
    url = f"{stack.url}/api/media/{faces['mediaId']}"

    def is_trashed() -> bool:
        return bool(httpx.get(url, headers=key).json()["media"]["status"] == "trashed")

    for face in (os.fsencode(path), faces["mediaId"], str(faces["itemId"])):
        httpx.delete(url, headers=key).raise_for_status()
        wait_until(is_trashed, 20, "it is in the trash")
        assert command.json("untrash", face) == {"uploads": 0, "files": 1}
        wait_until(lambda: not is_trashed(), 20, "it is back")
    assert b"A collection" in command.run("untrash", faces["collection"]["id"]).stderr


def test_reindex_keeps_the_ids(command: Command, photo: Path) -> None:
    before = command.json("resolve", os.fsencode(photo))
    told = command.json("reindex", os.fsencode(photo.parent))

    assert str(photo.parent) in [root["path"] for root in told["roots"]]
    wait_until(lambda: not command.json("reindex", os.fsencode(photo.parent))["waiting"], 60, "all events are read")
    assert command.json("resolve", os.fsencode(photo)) == before


def test_reindex_of_what_is_no_review_path_is_refused(command: Command, root: Path) -> None:
    done = command.run("reindex", os.fsencode(root / "below"))

    assert (done.returncode, done.stdout) == (1, b"")
    assert b"no such review path" in done.stderr


def test_doctor_looks_at_versions_services_and_roots(command: Command, root: Path) -> None:
    told = json.loads(command.run("doctor", "--json").stdout)
    by_name = {check["check"]: check for check in told["checks"]}

    for name in ("version", "service fs", "service metadata", "service nats", f"root {root}"):
        assert by_name[name]["ok"], by_name[name]
    assert metadata.version("framewell-gateway") in by_name["version"]["told"]
    assert b"service metadata" in command.run("doctor").stdout


def test_doctor_of_a_state_directory_looks_at_the_gateway_and_the_disks_too(stack: Stack, root: Path) -> None:
    command = Command(FRAMEWELL_STATE_DIR=str(stack.state_dir))
    told = json.loads(command.run("doctor", "--json").stdout)

    assert {"service gateway", "state directory", f"disk of {root}"} <= {check["check"] for check in told["checks"]}


def test_doctor_says_which_root_is_not_well_and_why(command: Command, root: Path) -> None:
    root.rename(root.with_name("away"))
    try:
        done = command.run("doctor", "--json")
    finally:
        root.with_name("away").rename(root)
    told = json.loads(done.stdout)
    check = next(check for check in told["checks"] if check["check"] == f"root {root}")

    assert (done.returncode, told["ok"], check["ok"]) == (1, False, False)
    assert check["told"].startswith("offline")


@pytest.mark.parametrize(
    "arguments", [("backup", "a.tar"), ("restore", "a.tar"), ("import", "exquisitor", "a.db", "--collection", "x")]
)
def test_what_needs_the_state_directory_says_so(stack: Stack, arguments: tuple[str, ...]) -> None:
    if arguments[0] == "import":
        arguments = (*arguments, "--thumbnails", "https://a.example", "--originals", "https://a.example")
    done = by_address(stack, "").run(*arguments)

    assert (done.returncode, done.stdout) == (1, b"")
    assert b"needs the state directory" in done.stderr


def test_a_wrong_key_or_address_is_a_sentence(stack: Stack, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{taken.getsockname()[1]}"
        for command, sentence, status in (
            (by_address(stack, "fw_wrong"), b"The key is not valid.", 1),
            (Command(FRAMEWELL_URL=nobody), b"does not answer at", 1),
            (Command(FRAMEWELL_URL=f"{stack.url}/docs"), b"There is nothing at this address.", 1),
            (Command(FRAMEWELL_URL="photos.example"), b"FRAMEWELL_URL='photos.example' is not valid", 2),
            (Command(FRAMEWELL_URL="http://a:99999"), b"FRAMEWELL_URL", 2),
            (Command(FRAMEWELL_URL=stack.url, FRAMEWELL_KEY="with space"), b"FRAMEWELL_KEY", 2),
            (Command(FRAMEWELL_STATE_DIR=str(tmp_path), FRAMEWELL_ULR="x"), b"Unknown setting FRAMEWELL_ULR", 2),
        ):
            done = command.run("key", "list")
            assert (done.returncode, done.stdout) == (status, b""), done
            assert sentence in done.stderr
            assert b"Traceback" not in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("resolve", "nobody"),
        ("resolve", "/nowhere/at/all.jpg"),
        ("key", "revoke", "1"),
        ("key", "revoke", "07" * 16),
        ("key", "create", "x", "--scope", "everything"),
        ("key", "create", "x", "--scope", "read", "--collection", "nobody"),
    ],
)
def test_a_refusal_is_a_sentence_and_a_status(command: Command, arguments: tuple[str, ...]) -> None:
    done = command.run(*arguments)

    assert done.returncode == 1
    assert done.stdout == b""
    assert done.stderr.startswith(b"framewell: ")


def test_without_a_running_stack_it_says_so(tmp_path: Path) -> None:
    done = Command(FRAMEWELL_STATE_DIR=str(tmp_path / "state")).run("doctor")

    assert done.returncode == 1
    assert b"not running" in done.stderr


def test_a_stack_that_was_killed_is_not_running_whatever_it_left(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    (state / "run.json").write_text(json.dumps({"url": "http://127.0.0.1:1", "sockets": {}}))
    (state / "run.lock").touch()
    done = Command(FRAMEWELL_STATE_DIR=str(state)).run("key", "list")

    assert (done.returncode, done.stdout) == (1, b"")
    assert b"not running" in done.stderr
