"""What schemathesis is told beside the schema: real names go into its requests, dangerous ones do not, and every answer
is in the form of the dialect that was asked."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import schemathesis
from feeding import Feed, crc
from gateway.dialects import Dialect, dialect_of

FEED = Feed(json.loads(Path(os.environ["SCHEMA_POOLS"]).read_text(encoding="utf-8")))
#: Beyond these a 503 would say that something broke.
DOCUMENTED_503 = ("semantic search is not available",)
_ERROR_KEYS = {
    Dialect.MEDIAREVIEWER: ["error"],
    Dialect.PLATFORM: ["error"],
    Dialect.EXQUISITOR: ["error", "message", "detail"],
    Dialect.COREVIZ: ["error", "message", "code", "details"],
    Dialect.WICKSON: ["success", "message", "error"],
}
_LEAKS = ("Traceback", "sqlite", "SELECT ", "grpc", "Exception", "Errno", ".py")


#: Sent along with a quarter of the requests, one of them each.
ODD_HEADERS: list[dict[str, str]] = [
    {"Range": "bytes=0-9"},
    {"Range": "bytes=99999999999999999999-"},
    {"Range": "bytes=-0"},
    {"Range": "lines=1-2, bytes=5-1"},
    {"If-Range": "yesterday", "Range": "bytes=1-"},
    {"If-None-Match": '*, W/"x", "'},
    {"If-Modified-Since": "Sun, 99 Foo 2026 99:99:99 GMT"},
    {"If-Match": '"a", "b"'},
    {"Last-Event-ID": "-1"},
    {"Origin": "https://elsewhere.example"},
    {"Origin": "null"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Host": "elsewhere.example"},
    {"Host": "[::1"},
    {"X-Forwarded-For": "203.0.113.7"},
    {"X-Request-Id": "x" * 300},
    {"Authorization": "Basic eDp5"},
    {"Authorization": "Bearer"},
    {"Accept": "text/html"},
    {"Content-Type": "text/plain"},
    {"Content-Type": "application/json; charset=utf-7"},
    {"Content-Type": "multipart/form-data"},
    {"Accept-Encoding": "gzip;q=2, *"},
    {"Cookie": "framewell_key=\x7f; a"},
]


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """Called before every request of every phase."""
    address, salt = case.path, crc(case.path_parameters, case.query, case.body)
    for part in ("path_parameters", "query"):
        if isinstance(fields := getattr(case, part), dict):
            if part == "query" and salt % 3:
                fields = FEED.thinned(fields, salt)
            fed = FEED.fields(address, fields, salt)
            setattr(case, part, {name: value if _is_text(value) else fields[name] for name, value in fed.items()})
    if isinstance(case.body, dict):
        case.body = FEED.fields(address, case.body, salt)
    _spare_the_library(case, salt)
    _sign(case, salt)
    if address == "/api/events":
        kwargs["timeout"] = 0.3


def _is_text(value: Any) -> bool:
    """A name that is no UTF-8 goes into bodies only: the client cannot write it in an address."""
    return not isinstance(value, str) or value.isprintable()


def _spare_the_library(case: Any, salt: int) -> None:
    """What deletes is sent where things may be deleted, and no directory outside becomes a review path."""
    if case.path in ("/api/review-paths", "/api/empty-trash"):
        case.body = FEED.tame(case.body, salt)
        if case.method == "DELETE" and isinstance(case.body, dict) and "path" in case.body:
            case.body["path"] = FEED.doomed("roots", 2)
    if case.method == "DELETE" and "media_id" in case.path_parameters:
        case.path_parameters["media_id"] = FEED.doomed("bin_media", salt)
    if case.method == "DELETE" and "folder_id" in case.path_parameters:
        case.path_parameters["folder_id"] = FEED.doomed("bin_media", salt)
    if isinstance(case.body, dict) and case.body.get("action") == "trash":
        if "paths" in case.body:
            case.body["paths"] = [FEED.doomed("bin_files", salt + number) for number in range(salt % 5)]
        elif "path" in case.body:
            case.body["path"] = FEED.doomed("bin_files", salt)


def _sign(case: Any, salt: int) -> None:
    """Mostly with the admin's key; sometimes with one that may less, a wrong one, or none."""
    if case.method != case.operation.method.upper():  # a method that is not there is refused behind the door
        salt = 39
    turn = salt % 20
    key = {0: None, 1: "fw_wrong", 2: FEED.secrets["reader"], 3: FEED.secrets["limited"]}.get(
        turn, FEED.secrets["admin"]
    )
    if key is not None:
        case.headers["X-Api-Key"] = key
    if salt // 20 % 4 == 0:
        case.headers.update(ODD_HEADERS[salt // 80 % len(ODD_HEADERS)])


@schemathesis.check
def speaks_its_dialect(ctx: Any, response: Any, case: Any) -> None:
    """An error has exactly its dialect's keys, a sentence, and nothing of the inside."""
    status = response.status_code
    request_path = dialect_path(response)
    if status < 400 or case.method == "HEAD" or case.path == "/health/ready":
        return
    told = response.headers.get("content-type", [""])[0]
    assert told == "application/json", f"{status} is sent as {told!r}"
    body = json.loads(response.content)
    keys = _ERROR_KEYS[dialect_of(request_path)]
    if dialect_of(request_path) is Dialect.WICKSON and status == 429:
        keys = [*keys, "code", "status_code", "request_id", "suggestion"]
    assert list(body) == keys, f"{status} has {list(body)}"
    sentence = body["error"] if keys == ["error"] else body["message"]
    assert isinstance(sentence, str)
    assert sentence.strip(), "the sentence is empty"
    assert not any(word in sentence for word in _LEAKS), f"it tells of the inside: {sentence}"
    if status >= 500:
        known = status == 501 or (status == 503 and any(word in sentence for word in DOCUMENTED_503))
        assert known, f"{status}: {sentence}"


def dialect_path(response: Any) -> str:
    """As the gateway reads the address."""
    from urllib.parse import unquote, urlsplit

    path = unquote(urlsplit(response.request.url).path)
    return "/" + path.strip("/")
