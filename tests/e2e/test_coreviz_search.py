"""CoreViz' search and Wickson's vectors against the whole product, with the tiny model over pictures of shapes."""

from __future__ import annotations

import base64
import io
import json
import random
import shlex
import subprocess
from collections.abc import Callable, Iterator
from math import sqrt
from pathlib import Path
from typing import Any

import httpx
import pytest
from api import eventually, query
from framewell_client import Framewell
from PIL import Image
from search_service.shapes import COLOURS, SHAPES, caption, drawn
from stack import REPOSITORY, Stack, running_stack

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

ENCODER = f"open_clip:tiny-shapes/{REPOSITORY}/search-service/tests/tiny/tiny-shapes.pt"
#: Pictures of each colour and shape.
EACH = 3
#: How soon search agrees with what was changed.
SOON_S = 2.0
COMMANDS = (
    (REPOSITORY / "tests/seeds/coreviz-curl.sh.txt").read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
)


def png(colour: str, shape: str, chance: random.Random) -> bytes:
    out = io.BytesIO()
    drawn(colour, shape, chance, 128).save(out, "PNG")
    return out.getvalue()


class Library:
    """A review path of shapes; the names of the files say nothing of what is shown."""

    def __init__(self, stack: Stack, root: Path) -> None:
        self.stack = stack
        self.root = root
        self.key = (stack.state_dir / "admin.key").read_text().strip()
        self.shown: dict[str, str] = {}  # what it is, by name
        chance = random.Random(11)
        kinds = [(colour, shape) for colour in COLOURS for shape in SHAPES] * EACH
        chance.shuffle(kinds)
        for number, (colour, shape) in enumerate(kinds):
            folder = root / ("one" if number % 2 else "two")
            folder.mkdir(parents=True, exist_ok=True)
            name = f"{number:03}.png"
            (folder / name).write_bytes(png(colour, shape, chance))
            self.shown[name] = caption(colour, shape)
        self.ok("POST", "/api/review-paths", json={"path": str(root)})
        eventually(lambda: self.ok("GET", "/api/jobs"), lambda jobs: jobs["idle"], 180)
        faces = self.ok("GET", f"/api/resolve?{query(path=root)}")
        self.dataset: str = faces["collection"]["id"].replace("-", "")

    def call(self, method: str, address: str, **given: Any) -> httpx.Response:
        url = self.stack.url + address
        return httpx.request(method, url, headers={"x-api-key": self.key}, timeout=60, trust_env=False, **given)

    def ok(self, method: str, address: str, **given: Any) -> Any:
        answer = self.call(method, address, **given)
        assert answer.status_code in (200, 201), answer.text
        return answer.json()

    def find(self, dataset: str = "", **parameters: Any) -> list[dict[str, Any]]:
        address = f"/api/dataset/{dataset or self.dataset}/media?{query(**{'limit': 1000, **parameters})}"
        found: list[dict[str, Any]] = self.ok("GET", address)["media"]
        return found

    def names(self, **parameters: Any) -> list[str]:
        return [one["name"] for one in self.find(**parameters)]

    def media(self, name: str) -> dict[str, Any]:
        return next(one for one in self.find(recursive="true") if one["name"] == name)

    def path_of(self, name: str) -> str:
        return str(next(self.root.rglob(name)))

    def act(self, name: str, action: str) -> None:
        self.ok("POST", "/api/media-actions", json={"path": self.path_of(name), "action": action})

    def dataset_for_uploads(self, name: str) -> str:
        organization = self.ok("GET", "/api/auth/organization/list")[0]["id"]
        made: str = self.ok("POST", f"/api/organization/{organization}/datasets", json={"name": name})["id"]
        return made

    def upload(self, dataset: str, content: bytes, name: str, path: str) -> str:
        fields = {"datasetId": dataset, "name": name, "path": path}
        told = self.ok("POST", "/api/upload/multipart", data=fields, files={"file": ("upload", content)})
        media: str = told["mediaId"]
        return media

    def soon(self, look: Callable[[], Any], holds: Callable[[Any], bool]) -> None:
        """It holds before the time is over, counted from now: the change has been answered already."""
        eventually(look, holds, SOON_S)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    folder = tmp_path_factory.mktemp("shapes")
    with running_stack(folder / "state", environment={"FRAMEWELL_ENCODER": ENCODER}) as stack:
        yield Library(stack, folder / "library")


