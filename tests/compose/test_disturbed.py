"""Stores and queues that go away under load, a stack that is taken down, a backup that is put back: errors are clear
and short, nothing is lost, and nobody has to lend a hand."""

from __future__ import annotations

import io
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from api import eventually, query, visible
from deployed import Deployed
from media import many, noise
from PIL import Image
from stack import wait_until

pytestmark = [pytest.mark.compose, pytest.mark.timeout(1800, func_only=True)]

#: How soon everything must answer again when what it needs is back.
RECOVERED_S = 60.0
#: No caller waits longer for the answer that a part is down.
TOLD_WITHIN_S = 20.0


def photo() -> bytes:
    """Another one each time."""
    out = io.BytesIO()
    Image.frombytes("RGB", (40, 30), secrets.token_bytes(3600)).save(out, "JPEG")
    return out.getvalue()


class Load:
    """What callers do all the time, and what they are told."""

    def __init__(self, stack: Deployed, folder: Path, dataset: str) -> None:
        self.stack = stack
        self.uploaded: dict[str, bytes] = {}
        self.told: Counter[tuple[str, int]] = Counter()
        self.faults: list[str] = []
        self.slowest_s = 0.0
        self._folder = folder
        self._dataset = dataset
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._again, args=(name, each), name=name)
            for name, each in (
                ("look", self.look),
                ("thumbnail", self.thumbnail),
                ("search", self.search),
                ("upload", self.upload),
            )
        ]

    @contextmanager
    def running(self) -> Iterator[None]:
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in self._threads:
                thread.join(120)

    def _again(self, name: str, each: Callable[[httpx.Client, int], httpx.Response]) -> None:
        with self.stack.caller() as client:
            number = 0
            while not self._stop.is_set():
                number += 1
                began = time.monotonic()
                try:
                    answer = each(client, number)
                except httpx.HTTPError as error:
                    self.faults.append(f"{name}: {error!r}")
                    continue
                self.slowest_s = max(self.slowest_s, time.monotonic() - began)
                self.told[name, answer.status_code] += 1
                if answer.status_code >= 500 and not _is_clear(answer):
                    self.faults.append(f"{name}: {answer.status_code} {answer.text[:300]}")
                self._stop.wait(0.05)

    def look(self, client: httpx.Client, number: int) -> httpx.Response:
        return client.get(f"/api/media-items/stream?{query(path=self._folder)}&limit=20")

    def thumbnail(self, client: httpx.Client, number: int) -> httpx.Response:
        # Another size each time: nothing kept will do.
        return client.get(f"/api/media-thumbnail?{query(path=self._folder / 'frame0000.jpg')}&size={1 + number % 1024}")

    def search(self, client: httpx.Client, number: int) -> httpx.Response:
        return client.get(f"/api/dataset/{self._dataset}/media", params={"q": f"cat number {number}", "limit": 3})

    def upload(self, client: httpx.Client, number: int) -> httpx.Response:
        content = photo()
        form = {"datasetId": self._dataset, "name": f"{number}.jpg"}
        answer = client.post("/api/upload/multipart", data=form, files={"file": ("a.jpg", content)})
        if answer.status_code == 200:
            self.uploaded[answer.json()["url"]] = content
        return answer


def _is_clear(answer: httpx.Response) -> bool:
    """503, 504 or 507 with a sentence; never 500, never a trace."""
    with suppress(ValueError):
        body = answer.json()
        text = str(body.get("error") or body.get("message") or body.get("detail") or "")
        return answer.status_code in (503, 504, 507) and len(text) > 5 and "Traceback" not in answer.text
    return False


@pytest.fixture
def load(stack: Deployed) -> Iterator[Load]:
    folder = stack.library / f"load-{secrets.token_hex(3)}"
    many(folder, 6)
    stack.owned()
    stack.api.add_root(folder)
    with stack.caller() as client:
        where = f"/api/resolve?{query(path=folder)}"
        collection = eventually(lambda: client.get(where), lambda told: told.status_code == 200, 120).json()[
            "collection"
        ]
    stack.api.wait_idle(300)
    yield Load(stack, folder, collection["id"])
    stack.api.remove_root(folder)


