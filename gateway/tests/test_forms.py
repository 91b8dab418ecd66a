"""Multipart forms as they come in, cut anywhere."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from gateway.errors import ClientGone, Failure
from gateway.forms import MAX_FIELD_BYTES, MAX_PARTS, FileBegins, FileBytes, Text, form_events
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.requests import Request

BOUNDARY = "----WebKitFormBoundary7MA4YWxkTrZu0gW"
TYPE = f"multipart/form-data; boundary={BOUNDARY}"


def part(disposition: str, content: bytes, *headers: str) -> bytes:
    lines = [f"--{BOUNDARY}", f"Content-Disposition: form-data; {disposition}", *headers, "", ""]
    return "\r\n".join(lines).encode() + content + b"\r\n"


def body(*parts: bytes) -> bytes:
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


async def read(chunks: Sequence[bytes], content_type: str = TYPE, cut: bool = False) -> list[Any]:
    """Texts as pairs, the file as its name and all its bytes."""
    messages = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    messages.append({"type": "http.disconnect"} if cut else {"type": "http.request", "body": b"", "more_body": False})
    sent = iter(messages)

    async def receive() -> dict[str, Any]:
        return next(sent)

    scope = {"type": "http", "method": "POST", "path": "/", "headers": [(b"content-type", content_type.encode())]}
    found: list[Any] = []
    async for event in form_events(Request(scope, receive), "file"):
        match event:
            case Text(name, value):
                found.append((name, value))
            case FileBegins(filename):
                found.append([filename, b""])
            case FileBytes(data):
                found[-1][1] += data
    return found


def test_parts_come_in_their_order() -> None:
    form = body(
        part('name="file"; filename="a.jpg"', b"\r\n--bytes\r\n", "Content-Type: image/jpeg"),
        part('name="datasetId"', b"abc"),
        part('name="name"', "Grüße".encode()),
    )
    assert asyncio.run(read([form])) == [["a.jpg", b"\r\n--bytes\r\n"], ("datasetId", "abc"), ("name", "Grüße")]


@settings(deadline=None)  # it starts an event loop
@given(st.binary(max_size=400), st.lists(st.integers(0, 900), max_size=8))
def test_wherever_it_is_cut_it_is_the_same_form(content: bytes, cuts: list[int]) -> None:
    if f"\r\n--{BOUNDARY}".encode() in b"\r\n" + content:
        return
    form = body(part('name="datasetId"', b"abc"), part('name="file"; filename="upload"', content))
    at = sorted({0, len(form), *(cut for cut in cuts if cut < len(form))})
    chunks = [form[start:end] for start, end in pairwise(at)]
    assert asyncio.run(read(chunks)) == [("datasetId", "abc"), ["upload", content]]


@pytest.mark.parametrize(
    ("disposition", "filename"),
    [
        ('name="file"', ""),
        ('name="file"; filename=""', ""),
        ('name="file"; filename=plain.jpg', "plain.jpg"),
        ('name="file"; filename="Grüße; 1.jpg"', "Grüße; 1.jpg"),
        ('name="file"; filename="a%22b%0D%0Ac%20.jpg"', 'a"b\r\nc%20.jpg'),
        ('name="file"; filename="a\\"b.jpg"', 'a"b.jpg'),
        ('name="file"; filename="/home/me/../photo.jpg"', "photo.jpg"),
        ("name=\"file\"; filename*=utf-8''Gr%C3%BC%C3%9Fe.jpg", "Grüße.jpg"),
    ],
)
async def test_a_file_has_the_name_that_the_client_wrote(disposition: str, filename: str) -> None:
    assert await read([body(part(disposition, b"x"))]) == [[filename, b"x"]]


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "application/json",
        "multipart/form-data",
        "multipart/mixed; boundary=x",
        f"multipart/form-data; boundary={'x' * 300}",
    ],
)
async def test_what_is_no_form_is_refused(content_type: str) -> None:
    with pytest.raises(Failure) as failure:
        await read([body(part('name="a"', b"b"))], content_type)
    assert failure.value.status == 400


@pytest.mark.parametrize(
    "form",
    [
        b"",
        b"nonsense",
        part('name="a"', b"b"),
        body(part('name="a"', b"b"))[:-6],
        body(part('filename="a"', b"b")),
        body(b"--" + BOUNDARY.encode() + b"\r\n\r\nno headers\r\n"),
        body(part('name="file"', b"1"), part('name="file"', b"2")),
        body(part('name="long"', bytes(MAX_FIELD_BYTES + 1))),
        body(*(part(f'name="p{number}"', b"") for number in range(MAX_PARTS + 1))),
        body(part('name="a"', b"b", f"X-Long: {'x' * 20_000}")),
    ],
)
async def test_a_form_that_is_malformed_is_400(form: bytes) -> None:
    with pytest.raises(Failure) as failure:
        await read([form])
    assert failure.value.status == 400


async def test_a_client_that_hangs_up_is_gone() -> None:
    with pytest.raises(ClientGone):
        await read([body(part('name="file"', b"half"))[:-30]], cut=True)


@settings(deadline=None)  # it starts an event loop
@given(st.binary(max_size=300))
def test_whatever_comes_there_is_a_form_or_a_refusal(rubbish: bytes) -> None:
    for form in (rubbish, part('name="file"', rubbish), f"--{BOUNDARY}\r\n".encode() + rubbish):
        assert asyncio.run(_status(form)) in (200, 400)


async def _status(form: bytes) -> int:
    try:
        await read([form])
    except Failure as failure:
        return failure.status
    return 200
