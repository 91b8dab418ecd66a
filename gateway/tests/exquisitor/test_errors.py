"""What is refused, and in which words: the dialect's error body, 422, 400, 404, 403, 503."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from exquisitor_world import SESSION, collection_message
from fake_fs import FakeFs, Refused
from fake_metadata import FakeMetadata
from gateway.dialects.exquisitor import requests
from gateway.dialects.exquisitor.requests import MAX_IDS
from gateway.errors import Failure
from gateway_rig import MakeApp, client_of
from hypothesis import given
from hypothesis import strategies as st
from media_common.errors import ErrorCode
from media_proto import metadata_pb2 as pb

ITEM_ENDPOINTS = ("base", "details", "related", "excluded")


def refused(answer: httpx.Response, status: int) -> dict[str, Any]:
    """The body, which is of the dialect's form and tells nothing of the inside."""
    assert answer.status_code == status, (answer.status_code, answer.text)
    assert answer.headers["content-type"] == "application/json"
    body: dict[str, Any] = answer.json()
    assert list(body) == ["error", "message", "detail"]
    assert all(isinstance(value, str) and value for value in body.values())
    assert body["message"] == body["detail"]
    assert "Traceback" not in answer.text
    return body


async def sent(client: httpx.AsyncClient, endpoint: str, fields: Any) -> httpx.Response:
    return await client.post(f"/exq/item/{endpoint}", json=fields)


# --- 422: no JSON, or not of the schema ---
@pytest.mark.parametrize("endpoint", ITEM_ENDPOINTS)
@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b"null", b"\xff", b'{"a": 1, "a": 2}', b'{"media_ids": [NaN]}'])
async def test_a_body_that_is_no_json_object_is_422(exq: httpx.AsyncClient, endpoint: str, body: bytes) -> None:
    answer = await exq.post(f"/exq/item/{endpoint}", content=body, headers={"Content-Type": "application/json"})

    assert refused(answer, 422)["error"] == "validation_error"


async def test_json_that_is_not_sent_as_json_is_422(exq: httpx.AsyncClient) -> None:
    refused(await exq.post("/exq/item/base", content=b'{"media_ids": []}'), 422)


@pytest.mark.parametrize(
    ("endpoint", "fields"),
    [
        ("base", {}),
        ("base", {"media_ids": None}),
        ("base", {"media_ids": "42"}),
        ("base", {"media_ids": ["42"]}),
        ("base", {"media_ids": [4.5]}),
        ("base", {"media_ids": [True]}),
        ("base", {"mediaId": "42"}),
        ("base", {"mediaId": None}),
        ("details", {"media_ids": [42]}),
        ("details", {"media_ids": [42], "tagset_ids": [None]}),
        ("details", {"mediaId": 42, "filterIds": "1"}),
        ("related", {"media_ids": {}}),
        ("related", {"mediaId": [42]}),
        ("excluded", {"media_id": 42}),
        ("excluded", {"media_id": [42], "excluded_group_ids": []}),
        ("excluded", {"itemId": 42}),
        ("excluded", {"excluded_ids": [42]}),
    ],
)
async def test_a_body_that_is_not_of_the_schema_is_422(exq: httpx.AsyncClient, endpoint: str, fields: Any) -> None:
    refused(await sent(exq, endpoint, {"session_info": SESSION, **fields}), 422)


@pytest.mark.parametrize(
    "session",
    [
        None,
        {},
        "abc123",
        {**SESSION, "session": 1},
        {**SESSION, "collection": None},
        {**SESSION, "modelId": None},
        {**SESSION, "modelId": 1.5},
        {**SESSION, "modelId": True},
        {"session": "abc123", "modelId": 1},
    ],
)
async def test_every_part_of_the_session_is_required(exq: httpx.AsyncClient, session: Any) -> None:
    bodies: tuple[tuple[str, dict[str, Any]], ...] = (
        ("base", {"media_ids": [42]}),
        ("base", {"mediaId": 42}),
        ("details", {"media_ids": [42], "tagset_ids": []}),
        ("related", {"media_ids": [42]}),
        ("excluded", {"media_id": 42, "excluded_group_ids": []}),
    )
    for endpoint, fields in bodies:
        refused(await sent(exq, endpoint, {**fields, "session_info": session}), 422)