def test_idle_means_that_everything_is_embedded(library: Library) -> None:
    jobs = library.ok("GET", "/api/jobs")

    encoder = jobs["encoder"]
    assert (encoder["name"], encoder["dimensions"], encoder["state"]) == ("open_clip", 64, "ready")
    embed = jobs["queues"]["embed"]
    assert (embed["pending"], embed["running"], embed["dead"], embed["paused"]) == (0, 0, 0, False)
    assert embed["done"] >= len(library.shown)
    shown = library.find(recursive="true", type="image")
    assert len(shown) == len(library.shown)
    assert all(one["frameObjectId"] and len(one["frames"]) == 1 for one in shown)
    assert library.ok("GET", "/health/ready")["dependencies"]["search"] == {"state": "up"}


@pytest.mark.parametrize("words", ["a red square", "a blue circle", "a green star", "a yellow triangle"])
def test_words_find_what_they_say(library: Library, words: str) -> None:
    found = library.find(q=words, limit=EACH)

    assert [library.shown[one["name"]] for one in found] == [words] * EACH
    scores = [one["_score"] for one in found]
    assert scores == sorted(scores, reverse=True)
    assert all(0.05 <= score <= 1 and one["_matchingFrames"] == [] for score, one in zip(scores, found, strict=True))


def test_a_document_that_has_no_vector_is_found_by_its_name(library: Library) -> None:
    dataset = library.dataset_for_uploads("Papers")
    library.upload(dataset, b"%PDF-1.4 not much of a document", "invoice.pdf", dataset)

    [found] = library.find(dataset, q="invoice")

    assert (found["name"], found["frameObjectId"]) == ("invoice.pdf", None)
    assert 0.05 <= found["_score"] < 0.5
    assert library.find(dataset, q="invoice", type="image") == []


def test_the_seeds_scored_samples_are_answered(library: Library) -> None:
    like = library.media(next(iter(library.shown)))
    replacements = {
        "https://lab.coreviz.io": library.stack.url,
        "YOUR_API_KEY": library.key,
        "COLLECTION_ID": library.dataset,
        "OBJECT_ID": like["frameObjectId"],
    }
    for command in (COMMANDS[2], COMMANDS[4]):
        text = command
        for name, value in replacements.items():
            text = text.replace(name, value)
        done = subprocess.run([*shlex.split(text), "-sS"], capture_output=True, text=True, timeout=60, check=True)
        body = json.loads(done.stdout)
        assert list(body) == ["media", "pagination"]
        assert body["pagination"]["total"] >= len(body["media"]) > 0
        browsed = [*library.media(body["media"][0]["name"]), "_score", "_matchingFrames"]
        assert all(list(one) == browsed for one in body["media"])
        assert all(one["type"] != "folder" for one in body["media"])
    javascript = library.ok("GET", f"/api/dataset/{library.dataset}/media?q=red%20shoes&limit=10")
    assert len(javascript["media"]) <= 10


def test_pages_of_a_search_add_up(library: Library) -> None:
    whole = library.find(q="a red square", minScore=-1)
    address = f"/api/dataset/{library.dataset}/media?q=a+red+square&minScore=-1&limit=10&offset="
    pages = [library.ok("GET", f"{address}{offset}") for offset in range(0, 90, 10)]

    assert [one["id"] for page in pages for one in page["media"]] == [one["id"] for one in whole]
    assert [page["pagination"]["hasMore"] for page in pages] == [n < 7 for n in range(9)]
    assert {page["pagination"]["total"] for page in pages} == {len(library.shown)}
    middle = whole[20]["_score"]
    kept = library.find(q="a red square", minScore=repr(middle))
    assert [one["_score"] for one in kept] == [one["_score"] for one in whole if one["_score"] >= middle]


def test_what_looks_alike_is_found_by_an_object_and_not_itself(library: Library) -> None:
    name = next(name for name, what in library.shown.items() if what == "a purple star")
    one = library.media(name)

    found = library.find(similarToObjectId=one["frameObjectId"])

    assert name not in [other["name"] for other in found]
    assert {library.shown[other["name"]] for other in found[: EACH - 1]} == {"a purple star"}
    both = library.find(similarToObjectId=one["frameObjectId"], q="a purple star", limit=1)
    assert library.shown[both[0]["name"]] == "a purple star"
    faces = library.call(
        "GET",
        f"/api/dataset/{library.dataset}/media?similarToObjectId={one['frameObjectId']}&similarToObjectModel=faces",
    )
    assert faces.status_code == 400
    assert faces.json()["error"] == "model 'faces' is not installed on this server"


