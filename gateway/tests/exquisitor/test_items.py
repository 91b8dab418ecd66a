"""The four item endpoints in both forms, against what the rows say."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import pytest
from exquisitor_world import ORIGINALS, SESSION, SLUG, THUMBNAILS, UUID, Row, World, serve
from fake_fs import FakeFs
from fake_metadata import FakeMetadata, serve_metadata
from fastapi import FastAPI
from gateway.external import joined
from gateway_rig import MakeApp, client_of
from hypothesis import given, settings
from hypothesis import strategies as st
from media_proto import metadata_pb2 as pb

ITEM_42 = {
    "id": 42,
    "uri": "video/segment_042.mp4",
    "thumbnail_url": "https://cdn.example.com/thumbs/segment_042.jpg",
    "original_url": "https://cdn.example.com/originals/video/segment_042.mp4",
}


async def asked(client: httpx.AsyncClient, endpoint: str, **fields: Any) -> Any:
    """The answer's JSON; the session is sent along."""
    answer = await client.post(f"/exq/item/{endpoint}", json={"session_info": SESSION, **fields})
    assert answer.status_code == 200, answer.text
    return answer.json()


# --- the seed's samples ---
async def test_base_answers_as_the_sample_says_in_request_order(exq: httpx.AsyncClient) -> None:
    body = await asked(exq, "base", media_ids=[42, 17, 830])

    assert list(body) == ["items"]
    assert [item["id"] for item in body["items"]] == [42, 17, 830]
    assert body["items"][0] == ITEM_42


async def test_details_answers_as_the_sample_says(exq: httpx.AsyncClient) -> None:
    body = await asked(exq, "details", media_ids=[42], tagset_ids=[1, 3, 5])

    tags = {"1": ["daylight", "outdoor"], "3": [2024], "5": ["sports"]}
    assert body == {"items": [{**ITEM_42, "tags": tags}]}


async def test_related_answers_as_the_sample_says(exq: httpx.AsyncClient) -> None:
    assert await asked(exq, "related", media_ids=[42]) == {"related": {"42": [43, 44, 45]}}


@pytest.mark.parametrize(("groups", "answer"), [([7, 12, 33], False), ([7, 40], True), ([], False)])
async def test_excluded_answers_as_the_sample_says(exq: httpx.AsyncClient, groups: list[int], answer: bool) -> None:
    assert await asked(exq, "excluded", media_id=42, excluded_group_ids=groups) == {"excluded": answer}


# --- the page's form ---
async def test_the_page_gets_one_item_with_its_own_names(exq: httpx.AsyncClient) -> None:
    assert await asked(exq, "base", mediaId=42) == {
        "id": 42,
        "name": "segment_042.mp4",
        "itemId": 42,
        "mediaId": 42,
        "mediaType": 2,
        "thumbPath": ITEM_42["thumbnail_url"],
        "srcPath": ITEM_42["original_url"],
        "groupId": 40,
    }


async def test_the_page_may_ask_for_a_group_row(exq: httpx.AsyncClient) -> None:
    body = await asked(exq, "base", mediaId=40)

    assert (body["id"], body["groupId"]) == (40, None)


@pytest.mark.parametrize(("item_id", "media_type"), [(17, 1), (42, 2), (830, 3), (902, 4), (903, 5)])
async def test_the_page_tells_kinds_by_number(exq: httpx.AsyncClient, item_id: int, media_type: int) -> None:
    assert (await asked(exq, "base", mediaId=item_id))["mediaType"] == media_type


async def test_the_page_gets_details_by_name_one_value_as_it_is(exq: httpx.AsyncClient) -> None:
    body = await asked(exq, "details", mediaId=42, filterIds=[1, 3, 6, 9, 12345])

    assert body == {"Scene": ["daylight", "outdoor"], "Year": 2024, "Score": [0.5, 2.0]}


@pytest.mark.parametrize("fields", [{}, {"filterIds": []}, {"filterIds": None}])
async def test_the_page_gets_no_details_without_filters(exq: httpx.AsyncClient, fields: dict[str, Any]) -> None:
    assert await asked(exq, "details", mediaId=42, **fields) == {}


@pytest.mark.parametrize(("item_id", "members"), [(40, [42, 43, 44, 45]), (42, []), (901, [])])
async def test_the_page_gets_the_members_of_a_group_and_of_nothing_else(
    exq: httpx.AsyncClient, item_id: int, members: list[int]
) -> None:
    assert await asked(exq, "related", mediaId=item_id) == {"related": members}


@pytest.mark.parametrize(("groups", "answer"), [([40], True), ([42], False)])
async def test_the_page_asks_what_is_excluded_with_its_own_names(
    exq: httpx.AsyncClient, groups: list[int], answer: bool
) -> None:
    assert await asked(exq, "excluded", itemId=42, excluded_ids=groups) == {"excludedOrNot": answer}


async def test_the_session_may_stand_flat_among_the_fields(exq: httpx.AsyncClient) -> None:
    answer = await exq.post("/exq/item/base", json={"mediaId": 42, **SESSION, "more": 1})

    assert answer.json()["id"] == 42


