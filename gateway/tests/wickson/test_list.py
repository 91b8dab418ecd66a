"""The one endpoint: the seed's samples, every parameter, the limit."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from fake_fs import FakeFs, Refused
from fake_search import FakeSearch, serve_search
from gateway.dialects.wickson import docs, render
from gateway_rig import MakeApp
from hypothesis import given
from hypothesis import strategies as st
from library_world import PHOTO_ID, World, photo, served, values
from media_common.errors import ErrorCode
from media_proto import metadata_pb2 as pb
from media_proto import search_pb2

PAPER_ID = bytes.fromhex("b1e01882a58c5010a13cceff0c564f15")
#: 2025-03-09T04:47:54.783840
PAPER_US = 1_741_495_674_783_840


def paper() -> pb.Media:
    """The item of the seed's sample."""
    search = docs.ITEM["metadata"]["search"]
    metadata = {
        "summary": search["summary"],
        "entities": search["entities"],
        "semantic_markers": {"topics": search["semantic_markers"]["topics"]},
    }
    return photo(
        uuid=PAPER_ID,
        kind=pb.MEDIA_KIND_DOCUMENT,
        name="research_paper.pdf",
        facts=pb.Facts(size_bytes=538064, page_count=23),
        created_us=PAPER_US,
        sha256=bytes.fromhex(docs.ITEM["file_info"]["checksum"]),
        description="A comprehensive analysis of...",
        metadata_json=json.dumps(metadata),
        tags={"a": values("Technology", "Research"), "b": values("Science")},
    )


def error_of(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    body: dict[str, Any] = answer.json()
    assert body["success"] is False
    assert isinstance(body["message"], str)
    assert body["error"]["code"] == code
    return body


async def test_the_seeds_sample_is_answered_as_documented(client: httpx.AsyncClient, world: World) -> None:
    world.page = pb.MediaPage(media=[paper()], total=42)

    answer = await client.get("/v1/media?page=1&page_size=10&media_type=document&collection=research")

    body = answer.json()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}", body.pop("timestamp"))
    assert body == {
        "success": True,
        "message": "Media items retrieved successfully",
        "data": {
            "items": [docs.ITEM],
            "pagination": {"page": 1, "page_size": 10, "total_items": 42, "total_pages": 5, "has_next": True},
            "filters": {"applied": {"media_type": "document", "collection": "research"}, "total_matching": 42},
        },
    }
    asked = world.fake.last("ListNewest")
    assert list(asked.collections) == ["research"]
    assert (asked.offset, asked.limit, asked.all_collections) == (0, 10, False)


async def test_nothing_given_is_the_first_twenty_of_everything(client: httpx.AsyncClient, world: World) -> None:
    body = (await client.get("/v1/media?page=&media_type=&unknown=1")).json()

    assert body["data"]["filters"] == {"applied": {}, "total_matching": 142}
    assert body["data"]["pagination"]["total_pages"] == 8
    asked = world.fake.last("ListNewest")
    assert (asked.offset, asked.limit, asked.all_collections) == (0, 20, True)
    assert pb.MEDIA_KIND_FOLDER not in asked.kinds


async def test_what_is_unknown_is_left_out(client: httpx.AsyncClient, world: World) -> None:
    world.page = pb.MediaPage(media=[photo(tags={}, facts=pb.Facts(size_bytes=3), sha256=None)], total=1)

    (item,) = (await client.get("/v1/media")).json()["data"]["items"]

    assert item["id"] == f"img_{'-'.join(re.findall('^(.{8})(.{4})(.{4})(.{4})(.{12})$', PHOTO_ID.hex())[0])}"
    assert item["file_info"] == {"filename": "hero-shot.jpg", "size_bytes": 3, "checksum": ""}
    assert item["metadata"] == {"search": {}, "modality": {}}
    assert "vectors" not in item


async def test_the_metadata_can_be_left_out(client: httpx.AsyncClient) -> None:
    (item,) = (await client.get("/v1/media?include_metadata=False")).json()["data"]["items"]

    assert "metadata" not in item


