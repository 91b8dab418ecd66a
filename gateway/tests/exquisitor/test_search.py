"""Searching before a search-service of plain rows: ids, filters, what does not come back, what is refused."""

from __future__ import annotations

import base64
import random
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import search_rows
from exquisitor_world import SESSION
from fake_fs import FakeFs, Refused
from fake_metadata import FakeMetadata, serve_metadata
from fake_search import FakeSearch, serve_search
from gateway_rig import MakeApp, client_of
from media_common.errors import ErrorCode
from media_proto import search_pb2
from search_rows import BASE, Thing, Things

PIXEL = "data:image/png;base64," + base64.b64encode(b"a picture").decode()
OWN: dict[str, dict[str, Any]] = {
    "clip": {"text": "a harbour"},
    "rf": {"pos": [3], "neg": [4], "query": ""},
    "image": {"image_b64": PIXEL},
    "temporal": {"queries": ["a harbour", "a storm"]},
}
VECTORS = tuple(OWN)
OWN["faceted"] = {"filters": {"root": {"operator": "AND", "children": []}}}
STRATEGIES = tuple(OWN)
NEAREST = ("clip", "rf", "image")


@pytest.fixture
def things() -> Things:
    return search_rows.made()


@pytest.fixture
async def metadata(tmp_path: Path) -> AsyncIterator[FakeMetadata]:
    fake = FakeMetadata()
    async with serve_metadata(fake, f"unix:{tmp_path}/metadata.sock"):
        yield fake


@pytest.fixture
async def search(tmp_path: Path) -> AsyncIterator[FakeSearch]:
    fake = FakeSearch()
    async with serve_search(fake, f"unix:{tmp_path}/search.sock"):
        yield fake


@pytest.fixture
async def exq(
    make_app: MakeApp, service: FakeFs, metadata: FakeMetadata, search: FakeSearch, things: Things, tmp_path: Path
) -> AsyncIterator[httpx.AsyncClient]:
    things.serve(metadata, search)
    targets = {f"{name}_target": f"unix:{tmp_path}/{name}.sock" for name in ("metadata", "search")}
    async with make_app(**targets) as app, client_of(app) as client:
        yield client


async def sent(client: httpx.AsyncClient, strategy: str, **fields: Any) -> httpx.Response:
    body = {"n": 10, "session_info": SESSION, **OWN[strategy], **fields}
    return await client.post(f"/exq/search/{strategy}", json=body)


async def found(client: httpx.AsyncClient, strategy: str, **fields: Any) -> list[int]:
    answer = await sent(client, strategy, **fields)
    assert answer.status_code == 200, answer.text
    ids: list[int] = answer.json()["suggestions"]
    return ids


def refused(answer: httpx.Response, status: int) -> str:
    """The sentence of a refusal in the dialect's form."""
    assert answer.status_code == status, (answer.status_code, answer.text)
    body = answer.json()
    assert list(body) == ["error", "message", "detail"]
    assert body["message"] == body["detail"]
    return str(body["detail"])


def judged(strategy: str) -> set[int]:
    return {3, 4} if strategy == "rf" else set()


# --- the answer ---
@pytest.mark.parametrize("strategy", VECTORS)
async def test_an_answer_has_ids_of_the_collection_scores_and_times(exq: httpx.AsyncClient, strategy: str) -> None:
    body = (await sent(exq, strategy)).json()

    assert list(body) == ["suggestions", "scores", "request_timestamp", "completion_time", "strategy"]
    assert body["strategy"] == strategy
    assert len(body["suggestions"]) == len(body["scores"]) == 10
    assert body["scores"] == sorted(body["scores"], reverse=True)
    assert body["request_timestamp"] > 1_700_000_000_000
    assert 0 <= body["completion_time"] < 60_000


@pytest.mark.parametrize("strategy", NEAREST)
@pytest.mark.parametrize("n", [1, 299, 1000])
async def test_as_many_come_back_as_there_are_at_most_n(
    exq: httpx.AsyncClient, things: Things, strategy: str, n: int
) -> None:
    ids = await found(exq, strategy, n=n)

    assert ids == things.best(lambda thing: thing.id not in judged(strategy), n)
    assert len(set(ids)) == len(ids)


