"""The CoreViz dialect over a review path of the running stack."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from api import Api, eventually, query
from media import picture
from stack import Stack, wait_until

FILES = ("a.jpg", "b.jpg", "day1/c.jpg")


class CoreViz:
    """Requests with a key, about the collection of one review path."""

    def __init__(self, stack: Stack, root: Path) -> None:
        self.url = stack.url
        self.root = root
        self.admin = {"X-Api-Key": (stack.state_dir / "admin.key").read_text().strip()}
        self.client = httpx.Client(base_url=stack.url, headers=self.admin, timeout=30, trust_env=False)
        self.ids: dict[str, str] = {}
        self.collection: dict[str, str] = {}

    def find(self) -> bool:
        """Whether all files are in the catalogue; fills in their ids."""
        for name in FILES:
            answer = self.client.get(f"/api/resolve?{query(path=self.root / name)}")
            if answer.status_code != 200:
                return False
            self.ids[name] = answer.json()["mediaId"]
            self.collection = answer.json()["collection"]
        return True

    @property
    def cid(self) -> str:
        return self.collection["id"].replace("-", "")

    def ok(self, method: str, address: str, body: Any = None) -> Any:
        answer = self.client.request(method, address, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def names(self, tail: str = "recursive=true&type=image&limit=100") -> list[str]:
        listed = self.ok("GET", f"/api/dataset/{self.cid}/media?{tail}")
        return sorted(media["name"] for media in listed["media"])

    def key(self, **fields: Any) -> dict[str, str]:
        answer = self.client.post("/api/keys", json={"name": "test", "scopes": ["read", "write"], **fields})
        assert answer.status_code == 201, answer.text
        return {"X-Api-Key": answer.json()["key"]}


@pytest.fixture
def coreviz(api: Api, root: Path, stack: Stack) -> Iterator[CoreViz]:
    (root / "day1").mkdir()
    for name in FILES:
        picture(root / name)
    client = CoreViz(stack, root)
    wait_until(client.find, 60, "the files are in the catalogue")
    yield client
    client.client.close()


def test_a_review_path_is_browsed_by_folder(coreviz: CoreViz) -> None:
    cid = coreviz.cid
    listed = coreviz.ok("GET", f"/api/dataset/{cid}/media?sortBy=name&sortDirection=asc")

    assert listed["pagination"] == {"total": 3, "limit": 10, "offset": 0, "hasMore": False}
    assert [media["name"] for media in listed["media"]] == ["a.jpg", "b.jpg", "day1"]
    photo, _, folder = listed["media"]
    assert (photo["width"], photo["height"], photo["status"]) == (64, 48, "active")
    assert photo["sizeBytes"] == (coreviz.root / "a.jpg").stat().st_size
    assert photo["metadata"]["tags"]["Type"] == ["image"]
    assert (folder["blob"], folder["folderItemCount"], len(folder["folderPreviews"])) == ("folder", 1, 1)
    below = coreviz.ok("GET", f"/api/dataset/{cid}/media?path={folder['path']}")["media"]
    assert [media["path"] for media in below] == [f"{cid}.{folder['id']}.{media['id']}" for media in below]
    assert coreviz.names() == ["a.jpg", "b.jpg", "c.jpg"]
    filters = httpx.QueryParams({"recursive": "1", "tagFilters": json.dumps({"Type": ["image"], "Status": ["unseen"]})})
    assert coreviz.names(str(filters)) == ["a.jpg", "b.jpg", "c.jpg"]
    assert coreviz.names(f"mediaId={coreviz.ids['day1/c.jpg']}") == ["c.jpg"]


def test_signed_addresses_serve_the_bytes_without_a_key(coreviz: CoreViz) -> None:
    photo = coreviz.ok("GET", f"/api/media/{coreviz.ids['a.jpg']}")["media"]
    content = (coreviz.root / "a.jpg").read_bytes()

    assert httpx.get(photo["blob"]).content == content
    part = httpx.get(photo["blob"], headers={"Range": "bytes=2-5"})
    assert (part.status_code, part.content) == (206, content[2:6])
    assert httpx.get(photo["blob"][:-1]).status_code == 403
    folder = coreviz.ok("GET", f"/api/dataset/{coreviz.cid}/media?type=folder")["media"][0]
    assert httpx.get(folder["folderPreviews"][0]).headers["content-type"] == "image/png"


def test_state_flows_both_ways(api: Api, coreviz: CoreViz) -> None:
    path, item = coreviz.root / "a.jpg", coreviz.ids["a.jpg"]

    api.act(path, "trash")
    eventually(coreviz.names, lambda names: names == ["b.jpg", "c.jpg"])
    assert coreviz.ok("GET", f"/api/media/{item}")["media"]["status"] == "trashed"
    api.act(path, "untrash")
    eventually(coreviz.names, lambda names: names == ["a.jpg", "b.jpg", "c.jpg"])
    assert coreviz.find()
    assert coreviz.ids["a.jpg"] == item

    assert coreviz.ok("DELETE", f"/api/media/{item}")["deletedCount"] == 1
    assert api.item(coreviz.root, path)["status"]["trashed"] is True
    eventually(coreviz.names, lambda names: names == ["b.jpg", "c.jpg"])


def test_a_locked_item_cannot_be_deleted(api: Api, coreviz: CoreViz) -> None:
    path = coreviz.root / "day1" / "c.jpg"
    api.act(path, "lock")
    folder = coreviz.ok("GET", f"/api/dataset/{coreviz.cid}/media?type=folder")["media"][0]["id"]

    assert coreviz.client.delete(f"/api/media/{coreviz.ids['day1/c.jpg']}").status_code == 409
    locked = coreviz.client.delete(f"/api/folder/{folder}")
    assert locked.status_code == 409
    assert isinstance(locked.json()["error"], str)
    assert api.item(coreviz.root, path)["status"] == {"locked": True, "trashed": False, "seen": True}


def test_a_folder_that_cannot_be_deleted_is_left_as_it_was(api: Api, coreviz: CoreViz) -> None:
    other, day = coreviz.root / "day1" / "c.jpg", coreviz.root / "day1"
    long = day / f"{'x' * 248}.jpg"  # no room for `.trash` behind it
    picture(long)
    eventually(coreviz.names, lambda names: long.name in names)
    before = sorted(day.iterdir())
    folder = coreviz.ok("GET", f"/api/dataset/{coreviz.cid}/media?type=folder")["media"][0]["id"]

    refused = coreviz.client.delete(f"/api/folder/{folder}")

    assert (refused.status_code, refused.json()["error"][:19]) == (409, "Nothing was deleted")
    assert sorted(day.iterdir()) == before
    for path in (other, long):
        assert api.item(coreviz.root, path)["status"] == {"locked": False, "trashed": False, "seen": False}


def test_tags_names_and_metadata_are_a_persons(coreviz: CoreViz) -> None:
    address = f"/api/media/{coreviz.ids['b.jpg']}"

    tagged = coreviz.ok("POST", f"{address}/tags", {"label": "color", "value": "red"})["media"]
    assert tagged["metadata"]["tags"]["color"] == ["red"]
    assert coreviz.client.post(f"{address}/tags", json={"label": "color", "value": "red"}).status_code == 409
    assert coreviz.names("recursive=1&tags=red") == ["b.jpg"]
    coreviz.ok("PATCH", f"{address}/tags", {"oldLabel": "color", "newLabel": "colour"})
    assert coreviz.ok("GET", f"/api/dataset/{coreviz.cid}/tags")["tags"]["colour"] == ["red"]
    changed = coreviz.ok("PATCH", address, {"name": "B", "metadata": {"description": "x", "n": [1]}})["media"]
    assert (changed["name"], changed["metadata"]["n"]) == ("B", [1])
    assert changed["metadata"]["tags"]["colour"] == ["red"]
    assert coreviz.client.request("DELETE", f"{address}/tags", json={"label": "none"}).status_code == 404
    assert coreviz.client.patch(f"{address}/move", json={"destinationPath": coreviz.cid}).status_code == 200


def test_folders_are_made_and_reused(coreviz: CoreViz) -> None:
    body = {"datasetId": coreviz.cid, "name": "Album"}
    first = coreviz.ok("POST", "/api/folder", body)["folder"]
    second = coreviz.ok("POST", "/api/folder", body)["folder"]
    again = coreviz.ok("POST", "/api/folder", {**body, "reuse": True})["folder"]

    assert first["id"] != second["id"]
    assert again["id"] == first["id"]
    assert first["path"] == f"{coreviz.cid}.{first['id']}"
    assert coreviz.ok("PATCH", f"/api/folder/{first['id']}", {"name": "Renamed"})["folder"]["name"] == "Renamed"


def test_a_key_reaches_as_far_as_it_was_made_to(coreviz: CoreViz) -> None:
    made = coreviz.ok("POST", f"/api/organization/{coreviz.ok('GET', '/api/me')['organizationId']}/datasets",
                      {"name": "Elsewhere"})  # fmt: skip
    reader, limited = coreviz.key(scopes=["read"]), coreviz.key(collections=[made["id"]])
    address = f"{coreviz.url}/api/media/{coreviz.ids['a.jpg']}"

    assert httpx.get(address, headers=reader).status_code == 200
    assert httpx.delete(address, headers=reader).status_code == 403
    assert httpx.get(address, headers=limited).status_code == 403
    assert httpx.get(f"{coreviz.url}/api/dataset/{made['id']}/media", headers=limited).status_code == 200
    assert httpx.get(address).status_code == 401
