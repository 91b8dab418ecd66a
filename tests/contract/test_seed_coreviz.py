"""Every sample of the CoreViz document over HTTP: the commands as printed, with only host, key and ids replaced."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from api import eventually, query
from media import picture
from rows import Rows
from stack import REPOSITORY, Stack

SEEDS = REPOSITORY / "tests" / "seeds"
HOST, KEY = "https://lab.coreviz.io", "YOUR_API_KEY"
COMMANDS = (SEEDS / "coreviz-curl.sh.txt").read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
ID = "[0-9a-f]{32}"
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
SWITCHED_OFF = "semantic search is not available: Search is switched off (FRAMEWELL_ENCODER=off)."
UNAVAILABLE = {
    "error": SWITCHED_OFF,
    "message": SWITCHED_OFF,
    "code": "SEARCH_UNAVAILABLE",
    "details": {},
}


@dataclass(frozen=True)
class Shop:
    """A photo of a red shoe, and one in a folder, as the samples have them. Search is switched off: what it finds is in
    `tests/e2e/test_coreviz_search.py`."""

    url: str
    key: str
    collection: str
    folder: str
    photo: str
    below: str
    shoe: str = ""

    def replaced(self, text: str) -> str:
        """A sample with this collection's own names."""
        names = {
            HOST: self.url,
            KEY: self.key,
            "COLLECTION_ID": self.collection,
            "FOLDER_ID": self.folder,
            "OBJECT_ID": self.shoe,
        }
        for name, value in names.items():
            text = text.replace(name, value)
        return text

    def run(self, command: str) -> Any:
        """The answer that curl prints."""
        done = subprocess.run(
            [*shlex.split(self.replaced(command)), "-sS"], capture_output=True, text=True, timeout=60, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")
        return json.loads(done.stdout)

    def get(self, address: str, **headers: str) -> httpx.Response:
        return httpx.get(self.url + address, headers={"x-api-key": self.key, **headers}, trust_env=False)


@pytest.fixture
def shop(root: Path, stack: Stack) -> Shop:
    (root / "shoes").mkdir()
    picture(root / "hero-shot.jpg")
    picture(root / "shoes" / "red.jpg")
    key = (stack.state_dir / "admin.key").read_text().strip()

    def faces(name: str) -> Any:
        address = f"{stack.url}/api/resolve?{query(path=root / name)}"
        return eventually(lambda: httpx.get(address), lambda answer: answer.status_code == 200, 60).json()

    photo, below = faces("hero-shot.jpg"), faces("shoes/red.jpg")
    shop = Shop(
        stack.url,
        key,
        photo["collection"]["id"].replace("-", ""),
        faces("shoes")["folderId"],
        photo["mediaId"],
        below["mediaId"],
    )
    headers = {"x-api-key": key}
    for label, value in (("color", "red"), ("category", "product")):
        address = f"{stack.url}/api/media/{shop.photo}/tags"
        assert httpx.post(address, headers=headers, json={"label": label, "value": value}).status_code == 200
    rows = Rows(stack)
    rows.frame(photo["itemId"], width_px=64, height_px=48)
    rows.close()
    shoe = [{"type": "object", "label": "shoe", "model": "objects", "bbox": [1, 2, 30, 20]}]
    address = f"{stack.url}/api/dataset/{shop.collection}/media/{shop.photo}/objects"
    answer = httpx.post(address, headers=headers, json=shoe)
    assert answer.status_code == 201, answer.text
    return replace(shop, shoe=answer.json()["objects"][0]["id"])


def test_the_samples_are_the_five_of_the_document() -> None:
    assert len(COMMANDS) == 5


def test_browsing_the_root_has_the_documented_answer(shop: Shop) -> None:
    answer = shop.run(COMMANDS[0])

    assert list(answer) == ["media", "pagination"]
    assert answer["pagination"] == {"total": 2, "limit": 20, "offset": 0, "hasMore": False}
    photo = next(media for media in answer["media"] if media["type"] == "image")
    expected: list[tuple[str, Any]] = [
        ("id", shop.photo),
        ("name", "hero-shot.jpg"),
        ("type", "image"),
        ("blob", re.compile(r"http://.+/blob/.+")),
        ("path", f"{shop.collection}.{shop.photo}"),
        ("datasetId", shop.collection),
        ("width", 64),
        ("height", 48),
        ("duration", None),
        ("sizeBytes", photo["sizeBytes"]),
        ("createdAt", re.compile(TIME)),
        ("updatedAt", re.compile(TIME)),
        ("status", "active"),
        ("metadata", photo["metadata"]),
        ("totalVersions", 1),
        ("frameObjectId", re.compile(ID)),
        ("folderItemCount", None),
        ("folderPreviews", None),
        ("frames", photo["frames"]),
    ]
    assert list(photo) == [name for name, _ in expected]
    for name, value in expected:
        assert value.fullmatch(photo[name]) if isinstance(value, re.Pattern) else photo[name] == value, name
    assert len(httpx.get(photo["blob"]).content) == photo["sizeBytes"]
    assert photo["metadata"]["tags"].items() >= {"color": ["red"], "category": ["product"]}.items()
    (frame,) = photo["frames"]
    assert list(frame) == ["id", "timestamp", "blob", "width", "height", "objects"]
    assert (frame["timestamp"], frame["width"], frame["height"]) == ("0", 64, 48)
    shoe = next(found for found in frame["objects"] if found["label"] == "shoe")
    assert list(shoe) == ["id", "type", "label", "blob"]
    assert re.fullmatch(ID, shoe["id"])
    assert (shoe["type"], shoe["blob"]) == ("object", "")


def test_browsing_a_folder_lists_what_is_in_it(shop: Shop) -> None:
    answer = shop.run(COMMANDS[1])

    assert [media["id"] for media in answer["media"]] == [shop.below]
    assert answer["pagination"] == {"total": 1, "limit": 50, "offset": 0, "hasMore": False}
    folder = next(media for media in shop.run(COMMANDS[0])["media"] if media["type"] == "folder")
    assert (folder["id"], folder["blob"], folder["folderItemCount"]) == (shop.folder, "folder", 1)
    assert len(folder["folderPreviews"]) == 1


@pytest.mark.parametrize("number", [2, 4], ids=["q", "similarToObjectId"])
def test_scored_mode_without_search_is_an_honest_503(shop: Shop, number: int) -> None:
    command = COMMANDS[number]
    assert "q=red" in command or "similarToObjectId=" in command

    assert shop.run(command) == UNAVAILABLE
    address = re.search(r"https://lab\.coreviz\.io(/[^\"]+)", command)
    assert address is not None
    assert shop.get(shop.replaced(address[1])).status_code == 503


def test_filtering_by_tags_finds_the_tagged(shop: Shop) -> None:
    assert [media["id"] for media in shop.run(COMMANDS[3])["media"]] == [shop.photo]


def test_the_javascript_examples_requests_are_answered(shop: Shop) -> None:
    browsed = shop.get(f"/api/dataset/{shop.collection}/media?limit=20")
    searched = shop.get(f"/api/dataset/{shop.collection}/media?q={quote('red shoes')}&limit=10")

    assert {media["id"] for media in browsed.json()["media"]} == {shop.photo, shop.folder}
    assert browsed.json()["pagination"]["limit"] == 20
    assert (searched.status_code, searched.json()) == (503, UNAVAILABLE)


def test_the_python_example_runs_as_it_is_printed(shop: Shop, tmp_path: Path) -> None:
    text = (SEEDS / "coreviz-example.py.txt").read_text(encoding="utf-8")
    program = tmp_path / "example.py"
    program.write_text(shop.replaced(text) + "\nprint(json.dumps(data))\n", encoding="utf-8")

    done = subprocess.run([sys.executable, str(program)], capture_output=True, text=True, timeout=60, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    answer = json.loads(done.stdout)
    assert [media["id"] for media in answer["media"]] == [shop.photo]
    assert answer["pagination"]["limit"] == 20


def test_both_ways_to_send_a_key_are_taken(shop: Shop) -> None:
    address = f"{shop.url}/api/dataset/{shop.collection}/media"

    assert httpx.get(address, headers={"Authorization": f"Bearer {shop.key}"}).status_code == 200
    assert httpx.get(address, headers={"x-api-key": shop.key}).status_code == 200


def test_every_error_of_the_table_has_its_status_and_form(shop: Shop) -> None:
    address = f"/api/dataset/{shop.collection}/media"
    elsewhere = httpx.post(
        f"{shop.url}/api/keys",
        headers={"x-api-key": shop.key},
        json={"name": "elsewhere", "scopes": ["read"], "collections": [made_collection(shop)]},
    ).json()["key"]
    cases = (
        (f"{address}?dateFrom=2026-13-01", shop.key, 400, "INVALID_PARAMETER", {"parameter": "dateFrom"}),
        (f"{address}?tagFilters=%7B", shop.key, 400, "INVALID_PARAMETER", {"parameter": "tagFilters"}),
        (address, "wrong", 401, "UNAUTHORIZED", None),
        (address, elsewhere, 403, "FORBIDDEN", None),
        (f"/api/dataset/{'0' * 32}/media", shop.key, 404, "COLLECTION_NOT_FOUND", None),
    )
    for asked, key, status, code, details in cases:
        answer = httpx.get(shop.url + asked, headers={"x-api-key": key})
        body = answer.json()
        assert answer.status_code == status, answer.text
        assert list(body) == ["error", "message", "code", "details"]
        assert isinstance(body["error"], str)
        assert body["code"] == code
        assert details is None or body["details"] == details


def made_collection(shop: Shop) -> str:
    organization = shop.get("/api/auth/organization/list").json()[0]["id"]
    address = f"{shop.url}/api/organization/{organization}/datasets"
    made: str = httpx.post(address, headers={"x-api-key": shop.key}, json={"name": "Elsewhere"}).json()["id"]
    return made