async def test_what_is_asked_reaches_search_as_it_was_said(exq: httpx.AsyncClient, search: FakeSearch) -> None:
    for strategy in VECTORS:
        await found(exq, strategy, n=7)
    nearest = [request for method, request in search.asked if method == "FindNearest"]

    assert [request.WhichOneof("target") for request in nearest] == ["text", "picture"]
    assert (nearest[0].text, nearest[1].picture) == ("a harbour", b"a picture")
    feedback = search.last("FindJudged")
    assert (list(feedback.right), list(feedback.wrong), feedback.query) == ([BASE + 3], [BASE + 4], "")
    assert list(search.last("FindInOrder").texts) == ["a harbour", "a storm"]
    assert {request.limit for _, request in search.asked} == {7}


async def test_a_session_may_be_flat(exq: httpx.AsyncClient, things: Things) -> None:
    answer = await exq.post("/exq/search/clip", json={**SESSION, "text": "x", "n": 3})

    assert answer.json()["suggestions"] == things.best(lambda _: True, 3)


async def test_a_temporal_search_names_the_best_item_of_each_group_once(
    exq: httpx.AsyncClient, search: FakeSearch, things: Things
) -> None:
    ids = await found(exq, "temporal", n=1000)
    groups = [next(thing.group for thing in things.things if thing.id == one) for one in ids]
    assert len(set(groups)) == len(groups) == 20

    twice = [search_pb2.Match(group_id=g, score=1.0 / g, best_point_id=BASE + 8) for g in (1, 2)]
    search.answers["FindInOrder"] = search_pb2.Matches(matches=twice)
    assert (await sent(exq, "temporal")).json()["suggestions"] == [8]


# --- what does not come back ---
@pytest.mark.parametrize("strategy", NEAREST)
async def test_what_was_seen_and_what_is_excluded_with_its_group_stays_away(
    exq: httpx.AsyncClient, things: Things, strategy: str
) -> None:
    grouped = [thing for thing in things.things if thing.group][:2]
    seen = [thing.id for thing in things.things[:50]] + [0, -5, 10**12, 2**63 - 1, -(2**63)]
    excluded = [grouped[0].id, 1020, 999_999, 2**63 - 1]
    gone = {grouped[0].group, 1020}

    ids = await found(exq, strategy, n=1000, seen=seen, excluded=excluded)

    assert ids == things.best(
        lambda thing: thing.id not in {*seen, *excluded, *judged(strategy)} and thing.group not in gone, 1000
    )


@pytest.mark.parametrize("strategy", NEAREST)
async def test_what_is_excluded_takes_its_group_along_though_it_has_no_vector(
    exq: httpx.AsyncClient, things: Things, strategy: str
) -> None:
    without = next(thing for thing in things.things if thing.group)
    without.has_vector = False

    ids = await found(exq, strategy, n=1000, excluded=[without.id])

    assert ids == things.best(lambda thing: thing.id not in judged(strategy) and thing.group != without.group, 1000)


@pytest.mark.parametrize("strategy", NEAREST)
@pytest.mark.parametrize(("n", "trashed"), [(10, 1), (10, 70), (1, 200), (200, 99), (1000, 5), (1000, 300)])
async def test_what_is_trashed_is_not_found_though_search_has_not_heard_of_it_and_others_are_instead(
    exq: httpx.AsyncClient, search: FakeSearch, things: Things, strategy: str, n: int, trashed: int
) -> None:
    for thing in sorted(things.things, key=lambda one: one.place)[:trashed]:
        thing.is_trashed = True

    ids = await found(exq, strategy, n=n)

    assert ids == things.best(lambda thing: thing.id not in judged(strategy) and not thing.is_trashed, n)
    assert len(search.asked) <= 8


