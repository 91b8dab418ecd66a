"""From files to vectors, with a model small enough for a test: each frame has exactly one, whatever is killed, and what
changes in the catalogue is true of search two seconds later. EMBEDDING_KILLS says how often it is killed (4; `make
chaos`: 20)."""

from __future__ import annotations

import asyncio
import io
import os
import random
import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from api import Api
from media import corrupt, video
from media_proto import metadata_pb2, metadata_pb2_grpc, search_pb2, search_pb2_grpc
from PIL import Image
from stack import REPOSITORY, Stack, running_stack, wait_until

pytest.importorskip("torch", reason="the models are not installed")

from search_service.domain.filters import EVERYTHING
from search_service.domain.points import INDEXES
from search_service.shapes import COLOURS, SHAPES, drawn
from search_service.vectors.edge import EdgeStore

KILLS = int(os.environ.get("EMBEDDING_KILLS", "4"))
TINY = f"open_clip:tiny-shapes/{REPOSITORY}/search-service/tests/tiny/tiny-shapes.pt"
AGREES_S = 2.0

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300 + 60 * KILLS)]


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Stack]:
    with running_stack(tmp_path / "state", environment={"FRAMEWELL_ENCODER": TINY}) as stack:
        yield stack


class Search:
    """The search service and the catalogue by their sockets."""

    def __init__(self, stack: Stack) -> None:
        self._channel = grpc.insecure_channel(
            stack.facts()["sockets"]["search"], [("grpc.max_reconnect_backoff_ms", 100)]
        )
        self.stub = search_pb2_grpc.SearchServiceStub(self._channel)
        self._catalogue = grpc.insecure_channel(stack.facts()["sockets"]["metadata"])
        self.catalogue = metadata_pb2_grpc.MetadataServiceStub(self._catalogue)

    def __enter__(self) -> Search:
        return self

    def __exit__(self, *_: object) -> None:
        self._channel.close()
        self._catalogue.close()

    def progress(self) -> search_pb2.Progress | None:
        """None while it is away."""
        try:
            told = self.stub.GetReadiness(search_pb2.GetReadinessRequest(), timeout=5)
        except grpc.RpcError:
            return None
        return told.progress

    def wait_done(self, at_least: int, within_s: float = 200.0) -> search_pb2.Progress:
        """Everything embedded, and nothing left."""
        told: list[search_pb2.Progress] = []

        def done() -> bool:
            now = self.progress()
            told[:] = [] if now is None else [now]
            return now is not None and now.done + now.dead >= at_least and not now.pending + now.running

        wait_until(done, within_s, f"{at_least} items are embedded: {told}")
        return told[0]

    def collection(self, slug: str) -> metadata_pb2.Collection:
        return self.catalogue.GetCollection(metadata_pb2.GetCollectionRequest(collection=slug), timeout=5)

    def known(self, slug: str) -> int:
        """Items of which the catalogue knows that they have a vector."""
        asked = metadata_pb2.CountItemsRequest(collection=slug)
        return self.catalogue.CountItems(asked, timeout=5).count

    def count(self, collection_id: int, field: Any = None, value: int = 0) -> int:
        scope = search_pb2.Scope(collection_id=collection_id)
        if field is not None:
            scope.filter.has.CopyFrom(search_pb2.HasNumber(field=field, values=[value]))
        return self.stub.CountItems(search_pb2.CountItemsRequest(scope=scope), timeout=5).count


def shapes(folder: Path, each: int) -> int:
    """Coloured shapes, so many of each kind; how many files."""
    chance = random.Random(each)
    folder.mkdir(parents=True, exist_ok=True)
    for colour in COLOURS:
        for shape in SHAPES:
            for number in range(each):
                drawn(colour, shape, chance).save(folder / f"{colour}-{shape}-{number:04}.png")
    return len(COLOURS) * len(SHAPES) * each


