"""Interactive retrieval with a model that knows coloured shapes: what is found, what never is, and that a filter means
the same to the catalogue and to search."""

from __future__ import annotations

import base64
import io
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import av
import exquisitor_db as made
import httpx
import numpy as np
import pytest
from api import Api, eventually
from exquisitor_db import Media, Rows
from framewell_client import AsyncFramewell, Framewell, Narrowing
from search_service.shapes import COLOURS, SHAPES, caption, drawn
from stack import REPOSITORY, Stack, running_stack

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]

CHECKPOINT = REPOSITORY / "search-service/tests/tiny/tiny-shapes.pt"
EACH = 4
ALL = 1000
#: A random tree of filters is asked of both; the issue asks for 2,000 in the tests of the stores.
TREES = 300


def encoder() -> str:
    return f"open_clip:tiny-shapes/{CHECKPOINT}"


@pytest.fixture(scope="module")
def searching(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("searching") / "state"
    with running_stack(folder, environment={"FRAMEWELL_ENCODER": encoder()}) as stack:
        yield stack


class Shapes:
    """A review path of pictures of coloured shapes, four of each, and one video; asked as the retrieval page does."""

    def __init__(self, stack: Stack, root: Path) -> None:
        self.root = root
        self.url = stack.url
        self.api = Api(stack.url)
        self.client = httpx.Client(base_url=stack.url, timeout=60, trust_env=False)
        self.names: dict[int, str] = {}
        self.slug = ""

    def fill(self) -> None:
        chance = random.Random(11)
        for colour in COLOURS:
            (self.root / colour).mkdir(parents=True)
            for shape in SHAPES:
                for number in range(EACH):
                    drawn(colour, shape, chance, 96).save(self.root / colour / f"{shape}-{number}.png")
        slides(self.root / "slides.mp4")
        self.api.add_root(self.root)
        self.slug = eventually(self._slug, bool, 60)
        many = len(COLOURS) * len(SHAPES) * EACH + 1
        eventually(self.total, lambda total: total == many, 180)
        self.names = {one: self.uri(one) for one in self.ids("clip", text="anything", n=ALL)}
        assert len(self.names) == many

    def _slug(self) -> str:
        answer = self.client.get("/api/resolve", params={"path": str(self.root)})
        return str(answer.json()["collection"]["slug"]) if answer.status_code == 200 else ""

    def ask(self, address: str, **fields: Any) -> httpx.Response:
        session = {"session": "s", "collection": self.slug, "modelId": 1}
        return self.client.post(f"/exq/{address}", json={**fields, "session_info": session})

    def total(self) -> int:
        return int(self.ask("info/totalItems").json()["total"])

    def ids(self, strategy: str, n: int = 20, **fields: Any) -> list[int]:
        answer = self.ask(f"search/{strategy}", n=n, **fields)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        ids: list[int] = body["suggestions"]
        assert len(set(ids)) == len(ids) == len(body["scores"]) <= n
        assert body["scores"] == sorted(body["scores"], reverse=True)
        return ids

    def found(self, strategy: str, n: int = 20, **fields: Any) -> list[str]:
        return [self.names.get(one) or self.uri(one) for one in self.ids(strategy, n, **fields)]

    def uri(self, item_id: int) -> str:
        (item,) = self.ask("item/base", media_ids=[item_id]).json()["items"]
        return str(item["uri"])

    def id_of(self, name: str) -> int:
        return next(one for one, uri in self.names.items() if uri == name)

    def of(self, prefix: str) -> list[int]:
        return sorted(one for one, uri in self.names.items() if uri.startswith(prefix))

    def tagset(self, name: str) -> tuple[int, int, dict[Any, int]]:
        """Its id, its type, its tags by value."""
        base = f"/exq/info/filters/{{}}s/{self.slug}"
        sets = self.client.get(base.format("")).json()
        one = next(one for one in sets if one["name"] == name)
        values = self.client.get(f"{base.format('values/')}/{one['tagtypeId']}/{one['id']}").json()
        return one["id"], one["tagtypeId"], {value["value"]: value["id"] for value in values}

    def leaf(self, name: str, *values: Any, operator: str = "OR", not_: bool = False) -> dict[str, Any]:
        tagset_id, tagtype_id, tags = self.tagset(name)
        constraint = {"value_ids": [tags[value] for value in values], "operator": operator}
        filter = {"id": tagset_id, "tagtype_id": tagtype_id, "constraint": constraint}
        return {"kind": "leaf", "not_": not_, "filter": filter}

    def close(self) -> None:
        self.api.close()
        self.client.close()


def on_grey(lightest: int, darkest: int) -> random.Random:
    """Chance that begins with a background between the two."""
    greys = ((seed, random.Random(seed).randrange(60, 256)) for seed in range(10_000))
    return random.Random(next(seed for seed, grey in greys if darkest <= grey <= lightest))


def slides(file: Path) -> None:
    """A video that shows a red square on dark grey for three seconds, then a blue circle on light grey."""
    shown = [drawn("red", "square", on_grey(90, 60), 96), drawn("blue", "circle", on_grey(255, 235), 96)]
    with av.open(str(file), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 96
        stream.pix_fmt = "yuv420p"
        stream.bit_rate = 2_000_000
        for number in range(60):
            frame = av.VideoFrame.from_image(shown[number // 30])  # type: ignore[no-untyped-call]
            for packet in stream.encode(frame):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)


@pytest.fixture(scope="module")
def shapes(searching: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shapes]:
    with closing(Shapes(searching, tmp_path_factory.mktemp("shapes"))) as made_of:
        made_of.fill()
        yield made_of


def are(names: list[str], wanted: str) -> int:
    """How many are of a colour and shape, like `red/square`; the video begins with a red square."""
    return sum(name.startswith(wanted) or (wanted == "red/square" and name == "slides.mp4") for name in names)


# --- words, pictures, marks ---
def test_words_find_the_shape_first(shapes: Shapes) -> None:
    right = 0
    for colour in COLOURS:
        for shape in SHAPES:
            found = shapes.found("clip", EACH, text=caption(colour, shape))
            right += are(found, f"{colour}/{shape}")
    assert are(shapes.found("clip", 1, text="a red square"), "red/square") == 1
    assert right >= 0.9 * EACH * len(COLOURS) * len(SHAPES)


def test_a_picture_finds_its_like(shapes: Shapes) -> None:
    stream = io.BytesIO()
    drawn("green", "star", random.Random(99), 200).save(stream, "JPEG")
    url = "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode()

    found = shapes.found("image", EACH, image_b64=url)
    assert are(found[:1], "green/star") == 1
    assert are(found, "green/") == EACH
    own = (shapes.root / "purple/circle-2.png").read_bytes()
    itself = shapes.ask("search/image", n=1, image_b64="data:image/png;base64," + base64.b64encode(own).decode()).json()
    assert itself["suggestions"] == [shapes.id_of("purple/circle-2.png")]
    assert itself["scores"][0] > 0.99
    broken = shapes.ask("search/image", n=5, image_b64="data:image/png;base64,aGVsbG8=")
    assert broken.status_code == 400, broken.text


def test_the_more_is_marked_the_more_is_right(shapes: Shapes) -> None:
    kinds = {colour: shapes.of(f"{colour}/") for colour in COLOURS}
    kinds |= {shape: sorted(one for one, name in shapes.names.items() if f"/{shape}" in name) for shape in SHAPES}
    right = []
    for marks in (1, 2, 4):
        found = 0
        for kind, wanted in kinds.items():
            chance, others = random.Random(kind), sorted(shapes.names.keys() - set(wanted))
            for _ in range(3):
                pos, neg = chance.sample(wanted, marks), chance.sample(others, marks)
                ids = shapes.ids("rf", 5, pos=pos, neg=neg)
                assert len(ids) == 5
                assert not set(ids) & {*pos, *neg}
                found += len(set(ids) & set(wanted))
        assert ids == shapes.ids("rf", 5, pos=pos, neg=neg), "the same request, the same answer"
        right.append(found / (5 * 3 * len(kinds)))
    assert right == sorted(set(right))
    assert right[-1] >= 0.9


def test_marks_alone_words_alone_and_nothing_at_all_find_something(shapes: Shapes) -> None:
    for fields in (
        {"pos": shapes.of("blue/")[:2], "neg": []},
        {"pos": [], "neg": shapes.of("blue/")[:2]},
        {"pos": [], "neg": []},
        {"pos": [], "neg": [], "query": "an orange circle"},
    ):
        assert len(shapes.ids("rf", 10, **fields)) == 10
    words = shapes.found("rf", 10, pos=[], neg=[], query="an orange circle")
    assert are(words, "orange/circle") >= 2


# --- what limits ---
def test_filters_limit_what_comes_back_and_nothing_that_passes_is_missing(shapes: Shapes) -> None:
    red_or_blue = shapes.leaf("Folder", "red", "blue")
    assert sorted(shapes.ids("clip", ALL, text="a star", filters={"root": red_or_blue})) == sorted(
        shapes.of("red/") + shapes.of("blue/")
    )
    assert shapes.found("clip", 3, text="a red square", filters={"root": shapes.leaf("Folder", "green")}) != []
    images = {"kind": "group", "operator": "AND", "children": [red_or_blue, shapes.leaf("Type", "video", not_=True)]}
    for strategy, own in (("clip", {"text": "x"}), ("rf", {"pos": [], "neg": []})):
        assert len(shapes.ids(strategy, ALL, filters={"root": images}, **own)) == 2 * EACH * len(SHAPES)
        assert len(shapes.ids(strategy, 5, filters={"root": images}, **own)) == 5
    assert shapes.ids("clip", ALL, text="x", filters={"root": {"operator": "OR", "children": []}}) == []


def test_seen_ones_and_excluded_ones_with_their_group_stay_away(shapes: Shapes) -> None:
    rounds: list[int] = []
    while page := shapes.ids("clip", 30, text="a blue star", seen=rounds):
        rounds += page
    assert sorted(rounds) == sorted(shapes.names)
    video = shapes.id_of("slides.mp4")
    (frame, *_) = frames_of(shapes, video)
    group = shapes.ask("item/base", mediaId=frame).json()["groupId"]
    assert video in shapes.ids("clip", ALL, text="a red square", excluded=[12345678])
    for excluded in (video, frame, group):
        left = shapes.ids("clip", ALL, text="a red square", excluded=[excluded])
        assert sorted(left) == sorted(shapes.names.keys() - {video})


def frames_of(shapes: Shapes, video: int) -> list[int]:
    """The further frames."""
    found: list[int] = shapes.ask("item/related", media_ids=[video]).json()["related"][str(video)]
    return found


def test_queries_in_a_row_find_the_video_where_they_follow_each_other(shapes: Shapes) -> None:
    video = shapes.id_of("slides.mp4")
    frames = [video, *frames_of(shapes, video)]
    queries = ["a red square", "a blue circle"]
    (found,) = shapes.ids("temporal", 5, queries=queries)
    assert found in frames
    assert shapes.uri(found) == "slides.mp4"
    assert shapes.ids("temporal", 5, queries=queries, seen=frames) == []
    assert shapes.ids("temporal", 5, queries=queries, excluded=[found]) == []

    forwards = shapes.ask("search/temporal", n=5, queries=queries).json()["scores"]
    backwards = shapes.ask("search/temporal", n=5, queries=queries[::-1]).json()["scores"]
    assert forwards > backwards


def test_a_faceted_search_pages_through_a_folder(shapes: Shapes) -> None:
    root = shapes.leaf("Folder", "purple")
    pages = []
    for offset in range(0, 20, 6):
        body = shapes.ask("search/faceted", n=6, offset=offset, filters={"root": root}).json()
        assert (body["total"], body["offset"]) == (EACH * len(SHAPES), offset)
        pages += body["suggestions"]
    assert pages == shapes.of("purple/")


# --- what changes ---
def test_a_trashed_item_is_found_nowhere_within_two_seconds_and_comes_back(shapes: Shapes) -> None:
    name = "orange/star-0.png"
    item, path = shapes.id_of(name), shapes.root / name
    shapes.api.act(path, "trash")

    def sights() -> list[bool]:
        asked = (
            ("clip", {"text": "an orange star"}),
            ("rf", {"pos": shapes.of("orange/star-1"), "neg": []}),
            ("faceted", {"filters": {"root": None}}),
        )
        return [item in shapes.ids(strategy, ALL, **own) for strategy, own in asked]

    try:
        eventually(sights, lambda seen: not any(seen), 2 if "CI" not in os.environ else 4)
        for _ in range(5):
            assert not any(sights())
        trashed = shapes.ids("clip", ALL, text="x", filters={"root": {"not_": True, "operator": "OR", "children": []}})
        assert item not in trashed
    finally:
        shapes.api.act(path, "untrash")
    eventually(sights, all, 5)


# --- a filter means the same to both ---
def framewell(stack: Stack, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FRAMEWELL_")}
    environment["FRAMEWELL_STATE_DIR"] = str(stack.state_dir)
    return subprocess.run(
        [sys.executable, "-m", "gateway.command", *arguments],
        env=environment, capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip


INDEX_TAGSET = 90


def their_rows() -> Rows:
    """Items in groups, with tags of all types on both; every item has a vector."""
    rows = made.generated(400, seed=21)
    rows.tagsets[INDEX_TAGSET] = ("CLIP Index ID", 5)
    for row, item_id in enumerate(rows.items):
        tag = 20_000 + row
        rows.tags[tag] = (INDEX_TAGSET, row)
        rows.medias[item_id].tags.add(tag)
    return rows


@pytest.fixture(scope="module")
def theirs(searching: Stack, shapes: Shapes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Rows, Shapes]]:
    """An imported collection with vectors of its own, asked in the same way."""
    folder, rows = tmp_path_factory.mktemp("theirs"), their_rows()
    dimensions = shapes.client.get("/api/jobs").json()["encoder"]["dimensions"]
    vectors = np.random.default_rng(2).standard_normal((len(rows.items), dimensions)).astype(np.float32)
    np.save(folder / "v.npy", vectors)
    np.save(folder / "short.npy", vectors[:, :-1])
    file = made.write(rows, folder / "theirs.db")
    addresses = ("--thumbnails", made.THUMBNAILS, "--originals", made.ORIGINALS, "--collection", "theirs")
    refused = framewell(searching, "import", "exquisitor", file, *addresses, "--vectors", folder / "short.npy")
    assert refused.returncode == 1
    assert f"The vectors have {dimensions - 1} numbers" in refused.stderr
    done = framewell(searching, "import", "exquisitor", file, *addresses, "--vectors", folder / "v.npy")
    assert done.returncode == 0, done.stderr
    assert f"{len(rows.items)} vectors" in done.stdout
    with closing(Shapes(searching, folder)) as asked:
        asked.slug = "theirs"
        yield rows, asked


def tree(chance: random.Random, rows: Rows, levels: int = 4) -> dict[str, Any]:
    negated = {"not_": chance.random() < 0.3}
    if levels and chance.random() < 0.6:
        children = [tree(chance, rows, levels - 1) for _ in range(chance.randrange(4))]
        return {"kind": "group", "operator": chance.choice(["AND", "OR"]), "children": children, **negated}
    tagset_id = chance.choice(sorted(rows.tagsets))
    tags = [(tag, value) for tag, (of, value) in rows.tags.items() if of == tagset_id]
    constraint: dict[str, Any]
    if chance.random() < 0.6:
        ids = [tag for tag, _ in chance.sample(tags, chance.randrange(min(len(tags), 25)))]
        ids += chance.sample(sorted(rows.tags), chance.randrange(2))
        constraint = {"value_ids": ids, "operator": chance.choice(["OR", "OR", "AND"])}
    else:
        bounds = {name: chance.choice(tags)[1] for name in ("lower_bound", "upper_bound")}
        constraint = {name: value for name, value in bounds.items() if chance.random() < 0.8}
    filter = {"id": tagset_id, "tagtype_id": rows.tagsets[tagset_id][1], "constraint": constraint}
    return {"kind": "leaf", "filter": filter, **negated}


def passes(rows: Rows, media: Media, node: dict[str, Any]) -> bool:
    """The grammar said the slow way, over the rows."""
    if "children" in node:
        of = all if node["operator"] == "AND" else any
        return of(passes(rows, media, child) for child in node["children"]) is not node["not_"]
    leaf, constraint = node["filter"], node["filter"]["constraint"]
    carried = media.tags | (rows.medias[media.group].tags if media.group is not None else set())
    tags = {tag for tag in carried if rows.tags[tag][0] == leaf["id"]}
    if "value_ids" in constraint:
        wanted = set(constraint["value_ids"])
        return (wanted <= tags if constraint["operator"] == "AND" else bool(wanted & tags)) is not node["not_"]
    low, high = constraint.get("lower_bound"), constraint.get("upper_bound")
    values: list[Any] = [rows.tags[tag][1] for tag in tags]
    within = any((low is None or value >= low) and (high is None or value <= high) for value in values)
    return within is not node["not_"]


def test_random_filters_give_the_same_ids_from_the_catalogue_from_search_and_from_the_rows(
    theirs: tuple[Rows, Shapes],
) -> None:
    rows, asked = theirs
    chance, some = random.Random(31), 0
    assert sorted(asked.ids("clip", ALL, text="x")) == rows.items
    assert asked.total() == len(rows.items)
    for _ in range(TREES):
        root = tree(chance, rows)
        wanted = [one for one in rows.items if passes(rows, rows.medias[one], root)]
        by_catalogue = asked.ids("faceted", ALL, filters={"root": root})
        by_search = sorted(asked.ids("clip", ALL, text="a red square", filters={"root": root}))
        assert by_catalogue == by_search == wanted, root
        some += 0 < len(wanted) < len(rows.items)
    assert some > TREES / 4


def test_excluding_an_imported_item_excludes_its_group_and_a_group_its_members(theirs: tuple[Rows, Shapes]) -> None:
    rows, asked = theirs
    group = min(rows.groups)
    members = rows.members(group)
    for excluded in ([members[0]], [group]):
        for strategy, own in (("clip", {"text": "x"}), ("faceted", {"filters": {}})):
            left = asked.ids(strategy, ALL, excluded=excluded, **own)
            assert sorted(left) == [one for one in rows.items if one not in members]


def test_marks_on_items_of_another_collection_change_nothing(theirs: tuple[Rows, Shapes], shapes: Shapes) -> None:
    _, asked = theirs
    others = [2**40 + 1, 2**40 + 2]
    assert shapes.ids("rf", 20, pos=others, neg=[]) == shapes.ids("rf", 20, pos=[], neg=[])
    assert asked.ids("rf", 20, pos=[2**39], neg=[]) == asked.ids("rf", 20, pos=[], neg=[])


# --- the client ---
async def test_the_client_searches_in_every_way_blocking_and_awaited(shapes: Shapes) -> None:
    stream = io.BytesIO()
    drawn("green", "star", random.Random(99), 64).save(stream, "PNG")
    url = "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()
    only_green = Narrowing(filters={"root": shapes.leaf("Folder", "green")})
    seen = Narrowing(seen=shapes.of("green/star"))
    with Framewell(shapes.url) as blocking:
        async with AsyncFramewell(shapes.url) as awaited:
            mine, theirs = blocking.exquisitor, awaited.exquisitor
            pairs = [
                (mine.search_text(shapes.slug, "a star", 9, only_green),
                 await theirs.search_text(shapes.slug, "a star", 9, only_green)),
                (mine.search_feedback(shapes.slug, shapes.of("green/")[:2], [], 9, "a star", seen),
                 await theirs.search_feedback(shapes.slug, shapes.of("green/")[:2], [], 9, "a star", seen)),
                (mine.search_image(shapes.slug, url, 9, seen),
                 await theirs.search_image(shapes.slug, url, 9, seen)),
                (mine.search_filter(shapes.slug, only_green.filters or {}, 9, 3),
                 await theirs.search_filter(shapes.slug, only_green.filters or {}, 9, 3)),
                (mine.search_sequence(shapes.slug, ["a red square", "a blue circle"], 3),
                 await theirs.search_sequence(shapes.slug, ["a red square", "a blue circle"], 3)),
            ]  # fmt: skip
    for one, other in pairs:
        assert one.suggestions == other.suggestions != []
        assert len(one.scores) == len(one.suggestions)
        assert one.completion_time is not None
    assert [one.strategy for one, _ in pairs] == ["clip", "rf", "image", "faceted", "temporal"]
    assert set(pairs[0][0].suggestions) <= set(shapes.of("green/"))
    assert not set(pairs[2][0].suggestions) & set(seen.seen)
    assert (pairs[3][0].offset, pairs[3][0].total) == (3, EACH * len(SHAPES))
    assert pairs[3][0].suggestions == shapes.of("green/")[3:12]