def all_is_answered(stack: Deployed, load: Load) -> bool:
    """Each kind of request, once."""
    with stack.caller() as client:
        for each in (load.look, load.thumbnail, load.search, load.upload):
            try:
                if each(client, secrets.randbelow(1000)).status_code != 200:
                    return False
            except httpx.HTTPError:
                return False
    return True


@pytest.mark.parametrize("service", ["nats", "qdrant", "s3"])
def test_what_is_restarted_under_load_costs_no_more_than_a_clear_error(
    stack: Deployed, load: Load, service: str
) -> None:
    if service in ("qdrant", "s3") and stack.kind == "lite":
        pytest.skip("the small stack has none")
    with load.running():
        wait_until(
            lambda: all(load.told[name, 200] for name in ("look", "thumbnail", "search", "upload")), 60, "all do"
        )
        stack.compose("restart", "--timeout", "10", service, timeout_s=180)
        wait_until(lambda: all_is_answered(stack, load), RECOVERED_S, "all is answered again")

    assert load.faults == []
    assert load.slowest_s < TOLD_WITHIN_S
    assert {status for name, status in load.told if name == "look"} == {200}, load.told
    for url, content in load.uploaded.items():
        assert httpx.get(url, trust_env=False, timeout=60).content == content, "an upload is lost"
    jobs = stack.api.wait_idle(300)
    assert all(queue["dead"] == 0 for queue in jobs["queues"].values()), jobs
    stack.wait_well()


@pytest.mark.parametrize(
    "service", ["fs-service", "metadata-service", "search-service", "gateway", "thumbnail-service"]
)
def test_a_service_that_is_killed_is_started_again_and_all_goes_on(stack: Deployed, load: Load, service: str) -> None:
    container = stack.containers(service)[0]
    pid = stack.state(container)["Pid"]
    stack.kill(container)
    stack.wait_restarted(container, pid)
    wait_until(lambda: all_is_answered(stack, load), RECOVERED_S, "all is answered again")


def _kept(stack: Deployed, caller: httpx.Client, collection: dict[str, Any], folder: Path) -> dict[str, Any]:
    """What must be the same after all that a stack goes through."""
    dataset = f"/api/dataset/{collection['id']}/media"
    listed = caller.get(dataset, params={"recursive": "true", "type": "image", "limit": 100}).json()["media"]
    found = caller.get(dataset, params={"q": "a photograph", "limit": 5}).json()["media"]
    return {
        "roots": sorted(stack.api.known_paths()),
        "items": [(item["name"], item["status"]) for item in stack.api.stream(folder, limit=100).items],
        "media": sorted((media["id"], media["name"]) for media in listed),
        "found": [media["id"] for media in found],
    }


@pytest.fixture
def furnished(stack: Deployed) -> tuple[Path, dict[str, Any], str]:
    """A review path with marks, its collection with an upload, and the upload's address."""
    folder = stack.library / f"kept-{secrets.token_hex(3)}"
    folder.mkdir()
    for number in range(3):
        noise(folder / f"{number}.jpg", (320, 240), seed=number)
    stack.owned()
    stack.api.add_root(folder)
    stack.api.act(folder / "0.jpg", "lock")
    stack.api.act(folder / "1.jpg", "seen")
    with stack.caller() as caller:
        where = f"/api/resolve?{query(path=folder)}"
        collection = eventually(lambda: caller.get(where), lambda told: told.status_code == 200, 120).json()[
            "collection"
        ]
        form = {"datasetId": collection["id"], "name": "kept.jpg"}
        told = caller.post("/api/upload/multipart", data=form, files={"file": ("kept.jpg", photo())}).json()
    stack.api.wait_idle(300)
    return folder, collection, told["url"]