async def test_a_sequence_of_which_a_part_is_trashed_is_looked_for_again_without_it(
    exq: httpx.AsyncClient, search: FakeSearch, things: Things
) -> None:
    parts = [thing for thing in things.things if thing.group == 1003]
    for thing in parts[1:]:
        thing.is_trashed = True

    def in_order(request: search_pb2.FindInOrderRequest) -> search_pb2.Matches:
        left = [BASE + thing.id for thing in parts if BASE + thing.id not in request.scope.seen][:2]
        matches = [search_pb2.Match(group_id=BASE + 1003, score=0.5, point_ids=left, best_point_id=left[0])]
        return search_pb2.Matches(matches=matches)

    search.answers["FindInOrder"] = in_order

    assert await found(exq, "temporal") == [parts[0].id]
    assert set(search.last("FindInOrder").scope.seen) == {BASE + thing.id for thing in parts[1:]}


async def test_a_search_that_is_deaf_to_what_was_trashed_is_not_asked_for_ever(
    exq: httpx.AsyncClient, search: FakeSearch, things: Things
) -> None:
    things.things[4].is_trashed = True
    search.answers["FindNearest"] = search_pb2.Found(scored=[search_pb2.Scored(item_id=BASE + one) for one in (5, 6)])

    assert await found(exq, "clip", n=2) == [6]
    assert len(search.asked) == 2


async def test_without_the_catalogue_nothing_is_found_rather_than_something_trashed(
    exq: httpx.AsyncClient, metadata: FakeMetadata
) -> None:
    metadata.answers["FindUnlisted"] = Refused(ErrorCode.SERVICE_UNAVAILABLE, "The catalogue is being restored.")

    refused(await sent(exq, "clip"), 503)


@pytest.mark.parametrize("strategy", VECTORS)
async def test_null_and_nothing_and_empty_are_the_same(exq: httpx.AsyncClient, strategy: str) -> None:
    optional = ("seen", "excluded", "filters", "query")
    without = {name: value for name, value in OWN[strategy].items() if name != "query"}
    answers = [
        await exq.post(f"/exq/search/{strategy}", json={"n": 20, "session_info": SESSION, **without, **more})
        for more in (
            {},
            dict.fromkeys(optional),
            {"seen": [], "excluded": [], "filters": {}, "query": ""},
            {"filters": {"root": None}},
        )
    ]

    assert len({str(answer.json()["suggestions"]) for answer in answers}) == 1
    assert len(answers[0].json()["suggestions"]) == 20


async def test_marks_may_be_missing(exq: httpx.AsyncClient, search: FakeSearch) -> None:
    answer = await exq.post("/exq/search/rf", json={"n": 5, "pos": [], "session_info": SESSION})

    assert answer.status_code == 200
    assert not search.last("FindJudged").right


# --- faceted: no vectors, a page of what passes ---
async def test_a_faceted_search_pages_through_what_passes(exq: httpx.AsyncClient, things: Things) -> None:
    root = {"not_": True, "filter": {"id": 2, "tagtype_id": 5, "constraint": {"lower_bound": 100}}}
    grouped = next(thing for thing in things.things if thing.group)
    passing = [
        thing.id
        for thing in things.things
        if things.passes(thing, root) and thing.id != 2 and thing.group != grouped.group
    ]
    assert 20 < len(passing) < len(things.things) - 20

    for offset in (None, 0, 7, len(passing) - 1, len(passing), 10**12):
        answer = await sent(
            exq, "faceted", n=11, offset=offset, seen=[2], excluded=[grouped.id], filters={"root": root}
        )
        body, first = answer.json(), offset or 0
        assert body["suggestions"] == passing[first : first + 11]
        assert body["scores"] == [1.0] * len(body["suggestions"])
        assert (body["offset"], body["total"], body["strategy"]) == (first, len(passing), "faceted")


async def test_a_filter_without_a_root_passes_everything(exq: httpx.AsyncClient, things: Things) -> None:
    for filters in ({}, {"root": None}):
        assert (await sent(exq, "faceted", filters=filters)).json()["total"] == len(things.things)


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"filters": None}, 422),
        ({"offset": -1}, 400),
        ({"offset": 2**63}, 400),
        ({"offset": 1.5}, 422),
        ({"offset": "1"}, 422),
    ],
)
async def test_a_faceted_search_needs_a_filter_and_a_sound_offset(
    exq: httpx.AsyncClient, fields: dict[str, Any], status: int
) -> None:
    refused(await sent(exq, "faceted", **fields), status)


