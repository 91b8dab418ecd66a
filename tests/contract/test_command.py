"""The `framewell` command against the running stack."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from media import picture
from stack import Stack, wait_until


class Command:
    def __init__(self, state: Path) -> None:
        self._state = state

    def run(self, *arguments: str | bytes) -> subprocess.CompletedProcess[bytes]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("FRAMEWELL_")}
        environment["FRAMEWELL_STATE_DIR"] = str(self._state)
        line = [sys.executable, "-m", "gateway.command", *arguments]
        return subprocess.run(line, env=environment, capture_output=True, timeout=60, check=False)

    def json(self, *arguments: str | bytes) -> Any:
        done = self.run(*arguments, "--json")
        assert done.returncode == 0, done.stderr.decode()
        return json.loads(done.stdout)


@pytest.fixture
def command(stack: Stack) -> Command:
    return Command(stack.state_dir)


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


def test_reindex_keeps_the_ids(command: Command, photo: Path) -> None:
    before = command.json("resolve", os.fsencode(photo))
    told = command.json("reindex", os.fsencode(photo.parent))

    assert str(photo.parent) in [root["path"] for root in told["roots"]]
    wait_until(lambda: not command.json("reindex", os.fsencode(photo.parent))["waiting"], 60, "all events are read")
    assert command.json("resolve", os.fsencode(photo)) == before


def test_doctor_looks_at_services_roots_and_disks(command: Command, root: Path) -> None:
    told = json.loads(command.run("doctor", "--json").stdout)
    by_name = {check["check"]: check for check in told["checks"]}

    for name in ("version", "state directory", "service fs", "service metadata", "service nats", f"root {root}"):
        assert by_name[name]["ok"], by_name[name]
    assert b"service metadata" in command.run("doctor").stdout


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
    done = Command(tmp_path / "state").run("doctor")

    assert done.returncode == 1
    assert b"not running" in done.stderr