def frames_of(state_dir: Path) -> set[int]:
    """What should have a vector: images, and the frames of videos. Of a stack that has stopped."""
    with closing(sqlite3.connect(state_dir / "catalogue.db")) as database:
        stills = database.execute("SELECT id FROM node WHERE kind = ? AND listed", (metadata_pb2.MEDIA_KIND_IMAGE,))
        frames = database.execute(
            "SELECT frame.id FROM frame JOIN node ON node.id = media_id WHERE kind = ?",
            (metadata_pb2.MEDIA_KIND_VIDEO,),
        )
        return {key for (key,) in [*stills, *frames]}


def points_of(state_dir: Path) -> list[int]:
    async def ids() -> list[int]:
        store = EdgeStore(state_dir / "vectors", INDEXES)
        try:
            [name] = await store.collections()
            return await store.ids(name, EVERYTHING, limit=100_000)
        finally:
            await store.close()

    return asyncio.run(ids())


def test_every_frame_has_one_vector_and_nothing_is_embedded_twice(tiny: Stack, tmp_path: Path) -> None:
    root = tmp_path / "library"
    count = shapes(root, 6)
    video(root / "film.mp4", 25.0)
    corrupt(root / "broken.jpg")
    with Search(tiny) as search, closing(Api(tiny.url)) as api:
        api.add_root(root)
        told = search.wait_done(count + 2)
        assert (told.done, told.dead) == (count + 1, 1)
        collection = search.collection("library")
        nearest = search_pb2.FindNearestRequest(
            scope=search_pb2.Scope(collection_id=collection.id), text="a red square", limit=5
        )
        found = search.stub.FindNearest(nearest, timeout=20).scored
        items = metadata_pb2.GetItemsRequest(collection="library", relative_ids=[one.item_id for one in found])
        names = [item.name for item in search.catalogue.GetItems(items, timeout=5).items]
        assert len(names) == 5
        assert all(name.startswith("red-square") for name in names), names
        assert (
            search.catalogue.CountItems(metadata_pb2.CountItemsRequest(collection="library"), timeout=5).count > count
        )
        [dead] = api.jobs()["queues"]["embed"]["deadJobs"]
        assert dead["path"] == str(root / "broken.jpg")
        (root / "broken.jpg").unlink()
        images = metadata_pb2.ListMediaRequest(
            collection="library", recursive=True, kinds=[metadata_pb2.MEDIA_KIND_IMAGE], limit=1
        )

        def noticed() -> bool:
            api.stream(root, limit=1)  # the folder is looked at
            return search.catalogue.ListMedia(images, timeout=5).total == count

        wait_until(noticed, 60, "the catalogue has noticed that the damaged file is gone")
        wait_until(lambda: api.jobs()["idle"], 60, "idle again")
    tiny.stop()
    frames = frames_of(tiny.state_dir)
    assert len(frames) > count + 2  # several of the film
    assert points_of(tiny.state_dir) == sorted(frames)
    embedded = re.findall(r"(\d+) pictures embedded", tiny.terminal())
    assert sum(int(number) for number in embedded) == len(frames)