def test_down_and_up_again_all_is_as_it_was(stack: Deployed, furnished: tuple[Path, dict[str, Any], str]) -> None:
    folder, collection, url = furnished
    with stack.caller() as caller:
        before, content = _kept(stack, caller, collection, folder), httpx.get(url, trust_env=False).content
        assert before["found"]
    stack.down()
    assert stack.compose("ps", "--quiet") == ""
    stack.up()
    with stack.caller() as caller:
        eventually(lambda: stack.api.jobs(), lambda jobs: jobs["encoder"]["state"] == "ready", 300)
        assert _kept(stack, caller, collection, folder) == before
        assert httpx.get(url, trust_env=False).content == content


def test_a_backup_that_is_put_back_undoes_what_came_after(
    stack: Deployed, furnished: tuple[Path, dict[str, Any], str], tmp_path: Path
) -> None:
    folder, collection, _ = furnished
    file = tmp_path / "backup.tar.gz"
    with stack.caller() as caller:
        before = _kept(stack, caller, collection, folder)
        stack.run("make", "backup", f"FILE={file}", timeout_s=300)
        assert file.stat().st_mode & 0o077 == 0
        form = {"datasetId": collection["id"], "name": "later.jpg"}
        assert caller.post("/api/upload/multipart", data=form, files={"file": ("a.jpg", photo())}).status_code == 200
        assert _kept(stack, caller, collection, folder)["media"] != before["media"]

    stack.run("make", "restore", f"FILE={file}", timeout_s=600)

    # On a busy machine it is loaded later than all else is idle, and until then a search is a 503.
    eventually(lambda: stack.api.jobs(), lambda jobs: jobs["encoder"]["state"] == "ready", 300)
    stack.api.wait_idle(600)
    with stack.caller() as caller:
        eventually(
            lambda: _kept(stack, caller, collection, folder)["media"], lambda media: media == before["media"], 120
        )


def test_a_backup_brings_uploads_back_after_every_volume_is_lost(
    stack: Deployed, furnished: tuple[Path, dict[str, Any], str], tmp_path: Path
) -> None:
    folder, collection, url = furnished
    file = tmp_path / "backup.tar.gz"
    with stack.caller() as caller:
        before, content = _kept(stack, caller, collection, folder), httpx.get(url, trust_env=False).content
    stack.run("make", "backup", f"FILE={file}", timeout_s=300)
    stack.down("--volumes")
    stack.up()
    stack.run("make", "restore", f"FILE={file}", timeout_s=600)

    eventually(lambda: stack.api.jobs(), lambda jobs: jobs["encoder"]["state"] == "ready", 300)
    stack.api.wait_idle(600)
    with stack.caller() as caller:
        eventually(lambda: _kept(stack, caller, collection, folder), lambda kept: kept == before, 300)
        assert httpx.get(url, trust_env=False).content == content


def test_a_broken_backup_is_refused_while_the_stack_runs_on(stack: Deployed, tmp_path: Path) -> None:
    file = tmp_path / "broken.tar.gz"
    file.write_bytes(b"no archive")
    with pytest.raises(AssertionError, match=r"make restore"):
        stack.run("make", "restore", f"FILE={file}", timeout_s=300)
    assert stack.api.is_ready()


def test_a_library_that_nothing_may_write_to_is_reviewed_all_the_same(stack: Deployed) -> None:
    folder = stack.library / "read-only"
    paths = many(folder, 3)
    stack.owned()
    stack.api.add_root(folder)
    before = visible(folder)
    stack.set(MEDIA_READ_ONLY="true")
    stack.up()
    try:
        api = stack.api
        eventually(lambda: api.plan(folder)["roots"][0]["state"], lambda state: state == "read-only")
        assert api.act(paths[0], "lock")["locked"]
        assert api.act(paths[1], "trash")["trashed"]
        assert api.thumbnail(paths[2], 96).status_code == 200
        assert api.empty_trash(folder)[-1]["deleted"] == 0
        assert visible(folder) == before
    finally:
        stack.set(MEDIA_READ_ONLY="false")
        stack.up()
    assert all(path.exists() for path in paths)
    stack.api.remove_root(folder)
