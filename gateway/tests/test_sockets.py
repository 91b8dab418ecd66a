"""On a real port: callers that hang up, answers that break off, bytes as they arrive."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from fake_fs import FakeFs, Pause, Refused, chunks_of, file_facts, item
from media_common.errors import ErrorCode
from media_proto import fs_pb2

#: How soon a service must know that its caller's caller is gone.
PROMPT_S = 1.0


@asynccontextmanager
async def request(
    port: int, head: str, body: bytes = b""
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """One request over a bare socket, so that the test may hang up as it likes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    lines = f"{head} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: {len(body)}\r\n"
    if body:
        lines += "Content-Type: application/json\r\n"
    writer.write(f"{lines}\r\n".encode() + body)
    try:
        yield reader, writer
    finally:
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)


async def until(event: asyncio.Event, seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        await event.wait()


async def test_a_caller_that_hangs_up_stops_the_deletion(port: int, fake: FakeFs) -> None:
    pause = Pause()
    deleting = fs_pb2.TrashEvent(deleting=fs_pb2.TrashPath(path=b"/r/a.jpg"))
    fake.answers["EmptyTrash"] = [deleting, pause]

    async with request(port, "POST /api/empty-trash") as (reader, _):
        await reader.readuntil(b'"deleting"')
        await until(pause.reached)
        assert not pause.cancelled.is_set()

    await until(pause.cancelled, PROMPT_S)


@pytest.mark.parametrize(
    ("method", "head"),
    [
        ("EmptyTrash", "POST /api/empty-trash"),
        ("StreamItems", "GET /api/media-items/stream?path=/r"),
        ("GetThumbnail", "GET /api/media-thumbnail?path=/r/a.jpg"),
    ],
)
async def test_a_caller_that_hangs_up_before_the_first_byte_stops_the_work_too(
    port: int, fake: FakeFs, method: str, head: str
) -> None:
    pause = Pause()
    fake.answers[method] = pause if method == "GetThumbnail" else [pause]

    async with request(port, head):
        await until(pause.reached)

    await until(pause.cancelled, PROMPT_S)


async def test_a_caller_that_hangs_up_stops_the_reading(port: int, fake: FakeFs) -> None:
    pause = Pause()
    fake.answers["StatFile"] = file_facts(100)
    fake.answers["ReadFile"] = [fs_pb2.FileChunk(data=b"x" * 10), pause]

    async with request(port, "GET /api/media-file?path=/r/a.mp4") as (reader, _):
        await reader.readuntil(b"xxxxxxxxxx")
        await until(pause.reached)

    await until(pause.cancelled, PROMPT_S)


async def test_lines_arrive_as_they_are_made(port: int, fake: FakeFs) -> None:
    pause = Pause()
    fake.answers["StreamItems"] = [
        fs_pb2.ItemBatch(items=[item(b"/r/a.jpg")]),
        pause,
        fs_pb2.ItemBatch(items=[item(b"/r/b.jpg")], last=True),
    ]

    async with (
        httpx.AsyncClient(trust_env=False) as client,
        client.stream("GET", f"http://127.0.0.1:{port}/api/media-items/stream?path=/r") as answer,
    ):
        lines = answer.aiter_lines()
        assert '"/r/a.jpg"' in await anext(lines)
        pause.go_on.set()
        assert '"/r/b.jpg"' in await anext(lines)
        assert '"done"' in await anext(lines)


@pytest.mark.parametrize(
    "failure", [Refused(ErrorCode.FILE_CHANGED, "The file changed."), ValueError("a secret"), None]
)
async def test_a_read_that_fails_midway_ends_the_connection_short(
    port: int, fake: FakeFs, failure: Exception | None
) -> None:
    fake.answers["StatFile"] = file_facts(100)
    fake.answers["ReadFile"] = [fs_pb2.FileChunk(data=b"x" * 10), *([failure] if failure else [])]

    async with httpx.AsyncClient(trust_env=False) as client:
        with pytest.raises(httpx.RemoteProtocolError, match="without sending complete"):
            await client.get(f"http://127.0.0.1:{port}/api/media-file?path=/r/a.mp4")


async def test_more_bytes_than_promised_are_not_sent(port: int, fake: FakeFs) -> None:
    fake.answers["StatFile"] = file_facts(10)
    fake.answers["ReadFile"] = [fs_pb2.FileChunk(data=b"x" * 8), fs_pb2.FileChunk(data=b"x" * 8)]

    async with httpx.AsyncClient(trust_env=False) as client:
        with pytest.raises(httpx.RemoteProtocolError, match="without sending complete"):
            await client.get(f"http://127.0.0.1:{port}/api/media-file?path=/r/a.mp4")


async def test_a_connection_is_kept_from_answer_to_answer(port: int, fake: FakeFs) -> None:
    data = bytes(range(256)) * 100
    fake.answers["StatFile"] = file_facts(len(data))
    fake.answers["ReadFile"] = chunks_of(data, 4096)

    async with httpx.AsyncClient(trust_env=False, limits=httpx.Limits(max_connections=1)) as client:
        base = f"http://127.0.0.1:{port}"
        for asked, expected in (
            ("bytes=0-", data),
            ("bytes=-1", data[-1:]),
            ("x", data),
            ("bytes=100-199", data[100:200]),
        ):
            answer = await client.get(f"{base}/api/media-file?path=/r/a.mp4", headers={"Range": asked})
            assert answer.content == expected
        assert (await client.head(f"{base}/api/media-file?path=/r/a.mp4")).headers["content-length"] == str(len(data))
        assert (await client.get(f"{base}/api/health")).status_code == 200


async def test_a_large_body_is_refused_without_being_read(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        f"POST /api/media-actions HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        "Content-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n".encode()
    )
    async with asyncio.timeout(5):
        assert b" 413 " in await reader.readline()
    writer.close()
    await writer.wait_closed()


async def test_without_a_host_nobody_is_served(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /api/health HTTP/1.0\r\n\r\n")
    async with asyncio.timeout(5):
        assert b" 400 " in await reader.readline()
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize(
    ("request_line", "keys"),
    [
        ("GET /api/folder/x?y=1 HTTP/1.1", ["error", "message", "code", "details"]),
        ("POST /%65xq/item/base HTTP/1.1", ["error", "message", "detail"]),
        ("GET //v1/media HTTP/1.1", ["success", "message", "error"]),
        ("GET /api/folders HTTP/1.1", ["error"]),
        ("\x01 nonsense", ["error"]),
    ],
)
async def test_what_is_no_http_is_refused_in_the_dialect_of_its_address(
    port: int, request_line: str, keys: list[str]
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"{request_line}\r\nHost: 127.0.0.1\r\nCookie: a=\x7f\r\n\r\n".encode("latin-1"))
    async with asyncio.timeout(10):
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()

    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"content-type: application/json\r\n" in head
    assert list(json.loads(body)) == keys
    assert b"The request is not valid HTTP." in body
