"""The catalogue's side of search, against a real metadata-service on a socket."""

from __future__ import annotations

import asyncio
import hashlib
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import grpc
import pytest
from media_common.grpc_client import open_channel
from media_common.grpc_server import REQUEST_ID
from media_common.logs import request_id
from media_proto import metadata_pb2 as pb
from media_proto import metadata_pb2_grpc
from PIL import Image
from search_service import catalogue_client
from search_service.catalogue_client import RemoteCatalogue
from search_service.domain import points
from search_service.domain.errors import CatalogueUnavailable
from search_service.domain.items import Still
from search_service.domain.objects import Box, Detection
from search_service.loading.child import RAW, STILL, VIDEO
from search_service.loading.pixels import Place


class Rig:
    def __init__(self, address: str, channel: grpc.aio.Channel) -> None:
        self.stub = metadata_pb2_grpc.MetadataServiceStub(grpc.insecure_channel(address))
        self.loaded: list[Place] = []
        self.catalogue = RemoteCatalogue(channel, self.load)
        self.collection = self.stub.CreateCollection(pb.CreateCollectionRequest(name="Mine"), timeout=5)

    async def load(self, place: Place) -> Sequence[Still[Image.Image]]:
        self.loaded.append(place)
        return []

    def upload(self, name: str, kind: pb.MediaKind.ValueType = pb.MEDIA_KIND_IMAGE) -> pb.Media:
        asked = pb.AddUploadRequest(
            collection="mine",
            name=name,
            kind=kind,
            sha256=hashlib.sha256(name.encode()).digest(),
            content_type="image/jpeg",
            facts=pb.Facts(size_bytes=5, taken_us=77),
        )
        return self.stub.AddUpload(asked, timeout=5)


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    address = f"unix:{tmp_path}/metadata.sock"
    clean = {name: value for name, value in os.environ.items() if not name.startswith("FRAMEWELL_")}
    running = subprocess.Popen(
        [sys.executable, "-m", "metadata_service"],
        env={**clean, "METADATA_LISTEN": address, "FRAMEWELL_STATE_DIR": str(tmp_path / "state")},
    )
    try:
        with grpc.insecure_channel(address, [("grpc.max_reconnect_backoff_ms", 100)]) as channel:
            grpc.channel_ready_future(channel).result(timeout=30)
        yield address
    finally:
        running.kill()
        running.wait()


@pytest.fixture
async def rig(address: str) -> AsyncIterator[Rig]:
    async with open_channel(address, marked=False) as channel:
        yield Rig(address, channel)


async def test_items_come_with_their_facts_and_where_their_pixels_are(rig: Rig) -> None:
    photo, raw = rig.upload("a.jpg"), rig.upload("b.NEF")
    film, sound = rig.upload("c", pb.MEDIA_KIND_VIDEO), rig.upload("d.mp3", pb.MEDIA_KIND_AUDIO)
    ids = [photo.item_id, raw.item_id, film.item_id, sound.item_id]
    items = await rig.catalogue.items([*ids, 999_999])
    assert [*items] == ids
    assert (items[film.item_id].is_video, items[film.item_id].facts.kind) == (True, points.VIDEO)
    item = items[photo.item_id]
    facts = item.facts
    assert (facts.item_id, facts.collection_id, facts.kind) == (photo.item_id, rig.collection.id, pb.MEDIA_KIND_IMAGE)
    assert (facts.listed, facts.taken_us, facts.created_us) == (True, 77, photo.created_us)
    assert facts.own_tag_ids == facts.tag_ids != ()  # it is in no group
    assert (item.embedded, item.is_video, item.path) == (False, False, b"a.jpg")
    assert item.seal != items[raw.item_id].seal
    for item_id in ids[:3]:
        load = items[item_id].load
        assert load is not None
        await load()
    assert [place.form for place in rig.loaded] == [STILL, RAW, VIDEO]
    load_at = items[film.item_id].load_at
    assert load_at is not None
    await load_at([0.0, 2.5])
    assert (rig.loaded.pop().moments_s, rig.loaded[-1].moments_s) == ((0.0, 2.5), ())
    assert items[photo.item_id].load_at is None
    assert rig.loaded[0].sha256 == hashlib.sha256(b"a.jpg").digest()
    assert items[sound.item_id].load is None


