"""Signed addresses: made by a list, good for a while, and for nothing else."""

from __future__ import annotations

import stat
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fake_fs import PNG, FakeFs, Refused, chunks_of, file_facts
from gateway.blobs import BlobSigner
from gateway.errors import Failure
from gateway.secret_file import kept_secret
from gateway_rig import SIGNING_KEY, MakeApp, error_of
from hypothesis import given
from hypothesis import strategies as st
from library_world import PHOTO_ID, World, photo, served
from media_common.errors import ErrorCode
from media_proto import fs_pb2
from media_proto import metadata_pb2 as pb

from gateway import blobs

DATA = bytes(range(256))
#: Good for longer than any test run.
SIGNER = BlobSigner(SIGNING_KEY, 86_400)
FILE = f"/blob/{SIGNER.token('file', 12)}"


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def client(
    world: World, make_app: MakeApp, service: FakeFs, socket_path: str
) -> AsyncIterator[httpx.AsyncClient]:
    """A caller from elsewhere, with no key."""
    service.answers["StatFile"] = file_facts(256, path=b"/r/day1/hero-shot.jpg", content_type="image/jpeg")
    service.answers["ReadFile"] = chunks_of(DATA)
    service.answers["GetThumbnail"] = fs_pb2.Thumbnail(png=PNG, etag="t1", modified_us=1)
    async with served(world, make_app, socket_path, auth="required") as made:
        del made.headers["X-Api-Key"]
        yield made


async def test_the_file_is_served_without_a_key(client: httpx.AsyncClient, fake: FakeFs) -> None:
    answer = await client.get(FILE)

    assert (answer.status_code, answer.content) == (200, DATA)
    assert answer.headers["content-type"] == "image/jpeg"
    assert fake.last("StatFile").path == b"/r/day1/hero-shot.jpg"


async def test_the_address_that_a_list_gives_works(client: httpx.AsyncClient) -> None:
    media = (await client.get(f"/api/media/{PHOTO_ID.hex()}", headers={"X-Api-Key": "reader"})).json()["media"]

    assert (await client.get(media["blob"])).content == DATA
    assert (await client.get(media["frames"][0]["blob"])).content == PNG


async def test_a_range_is_served(client: httpx.AsyncClient) -> None:
    answer = await client.get(FILE, headers={"Range": "bytes=250-"})

    assert (answer.status_code, answer.content) == (206, DATA[250:])
    assert answer.headers["content-range"] == "bytes 250-255/256"
    assert (await client.get(FILE, headers={"Range": "bytes=256-"})).status_code == 416
    assert (await client.head(FILE)).headers["content-length"] == "256"


@pytest.mark.parametrize(
    "token",
    [
        "x",
        "f.12.9999999999999",
        "f.12.9999999999999~x",
        BlobSigner("another key", 60).token("file", 12),
        SIGNER.token("file", 12).replace("f.12", "f.13"),
        SIGNER.token("file", 12).replace("f.12", "m.12"),
        SIGNER.token("frame", 12).replace("m.12", "t.12"),
        SIGNER.token("file", 12) + "x",
        "%00",
        "%F0%9F",
    ],
)
async def test_a_forged_address_is_403(client: httpx.AsyncClient, token: str) -> None:
    error_of(await client.get(f"/blob/{token}"), 403)


async def test_an_expired_address_is_403(client: httpx.AsyncClient) -> None:
    old = BlobSigner(SIGNING_KEY, 60, lambda: 1_000_000.0).token("file", 12)

    assert "expired" in error_of(await client.get(f"/blob/{old}"), 403)


async def test_what_is_gone_is_404(client: httpx.AsyncClient, fake: FakeFs, world: World) -> None:
    error_of(await client.get(f"/blob/{SIGNER.token('file', 99)}"), 404)
    fake.answers["StatFile"] = Refused(ErrorCode.PATH_MISSING, "No such file.")
    error_of(await client.get(FILE), 404)
    world.items[PHOTO_ID] = photo(source=pb.MEDIA_SOURCE_EXTERNAL)
    error_of(await client.get(FILE), 404)


@given(st.integers(1, 10**6), st.integers(0, 2**62), st.sampled_from(["file", "thumb", "frame"]))
def test_an_address_is_good_for_its_time_and_no_longer(ttl_s: int, item_id: int, face: str) -> None:
    now = [1_700_000_000.123]
    signer = BlobSigner(SIGNING_KEY, ttl_s, lambda: now[0])
    token = signer.token(face, item_id)  # type: ignore[arg-type]

    now[0] += ttl_s - 0.001
    assert signer.read(token) == (face, item_id)
    now[0] += ttl_s / 60 + 0.01
    with pytest.raises(Failure):
        signer.read(token)


def test_many_addresses_at_once_are_those_of_each_alone_also_when_asked_again_and_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(blobs, "_MOST_MADE", 4)
    now = [1_000_000.0]
    signer = BlobSigner(SIGNING_KEY, 600, lambda: now[0])
    for items in ([1, 2, 3], [3, 3, 4, 1], [5, 6, 7, 8, 9], [1, 9]):
        for _ in range(2):
            until = signer.expiry_ms()
            each = [(signer.token_until("file", n, until), signer.token_until("thumb", n, until)) for n in items]
            assert signer.tokens(items, until) == each
            now[0] += 11.0  # the step of such a life is ten seconds


def test_the_signing_key_is_kept_for_its_owner_alone(tmp_path: Path) -> None:
    key = kept_secret(tmp_path / "blob.key", "a key")

    assert key == kept_secret(tmp_path / "blob.key", "a key")
    assert stat.S_IMODE((tmp_path / "blob.key").stat().st_mode) == 0o600
