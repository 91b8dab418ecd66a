"""Calls and streams over a server that is none, blocking and awaited."""

from __future__ import annotations

import gc
import json
from io import BytesIO
from typing import Any

import anyio
import anyio.lowlevel
import httpx
import pytest
from both import listed, told
from framewell_client import (
    BadRequest,
    ConnectionFailed,
    NoAnswer,
    StreamBroken,
    TimedOut,
    Unavailable,
    UnexpectedAnswer,
)

SUMMARY = {"path": "/r", "counts": {"all": 1, "unseen": 1, "seen": 0, "locked": 0, "trashed": 0}}


def item(name: str) -> dict[str, Any]:
    time = "2025-03-15T14:30:22.000000+00:00"
    return {
        "path": f"/r/{name}",
        "name": name,
        "mediaType": "image",
        "thumbnailUrl": "/t",
        "sizeBytes": 1,
        "modifiedAt": time,
        "createdAt": time,
        "status": {"locked": False, "trashed": False, "seen": False},
        "metadata": {"width": None, "height": None, "duration_seconds": None, "durationSeconds": None},
    }


def ndjson(*values: Any) -> bytes:
    return b"".join(json.dumps(value).encode() + b"\n" for value in values)


def down(after: str | None = None) -> httpx.Response:
    return httpx.Response(503, headers={} if after is None else {"Retry-After": after}, json={"error": "Not now."})


# --- what is sent ---
async def test_a_call_carries_the_key_a_name_and_json(client: Any, server: Any) -> None:
    server.say(
        httpx.Response(200, content=ndjson({"path": "/odd\udcff", "action": "lock", "status": item("x")["status"]}))
    )

    done = await told(client.review.act(b"/odd\xff", "lock"))

    (request,) = server.requests
    assert (request.method, request.url) == ("POST", "http://framewell.test/api/media-actions")
    assert request.headers["x-api-key"] == "fw_secret"
    assert request.headers["content-type"] == "application/json"
    assert len(request.headers["x-request-id"]) == 16
    assert json.loads(server.bodies[0]) == {"path": "/odd\udcff", "action": "lock"}
    assert done.path == "/odd\udcff"


async def test_an_upload_is_a_form_with_its_length(client: Any, server: Any) -> None:
    server.say(httpx.Response(200, json={"mediaId": "a", "url": "u", "message": "m", "success": True}))

    done = await told(client.coreviz.upload("c", BytesIO(b"x" * 600_000), "a.jpg", path="c.f"))

    assert done.media_id == "a"
    assert int(server.requests[0].headers["content-length"]) == len(server.bodies[0])
    assert "transfer-encoding" not in server.requests[0].headers
    for part in (b'name="datasetId"\r\n\r\nc\r\n', b'name="path"\r\n\r\nc.f\r\n', b'filename="a.jpg"', b"x" * 600_000):
        assert part in server.bodies[0]


async def test_a_signed_address_gets_no_key_and_may_lead_on(client: Any, server: Any) -> None:
    server.say(httpx.Response(302, headers={"Location": "http://cdn.test/b"}), httpx.Response(200, content=b"bytes"))

    assert b"".join(await listed(client.platform.blob("http://framewell.test/blob/t"))) == b"bytes"
    assert [str(request.url) for request in server.requests] == ["http://framewell.test/blob/t", "http://cdn.test/b"]
    assert all("x-api-key" not in request.headers for request in server.requests)


async def test_a_redirection_of_the_api_is_not_followed(client: Any, server: Any) -> None:
    server.say(httpx.Response(307, headers={"Location": "http://elsewhere.test/"}))

    with pytest.raises(UnexpectedAnswer, match="redirection"):
        await told(client.review.summary("/r"))
    assert len(server.requests) == 1


# --- what is understood ---
async def test_unknown_fields_break_nothing(client: Any, server: Any) -> None:
    later = {**SUMMARY, "new": [1], "counts": {**SUMMARY["counts"], "starred": 3}}
    server.say(httpx.Response(200, json=later))
    assert (await told(client.review.summary("/r"))).counts.all == 1

    lines = ndjson({**item("a"), "new": 1}, {"type": "hint"}, {"type": "done", "count": 1, "lastPath": "/r/a"})
    server.say(httpx.Response(200, content=lines))
    assert [one.name for one in await listed(client.review.items("/r"))] == ["a"]


@pytest.mark.parametrize(
    "content", [b"", b"<html>", b"[]", b"{}", b"null", b'{"path": 1, "counts": {}}', b"[" * 100_000]
)
async def test_an_answer_of_another_shape_is_told_and_not_asked_for_again(
    client: Any, server: Any, content: bytes
) -> None:
    server.say(httpx.Response(200, content=content, headers={"X-Request-Id": "abc"}))

    with pytest.raises(UnexpectedAnswer) as caught:
        await told(client.review.summary("/r"))
    assert caught.value.request_id == "abc"
    assert len(server.requests) == 1


