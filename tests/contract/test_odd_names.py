"""Names that are no UTF-8, or hold what breaks careless code, through every endpoint."""

from __future__ import annotations

import json
import os
from pathlib import Path
from urllib.parse import quote_from_bytes

import pytest
from api import Api, lines_of
from media import picture

NAMES = [
    b"\xff\xfe.jpg",
    b"caf\xe9.jpg",
    b"half \xc3.jpg",
    b"sur\xed\xb3\xbfrogate.jpg",
    b"new\nline.jpg",
    b"tab\tbell\a.jpg",
    b"quote\"'`$(id).jpg",
    b"back\\slash.jpg",
    b"percent%41%.jpg",
    b"a?b#c&d=e+f.jpg",
    b" leading and trailing .jpg",
    b"-rf.jpg",
    "ü\u0308\u202e\U0001f600\u2028.jpg".encode(),
    b"under_score*[a].jpg",
    b"{}$x%s.jpg",
    b"a.jpg.jpg",
    b"A" * 200 + b".jpg",
]


@pytest.fixture(params=NAMES, ids=[str(number) for number in range(len(NAMES))])
def odd(request: pytest.FixtureRequest, root: Path) -> bytes:
    """The absolute path of a picture with an odd name, in a folder with the same odd name."""
    name: bytes = request.param
    folder = os.fsencode(root) + b"/" + name
    os.mkdir(folder)
    path = folder + b"/" + name
    picture(path)
    return path


def test_an_odd_name_goes_through_every_endpoint(api: Api, root: Path, odd: bytes) -> None:
    answer = api.get("/api/media-items/stream", path=root)
    item, done = lines_of(answer.text)
    assert answer.text.count("\n") == 2
    assert os.fsencode(item["path"]) == odd
    assert done["lastPath"] == item["path"]
    assert item["name"].encode()
    assert quote_from_bytes(odd, safe="") in item["thumbnailUrl"]
    assert item["metadata"]["width"] == 64

    assert api.client.get(item["thumbnailUrl"]).headers["content-type"] == "image/png"
    with open(odd, "rb") as file:
        assert api.file(odd).content == file.read()
    assert api.files(os.path.dirname(odd))["items"][0]["path"] == item["path"]
    assert [folder["path"] for folder in api.ok(api.get("/api/folders", path=root))["folders"]] == [
        os.fsdecode(os.path.dirname(odd))
    ]

    body = api.ok(api.action(item["path"], "lock"))
    assert body["path"] == item["path"]
    assert os.path.exists(odd + b".lock")
    result = api.batch([item["path"]], "unlock").json()["results"][0]
    assert (result["path"], result["error"]) == (item["path"], None)
    api.act(item["path"], "trash")
    assert api.stream(root, after=odd).items == []
    assert api.stream(root, statusFilter="trashed").paths == [item["path"]]

    events = api.empty_trash(root)
    assert [event.get("path") for event in events if event["type"] == "deleted"] == [item["path"]]
    assert os.listdir(os.path.dirname(odd)) == []


def test_the_body_of_a_listing_is_valid_utf8_whatever_the_names_are(api: Api, root: Path) -> None:
    for name in NAMES:
        picture(os.fsencode(root) + b"/" + name)

    answer = api.get("/api/media-items/stream", path=root)

    lines = answer.content.decode("utf-8", "strict").split("\n")
    items = [json.loads(line) for line in lines[:-2]]
    assert sorted(os.fsencode(item["path"]).rpartition(b"/")[2] for item in items) == sorted(NAMES)
    assert len({item["thumbnailUrl"] for item in items}) == len(NAMES)


def test_pages_of_odd_names_put_together_are_the_whole(api: Api, root: Path) -> None:
    for name in NAMES:
        picture(os.fsencode(root) + b"/" + name)
    whole = api.stream(root).paths

    by_offset = [api.stream(root, limit=1, offset=number).paths[0] for number in range(len(NAMES))]
    by_cursor = [api.stream(root, limit=1).paths[0]]
    while page := api.stream(root, limit=1, after=by_cursor[-1]).paths:
        by_cursor += page

    assert by_offset == whole
    assert by_cursor == whole


def test_a_root_may_have_an_odd_name(api: Api, tmp_path: Path) -> None:
    root = os.fsencode(tmp_path) + b"/r\xff oot"
    os.mkdir(root)
    picture(root + b"/a.jpg")

    api.add_root(root)
    try:
        assert os.fsdecode(root) in api.known_paths()
        assert os.fsencode(api.stream(root).paths[0]) == root + b"/a.jpg"
        assert api.summary(root)["all"] == 1
    finally:
        assert api.remove_root(root).status_code == 200


@pytest.mark.parametrize(
    "raw",
    ["%00", "%2", "%zz", "%ED%B3%BF", "%FF", "%0A", "%u0041", "..%2F..%2F..%2Fetc%2Fpasswd", "%252e%252e", "a" * 5000],
)
@pytest.mark.parametrize(
    "address", ["media-file", "media-thumbnail", "folders", "folders/files", "media-items/stream", "trash/plan"]
)
def test_a_crooked_query_is_refused_with_a_sentence(api: Api, raw: str, address: str) -> None:
    for path in (raw, f"/{raw}"):
        answer = api.client.get(f"/api/{address}?path={path}")
        assert answer.status_code in (400, 403), answer.text
        assert list(answer.json()) == ["error"]


@pytest.mark.parametrize("path", ["\udcff", "/\ud800.jpg", "/a\x00b", "\ufeff/x.jpg", "/\U0001f600" * 2000])
def test_a_crooked_body_is_refused_with_a_sentence(api: Api, path: str) -> None:
    for method, address, body in (
        ("POST", "review-paths", {"path": path}),
        ("DELETE", "review-paths", {"path": path}),
        ("POST", "media-actions", {"path": path, "action": "seen"}),
        ("POST", "empty-trash", {"path": path}),
    ):
        answer = api.send(method, f"/api/{address}", body)
        assert answer.status_code in (400, 403, 404), answer.text
        assert list(answer.json()) == ["error"]
    assert api.batch([path], "seen").json()["results"][0]["error"]
