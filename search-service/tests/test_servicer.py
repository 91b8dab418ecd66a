"""Every call over a real socket, with the exact store behind it and a model that knows four words."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from media_common.blobs.folder import FolderStore
from media_common.errors import ErrorCode
from media_common.grpc_client import error_code_of, open_channel
from media_common.grpc_server import serving
from media_proto import metadata_pb2, search_pb2_grpc
from media_proto import search_pb2 as pb
from PIL import Image
from search_service.config import decoding_environment
from search_service.domain import points
from search_service.domain.agreement import SEAL
from search_service.domain.items import Item, Still
from search_service.domain.objects import Giving
from search_service.domain.points import Facts
from search_service.domain.vectors import Point, Vector, VectorStore, unit
from search_service.encoders.choosing import Choosing
from search_service.encoders.object_models import ObjectModels
from search_service.engine import Engine
from search_service.frames import Frames
from search_service.loading.given import GivenPictures
from search_service.loading.pixels import Pixels, Place
from search_service.loading.pool import Pool
from search_service.loading.process import DecodingProcess
from search_service.objects import Objects
from search_service.servicer import SearchServicer
from search_service.vectors.memory import MemoryStore

WORDS = ("red", "green", "blue", "grey")


class Colours:
    """A picture is its mean colour, a text the colours it names. Implements `Encoder`."""

    name, model, space, dimensions = "offline", "colours", "colours-1", 4

    def images(self, batch: Sequence[Image.Image]) -> Vector:
        return unit(np.array([[*np.asarray(picture).mean((0, 1)), 1] for picture in batch], np.float32))

    def texts(self, batch: Sequence[str]) -> Vector:
        return unit(np.array([[word in text for word in WORDS] for text in batch], np.float32) + 1e-6)


class Brightness:
    """Says how bright a picture is, and how it is not. Implements `ObjectModel`."""

    name, dimensions = "brightness", 2

    def embed(self, pictures: Sequence[Image.Image]) -> np.ndarray:
        bright = [np.asarray(picture.convert("L")).mean() / 255 for picture in pictures]
        return np.array([[one, 1 - one] for one in bright])


class Broken:
    def __init__(self) -> None:
        raise OSError("its weights are gone.")


class Library:
    """Knows its items by their facts, and pictures of some. Implements `Catalogue`."""

    def __init__(self) -> None:
        self.facts: dict[int, Facts] = {}
        self.pictures: dict[int, Image.Image] = {}
        self.loads: dict[int, Callable[[], Awaitable[Sequence[Still[Image.Image]]]]] = {}
        self.frames: dict[int, Callable[[float], Image.Image]] = {}
        self.has_vector: set[int] = set()
        self.fits: dict[int, float] = {}

    async def items(self, item_ids: Sequence[int]) -> Mapping[int, Item[Image.Image]]:
        return {key: self._item(key) for key in item_ids if key in self.facts}

    def _item(self, key: int) -> Item[Image.Image]:
        async def load() -> Sequence[Still[Image.Image]]:
            picture = self.pictures[key]
            half = picture.resize((picture.width // 2, picture.height // 2), Image.Resampling.BOX)
            return [Still(0.0, half, picture.width, picture.height)]

        async def load_at(moments_s: Sequence[float]) -> Sequence[Still[Image.Image]]:
            return [Still(at_s, self.frames[key](at_s), jpeg=b"at %g" % at_s) for at_s in moments_s]

        is_video = key in self.frames
        return Item(
            self.facts[key],
            f"seal-{key}",
            self.loads.get(key, load if key in self.pictures else None),
            is_video=is_video,
            load_at=load_at if is_video else None,
        )

    async def frame_ids(self, item_id: int, stills: Sequence[Still[Image.Image]]) -> Sequence[int]:
        return [item_id]

    async def embedded(self, item_ids: Sequence[int]) -> None:
        self.has_vector.update(item_ids)

    async def with_words(self, asked: metadata_pb2.FindTextRequest, text: str, limit: int) -> Mapping[int, float]:
        assert (asked.collection, text, limit) == ("mine", "red", 1000)
        return self.fits


class Rig:
    def __init__(
        self,
        stub: search_pb2_grpc.SearchServiceStub,
        store: MemoryStore,
        library: Library,
        decoder: DecodingProcess,
    ) -> None:
        self.stub = stub
        self.store = store
        self.library = library
        self.decoder = decoder

    def know(self, item_id: int, collection_id: int = 1, *, listed: bool = True, **facts: object) -> None:
        self.library.facts[item_id] = Facts(item_id, collection_id, 4, listed, **facts)  # type: ignore[arg-type]

    async def put(self, point_id: int, *vector: float, **facts: object) -> None:
        told = Facts(**({"item_id": point_id, "collection_id": 1, "kind": 4, "listed": True} | facts))  # type: ignore[arg-type]
        await self.store.ensure("colours-1", 4)
        made = Point(point_id, unit(np.array(vector, np.float32)), points.payload(point_id, told))
        await self.store.upsert("colours-1", [made])


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    store = MemoryStore()

    async def opened() -> VectorStore:
        return store

    decoder = DecodingProcess(decoding_environment(), 2048)
    given = GivenPictures(Pool([decoder]))
    engine = Engine(Choosing("offline", lambda _: [("colours", Colours)]), opened, given.decoded)
    library, models = Library(), ObjectModels({"brightness": Brightness, "broken": Broken})
    objects = Objects(engine, models, Giving(library, asyncio.Lock()), library)
    servicer = SearchServicer(engine, objects, Frames(FolderStore(tmp_path / "blobs"), library), library)
    register = partial(search_pb2_grpc.add_SearchServiceServicer_to_server, servicer)
    address = f"unix:{tmp_path}/search.sock"
    async with serving(address, register, [], 1), open_channel(address) as channel:
        yield Rig(search_pb2_grpc.SearchServiceStub(channel), store, library, decoder)
    await engine.close()
    await models.close()
    await given.close()


def picture(*colour: int) -> bytes:
    file = BytesIO()
    Image.new("RGB", (20, 20), colour).save(file, "PNG")  # type: ignore[arg-type]
    return file.getvalue()


SCOPE = pb.Scope(collection_id=1)


def ids(found: pb.Found) -> list[int]:
    return [scored.item_id for scored in found.scored]


async def three(rig: Rig) -> None:
    await rig.put(1, 1, 0, 0, 0, tag_ids=[10], created_us=100)
    await rig.put(2, 0.9, 0.3, 0, 0, tag_ids=[10, 11], created_us=200, dated_us=2_500, group_ids=[70])
    await rig.put(3, 0, 0, 1, 0, created_us=300, group_ids=[70])


async def test_items_are_found_by_words_pictures_likeness_and_vectors(rig: Rig) -> None:
    await three(rig)
    ask = partial(pb.FindNearestRequest, scope=SCOPE, limit=2)
    assert ids(await rig.stub.FindNearest(ask(text="something red"))) == [1, 2]
    assert ids(await rig.stub.FindNearest(ask(picture=picture(0, 0, 255)))) == [3, 1]
    assert ids(await rig.stub.FindNearest(ask(point_id=1))) == [2, 3]
    found = await rig.stub.FindNearest(ask(vector=pb.Vector(values=[0, 0, 2, 0])))
    assert ids(found) == [3, 1]
    assert found.scored[0].score == pytest.approx(1, abs=1e-5)


async def test_a_filter_limits_what_is_found(rig: Rig) -> None:
    await three(rig)

    async def found(**filter: object) -> list[int]:
        scope = pb.Scope(collection_id=1, filter=pb.Filter(**filter))  # type: ignore[arg-type]
        answer = await rig.stub.FindNearest(pb.FindNearestRequest(scope=scope, text="red", limit=10))
        count = await rig.stub.CountItems(pb.CountItemsRequest(scope=scope))
        assert count.count == len(answer.scored)
        return sorted(ids(answer))

    tag = pb.HasNumber(field=pb.FIELD_TAG, values=[11, 12])
    late = pb.Between(field=pb.FIELD_CREATED_US, lower=200)
    summer = pb.Between(field=pb.FIELD_DATED_US, lower=2_000, upper=2_999)
    assert await found(between=summer) == [2]
    assert await found(has=tag) == [2]
    assert await found(has=tag, negated=True) == [1, 3]
    assert await found(between=late) == [2, 3]
    parts = [pb.Filter(has=tag), pb.Filter(between=late, negated=True)]
    assert await found(any=pb.Filters(parts=parts)) == [1, 2]
    assert await found(all=pb.Filters(parts=parts)) == []
    assert await found(all=pb.Filters()) == [1, 2, 3]
    assert await found(any=pb.Filters()) == []


async def test_a_page_of_matches_counts_them_all(rig: Rig) -> None:
    await three(rig)
    page = await rig.stub.FindMatching(
        pb.FindMatchingRequest(scope=SCOPE, text="red", at_least=0.05, limit=1, offset=1)
    )
    assert (ids(page), page.total) == ([2], 2)
    like = await rig.stub.FindMatching(pb.FindMatchingRequest(scope=SCOPE, point_id=1, at_least=0.05, limit=9))
    assert (ids(like), like.total) == ([2], 1)
    both = await rig.stub.FindMatching(pb.FindMatchingRequest(scope=SCOPE, text="blue", point_id=1, limit=9))
    assert [(scored.item_id, pytest.approx(scored.score, abs=1e-3)) for scored in both.scored] == [(3, 0.5), (2, 0.474)]


async def test_words_that_the_catalogue_finds_count_with_or_without_a_vector(rig: Rig) -> None:
    await three(rig)
    words = [pb.Scored(item_id=3, score=5), pb.Scored(item_id=99, score=15)]
    page = await rig.stub.FindMatching(
        pb.FindMatchingRequest(scope=SCOPE, text="red", words=words, at_least=0.05, limit=9)
    )
    assert [(one.item_id, pytest.approx(one.score, abs=1e-3)) for one in page.scored] == [
        (1, 1.0), (2, 0.949), (99, 0.375), (3, 0.25),
    ]  # fmt: skip


async def test_words_are_asked_of_the_catalogue_less_what_the_scope_leaves_out(rig: Rig) -> None:
    await three(rig)
    rig.library.fits = {3: 5, 2: 5, 99: 15, 98: 1, 97: 1}
    scope = pb.Scope(collection_id=1, seen=[2, 98], excluded=[97])
    found = metadata_pb2.FindTextRequest(collection="mine")
    asked = pb.FindMatchingRequest(scope=scope, text="red", find_words=found, at_least=0.05, limit=9)
    page = await rig.stub.FindMatching(asked)
    assert [(one.item_id, pytest.approx(one.score, abs=1e-3)) for one in page.scored] == [
        (1, 1.0), (99, 0.375), (3, 0.25),
    ]  # fmt: skip
    asked.point_id = 3
    both = await rig.stub.FindMatching(asked)
    assert [one.item_id for one in both.scored] == [1, 99]


async def test_feedback_leaves_out_what_was_judged_seen_and_excluded(rig: Rig) -> None:
    await three(rig)
    await rig.put(4, 0.8, 0.1, 0, 0)
    scope = pb.Scope(collection_id=1, seen=[99])
    judged = pb.FindJudgedRequest(scope=scope, right=[1], wrong=[3], limit=10)
    assert ids(await rig.stub.FindJudged(judged)) == [4, 2]
    judged.scope.excluded.append(70)
    assert ids(await rig.stub.FindJudged(judged)) == [4]
    assert set(ids(await rig.stub.FindJudged(pb.FindJudgedRequest(scope=SCOPE, query="red", limit=10)))) == {1, 2, 3, 4}


async def test_texts_in_a_row_find_a_group(rig: Rig) -> None:
    await rig.put(1, 1, 0, 0, 0, group_ids=[70], taken_us=1)
    await rig.put(2, 0, 0, 1, 0, group_ids=[70], taken_us=2)
    ask = pb.FindInOrderRequest(scope=SCOPE, texts=["red", "blue"], limit=5)
    [match] = (await rig.stub.FindInOrder(ask)).matches
    assert (match.group_id, list(match.point_ids), match.best_point_id) == (70, [1, 2], 1)
    assert match.score == pytest.approx(1, abs=1e-3)


async def test_vectors_come_in_one_call_and_those_that_are_not_there_do_not(rig: Rig) -> None:
    await three(rig)
    told = await rig.stub.GetVectors(pb.GetVectorsRequest(point_ids=[3, 99]))
    assert told.model == "colours"
    assert {key: list(vector.values) for key, vector in told.vectors.items()} == {3: [0, 0, 1, 0]}


async def test_words_and_pictures_are_embedded_into_one_space(rig: Rig) -> None:
    texts = await rig.stub.EmbedTexts(pb.EmbedTextsRequest(texts=["red", "green"]))
    pictures = await rig.stub.EmbedPictures(pb.EmbedPicturesRequest(pictures=[picture(255, 0, 0)]))
    scores = [np.dot(text.values, pictures.vectors[0].values) for text in texts.vectors]
    assert (texts.model, len(texts.vectors[0].values)) == ("colours", 4)
    assert scores[0] > 0.9 > scores[1]


async def test_pictures_that_are_sent_are_decoded_in_a_process_of_their_own(rig: Rig) -> None:
    await three(rig)
    rig.know(1)
    shown, put = picture(0, 0, 255), pb.ObjectVector(object_id=109, item_id=1, picture=picture(0, 0, 255))
    calls: tuple[tuple[Callable[[Any], Awaitable[object]], object], ...] = (
        (rig.stub.EmbedPictures, pb.EmbedPicturesRequest(pictures=[shown])),
        (rig.stub.FindNearest, pb.FindNearestRequest(scope=SCOPE, picture=shown, limit=2)),
        (rig.stub.ChooseWords, pb.ChooseWordsRequest(picture=shown, options=["red", "blue"])),
        (rig.stub.PutObjectVectors, pb.PutObjectVectorsRequest(objects=[put])),
        (rig.stub.PutObjectVectors, pb.PutObjectVectorsRequest(model="brightness", objects=[put])),
    )
    for call, request in calls:
        await call(request)
        assert rig.decoder.pid is not None
        await rig.decoder.stop()


async def test_the_words_that_fit_a_picture_are_chosen(rig: Rig) -> None:
    ask = partial(pb.ChooseWordsRequest, picture=picture(10, 250, 10), options=["red", "green", "blue"])
    assert list((await rig.stub.ChooseWords(ask())).words) == ["green"]
    assert list((await rig.stub.ChooseWords(ask(several=True))).words) == ["green"]


async def test_points_that_lie_together_are_clusters(rig: Rig) -> None:
    pytest.importorskip("sklearn")
    for key in range(10):
        await rig.put(key, 1, 0.01 * key, 0, 0)
        await rig.put(100 + key, 0, 0, 1, 0.01 * key)
    ask = pb.FindClustersRequest(point_ids=[*range(10), *range(100, 110), 999], min_size=4)
    clusters = (await rig.stub.FindClusters(ask)).clusters
    assert sorted(list(cluster.member_ids) for cluster in clusters) == [[*range(10)], [*range(100, 110)]]
    assert not (await rig.stub.FindClusters(pb.FindClustersRequest())).clusters


def vector(*numbers: float) -> pb.Vector:
    return pb.Vector(values=numbers)


async def test_vectors_from_outside_are_found_as_if_they_were_made_here(rig: Rig) -> None:
    rig.know(1, tag_ids=[10])
    rig.know(2, listed=False)
    given = pb.PutVectorsRequest(
        item_ids=[1, 2, 3], vectors=[vector(3, 0, 0, 0), vector(1, 0, 0, 0), vector(1, 0, 0, 0)]
    )
    assert (await rig.stub.PutVectors(given)).written == 2  # nobody knows an item 3
    assert rig.library.has_vector == {1, 2}
    scope = pb.Scope(collection_id=1, filter=pb.Filter(has=pb.HasNumber(field=pb.FIELD_TAG, values=[10])))
    found = await rig.stub.FindNearest(pb.FindNearestRequest(scope=scope, text="red", limit=9))
    assert [(one.item_id, pytest.approx(one.score, abs=1e-4)) for one in found.scored] == [(1, 1.0)]
    again = pb.PutVectorsRequest(space="colours-1", item_ids=[1], vectors=[vector(0, 0, 1, 0)])
    assert (await rig.stub.PutVectors(again)).written == 1
    assert list((await rig.stub.GetVectors(pb.GetVectorsRequest(point_ids=[1]))).vectors[1].values) == [0, 0, 1, 0]


async def test_an_import_whose_vectors_are_another_models_writes_nothing(rig: Rig) -> None:
    rig.know(1)
    rig.know(2)
    given = pb.PutVectorsRequest(item_ids=[1, 2], vectors=[vector(1, 0, 0, 0), vector(1, 0, 0)])
    with pytest.raises(grpc.aio.AioRpcError, match="has 4 numbers, this one has 3"):
        await rig.stub.PutVectors(given)
    with pytest.raises(grpc.aio.AioRpcError, match="no encoder with the vectors 'others' here; there is colours-1"):
        await rig.stub.PutVectors(pb.PutVectorsRequest(space="others", item_ids=[1], vectors=[vector(1, 0, 0, 0)]))
    assert (await rig.stub.CountItems(pb.CountItemsRequest(scope=SCOPE))).count == 0
    assert not rig.library.has_vector


async def with_objects(rig: Rig) -> None:
    """Items 1 to 3 with a vector each; 1 has a red and a blue object, 2 a blue one, 4 a blue one and no vector."""
    await three(rig)
    for key in (1, 2, 4):
        rig.know(key, tag_ids=[key])
    blue, red = vector(0, 0, 1, 0), vector(1, 0, 0, 0)
    given = [(101, 1, red), (102, 1, blue), (103, 2, blue), (104, 4, blue)]
    objects = [pb.ObjectVector(object_id=key, item_id=item_id, vector=one) for key, item_id, one in given]
    assert (await rig.stub.PutObjectVectors(pb.PutObjectVectorsRequest(objects=objects))).written == 4


async def test_items_are_found_by_an_object_like_theirs_or_by_a_whole_picture_like_it(rig: Rig) -> None:
    await with_objects(rig)

    async def like(object_id: int, **scope: object) -> list[int]:
        target = pb.ObjectTarget(object_id=object_id)
        within = pb.Scope(collection_id=1, **scope)  # type: ignore[arg-type]
        found = await rig.stub.FindNearest(pb.FindNearestRequest(scope=within, object=target, limit=9))
        return [one.item_id for one in found.scored if one.score > 0.5]

    assert await like(102) == [2, 3, 4]  # 2 and 4 by their objects, 3 whole, 1 is its own
    assert await like(101) == [2]
    assert await like(102, seen=[4]) == [2, 3]
    assert await like(102, filter=pb.Filter(has=pb.HasNumber(field=pb.FIELD_TAG, values=[4]))) == [4]
    page = await rig.stub.FindMatching(
        pb.FindMatchingRequest(scope=SCOPE, text="red", object=pb.ObjectTarget(object_id=102), at_least=0.05, limit=9)
    )
    # Half of how red the whole picture is, half of how blue the bluest there is in it; 4 has no vector of its own.
    assert [(one.item_id, pytest.approx(one.score, abs=1e-2)) for one in page.scored] == [(2, 0.97), (3, 0.5), (4, 0.5)]
    alone = await rig.stub.FindMatching(
        pb.FindMatchingRequest(scope=SCOPE, object=pb.ObjectTarget(object_id=102), at_least=0.9, limit=1, offset=1)
    )
    assert (ids(alone), alone.total) == ([3], 3)


async def test_an_object_is_cut_out_of_its_media_and_shown_to_the_model(rig: Rig) -> None:
    await three(rig)
    rig.know(1)
    rig.know(2)
    whole = Image.new("RGB", (200, 100), (255, 0, 0))
    whole.paste((0, 0, 255), (100, 50, 200, 100))
    rig.library.pictures[1] = whole
    boxes = [
        (101, 1, (100, 50, 100, 50)),
        (102, 1, (190, 90, 50, 50)),
        (103, 1, (0, 0, 99, 49)),
        (104, 1, (300, 0, 9, 9)),
    ]
    boxes += [(105, 1, (0, 0, 0, 5)), (106, 2, (0, 0, 5, 5)), (107, 1, (float("nan"), 0, 5, 5))]
    objects = [
        pb.ObjectVector(object_id=key, item_id=item_id, box=pb.Box(x=x, y=y, width=width, height=height))
        for key, item_id, (x, y, width, height) in boxes
    ]
    objects.append(pb.ObjectVector(object_id=108, item_id=1, box=pb.Box(frame=3, width=9, height=9)))
    objects.append(pb.ObjectVector(object_id=109, item_id=2, picture=picture(0, 0, 255)))
    put = pb.PutObjectVectorsRequest(objects=objects)
    assert (await rig.stub.PutObjectVectors(put)).written == 4  # not what is outside, is empty, or has no pixels here
    vectors = await rig.store.vectors("colours-1.objects", [*range(101, 110)])
    assert {key: int(np.argmax(one)) for key, one in vectors.items()} == {101: 2, 102: 2, 103: 0, 109: 2}
    dark = pb.PutObjectVectorsRequest(model="brightness", objects=objects)
    assert (await rig.stub.PutObjectVectors(dark)).written == 4
    nearest = pb.FindNearestRequest(scope=SCOPE, object=pb.ObjectTarget(object_id=101, model="brightness"), limit=5)
    assert ids(await rig.stub.FindNearest(nearest)) == [2]  # no whole picture has a vector of that model


async def test_an_object_of_a_photo_of_twelve_megapixels_is_cut_out_where_it_is(rig: Rig, tmp_path: Path) -> None:
    rig.know(1)
    whole = Image.new("RGB", (4000, 3000), (255, 0, 0))
    whole.paste((0, 0, 255), (2000, 1500, 2400, 1800))
    whole.save(tmp_path / "a.jpg", quality=95)
    pixels = Pixels([rig.decoder], FolderStore(tmp_path / "blobs"))
    rig.library.loads[1] = partial(pixels.load, Place(os.fsencode(tmp_path), b"a.jpg"))
    boxes = {101: (2000, 1500, 400, 300), 102: (3600, 2700, 400, 300), 103: (4000, 0, 9, 9)}
    objects = [
        pb.ObjectVector(object_id=key, item_id=1, box=pb.Box(x=x, y=y, width=width, height=height))
        for key, (x, y, width, height) in boxes.items()
    ]
    assert (await rig.stub.PutObjectVectors(pb.PutObjectVectorsRequest(objects=objects))).written == 2
    vectors = await rig.store.vectors("colours-1.objects", [*boxes])
    assert {key: int(np.argmax(one)) for key, one in vectors.items()} == {101: 2, 102: 0}


async def test_an_object_is_cut_out_of_the_frame_that_its_video_has_had_all_along(rig: Rig) -> None:
    rig.know(1)
    rig.library.pictures[1] = Image.new("RGB", (20, 20), (255, 0, 0))  # as far as decoding gets now
    rig.library.frames[1] = lambda at_s: Image.new("RGB", (20, 20), (0, 0, 255) if at_s > 2 else (255, 0, 0))
    await rig.store.ensure("others-1", 4)
    for key, at_s in ((1, 0.0), (10_001, 2.5)):
        payload = {**points.payload(key, rig.library.facts[1], at_s), SEAL: "seal-1"}
        await rig.store.upsert("others-1", [Point(key, unit(np.ones(4, np.float32)), payload)])
    one = pb.ObjectVector(object_id=101, item_id=1, box=pb.Box(frame=1, width=9, height=9))
    assert (await rig.stub.PutObjectVectors(pb.PutObjectVectorsRequest(objects=[one]))).written == 1
    assert int(np.argmax((await rig.store.vectors("colours-1.objects", [101]))[101])) == 2


async def test_frames_that_are_missed_are_made_at_the_moments_asked_for(rig: Rig, tmp_path: Path) -> None:
    rig.know(1)
    rig.library.pictures[1] = Image.new("RGB", (20, 20))
    rig.library.frames[1] = lambda at_s: Image.new("RGB", (20, 20))
    for item_id in (1, 2):  # the second is not known
        await rig.stub.MakeFrames(pb.MakeFramesRequest(item_id=item_id, seconds=[0, 2.5]))
    store = FolderStore(tmp_path / "blobs")
    assert list(store.framed()) == [1]
    assert (store.frame(1, 0), store.frame(1, 2500)) == (b"at 0", b"at 2.5")


async def test_a_registered_model_has_vectors_of_its_own_length(rig: Rig) -> None:
    rig.know(1)
    rig.know(2)
    rig.know(3, listed=False)
    given = [(101, 1, vector(1, 0)), (102, 2, vector(0.9, 0.1)), (103, 3, vector(1, 0))]
    objects = [pb.ObjectVector(object_id=key, item_id=item_id, vector=one) for key, item_id, one in given]
    put = pb.PutObjectVectorsRequest(model="brightness", objects=objects)
    assert (await rig.stub.PutObjectVectors(put)).written == 3
    ask = pb.FindNearestRequest(scope=SCOPE, object=pb.ObjectTarget(object_id=101, model="brightness"), limit=5)
    assert ids(await rig.stub.FindNearest(ask)) == [2]
    ask.object.model = "objects"
    with pytest.raises(grpc.aio.AioRpcError, match="has no vector of the model 'objects'"):
        await rig.stub.FindNearest(ask)
    objects[1].vector.values.append(3)
    with pytest.raises(grpc.aio.AioRpcError, match="has 2 numbers, this one has 3"):
        await rig.stub.PutObjectVectors(pb.PutObjectVectorsRequest(model="brightness", objects=objects))


async def test_a_model_that_nobody_installed_is_named(rig: Rig) -> None:
    await three(rig)
    faces = pb.ObjectTarget(object_id=1, model="faces")
    one = pb.ObjectVector(object_id=1, item_id=1, vector=vector(1))
    for asked in (
        rig.stub.FindNearest(pb.FindNearestRequest(scope=SCOPE, object=faces, limit=5)),
        rig.stub.FindMatching(pb.FindMatchingRequest(scope=SCOPE, object=faces, limit=5)),
        rig.stub.PutObjectVectors(pb.PutObjectVectorsRequest(model="faces", objects=[one])),
        rig.stub.FindClusters(pb.FindClustersRequest(collection_id=1, object_model="faces")),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as told:
            await asked
        assert told.value.details() == "model 'faces' is not installed on this server"
        assert error_code_of(told.value) is ErrorCode.INVALID_ARGUMENT


async def test_a_model_that_cannot_be_loaded_has_its_reason_and_the_others_work(rig: Rig) -> None:
    rig.know(1)
    broken = pb.ObjectVector(object_id=1, item_id=1, vector=vector(1))
    with pytest.raises(grpc.aio.AioRpcError, match="'broken' cannot be loaded: its weights are gone") as told:
        await rig.stub.PutObjectVectors(pb.PutObjectVectorsRequest(model="broken", objects=[broken]))
    assert told.value.code() is grpc.StatusCode.UNAVAILABLE
    models = await rig.stub.ListModels(pb.ListModelsRequest())
    told = [(one.name, one.dimensions, bool(one.reason)) for one in models.object_models]
    assert told == [("brightness", 0, False), ("broken", 0, True), ("objects", 0, True)]  # nobody needed a model yet
    await rig.stub.EmbedTexts(pb.EmbedTextsRequest(texts=["red"]))
    models = await rig.stub.ListModels(pb.ListModelsRequest())
    assert (models.encoder.space, models.encoder.state) == ("colours-1", pb.ENCODER_STATE_READY)
    assert (models.object_models[-1].dimensions, models.object_models[-1].reason) == (4, "")
    assert not models.HasField("next")


async def test_objects_of_a_collection_that_look_alike_are_clusters(rig: Rig) -> None:
    pytest.importorskip("sklearn")
    assert not (await rig.stub.FindClusters(pb.FindClustersRequest(collection_id=1))).clusters
    rig.know(1)
    rig.know(2, collection_id=2)
    made = [(key, 1, vector(1, 0.01 * key, 0, 0)) for key in range(10)]
    made += [(100 + key, 1, vector(0, 0, 1, 0.01 * key)) for key in range(6)]
    made += [(200 + key, 2, vector(0, 1, 0, 0.01 * key)) for key in range(10)]
    objects = [pb.ObjectVector(object_id=key, item_id=item_id, vector=one) for key, item_id, one in made]
    await rig.stub.PutObjectVectors(pb.PutObjectVectorsRequest(objects=objects))
    clusters = (await rig.stub.FindClusters(pb.FindClustersRequest(collection_id=1, min_size=4))).clusters
    assert [list(cluster.member_ids) for cluster in clusters] == [[*range(10)], [*range(100, 106)]]
    assert all(cluster.middle_id in cluster.member_ids for cluster in clusters)


@pytest.mark.parametrize(
    ("method", "request_", "code"),
    [
        ("FindNearest", pb.FindNearestRequest(scope=SCOPE, text="red"), ErrorCode.INVALID_ARGUMENT),
        ("FindNearest", pb.FindNearestRequest(scope=SCOPE, text="red", limit=1001), ErrorCode.INVALID_ARGUMENT),
        ("FindNearest", pb.FindNearestRequest(scope=SCOPE, limit=5), ErrorCode.INVALID_ARGUMENT),
        ("FindNearest", pb.FindNearestRequest(scope=SCOPE, picture=b"x", limit=5), ErrorCode.INVALID_ARGUMENT),
        (
            "FindNearest",
            pb.FindNearestRequest(scope=SCOPE, vector=pb.Vector(values=[1]), limit=5),
            ErrorCode.INVALID_ARGUMENT,
        ),
        ("FindNearest", pb.FindNearestRequest(scope=SCOPE, point_id=7, limit=5), ErrorCode.ITEM_NOT_FOUND),
        ("FindMatching", pb.FindMatchingRequest(scope=SCOPE, limit=5), ErrorCode.INVALID_ARGUMENT),
        (
            "FindMatching",
            pb.FindMatchingRequest(scope=SCOPE, text="a", words=[pb.Scored()] * 1001, limit=5),
            ErrorCode.INVALID_ARGUMENT,
        ),
        (
            "FindMatching",
            pb.FindMatchingRequest(
                scope=SCOPE, text="a", words=[pb.Scored()], find_words=metadata_pb2.FindTextRequest(), limit=5
            ),
            ErrorCode.INVALID_ARGUMENT,
        ),
        ("FindMatching", pb.FindMatchingRequest(scope=SCOPE, text="a", limit=5, offset=-1), ErrorCode.INVALID_ARGUMENT),
        ("FindMatching", pb.FindMatchingRequest(scope=SCOPE, text="a", limit=5, point_id=7), ErrorCode.ITEM_NOT_FOUND),
        ("FindInOrder", pb.FindInOrderRequest(scope=SCOPE, limit=5), ErrorCode.INVALID_ARGUMENT),
        ("EmbedTexts", pb.EmbedTextsRequest(), ErrorCode.INVALID_ARGUMENT),
        ("EmbedPictures", pb.EmbedPicturesRequest(pictures=[b"GIF89a"]), ErrorCode.INVALID_ARGUMENT),
        ("ChooseWords", pb.ChooseWordsRequest(picture=b"", options=["a"]), ErrorCode.INVALID_ARGUMENT),
        (
            "CountItems",
            pb.CountItemsRequest(scope=pb.Scope(filter=pb.Filter(has=pb.HasNumber(values=[1])))),
            ErrorCode.INVALID_ARGUMENT,
        ),
        ("CountItems", pb.CountItemsRequest(scope=pb.Scope(filter=pb.Filter())), ErrorCode.INVALID_ARGUMENT),
        ("MakeFrames", pb.MakeFramesRequest(item_id=1), ErrorCode.INVALID_ARGUMENT),
        ("MakeFrames", pb.MakeFramesRequest(item_id=1, seconds=[0.5] * 101), ErrorCode.INVALID_ARGUMENT),
        ("PutVectors", pb.PutVectorsRequest(), ErrorCode.INVALID_ARGUMENT),
        ("PutVectors", pb.PutVectorsRequest(item_ids=[1, 2], vectors=[pb.Vector()]), ErrorCode.INVALID_ARGUMENT),
        ("PutVectors", pb.PutVectorsRequest(item_ids=[1], vectors=[pb.Vector()]), ErrorCode.INVALID_ARGUMENT),
        ("PutObjectVectors", pb.PutObjectVectorsRequest(), ErrorCode.INVALID_ARGUMENT),
        ("PutObjectVectors", pb.PutObjectVectorsRequest(objects=[pb.ObjectVector()]), ErrorCode.INVALID_ARGUMENT),
        (
            "PutObjectVectors",
            pb.PutObjectVectorsRequest(objects=[pb.ObjectVector(object_id=1, item_id=1, picture=b"no")]),
            ErrorCode.INVALID_ARGUMENT,
        ),
        (
            "PutObjectVectors",
            pb.PutObjectVectorsRequest(objects=[pb.ObjectVector(object_id=1, item_id=1, picture=b"no")] * 65),
            ErrorCode.INVALID_ARGUMENT,
        ),
        ("UseEncoder", pb.UseEncoderRequest(name="off"), ErrorCode.INVALID_ARGUMENT),
        ("UseEncoder", pb.UseEncoderRequest(name="../x"), ErrorCode.INVALID_ARGUMENT),
        (
            "FindNearest",
            pb.FindNearestRequest(scope=SCOPE, object=pb.ObjectTarget(object_id=5), limit=5),
            ErrorCode.INVALID_ARGUMENT,
        ),
    ],
)
async def test_what_is_wrong_with_a_request_is_told_by_name(
    rig: Rig, method: str, request_: object, code: ErrorCode
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as told:
        await getattr(rig.stub, method)(request_)
    assert error_code_of(told.value) is code
