"""What cameras wrote, and hashes, come into all dialects by themselves and stay right, whatever moves or dies."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from api import Api
from make_media import make_tiny
from PIL import Image
from stack import Stack, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


def shot(path: Path, second: int, camera: tuple[str, str] = ("Lumora", "LX Pro")) -> Path:
    """A photograph of 21 July 2025, 18:05, no two alike."""
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    exif[0x010F], exif[0x0110], exif[0x0112] = *camera, 6
    exif.get_ifd(0x8769).update({0x9003: f"2025:07:21 18:05:{second:02}", 0xA434: "35mm", 0x9011: "+02:00"})
    Image.new("RGB", (64, 48), (second, 9, 99)).save(path, exif=exif)
    return path


class Dialects:
    """The stack through its lists."""

    def __init__(self, stack: Stack) -> None:
        key = (stack.state_dir / "admin.key").read_text().strip()
        self._client = httpx.Client(base_url=stack.url, headers={"x-api-key": key}, timeout=30)

    def close(self) -> None:
        self._client.close()

    def wickson(self) -> dict[str, Any]:
        answer = self._client.get("/v1/media", params={"page_size": 100})
        assert answer.status_code == 200, answer.text
        return {item["file_info"]["filename"]: item for item in answer.json()["data"]["items"]}

    def coreviz(self, root: Path) -> dict[str, Any]:
        faces = self._client.get("/api/resolve", params={"path": str(root)}).json()
        collection = faces["collection"]["id"]
        answer = self._client.get(
            f"/api/dataset/{collection}/media", params={"recursive": "true", "limit": 1000, "type": "image"}
        )
        assert answer.status_code == 200, answer.text
        return {item["name"]: item for item in answer.json()["media"]}

    def reindex(self) -> int:
        return self._client.post("/api/reindex", json={}).status_code

    def related(self, root: Path, path: Path) -> set[str]:
        faces = self._client.get("/api/resolve", params={"path": str(path)}).json()
        info = {"session": "s", "collection": faces["collection"]["slug"], "modelId": 1}
        body = {**info, "media_ids": [faces["itemId"]]}
        ids = self._client.post("/exq/item/related", json=body).json()["related"][str(faces["itemId"])]
        shown = self._client.post("/exq/item/base", json={**info, "media_ids": ids}).json()["items"]
        return {item["uri"] for item in shown}


@pytest.fixture
def api(own_stack: Stack) -> Iterator[Api]:
    api = Api(own_stack.url)
    yield api
    api.close()


@pytest.fixture
def dialects(own_stack: Stack) -> Iterator[Dialects]:
    made = Dialects(own_stack)
    yield made
    made.close()


def test_a_new_review_path_is_described_hashed_and_in_bursts_when_jobs_are_idle(
    own_stack: Stack, api: Api, dialects: Dialects, tmp_path: Path
) -> None:
    root = tmp_path / "trip"
    files = [shot(root / f"day/{n}.jpg", second) for n, second in enumerate((1, 3, 6, 20))]
    (root / "broken.jpg").write_bytes(b"no picture at all")
    api.add_root(root)
    jobs = api.wait_idle()
    assert jobs["queues"]["index"] == {
        "pending": 0,
        "running": 0,
        "done": 5,
        "dead": 0,
        "paused": False,
        "deadJobs": [],
    }
    for file in files:
        item = dialects.wickson()[file.name]
        assert item["file_info"]["checksum"] == hashlib.sha256(file.read_bytes()).hexdigest()
        assert (item["file_info"]["width"], item["file_info"]["height"]) == (48, 64)
        modality = item["metadata"]["modality"]["image"]
        assert (modality["camera"], modality["lens"], modality["orientation"]) == ("Lumora LX Pro", "35mm", 6)
        assert modality["taken_at"].startswith("2025-07-21T18:05:")
        assert modality["utc_offset_minutes"] == 120
        shown = dialects.coreviz(root)[file.name]
        assert shown["metadata"]["tags"] == {
            "Camera": ["Lumora LX Pro"], "Year": ["2025"], "Month": ["7"], "Hour": ["18"], "Folder": ["day"],
            "Status": ["unseen"], "Type": ["image"],
        }  # fmt: skip
    assert dialects.related(root, files[0]) == {"day/1.jpg", "day/2.jpg"}
    assert dialects.related(root, files[3]) == set()
    broken = dialects.wickson()["broken.jpg"]
    assert broken["metadata"]["modality"] == {}
    assert broken["file_info"]["checksum"] == hashlib.sha256(b"no picture at all").hexdigest()

    before = dialects.wickson()
    shutil.copy2(files[1], root / "copy.tmp")  # to another inode, as from another disk
    files[1].unlink()
    (root / "copy.tmp").rename(root / "moved.jpg")
    api.stream(root)
    wait_until(lambda: "moved.jpg" in dialects.wickson() and api.jobs()["idle"], 60, "the move is seen")
    after = dialects.wickson()
    assert after["moved.jpg"]["id"] == before["1.jpg"]["id"]
    assert "1.jpg" not in after
    assert dialects.related(root, files[0]) == set()
    assert own_stack.stop() == 0
    own_stack.start()
    assert dialects.reindex() == 202
    api.wait_idle()
    assert dialects.wickson() == after


def test_kills_during_the_reading_change_nothing_in_its_result(
    own_stack: Stack, api: Api, dialects: Dialects, tmp_path: Path
) -> None:
    root = tmp_path / "big"
    files = make_tiny(root, 1500, 10)
    api.add_root(root)
    for name in ("metadata", "fs", "nats", "metadata", "fs"):
        old = own_stack.kill(name)
        own_stack.wait_restarted(name, old)
    wait_until(lambda: api.get("/health/ready").status_code == 200, 60, "all is up again")
    wait_until(lambda: api.get("/api/jobs").json().get("idle", False), 120, "all is read")
    key = (own_stack.state_dir / "admin.key").read_text().strip()
    with httpx.Client(base_url=own_stack.url, headers={"x-api-key": key}, timeout=30) as client:
        sums: dict[str, str] = {}
        for page in range(1, 16):
            answer = client.get("/v1/media", params={"page_size": 100, "page": page}).json()["data"]
            assert answer["pagination"]["total_items"] == 1500
            sums |= {item["file_info"]["filename"]: item["file_info"]["checksum"] for item in answer["items"]}
    assert sums == {os.fspath(file.name): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