async def test_not_being_ready_is_an_answer(client: Any, server: Any) -> None:
    server.say(
        httpx.Response(503, json={"error": "x", "status": "not ready", "dependencies": {"fs": {"state": "down"}}})
    )

    found = await told(client.platform.readiness())

    assert not found.is_ready
    assert found.dependencies["fs"].state == "down"
    assert len(server.requests) == 1


# --- again or not ---
async def test_a_look_is_repeated_until_it_succeeds(client: Any, server: Any) -> None:
    server.say(httpx.ConnectError("refused"), down("0"), httpx.ReadTimeout("slow"), httpx.Response(200, json=SUMMARY))

    assert (await told(client.review.summary("/r"))).path == "/r"
    assert len({request.headers["x-request-id"] for request in server.requests}) == 4


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (httpx.ConnectError("refused"), ConnectionFailed),
        (httpx.ConnectTimeout("slow"), ConnectionFailed),
        (httpx.ReadTimeout("slow"), TimedOut),
        (httpx.RemoteProtocolError("cut"), NoAnswer),
    ],
)
async def test_what_keeps_failing_is_told_in_our_own_words(
    client: Any, server: Any, failure: Exception, kind: type[NoAnswer]
) -> None:
    server.say(failure)

    with pytest.raises(kind) as caught:
        await told(client.review.summary("/secret name"))
    assert type(caught.value) is kind
    assert caught.value.__cause__ is failure
    assert "secret" not in str(caught.value)
    assert len(server.requests) == 4


@pytest.mark.parametrize("failure", [httpx.ConnectError("refused"), httpx.ReadTimeout("slow"), lambda: down("0")])
async def test_a_change_is_sent_once(client: Any, server: Any, failure: Any) -> None:
    for change in (
        lambda: told(client.review.act("/r/a", "trash")),
        lambda: told(client.platform.undo()),
        lambda: told(client.coreviz.delete_media("a")),
        lambda: listed(client.review.empty_trash()),
    ):
        server.say(failure)
        server.requests.clear()
        with pytest.raises((NoAnswer, Unavailable)):
            await change()
        assert len(server.requests) == 1


async def test_what_is_switched_off_is_not_asked_for_again(client: Any, server: Any) -> None:
    server.say(httpx.Response(503, json={"error": "semantic search is not available", "code": "SEARCH_UNAVAILABLE"}))

    with pytest.raises(Unavailable) as caught:
        await listed(client.coreviz.media("c", q="cat"))
    assert caught.value.code == "SEARCH_UNAVAILABLE"
    assert len(server.requests) == 1


# --- pages ---
async def test_pages_are_asked_for_as_they_are_needed(client: Any, server: Any) -> None:
    def page(number: int, has_next: bool) -> httpx.Response:
        items = [
            {
                "id": f"img_{number}{turn}",
                "media_type": "image",
                "file_info": {"filename": "a", "size_bytes": 1, "checksum": ""},
                "collection": "c",
                "storage": {"created_at": "2025-03-09T04:47:54.783840"},
            }
            for turn in range(2)
        ]
        pagination = {"page": number, "page_size": 2, "total_items": 5, "total_pages": 3, "has_next": has_next}
        return httpx.Response(200, json={"success": True, "data": {"items": items, "pagination": pagination}})

    server.say(page(1, True), page(2, True), page(3, False))
    assert len(await listed(client.wickson.media(page_size=2))) == 6
    assert [request.url.params["page"] for request in server.requests] == ["1", "2", "3"]

    server.requests.clear()
    server.say(page(1, True), page(2, True))
    (first, _) = await listed(client.wickson.media(page_size=2), 2)
    assert len(server.requests) == 1
    assert first.storage.created_at.isoformat() == "2025-03-09T04:47:54.783840+00:00"


async def test_a_broken_page_is_asked_for_again(client: Any, server: Any, body: Any) -> None:
    whole = {"path": "/r", "offset": 0, "limit": 9, "count": 1, "ignoredCount": 0, "total": 1, "items": [item("a")]}
    server.say(httpx.Response(200, stream=body(b'{"path":', httpx.ReadError("cut"))), httpx.Response(200, json=whole))

    assert [one.name for one in await listed(client.review.files("/r", page_size=9))] == ["a"]