async def test_a_faceted_search_without_the_field_is_422(exq: httpx.AsyncClient) -> None:
    refused(await exq.post("/exq/search/faceted", json={"n": 3, "session_info": SESSION}), 422)


# --- filters ---
@pytest.mark.parametrize("strategy", STRATEGIES)
async def test_a_filter_means_the_same_as_said_in_the_slow_way(
    exq: httpx.AsyncClient, things: Things, strategy: str
) -> None:
    chance = random.Random(strategy)
    some = 0
    for _ in range(120):
        root = search_rows.tree(chance)
        ids = await found(exq, strategy, n=1000, filters={"root": root})
        wanted = things.best(lambda one: things.passes(one, root) and one.id not in judged(strategy), 1000)  # noqa: B023
        if strategy == "faceted":
            wanted.sort()
        if strategy == "temporal":
            wanted = first_of_groups(things, wanted)
        assert ids == wanted, root
        some += 0 < len(wanted) < len(things.things)
    assert some > 20


def first_of_groups(things: Things, ids: list[int]) -> list[int]:
    by_id = {thing.id: thing for thing in things.things}
    first: dict[int, int] = {}
    for one in ids:
        if (group := by_id[one].group) is not None:
            first.setdefault(group, one)
    return list(first.values())


def leaf(**constraint: Any) -> dict[str, Any]:
    return {"filter": {"id": 2, "tagtype_id": 5, "constraint": constraint}}


def nested(levels: int, innermost: dict[str, Any]) -> dict[str, Any]:
    for _ in range(levels):
        innermost = {"operator": "AND", "not_": True, "children": [innermost]}
    return innermost


async def test_thirty_two_levels_pass_and_one_more_is_400(exq: httpx.AsyncClient, things: Things) -> None:
    deepest = leaf(value_ids=[1, 4], operator="AND")
    ids = await found(exq, "clip", n=1000, filters={"root": nested(31, deepest)})
    assert ids == things.best(lambda thing: things.passes(thing, nested(31, deepest)), 1000)

    assert "32" in refused(await sent(exq, "clip", filters={"root": nested(32, deepest)}), 400)


async def test_ten_thousand_value_ids_pass_and_one_more_is_400(exq: httpx.AsyncClient, things: Things) -> None:
    half = list(range(5000))
    root = {"operator": "OR", "children": [leaf(value_ids=half), leaf(value_ids=half)]}
    assert await found(exq, "clip", n=1000, filters={"root": root}) == things.best(
        lambda thing: things.passes(thing, root), 1000
    )

    root["children"].append(leaf(value_ids=[1]))  # type: ignore[attr-defined]
    assert "10000" in refused(await sent(exq, "clip", filters={"root": root}), 400)


async def test_ten_thousand_leaves_of_an_id_each_pass_and_twenty_thousand_expressions_do_not(
    exq: httpx.AsyncClient, metadata: FakeMetadata, search: FakeSearch, things: Things
) -> None:
    some = [leaf(value_ids=[2 + 3 * (number % 8)]) for number in range(10_000)]
    root = {"operator": "OR", "children": some}
    assert await found(exq, "clip", n=1000, filters={"root": root}) == things.best(
        lambda thing: things.passes(thing, root), 1000
    )
    assert len(metadata.last("FindTags").choices) == 1
    assert len(search.last("FindNearest").scope.filter.any.parts) == 1

    refused(
        await sent(exq, "clip", filters={"root": {"operator": "OR", "children": [leaf(value_ids=[])] * 20_000}}), 400
    )


@pytest.mark.parametrize("strategy", ["clip", "faceted"])
async def test_a_hundred_ranges_pass_and_one_more_is_400(
    exq: httpx.AsyncClient, metadata: FakeMetadata, strategy: str
) -> None:
    root = {"operator": "OR", "children": [leaf(lower_bound=number) for number in range(100)]}
    assert await found(exq, strategy, filters={"root": root})
    asked = len(metadata.asked)

    root["children"].append(leaf(lower_bound=100))  # type: ignore[attr-defined]
    assert "100 ranges" in refused(await sent(exq, strategy, filters={"root": root}), 400)
    assert {method for method, _ in metadata.asked[asked:]} <= {"GetCollection"}