def test_filters_are_part_of_the_question(library: Library) -> None:
    folders = {one["name"]: one for one in library.find(type="folder")}
    inside = library.names(q="a red square", minScore=-1, path=folders["one"]["path"])

    assert sorted(inside) == sorted(name for name in library.shown if int(name[:3]) % 2)
    assert library.names(q="a red square", minScore=-1, recursive="false") == []
    assert library.names(q="a red square", minScore=-1, type="video") == []
    assert library.names(q="a red square", minScore=-1, type="folder") == []
    assert library.names(q="a red square", minScore=-1, dateTo="2001-01-01") == []
    one = library.media("000.png")
    assert library.names(q="a red square", minScore=-1, mediaId=one["id"]) == ["000.png"]
    day = one["createdAt"][:10]
    assert len(library.names(q="a red square", minScore=-1, dateFrom=day)) == len(library.shown)


def test_a_tag_counts_within_two_seconds(library: Library) -> None:
    names = sorted(library.shown)[:5]
    for name in names:
        library.ok("POST", f"/api/media/{library.media(name)['id']}/tags", json={"label": "pick", "value": "yes"})
    library.soon(lambda: library.names(q="a red square", minScore=-1, tags="yes"), lambda found: sorted(found) == names)
    groups = json.dumps({"pick": ["yes", "no"], "Folder": ["one"]})
    in_one = [name for name in names if int(name[:3]) % 2]
    assert sorted(library.names(q="a red square", minScore=-1, tagFilters=groups)) == in_one
    assert library.names(q="a red square", minScore=-1, tags="unheard of") == []
    gone = library.media(names[0])["id"]
    library.ok("DELETE", f"/api/media/{gone}/tags", json={"label": "pick"})
    library.soon(
        lambda: library.names(q="a red square", minScore=-1, tags="yes"), lambda found: sorted(found) == names[1:]
    )


def test_what_is_trashed_is_not_found_and_what_is_back_is(library: Library) -> None:
    name = library.names(q="an orange circle", limit=1)[0]
    library.act(name, "trash")
    library.soon(lambda: library.names(q="an orange circle", minScore=-1), lambda found: name not in found)
    library.act(name, "untrash")
    library.soon(lambda: library.names(q="an orange circle", limit=1), lambda found: found == [name])


def test_what_is_locked_is_found_and_stays(library: Library) -> None:
    name = library.names(q="an orange star", limit=1)[0]
    library.act(name, "lock")
    assert library.call("DELETE", f"/api/media/{library.media(name)['id']}").status_code == 409
    assert library.names(q="an orange star", limit=1) == [name]
    library.soon(lambda: library.names(q="an orange star", minScore=-1, tags="locked"), lambda found: found == [name])
    library.act(name, "unlock")
    library.soon(lambda: library.names(q="an orange star", minScore=-1, tags="locked"), lambda found: found == [])


def test_an_upload_is_found_where_it_is_and_where_its_folder_goes(library: Library) -> None:
    dataset = library.dataset_for_uploads("Moving")

    def made(name: str) -> dict[str, Any]:
        folder: dict[str, Any] = library.ok("POST", "/api/folder", json={"datasetId": dataset, "name": name})["folder"]
        return folder

    inner, outer = made("inner"), made("outer")
    library.upload(dataset, png("green", "square", random.Random(1)), "x.png", inner["path"])
    eventually(lambda: library.find(dataset, q="a green square"), len, 60)
    assert library.find(dataset, q="a green square", path=outer["path"]) == []

    library.ok("PATCH", f"/api/media/{inner['id']}/move", json={"destinationPath": outer["path"]})

    library.soon(lambda: library.find(dataset, q="a green square", path=outer["path"]), lambda found: len(found) == 1)
    library.ok("DELETE", f"/api/folder/{outer['id']}")
    library.soon(lambda: library.find(dataset, q="a green square", minScore=-1), lambda found: found == [])


def test_wicksons_vectors_are_of_the_space_of_embed(library: Library) -> None:
    slug = library.ok("GET", f"/api/resolve?{query(path=library.root)}")["collection"]["slug"]
    items = library.ok("GET", f"/v1/media?include_vectors=True&page_size=100&collection={slug}")["data"]["items"]
    assert len(items) == len(library.shown)
    model = library.ok("GET", "/api/jobs")["encoder"]["model"]
    for item in items[:5]:
        vector = item["vectors"]["clip"]
        assert (vector["model"], vector["dimensions"], len(vector["values"])) == (model, 64, 64)
        content = Path(library.path_of(item["file_info"]["filename"])).read_bytes()
        picture = "data:image/png;base64," + base64.b64encode(content).decode()
        assert (
            cosine(vector["values"], library.ok("POST", "/api/ai/embed", json={"image": picture})["embedding"]) > 0.99
        )
    words = library.ok("POST", "/api/ai/embeddings", json={"input": "a red square", "type": "text"})["embedding"]
    best = max(items, key=lambda item: cosine(words, item["vectors"]["clip"]["values"]))
    assert library.shown[best["file_info"]["filename"]] == "a red square"