async def test_vectors_of_first_frames_come_in_one_call(
    world: World, make_app: MakeApp, service: FakeFs, socket_path: str, tmp_path: Path
) -> None:
    world.page = pb.MediaPage(media=[photo(), photo(item_id=13, uuid=b"x" * 16)], total=2)
    kept = search_pb2.PointVectors(model="lite0", vectors={12: search_pb2.Vector(values=[0.5, -0.25])})
    fake = FakeSearch({"GetVectors": kept})
    target = f"unix:{tmp_path}/search.sock"
    async with serve_search(fake, target), served(world, make_app, socket_path, search_target=target) as client:
        with_vectors = (await client.get("/v1/media?include_vectors=True")).json()["data"]["items"]
        without = (await client.get("/v1/media?include_vectors=false")).json()["data"]["items"]
        world.page = pb.MediaPage()
        none = (await client.get("/v1/media?include_vectors=1")).json()["data"]["items"]

    assert [item["vectors"] for item in with_vectors] == [
        {"clip": {"model": "lite0", "dimensions": 2, "values": [0.5, -0.25]}},
        {},
    ]
    assert all("vectors" not in item for item in without)
    assert none == []
    assert [list(request.point_ids) for _, request in fake.asked] == [[12, 13], []]


async def test_vectors_need_search(client: httpx.AsyncClient) -> None:
    body = error_of(await client.get("/v1/media?include_vectors=True"), 503, "SEARCH_UNAVAILABLE")
    assert body["message"] == "semantic search is not available: No search service is set up."
    assert (await client.get("/v1/media?include_vectors=0")).status_code == 200


async def test_beyond_the_end_is_an_empty_page(client: httpx.AsyncClient, world: World) -> None:
    world.page = pb.MediaPage(total=42)

    data = (await client.get(f"/v1/media?page={'9' * 400}")).json()["data"]

    assert data["items"] == []
    assert data["pagination"]["has_next"] is False
    assert data["pagination"]["total_items"] == 42


@given(total=st.integers(0, 10**12), size=st.integers(1, 100), page=st.integers(1, 10**6))
def test_the_pages_hold_everything(total: int, size: int, page: int) -> None:
    pagination = render.list_out([], total, (page, size), {})["data"]["pagination"]

    assert (pagination["total_pages"] - 1) * size < total <= pagination["total_pages"] * size or total == 0
    assert pagination["has_next"] is (page * size < total)


async def test_the_seeds_error_is_answered_word_for_word(client: httpx.AsyncClient) -> None:
    for page in ("0", "-1", "abc", "1.5", "+1", "%C2%B2"):
        answer = await client.get(f"/v1/media?page={page}")
        assert answer.status_code == 400
        assert answer.json() == {
            "success": False,
            "message": "Invalid page parameter: must be a positive integer",
            "error": {
                "code": "INVALID_PARAMETER",
                "details": {"parameter": "page", "reason": "Must be a positive integer"},
            },
        }


@pytest.mark.parametrize("size", ["0", "101", "abc", "-5", "1e1"])
async def test_a_page_size_is_not_clamped(client: httpx.AsyncClient, size: str) -> None:
    body = error_of(await client.get(f"/v1/media?page_size={size}"), 400, "INVALID_PARAMETER")

    assert body["message"] == "Invalid page_size parameter: must be an integer between 1 and 100"
    assert body["error"]["details"]["reason"] == "Must be an integer between 1 and 100"


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("media_type=Image", "media_type"),
        ("media_type=folder", "media_type"),
        ("include_vectors=yes", "include_vectors"),
        ("include_metadata=2", "include_metadata"),
        ("include_vectors=x&page_size=x&page=x", "page"),
        ("include_vectors=x&media_type=x", "media_type"),
    ],
)
async def test_the_first_bad_parameter_is_named(client: httpx.AsyncClient, query: str, parameter: str) -> None:
    body = error_of(await client.get(f"/v1/media?{query}"), 400, "INVALID_PARAMETER")

    assert body["error"]["details"]["parameter"] == parameter


