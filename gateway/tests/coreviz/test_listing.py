"""Browsing: every parameter's rule, and the seed's sample."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

import httpx
import pytest
from gateway.dialects.coreviz.parameters import Question, list_request
from gateway.errors import Failure
from gateway.query import LooseQuery
from hypothesis import given
from hypothesis import strategies as st
from library_world import CID, COLLECTION, CREATED_US, FOLDER_ID, OTHER, PHOTO_ID, World, failed, folder, photo, values
from media_proto import metadata_pb2 as pb

from gateway import library

ADDRESS = f"/api/dataset/{CID}/media"


def parsed(**query: str) -> tuple[pb.ListMediaRequest, Question | None]:
    return list_request(LooseQuery(str(httpx.QueryParams(query)).encode()), COLLECTION)


def refused(**query: str) -> str:
    with pytest.raises(Failure) as failure:
        parsed(**query)
    assert failure.value.status == 400
    return str(failure.value.details["parameter"])


async def test_the_seeds_sample_is_answered_as_documented(client: httpx.AsyncClient) -> None:
    body = (await client.get(f"{ADDRESS}?limit=20&sortDirection=desc")).json()

    assert body["pagination"] == {"total": 142, "limit": 20, "offset": 0, "hasMore": True}
    (media,) = body["media"]
    blob, frame_blob = media.pop("blob"), media["frames"][0].pop("blob")
    assert blob.startswith("http://127.0.0.1:8080/blob/f.12.")
    assert frame_blob.startswith("http://127.0.0.1:8080/blob/t.12.")
    assert media == {
        "id": PHOTO_ID.hex(),
        "name": "hero-shot.jpg",
        "type": "image",
        "path": f"{CID}.{FOLDER_ID.hex()}.{PHOTO_ID.hex()}",
        "datasetId": CID,
        "width": 2400,
        "height": 1600,
        "duration": None,
        "sizeBytes": 184320,
        "createdAt": "2026-03-10T14:22:00.000Z",
        "updatedAt": "2026-03-10T14:22:00.000Z",
        "status": "active",
        "metadata": {"tags": {"category": ["product"], "color": ["red"]}},
        "totalVersions": 1,
        "frameObjectId": (b"o" * 16).hex(),
        "folderItemCount": None,
        "folderPreviews": None,
        "frames": [
            {
                "id": (b"f" * 16).hex(),
                "timestamp": "0",
                "width": 2400,
                "height": 1600,
                "objects": [{"id": (b"d" * 16).hex(), "type": "object", "label": "shoe", "blob": ""}],
            }
        ],
    }


async def test_a_folder_has_a_count_and_previews(client: httpx.AsyncClient, world: World) -> None:
    world.page = pb.MediaPage(media=[folder(), folder(previews=[], items_below=0)], total=2)

    full, empty = (await client.get(ADDRESS)).json()["media"]

    assert (full["blob"], full["sizeBytes"], full["frames"], full["folderItemCount"]) == ("folder", 0, [], 1)
    assert [preview.split("/blob/")[1][:5] for preview in full["folderPreviews"]] == ["t.12."]
    assert (empty["folderItemCount"], empty["folderPreviews"]) == (0, None)
    assert full["metadata"] == {"tags": {}}


async def test_tags_are_sorted_texts_beside_the_metadata(client: httpx.AsyncClient, world: World) -> None:
    tags = {"Year": values(2025, 999), "b": values("z", "a"), "a": values(0.5)}
    metadata = json.dumps({"description": "x", "tags": 1, "n": None})
    world.page = pb.MediaPage(media=[photo(tags=tags, metadata_json=metadata, status="trashed")], total=1)

    (media,) = (await client.get(ADDRESS)).json()["media"]

    assert media["metadata"] == {
        "description": "x", "tags": {"Year": ["999", "2025"], "a": ["0.5"], "b": ["a", "z"]}, "n": None
    }  # fmt: skip
    assert media["status"] == "trashed"


async def test_beyond_the_end_is_an_empty_page_with_the_true_total(client: httpx.AsyncClient, world: World) -> None:
    world.page = pb.MediaPage(total=3)

    body = (await client.get(f"{ADDRESS}?offset=99")).json()

    assert body == {"media": [], "pagination": {"total": 3, "limit": 10, "offset": 99, "hasMore": False}}


async def test_the_curl_of_the_seed_with_tag_filters(client: httpx.AsyncClient, world: World) -> None:
    answer = await client.get(f"{ADDRESS}?tagFilters=%7B%22color%22%3A%5B%22red%22%5D%7D")

    assert answer.status_code == 200
    assert list(world.fake.last("ListMedia").tag_filters) == [pb.TagFilter(tagset="color", values=["red"])]


async def test_scored_mode_says_that_there_is_no_search(client: httpx.AsyncClient) -> None:
    sentence = failed(await client.get(f"{ADDRESS}?q=red+shoes"), 503)
    assert sentence == "semantic search is not available: No search service is set up."


async def test_the_parameters_are_checked_before_search_is_missed(client: httpx.AsyncClient) -> None:
    failed(await client.get(f"{ADDRESS}?q=x&minScore=nan"), 400, "minScore")


@pytest.mark.parametrize("form", [CID.upper(), "-".join((CID[:8], CID[8:12], CID[12:16], CID[16:20], CID[20:]))])
async def test_an_id_is_taken_in_any_form(client: httpx.AsyncClient, form: str) -> None:
    assert (await client.get(f"/api/dataset/{form}/media?path={form}")).status_code == 200


@pytest.mark.parametrize("name", ["nonsense", "0" * 32, "research", "%00", "%F0%9F"])
async def test_an_unknown_collection_is_404_before_a_bad_parameter(client: httpx.AsyncClient, name: str) -> None:
    assert failed(await client.get(f"/api/dataset/{name}/media?limit=x"), 404) == "Collection not found"


async def test_doubled_slashes_and_a_content_type_on_a_get_do_no_harm(client: httpx.AsyncClient) -> None:
    answer = await client.get(f"http://127.0.0.1:8080/{ADDRESS}/", headers={"Content-Type": "application/json"})

    assert answer.status_code == 200


def test_nothing_given_is_the_newest_ten_of_the_root() -> None:
    wanted, scored = parsed()

    assert not scored
    assert wanted == pb.ListMediaRequest(collection=CID, limit=10, sort=pb.SORT_BY_CREATED)
    assert parsed(path="", limit="", type="", tags="", q="  ", unknown="1") == (wanted, None)


@given(limit=st.integers(1, 10**30), offset=st.integers(0, 10**30))
def test_a_limit_above_1000_is_clamped_and_an_offset_may_be_huge(limit: int, offset: int) -> None:
    wanted, _ = parsed(limit=str(limit), offset=str(offset))

    assert wanted.limit == min(limit, 1000)
    assert wanted.offset == min(offset, 10**18)


@given(st.one_of(st.integers(max_value=0).map(str), st.sampled_from(["x", "1.0", "+1", " 1", "1e3", "\u0661"])))
def test_another_limit_is_refused(limit: str) -> None:
    assert refused(limit=limit) == "limit"


@pytest.mark.parametrize("offset", ["-1", "x", "1.5"])
def test_another_offset_is_refused(offset: str) -> None:
    assert refused(offset=offset) == "offset"


@given(st.dates(), st.dates())
def test_days_are_utc_and_both_inclusive(first: date, last: date) -> None:
    wanted, _ = parsed(dateFrom=first.isoformat(), dateTo=last.isoformat())

    begin = int(datetime(first.year, first.month, first.day, tzinfo=UTC).timestamp()) * 1_000_000
    end = int(datetime(last.year, last.month, last.day, tzinfo=UTC).timestamp()) * 1_000_000
    assert wanted.created_from_us == begin
    assert wanted.created_before_us == end + 86_400_000_000


@pytest.mark.parametrize(
    "day",
    ["2026-02-30", "2026-2-3", "20260203", "2026-W01-1", "0000-01-01", "2026-03-10T00:00:00", "x", "２０２６-03-10"],
)
@pytest.mark.parametrize("name", ["dateFrom", "dateTo", "takenFrom", "takenTo"])
def test_what_is_no_real_date_is_refused(name: str, day: str) -> None:
    assert refused(**{name: day}) == name


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ({"type": "Image"}, "type"),
        ({"type": "gif"}, "type"),
        ({"sortBy": "size"}, "sortBy"),
        ({"sortDirection": "up"}, "sortDirection"),
        ({"recursive": "yes"}, "recursive"),
        ({"tagFilters": "{"}, "tagFilters"),
        ({"tagFilters": "[]"}, "tagFilters"),
        ({"tagFilters": '{"a":"b"}'}, "tagFilters"),
        ({"tagFilters": '{"a":[1]}'}, "tagFilters"),
        ({"tagFilters": '{"a":["\\ud800"]}'}, "tagFilters"),
        ({"tagFilters": "[" * 100_000}, "tagFilters"),
        ({"q": "x" * 1001}, "q"),
        ({"minScore": "inf"}, "minScore"),
        ({"minScore": "1_0"}, "minScore"),
        ({"minScore": "1e999"}, "minScore"),
        ({"similarToObjectModel": "cats"}, "similarToObjectModel"),
        ({"path": "nonsense"}, "path"),
        ({"path": OTHER.uuid.hex()}, "path"),
        ({"path": f"{CID}.name"}, "path"),
        ({"path": f"{CID}."}, "path"),
    ],
)
def test_a_parameter_that_is_not_valid_is_named(query: dict[str, str], parameter: str) -> None:
    assert refused(**query) == parameter


@pytest.mark.parametrize(
    ("query", "field", "expected"),
    [
        ({"type": "pdf"}, "kinds", [pb.MEDIA_KIND_DOCUMENT]),
        ({"type": "all"}, "kinds", []),
        ({"type": "folder"}, "kinds", [pb.MEDIA_KIND_FOLDER]),
        ({"sortBy": "prompt"}, "sort", pb.SORT_BY_PROMPT),
        ({"sortDirection": "ASC"}, "ascending", True),
        ({"recursive": "TRUE"}, "recursive", True),
        ({"recursive": "0"}, "recursive", False),
        ({"tags": "red, blue,,"}, "tags", ["red", "blue"]),
        ({"tagFilters": '{"a":[],"b":["x","y"]}'}, "tag_filters", [pb.TagFilter(tagset="b", values=["x", "y"])]),
        ({"tagFilters": "{}"}, "tag_filters", []),
        ({"path": f"{CID}.{FOLDER_ID.hex()}"}, "path", [COLLECTION.uuid, FOLDER_ID]),
        ({"mediaId": PHOTO_ID.hex().upper()}, "media", PHOTO_ID),
        ({"mediaId": "nonsense"}, "media", bytes(16)),
        ({"clusterId": "nonsense"}, "cluster", bytes(16)),
    ],
)
def test_a_parameter_that_is_valid_is_passed_on(query: dict[str, str], field: str, expected: Any) -> None:
    wanted, _ = parsed(**query)

    found = getattr(wanted, field)
    assert (list(found) if isinstance(expected, list) else found) == expected


@pytest.mark.parametrize("path", [f"{CID}.{FOLDER_ID.hex()}", OTHER.uuid.hex(), "nonsense"])
def test_a_media_id_is_looked_for_in_the_whole_collection_whatever_the_path(path: str) -> None:
    wanted, _ = parsed(mediaId=PHOTO_ID.hex(), path=path, recursive="false", type="image")

    assert not wanted.path
    assert not wanted.HasField("recursive")
    assert list(wanted.kinds) == [pb.MEDIA_KIND_IMAGE]


def test_of_several_the_last_one_counts() -> None:
    wanted, _ = list_request(LooseQuery(b"limit=x&limit=3&type=image&type="), COLLECTION)

    assert wanted.limit == 3
    assert not wanted.kinds


def test_a_created_time_is_in_milliseconds_of_utc() -> None:
    assert int(datetime(2026, 3, 10, 14, 22, tzinfo=UTC).timestamp()) * 1_000_000 == CREATED_US


async def test_which_collection_is_meant_is_asked_every_two_seconds(
    client: httpx.AsyncClient, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library, "COLLECTIONS_TTL_S", 1000.0)
    for _ in range(3):
        assert (await client.get(ADDRESS)).status_code == 200
    assert world.fake.count("GetCollection") == 1
    assert (await client.get(f"/api/dataset/{CID}")).status_code == 200
    assert world.fake.count("GetCollection") == 2
    monkeypatch.setattr(library, "COLLECTIONS_TTL_S", 0.0)
    assert (await client.get(ADDRESS)).status_code == 200
    assert world.fake.count("GetCollection") == 3
    for _ in range(2):
        assert (await client.get(f"/api/dataset/{'0' * 32}/media")).status_code == 404
    assert world.fake.count("GetCollection") == 5
