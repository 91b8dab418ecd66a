"""The whole product on the NATS, the Qdrant and the S3 of this run: what comes in is where it belongs and is found."""

from __future__ import annotations

import io
import random
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from api import Api, eventually
from media_common.blobs.s3 import S3Store
from stack import REPOSITORY, Stack, running_stack

pytest.importorskip("torch", reason="the models are not installed")

from search_service.shapes import drawn

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

TINY = f"open_clip:tiny-shapes/{REPOSITORY}/search-service/tests/tiny/tiny-shapes.pt"
SHOWN = (("red", "circle"), ("blue", "square"), ("green", "triangle"))


@pytest.fixture
def stack(outside: dict[str, str], tmp_path: Path) -> Iterator[Stack]:
    with running_stack(tmp_path / "state", environment={"FRAMEWELL_ENCODER": TINY, **outside}) as running:
        yield running


def png(colour: str, shape: str) -> bytes:
    out = io.BytesIO()
    drawn(colour, shape, random.Random(colour), 128).save(out, "PNG")
    return out.getvalue()


def test_an_upload_is_stored_drawn_embedded_and_found(stack: Stack, outside: dict[str, str]) -> None:
    key = {"X-Api-Key": (stack.state_dir / "admin.key").read_text().strip()}
    with closing(Api(stack.url)) as api:
        api.client.headers.update(key)
        organization = api.ok(api.get("/api/me"))["organizationId"]
        made = api.ok(api.send("POST", f"/api/organization/{organization}/datasets", {"name": "Shapes"}))
        names: dict[str, str] = {}
        for colour, shape in SHOWN:
            form = {"datasetId": made["id"], "name": f"{len(names)}.png"}
            file = {"file": ("upload", png(colour, shape))}
            told = api.ok(api.client.post("/api/upload/multipart", data=form, files=file))
            names[told["mediaId"]] = f"{colour} {shape}"
            assert httpx.get(told["url"], trust_env=False).content == png(colour, shape)

        def first(wanted: str) -> str:
            answer = api.client.get(f"/api/dataset/{made['id']}/media", params={"q": f"a {wanted}", "limit": 1})
            found = answer.json()["media"] if answer.status_code == 200 else []
            return names[found[0]["id"]] if found else ""

        for wanted in names.values():
            eventually(lambda wanted=wanted: first(wanted) == wanted, bool, 90)
        for media in names:
            eventually(lambda media=media: api.ok(api.get(f"/api/media/{media}"))["media"]["width"], bool, 60)
    assert not (stack.state_dir / "blobs").exists()
    assert not (stack.state_dir / "nats").exists()
    names_of = (outside["S3_ENDPOINT"], outside["S3_ACCESS_KEY"], outside["S3_SECRET_KEY"], outside["S3_BUCKET"])
    with closing(S3Store(*names_of)) as store:
        kept = list(store.listed())
        assert len(kept) == len(SHOWN)
        assert all(store.thumbnail(one.sha256, 1024) for one in kept)
