"""Every service, and NATS, stopped and started again while 5,000 files are indexed: item by item the catalogue becomes
what it becomes undisturbed."""

from __future__ import annotations

import io
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from api import Api, eventually, query
from PIL import Image
from stack import Stack, running_stack, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]

FOLDERS = 25
FILES_A_FOLDER = 200
FILES = FOLDERS * FILES_A_FOLDER
#: One in forty is in the trash.
LISTED = FILES - FILES // 40
#: In the order in which they are stopped, and how.
STOPPED = (
    ("metadata", signal.SIGKILL),
    ("fs", signal.SIGTERM),
    ("nats", signal.SIGKILL),
    ("gateway", signal.SIGKILL),
    ("search", signal.SIGKILL),
    ("thumb-1", signal.SIGTERM),
    ("metadata", signal.SIGTERM),
    ("fs", signal.SIGKILL),
    ("nats", signal.SIGTERM),
)
INDEXED_S = 420.0


def make_library(root: Path) -> None:
    """Shots of three cameras, some of them in bursts, some marked; every file's bytes are its own."""
    began = datetime(2024, 5, 1, 8)
    for folder in range(FOLDERS):
        place = root / f"{folder:02}" / ("deep" if folder % 3 == 0 else "")
        place.mkdir(parents=True)
        head = shot(f"Camera {folder % 3}", began + timedelta(hours=7 * folder))
        burst = shot(f"Camera {folder % 3}", began + timedelta(hours=7 * folder, seconds=2))
        for number in range(FILES_A_FOLDER):
            path = place / f"frame{number:04}.jpg"
            path.write_bytes((head if number < 4 else burst if number < 7 else PLAIN) + b"%d/%d" % (folder, number))
            if number % 40 == 11:
                path.with_name(f"{path.name}.trash").touch()
            if number % 40 == 12:
                path.with_name(f"{path.name}.lock").touch()


def shot(camera: str, taken: datetime) -> bytes:
    """A small JPEG that says which camera took it, and when."""
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = "Maker", camera
    exif.get_ifd(0x8769)[0x9003] = taken.strftime("%Y:%m:%d %H:%M:%S")
    return jpeg(exif)


def jpeg(exif: Image.Exif) -> bytes:
    written = io.BytesIO()
    Image.new("RGB", (20, 12), "green").save(written, "JPEG", exif=exif)
    return written.getvalue()


PLAIN = jpeg(Image.Exif())


class Catalogue:
    """What the dialects tell of the one collection."""

    def __init__(self, stack: Stack, root: Path) -> None:
        key = (stack.state_dir / "admin.key").read_text().strip()
        self.client = httpx.Client(base_url=stack.url, headers={"X-Api-Key": key}, timeout=60, trust_env=False)
        self.root = root

    def ask(self, method: str, address: str, body: Any = None) -> Any:
        """The answer; None from a product that is just then without one of its parts."""
        try:
            answer = self.client.request(method, address, json=body)
        except httpx.TransportError:
            return None
        return answer.json() if answer.status_code == 200 else None

    def count(self) -> int:
        """How many files it lists by now."""
        told = self.ask("GET", "/v1/media?page_size=1")
        return told["data"]["pagination"]["total_items"] if told else 0

    def dump(self) -> dict[str, Any]:
        """All that is told of every item, by its id, without times of the catalogue and its own numbers."""
        face = self.ask("GET", f"/api/resolve?{query(path=self.root)}")
        if face is None:
            return {}
        collection = face["collection"]
        browsed = self._pages(f"/api/dataset/{collection['id']}/media?recursive=true&sortBy=name&limit=1000")
        files = {one["id"]: one for one in browsed if one["type"] != "folder"}
        listed = self._list(collection["slug"])
        related = (
            self._related(
                collection["slug"],
                {int(one["blob"].rpartition("/")[2].split(".")[1]): uuid for uuid, one in files.items()},
            )
            if files
            else {}
        )
        folders = {
            one["id"]: (one["path"], one["name"], one["folderItemCount"]) for one in browsed if one["type"] == "folder"
        }
        items = {
            uuid: {
                **{name: one[name] for name in ("name", "path", "width", "height", "sizeBytes", "status", "metadata")},
                "listed": listed.get(uuid),
                "related": related.get(uuid),
            }
            for uuid, one in files.items()
        }
        return {"collection": collection["id"], "folders": folders, "items": items, "listed": len(listed)}

    def _pages(self, address: str) -> list[Any]:
        found: list[Any] = []
        while told := self.ask("GET", f"{address}&offset={len(found)}"):
            found += told["media"]
            if not told["pagination"]["hasMore"]:
                break
        return found

    def _list(self, slug: str) -> dict[str, Any]:
        found: dict[str, Any] = {}
        number = 1
        while told := self.ask("GET", f"/v1/media?collection={slug}&page_size=100&page={number}"):
            for one in told["data"]["items"]:
                found[one["id"].partition("_")[2].replace("-", "")] = {**one, "storage": None}
            number += 1
            if not told["data"]["pagination"]["has_next"]:
                break
        return found

    def _related(self, slug: str, ids: dict[int, str]) -> dict[str, list[str]]:
        session = {"session": "s", "collection": slug, "modelId": 1}
        numbers, found = list(ids), {}
        for start in range(0, len(numbers), 1000):
            body = {"media_ids": numbers[start : start + 1000], "session_info": session}
            told = self.ask("POST", "/exq/item/related", body) or {"related": {}}
            found |= {
                ids[int(one)]: sorted(ids.get(other, "?") for other in told["related"][one]) for one in told["related"]
            }
        return found