async def test_a_collection_goes_by_its_id_too(exq: httpx.AsyncClient) -> None:
    session = {**SESSION, "collection": UUID.hex(), "modelId": 3}
    answer = await exq.post("/exq/item/related", json={"media_ids": [43], "session_info": session})

    assert answer.json() == {"related": {"43": [42, 44, 45]}}


# --- unknown items ---
async def test_batches_leave_unknown_items_out(exq: httpx.AsyncClient) -> None:
    ids = [5, -1, 0, 42, 2**63 - 1, -(2**63)]

    assert [item["id"] for item in (await asked(exq, "base", media_ids=ids))["items"]] == [42]
    assert [item["id"] for item in (await asked(exq, "details", media_ids=ids, tagset_ids=[]))["items"]] == [42]
    assert await asked(exq, "related", media_ids=[5, -1]) == {"related": {"5": [], "-1": []}}


async def test_an_item_that_is_asked_for_twice_comes_twice(exq: httpx.AsyncClient) -> None:
    body = await asked(exq, "base", media_ids=[42, 42])

    assert [item["id"] for item in body["items"]] == [42, 42]


# --- addresses ---
async def test_an_imported_item_without_a_thumbnail_shows_itself(exq: httpx.AsyncClient) -> None:
    (item,) = (await asked(exq, "base", media_ids=[17]))["items"]

    assert item["thumbnail_url"] == item["original_url"] == f"{ORIGINALS}a%20b/100%25%231%3F.jpg"


async def test_our_own_files_get_signed_addresses_and_keep_odd_names(exq: httpx.AsyncClient) -> None:
    (item,) = (await asked(exq, "base", media_ids=[900]))["items"]

    assert item["uri"] == "2025/r\udcff.jpg"
    assert item["original_url"].startswith("http://127.0.0.1:8080/blob/")
    assert item["thumbnail_url"].startswith("http://127.0.0.1:8080/blob/")
    assert item["thumbnail_url"] != item["original_url"]


async def test_a_frame_of_our_own_video_is_shown_itself_and_plays_the_video(
    exq: httpx.AsyncClient, world: World
) -> None:
    film = {"uri": "2025/film.mp4", "kind": pb.MEDIA_KIND_VIDEO, "source": pb.MEDIA_SOURCE_IN_PLACE}
    world.rows += [Row(905, **film), Row(906, **film, frame_of=905)]  # type: ignore[arg-type]

    for items in (
        (await asked(exq, "base", media_ids=[905, 906]))["items"],
        (await asked(exq, "details", media_ids=[905, 906], tagset_ids=[1]))["items"],
    ):
        whole, frame = items
        assert "/blob/t.905." in whole["thumbnail_url"]
        assert "/blob/m.906." in frame["thumbnail_url"]
        assert whole["original_url"] == frame["original_url"]
    assert "/blob/m.906." in (await asked(exq, "base", mediaId=906))["thumbPath"]


async def test_a_group_of_our_own_has_no_file(exq: httpx.AsyncClient) -> None:
    (group,) = (await asked(exq, "base", media_ids=[901]))["items"]

    assert (group["thumbnail_url"], group["original_url"]) == (None, None)


@given(base=st.sampled_from(["https://a.example", "https://a.example/", "https://a.example/b//"]), uri=st.binary())
def test_addresses_are_joined_with_one_slash_and_lose_nothing(base: str, uri: bytes) -> None:
    address = joined(base, b"x" + uri)

    assert address is not None
    assert address.isascii()
    rest = address.removeprefix(base.rstrip("/") + "/")
    assert unquote(rest, errors="surrogateescape").encode("utf-8", "surrogateescape") == b"x" + uri
    assert not {"?", "#", " "} & set(address)


def test_a_collection_without_addresses_has_none() -> None:
    assert joined("", b"a.jpg") is None
    assert joined("", b"https://b.example/a.jpg") == "https://b.example/a.jpg"
    assert joined("https://a.example", b"") is None


def test_an_address_that_is_whole_already_is_encoded_where_it_is_not_yet() -> None:
    assert joined("https://a.example", "http://b.example/ü%20 x?s=1&t=a/b#p".encode()) == (
        "http://b.example/%C3%BC%20%20x?s=1&t=a/b#p"
    )


# --- the same as a computation over the rows ---
VALUES = {"text": st.text(max_size=4), "int": st.integers(-(2**63), 2**63 - 1), "dec": st.floats(allow_nan=False, allow_infinity=False)}  # fmt: skip # noqa: E501


