"""The frames of a video over the whole product: every moment has its own picture in both dialects that show frames, one
that is lost comes back, and they go with their video."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from api import Api, eventually
from media import video
from PIL import Image, ImageStat
from stack import REPOSITORY, Stack, running_stack

pytest.importorskip("torch", reason="the models are not installed")

TINY = f"open_clip:tiny-shapes/{REPOSITORY}/search-service/tests/tiny/tiny-shapes.pt"
SIZE = (640, 360)

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Stack]:
    with running_stack(tmp_path / "state", environment={"FRAMEWELL_ENCODER": TINY}) as stack:
        yield stack


class Viewer:
    """With the admin key, and for addresses without any."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        key = (stack.state_dir / "admin.key").read_text().strip()
        self.client = httpx.Client(base_url=stack.url, timeout=60, trust_env=False, headers={"X-Api-Key": key})
        self.anybody = httpx.Client(timeout=60, trust_env=False)

    def close(self) -> None:
        self.client.close()
        self.anybody.close()

    def ok(self, method: str, address: str, **given: Any) -> Any:
        answer = self.client.request(method, address, **given)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def frames(self, media_id: str) -> list[dict[str, Any]]:
        """When it has been embedded."""

        def look() -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = self.ok("GET", f"/api/media/{media_id}")["media"]["frames"]
            return found

        found: list[dict[str, Any]] = eventually(look, lambda frames: len(frames) > 1, 120)
        return found

    def shown(self, addresses: Sequence[str]) -> list[bytes]:
        answers = [self.anybody.get(address) for address in addresses]
        assert {(one.status_code, one.headers["content-type"]) for one in answers} == {(200, "image/jpeg")}
        return [one.content for one in answers]

    def retrieved(self, path: Path) -> list[dict[str, Any]]:
        """The frames behind the first, as interactive retrieval lists them."""
        faces = self.ok("GET", "/api/resolve", params={"path": str(path)})
        info = {"session_info": {"session": "s", "collection": faces["collection"]["slug"], "modelId": 1}}
        body = {**info, "media_ids": [faces["itemId"]]}
        ids = self.ok("POST", "/exq/item/related", json=body)["related"][str(faces["itemId"])]
        items: list[dict[str, Any]] = self.ok("POST", "/exq/item/base", json={**info, "media_ids": ids})["items"]
        return items

    def kept(self) -> list[Path]:
        return sorted((self.stack.state_dir / "blobs" / "frames").rglob("*.jpg"))

    def upload(self, file: Path, name: str) -> str:
        organization = self.ok("GET", "/api/auth/organization/list")[0]["id"]
        cid = self.ok("POST", f"/api/organization/{organization}/datasets", json={"name": "Up"})["id"]
        sent = {"file": (name, file.read_bytes())}
        told = self.ok("POST", "/api/upload/multipart", data={"datasetId": cid, "name": name}, files=sent)
        return str(told["mediaId"])

    def purge(self) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("FRAMEWELL_")}
        environment["FRAMEWELL_STATE_DIR"] = str(self.stack.state_dir)
        command = [sys.executable, "-m", "gateway.command", "purge", "--now", "--yes"]
        subprocess.run(command, env=environment, check=True, capture_output=True, timeout=60)


def colour(jpeg: bytes) -> str:
    """Which it shows most of."""
    with Image.open(io.BytesIO(jpeg), formats=["JPEG"]) as picture:
        assert picture.size == SIZE
        red, _, blue = ImageStat.Stat(picture).mean
    return "red" if red > blue else "blue"


def test_each_moment_of_a_video_is_shown_comes_back_when_lost_and_goes_with_the_video(
    tiny: Stack, tmp_path: Path
) -> None:
    root = tmp_path / "library"
    root.mkdir()
    film = root / "film.mp4"
    video(film, 14.0, SIZE)  # red for two seconds, then blue
    with closing(Viewer(tiny)) as viewer, closing(Api(tiny.url)) as api:
        api.add_root(root)
        faces = eventually(lambda: viewer.client.get("/api/resolve", params={"path": str(film)}), is_ok, 60).json()
        frames = viewer.frames(faces["mediaId"])

        addresses = [frame["blob"] for frame in frames]
        pictures = viewer.shown(addresses)
        assert [colour(one) for one in pictures] == ["red", *["blue"] * (len(frames) - 1)]
        assert [(frame["width"], frame["height"]) for frame in frames] == [SIZE] * len(frames)
        part = viewer.anybody.get(addresses[1], headers={"Range": "bytes=0-1"})
        assert (part.status_code, part.content) == (206, b"\xff\xd8")
        further = viewer.retrieved(film)
        assert viewer.shown([item["thumbnail_url"] for item in further]) == pictures[1:]

        assert len(viewer.kept()) == len(frames)
        shutil.rmtree(tiny.state_dir / "blobs" / "frames")
        assert viewer.shown(addresses) == pictures
        assert len(viewer.kept()) == len(frames)

        uploaded = viewer.upload(film, "again.mp4")
        own = [frame["blob"] for frame in viewer.frames(uploaded)]
        assert [colour(one) for one in viewer.shown(own)] == [colour(one) for one in pictures]
        assert len(viewer.kept()) == 2 * len(frames)
        viewer.ok("DELETE", f"/api/media/{uploaded}")
        assert viewer.shown(own[:1])  # it can still be brought back
        viewer.purge()
        eventually(viewer.kept, lambda kept: len(kept) == len(frames), 20)
        assert viewer.anybody.get(own[0]).status_code == 404
        assert viewer.shown(addresses) == pictures

        api.act(film, "trash")
        api.empty_trash(root)
        eventually(viewer.kept, lambda kept: not kept, 20)
        assert viewer.anybody.get(addresses[0]).status_code == 404


def is_ok(answer: httpx.Response) -> bool:
    return answer.status_code == 200
