"""A small catalogue behind a real socket, with keys: what the browsing dialects are tested against."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from fake_fs import Refused
from fake_metadata import FakeMetadata, serve_metadata
from gateway_rig import MakeApp, client_of
from media_common.errors import ErrorCode
from media_proto import metadata_pb2 as pb

COLLECTION = pb.Collection(
    id=1, uuid=bytes(range(16)), slug="research", name="Research", root_path=b"/r", created_us=1_773_152_520_000_000
)
OTHER = pb.Collection(id=2, uuid=bytes(range(16, 32)), slug="other", name="Other", created_us=1_773_152_520_000_000)
CID = COLLECTION.uuid.hex()
FOLDER_ID = bytes(range(32, 48))
PHOTO_ID = bytes(range(48, 64))
#: 2026-03-10T14:22:00Z
CREATED_US = 1_773_152_520_000_000

SECRETS = {
    "reader": pb.Key(uuid=b"r" * 16, name="reader", scopes=["read"], all_collections=True),
    "writer": pb.Key(uuid=b"w" * 16, name="writer", scopes=["read", "write"], all_collections=True),
    "trasher": pb.Key(uuid=b"t" * 16, name="trasher", scopes=["trash"], all_collections=True),
    "admin": pb.Key(uuid=b"a" * 16, name="admin", scopes=["admin"], all_collections=True),
    "elsewhere": pb.Key(uuid=b"e" * 16, name="elsewhere", scopes=["read", "write"], collection_ids=[2]),
    "here": pb.Key(uuid=b"h" * 16, name="here", scopes=["read", "write"], collection_ids=[1]),
}


def values(*given: str | int | float) -> pb.Values:
    return pb.Values(
        values=[
            pb.Value(text=one)
            if isinstance(one, str)
            else pb.Value(whole=one)
            if isinstance(one, int)
            else pb.Value(decimal=one)
            for one in given
        ]
    )


def photo(**changes: Any) -> pb.Media:
    """The item of CoreViz's sample."""
    given: dict[str, Any] = {
        "item_id": 12,
        "uuid": PHOTO_ID,
        "collection_id": 1,
        "kind": pb.MEDIA_KIND_IMAGE,
        "name": "hero-shot.jpg",
        "path": [COLLECTION.uuid, FOLDER_ID, PHOTO_ID],
        "relative_path": b"day1/hero-shot.jpg",
        "source": pb.MEDIA_SOURCE_IN_PLACE,
        "status": "unseen",
        "listed": True,
        "facts": pb.Facts(size_bytes=184320, width_px=2400, height_px=1600),
        "created_us": CREATED_US,
        "updated_us": CREATED_US,
        "metadata_json": "{}",
        "tags": {"color": values("red"), "category": values("product")},
        "sha256": bytes(32),
        "total_versions": 1,
        "frame_object": b"o" * 16,
        "frames": [
            pb.Frame(
                item_id=12,
                uuid=b"f" * 16,
                width_px=2400,
                height_px=1600,
                objects=[pb.DetectedObject(object_id=1, uuid=b"d" * 16, kind="object", label="shoe", model="objects")],
            )
        ],
    }
    return pb.Media(**{**given, **changes})


def folder(**changes: Any) -> pb.Media:
    given: dict[str, Any] = {
        "item_id": 11,
        "uuid": FOLDER_ID,
        "collection_id": 1,
        "kind": pb.MEDIA_KIND_FOLDER,
        "name": "day1",
        "path": [COLLECTION.uuid, FOLDER_ID],
        "relative_path": b"day1",
        "source": pb.MEDIA_SOURCE_IN_PLACE,
        "status": "unseen",
        "listed": True,
        "created_us": CREATED_US,
        "updated_us": CREATED_US,
        "items_below": 1,
        "previews": [12],
    }
    return pb.Media(**{**given, **changes})


