"""`/api/stacks`: who may ask, what is passed on, and what becomes of it in JSON."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fake_fs import FakeFs
from fake_metadata import FakeMetadata, serve_metadata
from gateway_rig import MakeApp, client_of
from media_proto import fs_pb2
from media_proto import metadata_pb2 as pb

COLLECTIONS = [
    pb.Collection(id=1, uuid=b"\x01" * 16, slug="a", root_path=b"/a"),
    pb.Collection(id=2, uuid=b"\x02" * 16, slug="b", root_path=b"/b"),
]


@pytest.fixture
async def metadata(tmp_path: Path) -> AsyncIterator[FakeMetadata]:
    fake = FakeMetadata({"ListCollections": pb.ListCollectionsResponse(collections=COLLECTIONS)})
    async with serve_metadata(fake, f"unix:{tmp_path}/metadata.sock"):
        yield fake


@pytest.fixture
async def client(
    make_app: MakeApp, service: FakeFs, metadata: FakeMetadata, tmp_path: Path
) -> AsyncIterator[httpx.AsyncClient]:
    member = fs_pb2.StackMember(
        path=b"/a/\xff.jpg", reasons=["Sharpest of 2"], sharpness=1, exposure_ev=0.125, taken_us=0, size_bytes=3
    )
    other = fs_pb2.StackMember(path=b"/a/b.jpg", reasons=["Blurred"], width_px=4, height_px=3)
    stack = fs_pb2.Stack(members=[other, member], suggested=1)
    service.answers["FindStacks"] = fs_pb2.Stacks(stacks=[stack], pending=2)
    service.answers["ListStacks"] = fs_pb2.Stacks(stacks=[stack], more=True, next=b"/a/\xff.jpg")
    service.answers["DecideStack"] = fs_pb2.DecideStackResponse()
    service.answers["KeepBest"] = lambda request: fs_pb2.ActBatchResponse(
        outcomes=[
            fs_pb2.ActOutcome(path=path, status=fs_pb2.Status(seen=True), before=fs_pb2.Status())
            for path in (request.best, *request.rest)
        ]
    )
    async with make_app(metadata_target=f"unix:{tmp_path}/metadata.sock") as app, client_of(app) as opened:
        opened.headers["X-Api-Key"] = "fw_x"
        yield opened


def key(metadata: FakeMetadata, *scopes: str) -> None:
    """A key that is limited to the first collection."""
    metadata.answers["CheckKey"] = pb.Key(uuid=b"\x07" * 16, scopes=scopes, collection_ids=[1])


async def asked(client: httpx.AsyncClient, path: str = "/a/b.jpg") -> list[int]:
    """The status of each endpoint's answer."""
    answers = [
        await client.post("/api/stacks/of", json={"paths": [path]}),
        await client.get("/api/stacks", params={"path": path}),
        await client.post("/api/stacks/decisions", json={"paths": [path, path + "x"], "decision": "done"}),
        await client.post("/api/stacks/keep-best", json={"best": path, "rest": [path + "x"]}),
    ]
    return [answer.status_code for answer in answers]


@pytest.mark.parametrize(
    ("scopes", "statuses"),
    [
        (("read",), [200, 200, 403, 403]),
        (("read", "write"), [200, 200, 200, 200]),
        (("read", "trash"), [200, 200, 403, 403]),
    ],
)
async def test_what_a_key_may(
    client: httpx.AsyncClient, service: FakeFs, metadata: FakeMetadata, scopes: tuple[str, ...], statuses: list[int]
) -> None:
    key(metadata, *scopes)
    assert await asked(client) == statuses


async def test_a_key_of_one_collection_has_no_part_in_another(
    client: httpx.AsyncClient, service: FakeFs, metadata: FakeMetadata
) -> None:
    key(metadata, "read", "write", "trash")
    service.answers["ListRoots"] = fs_pb2.ListRootsResponse(roots=[fs_pb2.Root(path=b"/a"), fs_pb2.Root(path=b"/b")])
    assert await asked(client) == [200] * 4
    assert await asked(client, "/b/x.jpg") == [403] * 4
    mixed = {"best": "/a/x.jpg", "rest": ["/b/x.jpg"]}
    assert (await client.post("/api/stacks/keep-best", json=mixed)).status_code == 403


async def test_bytes_that_are_no_text_come_and_go(
    client: httpx.AsyncClient, service: FakeFs, metadata: FakeMetadata
) -> None:
    key(metadata, "read", "write", "trash")
    answer = await client.post(
        "/api/stacks/of", content=b'{"paths": ["/a/\\udcff.jpg"]}', headers={"Content-Type": "application/json"}
    )
    assert service.last("FindStacks").paths == [b"/a/\xff.jpg"]
    told = answer.json()
    assert told["pending"] == 2
    (stack,) = told["stacks"]
    assert stack["suggested"] == "/a/\udcff.jpg"
    assert [one["name"] for one in stack["members"]] == ["b.jpg", "�.jpg"]
    assert [(one["width"], one["height"]) for one in stack["members"]] == [(4, 3), (None, None)]
    assert stack["members"][1]["exposureEv"] == 0.12
    page = (await client.get("/api/stacks", params={"path": "/a"})).json()
    assert page["next"] == "/a/\udcff.jpg"


@pytest.mark.parametrize("limit", ["0", "501", "x"])
async def test_limits_are_held_to(client: httpx.AsyncClient, metadata: FakeMetadata, limit: str) -> None:
    key(metadata, "read")
    assert (await client.get("/api/stacks", params={"path": "/a", "limit": limit})).status_code == 400