async def test_a_request_without_a_session_is_422(exq: httpx.AsyncClient) -> None:
    refused(await sent(exq, "base", {"media_ids": [42]}), 422)


# --- 400: a value out of its bounds ---
@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 10**30])
@pytest.mark.parametrize(
    ("endpoint", "name", "rest"),
    [
        ("base", "media_ids", {}),
        ("details", "media_ids", {"tagset_ids": []}),
        ("details", "tagset_ids", {"media_ids": []}),
        ("related", "media_ids", {}),
        ("excluded", "excluded_group_ids", {"media_id": 42}),
        ("excluded", "excluded_ids", {"itemId": 42}),
        ("details", "filterIds", {"mediaId": 42}),
    ],
)
async def test_an_id_outside_64_bits_is_400(
    exq: httpx.AsyncClient, endpoint: str, name: str, rest: dict[str, Any], number: int
) -> None:
    body = refused(await sent(exq, endpoint, {"session_info": SESSION, name: [42, number], **rest}), 400)

    assert body["error"] == "invalid_parameter"
    assert name in body["detail"]


@pytest.mark.parametrize(
    ("endpoint", "fields"),
    [
        ("base", {"mediaId": 2**63}),
        ("related", {"mediaId": 2**63}),
        ("details", {"mediaId": -(2**64)}),
        ("excluded", {"media_id": 2**63, "excluded_group_ids": []}),
        ("excluded", {"itemId": 2**63, "excluded_ids": []}),
    ],
)
async def test_one_item_outside_64_bits_is_400(exq: httpx.AsyncClient, endpoint: str, fields: Any) -> None:
    refused(await sent(exq, endpoint, {"session_info": SESSION, **fields}), 400)


@pytest.mark.parametrize(
    ("endpoint", "name", "rest"),
    [
        ("base", "media_ids", {}),
        ("details", "media_ids", {"tagset_ids": []}),
        ("details", "tagset_ids", {"media_ids": []}),
        ("related", "media_ids", {}),
        ("excluded", "excluded_group_ids", {"media_id": 42}),
    ],
)
async def test_more_than_a_thousand_ids_are_400(
    exq: httpx.AsyncClient, endpoint: str, name: str, rest: dict[str, Any]
) -> None:
    fields = {"session_info": SESSION, **rest}

    assert (await sent(exq, endpoint, {**fields, name: [1] * MAX_IDS})).status_code == 200
    refused(await sent(exq, endpoint, {**fields, name: [1] * (MAX_IDS + 1)}), 400)


def status_of(check: Callable[[], Any]) -> int:
    """200 when nothing is refused."""
    try:
        check()
    except Failure as failure:
        return failure.status
    return 200


@given(st.lists(st.integers(), max_size=5))
def test_a_list_is_within_bounds_when_every_id_has_64_bits(ids: list[int]) -> None:
    fits = all(-(2**63) <= one <= 2**63 - 1 for one in ids)

    assert status_of(lambda: requests.within_bounds("media_ids", ids)) == (200 if fits else 400)


@given(st.none() | st.booleans() | st.floats() | st.text() | st.lists(st.integers() | st.text() | st.booleans()))
def test_only_lists_of_integers_are_lists_of_integers(value: Any) -> None:
    fits = isinstance(value, list) and all(type(one) is int for one in value)

    assert status_of(lambda: requests.integers_of({"media_ids": value}, "media_ids")) == (200 if fits else 422)


# --- 404 ---
@pytest.mark.parametrize("name", ["nobody", "", "my_collection ", "\x00", "\ud800", "ff" * 16])
async def test_an_unknown_collection_is_404(exq: httpx.AsyncClient, name: str) -> None:
    session = {**SESSION, "collection": name}
    bodies: tuple[tuple[str, dict[str, Any]], ...] = (
        ("item/base", {"media_ids": [42]}),
        ("item/base", {"mediaId": 42}),
        ("item/details", {"media_ids": [42], "tagset_ids": []}),
        ("item/details", {"mediaId": 42}),
        ("item/related", {"media_ids": [42]}),
        ("item/related", {"mediaId": 42}),
        ("item/excluded", {"media_id": 42, "excluded_group_ids": []}),
        ("item/excluded", {"itemId": 42, "excluded_ids": []}),
        ("info/totalItems", {}),
    )
    for endpoint, fields in bodies:
        body = json.dumps({**fields, "session_info": session})
        answer = await exq.post(f"/exq/{endpoint}", content=body, headers={"Content-Type": "application/json"})
        assert refused(answer, 404)["error"] == "collection_not_found"