@pytest.mark.chaos
def test_killed_again_and_again_every_frame_has_one_vector_in_the_end(tiny: Stack, tmp_path: Path) -> None:
    root = tmp_path / "library"
    count = shapes(root, 12 * (KILLS + 1) // 2)
    for number in range(4):
        video(root / f"film{number}.mp4", 12.0)
    with closing(Api(tiny.url)) as api:
        api.add_root(root)
    chance = random.Random(KILLS)

    def began(told: search_pb2.Progress | None, round_: int) -> bool:
        """Jobs are in hand; in every other round, some are done."""
        return told is not None and bool(told.done if round_ % 2 else told.running)

    with Search(tiny) as search:
        for round_ in range(KILLS):
            wait_until(lambda now=round_: began(search.progress(), now), 120, f"it embeds, round {round_}")
            time.sleep(chance.uniform(0.0, 0.8))
            old = tiny.kill("search")
            tiny.wait_restarted("search", old, 30.0)
        # Jobs that were in hand come back when their time is over.
        wait_until(
            lambda: (
                bool((told := search.progress()) and not told.pending + told.running)
                and search.catalogue.CountItems(metadata_pb2.CountItemsRequest(collection="library"), timeout=5).count
                >= count + 4
            ),
            240,
            "all are embedded",
        )
        assert search.progress().dead == 0  # type: ignore[union-attr]
    tiny.stop()
    frames = frames_of(tiny.state_dir)
    assert len(frames) > count + 4
    assert points_of(tiny.state_dir) == sorted(frames)


@pytest.mark.alone
def test_what_is_tagged_moved_or_trashed_is_so_in_search_within_two_seconds_however_much_waits(
    tiny: Stack, tmp_path: Path
) -> None:
    root = tmp_path / "library"
    count = shapes(root, 2)
    key = {"X-Api-Key": (tiny.state_dir / "admin.key").read_text().strip()}

    def ok(method: str, address: str, **given: Any) -> Any:
        answer = httpx.request(method, tiny.url + address, headers=key, timeout=60, trust_env=False, **given)
        assert answer.status_code == 200, answer.text
        return answer.json()

    with closing(Api(tiny.url)) as api:
        api.add_root(root)
    organization = ok("GET", "/api/auth/organization/list")[0]["id"]
    uploads = ok("POST", f"/api/organization/{organization}/datasets", json={"name": "Up"})["id"]
    file = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(file, "PNG")
    form = {"datasetId": uploads}
    ok("POST", "/api/upload/multipart", data=form, files={"file": ("a.png", file.getvalue())})
    with Search(tiny) as search, closing(Api(tiny.url)) as api:
        search.wait_done(count + 1)
        library, up = search.collection("library"), search.collection(uploads)
        [media] = search.catalogue.ListNewest(
            metadata_pb2.ListNewestRequest(collections=[up.slug], limit=5), timeout=5
        ).media
        search.stub.PauseEmbedding(search_pb2.PauseEmbeddingRequest(paused=True), timeout=5)
        more = tmp_path / "more"
        waiting = shapes(more, 40)
        api.add_root(more)
        wait_until(lambda: bool((told := search.progress()) and told.pending >= waiting - 64), 120, "jobs wait")

        def agrees(what: str, true: Callable[[], bool]) -> None:
            began = time.monotonic()
            wait_until(true, 20.0, what)
            assert time.monotonic() - began < AGREES_S, f"{what}: {time.monotonic() - began:.1f} s"

        first = root / "red-square-0000.png"
        assert search.count(library.id) == count
        api.act(first, "trash")
        agrees("trashed", lambda: search.count(library.id) == count - 1)
        api.act(first, "untrash")
        agrees("back", lambda: search.count(library.id) == count)
        (root / "red-square-0001.png").unlink()
        api.stream(root)  # a look at the folder
        agrees("deleted", lambda: search.count(library.id) == count - 1)

        tagged = search.catalogue.AddTag(
            metadata_pb2.TagRequest(uuid=media.uuid, label="mood", value="blue"), timeout=5
        )
        tags = search.catalogue.ListTagsets(metadata_pb2.ListTagsetsRequest(collection=up.slug), timeout=5).tagsets
        mood = next(one for one in tags if one.name == "mood")
        values = search.catalogue.ListTagValues(
            metadata_pb2.ListTagValuesRequest(
                collection=up.slug, tagset_id=mood.relative_id, tagtype=metadata_pb2.TAG_TYPE_ALPHANUMERICAL
            ),
            timeout=5,
        ).values
        tag = up.id_base + values[0].relative_id
        agrees("tagged", lambda: search.count(up.id, search_pb2.FIELD_TAG, tag) == 1)
        folder = search.catalogue.CreateFolder(
            metadata_pb2.CreateFolderRequest(collection=up.slug, name="There"), timeout=5
        )
        assert search.count(up.id, search_pb2.FIELD_FOLDER, folder.item_id) == 0
        search.catalogue.MoveMedia(metadata_pb2.MoveMediaRequest(uuid=tagged.uuid, path=folder.path), timeout=5)
        agrees("moved", lambda: search.count(up.id, search_pb2.FIELD_FOLDER, folder.item_id) == 1)
