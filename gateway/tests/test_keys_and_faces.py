"""`/api/keys` and `/api/resolve`, before a catalogue on a real socket."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID

import httpx
import pytest
from fake_fs import FakeFs, Refused
from fake_metadata import FakeMetadata, serve_metadata
from gateway.dialects.platform.keys import key_request
from gateway.errors import Failure
from gateway.paths import plain
from gateway_rig import KEY, MakeApp, client_of, error_of
from hypothesis import given
from hypothesis import strategies as st
from media_common.errors import ErrorCode
from media_proto import metadata_pb2 as pb

ROOT = b"/home/example/trailcam"
TRAILCAM = pb.Collection(id=1, uuid=b"\x01" * 16, slug="trailcam", root_path=ROOT)
INNER = pb.Collection(id=2, uuid=b"\x02" * 16, slug="dcim", root_path=ROOT + b"/DCIM")
IMPORTED = pb.Collection(id=3, uuid=b"\x03" * 16, slug="lsc", id_base=2**40, originals_url="https://a.example")
CLIP = pb.Media(
    item_id=42,
    uuid=UUID("0a1b2c3d-4e5f-5678-9abc-def012345678").bytes,
    kind=pb.MEDIA_KIND_VIDEO,
    source=pb.MEDIA_SOURCE_IN_PLACE,
    relative_path=b"DCIM/clip\xff.mp4",
)
FOLDER = pb.Media(
    item_id=41, uuid=b"\x09" * 16, kind=pb.MEDIA_KIND_FOLDER, source=pb.MEDIA_SOURCE_IN_PLACE, relative_path=b"DCIM"
)
FAR = pb.Media(item_id=2**40 + 5, uuid=b"\x0a" * 16, kind=pb.MEDIA_KIND_IMAGE, source=pb.MEDIA_SOURCE_EXTERNAL)
MADE = pb.Key(uuid=b"\x07" * 16, name="page", scopes=["read"], collection_ids=[1, 99], created_us=1742049022500000)


def made_key() -> pb.Key:
    key = pb.Key()
    key.CopyFrom(MADE)
    key.secret = "fw_s3cret"  # noqa: S105 - made up
    return key


def resolve(request: pb.ResolveRequest) -> pb.Resolution:
    things = [(TRAILCAM, CLIP), (TRAILCAM, FOLDER), (IMPORTED, FAR)]
    if request.HasField("path"):
        if request.path.root == ROOT and not request.path.relative_path:
            return pb.Resolution(collection=TRAILCAM)
        at = {(ROOT, one.relative_path): (TRAILCAM, one) for one in (CLIP, FOLDER)}
        found = at.get((request.path.root, request.path.relative_path))
    elif request.HasField("item_id"):
        found = next((pair for pair in things if pair[1].item_id == request.item_id), None)
    else:
        found = next((pair for pair in things if pair[1].uuid == request.uuid), None)
    if found is None:
        raise Refused(ErrorCode.ITEM_NOT_FOUND, "There is no such item.")
    return pb.Resolution(collection=found[0], media=found[1])


def collection(request: pb.GetCollectionRequest) -> pb.Collection:
    for one in (TRAILCAM, INNER, IMPORTED):
        if request.collection in (one.slug, one.uuid.hex()):
            return one
    raise Refused(ErrorCode.COLLECTION_NOT_FOUND, "There is no such collection.")


@pytest.fixture
async def metadata(tmp_path: Path) -> AsyncIterator[FakeMetadata]:
    fake = FakeMetadata(
        {
            "ListCollections": pb.ListCollectionsResponse(collections=[TRAILCAM, INNER, IMPORTED]),
            "GetCollection": collection,
            "Resolve": resolve,
            "CreateKey": made_key(),
            "ListKeys": pb.Keys(keys=[MADE, pb.Key(uuid=b"\x08" * 16, name="old", revoked_us=5, all_collections=True)]),
            "RevokeKey": pb.RevokeKeyResponse(),
        }
    )
    async with serve_metadata(fake, f"unix:{tmp_path}/metadata.sock"):
        yield fake


@pytest.fixture
async def caller(
    make_app: MakeApp, service: FakeFs, metadata: FakeMetadata, tmp_path: Path
) -> AsyncIterator[httpx.AsyncClient]:
    async with make_app(metadata_target=f"unix:{tmp_path}/metadata.sock") as app, client_of(app) as client:
        client.headers["X-Api-Key"] = KEY
        yield client


# --- keys ---
async def test_a_key_is_shown_when_it_is_made_and_never_again(
    caller: httpx.AsyncClient, metadata: FakeMetadata
) -> None:
    body = {"name": "page", "scopes": ["trash", "read"], "collections": ["trailcam"], "expiresInDays": 1}
    made = await caller.post("/api/keys", json=body)
    listed = await caller.get("/api/keys")

    shown = {
        "id": "07" * 16,
        "name": "page",
        "scopes": ["read"],
        "collections": ["trailcam"],
        "createdAt": "2025-03-15T14:30:22.500000+00:00",
        "expiresAt": None,
    }
    assert (made.status_code, made.json()) == (201, {**shown, "key": "fw_s3cret"})
    assert made.headers["cache-control"] == "no-store"
    assert listed.json() == {"keys": [shown]}
    asked = metadata.last("CreateKey")
    assert (asked.name, list(asked.scopes), list(asked.collections)) == ("page", ["read", "trash"], ["trailcam"])
    assert asked.HasField("expires_us")
    assert not asked.all_collections


async def test_a_revoked_key_is_asked_about_again_at_once(caller: httpx.AsyncClient, metadata: FakeMetadata) -> None:
    metadata.answers["CheckKey"] = pb.Key(uuid=b"\x07" * 16, scopes=["read"], all_collections=True)
    assert (await caller.get("/exq/init/s", headers={"X-Api-Key": "fw_x"})).status_code == 200

    revoked = await caller.delete(f"/api/keys/{'07' * 16}")
    metadata.answers["CheckKey"] = Refused(ErrorCode.KEY_NOT_FOUND, "There is no such key.")
    refused = await caller.get("/exq/init/s", headers={"X-Api-Key": "fw_x"})

    assert (revoked.status_code, revoked.content) == (204, b"")
    assert refused.status_code == 401


@pytest.mark.parametrize("key_id", ["1", "x", "07" * 15, "08" * 16])
async def test_an_unknown_key_cannot_be_revoked(caller: httpx.AsyncClient, metadata: FakeMetadata, key_id: str) -> None:
    metadata.answers["RevokeKey"] = Refused(ErrorCode.KEY_NOT_FOUND, "There is no such key.")

    error_of(await caller.delete(f"/api/keys/{key_id}"), 404)


async def test_keys_are_made_by_an_admin_only(caller: httpx.AsyncClient, metadata: FakeMetadata) -> None:
    metadata.answers["CheckKey"] = pb.Key(uuid=b"\x07" * 16, scopes=["write", "read"], all_collections=True)
    caller.headers["X-Api-Key"] = "fw_x"

    error_of(await caller.post("/api/keys", json={"name": "x", "scopes": ["admin"]}), 403)
    error_of(await caller.get("/api/keys"), 403)
    error_of(await caller.delete(f"/api/keys/{'07' * 16}"), 403)
    assert metadata.count("CreateKey") == metadata.count("ListKeys") == metadata.count("RevokeKey") == 0


GOOD: dict[str, Any] = {"name": "page", "scopes": ["read"]}


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"name": 1},
        {"name": "x" * 201},
        {"name": "\ud800"},
        {"scopes": []},
        {"scopes": "read"},
        {"scopes": ["read", "all"]},
        {"scopes": [["read"]]},
        {"collections": []},
        {"collections": "trailcam"},
        {"collections": [1]},
        {"collections": ["\ud800"]},
        {"expiresInDays": 0},
        {"expiresInDays": -1},
        {"expiresInDays": True},
        {"expiresInDays": "1"},
        {"expiresInDays": 10**400},
    ],
)
def test_a_key_that_is_not_well_asked_for_is_400(wrong: dict[str, Any]) -> None:
    with pytest.raises(Failure) as caught:
        key_request({**GOOD, **wrong}, 0)
    assert caught.value.status == 400


def test_a_key_is_for_all_collections_and_for_ever_unless_it_is_said() -> None:
    for fields in (GOOD, {**GOOD, "collections": None, "expiresInDays": None}):
        wanted = key_request(fields, 0)
        assert wanted.all_collections
        assert not wanted.HasField("expires_us")
    assert key_request({**GOOD, "expiresInDays": 0.5}, 1000).expires_us == 43_200_001_000


async def test_a_key_for_an_unknown_collection_is_404(caller: httpx.AsyncClient, metadata: FakeMetadata) -> None:
    metadata.answers["CreateKey"] = Refused(ErrorCode.COLLECTION_NOT_FOUND, "There is no such collection.")

    error_of(await caller.post("/api/keys", json={**GOOD, "collections": ["nobody"]}), 404)


# --- faces ---
CLIP_FACES = {
    "path": "/home/example/trailcam/DCIM/clip\udcff.mp4",
    "itemId": 42,
    "mediaId": "0a1b2c3d4e5f56789abcdef012345678",
    "wicksonId": "vid_0a1b2c3d-4e5f-5678-9abc-def012345678",
    "collection": {"id": "01" * 16, "slug": "trailcam"},
}


@pytest.mark.parametrize(
    "query",
    [
        "id=42",
        "id=0a1b2c3d4e5f56789abcdef012345678",
        "id=0A1B2C3D-4E5F-5678-9ABC-DEF012345678",
        "id=vid_0a1b2c3d-4e5f-5678-9abc-def012345678",
        "path=" + quote(ROOT + b"/DCIM/clip\xff.mp4"),
        "path=" + quote(ROOT + b"//DCIM/./x/../clip\xff.mp4"),
    ],
)
async def test_whichever_face_is_given_all_are_told(caller: httpx.AsyncClient, query: str) -> None:
    answer = await caller.get(f"/api/resolve?{query}")

    assert (answer.status_code, answer.json()) == (200, CLIP_FACES)


@pytest.mark.parametrize("query", ["id=" + "09" * 16, f"path={ROOT.decode()}/DCIM", f"path={ROOT.decode()}/DCIM/"])
async def test_a_folder_has_a_folder_id(caller: httpx.AsyncClient, metadata: FakeMetadata, query: str) -> None:
    told = {"path": f"{ROOT.decode()}/DCIM", "folderId": "09" * 16, "collection": CLIP_FACES["collection"]}

    assert (await caller.get(f"/api/resolve?{query}")).json() == told


@pytest.mark.parametrize("query", ["id=" + "01" * 16, f"path={ROOT.decode()}", f"path={ROOT.decode()}/"])
async def test_a_root_has_its_collection(caller: httpx.AsyncClient, query: str) -> None:
    told = {"path": ROOT.decode(), "collection": CLIP_FACES["collection"]}

    assert (await caller.get(f"/api/resolve?{query}")).json() == told


@pytest.mark.parametrize("query", [f"id={2**40 + 5}", "id=5&collection=lsc", f"id=5&collection={'03' * 16}"])
async def test_an_imported_item_has_its_own_number_and_no_path(caller: httpx.AsyncClient, query: str) -> None:
    told = (await caller.get(f"/api/resolve?{query}")).json()

    assert (told["itemId"], told["path"], told["collection"]["slug"]) == (5, None, "lsc")


@pytest.mark.parametrize(
    "query",
    [
        "id=5",
        "id=0",
        f"id={2**63}",
        f"id={2**63 - 1}&collection=lsc",
        "id=42&collection=nobody",
        "id=x",
        "id=%ff",
        "id=" + "0b" * 16,
        "id=xyz_0a1b2c3d-4e5f-5678-9abc-def012345678",
        "path=/elsewhere/a.jpg",
        f"path={ROOT.decode()}-2/a.jpg",
        f"path={ROOT.decode()}/none.jpg",
    ],
)
async def test_what_nobody_knows_is_404(caller: httpx.AsyncClient, query: str) -> None:
    error_of(await caller.get(f"/api/resolve?{query}"), 404)


@pytest.mark.parametrize(
    "query",
    ["", "path=", "path=a.jpg", "path=/a%00b", "id=1&path=/a", "id=1&id=2", "path=~%ff", "path=~nobody-of-this-name"],
)
async def test_neither_or_both_or_no_path_is_400(caller: httpx.AsyncClient, query: str) -> None:
    error_of(await caller.get(f"/api/resolve?{query}"), 400)


async def test_a_key_for_other_collections_resolves_nothing_here(
    caller: httpx.AsyncClient, metadata: FakeMetadata
) -> None:
    metadata.answers["CheckKey"] = pb.Key(uuid=b"\x07" * 16, scopes=["read"], collection_ids=[3])
    caller.headers["X-Api-Key"] = "fw_x"

    error_of(await caller.get("/api/resolve?id=42"), 403)
    assert (await caller.get("/api/resolve?id=5&collection=lsc")).status_code == 200


@given(st.binary().map(lambda path: path.replace(b"\0", b"")))
def test_a_plain_path_is_absolute_and_stays_what_it_is(path: bytes) -> None:
    made = plain(b"/" + path)

    assert made.startswith(b"/")
    assert not made.startswith(b"//")
    assert b".." not in made.split(b"/")
    assert plain(made) == made


# --- reindexing ---
@pytest.mark.parametrize("path", [None, "/home/example/x/../trailcam/"])
async def test_reindexing_is_asked_of_the_catalogue(
    caller: httpx.AsyncClient, metadata: FakeMetadata, path: str | None
) -> None:
    told = pb.Indexing(waiting=3, running=True, roots=[pb.RootIndexing(root=ROOT, items=7, running=True)])
    metadata.answers["Reindex"] = told
    answer = await caller.post("/api/reindex", json={"path": path})

    roots = [{"path": "/home/example/trailcam", "items": 7, "running": True}]
    assert (answer.status_code, answer.json()) == (202, {"waiting": 3, "running": True, "roots": roots})
    asked = metadata.last("Reindex")
    assert (asked.HasField("root"), asked.root) == (path is not None, ROOT if path else b"")


@pytest.mark.parametrize(
    ("path", "status"), [("/home/example", 404), ("relative", 400), ("/a\0b", 400), ("", 400), (7, 400), ([], 400)]
)
async def test_what_is_no_review_path_is_not_reindexed(
    caller: httpx.AsyncClient, metadata: FakeMetadata, path: Any, status: int
) -> None:
    error_of(await caller.post("/api/reindex", json={"path": path}), status)
    assert metadata.count("Reindex") == 0


async def test_reindexing_needs_admin(caller: httpx.AsyncClient, metadata: FakeMetadata) -> None:
    metadata.answers["CheckKey"] = pb.Key(uuid=b"\x07" * 16, scopes=["read", "write"], all_collections=True)
    error_of(await caller.post("/api/reindex", json={}, headers={"X-Api-Key": "fw_x"}), 403)
    assert metadata.count("Reindex") == 0