async def test_a_bound_beyond_64_bits_is_beyond_all_values(exq: httpx.AsyncClient, things: Things) -> None:
    everything = await found(exq, "clip", n=1000, filters={"root": leaf()})
    assert everything

    for bounds in ({"upper_bound": 10**400}, {"lower_bound": -(10**30)}, {"lower_bound": None, "upper_bound": None}):
        assert await found(exq, "clip", n=1000, filters={"root": leaf(**bounds)}) == everything
    assert await found(exq, "clip", filters={"root": leaf(lower_bound=10**400)}) == []


@pytest.mark.parametrize(
    "root",
    [
        1,
        [],
        "x",
        {},
        {"kind": "tree"},
        {"kind": "group", "operator": "AND"},
        {"kind": "group", "operator": "AND", "children": {}},
        {"operator": "XOR", "children": []},
        {"operator": None, "children": []},
        {"children": []},
        {"operator": "AND", "children": [1]},
        {"operator": "AND", "children": [], "not_": 1},
        {"kind": "leaf"},
        {"kind": "leaf", "filter": None},
        {"filter": {"id": 1}},
        {"filter": {"id": "1", "constraint": {"value_ids": []}}},
        {"filter": {"id": True, "constraint": {"value_ids": []}}},
        {"filter": {"id": 1, "tagtype_id": "x", "constraint": {"value_ids": []}}},
        {"filter": {"id": 1, "constraint": {"value_ids": 3}}},
        {"filter": {"id": 1, "constraint": {"value_ids": [1.0]}}},
        {"filter": {"id": 1, "constraint": {"value_ids": [], "operator": "NOT"}}},
        {"filter": {"id": 1, "constraint": {"lower_bound": []}}},
        {"filter": {"id": 1, "constraint": {"upper_bound": True}}},
        {"filter": {"id": 1, "constraint": []}},
    ],
)
async def test_what_is_not_of_the_grammar_is_422(exq: httpx.AsyncClient, root: Any) -> None:
    refused(await sent(exq, "clip", filters={"root": root}), 422)


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 10**400])
async def test_an_id_of_a_filter_outside_64_bits_is_400(exq: httpx.AsyncClient, number: int) -> None:
    refused(await sent(exq, "clip", filters={"root": leaf(value_ids=[number])}), 400)
    of_set = {"filter": {"id": number, "constraint": {"value_ids": []}}}
    refused(await sent(exq, "clip", filters={"root": of_set}), 400)


async def test_a_bound_that_is_half_a_character_bounds_without_a_fault(exq: httpx.AsyncClient) -> None:
    body = (
        '{"text": "x", "n": 3, "filters": {"root": {"filter": {"id": 1, "constraint": {"lower_bound": "\\ud800"}}}}, '
    )
    body += '"session": "s", "collection": "my_collection", "modelId": 1}'
    answer = await exq.post("/exq/search/clip", content=body, headers={"Content-Type": "application/json"})

    assert answer.status_code == 200


# --- refusals ---
@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"n": 0}, 400),
        ({"n": 1001}, 400),
        ({"n": -(10**30)}, 400),
        ({"n": None}, 422),
        ({"n": 1.5}, 422),
        ({"n": "10"}, 422),
        ({"n": True}, 422),
        ({"seen": 3}, 422),
        ({"seen": ["3"]}, 422),
        ({"seen": [2**63]}, 400),
        ({"excluded": {}}, 422),
        ({"excluded": [-(2**63) - 1]}, 400),
        ({"excluded": [1] * 100_001}, 400),
        ({"filters": []}, 422),
        ({"filters": "x"}, 422),
        ({"session_info": {**SESSION, "collection": "nobody"}}, 404),
        ({"session_info": None}, 422),
    ],
)
async def test_what_every_strategy_refuses(
    exq: httpx.AsyncClient, search: FakeSearch, strategy: str, fields: dict[str, Any], status: int
) -> None:
    refused(await sent(exq, strategy, **fields), status)
    assert not search.asked