class World:
    """What the fake answers, by id; a test changes it as it likes."""

    def __init__(self) -> None:
        self.items = {PHOTO_ID: photo(), FOLDER_ID: folder()}
        self.page = pb.MediaPage(media=[photo()], total=142)
        self.fake = FakeMetadata(
            {
                "ListCollections": pb.ListCollectionsResponse(collections=[COLLECTION, OTHER]),
                "GetCollection": self._collection,
                "GetMedia": self._media,
                "Resolve": self._resolve,
                "ListMedia": lambda _: self.page,
                "ListNewest": lambda _: self.page,
                "CheckKey": _key,
                "EditMedia": self._media,
                "AddTag": self._media,
                "RemoveTag": self._media,
                "RelabelTags": self._media,
                "SelectVersion": self._media,
                "MoveMedia": self._media,
                "CreateFolder": lambda _: folder(source=pb.MEDIA_SOURCE_UPLOAD),
                "CreateCollection": OTHER,
                "UpdateCollection": COLLECTION,
                "ListTags": pb.ListTagsResponse(tags={"Year": values(2025, 999), "color": values("red", "blue")}),
                "ListVersions": lambda request: pb.MediaList(media=[self._media(request)]),
                "DeleteVersion": pb.DeleteVersionResponse(),
                "ListClusters": pb.Clusters(
                    clusters=[pb.Cluster(uuid=b"c" * 16, label="shoe", size=3, object_uuid=b"d" * 16)]
                ),
                "AddObjects": self._added,
                "GetListingScope": pb.ListingScope(collection_id=1),
                "GetListed": self._listed,
                "GetObject": Refused(ErrorCode.OBJECT_NOT_FOUND, "Object not found"),
                "SetClusters": pb.Clusters(
                    clusters=[pb.Cluster(uuid=b"c" * 16, label="shoe", size=3, object_uuid=b"d" * 16)]
                ),
            }
        )

    def _collection(self, request: pb.GetCollectionRequest) -> pb.Collection:
        for one in (COLLECTION, OTHER):
            if request.collection in (one.slug, one.uuid.hex()):
                return one
        raise Refused(ErrorCode.COLLECTION_NOT_FOUND, "Collection not found")

    def _media(self, request: Any) -> pb.Media:
        if request.uuid not in self.items:
            raise Refused(ErrorCode.ITEM_NOT_FOUND, "Media not found")
        return self.items[request.uuid]

    def _added(self, request: pb.AddObjectsRequest) -> pb.DetectedObjects:
        """Numbered from 5."""
        numbers = range(5, 5 + len(request.objects))
        return pb.DetectedObjects(objects=[pb.DetectedObject(object_id=n, uuid=bytes([n]) * 16) for n in numbers])

    def _listed(self, request: pb.GetListedRequest) -> pb.MediaList:
        by_id = {one.item_id: one for one in self.items.values() if one.listed}
        return pb.MediaList(media=[by_id[number] for number in request.item_ids if number in by_id])

    def _resolve(self, request: pb.ResolveRequest) -> pb.Resolution:
        for one in self.items.values():
            if one.item_id == request.item_id:
                return pb.Resolution(collection=COLLECTION, media=one)
        raise Refused(ErrorCode.ITEM_NOT_FOUND, "Media not found")


def _key(request: pb.CheckKeyRequest) -> pb.Key:
    if request.secret not in SECRETS:
        raise Refused(ErrorCode.KEY_NOT_FOUND, "Key not found")
    return SECRETS[request.secret]


@asynccontextmanager
async def served(
    world: World, make_app: MakeApp, socket_path: str, **settings: Any
) -> AsyncIterator[httpx.AsyncClient]:
    """A caller of the gateway before this world, with the key `writer` unless it sends another."""
    target = socket_path.replace("fs.sock", "metadata.sock")
    async with (
        serve_metadata(world.fake, target),
        make_app(metadata_target=target, **settings) as app,
        client_of(app) as client,
    ):
        client.headers["X-Api-Key"] = "writer"
        yield client


def failed(answer: httpx.Response, status: int, parameter: str | None = None) -> str:
    """The sentence of an error in CoreViz's form."""
    assert answer.status_code == status, (answer.status_code, answer.text)
    body = answer.json()
    assert list(body) == ["error", "message", "code", "details"]
    assert isinstance(body["error"], str)
    assert body["error"] == body["message"]
    if parameter is not None:
        assert body["code"] == "INVALID_PARAMETER"
        assert body["details"]["parameter"] == parameter
    json.dumps(body)
    sentence: str = body["error"]
    return sentence