async def test_an_unknown_collection_has_no_items(client: httpx.AsyncClient, world: World) -> None:
    world.page = pb.MediaPage()

    for key in ("reader", "here"):
        answer = await client.get("/v1/media?collection=nonsense", headers={"X-Api-Key": key})
        assert answer.json()["data"]["filters"] == {"applied": {"collection": "nonsense"}, "total_matching": 0}


async def test_a_limited_key_lists_its_own_collections(client: httpx.AsyncClient, world: World) -> None:
    await client.get("/v1/media", headers={"X-Api-Key": "elsewhere"})

    asked = world.fake.last("ListNewest")
    assert (list(asked.collections), asked.all_collections) == (["other"], False)
    answer = await client.get("/v1/media?collection=research&page=x", headers={"X-Api-Key": "elsewhere"})
    body = error_of(answer, 403, "FORBIDDEN")
    assert body["error"]["details"] == {"required_capability": "read"}


async def test_a_key_that_may_not_read_is_403(client: httpx.AsyncClient) -> None:
    body = error_of(await client.get("/v1/media?page=x", headers={"X-Api-Key": "trasher"}), 403, "FORBIDDEN")

    assert body["error"]["details"] == {"required_capability": "read"}


async def test_other_addresses_and_methods(client: httpx.AsyncClient) -> None:
    error_of(await client.get("/v1/nothing"), 404, "NOT_FOUND")
    answer = await client.post("/v1/media")
    error_of(answer, 405, "METHOD_NOT_ALLOWED")
    assert answer.headers["x-ratelimit-limit"] == "10000"


async def test_a_fault_says_nothing_but_the_request(client: httpx.AsyncClient, world: World) -> None:
    world.fake.answers["ListNewest"] = ValueError("SELECT secret")

    body = error_of(await client.get("/v1/media", headers={"X-Request-Id": "abc"}), 500, "INTERNAL_ERROR")

    assert body["message"] == "Internal server error."
    assert body["error"]["details"] == {"request_id": "abc"}


async def test_a_refusal_of_the_catalogue_is_in_the_dialects_form(client: httpx.AsyncClient, world: World) -> None:
    world.fake.answers["ListNewest"] = Refused(ErrorCode.SERVICE_UNAVAILABLE, "Restarting.")

    assert error_of(await client.get("/v1/media"), 503, "SERVICE_UNAVAILABLE")["message"] == "Restarting."


async def test_the_limit_is_told_and_kept(world: World, make_app: MakeApp, service: FakeFs, socket_path: str) -> None:
    async with served(world, make_app, socket_path, rate_limit="2/day") as client:
        first = await client.get("/v1/media")
        second = await client.get("/v1/media?page=x")
        third = await client.get("/v1/media?page=x")
        other = await client.get("/v1/media", headers={"X-Api-Key": "reader"})
        nobody = await client.get("/v1/media", headers={"X-Api-Key": "wrong"})
        elsewhere = await client.get("/api/me")

    assert [one.status_code for one in (first, second, third, other, nobody)] == [200, 400, 429, 200, 401]
    assert [one.headers["x-ratelimit-remaining"] for one in (first, second, third, other)] == ["1", "0", "0", "1"]
    assert "x-ratelimit-limit" not in nobody.headers
    assert elsewhere.status_code == 200
    body = error_of(third, 429, "RATE_LIMIT_EXCEEDED")
    reset = int(third.headers["x-ratelimit-reset"])
    assert body["error"]["details"] == {"limit": 2, "remaining": 0, "reset_time": reset, "window_size": 86400}
    assert (body["code"], body["status_code"]) == ("rate_limit_error", 429)
    assert body["request_id"] == third.headers["x-request-id"]
    assert body["suggestion"]
    assert int(third.headers["retry-after"]) >= 1