@pytest.mark.parametrize(
    ("strategy", "fields", "status"),
    [
        ("clip", {"text": ""}, 400),
        ("clip", {"text": " \n "}, 400),
        ("clip", {"text": "x" * 10_001}, 400),
        ("clip", {"text": None}, 422),
        ("clip", {"text": 5}, 422),
        ("rf", {"pos": "x"}, 422),
        ("rf", {"neg": [None]}, 422),
        ("rf", {"pos": [2**63]}, 400),
        ("rf", {"pos": [1] * 1001}, 400),
        ("rf", {"query": 7}, 422),
        ("image", {"image_b64": None}, 422),
        ("image", {"image_b64": ""}, 400),
        ("image", {"image_b64": "aGVsbG8="}, 400),
        ("image", {"image_b64": "data:image/png;base64,"}, 400),
        ("image", {"image_b64": "data:image/png;base64,!!"}, 400),
        ("image", {"image_b64": "data:image/png,aGVsbG8="}, 400),
        ("image", {"image_b64": "data:text/plain;base64,aGVsbG8="}, 400),
        ("image", {"image_b64": "data:image/png;base64,ü"}, 400),
        ("temporal", {"queries": []}, 400),
        ("temporal", {"queries": ["x"] * 11}, 400),
        ("temporal", {"queries": ["x", ""]}, 400),
        ("temporal", {"queries": "x"}, 422),
        ("temporal", {"queries": None}, 422),
        ("temporal", {"queries": [1]}, 422),
    ],
)
async def test_what_a_strategy_refuses_of_its_own(
    exq: httpx.AsyncClient, search: FakeSearch, strategy: str, fields: dict[str, Any], status: int
) -> None:
    refused(await sent(exq, strategy, **fields), status)
    assert not search.asked


@pytest.mark.parametrize("strategy", ["clip", "temporal", "rf"])
async def test_half_a_character_is_400(exq: httpx.AsyncClient, strategy: str) -> None:
    own = {"clip": '"text": "\\ud800"', "temporal": '"queries": ["\\ud800"]', "rf": '"query": "\\ud800"'}
    body = f'{{{own[strategy]}, "n": 3, "session": "s", "collection": "my_collection", "modelId": 1}}'
    answer = await exq.post(f"/exq/search/{strategy}", content=body, headers={"Content-Type": "application/json"})

    refused(answer, 400)


async def test_a_hundred_thousand_ids_may_have_been_seen(exq: httpx.AsyncClient) -> None:
    seen = [2**40 + number for number in range(100_000)]

    assert len(await found(exq, "clip", seen=seen)) == 10


async def test_a_picture_of_many_megabytes_is_read_and_one_of_too_many_is_413(
    exq: httpx.AsyncClient, search: FakeSearch
) -> None:
    def url(size: int) -> str:
        return "data:image/jpeg;base64," + base64.b64encode(bytes(size)).decode()

    assert len(await found(exq, "image", image_b64=url(8 * 2**20))) == 10
    assert len(search.last("FindNearest").picture) == 8 * 2**20
    refused(await sent(exq, "image", image_b64=url(16 * 2**20)), 413)


# --- search is not there, or refuses ---
DOWN = Refused(ErrorCode.SERVICE_UNAVAILABLE, "The weights could not be read.")


@pytest.mark.parametrize("strategy", VECTORS)
async def test_the_reason_that_search_gives_is_told(exq: httpx.AsyncClient, search: FakeSearch, strategy: str) -> None:
    search.answers |= dict.fromkeys(search.answers, DOWN)

    detail = refused(await sent(exq, strategy), 503)
    assert detail == "semantic search is not available: The weights could not be read."


async def test_what_search_refuses_is_told_in_its_words(exq: httpx.AsyncClient, search: FakeSearch) -> None:
    search.answers["FindNearest"] = Refused(ErrorCode.INVALID_ARGUMENT, "This is no picture that can be read.")

    assert refused(await sent(exq, "image"), 400) == "This is no picture that can be read."


async def test_a_fault_of_search_says_nothing_of_it(exq: httpx.AsyncClient, search: FakeSearch) -> None:
    search.answers["FindNearest"] = RuntimeError("SELECT secret")

    assert "SELECT" not in refused(await sent(exq, "clip"), 500)


