"""NATS away, frozen, back, and back with nothing in it: culling goes on, and no background job is lost."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from api import Api, error_of, eventually
from media import many, picture
from runner.nats import program
from stack import REPOSITORY, Stack, free_port, running_stack

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

#: The longest that anybody should have to wait for "no worker answers".
GIVE_UP_S = 20.0


class Nats:
    """A server of the test's own, so that it stays down as long as the test wants."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"nats://127.0.0.1:{self.port}"
        self._folder = folder
        self._stores = 0
        self._process: subprocess.Popen[bytes] | None = None
        self.forget()

    def forget(self) -> None:
        """From the next start on, an empty store."""
        self._stores += 1
        settings = {
            "listen": f"127.0.0.1:{self.port}",
            "max_payload": 8 * 2**20,
            "jetstream": {"store_dir": str(self._folder / f"store{self._stores}")},
        }
        self._folder.mkdir(exist_ok=True)
        (self._folder / "nats.conf").write_text(json.dumps(settings))

    def start(self) -> None:
        self._process = subprocess.Popen(
            [program(), "-c", str(self._folder / "nats.conf")],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@pytest.fixture
def nats(tmp_path: Path) -> Iterator[Nats]:
    server = Nats(tmp_path / "nats")
    server.start()
    yield server
    server.kill()


@pytest.fixture
def api(nats: Nats, tmp_path: Path) -> Iterator[Api]:
    with running_stack(tmp_path / "state", environment={"NATS_URL": nats.url}) as stack:
        client = Api(stack.url)
        yield client
        client.close()


@pytest.fixture
def root(api: Api, tmp_path: Path) -> Path:
    """Ten pictures with their thumbnails made."""
    many(tmp_path / "library", 10)
    api.add_root(tmp_path / "library")
    api.wait_idle()
    return tmp_path / "library"


def thumbnails(root: Path) -> int:
    return len(list((root / ".thumbnails" / "large").glob("[!.]*.png")))


def cull(api: Api, root: Path) -> None:
    """Everything a review needs, none of which asks NATS."""
    paths = sorted(root.glob("*.jpg"))
    assert api.stream(root).names == [path.name for path in paths]
    api.act(paths[0], "seen")
    api.act(paths[1], "lock")
    assert api.batch([str(path) for path in paths[2:4]], "trash").status_code == 207
    assert api.summary(root)["trashed"] == 2
    assert api.plan(root)["count"] == 2
    assert api.empty_trash(root)[-1]["deleted"] == 2
    assert api.file(paths[0]).status_code == 200
    assert api.files(root)["total"] == len(paths) - 2
    api.ok(api.get("/api/jobs"))


def no_new_thumbnails(api: Api, root: Path) -> None:
    path = sorted(root.glob("*.jpg"))[0]
    assert api.thumbnail(path, 256).status_code == 200, "a cached one is served"
    began = time.monotonic()
    error_of(api.thumbnail(path, 333), 503)
    assert time.monotonic() - began < GIVE_UP_S


def test_without_nats_culling_goes_on_and_afterwards_every_job_is_done(api: Api, nats: Nats, root: Path) -> None:
    nats.kill()

    cull(api, root)
    no_new_thumbnails(api, root)
    many(root / "new", 25)
    assert len(api.stream(root).items) == 33
    assert "nats" in api.get("/health/ready").text
    assert not api.jobs()["idle"], "what could not be published waits"

    nats.start()
    eventually(lambda: thumbnails(root), lambda count: count == 33, 60.0)
    api.wait_idle()
    assert api.thumbnail(root / "new" / "frame0000.jpg", 333).status_code == 200


def test_with_nats_frozen_culling_goes_on_and_afterwards_every_job_is_done(api: Api, nats: Nats, root: Path) -> None:
    nats.signal(signal.SIGSTOP)
    try:
        cull(api, root)
        no_new_thumbnails(api, root)
        many(root / "new", 25)
        assert len(api.stream(root).items) == 33
    finally:
        nats.signal(signal.SIGCONT)

    eventually(lambda: thumbnails(root), lambda count: count == 33, 90.0)


def test_a_nats_that_lost_its_store_is_used_again(api: Api, nats: Nats, root: Path) -> None:
    nats.kill()
    nats.forget()
    nats.start()

    many(root / "new", 5)
    assert len(api.stream(root).items) == 15

    eventually(lambda: thumbnails(root), lambda count: count == 15, 60.0)
    eventually(lambda: api.thumbnail(root / "new" / "frame0000.jpg", 333).status_code, lambda code: code == 200)


def test_without_nats_what_was_trashed_is_found_by_no_search(nats: Nats, tmp_path: Path) -> None:
    encoder = f"open_clip:tiny-shapes/{REPOSITORY}/search-service/tests/tiny/tiny-shapes.pt"
    environment = {"NATS_URL": nats.url, "FRAMEWELL_ENCODER": encoder}
    with running_stack(tmp_path / "state", environment=environment) as stack, closing(Api(stack.url)) as api:
        api.client.headers["X-Api-Key"] = (stack.state_dir / "admin.key").read_text().strip()
        _trash_while_search_hears_nothing(api, nats, tmp_path)


def _trash_while_search_hears_nothing(api: Api, nats: Nats, folder: Path) -> None:
    many(folder / "made", 6)
    organization = json.loads(api.get("/api/auth/organization/list").text)[0]["id"]
    dataset = api.ok(api.send("POST", f"/api/organization/{organization}/datasets", {"name": "Mine"}))["id"]
    uploaded = {}
    for path in (folder / "made").iterdir():
        fields = {"datasetId": dataset, "name": path.name, "path": dataset}
        answer = api.client.post("/api/upload/multipart", data=fields, files={"file": ("upload", path.read_bytes())})
        uploaded[path.name] = api.ok(answer)["mediaId"]
    api.wait_idle()
    faces = {name: api.ok(api.get("/api/resolve", id=media)) for name, media in uploaded.items()}
    session = {"session": "s", "collection": faces["frame0000.jpg"]["collection"]["slug"], "modelId": 1}

    def found(strategy: str, n: int, **own: object) -> list[int]:
        body = {"n": n, "session_info": session, **own}
        ids: list[int] = api.ok(api.send("POST", f"/exq/search/{strategy}", body))["suggestions"]
        return ids

    assert len(found("clip", 1000, text="a square")) == len(uploaded)
    nats.kill()
    first = found("clip", 3, text="a square")
    trashed = next(name for name, face in faces.items() if face["itemId"] == first[0])
    assert api.send("DELETE", f"/api/media/{uploaded[trashed]}").status_code == 200
    for strategy, own in (("clip", {"text": "a square"}), ("rf", {"pos": first[1:2], "neg": []})):
        ids = found(strategy, 3, **own)
        assert first[0] not in ids
        assert len(ids) == 3


def test_workers_down_are_told_by_thumbnails_only(tmp_path: Path) -> None:
    with running_stack(tmp_path / "state", workers=0) as stack:
        _review_without_workers(stack, tmp_path / "library")


def _review_without_workers(stack: Stack, root: Path) -> None:
    api = Api(stack.url)
    many(root, 10)
    api.add_root(root)
    cull(api, root)
    picture(root / "x.jpg")
    began = time.monotonic()
    error_of(api.thumbnail(root / "x.jpg"), 503)
    assert time.monotonic() - began < GIVE_UP_S
    api.close()
