"""The client of docs/grpc.md, run as it is printed; and what the page says of the contract."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from api import Api
from media import many
from media_common.config import PublicSettings
from media_common.grpc_server import MAX_MESSAGE_BYTES, serving
from media_common.testing import Certificates, free_port
from media_common.trust import trusted
from media_common.wire import ERROR_TRAILER
from media_proto import fs_pb2, fs_pb2_grpc
from stack import REPOSITORY, Stack

DOC = (REPOSITORY / "docs" / "grpc.md").read_text(encoding="utf-8")
_FOUND = re.search(r"<!-- run by tests/contract/test_grpc_doc\.py[^>]*-->\n```python\n(.*?)```", DOC, re.DOTALL)
assert _FOUND is not None
PROGRAM = _FOUND.group(1)


_FOUND = re.search(r"<!-- tried by tests/contract/test_grpc_doc\.py[^>]*-->\n```python\n(.*?)```", DOC, re.DOTALL)
assert _FOUND is not None
OPENED = "with grpc.insecure_channel(target) as channel:\n"
#: The program as it is on another machine.
ELSEWHERE = PROGRAM.replace(OPENED, _FOUND.group(1))


def run(
    target: str, root: Path, program: str = PROGRAM, folder: Path | None = None
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", program, target, str(root)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


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


class Files(fs_pb2_grpc.FsServiceServicer):
    async def ListRoots(self, request: fs_pb2.ListRootsRequest, context: Any) -> fs_pb2.ListRootsResponse:
        return fs_pb2.ListRootsResponse()

    async def StreamItems(self, request: fs_pb2.StreamItemsRequest, context: Any) -> AsyncIterator[fs_pb2.ItemBatch]:
        yield fs_pb2.ItemBatch(items=[fs_pb2.Item(path=request.path + b"/one.jpg", size_bytes=7)])


async def test_on_another_machine_it_needs_its_certificate_and_the_token(tmp_path: Path) -> None:
    assert OPENED in PROGRAM
    assert len(_FOUND.group(1).splitlines()) == 3  # type: ignore[union-attr]
    certificates = Certificates(tmp_path)
    certificates.issued("laptop")
    settings = certificates.issued("localhost")
    token = tmp_path / "grpc-token"
    target = f"localhost:{free_port()}"
    register = partial(fs_pb2_grpc.add_FsServiceServicer_to_server, Files())
    async with serving(target, register, [], 1, trust=trusted(PublicSettings(**settings, **{"GRPC_TOKEN": "told"}))):
        for sent, expected in (("told\n", (0, "/r/one.jpg 7\n")), ("another\n", (1, ""))):
            await asyncio.to_thread(token.write_text, sent)
            done = await asyncio.to_thread(run, target, Path("/r"), ELSEWHERE, tmp_path)
            assert (done.returncode, done.stdout) == expected, done.stderr
        assert "UNAUTHENTICATED" in done.stderr
        plain = await asyncio.to_thread(run, target, Path("/r"))
        assert plain.returncode == 1
        assert "UNAVAILABLE" in plain.stderr


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
