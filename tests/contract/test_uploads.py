"""Uploads over the running stack: in through one dialect, there in all, and nothing left of what was refused."""

from __future__ import annotations

import hashlib
import io
import json
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from api import Api, eventually, query
from media import picture
from PIL import Image
from pypdf import PdfWriter
from stack import Stack, wait_until

UPLOAD = "/api/upload/multipart"
_MAKE, _MODEL, _ORIENTATION, _EXIF, _TAKEN = 0x010F, 0x0110, 0x0112, 0x8769, 0x9003


def photo(width: int = 60, height: int = 40) -> bytes:
    """Another picture each time, on its side, by a camera."""
    exif = Image.Exif()
    exif[_MAKE], exif[_MODEL], exif[_ORIENTATION] = "NIKON CORPORATION", "NIKON D90", 6
    exif.get_ifd(_EXIF)[_TAKEN] = "2024:05:06 07:08:09"
    out = io.BytesIO()
    Image.frombytes("RGB", (width, height), secrets.token_bytes(3 * width * height)).save(out, "JPEG", exif=exif)
    return out.getvalue()


class Uploader:
    """Requests with a key, about a collection of its own."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.admin = {"X-Api-Key": (stack.state_dir / "admin.key").read_text().strip()}
        self.client = httpx.Client(base_url=stack.url, headers=self.admin, timeout=60, trust_env=False)
        organization = self.ok("GET", "/api/auth/organization/list")[0]["id"]
        made = self.ok("POST", f"/api/organization/{organization}/datasets", {"name": f"up {secrets.token_hex(4)}"})
        self.cid: str = made["id"]

    def ok(self, method: str, address: str, body: Any = None, status: int = 200) -> Any:
        answer = self.client.request(method, address, json=body)
        assert answer.status_code == status, answer.text
        return answer.json()

    def send(self, content: bytes, filename: str = "upload", **fields: str) -> httpx.Response:
        return self.client.post(UPLOAD, data={"datasetId": self.cid, **fields}, files={"file": (filename, content)})

    def upload(self, content: bytes, filename: str = "upload", **fields: str) -> str:
        answer = self.send(content, filename, **fields)
        assert answer.status_code == 200, answer.text
        media_id: str = answer.json()["mediaId"]
        return media_id

    def media(self, media_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.ok("GET", f"/api/media/{media_id}")["media"]
        return found

    def looked_into(self, media_id: str) -> dict[str, Any]:
        return eventually(lambda: self.media(media_id), lambda media: media["width"] is not None, 60)

    def listed(self, tail: str = "type=image") -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.ok("GET", f"/api/dataset/{self.cid}/media?limit=100&{tail}")["media"]
        return found

    def names(self, tail: str = "recursive=true&type=image") -> list[str]:
        return sorted(media["name"] for media in self.listed(tail))

    def folder(self, name: str, path: str = "") -> dict[str, str]:
        made: dict[str, str] = self.ok("POST", "/api/folder", {"datasetId": self.cid, "name": name, "path": path})[
            "folder"
        ]
        return made

    def blob(self, content: bytes) -> Path:
        """Where the bytes are kept."""
        name = hashlib.sha256(content).hexdigest()
        return self.stack.state_dir / "blobs" / name[:2] / name[2:4] / name

    def unfinished(self) -> list[Path]:
        folder = self.stack.state_dir / "blobs" / "incoming"
        return list(folder.iterdir()) if folder.is_dir() else []


@pytest.fixture
def up(stack: Stack) -> Iterator[Uploader]:
    made = Uploader(stack)
    yield made
    made.client.close()


def plain(address: str, **headers: str) -> httpx.Response:
    """Without a key."""
    return httpx.get(address, headers=headers, timeout=60, trust_env=False)


def test_an_upload_is_an_item_like_any_other(up: Uploader) -> None:
    content = photo()
    answer = up.send(content, "Grüße & Co.jpg").json()
    assert (answer["success"], plain(answer["url"]).content) == (True, content)

    media = up.looked_into(answer["mediaId"])

    assert (media["name"], media["type"], media["status"]) == ("Grüße & Co.jpg", "image", "active")
    assert media["path"] == f"{up.cid}.{media['id']}"
    assert (media["width"], media["height"], media["sizeBytes"]) == (40, 60, len(content))
    assert (media["totalVersions"], media["datasetId"]) == (1, up.cid)
    tags = media["metadata"]["tags"]
    assert (tags["Camera"], tags["Year"], tags["Month"], tags["Hour"]) == (["NIKON D90"], ["2024"], ["5"], ["7"])
    assert (tags["Type"], tags["Status"]) == (["image"], ["unseen"])
    assert up.listed() == [media]
    assert up.listed("tagFilters=" + json.dumps({"Camera": ["NIKON D90"]})) == [media]


def test_it_is_there_in_the_other_dialects(up: Uploader) -> None:
    content = photo()
    media = up.looked_into(up.upload(content, "a b.jpg"))
    faces = up.ok("GET", f"/api/resolve?id={media['id']}")
    slug = faces["collection"]["slug"]
    assert faces["path"] is None

    asked = {"media_ids": [faces["itemId"]], "session_info": {"session": "s", "collection": slug, "modelId": "m"}}
    (item,) = up.ok("POST", "/exq/item/base", asked)["items"]
    assert plain(item["original_url"]).content == content
    assert plain(item["thumbnail_url"]).headers["content-type"] == "image/png"

    wickson = up.ok("GET", f"/v1/media?collection={slug}")["data"]["items"]

    assert [one["id"] for one in wickson] == [faces["wicksonId"]]
    info = wickson[0]["file_info"]
    assert info["checksum"] == hashlib.sha256(content).hexdigest()
    assert (info["filename"], info["size_bytes"]) == ("a b.jpg", len(content))


def test_its_bytes_come_in_parts_and_its_thumbnail_without_a_key(up: Uploader) -> None:
    content = photo(300, 200)
    folder = up.folder("shown")
    media = up.looked_into(up.upload(content, path=folder["path"]))

    part = plain(media["blob"], Range="bytes=100-199")
    assert (part.status_code, part.content) == (206, content[100:200])
    assert part.headers["content-range"] == f"bytes 100-199/{len(content)}"
    assert plain(media["blob"], Range=f"bytes={len(content)}-").status_code == 416
    assert plain(media["blob"][:-1] + "_").status_code == 403

    shown = next(one for one in up.listed("type=folder") if one["id"] == folder["id"])
    assert shown["folderItemCount"] == 1
    (preview,) = shown["folderPreviews"]
    thumbnail = plain(preview)
    with Image.open(io.BytesIO(thumbnail.content)) as opened:
        assert (opened.format, opened.width) == ("PNG", 1024)
    assert plain(preview, **{"If-None-Match": thumbnail.headers["etag"]}).status_code == 304


@pytest.mark.parametrize("order", ["first", "last"])
def test_the_parts_may_come_in_any_order(up: Uploader, order: str) -> None:
    content = photo()
    texts = [("datasetId", (None, up.cid)), ("name", (None, "n.jpg"))]
    file = [("file", ("upload", content))]
    answer = up.client.post(UPLOAD, files=file + texts if order == "first" else texts + file)
    assert answer.status_code == 200, answer.text
    assert up.names() == ["n.jpg"]


def test_the_same_bytes_twice_are_two_items_and_one_blob(up: Uploader) -> None:
    content = photo()
    first, second = up.upload(content, "one.jpg"), up.upload(content, "two.jpg")
    assert first != second
    assert up.names() == ["one.jpg", "two.jpg"]
    assert up.blob(content).read_bytes() == content
    for media_id in (first, second):
        assert up.looked_into(media_id)["height"] == 60


def test_a_new_version_is_active_at_once_and_the_old_one_can_be_chosen_again(up: Uploader) -> None:
    old = up.upload(photo(), "old.jpg")
    new = up.upload(photo(), "new.jpg", sourceMediaId=old)
    newest = up.upload(photo(), "newest.jpg", sourceMediaId=new)
    assert up.names() == ["newest.jpg"]
    assert up.media(newest)["totalVersions"] == 3
    versions = up.ok("GET", f"/api/media/{old}/versions")["versions"]
    assert [one["id"] for one in versions] == [old, new, newest]

    up.ok("PATCH", f"/api/media/{old}/select-version")
    assert up.names() == ["old.jpg"]
    assert up.ok("DELETE", f"/api/media/{new}/versions?versionId={old}") == {"deletedId": old, "promotedId": newest}
    assert up.names() == ["newest.jpg"]
    assert up.ok("DELETE", f"/api/media/{newest}")["deletedCount"] == 2
    assert up.names() == []
    assert up.media(newest)["status"] == "trashed"


def test_a_folder_is_deleted_with_all_uploads_in_it(up: Uploader) -> None:
    outer = up.folder("outer")
    inner = up.folder("inner", outer["path"])
    up.upload(photo(), "kept.jpg")
    for folder in (outer, inner):
        up.upload(photo(), f"{folder['name']}.jpg", path=folder["path"])

    assert up.ok("DELETE", f"/api/folder/{outer['id']}")["deletedCount"] == 2

    assert up.names("recursive=true&type=all") == ["kept.jpg"]
    assert up.ok("GET", f"/api/folder/{inner['id']}")["folder"]["status"] == "trashed"
    assert up.send(photo(), path=outer["path"]).status_code == 404


def test_an_upload_into_the_collection_of_a_review_path_leaves_the_disk_alone(
    up: Uploader, api: Api, root: Path
) -> None:
    (root / "day").mkdir()
    picture(root / "day" / "in_place.jpg")
    file = f"/api/resolve?{query(path=root / 'day' / 'in_place.jpg')}"
    wait_until(lambda: up.client.get(file).status_code == 200, 60, "the file is in the catalogue")
    found = up.ok("GET", file)
    up.cid = found["collection"]["id"].replace("-", "")
    path = up.media(found["mediaId"])["path"].rpartition(".")[0]

    media_id = up.upload(photo(), "uploaded.jpg", path=path)

    assert up.names(f"path={path}&type=image") == ["in_place.jpg", "uploaded.jpg"]
    assert sorted(one.name for one in (root / "day").iterdir()) == ["in_place.jpg"]
    day = path.rpartition(".")[2]
    assert up.ok("DELETE", f"/api/folder/{day}")["deletedCount"] == 2
    assert up.media(media_id)["status"] == "trashed"
    assert (root / "day" / "in_place.jpg.trash").exists()


@pytest.mark.parametrize(
    ("content", "filename"),
    [
        (b"hello", "hello.txt"),
        (b"hello", "photo.jpg"),
        (b"<svg/>", "a.svg"),
        (b"PK\x03\x04zip", "photo.jpg"),
        (b"", "a.jpg"),
    ],
)
def test_what_is_no_media_is_415_and_leaves_nothing(up: Uploader, content: bytes, filename: str) -> None:
    answer = up.send(content, filename)
    assert answer.status_code == 415
    assert isinstance(answer.json()["error"], str)
    assert up.names("recursive=true&type=all") == []
    assert not up.blob(content).exists()


def raw_form(up: Uploader, content: bytes) -> bytes:
    return (
        f'--b\r\nContent-Disposition: form-data; name="datasetId"\r\n\r\n{up.cid}\r\n'
        '--b\r\nContent-Disposition: form-data; name="file"; filename="upload"\r\n\r\n'
    ).encode() + content


def connected(up: Uploader, length: int) -> socket.socket:
    """The head of an upload of so many bytes has been sent."""
    link = socket.create_connection(("127.0.0.1", up.stack.port), timeout=20)
    key = up.admin["X-Api-Key"]
    link.sendall(
        f"POST {UPLOAD} HTTP/1.1\r\nHost: 127.0.0.1:{up.stack.port}\r\nX-Api-Key: {key}\r\n"
        f"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: {length}\r\n\r\n".encode()
    )
    return link


def test_one_that_says_it_is_too_large_is_413_before_it_is_sent(up: Uploader) -> None:
    with connected(up, 10 * 2**30 + 2 * 2**20) as link:
        assert link.recv(4096).startswith(b"HTTP/1.1 413 ")


def cut_in_the_middle(up: Uploader, close: Callable[[socket.socket], None]) -> None:
    content = photo() + secrets.token_bytes(3_000_000)
    with connected(up, 50_000_000) as link:
        link.sendall(raw_form(up, content))
        wait_until(lambda: bool(up.unfinished()), 20, "the upload is on its way")
        close(link)
    wait_until(lambda: not up.unfinished(), 20, "nothing of it is left")
    assert up.names("recursive=true&type=all") == []
    assert not up.blob(content).exists()


def test_an_upload_that_is_cut_leaves_nothing(up: Uploader) -> None:
    cut_in_the_middle(up, lambda link: None)


def test_an_upload_that_ends_before_its_end_leaves_nothing(up: Uploader) -> None:
    cut_in_the_middle(up, lambda link: link.shutdown(socket.SHUT_WR))


def framewell(stack: Stack, *arguments: str, answer: str = "") -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FRAMEWELL_")}
    return subprocess.run(
        [sys.executable, "-m", "gateway.command", *arguments],
        env={**environment, "FRAMEWELL_STATE_DIR": str(stack.state_dir)},
        input=answer,
        text=True,
        capture_output=True,
        timeout=60,
        check=False,
    )


def test_a_documents_pages_are_counted(up: Uploader) -> None:
    pages = PdfWriter()
    for _ in range(7):
        pages.add_blank_page(100, 100)
    written = io.BytesIO()
    pages.write(written)
    wickson_id = up.ok("GET", f"/api/resolve?id={up.upload(written.getvalue(), 'a.pdf')}")["wicksonId"]

    def counted() -> bool:
        newest = up.ok("GET", "/v1/media?page_size=20")["data"]["items"]
        return [one["file_info"].get("page_count") for one in newest if one["id"] == wickson_id] == [7]

    wait_until(counted, 20, "the pages are counted")


def test_what_was_trashed_comes_back_by_any_of_its_ids(up: Uploader) -> None:
    one, two = up.upload(photo(), "one.jpg"), up.upload(photo(), "two.jpg")
    faces = up.ok("GET", f"/api/resolve?id={two}")
    for media_id in (one, two):
        up.ok("DELETE", f"/api/media/{media_id}")
    assert up.names() == []

    told = json.loads(framewell(up.stack, "untrash", one, faces["wicksonId"], "--json").stdout)

    assert told == {"uploads": 2, "files": 0}
    assert up.names() == ["one.jpg", "two.jpg"]
    assert framewell(up.stack, "untrash", "f" * 32).returncode == 1


def test_a_purge_deletes_what_is_trashed_and_removes_its_bytes(up: Uploader) -> None:
    shared, lonely = photo(), photo()
    gone, kept = up.upload(shared, "gone.jpg"), up.upload(shared, "kept.jpg")
    alone = up.upload(lonely, "alone.jpg")
    for media_id in (gone, kept, alone):
        up.looked_into(media_id)
    for media_id in (gone, alone):
        up.ok("DELETE", f"/api/media/{media_id}")
    slug = up.ok("GET", f"/api/resolve?id={kept}")["collection"]["slug"]

    assert framewell(up.stack, "purge", "--collection", slug, answer="n\n").returncode == 1
    assert up.media(gone)["status"] == "trashed"
    told = json.loads(framewell(up.stack, "purge", "--collection", slug, "--yes", "--json").stdout)
    assert (told["uploads"], told["kept"]) == (0, 2)
    told = json.loads(framewell(up.stack, "purge", "--collection", slug, "--now", "--yes", "--json").stdout)

    assert told["uploads"] == 2
    assert up.client.get(f"/api/media/{gone}").status_code == 404
    assert up.names() == ["kept.jpg"]
    assert up.blob(lonely).exists()  # it is young
    for content in (shared, lonely):
        os.utime(up.blob(content), (0, 0))
    told = json.loads(framewell(up.stack, "purge", "--collection", slug, "--yes", "--json").stdout)
    assert told == {"uploads": 0, "kept": 0, "blobs": 1, "bytes": len(lonely)}
    assert not up.blob(lonely).exists()
    assert plain(up.media(kept)["blob"]).content == shared
