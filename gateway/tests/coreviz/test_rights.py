"""Which key may do what, in this dialect and in the others."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from fake_fs import FakeFs, Refused
from gateway_rig import KEY
from library_world import CID, FOLDER_ID, OTHER, PHOTO_ID, World, failed
from media_common.errors import ErrorCode
from media_proto import fs_pb2

PHOTO = f"/api/media/{PHOTO_ID.hex()}"

CHANGES: list[tuple[str, str, Any]] = [
    ("PATCH", PHOTO, {"name": "x"}),
    ("DELETE", PHOTO, None),
    ("PATCH", f"{PHOTO}/move", {"destinationPath": CID}),
    ("POST", f"{PHOTO}/tags", {"label": "a", "value": "b"}),
    ("DELETE", f"{PHOTO}/tags", {"label": "a"}),
    ("PATCH", f"{PHOTO}/tags", {"oldLabel": "a", "newLabel": "b"}),
    ("DELETE", f"{PHOTO}/versions?versionId={PHOTO_ID.hex()}", None),
    ("PATCH", f"{PHOTO}/select-version", None),
    ("POST", f"/api/dataset/{CID}/media/{PHOTO_ID.hex()}/objects", []),
    ("POST", f"/api/dataset/{CID}/clusters", {"model": "objects"}),
    ("PATCH", f"/api/dataset/{CID}", {"name": "x"}),
    ("POST", "/api/folder", {"datasetId": CID, "name": "x"}),
    ("PATCH", f"/api/folder/{FOLDER_ID.hex()}", {"name": "x"}),
    ("DELETE", f"/api/folder/{FOLDER_ID.hex()}", None),
]


@pytest.mark.parametrize(("method", "address", "body"), CHANGES)
@pytest.mark.parametrize("key", ["reader", "elsewhere"])
async def test_a_change_needs_the_scope_and_the_collection(
    client: httpx.AsyncClient, fake: FakeFs, method: str, address: str, body: Any, key: str
) -> None:
    answer = await client.request(method, address, json=body, headers={"X-Api-Key": key})

    failed(answer, 403)
    assert answer.json()["code"] == "FORBIDDEN"
    assert not fake.count("Act")


@pytest.mark.parametrize("address", [PHOTO, f"/api/dataset/{CID}/media?limit=x", f"/api/dataset/{CID}/tags"])
async def test_a_look_needs_the_collection_before_its_parameters_matter(
    client: httpx.AsyncClient, address: str
) -> None:
    failed(await client.get(address, headers={"X-Api-Key": "elsewhere"}), 403)
    failed(await client.get("/api/dataset/nonsense/media", headers={"X-Api-Key": "elsewhere"}), 404)


@pytest.mark.parametrize("key", ["reader", "trasher", "writer", "here", "admin", KEY])
async def test_any_key_of_the_organisation_reads(client: httpx.AsyncClient, key: str) -> None:
    assert (await client.get(PHOTO, headers={"X-Api-Key": key})).status_code == 200


@pytest.mark.parametrize("headers", [{"Authorization": "Bearer writer", "X-Api-Key": ""}, {"X-Api-Key": "writer"}])
async def test_a_key_is_taken_from_either_header(client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    assert (await client.get("/api/me", headers=headers)).json()["name"] == "writer"


async def test_a_limited_key_sees_its_own_collections_and_makes_none(client: httpx.AsyncClient) -> None:
    organization = (await client.get("/api/me")).json()["organizationId"]
    address = f"/api/organization/{organization}/datasets"

    listed = (await client.get(address, headers={"X-Api-Key": "elsewhere"})).json()

    assert [one["id"] for one in listed] == [OTHER.uuid.hex()]
    failed(await client.post(address, json={"name": "x"}, headers={"X-Api-Key": "elsewhere"}), 403)
    failed(await client.post(address, json={"name": "x"}, headers={"X-Api-Key": "reader"}), 403)


@pytest.mark.parametrize("key", ["", "wrong"])
async def test_no_key_and_a_wrong_one_are_401(client: httpx.AsyncClient, key: str) -> None:
    failed(await client.get("/api/dataset/nonsense/media", headers={"X-Api-Key": key}), 401)


async def test_a_key_is_asked_about_once_in_a_while(client: httpx.AsyncClient, world: World) -> None:
    for _ in range(20):
        await client.get("/api/me")
        await client.get("/api/me", headers={"X-Api-Key": "wrong"})

    assert world.fake.count("CheckKey") <= 4


async def test_a_key_that_nobody_can_judge_is_503(client: httpx.AsyncClient, world: World) -> None:
    world.fake.answers["CheckKey"] = Refused(ErrorCode.SERVICE_UNAVAILABLE, "Restarting.")

    failed(await client.get("/api/me"), 503)
    assert (await client.get("/api/me", headers={"X-Api-Key": KEY})).status_code == 200


@pytest.mark.parametrize(
    ("method", "address", "body", "served", "refused"),
    [
        ("GET", "/api/health", None, ["reader", "writer", "admin", "here"], ["trasher"]),
        ("GET", "/api/logs", None, ["admin"], ["reader", "writer", "trasher"]),
        ("PATCH", "/api/settings", {}, [], ["reader", "writer", "trasher"]),
        ("POST", "/api/review-paths", {}, [], ["reader", "writer"]),
        ("POST", "/api/empty-trash", None, [], ["reader", "writer", "trasher", "here"]),
        ("POST", "/api/undo", None, [], ["reader", "trasher"]),
        ("GET", "/api/keys", None, [], ["reader", "writer"]),
        (
            "POST",
            "/api/media-actions",
            {"path": "/r/a", "action": "trash"},
            ["trasher", "writer", "here"],
            ["reader", "elsewhere"],
        ),
        ("POST", "/api/media-actions", {"path": "/r/a", "action": "lock"}, ["writer"], ["reader", "trasher"]),
        (
            "POST",
            "/api/media-items/batch",
            {"paths": ["/r/a"], "action": "seen"},
            ["writer"],
            ["reader", "trasher"],
        ),
    ],
)
async def test_the_other_dialects_ask_for_scopes_too(
    client: httpx.AsyncClient,
    fake: FakeFs,
    method: str,
    address: str,
    body: Any,
    served: list[str],
    refused: list[str],
) -> None:
    fake.answers["Act"] = fs_pb2.ActResponse(path=b"/r/a")
    fake.answers["ActBatch"] = fs_pb2.ActBatchResponse(outcomes=[fs_pb2.ActOutcome(path=b"/r/a")])
    for key in served:
        answer = await client.request(method, address, json=body, headers={"X-Api-Key": key})
        assert answer.status_code in (200, 207), (key, answer.text)
    for key in refused:
        answer = await client.request(method, address, json=body, headers={"X-Api-Key": key})
        assert answer.status_code == 403, (key, answer.text)
        assert list(answer.json()) == ["error"]