def test_options_are_chosen_among(library: Library) -> None:
    content = Path(library.path_of(library.names(q="a blue circle", limit=1)[0])).read_bytes()
    body = {
        "image": "data:image/png;base64," + base64.b64encode(content).decode(),
        "options": ["red square", "blue circle", "green star"],
    }
    assert library.ok("POST", "/api/ai/tag", json=body) == {"tags": ["blue circle"]}
    unreadable = {**body, "image": "data:image/png;base64,AAAA"}
    assert library.call("POST", "/api/ai/tag", json=unreadable).status_code == 400


def test_the_search_over_everything_names_frames(library: Library) -> None:
    (first, *_) = library.ok("GET", f"/api/search?{query(q='a blue circle', limit=5)}")["results"]

    assert library.shown[first["media"]["name"]] == "a blue circle"
    assert first["id"] == library.media(first["media"]["name"])["frames"][0]["id"]
    ranks = first["rankingMetrics"]
    assert ranks["totalRank"] == first["rank"] == pytest.approx(ranks["textRank"] + ranks["objectEmbeddingRank"])
    assert httpx.get(first["blob"]).headers["content-type"] == "image/png"


def test_objects_are_cut_out_found_by_their_looks_and_clustered(library: Library) -> None:
    chosen = [name for name, what in sorted(library.shown.items()) if what in ("a red circle", "a green triangle")]
    ids = {}
    for name in chosen:
        media = library.media(name)
        whole = {"type": "object", "label": library.shown[name], "model": "objects", "bbox": [0, 0, 128, 128]}
        added = library.ok("POST", f"/api/dataset/{library.dataset}/media/{media['id']}/objects", json=[whole])
        ids[name] = added["objects"][0]["id"]
    start = chosen[0]

    found = library.names(similarToObjectId=ids[start], minScore=-1)
    assert sorted([*found, start]) == sorted(library.shown)
    assert {library.shown[name] for name in found[: EACH - 1]} == {library.shown[start]}

    address = f"/api/dataset/{library.dataset}/clusters"
    clusters = library.ok("POST", address, json={"model": "objects", "minSize": 2})["clusters"]
    assert clusters == library.ok("GET", f"{address}?model=objects")["clusters"]
    assert {one["label"] for one in clusters} == {"a red circle", "a green triangle"}
    for one in clusters:
        members = library.names(clusterId=one["id"])
        assert {library.shown[name] for name in members} == {one["label"]}
        assert one["size"] == len(members)
        assert set(library.names(clusterId=one["id"], q="a red circle", minScore=-1)) == set(members)


def test_an_object_in_a_large_photo_is_cut_out_where_it_is(library: Library) -> None:
    dataset = library.dataset_for_uploads("Large")
    places = {("red", "circle"): (2400, 1500), ("green", "triangle"): (200, 300)}
    photo, out = Image.new("RGB", (3000, 2000), "white"), io.BytesIO()
    for (colour, shape), place in places.items():
        photo.paste(drawn(colour, shape, random.Random(3), 400), place)
        library.upload(dataset, png(colour, shape, random.Random(4)), f"{colour}.png", dataset)
    photo.save(out, "PNG")
    media_id = library.upload(dataset, out.getvalue(), "large.png", dataset)
    eventually(lambda: library.find(dataset, q="x", minScore=-1), lambda found: len(found) == 3, 60)
    (frame,) = library.ok("GET", f"/api/media/{media_id}")["media"]["frames"]
    assert (frame["width"], frame["height"]) == (3000, 2000)
    given = [
        {"type": "object", "label": shape, "model": "objects", "bbox": [*place, 400, 400]}
        for (_, shape), place in places.items()
    ]
    added = library.ok("POST", f"/api/dataset/{dataset}/media/{media_id}/objects", json=given)["objects"]
    for (colour, _), one in zip(places, added, strict=True):
        found = library.find(dataset, similarToObjectId=one["id"], minScore=-1)
        assert found[0]["name"] == f"{colour}.png"
        assert len(found) == 2


@pytest.mark.parametrize(
    "words",
    ["%00", "%F0%9F%90%88", "%ED%A0%80", "%FF", '"', "*%20OR%20(", "a%22%20NEAR/3%20b", "-", "x" * 1000, "%E2%80%AE"],
)
def test_odd_words_are_words(library: Library, words: str) -> None:
    answer = library.call("GET", f"/api/dataset/{library.dataset}/media?q={words}&minScore=-1&limit=3")
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["media"]) == 3
    assert library.call("GET", f"/api/search?q={words}&limit=3").status_code == 200


