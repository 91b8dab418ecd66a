"""A key that is limited to collections, where review paths are nested: the deepest one decides."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fake_fs import FakeFs
from fake_metadata import FakeMetadata, serve_metadata
from gateway.access import NO_ACCESS
from gateway.visible import HOLDS_ANOTHER
from gateway_rig import MakeApp, client_of, error_of
from media_proto import fs_pb2
from media_proto import metadata_pb2 as pb

OUTER = pb.Collection(id=1, uuid=b"\x01" * 16, slug="a", root_path=b"/a")
INNER = pb.Collection(id=2, uuid=b"\x02" * 16, slug="b", root_path=b"/a/b")
INMOST = pb.Collection(id=3, uuid=b"\x03" * 16, slug="c", root_path=b"/a/b/c")


@pytest.fixture
async def metadata(tmp_path: Path) -> AsyncIterator[FakeMetadata]:
    fake = FakeMetadata({"ListCollections": pb.ListCollectionsResponse(collections=[OUTER, INNER, INMOST])})
    async with serve_metadata(fake, f"unix:{tmp_path}/metadata.sock"):
        yield fake


@pytest.fixture
async def limited(
    make_app: MakeApp, service: FakeFs, metadata: FakeMetadata, tmp_path: Path
) -> AsyncIterator[httpx.AsyncClient]:
    service.answers["Act"] = lambda request: fs_pb2.ActResponse(path=request.path)
    service.answers["PlanTrash"] = fs_pb2.TrashPlan(hash="h")
    service.answers["EmptyTrash"] = [fs_pb2.TrashEvent(done=fs_pb2.TrashDone())]
    async with make_app(metadata_target=f"unix:{tmp_path}/metadata.sock") as app, client_of(app) as client:
        client.headers["X-Api-Key"] = "fw_x"
        yield client


def given(service: FakeFs, metadata: FakeMetadata, in_use: list[bytes], collections: list[int]) -> None:
    scopes = ["read", "write", "empty-trash"]
    metadata.answers["CheckKey"] = pb.Key(uuid=b"\x07" * 16, scopes=scopes, collection_ids=collections)
    service.answers["ListRoots"] = fs_pb2.ListRootsResponse(roots=[fs_pb2.Root(path=path) for path in in_use])


ALL = [b"/a", b"/a/b", b"/a/b/c"]


@pytest.mark.parametrize(
    ("in_use", "collections", "path", "may"),
    [
        (ALL, [1], "/a/x.jpg", True),
        (ALL, [1], "/a/bx.jpg", True),
        (ALL, [1], "/a/b/x.jpg", False),
        (ALL, [1], "/a/./d/../b/x.jpg", False),
        (ALL, [1], "/a/b/c/x.jpg", False),
        (ALL, [2], "/a/b/x.jpg", True),
        (ALL, [2], "/a/x.jpg", False),
        (ALL, [2], "/a/b/c/x.jpg", False),
        (ALL, [1, 3], "/a/b/c/x.jpg", True),
        (ALL, [1, 3], "/a/b/x.jpg", False),
        (ALL, [1, 2], "/a/b/x.jpg", True),
        ([b"/a"], [1], "/a/b/x.jpg", True),  # no review path any more
        ([b"/a", b"/a/b/c"], [1], "/a/b/x.jpg", True),
        ([b"/a"], [2], "/a/b/x.jpg", False),
    ],
)
async def test_a_file_is_for_the_keys_of_the_deepest_review_path_that_holds_it(
    limited: httpx.AsyncClient,
    service: FakeFs,
    metadata: FakeMetadata,
    in_use: list[bytes],
    collections: list[int],
    path: str,
    may: bool,
) -> None:
    given(service, metadata, in_use, collections)
    answer = await limited.post("/api/media-actions", json={"path": path, "action": "seen"})
    if may:
        assert answer.status_code == 200
    else:
        error_of(answer, 403)
        assert answer.json()["error"] == NO_ACCESS
    assert service.count("Act") == may


@pytest.mark.parametrize(
    ("in_use", "collections", "root", "refusal"),
    [
        (ALL, [1], "/a", HOLDS_ANOTHER),
        (ALL, [1, 2], "/a/", HOLDS_ANOTHER),
        (ALL, [2], "/a/b", HOLDS_ANOTHER),
        (ALL, [1], "/a/b", NO_ACCESS),
        (ALL, [1, 2, 3], "/a", None),
        (ALL, [3], "/a/b/c", None),
        ([b"/a"], [1], "/a", None),
    ],
)
async def test_the_trash_of_a_review_path_that_holds_one_of_others_is_not_for_its_keys(
    limited: httpx.AsyncClient,
    service: FakeFs,
    metadata: FakeMetadata,
    in_use: list[bytes],
    collections: list[int],
    root: str,
    refusal: str | None,
) -> None:
    given(service, metadata, in_use, collections)
    planned = await limited.get("/api/trash/plan", params={"path": root})
    emptied = await limited.post("/api/empty-trash", json={"path": root})
    if refusal is None:
        assert (planned.status_code, emptied.status_code) == (200, 200)
    else:
        for answer in (planned, emptied):
            error_of(answer, 403)
            assert answer.json()["error"] == refusal
    assert service.count("PlanTrash") == service.count("EmptyTrash") == (refusal is None)


async def test_where_no_roots_are_nested_the_disks_are_not_looked_at(
    limited: httpx.AsyncClient, service: FakeFs, metadata: FakeMetadata
) -> None:
    given(service, metadata, ALL, [1])
    assert (await limited.post("/api/media-actions", json={"path": "/a/x.jpg", "action": "seen"})).status_code == 200
    assert service.count("ListRoots") == 0