@pytest.mark.parametrize("target", ["", "unix:/nonexistent/search.sock"])
async def test_without_a_search_service_the_rest_answers(
    make_app: MakeApp,
    service: FakeFs,
    metadata: FakeMetadata,
    search: FakeSearch,
    things: Things,
    tmp_path: Path,
    target: str,
) -> None:
    things.serve(metadata, search)
    async with (
        make_app(metadata_target=f"unix:{tmp_path}/metadata.sock", search_target=target) as app,
        client_of(app) as client,
    ):
        assert (await sent(client, "faceted")).status_code == 200
        for strategy in VECTORS:
            detail = refused(await sent(client, strategy), 503)
            assert re.fullmatch(r"semantic search is not available: [A-Z].*search service.*\.", detail)
            refused(await sent(client, strategy, n=0), 400)


async def test_a_model_that_is_being_loaded_for_long_is_503_and_says_so(
    make_app: MakeApp, service: FakeFs, metadata: FakeMetadata, search: FakeSearch, things: Things, tmp_path: Path
) -> None:
    things.serve(metadata, search)
    search.answers["FindNearest"] = Refused(ErrorCode.DEADLINE, "late")
    encoder = search_pb2.Encoder(state=search_pb2.ENCODER_STATE_LOADING)
    search.answers["GetReadiness"] = search_pb2.Readiness(encoder=encoder)
    targets = {f"{name}_target": f"unix:{tmp_path}/{name}.sock" for name in ("metadata", "search")}
    async with make_app(**targets) as app, client_of(app) as client:
        detail = refused(await sent(client, "clip"), 503)

    assert detail == "semantic search is not available: The model is being loaded."


def test_the_rows_tell_what_the_grammar_says() -> None:
    """The slow way itself, on cases that anybody can check."""
    things = Things([Thing(1, 0.0, 9, {1})], {1: (1, "a"), 2: (1, "b"), 3: (2, 5)}, {9: {3}})
    [thing] = things.things
    either = {"filter": {"id": 1, "constraint": {"value_ids": [1, 2]}}}
    both = {"filter": {"id": 1, "constraint": {"value_ids": [1, 2], "operator": "AND"}}}
    by_group = {"filter": {"id": 2, "constraint": {"lower_bound": 5}}}

    assert things.passes(thing, either)
    assert not things.passes(thing, both)
    assert things.passes(thing, by_group)
    assert not things.passes(thing, {**by_group, "not_": True})
    assert things.passes(thing, {"operator": "AND", "children": []})
    assert not things.passes(thing, {"operator": "OR", "children": []})


# --- days ---
@pytest.mark.parametrize("strategy", VECTORS)
@pytest.mark.parametrize("filtered", [False, True])
async def test_days_go_into_the_vector_query_beside_the_filters(
    exq: httpx.AsyncClient, search: FakeSearch, strategy: str, filtered: bool
) -> None:
    passing = {"root": {"operator": "AND", "children": []}}
    fields: dict[str, Any] = {"filters": passing} if filtered else {}
    await sent(exq, strategy, taken={"from": "1970-01-02", "to": "1970-01-02"}, **fields)
    name = {"rf": "FindJudged", "temporal": "FindInOrder"}.get(strategy, "FindNearest")
    *others, last = search.last(name).scope.filter.all.parts
    day_us = 86_400_000_000
    assert (last.between.field, last.between.lower, last.between.upper) == (
        search_pb2.FIELD_DATED_US,
        day_us,
        2 * day_us - 1,
    )
    assert len(others) == filtered


@pytest.mark.parametrize(
    ("taken", "status"),
    [("2026", 422), ([], 422), ({"from": 3}, 422), ({"from": "2026-02-30"}, 400), ({"to": "x"}, 400)],
)
async def test_what_are_no_days_is_refused(exq: httpx.AsyncClient, taken: Any, status: int) -> None:
    assert "taken" in refused(await sent(exq, "rf", taken=taken), status)


async def test_days_do_not_go_with_a_search_by_tags_alone(exq: httpx.AsyncClient) -> None:
    assert "taken" in refused(await sent(exq, "faceted", taken={"from": "2026-01-01"}), 400)
