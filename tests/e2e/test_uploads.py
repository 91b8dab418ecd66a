"""Uploads and what goes wrong beside them: very large ones, a gateway that dies, workers that are away, S3."""

from __future__ import annotations

import hashlib
import http.client
import io
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from api import eventually
from media_common.testing import s3_server
from PIL import Image
from stack import Stack, running_stack, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

MIB = 2**20
#: The issue's own figures.
LARGE_BYTES = 2 * 2**30
RSS_LIMIT_BYTES = 300 * 10**6
UPLOAD = "/api/upload/multipart"


def photo(colour: tuple[int, int, int] = (200, 30, 30)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (64, 48), colour).save(out, "JPEG")
    return out.getvalue()


class Caller:
    """With the admin key, about a collection of its own."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.headers = {"X-Api-Key": (stack.state_dir / "admin.key").read_text().strip()}
        organization = self.ok("GET", "/api/auth/organization/list")[0]["id"]
        self.cid: str = self.ok("POST", f"/api/organization/{organization}/datasets", json={"name": "Up"})["id"]

    def call(self, method: str, address: str, **given: Any) -> httpx.Response:
        return httpx.request(
            method, self.stack.url + address, headers=self.headers, timeout=60, trust_env=False, **given
        )

    def ok(self, method: str, address: str, **given: Any) -> Any:
        answer = self.call(method, address, **given)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def upload(self, content: bytes, **fields: str) -> dict[str, Any]:
        told: dict[str, Any] = self.ok(
            "POST", UPLOAD, data={"datasetId": self.cid, **fields}, files={"file": ("upload", content)}
        )
        return told

    def media(self, media_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.ok("GET", f"/api/media/{media_id}")["media"]
        return found

    def total(self) -> int:
        total: int = self.ok("GET", f"/api/dataset/{self.cid}/media")["pagination"]["total"]
        return total

    def begin(self, length: int) -> http.client.HTTPConnection:
        """The head and the fields of an upload of so many bytes are sent; the file is to follow."""
        fields = (
            f'--b\r\nContent-Disposition: form-data; name="datasetId"\r\n\r\n{self.cid}\r\n'
            '--b\r\nContent-Disposition: form-data; name="file"; filename="upload"\r\n\r\n'
        ).encode()
        link = http.client.HTTPConnection("127.0.0.1", self.stack.port, timeout=120)
        link.putrequest("POST", UPLOAD)
        for name, value in self.headers.items():
            link.putheader(name, value)
        link.putheader("Content-Type", "multipart/form-data; boundary=b")
        link.putheader("Content-Length", str(len(fields) + length + len(END)))
        link.endheaders(fields)
        return link


END = b"\r\n--b--\r\n"


def blobs(stack: Stack) -> list[Path]:
    return sorted(path for path in (stack.state_dir / "blobs").glob("??/??/*") if path.is_file())


def unfinished(stack: Stack) -> list[Path]:
    return list((stack.state_dir / "blobs" / "incoming").glob("*"))


def large(size: int) -> Iterator[bytes]:
    """A photo with zeros behind it, which a JPEG may have."""
    head = photo()
    yield head
    left, zeros = size - len(head), bytes(MIB)
    while left:
        yield zeros[:left]
        left -= min(left, MIB)


@pytest.mark.alone
def test_two_gigabytes_pass_through_a_gateway_that_stays_small(own_stack: Stack) -> None:
    caller = Caller(own_stack)
    gateway = psutil.Process(own_stack.pids()["gateway"])
    peak, sha256 = 0, hashlib.sha256()

    link = caller.begin(LARGE_BYTES)
    for number, piece in enumerate(large(LARGE_BYTES)):
        link.send(piece)
        sha256.update(piece)
        if number % 16 == 0:
            peak = max(peak, gateway.memory_info().rss)
    link.send(END)
    answer = link.getresponse()
    told = json.loads(answer.read())
    link.close()
    peak = max(peak, gateway.memory_info().rss)

    assert answer.status == 200, told
    assert peak < RSS_LIMIT_BYTES
    media = caller.media(told["mediaId"])
    assert media["sizeBytes"] == LARGE_BYTES
    (blob,) = blobs(own_stack)
    assert (blob.name, blob.stat().st_size) == (sha256.hexdigest(), LARGE_BYTES)
    tail = httpx.get(told["url"], headers={"Range": "bytes=-16"}, timeout=60, trust_env=False)
    assert (tail.status_code, tail.content) == (206, bytes(16))
    eventually(lambda: caller.media(told["mediaId"]), lambda found: found["width"] == 64, 60)
    blob.unlink()


def test_a_gateway_that_dies_under_an_upload_leaves_nothing_when_it_is_back(own_stack: Stack) -> None:
    caller = Caller(own_stack)
    link = caller.begin(64 * MIB)
    for piece in large(8 * MIB):
        link.send(piece)
    wait_until(lambda: bool(unfinished(own_stack)), 20, "the upload is on its way")

    own_stack.wait_restarted("gateway", own_stack.kill("gateway"))
    link.close()

    wait_until(lambda: not unfinished(own_stack), 30, "what was left is dropped")
    own_stack.wait_ready()
    wait_until(lambda: _answers(caller), 30, "the gateway answers")
    assert caller.total() == 0
    assert blobs(own_stack) == []


def _answers(caller: Caller) -> bool:
    try:
        return caller.call("GET", "/health/live").status_code == 200
    except httpx.TransportError:
        return False


def test_what_is_uploaded_while_workers_and_queue_are_away_is_looked_into_later(tmp_path: Path) -> None:
    with running_stack(tmp_path / "state", workers=1) as stack:
        caller = Caller(stack)
        nats, worker = stack.pids()["nats"], stack.pids()["thumb-1"]
        assert nats is not None
        assert worker is not None
        psutil.Process(worker).suspend()
        stack.kill("nats")
        ids = [caller.upload(photo((20 * number, 0, 0)))["mediaId"] for number in range(5)]
        stack.wait_restarted("nats", nats)
        stack.kill("thumb-1")
        stack.kill("metadata")
        for media_id in ids:
            eventually(lambda media_id=media_id: _width(caller, media_id), lambda width: width == 64, 90)


def _width(caller: Caller, media_id: str) -> int | None:
    answer = caller.call("GET", f"/api/media/{media_id}")
    return answer.json()["media"]["width"] if answer.status_code == 200 else None


def test_with_s3_the_bytes_are_there_and_nowhere_else(tmp_path: Path) -> None:
    with s3_server(tmp_path / "s3") as url:
        environment = {"S3_ENDPOINT": url, "S3_ACCESS_KEY": "key", "S3_SECRET_KEY": "secret", "S3_BUCKET": "uploads"}
        with running_stack(tmp_path / "state", environment=environment) as stack:
            caller = Caller(stack)
            content = photo() + bytes(12 * MIB)  # in parts
            began = time.monotonic()
            told = caller.upload(content)
            eventually(lambda: caller.media(told["mediaId"]), lambda found: found["width"] == 64, 60)
            assert time.monotonic() - began < 60
            part = httpx.get(told["url"], headers={"Range": "bytes=0-99"}, timeout=60, trust_env=False)
            assert (part.status_code, part.content) == (206, content[:100])
            assert httpx.get(told["url"], timeout=60, trust_env=False).content == content
            assert not (stack.state_dir / "blobs").exists()
            listed = httpx.get(f"{url}/uploads?list-type=2", timeout=20, trust_env=False).text
            sha256 = hashlib.sha256(content).hexdigest()
            assert f"<Key>blobs/{sha256}</Key>" in listed
            assert f"<Key>thumbnails/{sha256}-1024.png</Key>" in listed
            assert "incoming/" not in listed