@pytest.mark.parametrize("item_id", [5, 0, -1, 2**63 - 1, -(2**63)])
async def test_an_unknown_item_is_404_in_the_one_item_forms(exq: httpx.AsyncClient, item_id: int) -> None:
    bodies: tuple[tuple[str, dict[str, Any]], ...] = (
        ("base", {"mediaId": item_id}),
        ("details", {"mediaId": item_id, "filterIds": [1]}),
        ("details", {"mediaId": item_id}),
        ("related", {"mediaId": item_id}),
        ("excluded", {"media_id": item_id, "excluded_group_ids": [40]}),
        ("excluded", {"itemId": item_id, "excluded_ids": [40]}),
    )
    for endpoint, fields in bodies:
        assert refused(await sent(exq, endpoint, {"session_info": SESSION, **fields}), 404)["error"] == "item_not_found"


async def test_other_addresses_and_methods_answer_in_the_dialect(exq: httpx.AsyncClient) -> None:
    refused(await exq.get("/exq/item/nothing"), 404)
    answer = await exq.get("/exq/item/base")
    refused(answer, 405)
    assert answer.headers["allow"] == "POST"


async def test_a_huge_body_is_413(exq: httpx.AsyncClient) -> None:
    refused(await exq.post("/exq/item/base", json={"media_ids": [], "x": "x" * 2**20}), 413)


# --- 503, 500, 403, 401 ---
async def test_without_a_catalogue_the_dialect_is_503_and_says_what_is_missing(
    make_app: MakeApp, service: FakeFs
) -> None:
    async with make_app() as app, client_of(app) as client:
        answer = await sent(client, "base", {"media_ids": [42], "session_info": SESSION})

    assert "catalogue" in refused(answer, 503)["detail"]
    assert answer.headers["retry-after"] == "1"


async def test_a_fault_of_the_catalogue_says_nothing_of_it(exq: httpx.AsyncClient, metadata: FakeMetadata) -> None:
    metadata.answers["GetItems"] = RuntimeError("SELECT secret")

    answer = await sent(exq, "base", {"media_ids": [42], "session_info": SESSION})

    assert "SELECT" not in str(refused(answer, 500))


def key(**limits: Any) -> pb.Key:
    return pb.Key(uuid=bytes(16), name="k", scopes=["read"], **limits)


async def test_a_key_for_other_collections_is_403_and_sees_none(exq: httpx.AsyncClient, metadata: FakeMetadata) -> None:
    metadata.answers["CheckKey"] = key(collection_ids=[collection_message().id + 1])
    exq.headers["X-Api-Key"] = "fw_other"

    refused(await sent(exq, "base", {"media_ids": [42], "session_info": SESSION}), 403)
    refused(await sent(exq, "related", {"mediaId": 40, "session_info": SESSION}), 403)
    refused(await sent(exq, "excluded", {"itemId": 42, "excluded_ids": [], "session_info": SESSION}), 403)
    refused(await exq.post("/exq/info/totalItems", json=SESSION), 403)
    refused(await exq.get("/exq/info/filters/s/my_collection"), 403)
    refused(await exq.get("/exq/info/filters/values/s/my_collection/1/1"), 403)
    assert (await exq.get("/exq/init/s")).json()["collections"] == []


async def test_a_key_for_this_collection_reads_it(exq: httpx.AsyncClient, metadata: FakeMetadata) -> None:
    metadata.answers["CheckKey"] = key(collection_ids=[collection_message().id])
    exq.headers["X-Api-Key"] = "fw_mine"

    assert (await sent(exq, "base", {"media_ids": [42], "session_info": SESSION})).status_code == 200
    assert (await exq.get("/exq/init/s")).json()["collections"] == ["my_collection"]


async def test_a_wrong_key_is_401(exq: httpx.AsyncClient, metadata: FakeMetadata) -> None:
    metadata.answers["CheckKey"] = Refused(ErrorCode.KEY_NOT_FOUND, "There is no such key.")

    refused(await exq.get("/exq/init/s", headers={"X-Api-Key": "wrong"}), 401)