async def test_many_items_are_asked_for_in_several_calls(rig: Rig) -> None:
    photo = rig.upload("a.jpg")
    assert [*await rig.catalogue.items([photo.item_id, *range(10_000, 12_500)])] == [photo.item_id]


async def test_all_that_can_be_searched_is_listed_by_id(rig: Rig) -> None:
    ids = [rig.upload(f"{number}.jpg").item_id for number in range(5)]
    rig.upload("sound.mp3", pb.MEDIA_KIND_AUDIO)
    assert await rig.catalogue.searchable(-1, 3) == ids[:3]
    assert await rig.catalogue.searchable(ids[2], 3) == ids[3:]


async def test_a_vector_is_told_and_frames_get_ids_that_stay(rig: Rig) -> None:
    photo, film = rig.upload("a.jpg"), rig.upload("a.mp4", pb.MEDIA_KIND_VIDEO)
    await rig.catalogue.embedded([photo.item_id, 999_999])
    assert (await rig.catalogue.items([photo.item_id]))[photo.item_id].embedded
    picture = Image.new("RGB", (4, 3))
    stills = [Still(at_s, picture, 4, 3) for at_s in (0.0, 2.5, 7.0)]
    ids = await rig.catalogue.frame_ids(film.item_id, stills)
    assert ids[0] == film.item_id
    assert len(set(ids)) == 3
    assert await rig.catalogue.frame_ids(film.item_id, stills) == ids
    assert await rig.catalogue.frame_ids(film.item_id, stills[:2]) == ids[:2]
    assert await rig.catalogue.frame_ids(999_999, stills) == []


async def test_detected_objects_are_told_with_what_holds_them_and_not_when_they_were_taken_back(rig: Rig) -> None:
    photo = rig.upload("a.jpg")
    await rig.catalogue.embedded([photo.item_id])
    shapes = ('{"bbox": [1, 2, 3, 4]}', '{"polygon": [[5, 9], [1, 2], [7, 3.5]]}', "{}")
    given = [pb.GivenObject(kind="object", label="cat", model="faces", shape_json=shape) for shape in shapes]
    added = rig.stub.AddObjects(pb.AddObjectsRequest(uuid=photo.uuid, objects=given), timeout=5).objects
    ids = [one.object_id for one in added]
    boxes = [Box(0, 1, 2, 3, 4), Box(0, 1, 2, 6, 7), None]
    told = [Detection(key, photo.item_id, "faces", box) for key, box in zip(ids, boxes, strict=True)]
    assert await rig.catalogue.detected(-1, 9) == told
    assert await rig.catalogue.detected(ids[0], 1) == told[1:2]
    rig.stub.RemoveObjects(pb.RemoveObjectsRequest(object_ids=ids[:2]), timeout=5)
    assert await rig.catalogue.detected(-1, 9) == told[2:]


class TwoRoots(metadata_pb2_grpc.MetadataServiceServicer):
    """A file of a collection that is there, one of a collection whose folder is `/` and away, and one of none."""

    async def GetFacts(self, request: pb.GetFactsRequest, context: object) -> pb.FactsList:
        return pb.FactsList(
            facts=[
                pb.SearchFacts(media_id=key, collection_id=key, kind=pb.MEDIA_KIND_IMAGE, path=b"/photos/a.jpg")
                for key in request.media_ids
            ]
        )

    async def ListCollections(self, request: pb.ListCollectionsRequest, context: object) -> pb.ListCollectionsResponse:
        given = [pb.Collection(id=1, root_path=b"/photos"), pb.Collection(id=2, root_path=b"/")]
        return pb.ListCollectionsResponse(collections=given, away_ids=[2])