# --- streams ---
async def test_a_listing_goes_on_behind_its_last_item(client: Any, server: Any, body: Any) -> None:
    done = {"type": "done", "count": 1, "lastPath": "/r/d"}
    cut = ndjson(item("c"), item("d"))[:-10]
    server.say(
        httpx.Response(200, content=ndjson(item("a"), item("b"), {"type": "done", "count": 2, "lastPath": "/r/b"})),
        httpx.Response(200, stream=body(cut[:50], cut[50:], httpx.ReadError("cut"))),
        httpx.Response(200, content=ndjson(item("d"), done)),
    )

    names = [one.name for one in await listed(client.review.items("/r", page_size=2, status="all"))]

    assert names == ["a", "b", "c", "d"]
    assert [request.url.params.get("after") for request in server.requests] == [None, "/r/b", "/r/c"]


@pytest.mark.parametrize("end", [b"", b'{"type":"done","count":', b'{"type":"error","message":"It broke."}\n'])
async def test_a_listing_that_never_comes_to_its_end_is_an_error_after_what_came(
    client: Any, server: Any, end: bytes
) -> None:
    server.say(lambda: httpx.Response(200, content=ndjson(item("a")) + end), lambda: httpx.Response(200, content=end))
    got: list[str] = []

    with pytest.raises(StreamBroken):
        await read_into(got, client.review.items("/r"))

    assert got == ["a"]
    assert len(server.requests) == 4


async def read_into(got: list[str], stream: Any) -> None:
    if hasattr(stream, "__aiter__"):
        async for one in stream:
            got.append(one.name)
    else:
        for one in stream:
            got.append(one.name)


async def test_emptying_the_trash_tells_each_file_and_its_end(client: Any, server: Any) -> None:
    told_events = [
        {"type": "deleting", "path": "/r/a"},
        {"type": "error", "path": "/r/a", "message": "no"},
        {"type": "done", "deleted": 0, "errors": 1},
    ]
    server.say(httpx.Response(200, content=ndjson(*told_events)))

    events = await listed(client.review.empty_trash("/r", plan="abc"))

    assert [event.type for event in events] == ["deleting", "error", "done"]
    assert events[-1].errors == 1
    assert server.requests[0].headers["if-match"] == '"abc"'
    assert json.loads(server.bodies[0]) == {"path": "/r"}
    for broken in (ndjson(told_events[0]), ndjson({"type": "error", "message": "It broke."})):
        server.say(httpx.Response(200, content=broken))
        with pytest.raises(StreamBroken):
            await listed(client.review.empty_trash())
    assert server.bodies[-1] == b""


async def test_events_are_taken_up_behind_the_last_one(client: Any, server: Any, body: Any) -> None:
    server.say(
        httpx.Response(
            200, content=b': hi\n\nid: 4\nevent: state\ndata: {"path":"/r/a"}\n\nid: 5\n\nid: 6\nevent: x\nda'
        ),
        httpx.ConnectError("refused"),
        httpx.Response(200, stream=body(b'id: 6\nevent: scan\ndata: {"n":1}\n\n', httpx.ReadError("cut"))),
        httpx.Response(200, content=b'event: queue\ndata: {"idle":true}\n\n'),
    )

    events = await listed(client.platform.events("3"), 3)

    assert [(event.id, event.kind) for event in events] == [("4", "state"), ("6", "scan"), ("6", "queue")]
    assert events[0].data == {"path": "/r/a"}
    assert [request.headers.get("last-event-id") for request in server.requests] == ["3", "5", "5", "6"]


async def test_a_file_cut_short_is_an_error_and_not_begun_again(client: Any, server: Any, body: Any) -> None:
    server.say(httpx.Response(200, stream=body(b"abc", httpx.ReadError("cut"))))

    with pytest.raises(NoAnswer):
        await listed(client.review.file("/r/a", first=2, last=9))
    assert [request.headers["range"] for request in server.requests] == ["bytes=2-9"]


async def test_nothing_is_asked_before_the_first_value_is(client: Any, server: Any) -> None:
    client.review.empty_trash()
    client.review.items("/r")
    gc.collect()

    assert server.requests == []


@pytest.mark.parametrize("how", ["closed", "dropped"])
async def test_leaving_early_closes_the_connection(client: Any, server: Any, body: Any, how: str) -> None:
    pieces = body(*(ndjson(item(name)) for name in "abc"))
    server.say(httpx.Response(200, stream=pieces))
    stream: Any = client.review.items("/r")

    if how == "closed":
        await listed(stream, 1)
    else:
        await first_of(stream)
        del stream
        gc.collect()
        with anyio.fail_after(5):
            while not pieces.is_closed:
                await anyio.lowlevel.checkpoint()

    assert pieces.is_closed
    assert pieces.given == 1


async def first_of(stream: Any) -> Any:
    return await anext(stream) if hasattr(stream, "__anext__") else next(stream)


async def test_an_error_before_a_stream_is_the_dialects_own(client: Any, server: Any) -> None:
    server.say(httpx.Response(400, json={"error": "Missing required query parameter: path."}))

    with pytest.raises(BadRequest, match="Missing required"):
        await listed(client.review.items(""))
