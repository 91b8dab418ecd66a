"""Uploads before a small catalogue, with a blob store in a folder."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fake_fs import FakeFs, Refused
from gateway.blobs import BlobSigner
from gateway_rig import SIGNING_KEY, MakeApp
from library_world import CID, COLLECTION, FOLDER_ID, OTHER, PHOTO_ID, World, failed, photo, served
from media_common.blobs.folder import INCOMING, FolderStore
from media_common.errors import ErrorCode
from media_proto import fs_pb2
from media_proto import metadata_pb2 as pb

UPLOAD = "/api/upload/multipart"
LIMIT = 3_000_000
JPEG = b"\xff\xd8\xff\xe0\0\x10JFIF" + bytes(range(256)) * 40
SHA256 = hashlib.sha256(JPEG).digest()
MADE_ID = b"m" * 16
UNKNOWN = "f" * 32


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "state" / "blobs")


@pytest.fixture
async def client(
    world: World, make_app: MakeApp, service: FakeFs, socket_path: str
) -> AsyncIterator[httpx.AsyncClient]:
    def add(request: pb.AddUploadRequest) -> pb.Media:
        made = upload(uuid=MADE_ID, name=request.name, sha256=request.sha256, content_type=request.content_type)
        world.items[MADE_ID] = made
        return made

    world.fake.answers["AddUpload"] = add
    async with served(world, make_app, socket_path, max_upload_bytes=LIMIT) as made:
        yield made


def upload(**changes: Any) -> pb.Media:
    given: dict[str, Any] = {"source": pb.MEDIA_SOURCE_UPLOAD, "item_id": 77, "sha256": SHA256}
    return photo(**{**given, "content_type": "image/jpeg", **changes})


def blobs(store: FolderStore) -> list[bytes]:
    return [one.sha256 for one in store.listed()]


def unfinished(store: FolderStore) -> list[str]:
    folder = store.folder / INCOMING
    return [path.name for path in folder.iterdir()] if folder.is_dir() else []


def form(content: bytes = JPEG, filename: str = "upload", **fields: str) -> dict[str, Any]:
    return {"data": {"datasetId": CID, **fields}, "files": {"file": (filename, content)}}


async def test_a_file_goes_into_the_store_and_the_catalogue(
    client: httpx.AsyncClient, world: World, store: FolderStore
) -> None:
    answer = await client.post(UPLOAD, **form(filename="Grüße.jpg"))

    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert list(told) == ["mediaId", "url", "message", "success"]
    assert (told["mediaId"], told["success"]) == (MADE_ID.hex(), True)
    assert blobs(store) == [SHA256]
    assert unfinished(store) == []
    asked = world.fake.last("AddUpload")
    assert (asked.collection, list(asked.path), asked.name) == (CID, [], "Grüße.jpg")
    assert (asked.sha256, asked.facts.size_bytes) == (SHA256, len(JPEG))
    assert (asked.kind, asked.content_type) == (pb.MEDIA_KIND_IMAGE, "image/jpeg")
    assert not asked.HasField("version_of")
    shown = await client.get(told["url"], headers={"X-Api-Key": ""})
    assert (shown.status_code, shown.content) == (200, JPEG)


@pytest.mark.parametrize(("filename", "name", "stored"), [
    ("a.jpg", "", "a.jpg"), ("a.jpg", "  Mine ", "Mine"), ("upload", "b", "b"), ("", "", "upload"),
])  # fmt: skip
async def test_the_given_name_comes_before_the_files_own(
    client: httpx.AsyncClient, world: World, filename: str, name: str, stored: str
) -> None:
    body = f'--b\r\nContent-Disposition: form-data; name="file"; filename="{filename}"\r\n\r\n'.encode() + JPEG
    for field, value in (("datasetId", CID), ("name", name)):
        body += f'\r\n--b\r\nContent-Disposition: form-data; name="{field}"\r\n\r\n{value}'.encode()
    headers = {"Content-Type": "multipart/form-data; boundary=b"}

    answer = await client.post(UPLOAD, content=body + b"\r\n--b--\r\n", headers=headers)

    assert answer.status_code == 200, answer.text
    assert world.fake.last("AddUpload").name == stored


async def test_a_folder_and_an_item_to_be_a_version_of_are_passed_on(client: httpx.AsyncClient, world: World) -> None:
    await client.post(UPLOAD, **form(path=f"{CID}.{FOLDER_ID.hex()}"))
    assert list(world.fake.last("AddUpload").path) == [COLLECTION.uuid, FOLDER_ID]

    await client.post(UPLOAD, **form(sourceMediaId=str(PHOTO_ID.hex().upper())))
    assert world.fake.last("AddUpload").version_of == PHOTO_ID


@pytest.mark.parametrize(
    ("key", "fields", "status", "said"),
    [
        (None, {}, 401, "key"),
        ("reader", {"datasetId": UNKNOWN}, 404, "Collection not found"),
        ("reader", {}, 403, "write"),
        ("elsewhere", {}, 403, "access"),
        ("writer", {"datasetId": ""}, 400, "datasetId"),
        ("writer", {"datasetId": "x"}, 404, "Collection not found"),
        ("writer", {"path": "x"}, 400, "path"),
        ("writer", {"path": OTHER.uuid.hex()}, 400, "path"),
        ("writer", {"path": f"{CID}.{UNKNOWN}"}, 404, "Folder not found"),
        ("writer", {"path": f"{CID}.{PHOTO_ID.hex()}"}, 404, "Folder not found"),
        ("writer", {"sourceMediaId": UNKNOWN}, 404, "Media not found"),
        ("writer", {"sourceMediaId": "x"}, 404, "Media not found"),
        ("writer", {"sourceMediaId": FOLDER_ID.hex()}, 404, "Media not found"),
        ("writer", {"name": "x" * 256}, 400, "name"),
        ("writer", {"name": "a\0b"}, 400, "name"),
    ],
)
@pytest.mark.parametrize("file_first", [False, True])
async def test_what_cannot_be_uploaded_leaves_nothing(
    client: httpx.AsyncClient,
    world: World,
    store: FolderStore,
    key: str | None,
    fields: dict[str, str],
    status: int,
    said: str,
    file_first: bool,
) -> None:
    texts = [(name, (None, value)) for name, value in {"datasetId": CID, **fields}.items()]
    parts = [("file", ("upload", JPEG)), *texts] if file_first else [*texts, ("file", ("upload", JPEG))]

    answer = await client.post(UPLOAD, files=parts, headers={"X-Api-Key": key or ""})

    assert said in failed(answer, status)
    assert world.fake.count("AddUpload") == 0
    assert blobs(store) == []
    assert unfinished(store) == []


@pytest.mark.parametrize(
    ("content", "filename"),
    [(b"just text", "photo.jpg"), (b"<svg/>", "upload"), (b"", "photo.jpg"), (b"PK\x03\x04" + bytes(9000), "a.jpg")],
)
async def test_a_file_that_is_no_media_is_415(
    client: httpx.AsyncClient, store: FolderStore, content: bytes, filename: str
) -> None:
    assert "not kept" in failed(await client.post(UPLOAD, **form(content, filename)), 415)
    assert blobs(store) == []
    assert unfinished(store) == []


async def test_a_form_without_a_file_is_400(client: httpx.AsyncClient) -> None:
    failed(await client.post(UPLOAD, files={"datasetId": (None, CID)}), 400, "file")
    failed(await client.post(UPLOAD, json={"datasetId": CID}), 400)
    failed(await client.post(UPLOAD), 400)


async def chunked(content: bytes) -> AsyncIterator[bytes]:
    yield f'--b\r\nContent-Disposition: form-data; name="datasetId"\r\n\r\n{CID}'.encode()
    yield b'\r\n--b\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n'
    for start in range(0, len(content), 65_536):
        yield content[start : start + 65_536]
    yield b"\r\n--b--\r\n"


HEADERS = {"Content-Type": "multipart/form-data; boundary=b"}


@pytest.mark.parametrize("declared", [True, False])
async def test_a_file_larger_than_the_limit_is_413(
    client: httpx.AsyncClient, store: FolderStore, declared: bool
) -> None:
    large = JPEG + bytes(LIMIT + 2_000_000)
    sent = form(large) if declared else {"content": chunked(large), "headers": HEADERS}

    assert str(LIMIT) in failed(await client.post(UPLOAD, **sent), 413)
    assert blobs(store) == []
    assert unfinished(store) == []


async def test_a_file_of_exactly_the_limit_is_taken(client: httpx.AsyncClient, store: FolderStore) -> None:
    exactly = JPEG + bytes(LIMIT - len(JPEG))
    assert (await client.post(UPLOAD, **form(exactly))).status_code == 200
    assert store.size(hashlib.sha256(exactly).digest()) == LIMIT
    failed(await client.post(UPLOAD, content=chunked(exactly + b"x"), headers=HEADERS), 413)


async def test_the_same_bytes_are_kept_once_and_are_two_items(
    client: httpx.AsyncClient, world: World, store: FolderStore
) -> None:
    for name in ("a", "b"):
        assert (await client.post(UPLOAD, **form(name=name))).status_code == 200
    assert blobs(store) == [SHA256]
    assert world.fake.count("AddUpload") == 2


async def test_a_catalogue_that_refuses_is_heard(client: httpx.AsyncClient, world: World) -> None:
    world.fake.answers["AddUpload"] = Refused(ErrorCode.FOLDER_NOT_FOUND, "Folder not found")
    failed(await client.post(UPLOAD, **form()), 404)


async def test_a_disk_that_takes_nothing_is_507(client: httpx.AsyncClient, store: FolderStore) -> None:
    store.folder.parent.mkdir(exist_ok=True)
    store.folder.write_text("a file where the folder would be")
    failed(await client.post(UPLOAD, **form()), 507)


async def test_more_than_32_files_at_once_wait_outside(client: httpx.AsyncClient) -> None:
    end = asyncio.Event()
    inside = 0
    all_inside = asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield f'--b\r\nContent-Disposition: form-data; name="datasetId"\r\n\r\n{CID}'.encode()
        yield b'\r\n--b\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n' + JPEG
        nonlocal inside
        inside += 1
        if inside == 32:
            all_inside.set()
        await end.wait()
        yield b"\r\n--b--\r\n"

    # The catalogue is there: nobody is refused for that.
    assert (await client.post(UPLOAD, **form())).status_code == 200
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    tasks = [asyncio.create_task(client.post(UPLOAD, content=slowly(), headers=headers)) for _ in range(32)]
    async with asyncio.timeout(30):
        await all_inside.wait()
        refused = await client.post(UPLOAD, **form())
        assert refused.status_code == 503
        assert refused.headers["Retry-After"] == "5"
        end.set()
        assert {answer.status_code for answer in await asyncio.gather(*tasks)} == {200}
        assert (await client.post(UPLOAD, **form())).status_code == 200


# ---- reading


SIGNER = BlobSigner(SIGNING_KEY, 3600)
FILE = f"/blob/{SIGNER.token('file', 77)}"
THUMB = f"/blob/{SIGNER.token('thumb', 77)}"


@pytest.fixture
def kept(store: FolderStore, world: World) -> FolderStore:
    writer = store.writer()
    writer.write(JPEG)
    writer.commit()
    world.items[MADE_ID] = upload(uuid=MADE_ID, name='odd "name"\r\nwith Grüße.jpg')
    return store


async def test_an_upload_is_served_in_parts_under_its_name(client: httpx.AsyncClient, kept: FolderStore) -> None:
    whole = await client.get(FILE)
    assert (whole.status_code, whole.content, whole.headers["content-type"]) == (200, JPEG, "image/jpeg")
    assert whole.headers["content-disposition"].endswith(
        "filename*=UTF-8''odd%20%22name%22%0D%0Awith%20Gr%C3%BC%C3%9Fe.jpg"
    )
    part = await client.get(FILE, headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, JPEG[10:20])
    assert part.headers["content-range"] == f"bytes 10-19/{len(JPEG)}"
    tag = whole.headers["etag"]
    assert (await client.get(FILE, headers={"If-None-Match": tag})).status_code == 304
    assert (await client.get(FILE, headers={"Range": "bytes=-5", "If-Range": tag})).content == JPEG[-5:]
    assert (await client.get(FILE, headers={"Range": f"bytes={len(JPEG)}-"})).status_code == 416
    head = await client.head(FILE)
    assert (head.status_code, head.headers["content-length"], head.content) == (200, str(len(JPEG)), b"")


async def test_an_upload_whose_bytes_are_gone_is_404(client: httpx.AsyncClient, world: World) -> None:
    world.items[MADE_ID] = upload(uuid=MADE_ID)
    assert (await client.get(FILE)).status_code == 404


async def test_a_thumbnail_is_made_once_and_then_kept_for_ever(
    client: httpx.AsyncClient, kept: FolderStore, fake: FakeFs
) -> None:
    fake.answers["RenderBlob"] = fs_pb2.BlobThumbnail(png=b"png")
    made = await client.get(THUMB)
    assert (made.status_code, made.content, made.headers["content-type"]) == (200, b"png", "image/png")
    asked = fake.last("RenderBlob")
    assert (asked.sha256, asked.extension, asked.size_px) == (SHA256, b"jpg", 1024)
    kept.keep_thumbnail(SHA256, 1024, b"kept")
    assert (await client.get(THUMB)).content == b"kept"
    assert fake.count("RenderBlob") == 1
    assert (await client.get(THUMB, headers={"If-None-Match": made.headers["etag"]})).status_code == 304


async def test_a_placeholder_is_not_to_be_kept(client: httpx.AsyncClient, kept: FolderStore, fake: FakeFs) -> None:
    fake.answers["RenderBlob"] = fs_pb2.BlobThumbnail(png=b"grey", placeholder=True)
    answer = await client.get(THUMB)
    assert (answer.content, answer.headers["cache-control"]) == (b"grey", "no-store")
    assert "etag" not in answer.headers


async def test_a_thumbnail_too_large_for_a_message_is_taken_from_the_store(
    client: httpx.AsyncClient, kept: FolderStore, fake: FakeFs
) -> None:
    def render(request: fs_pb2.RenderBlobRequest) -> fs_pb2.BlobThumbnail:
        kept.keep_thumbnail(request.sha256, request.size_px, b"large")
        return fs_pb2.BlobThumbnail()

    fake.answers["RenderBlob"] = render
    assert (await client.get(THUMB)).content == b"large"


async def test_without_workers_a_thumbnail_is_503(client: httpx.AsyncClient, kept: FolderStore, fake: FakeFs) -> None:
    fake.answers["RenderBlob"] = Refused(ErrorCode.THUMBNAILS_UNAVAILABLE, "No worker.")
    assert (await client.get(THUMB)).status_code == 503
