"""A library that requests made from `/openapi.json` can reach into, and the names of everything in it.

`bin` is a review path of its own: what deletes is sent there, so that the rest stays for the others to find.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import exquisitor_db
import grpc
import httpx
from api import Api, eventually, text
from media import corrupt, many, picture, video
from media_proto import metadata_pb2 as pb
from media_proto import metadata_pb2_grpc
from PIL import Image
from stack import Stack

ADMIN_KEY = "fw_for-the-run-over-the-schema"
_DELETED = 100
_ODD_NAME = "odd \udcff näme %2F ;&.jpg"

Pools = dict[str, Any]


def make_library(home: Path) -> list[Path]:
    """Three review paths below `home`: one to look at, one to delete from, one to add and take away."""
    library, bin_, spare = (home / name for name in ("library", "bin", "spare"))
    many(library / "day1", 12)
    many(library / "day1" / "deep", 4)
    many(library / "day2", 6)
    many(bin_ / "old", _DELETED)
    many(spare, 2)
    picture(library / _ODD_NAME)
    picture(library / "turned.jpg", orientation=6)
    video(library / "clip.mp4")
    corrupt(library / "broken.jpg")
    (library / "notes.txt").write_text("no media")
    return [library, bin_, spare]


def make_world(stack: Stack, home: Path) -> Pools:
    """Fill the stack, and tell what is in it by the name of the parameter that takes it."""
    api = Api(stack.url)
    client = httpx.Client(base_url=stack.url, headers={"X-Api-Key": ADMIN_KEY}, timeout=60, trust_env=False)
    with client, grpc.insecure_channel(stack.facts()["sockets"]["metadata"]) as channel:
        roots = make_library(home)
        for root in roots:
            api.add_root(root)
        api.act(roots[0] / "day1" / "frame0003.jpg", "lock")
        api.act(roots[1] / "old" / "frame0000.jpg", "trash")
        organization = _get(client, "/api/me")["organizationId"]
        eventually(lambda: _indexed(client), lambda found: len(found) >= 27 + _DELETED, 60)
        _import(stack, home)
        uploads = _uploads(metadata_pb2_grpc.MetadataServiceStub(channel), client, organization)
        pools = {**_files(roots), **_catalogue(client, organization, uploads), **_keys(client)}
    api.close()
    return {**pools, "home": str(home)}


def _indexed(client: httpx.Client) -> list[str]:
    items: list[str] = []
    page = 1
    while True:
        data = _get(client, f"/v1/media?page_size=100&page={page}")["data"]
        items += [item["id"] for item in data["items"]]
        page += 1
        if not data["pagination"]["has_next"]:
            return items


def _files(roots: list[Path]) -> Pools:
    library, bin_, _ = roots
    return {
        "roots": [text(root) for root in roots],
        "files": sorted(
            text(path) for path in library.rglob("*") if path.is_file() and ".thumbnails" not in path.parts
        ),
        "bin_files": sorted(text(path) for path in (bin_ / "old").glob("*.jpg")),
        "directories": [text(library), text(library / "day1"), text(library / "day2"), text(bin_ / "old")],
    }


def _uploads(stub: Any, client: httpx.Client, organization: str) -> Pools:
    """A collection that is on no disk: folders, versions, objects."""
    collection = _post(client, f"/api/organization/{organization}/datasets", {"name": "Made here"}, 200)["id"]
    folder = _post(client, "/api/folder", {"datasetId": collection, "name": "shelf"}, 200)["folder"]
    media: list[str] = []
    for number in range(4):
        fields = {"datasetId": collection, "name": f"upload {number}.png"}
        if number % 2:
            fields["path"] = folder["path"]
        if number == 2:
            fields["sourceMediaId"] = media[0]
        written = io.BytesIO()
        Image.new("RGB", (40, 30), (number, 0, 0)).save(written, "PNG")
        answer = client.post("/api/upload/multipart", data=fields, files={"file": ("upload", written.getvalue())})
        assert answer.status_code == 200, answer.text
        media.append(answer.json()["mediaId"])
    item_id = _get(client, f"/api/resolve?id={media[1]}")["itemId"]
    frame = pb.GivenFrame(width_px=40, height_px=30)
    stub.SetFrames(pb.SetFramesRequest(item_id=item_id, frames=[frame]))
    given = [{"type": "object", "label": "shoe", "model": "objects", "bbox": [1, 2, 10, 10]}]
    objects = _post(client, f"/api/dataset/{collection}/media/{media[1]}/objects", given, 201)["objects"]
    _post(client, f"/api/media/{media[1]}/tags", {"label": "color", "value": "red"}, 200)
    return {"collection": collection, "media": media, "objects": [one["id"] for one in objects]}


def _import(stack: Stack, folder: Path) -> None:
    """A collection of another system, with numbers of its own."""
    file = exquisitor_db.write(exquisitor_db.generated(200), folder / "collection.db")
    command = [sys.executable, "-m", "gateway.command", "import", "exquisitor", file, "--collection", "Imported"]
    command += ["--thumbnails", exquisitor_db.THUMBNAILS, "--originals", exquisitor_db.ORIGINALS]
    done = subprocess.run(command, env=stack.environment, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr


def _catalogue(client: httpx.Client, organization: str, uploads: Pools) -> Pools:
    datasets = [one["id"] for one in _get(client, f"/api/organization/{organization}/datasets")]
    media: list[Pools] = []
    for dataset in datasets:
        media += _get(client, f"/api/dataset/{dataset}/media?recursive=true&limit=1000&sortBy=name")["media"]
    deleted = [one["id"] for one in media if one["name"].startswith("frame") and one["folderItemCount"] is None][-40:]
    kept = [one["id"] for one in media if one["id"] not in deleted] + uploads["media"]
    folders = [one for one in media if one["type"] == "folder"]
    slugs = _get(client, "/exq/init/s")["collections"]
    tagsets = {slug: _get(client, f"/exq/info/filters/s/{slug}") for slug in slugs}
    faces = [_get(client, f"/api/resolve?id={one}") for one in kept[:60]]
    return {
        "datasets": datasets,
        "organization": organization,
        "media": kept,
        "bin_media": deleted,
        "folders": [one["id"] for one in folders],
        "folder_paths": [*datasets, *(one["path"] for one in folders)],
        "objects": uploads["objects"],
        "slugs": slugs,
        "items": [*range(1, 21), *(face["itemId"] for face in faces if "itemId" in face)],
        "tagsets": sorted({one["id"] for found in tagsets.values() for one in found}),
        "tagset_names": sorted({one["name"] for found in tagsets.values() for one in found}),
        "faces": [face["wicksonId"] for face in faces if face.get("wicksonId")],
        "tokens": [urlsplit(one["blob"]).path.rpartition("/")[2] for one in media if one["blob"] != "folder"][::5],
    }


def _keys(client: httpx.Client) -> Pools:
    slug = _get(client, "/exq/init/s")["collections"][0]

    def key(**fields: Any) -> Pools:
        return _post(client, "/api/keys", {"name": "run", "scopes": ["read"], **fields}, 201)

    return {
        "key_ids": [key()["id"] for _ in range(20)],
        "secrets": {
            "admin": ADMIN_KEY,
            "reader": key()["key"],
            "limited": key(scopes=["read", "write"], collections=[slug])["key"],
        },
    }


def _get(client: httpx.Client, address: str) -> Any:
    answer = client.get(address)
    assert answer.status_code == 200, answer.text
    return answer.json()


def _post(client: httpx.Client, address: str, body: Any, status: int) -> Any:
    answer = client.post(address, content=json.dumps(body), headers={"Content-Type": "application/json"})
    assert answer.status_code == status, answer.text
    return answer.json()