@contextmanager
def indexing(state_dir: Path, root: Path) -> Iterator[tuple[Stack, Catalogue]]:
    """A new stack that has just been told of the root."""
    with running_stack(state_dir) as stack:
        api = Api(stack.url)
        api.add_root(root)
        api.close()
        catalogue = Catalogue(stack, root)
        with catalogue.client:
            yield stack, catalogue


def is_whole(dump: dict[str, Any]) -> bool:
    """All files that are not trashed are there, hashed, and their facts are known."""
    items = dump["items"]
    return len(items) == dump["listed"] == LISTED and all(
        one["listed"] and one["listed"]["file_info"]["checksum"] and one["width"] for one in items.values()
    )


def nothing_waits(catalogue: Catalogue) -> bool:
    """Whether all that was found has been indexed, read and hashed; thumbnails are another matter."""
    jobs = catalogue.ask("GET", "/api/jobs")
    if jobs is None:
        return False
    queue = jobs["queues"]["index"]
    return bool(queue["pending"] == queue["running"] == 0)


def settled(catalogue: Catalogue) -> dict[str, Any]:
    """What the catalogue tells when nothing more will change."""
    wait_until(lambda: catalogue.count() == LISTED, INDEXED_S, "all is listed")
    return eventually(  # type: ignore[no-any-return]
        lambda: catalogue.dump() if nothing_waits(catalogue) else {},
        lambda dump: bool(dump) and is_whole(dump),
        INDEXED_S,
    )


def test_stopping_each_part_while_5000_files_are_indexed_changes_nothing(tmp_path: Path) -> None:
    root = tmp_path / "library"
    make_library(root)
    with indexing(tmp_path / "undisturbed", root) as (_, catalogue):
        expected = settled(catalogue)
    cameras = {camera for one in expected["items"].values() for camera in one["metadata"]["tags"].get("Camera", ())}
    assert len(cameras) == 3
    assert {len(one["related"]) for one in expected["items"].values()} == {0, 6}

    in_the_middle = 0
    with indexing(tmp_path / "disturbed", root) as (stack, catalogue):
        for name, how in STOPPED:
            seen = catalogue.count()
            in_the_middle += seen < LISTED
            stack.wait_restarted(name, stack.kill(name, how), 60.0)
            wait_until(partial(goes_on, catalogue, seen), 120.0, "it goes on")
        found = settled(catalogue)
    assert found == expected
    assert in_the_middle >= 3, "indexing was over too soon to be disturbed"


def goes_on(catalogue: Catalogue, seen: int) -> bool:
    count = catalogue.count()
    return count > seen or count == LISTED
