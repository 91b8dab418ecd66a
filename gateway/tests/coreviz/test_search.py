"""Scored mode, the search over all collections, the tasks of `/api/ai/`, objects with vectors, clusters."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from fake_fs import FakeFs, Refused
from fake_search import FakeSearch
from gateway.dialects.coreviz.parameters import list_request
from gateway.query import LooseQuery
from gateway_rig import MakeApp
from hypothesis import given
from hypothesis import strategies as st
from library_world import CID, COLLECTION, CREATED_US, OTHER, PHOTO_ID, World, failed, folder, photo, served
from media_common.errors import ErrorCode
from media_proto import metadata_pb2 as pb
from media_proto import search_pb2

ADDRESS = f"/api/dataset/{CID}/media"
OBJECT = "d" * 32
TAG_FILTERS = "tagFilters=" + quote(json.dumps({"color": ["red"]}))
PNG = b"\x89PNG not much of a picture"
PICTURE = "data:image/png;base64," + base64.b64encode(PNG).decode()
DOWN = Refused(ErrorCode.SERVICE_UNAVAILABLE, "The model is being loaded.")


def found(*scored: tuple[int, float], total: int | None = None) -> search_pb2.FoundPage:
    page = [search_pb2.Scored(item_id=item_id, score=score) for item_id, score in scored]
    return search_pb2.FoundPage(scored=page, total=len(page) if total is None else total)


def place(*, whole: bool, model: str = "") -> pb.ObjectPlace:
    return pb.ObjectPlace(
        object=pb.DetectedObject(object_id=7, uuid=bytes.fromhex(OBJECT), model=model), frame_id=12, media_id=12,
        whole=whole,
    )  # fmt: skip


def has(field: search_pb2.Field.ValueType, *values: int, negated: bool = False) -> search_pb2.Filter:
    return search_pb2.Filter(negated=negated, has=search_pb2.HasNumber(field=field, values=values))


class TestScoredMode:
    async def test_prints_the_score_as_it_is_and_no_matching_frames(
        self, seeing: httpx.AsyncClient, search: FakeSearch
    ) -> None:
        search.answers["FindMatching"] = found((12, 0.30000000000000004), total=142)

        body = (await seeing.get(f"{ADDRESS}?q=red+shoes+on+white+background&limit=20")).json()

        assert body["pagination"] == {"total": 142, "limit": 20, "offset": 0, "hasMore": True}
        (media,) = body["media"]
        browsed = (await seeing.get(ADDRESS)).json()["media"][0]
        assert list(media) == [*browsed, "_score", "_matchingFrames"]
        assert (media["id"], media["_score"], media["_matchingFrames"]) == (PHOTO_ID.hex(), 0.30000000000000004, [])
        assert search.last("FindMatching") == search_pb2.FindMatchingRequest(
            scope=search_pb2.Scope(collection_id=1),
            text="red shoes on white background",
            at_least=0.05,
            limit=20,
            cap=1000,
            find_words=pb.FindTextRequest(
                collection=CID,
                among=pb.ListMediaRequest(collection=CID, recursive=True, limit=20, sort=pb.SORT_BY_CREATED),
            ),
        )

    async def test_keeps_the_order_of_the_search(
        self, seeing: httpx.AsyncClient, search: FakeSearch, world: World
    ) -> None:
        for number in (20, 21, 22):
            world.items[bytes([number]) * 16] = photo(item_id=number, uuid=bytes([number]) * 16)
        search.answers["FindMatching"] = found((21, 0.9), (20, 0.5), (22, 0.5))

        media = (await seeing.get(f"{ADDRESS}?q=x&sortBy=name&sortDirection=asc")).json()["media"]

        assert [(one["id"], one["_score"]) for one in media] == [
            ("15" * 16, 0.9), ("14" * 16, 0.5), ("16" * 16, 0.5)
        ]  # fmt: skip

    async def test_never_shows_what_was_trashed_meanwhile(
        self, seeing: httpx.AsyncClient, search: FakeSearch, world: World
    ) -> None:
        world.items[PHOTO_ID] = photo(listed=False)
        search.answers["FindMatching"] = found((12, 0.5), (99, 0.4), total=2)

        body = (await seeing.get(f"{ADDRESS}?q=x")).json()

        assert body == {"media": [], "pagination": {"total": 2, "limit": 10, "offset": 0, "hasMore": False}}

    async def test_what_was_trashed_meanwhile_gives_its_place_to_the_next(
        self, seeing: httpx.AsyncClient, search: FakeSearch, world: World
    ) -> None:
        for number in range(20, 30):
            uuid = bytes([number]) * 16
            world.items[uuid] = photo(item_id=number, uuid=uuid, listed=number >= 23)

        def matching(asked: search_pb2.FindMatchingRequest) -> search_pb2.FoundPage:
            left = [number for number in range(20, 30) if number not in asked.scope.seen]
            page = left[asked.offset : asked.offset + asked.limit]
            return found(*((number, 1 - number / 100) for number in page), total=len(left))

        search.answers["FindMatching"] = matching

        body = (await seeing.get(f"{ADDRESS}?q=x&limit=2")).json()

        assert [one["id"] for one in body["media"]] == ["17" * 16, "18" * 16]
        assert body["pagination"] == {"total": 7, "limit": 2, "offset": 0, "hasMore": True}
        following = (await seeing.get(f"{ADDRESS}?q=x&limit=2&offset=2")).json()
        assert [one["id"] for one in following["media"]] == ["19" * 16, "1a" * 16]
        assert following["pagination"]["total"] == 7
        uuid = bytes([21]) * 16
        world.items[uuid] = photo(item_id=21, uuid=uuid)  # taken back
        body = (await seeing.get(f"{ADDRESS}?q=x&limit=2")).json()
        assert [one["id"] for one in body["media"]] == ["15" * 16, "17" * 16]

    async def test_never_shows_what_is_of_another_collection(
        self, seeing: httpx.AsyncClient, search: FakeSearch, world: World
    ) -> None:
        world.items[PHOTO_ID] = photo(collection_id=2)
        search.answers["FindMatching"] = found((12, 0.5))

        assert (await seeing.get(f"{ADDRESS}?q=x")).json()["media"] == []

    async def test_puts_every_filter_into_the_query(
        self, seeing: httpx.AsyncClient, search: FakeSearch, world: World
    ) -> None:
        search.answers["FindMatching"] = found()
        world.fake.answers["GetListingScope"] = pb.ListingScope(
            collection_id=1,
            folder_id=3,
            left_out_folder_ids=[4, 5],
            tag_ids=[pb.ItemIds(ids=[6, 7]), pb.ItemIds()],
            item_ids=pb.ItemIds(ids=[12]),
        )
        query = {
            "q": "x",
            "type": "image",
            "dateFrom": "1970-01-02",
            "dateTo": "1970-01-03",
            "tags": "red",
            "tagFilters": '{"color":["red"]}',
            "recursive": "false",
            "path": f"{CID}.{'0' * 32}",
            "clusterId": "f" * 32,
        }

        assert (await seeing.get(ADDRESS, params=query)).status_code == 200

        day_us = 86_400_000_000
        created = search_pb2.Between(field=search_pb2.FIELD_CREATED_US, lower=day_us, upper=3 * day_us - 1)
        assert search.last("FindMatching").scope == search_pb2.Scope(
            collection_id=1,
            filter=search_pb2.Filter(
                all=search_pb2.Filters(
                    parts=[
                        has(search_pb2.FIELD_KIND, pb.MEDIA_KIND_IMAGE),
                        search_pb2.Filter(between=created),
                        has(search_pb2.FIELD_FOLDER, 3),
                        has(search_pb2.FIELD_FOLDER, 4, 5, negated=True),
                        has(search_pb2.FIELD_OWN_TAG, 6, 7),
                        has(search_pb2.FIELD_OWN_TAG),
                        has(search_pb2.FIELD_ITEM, 12),
                    ]
                )
            ),
        )
        asked = world.fake.last("GetListingScope")
        assert (asked.recursive, list(asked.tags), asked.tag_filters[0].tagset) == (False, ["red"], "color")
        assert (asked.cluster, list(asked.path)[1]) == (b"\xff" * 16, bytes(16))

    async def test_has_words_counted_that_the_catalogue_finds_behind_the_same_filters(
        self, seeing: httpx.AsyncClient, search: FakeSearch, world: World
    ) -> None:
        search.answers["FindMatching"] = found()
        world.fake.answers["GetObject"] = place(whole=True)

        await seeing.get(f"{ADDRESS}?q=invoice&type=image&tags=red&limit=3")

        asked = search.last("FindMatching")
        assert (asked.text, asked.find_words.collection) == ("invoice", CID)
        assert asked.find_words.among == world.fake.last("GetListingScope")
        assert asked.scope.collection_id == 1
        assert (asked.find_words.among.recursive, list(asked.find_words.among.tags)) == (True, ["red"])
        await seeing.get(f"{ADDRESS}?similarToObjectId={OBJECT}")
        assert not search.last("FindMatching").HasField("find_words")

    @pytest.mark.parametrize(
        ("query", "recursive"), [("q=x", True), ("q=x&recursive=0", False), ("q=x&recursive=1", True)]
    )
    async def test_looks_at_the_whole_subtree_unless_told_otherwise(
        self, seeing: httpx.AsyncClient, search: FakeSearch, world: World, query: str, recursive: bool
    ) -> None:
        search.answers["FindMatching"] = found()
        await seeing.get(f"{ADDRESS}?{query}")
        assert search.last("FindMatching").find_words.among.recursive is recursive
        assert world.fake.count("GetListingScope") == (0 if recursive else 1)

    @pytest.mark.parametrize(
        "filters", [f"path={CID}", "mediaId=" + "0c" * 16, f"clusterId={OBJECT}", "tags=red", TAG_FILTERS]
    )
    async def test_asks_the_catalogue_what_filters_mean_where_only_it_knows(
        self, seeing: httpx.AsyncClient, search: FakeSearch, world: World, filters: str
    ) -> None:
        search.answers["FindMatching"] = found()
        await seeing.get(f"{ADDRESS}?q=x&type=image&dateFrom=2024-01-01")
        assert world.fake.count("GetListingScope") == 0
        asked = search.last("FindMatching").scope
        assert (asked.collection_id, len(asked.filter.all.parts)) == (1, 2)
        await seeing.get(f"{ADDRESS}?q=x&{filters}")
        assert world.fake.count("GetListingScope") == 1

    async def test_limits_by_the_items_own_days_without_asking_the_catalogue(
        self, seeing: httpx.AsyncClient, search: FakeSearch, world: World
    ) -> None:
        search.answers["FindMatching"] = found()
        day_us = 86_400_000_000
        for query, bounds in (
            ("takenFrom=1970-01-02&takenTo=1970-01-03", {"lower": day_us, "upper": 3 * day_us - 1}),
            ("takenTo=1970-01-03", {"upper": 3 * day_us - 1}),
            ("takenFrom=1970-01-02", {"lower": day_us}),
        ):
            await seeing.get(f"{ADDRESS}?q=x&{query}")
            (part,) = search.last("FindMatching").scope.filter.all.parts
            assert part == search_pb2.Filter(between=search_pb2.Between(field=search_pb2.FIELD_DATED_US, **bounds))
            assert search.last("FindMatching").find_words.among.HasField("dated_from_us") is ("lower" in bounds)
        assert world.fake.count("GetListingScope") == 0

    async def test_pages_no_further_than_results_are_counted(
        self, seeing: httpx.AsyncClient, search: FakeSearch
    ) -> None:
        search.answers["FindMatching"] = found(total=3)

        body = (await seeing.get(f"{ADDRESS}?q=x&limit=5000&offset=99999999999999999999&minScore=-1e3")).json()

        asked = search.last("FindMatching")
        assert (asked.limit, asked.offset, asked.at_least) == (1000, 1000, -1000.0)
        assert body["pagination"]["hasMore"] is False

    async def test_of_a_whole_frame_starts_from_its_own_vector(
        self, seeing: httpx.AsyncClient, search: FakeSearch, world: World
    ) -> None:
        search.answers["FindMatching"] = found()
        world.fake.answers["GetObject"] = place(whole=True)
        for query in ("", "&similarToObjectModel=objects", "&q=x"):
            await seeing.get(f"{ADDRESS}?similarToObjectId={OBJECT}{query}")
            asked = search.last("FindMatching")
            assert (asked.point_id, asked.HasField("object"), asked.text) == (12, False, "x" if "q=" in query else "")
        assert world.fake.last("GetObject") == pb.GetObjectRequest(collection=CID, uuid=bytes.fromhex(OBJECT))

    @pytest.mark.parametrize(
        ("whole", "own", "query", "model"),
        [
            (False, "objects", "", "objects"),
            (False, "faces", "", "faces"),
            (False, "objects", "&similarToObjectModel=faces", "faces"),
            (True, "", "&similarToObjectModel=shoeprints", "shoeprints"),
        ],
    )
    async def test_of_an_object_starts_from_what_its_model_says(
        self,
        seeing: httpx.AsyncClient,
        search: FakeSearch,
        world: World,
        whole: bool,
        own: str,
        query: str,
        model: str,
    ) -> None:
        search.answers["FindMatching"] = found()
        world.fake.answers["GetObject"] = place(whole=whole, model=own)

        await seeing.get(f"{ADDRESS}?similarToObjectId={OBJECT}{query}")

        asked = search.last("FindMatching")
        assert asked.object == search_pb2.ObjectTarget(object_id=7, model=model)
        assert not asked.HasField("point_id")

    @pytest.mark.parametrize("text", [OBJECT, "nonsense", "%00", "é"])
    async def test_of_an_unknown_object_is_404(self, seeing: httpx.AsyncClient, text: str) -> None:
        assert failed(await seeing.get(f"{ADDRESS}?similarToObjectId={text}"), 404) == "Object not found"

    @pytest.mark.parametrize("code", [ErrorCode.INVALID_ARGUMENT, ErrorCode.ITEM_NOT_FOUND])
    async def test_of_an_object_without_a_vector_is_400_with_a_sentence(
        self, seeing: httpx.AsyncClient, search: FakeSearch, world: World, code: ErrorCode
    ) -> None:
        world.fake.answers["GetObject"] = place(whole=False, model="faces")
        sentence = "model 'faces' is not installed on this server"
        search.answers["FindMatching"] = Refused(code, sentence)

        answer = await seeing.get(f"{ADDRESS}?similarToObjectId={OBJECT}")

        assert failed(answer, 400, "similarToObjectId") == sentence

    async def test_of_a_folder_that_is_not_there_is_404(
        self, seeing: httpx.AsyncClient, world: World, search: FakeSearch
    ) -> None:
        world.fake.answers["GetListingScope"] = Refused(ErrorCode.FOLDER_NOT_FOUND, "Folder not found")
        assert failed(await seeing.get(f"{ADDRESS}?q=x&path={CID}.{'0' * 32}"), 404) == "Folder not found"
        assert not search.asked

    async def test_without_an_encoder_is_503_with_the_reason(
        self, seeing: httpx.AsyncClient, search: FakeSearch
    ) -> None:
        search.answers["FindMatching"] = DOWN
        sentence = failed(await seeing.get(f"{ADDRESS}?q=x"), 503)
        assert sentence == "semantic search is not available: The model is being loaded."

    @given(st.text(max_size=40))
    def test_a_question_is_trimmed_and_blank_is_none(self, text: str) -> None:
        query = LooseQuery(str(httpx.QueryParams({"q": text})).encode())
        _, question = list_request(query, COLLECTION)
        told = text.encode("utf-8", "replace").decode().strip()
        assert (question.text if question else "") == told


class TestTheSearch:
    RESULT_KEYS = (
        "id", "timestamp", "width", "height", "blob", "rank", "captions", "objects", "media", "rankingMetrics"
    )  # fmt: skip

    async def test_gives_frames_with_their_ranks(
        self, seeing: httpx.AsyncClient, search: FakeSearch, world: World
    ) -> None:
        shoe = pb.DetectedObject(uuid=b"d" * 16, kind="object", label="shoe", shape_json='{"bbox": [1, 2, 30, 20]}')
        frames = [
            pb.Frame(item_id=12, uuid=b"f" * 16, timestamp_s=0),
            pb.Frame(item_id=40, uuid=b"g" * 16, index=1, timestamp_s=1.5, width_px=64, height_px=48, objects=[shoe]),
        ]
        world.items[PHOTO_ID] = photo(frames=frames, description="Red shoes", kind=pb.MEDIA_KIND_VIDEO)
        search.answers.update(
            EmbedTexts=search_pb2.Vectors(vectors=[search_pb2.Vector(values=[0.6, 0.8])]),
            FindMatching=lambda request: found((12, 1.25)) if request.scope.collection_id == 1 else found((99, 0.1)),
            GetVectors=search_pb2.PointVectors(
                vectors={12: search_pb2.Vector(values=[1.0, 0.0]), 40: search_pb2.Vector(values=[0.0, 1.0])}
            ),
        )

        body = (await seeing.get("/api/search?q=+red+shoes+")).json()

        (result,) = body["results"]
        assert tuple(result) == self.RESULT_KEYS
        assert (result["id"], result["timestamp"], result["width"], result["rank"]) == ("67" * 16, "1.5", 64, 1.25)
        assert result["captions"] == [{"text": "Red shoes"}]
        (object_,) = result["objects"]
        assert object_ == {
            "id": OBJECT.replace("d", "64")[:32], "type": "object", "label": "shoe",
            "polygon": [[1, 2], [31, 2], [31, 22], [1, 22]],
        }  # fmt: skip
        assert list(result["media"]) == ["id", "name", "type", "blob", "width", "height", "duration", "createdAt"]
        ranks = result["rankingMetrics"]
        assert list(ranks) == ["textRank", "objectEmbeddingRank", "totalRank"]
        assert ranks["totalRank"] == 1.25
        assert ranks["objectEmbeddingRank"] == pytest.approx(0.8)
        assert ranks["textRank"] == pytest.approx(0.45)
        asked = [request for name, request in search.asked if name == "FindMatching"]
        assert {one.scope.collection_id for one in asked} == {1, 2}
        assert {(one.text, one.limit, one.at_least) for one in asked} == {("red shoes", 20, 0.05)}

    async def test_gives_the_best_of_all_collections(
        self, seeing: httpx.AsyncClient, search: FakeSearch, world: World
    ) -> None:
        for number in (20, 21, 22):
            world.items[bytes([number]) * 16] = photo(item_id=number, uuid=bytes([number]) * 16, frames=[])
        search.answers.update(
            EmbedTexts=search_pb2.Vectors(vectors=[search_pb2.Vector(values=[1.0])]),
            FindMatching=lambda request: {1: found((20, 0.9), (22, 0.1)), 2: found((21, 0.5))}[
                request.scope.collection_id
            ],
        )

        results = (await seeing.get("/api/search?q=x&limit=2")).json()["results"]

        assert [one["media"]["id"] for one in results] == ["14" * 16, "15" * 16]

    @pytest.mark.parametrize(("limit", "asked"), [("", 3), ("&limit=2", 2), ("&limit=1000", 3)])
    async def test_gives_no_more_than_the_setting_says(
        self,
        search: FakeSearch,
        world: World,
        make_app: MakeApp,
        service: FakeFs,
        socket_path: str,
        tmp_path: Path,
        limit: str,
        asked: int,
    ) -> None:
        search.answers.update(
            EmbedTexts=search_pb2.Vectors(vectors=[search_pb2.Vector(values=[1.0])]), FindMatching=found()
        )
        settings = {"search_target": f"unix:{tmp_path}/search.sock", "search_max_results": 3}
        async with served(world, make_app, socket_path, **settings) as limited:
            assert (await limited.get(f"/api/search?q=x{limit}")).status_code == 200

        assert {(request.limit, request.cap) for name, request in search.asked if name == "FindMatching"} == {
            (asked, 3)
        }

    async def test_has_words_counted_in_every_collection(
        self, seeing: httpx.AsyncClient, search: FakeSearch, world: World
    ) -> None:
        search.answers.update(
            EmbedTexts=search_pb2.Vectors(vectors=[search_pb2.Vector(values=[1.0])]),
            FindMatching=lambda request: found((12, 0.3)) if request.find_words.collection == CID else found(),
            GetVectors=search_pb2.PointVectors(),
        )

        (result,) = (await seeing.get("/api/search?q=invoice")).json()["results"]

        assert (result["media"]["id"], result["rank"], result["rankingMetrics"]["textRank"]) == (
            PHOTO_ID.hex(), 0.3, 0.3,
        )  # fmt: skip
        assert search.last("FindMatching").find_words.among.recursive

    async def test_asks_again_when_another_model_answers_in_the_middle(
        self, seeing: httpx.AsyncClient, search: FakeSearch, world: World
    ) -> None:
        world.items[PHOTO_ID] = photo(frames=[pb.Frame(item_id=12, uuid=b"f" * 16)])
        models = iter(["old", "new"])
        spoken = {"old": [1.0, 0.0], "new": [0.5]}
        scores = {"old": 0.9, "new": 0.5}
        said: list[str] = []

        def words(request: search_pb2.EmbedTextsRequest) -> search_pb2.Vectors:
            said.append(next(models))
            return search_pb2.Vectors(model=said[-1], vectors=[search_pb2.Vector(values=spoken[said[-1]])])

        search.answers.update(
            EmbedTexts=words,
            FindMatching=lambda request: found((12, scores[said[-1]])) if request.scope.collection_id == 1 else found(),
            GetVectors=search_pb2.PointVectors(model="new", vectors={12: search_pb2.Vector(values=[1.0])}),
        )

        (result,) = (await seeing.get("/api/search?q=x")).json()["results"]

        assert (result["rank"], result["rankingMetrics"]["objectEmbeddingRank"]) == (0.5, 0.5)

    async def test_asks_only_what_the_key_sees(self, seeing: httpx.AsyncClient, search: FakeSearch) -> None:
        search.answers.update(
            EmbedTexts=search_pb2.Vectors(vectors=[search_pb2.Vector(values=[1.0])]), FindMatching=found()
        )
        answer = await seeing.get("/api/search?q=x", headers={"X-Api-Key": "elsewhere"})
        assert answer.json() == {"results": []}
        asked = [request.scope.collection_id for name, request in search.asked if name == "FindMatching"]
        assert asked == [OTHER.id]

    async def test_of_another_organisation_finds_nothing(self, seeing: httpx.AsyncClient, search: FakeSearch) -> None:
        assert (await seeing.get("/api/search?q=x&organizationId=nonsense")).json() == {"results": []}
        assert not search.asked

    @pytest.mark.parametrize("query", ["", "q=", "q=+", "q=x&limit=0", f"q={'x' * 1001}"])
    async def test_refuses_what_is_no_question(self, seeing: httpx.AsyncClient, query: str) -> None:
        failed(await seeing.get(f"/api/search?{query}"), 400, "limit" if "limit" in query else "q")

    async def test_without_an_encoder_is_503(self, seeing: httpx.AsyncClient, search: FakeSearch) -> None:
        search.answers["EmbedTexts"] = DOWN
        assert "The model is being loaded." in failed(await seeing.get("/api/search?q=x"), 503)


class TestTasks:
    @pytest.mark.parametrize(
        ("task", "body", "method"),
        [
            ("embed", {"text": "red shoes"}, "EmbedTexts"),
            ("embed", {"image": PICTURE}, "EmbedPictures"),
            ("embeddings", {"input": "red shoes", "type": "text"}, "EmbedTexts"),
            ("embeddings", {"input": "red shoes"}, "EmbedTexts"),
            ("embeddings", {"input": PICTURE, "type": "image"}, "EmbedPictures"),
        ],
    )
    async def test_embed_texts_and_pictures(
        self, seeing: httpx.AsyncClient, search: FakeSearch, task: str, body: Any, method: str
    ) -> None:
        search.answers[method] = search_pb2.Vectors(model="m", vectors=[search_pb2.Vector(values=[0.5, -0.25])])

        answer = await seeing.post(f"/api/ai/{task}", json=body)

        assert (answer.status_code, answer.json()) == (200, {"embedding": [0.5, -0.25]})
        asked = search.last(method)
        assert list(asked.texts if method == "EmbedTexts" else asked.pictures) == [
            "red shoes" if method == "EmbedTexts" else PNG
        ]

    @pytest.mark.parametrize(
        ("task", "body", "field"),
        [
            ("embed", {}, "text"),
            ("embed", {"text": "x", "image": PICTURE}, "text"),
            ("embed", {"text": " "}, "text"),
            ("embed", {"text": "x" * 10_001}, "text"),
            ("embed", {"text": 1}, "text"),
            ("embed", {"image": "https://example.org/a.png"}, "image"),
            ("embed", {"image": "data:image/png;base64,%%"}, "image"),
            ("embed", {"image": "data:image/png;base64,"}, "image"),
            ("embeddings", {"type": "text"}, "input"),
            ("embeddings", {"input": "x", "type": "sound"}, "type"),
            ("embeddings", {"input": "x", "type": ["text"]}, "type"),
            ("embeddings", {"input": "x", "type": "image"}, "input"),
            ("tag", {"image": PICTURE, "options": "shoe"}, "options"),
            ("tag", {"image": PICTURE, "options": [1]}, "options"),
            ("tag", {"image": PICTURE, "options": [""]}, "options"),
            ("tag", {"image": PICTURE, "options": ["x"] * 1001}, "options"),
            ("tag", {"image": PICTURE, "options": ["x"], "multiple": "yes"}, "multiple"),
            ("tag", {"options": ["x"]}, "image"),
            ("tag", {"image": "x", "options": ["x"]}, "image"),
        ],
    )
    async def test_refuse_what_is_not_valid(
        self, seeing: httpx.AsyncClient, search: FakeSearch, task: str, body: Any, field: str
    ) -> None:
        failed(await seeing.post(f"/api/ai/{task}", json=body), 400, field)
        assert not search.asked

    async def test_name_the_field_of_a_picture_that_nobody_can_read(
        self, seeing: httpx.AsyncClient, search: FakeSearch
    ) -> None:
        refusal = Refused(ErrorCode.INVALID_ARGUMENT, "The picture cannot be decoded.")
        search.answers.update(EmbedPictures=refusal, ChooseWords=refusal)
        for task, body in (("embed", {"image": PICTURE}), ("tag", {"image": PICTURE, "options": ["x"]})):
            answer = await seeing.post(f"/api/ai/{task}", json=body)
            assert failed(answer, 400, "image") == "The picture cannot be decoded."

    async def test_choose_among_options(self, seeing: httpx.AsyncClient, search: FakeSearch) -> None:
        search.answers["ChooseWords"] = search_pb2.Words(words=["shoe", "hat"])
        body = {"image": PICTURE, "prompt": "What is it?", "options": [" shoe", "hat", "shoe"], "multiple": True}

        assert (await seeing.post("/api/ai/tag", json=body)).json() == {"tags": ["shoe", "hat"]}

        asked = search.last("ChooseWords")
        assert asked == search_pb2.ChooseWordsRequest(picture=PNG, options=["shoe", "hat"], several=True)


class TestObjects:
    ADDRESS = f"/api/dataset/{CID}/media/{PHOTO_ID.hex()}/objects"
    SHOE = {"type": "object", "label": "shoe", "model": "objects", "bbox": [1, 2, 3, 4]}  # noqa: RUF012
    FACE = {"type": "face", "label": "Ada", "model": "faces", "bbox": [1, 2, 3, 4], "vector": [0.6, 0.8]}  # noqa: RUF012

    @pytest.fixture(autouse=True)
    def models(self, search: FakeSearch) -> None:
        models = [search_pb2.ObjectModel(name=name, dimensions=2) for name in ("faces", "objects")]
        search.answers.update(
            ListModels=search_pb2.Models(object_models=models),
            PutObjectVectors=lambda request: search_pb2.PutVectorsResponse(written=len(request.objects)),
        )

    async def test_bring_their_vectors_or_are_cut_out(self, seeing: httpx.AsyncClient, search: FakeSearch) -> None:
        corner = {**self.SHOE, "polygon": [[5, 9], [1, 2], [7, 3]], "frame": 2}
        del corner["bbox"]
        bare_face = {**self.FACE}
        del bare_face["vector"]
        given = [self.SHOE, self.FACE, corner, {**self.SHOE, "model": "shoeprints"}, bare_face]

        answer = await seeing.post(self.ADDRESS, json=given)

        assert answer.status_code == 201
        assert [one["id"] for one in answer.json()["objects"]] == [f"{n:02x}" * 16 for n in (5, 6, 7, 8, 9)]
        box = search_pb2.Box(x=1, y=2, width=3, height=4)
        put = [request for name, request in search.asked if name == "PutObjectVectors"]
        assert put == [
            search_pb2.PutObjectVectorsRequest(
                model="faces",
                objects=[search_pb2.ObjectVector(object_id=6, item_id=12, vector=search_pb2.Vector(values=[0.6, 0.8]))],
            ),
            search_pb2.PutObjectVectorsRequest(
                model="objects",
                objects=[
                    search_pb2.ObjectVector(object_id=5, item_id=12, box=box),
                    search_pb2.ObjectVector(
                        object_id=7, item_id=12, box=search_pb2.Box(frame=2, x=1, y=2, width=6, height=7)
                    ),
                    search_pb2.ObjectVector(object_id=8, item_id=12, box=box),
                    search_pb2.ObjectVector(object_id=9, item_id=12, box=box),
                ],
            ),
            # A model that is installed is shown its own too; nobody has one for shoeprints here.
            search_pb2.PutObjectVectorsRequest(
                model="faces", objects=[search_pb2.ObjectVector(object_id=9, item_id=12, box=box)]
            ),
        ]

    async def test_go_to_search_in_calls_that_it_takes(self, seeing: httpx.AsyncClient, search: FakeSearch) -> None:
        assert (await seeing.post(self.ADDRESS, json=[self.SHOE] * 130)).status_code == 201
        put = [len(request.objects) for name, request in search.asked if name == "PutObjectVectors"]
        assert put == [64, 64, 2]

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"vector": [0.6]}, "vector"),
            ({"vector": [0, 0]}, "vector"),
            ({"vector": []}, "vector"),
            ({"vector": ["x", 1]}, "vector"),
            ({"vector": "x"}, "vector"),
            ({"vector": [1e300, 1]}, "vector"),
            ({"vector": [True, 1]}, "vector"),
            ({"model": "shoeprints"}, "model"),
        ],
    )
    async def test_with_a_vector_that_does_not_fit_change_nothing(
        self, seeing: httpx.AsyncClient, world: World, changes: dict[str, Any], field: str
    ) -> None:
        failed(await seeing.post(self.ADDRESS, json=[self.SHOE, {**self.FACE, **changes}]), 400, field)
        assert world.fake.count("AddObjects") == 0

    async def test_with_a_vector_of_a_model_that_nobody_asked_yet_have_it_loaded_first(
        self, seeing: httpx.AsyncClient, search: FakeSearch, world: World
    ) -> None:
        def models(request: search_pb2.ListModelsRequest) -> search_pb2.Models:
            dimensions = 3 if "faces" in request.load else 0
            return search_pb2.Models(object_models=[search_pb2.ObjectModel(name="faces", dimensions=dimensions)])

        search.answers["ListModels"] = models

        assert "3 numbers" in failed(await seeing.post(self.ADDRESS, json=[self.SHOE, self.FACE]), 400, "vector")
        assert world.fake.count("AddObjects") == 0

    @pytest.mark.parametrize("trouble", [DOWN, Refused(ErrorCode.INVALID_ARGUMENT, "A vector is made of numbers.")])
    async def test_whose_vectors_cannot_be_kept_are_not_there_and_can_be_sent_again(
        self, seeing: httpx.AsyncClient, search: FakeSearch, world: World, trouble: Refused
    ) -> None:
        def put(request: search_pb2.PutObjectVectorsRequest) -> search_pb2.PutVectorsResponse:
            if request.model == "objects":
                raise trouble
            return search_pb2.PutVectorsResponse(written=len(request.objects))

        search.answers.update(PutObjectVectors=put, RemoveObjectVectors=search_pb2.RemoveObjectVectorsResponse())
        world.fake.answers["RemoveObjects"] = pb.RemoveObjectsResponse()
        given = [self.FACE, {**self.SHOE, "vector": [0.1, 0.2]}, self.SHOE]

        failed(await seeing.post(self.ADDRESS, json=given), 503 if trouble is DOWN else 400)

        assert list(search.last("RemoveObjectVectors").object_ids) == [5, 6, 7]
        assert list(world.fake.last("RemoveObjects").object_ids) == [5, 6, 7]

    async def test_that_cannot_even_be_taken_back_are_told_to_have_failed(
        self, seeing: httpx.AsyncClient, search: FakeSearch, world: World
    ) -> None:
        search.answers.update(PutObjectVectors=DOWN, RemoveObjectVectors=DOWN)
        world.fake.answers["RemoveObjects"] = Refused(ErrorCode.SERVICE_UNAVAILABLE, "It is being restored.")
        assert "being loaded" in failed(await seeing.post(self.ADDRESS, json=[self.FACE]), 503)

    async def test_without_a_vector_are_kept_while_search_is_away(
        self, seeing: httpx.AsyncClient, search: FakeSearch
    ) -> None:
        search.answers.update(PutObjectVectors=DOWN, ListModels=DOWN)
        assert (await seeing.post(self.ADDRESS, json=[self.SHOE])).status_code == 201
        failed(await seeing.post(self.ADDRESS, json=[self.FACE]), 503)


async def test_clusters_are_made_and_answered_as_they_are_listed(
    seeing: httpx.AsyncClient, search: FakeSearch, world: World
) -> None:
    cluster = search_pb2.Cluster(middle_id=5, member_ids=[5, 6, 7])
    search.answers["FindClusters"] = search_pb2.Clusters(clusters=[cluster])

    answer = await seeing.post(f"/api/dataset/{CID}/clusters", json={"model": "objects", "minSize": 3})

    shown = {"id": (b"c" * 16).hex(), "label": "shoe", "size": 3, "objectId": (b"d" * 16).hex()}
    assert answer.json() == {"clusters": [shown]}
    assert search.last("FindClusters") == search_pb2.FindClustersRequest(
        collection_id=1, object_model="objects", min_size=3
    )
    given = pb.GivenCluster(middle_object_id=5, object_ids=[5, 6, 7])
    assert world.fake.last("SetClusters") == pb.SetClustersRequest(collection=CID, model="objects", clusters=[given])


async def test_clusters_of_a_model_that_is_not_installed_are_refused(
    seeing: httpx.AsyncClient, search: FakeSearch
) -> None:
    sentence = "model 'faces' is not installed on this server"
    search.answers["FindClusters"] = Refused(ErrorCode.INVALID_ARGUMENT, sentence)
    assert failed(await seeing.post(f"/api/dataset/{CID}/clusters", json={"model": "faces"}), 400) == sentence


async def test_only_a_writing_key_clusters(seeing: httpx.AsyncClient, search: FakeSearch) -> None:
    answer = await seeing.post(f"/api/dataset/{CID}/clusters", json={"model": "faces"}, headers={"X-Api-Key": "reader"})
    failed(answer, 403)
    assert not search.asked


async def test_folders_are_never_found(seeing: httpx.AsyncClient, search: FakeSearch, world: World) -> None:
    assert folder().created_us == CREATED_US
    search.answers["FindMatching"] = found()
    assert (await seeing.get(f"{ADDRESS}?q=x&type=folder")).json()["media"] == []
    asked = search.last("FindMatching").scope.filter.all.parts
    assert list(asked) == [has(search_pb2.FIELD_KIND, pb.MEDIA_KIND_FOLDER)]
