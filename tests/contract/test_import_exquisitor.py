"""`framewell import exquisitor` into the running stack: every item endpoint compared with a computation over rows."""

from __future__ import annotations

import json
import os
import random
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import exquisitor_db as made
import httpx
import pytest
from exquisitor_db import ORIGINALS, THUMBNAILS, Media, Rows, Variant
from stack import Stack

#: Twenty thousand items, and a process for each call of the command.
pytestmark = pytest.mark.timeout(300)

ITEMS = 20_000
#: How many of the medias the one-item forms are asked for.
SAMPLE = 300


def framewell(stack: Stack, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FRAMEWELL_")}
    environment["FRAMEWELL_STATE_DIR"] = str(stack.state_dir)
    return subprocess.run(
        [sys.executable, "-m", "gateway.command", *arguments],
        env=environment, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip


def imported(stack: Stack, file: Path, name: str, *more: str) -> subprocess.CompletedProcess[str]:
    addresses = ("--thumbnails", THUMBNAILS, "--originals", ORIGINALS)
    return framewell(stack, "import", "exquisitor", file, "--collection", name, *addresses, *more)


class Exquisitor:
    """Requests about one collection."""

    def __init__(self, url: str, slug: str) -> None:
        self.slug = slug
        self.client = httpx.Client(base_url=url, timeout=60, trust_env=False)
        self.session = {"session": "abc123", "collection": slug, "modelId": "model_1"}

    def answer(self, endpoint: str, **fields: Any) -> httpx.Response:
        return self.client.post(f"/exq/{endpoint}", json={"session_info": self.session, **fields})

    def post(self, endpoint: str, **fields: Any) -> Any:
        answer = self.answer(endpoint, **fields)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def close(self) -> None:
        self.client.close()

    def collections(self) -> list[str]:
        return list(self.client.get("/exq/init/abc123").json()["collections"])


@pytest.fixture(scope="module", params=["existing", "documented"])
def world(request: pytest.FixtureRequest, stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The rows, and the collection that came of them."""
    variant: Variant = request.param
    rows = made.generated(ITEMS, seed=len(variant))
    file = made.write(rows, tmp_path_factory.mktemp("db") / "collection.db", variant)
    before = file.read_bytes()
    done = imported(stack, file, f"Lifelog_{variant}", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["collection"]["slug"] == f"Lifelog_{variant}"
    assert told["items"] + told["groups"] == ITEMS
    assert (told["groups"], told["tagsets"], told["tags"]) == (len(rows.groups), len(rows.tagsets), len(rows.tags))
    assert told["taggings"] == sum(len(one.tags) for one in rows.medias.values())
    assert file.read_bytes() == before
    assert [one.name for one in file.parent.iterdir()] == [file.name]
    with closing(Exquisitor(stack.url, f"Lifelog_{variant}")) as exquisitor:
        yield rows, exquisitor


def _batches(rows: Rows) -> Iterator[list[int]]:
    ids = list(rows.medias)
    random.Random(2).shuffle(ids)
    for start in range(0, len(ids), 1000):
        yield ids[start : start + 1000]


def _sample(rows: Rows) -> list[int]:
    return random.Random(3).sample(rows.items, SAMPLE) + random.Random(3).sample(sorted(rows.groups), 60)


def test_base_of_every_media_is_what_its_row_says(world: tuple[Rows, Exquisitor]) -> None:
    rows, exquisitor = world
    for ids in _batches(rows):
        assert exquisitor.post("item/base", media_ids=ids)["items"] == [rows.base(one) for one in ids]
    for one in _sample(rows):
        assert exquisitor.post("item/base", mediaId=one) == rows.page_base(one)


def test_details_of_every_media_are_the_tags_of_its_row(world: tuple[Rows, Exquisitor]) -> None:
    rows, exquisitor = world
    wanted = [*rows.tagsets, 999]
    for ids in _batches(rows):
        items = exquisitor.post("item/details", media_ids=ids, tagset_ids=wanted)["items"]
        assert items == [rows.details(one, wanted) for one in ids]
        for item in items:
            kinds = {tagset: {type(value) for value in values} for tagset, values in item["tags"].items()}
            for tagset, found in kinds.items():
                assert found == {{5: int, 6: float}.get(rows.tagsets[int(tagset)][1], str)}
    for one in _sample(rows):
        assert exquisitor.post("item/details", mediaId=one, filterIds=wanted) == rows.page_details(one, wanted)
        assert exquisitor.post("item/details", mediaId=one) == {}


def test_related_are_the_other_members_of_the_group(world: tuple[Rows, Exquisitor]) -> None:
    rows, exquisitor = world
    members = rows.all_members()
    for ids in _batches(rows):
        groups = {one: members.get(rows.medias[one].group or 0, []) for one in ids}
        expected = {str(one): [other for other in group if other != one] for one, group in groups.items()}
        assert exquisitor.post("item/related", media_ids=ids) == {"related": expected}
    for one in _sample(rows):
        assert exquisitor.post("item/related", mediaId=one) == {"related": members.get(one, [])}


def test_excluded_is_whose_group_is_among_the_given(world: tuple[Rows, Exquisitor]) -> None:
    rows, exquisitor = world
    groups, rng = sorted(rows.groups), random.Random(4)
    for one in _sample(rows):
        given = rng.sample(groups, len(groups) // 2)
        expected = rows.is_excluded(one, given)
        assert exquisitor.post("item/excluded", media_id=one, excluded_group_ids=given) == {"excluded": expected}
        assert exquisitor.post("item/excluded", itemId=one, excluded_ids=given) == {"excludedOrNot": expected}


def test_ids_that_are_not_there_are_nobodys(world: tuple[Rows, Exquisitor]) -> None:
    rows, exquisitor = world
    unknown = [0, -1, max(rows.medias) + 1, 2**32, 2**40 + min(rows.medias), 2**63 - 1, -(2**63)]
    assert exquisitor.post("item/base", media_ids=unknown) == {"items": []}
    assert exquisitor.post("item/details", media_ids=unknown, tagset_ids=[*rows.tagsets, *unknown]) == {"items": []}
    assert exquisitor.post("item/related", media_ids=unknown) == {"related": {str(one): [] for one in unknown}}
    for one in unknown:
        for endpoint, fields in (
            ("item/base", {"mediaId": one}), ("item/details", {"mediaId": one, "filterIds": unknown}),
            ("item/related", {"mediaId": one}), ("item/excluded", {"media_id": one, "excluded_group_ids": unknown}),
        ):  # fmt: skip
            assert exquisitor.answer(endpoint, **fields).status_code == 404


def test_a_session_finds_the_collection_with_its_filters(world: tuple[Rows, Exquisitor]) -> None:
    rows, exquisitor = world
    slug, get = exquisitor.slug, exquisitor.client.get
    assert slug in exquisitor.collections()
    shaped = get("/exq/init/abc123?shape=docs").json()["collections"]
    assert {"name": slug, "total_items": 0} in shaped
    assert exquisitor.post("info/totalItems") == {"total_items": 0, "total": 0}
    filters = get(f"/exq/info/filters/abc123/{slug}").json()
    assert filters == [
        {"id": one, "name": name, "tagtypeId": tagtype, "tagtype": made.TYPES[tagtype]}
        for one, (name, tagtype) in sorted(rows.tagsets.items())
    ]
    for one, (_, tagtype) in rows.tagsets.items():
        values = get(f"/exq/info/filters/values/abc123/{slug}/{tagtype}/{one}").json()
        assert {value["id"]: value["value"] for value in values} == {
            tag: value for tag, (of, value) in rows.tags.items() if of == one
        }
        assert get(f"/exq/info/filters/values/abc123/{slug}/{tagtype % 7 + 1}/{one}").json() == []
    assert get(f"/exq/info/filters/values/abc123/{slug}/8/2").status_code == 404


def test_the_other_dialects_list_it_too(world: tuple[Rows, Exquisitor], stack: Stack) -> None:
    rows, exquisitor = world
    key = {"X-Api-Key": (stack.state_dir / "admin.key").read_text().strip()}
    with httpx.Client(base_url=stack.url, headers=key, timeout=60, trust_env=False) as client:
        faces = client.get("/api/resolve", params={"id": rows.items[5], "collection": exquisitor.slug}).json()
        cid = faces["collection"]["id"]
        by_type = dict.fromkeys(("image", "video", "audio", "text", "other"), 0)
        for one in rows.items:
            by_type[list(by_type)[rows.page_base(one)["mediaType"] - 1]] += 1
        for kind in ("image", "video"):
            found = client.get(f"/api/dataset/{cid}/media", params={"recursive": "true", "type": kind, "limit": 3})
            assert found.json()["pagination"]["total"] == by_type[kind]
        tagged = client.get(
            f"/api/dataset/{cid}/media",
            params={"recursive": "true", "limit": 3, "tagFilters": json.dumps({"Year": ["-1"]})},
        )
        assert tagged.status_code == 200, tagged.text
        listed = client.get("/v1/media", params={"collection": exquisitor.slug, "page_size": 100, "page": 3}).json()
        assert listed["data"]["pagination"]["total_items"] == len(rows.items) - by_type["other"]
        assert len(listed["data"]["items"]) == 100
        folder = client.get(f"/api/dataset/{cid}/media", params={"type": "folder", "limit": 100}).json()["media"]
        assert {"day0", "day49", "other.example.com"} <= {one["name"] for one in folder}
        assert client.get(f"/api/dataset/{cid}/tags").status_code == 200
        media = client.get(f"/api/media/{faces['mediaId']}").json()["media"]
        urls = rows.base(rows.items[5])
        assert media["blob"].startswith(stack.url)
        sent = client.get(media["blob"])
        assert (sent.status_code, sent.headers.get("location")) == (302, urls["original_url"])


def test_a_deed_of_a_browser_leaves_the_collections_own_tagsets_alone(stack: Stack, tmp_path: Path) -> None:
    rows = Rows({4: Media(4, "a/b.jpg", tags={1}), 5: Media(5, None)}, {1: ("Status", 5)}, {1: (1, 7)})
    assert imported(stack, made.write(rows, tmp_path / "c.db"), "deeds").returncode == 0
    key = {"X-Api-Key": (stack.state_dir / "admin.key").read_text().strip()}
    with httpx.Client(base_url=stack.url, headers=key, timeout=60, trust_env=False) as client:
        for one in (4, 5):
            faces = client.get("/api/resolve", params={"id": one, "collection": "deeds"}).json()
            assert client.post(
                f"/api/media/{faces['mediaId']}/tags", json={"label": "mine", "value": "x"}
            ).status_code == 200  # fmt: skip
            assert client.delete(f"/api/media/{faces['mediaId']}").status_code == 200
        listed = client.get("/v1/media", params={"collection": "deeds"}).json()
    assert listed["data"]["pagination"]["total_items"] == 0
    with closing(Exquisitor(stack.url, "deeds")) as exquisitor:
        filters = exquisitor.client.get("/exq/info/filters/abc123/deeds").json()
        assert [(one["id"], one["name"]) for one in filters] == [(1, "Status"), (2, "mine")]
        assert exquisitor.post("item/details", mediaId=4, filterIds=[1, 2]) == {"Status": 7, "mine": "x"}
        assert exquisitor.post("item/base", mediaId=5)["srcPath"] is None


def _broken(file: Path, *statements: str) -> Path:
    connection = sqlite3.connect(made.write(made.generated(200), file))
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()
    return file


@pytest.fixture
def broken(stack: Stack) -> Iterator[Exquisitor]:
    with closing(Exquisitor(stack.url, "broken")) as exquisitor:
        yield exquisitor


def test_what_cannot_be_taken_is_refused_in_a_sentence_and_leaves_nothing(
    stack: Stack, broken: Exquisitor, tmp_path: Path
) -> None:
    """What is told by the file alone is in gateway/tests; here, what only the catalogue can refuse."""
    assert imported(stack, made.write(made.generated(5), tmp_path / "taken.db"), "taken").returncode == 0
    before = broken.collections()
    whole = made.write(made.generated(200), tmp_path / "whole.db")
    bad_date = _broken(
        tmp_path / "date.db", "UPDATE date_tags SET value = 'May' WHERE rowid = (SELECT max(rowid) FROM date_tags)"
    )
    far = _broken(tmp_path / "far.db", "INSERT INTO medias VALUES (5000000000, 'far.jpg', 1, NULL, NULL)")
    cases = (
        (whole, "taken", (), "exists already"),
        (whole, "not/a name", (), "A collection's name has"),
        (whole, "broken", ("--originals", "ftp://x"), "The address of the originals must be like"),
        (whole, "broken", ("--vectors", "v.npy"), "There is no file v.npy"),
        (bad_date, "broken", (), "is not of the type date"),
        (far, "broken", (), "The item id 5000000000 is not between 1 and"),
        (tmp_path / "none.db", "broken", (), "There is no file"),
    )
    for file, name, more, sentence in cases:
        done = imported(stack, file, name, *more)
        assert (done.returncode, done.stdout) == (1, ""), sentence
        assert done.stderr.startswith("framewell: ")
        assert sentence in done.stderr
        assert done.stderr.count("\n") == 1
        assert broken.collections() == before
        assert broken.answer("item/base", media_ids=[1]).status_code == 404
    done = imported(stack, whole, "broken")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "imported broken: 195 items, 5 groups, 9 tagsets, 540 tags\n"