@st.composite
def worlds(draw: st.DrawFn) -> World:
    kinds = draw(st.lists(st.sampled_from(["text", "int", "dec"]), min_size=1, max_size=4))
    tagsets = {number: (f"Set {number}", kind) for number, kind in enumerate(kinds, start=1)}
    rows = [Row(number, f"g/{number}", None, None, is_group=True) for number in range(1, draw(st.integers(1, 4)))]
    groups = st.sampled_from([None, *(row.id for row in rows)])
    ids = draw(st.lists(st.integers(100, 2**62), unique=True, max_size=12))
    for item_id in ids:
        tags = {
            number: draw(st.lists(VALUES[kind], max_size=3))
            for number, (_, kind) in tagsets.items()
            if draw(st.booleans())
        }
        rows.append(Row(item_id, f"d/{item_id}.jpg", draw(st.sampled_from([None, "t.jpg"])), draw(groups), tags=tags))
    return World(rows, tagsets)


def expected_item(row: Row) -> dict[str, Any]:
    return {
        "id": row.id,
        "uri": row.uri,
        "thumbnail_url": f"{THUMBNAILS}/{row.thumbnail}" if row.thumbnail else f"{ORIGINALS}{row.uri}",
        "original_url": f"{ORIGINALS}{row.uri}",
    }


async def compare(client: httpx.AsyncClient, world: World, ids: list[int], tagset_ids: list[int]) -> None:
    found = [row for one in ids if (row := world.row(one))]
    base = await asked(client, "base", media_ids=ids)
    assert base == {"items": [expected_item(row) for row in found]}
    details = await asked(client, "details", media_ids=ids, tagset_ids=tagset_ids)
    assert [item["tags"] for item in details["items"]] == [
        {str(one): row.tags[one] for one in sorted(set(tagset_ids)) if row.tags.get(one)} for row in found
    ]
    related = await asked(client, "related", media_ids=ids)
    groups = {one: row.group if (row := world.row(one)) else None for one in ids}
    assert related == {
        "related": {
            str(one): [] if group is None else [other for other in world.members(group) if other != one]
            for one, group in groups.items()
        }
    }
    for row in found:
        page = await asked(client, "base", mediaId=row.id)
        assert (page["id"], page["name"], page["groupId"]) == (row.id, row.name, row.group)
        shown = await asked(client, "details", mediaId=row.id, filterIds=tagset_ids)
        assert shown == {
            world.tagsets[one][0]: values[0] if len(values) == 1 else values
            for one in tagset_ids
            if one in world.tagsets and (values := row.tags.get(one, []))
        }
        members = await asked(client, "related", mediaId=row.id)
        assert members == {"related": world.members(row.id) if row.is_group else []}
        for fields in ({"media_id": row.id, "excluded_group_ids": ids}, {"itemId": row.id, "excluded_ids": ids}):
            (excluded,) = (await asked(client, "excluded", **fields)).values()
            assert excluded is ((row.id if row.is_group else row.group) in ids)


async def test_both_forms_equal_a_computation_over_the_rows(make_app: MakeApp, service: FakeFs, tmp_path: Path) -> None:
    fake = FakeMetadata()
    target = f"unix:{tmp_path}/metadata.sock"
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(serve_metadata(fake, target))
        client = client_of(await stack.enter_async_context(make_app(metadata_target=target)))
        await stack.enter_async_context(client)
        loop = asyncio.get_running_loop()

        @settings(deadline=None, max_examples=25)
        @given(world=worlds(), data=st.data())
        def holds(world: World, data: st.DataObject) -> None:
            serve(world, fake)
            known = st.sampled_from([row.id for row in world.rows] or [1])
            ids = data.draw(st.lists(known | st.integers(-(2**63), 2**63 - 1), max_size=8))
            tagset_ids = data.draw(st.lists(st.integers(0, 6), max_size=5))
            asyncio.run_coroutine_threadsafe(compare(client, world, ids, tagset_ids), loop).result(30)

        await asyncio.to_thread(holds)


async def test_the_catalogue_is_asked_once_for_a_batch(
    app: FastAPI, exq: httpx.AsyncClient, metadata: FakeMetadata
) -> None:
    for _ in range(3):
        await asked(exq, "base", media_ids=[42, 17])

    assert metadata.count("GetItems") == 3
    assert metadata.count("GetCollection") == 1
    assert metadata.last("GetItems") == pb.GetItemsRequest(collection=SLUG, relative_ids=[42, 17])


async def test_those_that_ask_in_one_moment_are_answered_as_alone(
    app: FastAPI, exq: httpx.AsyncClient, metadata: FakeMetadata
) -> None:
    bodies: list[tuple[str, dict[str, Any]]] = [
        ("base", {"media_ids": [42, 17, 42, 999]}),
        ("details", {"media_ids": [17, 42], "tagset_ids": [1, 3, 5]}),
        ("base", {"media_ids": [830]}),
        ("details", {"media_ids": [830, 7], "tagset_ids": []}),
        ("base", {"media_ids": []}),
        ("related", {"media_ids": [42, 17, 999]}),
        ("related", {"media_ids": [830]}),
    ]
    alone = [await asked(exq, name, **fields) for name, fields in bodies]
    together = await asyncio.gather(*(asked(exq, name, **fields) for name, fields in bodies))

    assert together == alone
    assert metadata.count("GetItemsOfEach") > 0
    assert metadata.count("GetRelatedOfEach") > 0