async def test_a_file_of_a_collection_that_was_removed_a_moment_ago_is_not_opened(tmp_path: Path) -> None:
    address, loaded = f"unix:{tmp_path}/metadata.sock", []

    async def load(place: Place) -> Sequence[Still[Image.Image]]:
        loaded.append(place)
        return []

    server = grpc.aio.server()
    metadata_pb2_grpc.add_MetadataServiceServicer_to_server(TwoRoots(), server)
    server.add_insecure_port(address)
    await server.start()
    async with open_channel(address, marked=False) as channel:
        catalogue = RemoteCatalogue(channel, load)
        assert await catalogue.away() == {2}
        items = await catalogue.items([1, 2, 3])
        assert [items[key].away for key in (1, 2, 3)] == [False, True, False]
        assert items[3].load is None
        for key in (1, 2):
            opens = items[key].load
            assert opens is not None
            await opens()
    await server.stop(None)
    assert [(place.root, place.relative) for place in loaded] == [(b"/photos", b"a.jpg"), (b"/", b"photos/a.jpg")]


async def test_words_are_found_among_what_a_listing_shows(rig: Rig) -> None:
    photo, film = rig.upload("a cat.jpg"), rig.upload("cat.mp4", pb.MEDIA_KIND_VIDEO)
    everything = pb.FindTextRequest(collection="mine")
    found = await rig.catalogue.with_words(everything, "cat", 9)
    assert found.keys() == {photo.item_id, film.item_id}
    assert all(fit > 0 for fit in found.values())
    assert len(await rig.catalogue.with_words(everything, "cat", 1)) == 1
    films = pb.ListMediaRequest(collection="mine", recursive=True, kinds=[pb.MEDIA_KIND_VIDEO])
    among = pb.FindTextRequest(collection="mine", among=films)
    assert (await rig.catalogue.with_words(among, "cat", 9)).keys() == {film.item_id}
    told = pb.FindTextRequest(collection="mine", text="dog", limit=1)
    assert len(await rig.catalogue.with_words(told, "cat", 9)) == 2
    assert await rig.catalogue.with_words(pb.FindTextRequest(collection="gone"), "cat", 9) == {}
    nowhere = pb.ListMediaRequest(collection="mine", recursive=True, path=[rig.collection.uuid, bytes(16)])
    assert await rig.catalogue.with_words(pb.FindTextRequest(collection="mine", among=nowhere), "cat", 9) == {}


class Late(metadata_pb2_grpc.MetadataServiceServicer):
    """A catalogue of before, that dies under the first call."""

    def __init__(self) -> None:
        self.asked: list[dict[str, str]] = []

    async def FindText(self, request: pb.FindTextRequest, context: grpc.aio.ServicerContext) -> pb.TextHits:
        self.asked.append({key: str(value) for key, value in context.invocation_metadata() or ()})
        if len(self.asked) == 1:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "killed")
        return pb.TextHits(hits=[pb.TextHit(item_id=7, bm25=1.5)])


async def test_words_wait_for_a_catalogue_that_is_being_restarted(tmp_path: Path) -> None:
    address, late = f"unix:{tmp_path}/late.sock", Late()
    server = grpc.aio.server()
    metadata_pb2_grpc.add_MetadataServiceServicer_to_server(late, server)
    server.add_insecure_port(address)
    async with open_channel(address, marked=False) as channel:
        catalogue = RemoteCatalogue(channel, lambda place: None)  # type: ignore[arg-type,return-value]
        request_id.set("req-1")
        asking = asyncio.create_task(catalogue.with_words(pb.FindTextRequest(collection="mine"), "cat", 9))
        await asyncio.sleep(0.3)
        assert not asking.done()
        await server.start()
        try:
            assert await asking == {7: 1.5}
        finally:
            await server.stop(None)
    assert [told[REQUEST_ID] for told in late.asked] == ["req-1", "req-1"]


async def test_a_catalogue_that_is_away_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue_client, "_CONNECT_WAIT_S", 0.1)
    async with open_channel(f"unix:{tmp_path}/nobody.sock", marked=False) as channel:
        catalogue = RemoteCatalogue(channel, lambda place: None)  # type: ignore[arg-type,return-value]
        with pytest.raises(CatalogueUnavailable, match="not available"):
            await catalogue.items([1])
        with pytest.raises(CatalogueUnavailable, match="not available"):
            await catalogue.detected(-1, 9)
        with pytest.raises(CatalogueUnavailable, match="not available"):
            await catalogue.with_words(pb.FindTextRequest(collection="mine"), "cat", 9)
