"""The client of docs/grpc.md, run as it is printed; and what the page says of the contract."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from api import Api
from media import many
from media_common.grpc_server import MAX_MESSAGE_BYTES
from media_common.wire import ERROR_TRAILER
from stack import REPOSITORY, Stack

DOC = (REPOSITORY / "docs" / "grpc.md").read_text(encoding="utf-8")
_FOUND = re.search(r"<!-- run by tests/contract/test_grpc_doc\.py[^>]*-->\n```python\n(.*?)```", DOC, re.DOTALL)
assert _FOUND is not None
PROGRAM = _FOUND.group(1)


def run(target: str, root: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", PROGRAM, target, str(root)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def library(api: Api, tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "library"
    many(folder, 7)
    api.add_root(folder)
    yield folder
    api.remove_root(folder)


def test_it_is_twenty_lines() -> None:
    assert len(PROGRAM.splitlines()) <= 20


def test_it_lists_what_is_unseen(stack: Stack, library: Path) -> None:
    done = run(stack.facts()["sockets"]["fs"], library)

    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert f"review path {library} ROOT_STATE_ONLINE" in lines
    files = [line for line in lines if line.startswith(f"{library}/")]
    assert [line.rpartition(" ")[0] for line in files] == sorted(str(file) for file in library.glob("*.jpg"))


def test_it_tells_an_error_by_its_name(stack: Stack, tmp_path: Path) -> None:
    done = run(stack.facts()["sockets"]["fs"], tmp_path / "nobodys")

    assert done.returncode == 1
    assert re.match(r"[A-Z_]+ (unknown_root|root_not_configured): .+", done.stderr), done.stderr


def test_it_tells_that_nobody_answers(tmp_path: Path) -> None:
    done = run(f"unix:{tmp_path}/nobody.sock", tmp_path)

    assert done.returncode == 1
    assert "UNAVAILABLE" in done.stderr


def test_the_page_says_what_the_code_says() -> None:
    assert f"`{ERROR_TRAILER}`" in DOC
    assert f"at most {MAX_MESSAGE_BYTES // 2**20} MB" in DOC
    for service, proto in (("fs", "fs"), ("metadata", "metadata"), ("search", "search")):
        package = re.search(r"^package (.+);$", (REPOSITORY / "proto" / f"{proto}.proto").read_text(), re.MULTILINE)
        assert package is not None
        assert package[1] == f"framewell.{service}.v1"
    for port, service in re.findall(r"`[a-z-]+-service:(\d+)` \| \[`proto/([a-z]+)\.proto`", DOC):
        compose = (REPOSITORY / "docker-compose.yml").read_text(encoding="utf-8")
        assert f"{service.upper()}_LISTEN: 0.0.0.0:{port}" in compose
