"""A frame of a video by its signed address: the kept picture, made again when it is lost, and else the video's."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fake_fs import PNG, FakeFs, Refused
from fake_search import FakeSearch, serve_search
from gateway.blobs import BlobSigner
from gateway_rig import SIGNING_KEY, MakeApp
from library_world import COLLECTION, PHOTO_ID, World, photo, served
from media_common.blobs.folder import FolderStore
from media_common.errors import ErrorCode
from media_proto import fs_pb2, search_pb2
from media_proto import metadata_pb2 as pb

FILM_ID = b"v" * 16
FIRST, SECOND = b"\xff\xd8 the first", b"\xff\xd8 the second, at 4:10"
SIGNER = BlobSigner(SIGNING_KEY, 86_400)
#: Of the second frame.
FRAME = f"/blob/{SIGNER.token('frame', 31)}"
READER = {"X-Api-Key": "reader"}


def film(**changes: object) -> pb.Media:
    frames = [
        pb.Frame(item_id=20, uuid=b"1" * 16, timestamp_s=0.0),
        pb.Frame(item_id=31, uuid=b"2" * 16, index=1, timestamp_s=250.001),
    ]
    return photo(
        **{
            "item_id": 20,
            "uuid": FILM_ID,
            "kind": pb.MEDIA_KIND_VIDEO,
            "name": "filmé.mp4",
            "frames": frames,
            **changes,
        }
    )


@pytest.fixture
def world() -> World:
    """A film, found by its own number and by its second frame's."""
    made = World()
    made.items[FILM_ID] = film()
    plain = made.fake.answers["Resolve"]

    def resolve(request: pb.ResolveRequest) -> pb.Resolution:
        return plain(pb.ResolveRequest(item_id=20 if request.item_id == 31 else request.item_id))

    made.fake.answers["Resolve"] = resolve
    return made


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    """The gateway's own."""
    return FolderStore(tmp_path / "state" / "blobs")


@pytest.fixture
def search(store: FolderStore) -> FakeSearch:
    """Makes the frames when it is asked to."""

    def make(request: search_pb2.MakeFramesRequest) -> search_pb2.MakeFramesResponse:
        store.keep_frames(request.item_id, {0: FIRST, 250_001: SECOND})
        return search_pb2.MakeFramesResponse()

    return FakeSearch({"MakeFrames": make})


@pytest.fixture
async def client(
    world: World, search: FakeSearch, make_app: MakeApp, service: FakeFs, socket_path: str
) -> AsyncIterator[httpx.AsyncClient]:
    """A caller from elsewhere, with no key."""
    service.answers["GetThumbnail"] = fs_pb2.Thumbnail(png=PNG, etag="t1", modified_us=1)
    target = socket_path.replace("fs.sock", "search.sock")
    async with (
        serve_search(search, target),
        served(world, make_app, socket_path, auth="required", search_target=target) as made,
    ):
        del made.headers["X-Api-Key"]
        yield made


async def test_each_frame_of_a_video_has_an_address_of_its_own(client: httpx.AsyncClient, store: FolderStore) -> None:
    store.keep_frames(20, {0: FIRST, 250_001: SECOND})
    media = (await client.get(f"/api/media/{FILM_ID.hex()}", headers=READER)).json()["media"]

    shown = [await client.get(frame["blob"]) for frame in media["frames"]]

    assert [(one.status_code, one.content) for one in shown] == [(200, FIRST), (200, SECOND)]
    assert {one.headers["content-type"] for one in shown} == {"image/jpeg"}
    assert "max-age=60" in shown[0].headers["cache-control"]
    assert "no-store" not in shown[0].headers["cache-control"]


async def test_a_part_of_a_frame_and_one_that_is_known_are_served_as_those_of_a_file(
    client: httpx.AsyncClient, store: FolderStore
) -> None:
    store.keep_frames(20, {250_001: SECOND})

    part = await client.get(FRAME, headers={"Range": "bytes=3-"})
    again = await client.get(FRAME, headers={"If-None-Match": part.headers["etag"]})

    assert (part.status_code, part.content) == (206, SECOND[3:])
    assert part.headers["content-range"] == f"bytes 3-{len(SECOND) - 1}/{len(SECOND)}"
    assert (again.status_code, again.content) == (304, b"")
    store.keep_frames(20, {250_001: FIRST})
    changed = await client.get(FRAME, headers={"If-None-Match": part.headers["etag"]})
    assert (changed.status_code, changed.content) == (200, FIRST)
    assert (await client.head(FRAME)).headers["content-length"] == str(len(FIRST))


async def test_a_frame_that_is_lost_is_made_again(client: httpx.AsyncClient, search: FakeSearch) -> None:
    assert (await client.get(FRAME)).content == SECOND
    assert (await client.get(FRAME)).content == SECOND
    assert search.asked == [("MakeFrames", search_pb2.MakeFramesRequest(item_id=20, seconds=[0.0, 250.001]))]


@pytest.mark.parametrize(
    "answer", [Refused(ErrorCode.SERVICE_UNAVAILABLE, "The catalogue is away."), search_pb2.MakeFramesResponse()]
)
async def test_until_it_can_be_had_the_video_is_shown_instead_and_nobody_keeps_that(
    client: httpx.AsyncClient, search: FakeSearch, answer: object
) -> None:
    search.answers["MakeFrames"] = answer

    shown = await client.get(FRAME)

    assert (shown.status_code, shown.content, shown.headers["cache-control"]) == (200, PNG, "no-store")


async def test_without_search_kept_frames_are_shown_and_lost_ones_are_not_missed(
    world: World, make_app: MakeApp, service: FakeFs, socket_path: str, store: FolderStore
) -> None:
    service.answers["GetThumbnail"] = fs_pb2.Thumbnail(png=PNG, etag="t1", modified_us=1)
    store.keep_frames(20, {250_001: SECOND})
    async with served(world, make_app, socket_path) as client:
        assert (await client.get(FRAME)).content == SECOND
        assert (await client.get(f"/blob/{SIGNER.token('frame', 20)}")).content == PNG


async def test_a_blob_store_that_fails_costs_the_moment_and_not_the_picture(
    client: httpx.AsyncClient, search: FakeSearch, store: FolderStore
) -> None:
    search.answers["MakeFrames"] = search_pb2.MakeFramesResponse()
    store.folder.parent.mkdir(parents=True, exist_ok=True)
    store.folder.write_text("a file stands where the folder would be")

    assert (await client.get(FRAME)).content == PNG


async def test_what_is_no_video_is_its_own_frame(client: httpx.AsyncClient, search: FakeSearch) -> None:
    shown = await client.get(f"/blob/{SIGNER.token('frame', 12)}")

    assert (shown.status_code, shown.content) == (200, PNG)
    assert search.asked == []
    media = (await client.get(f"/api/media/{PHOTO_ID.hex()}", headers=READER)).json()["media"]
    assert "/blob/t.12." in media["frames"][0]["blob"]


async def test_a_frame_of_an_imported_video_is_the_picture_that_its_own_server_has(
    client: httpx.AsyncClient, world: World
) -> None:
    collection = pb.Collection(**{"id": 1, "uuid": COLLECTION.uuid, "thumbnails_url": "https://cdn.example.com/t"})
    media = film(source=pb.MEDIA_SOURCE_EXTERNAL, thumbnail_uri="a.jpg")
    world.fake.answers["Resolve"] = pb.Resolution(collection=collection, media=media)

    shown = await client.get(FRAME)

    assert (shown.status_code, shown.headers["location"]) == (302, "https://cdn.example.com/t/a.jpg")