@pytest.mark.parametrize("image", ["", "data:image/png;base64,", "data:image/svg+xml;base64,PHN2Zy8+", "x" * 100])
def test_what_is_no_picture_is_400(library: Library, image: str) -> None:
    for task in ("embed", "tag"):
        answer = library.call("POST", f"/api/ai/{task}", json={"image": image, "options": ["a", "b"]})
        assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_PARAMETER")


def test_the_python_client_searches(library: Library) -> None:
    words = "a blue circle"
    with Framewell(library.stack.url, library.key) as client:
        core = client.coreviz
        page = core.media_page(library.dataset, 3, q=words)
        assert library.shown[page.media[0].name] == words
        assert page.media[0].score is not None
        assert [one.id for one in core.media(library.dataset, 2, q=words, min_score=page.media[2].score or 0.0)] == [
            one.id for one in page.media
        ]
        (organization,) = core.organizations()
        (found,) = core.search(organization.id, words, 1)
        assert (found.media.name, found.rank) == (page.media[0].name, page.media[0].score)
        assert found.ranking_metrics.total_rank == found.rank
        alike = core.media_page(library.dataset, 1, similar_to_object_id=page.media[0].frame_object_id or "")
        assert library.shown[alike.media[0].name] == words
        assert len(core.embed(text=words)) == 64
        listed = client.wickson.media_page(page_size=1, include_vectors=True, media_type="image")
        assert [set(one.vectors or {}) for one in listed.items] == [{"clip"}]
        jobs = client.platform.jobs()
        assert (jobs.encoder.state, jobs.queues["embed"].paused) == ("ready", False)


def test_embedding_waits_while_it_is_held_back(library: Library) -> None:
    assert library.ok("POST", "/api/jobs/embed/pause", json={"paused": True}) == {"paused": True}
    dataset = library.dataset_for_uploads("Held back")
    library.upload(dataset, png("red", "star", random.Random(2)), "y.png", dataset)
    waiting = eventually(
        lambda: library.ok("GET", "/api/jobs"), lambda jobs: jobs["queues"]["embed"]["pending"] > 0, 30
    )
    assert waiting["idle"] is False
    assert waiting["queues"]["embed"]["paused"] is True
    assert library.find(dataset, q="a red star", minScore=-1) == []
    assert library.ok("POST", "/api/jobs/embed/pause", json={"paused": False}) == {"paused": False}
    eventually(lambda: library.find(dataset, q="a red star", minScore=-1), len, 60)
    eventually(lambda: library.ok("GET", "/api/jobs"), lambda jobs: jobs["idle"], 60)


def test_search_that_dies_is_said_and_comes_back(library: Library) -> None:
    library.stack.kill("search")
    answer = library.call("GET", f"/api/dataset/{library.dataset}/media?q=x")
    assert answer.status_code in (200, 503)
    if answer.status_code == 503:
        assert answer.json()["error"].startswith("semantic search is not available")
    assert library.ok("GET", f"/api/dataset/{library.dataset}/media?recursive=true")["pagination"]["total"] > 0
    eventually(
        lambda: library.call("GET", f"/api/dataset/{library.dataset}/media?q=a+red+square&limit=1"),
        lambda answer: answer.status_code == 200 and answer.json()["media"],
        60,
    )


def test_objects_imported_while_search_is_down_are_found_by_their_looks_when_it_is_back(library: Library) -> None:
    name = next(name for name, what in sorted(library.shown.items()) if what == "a purple star")
    address = f"/api/dataset/{library.dataset}/media/{library.media(name)['id']}/objects"
    late = {"type": "object", "label": "late", "model": "objects", "bbox": [0, 0, 128, 128]}
    old = library.stack.kill("search")
    [added] = library.ok("POST", address, json=[late])["objects"]
    library.stack.wait_restarted("search", old)

    alike = f"/api/dataset/{library.dataset}/media?{query(similarToObjectId=added['id'], limit=EACH - 1)}"
    found = eventually(lambda: library.call("GET", alike), lambda answer: answer.status_code == 200, 60).json()["media"]
    assert {library.shown[one["name"]] for one in found} == {"a purple star"}


def cosine(one: list[float], other: list[float]) -> float:
    lengths = sqrt(sum(x * x for x in one) * sum(y * y for y in other))
    return sum(x * y for x, y in zip(one, other, strict=True)) / lengths
