"""GET and HEAD /api/media-file: whole, ranged and conditional reads, and who may not."""

from __future__ import annotations

import os
from email.utils import formatdate
from pathlib import Path

import pytest
from api import NOT_UNDER, Api, error_of, query
from media import picture, video


@pytest.fixture
def photo(root: Path) -> Path:
    path = root / "photo.jpg"
    picture(path, (320, 200))
    return path


def test_the_whole_file_is_served_inline_with_its_type(api: Api, photo: Path) -> None:
    answer = api.file(photo)

    assert answer.status_code == 200
    assert answer.content == photo.read_bytes()
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["content-length"] == str(photo.stat().st_size)
    assert answer.headers["content-disposition"].startswith("inline")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["last-modified"] == formatdate(int(photo.stat().st_mtime), usegmt=True)
    assert answer.headers["etag"].startswith('"')


@pytest.mark.parametrize(
    ("name", "content_type"),
    [("a.mp4", "video/mp4"), ("a.PNG", "image/png"), ("a.webm", "video/webm"), ("a.webp", "image/webp"),
     ("a.mov", "video/quicktime"), ("a.gif", "image/gif"), ("a.heic", "image/heic"), ("a.avif", "image/avif")],
)  # fmt: skip
def test_the_type_goes_by_the_name(api: Api, root: Path, name: str, content_type: str) -> None:
    (root / name).write_bytes(b"0123456789")

    assert api.file(root / name).headers["content-type"] == content_type


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [("bytes=0-9", 0, 9), ("bytes=5-", 5, 99), ("bytes=-10", 90, 99), ("bytes=90-500", 90, 99),
     ("bytes=-500", 0, 99), ("bytes=99-99", 99, 99)],
)  # fmt: skip
def test_a_range_is_206(api: Api, root: Path, asked: str, first: int, last: int) -> None:
    path = root / "clip.mp4"
    path.write_bytes(bytes(range(100)))

    answer = api.file(path, Range=asked)

    assert answer.status_code == 206
    assert answer.content == bytes(range(first, last + 1))
    assert answer.headers["content-range"] == f"bytes {first}-{last}/100"
    assert answer.headers["content-length"] == str(last - first + 1)
    assert answer.headers["content-type"] == "video/mp4"


@pytest.mark.parametrize("asked", ["bytes=100-", "bytes=200-300", "bytes=-0"])
def test_a_range_beyond_the_end_is_416(api: Api, root: Path, asked: str) -> None:
    path = root / "clip.mp4"
    path.write_bytes(bytes(100))

    answer = api.file(path, Range=asked)

    assert answer.status_code == 416
    assert answer.headers["content-range"] == "bytes */100"


@pytest.mark.parametrize("asked", ["bytes=abc", "bytes=9-5", "items=0-9", "bytes=", "bytes=1_0-2_0", "x"])
def test_a_range_that_is_none_is_ignored_or_refused_but_never_a_failure(api: Api, photo: Path, asked: str) -> None:
    answer = api.file(photo, Range=asked)

    assert answer.status_code in (200, 416)


def test_several_ranges_at_once_are_no_failure(api: Api, photo: Path) -> None:
    assert api.file(photo, Range="bytes=0-1,5-6").status_code in (200, 206)


def test_an_empty_file_has_an_empty_body(api: Api, root: Path) -> None:
    (root / "empty.png").touch()

    answer = api.file(root / "empty.png")

    assert (answer.status_code, answer.content) == (200, b"")
    assert api.file(root / "empty.png", Range="bytes=0-").status_code in (200, 416)


def test_head_answers_as_get_without_the_body(api: Api, photo: Path) -> None:
    get = api.file(photo)

    head = api.client.head("/api/media-file?" + query(path=photo))

    assert head.status_code == 200
    assert head.content == b""
    for name in ("content-type", "content-length", "etag", "last-modified", "content-disposition"):
        assert head.headers[name] == get.headers[name]


def test_a_file_the_client_has_is_304(api: Api, photo: Path) -> None:
    first = api.file(photo)

    for header in (
        {"If-None-Match": first.headers["etag"]},
        {"If-None-Match": f'"other", {first.headers["etag"]}'},
        {"If-None-Match": "*"},
        {"If-Modified-Since": first.headers["last-modified"]},
    ):
        answer = api.file(photo, **header)
        assert (answer.status_code, answer.content) == (304, b"")
        assert answer.headers["etag"] == first.headers["etag"]


def test_a_changed_file_is_sent_again(api: Api, photo: Path) -> None:
    first = api.file(photo)
    os.utime(photo, (0, 1_000_000_000))

    again = api.file(photo, **{"If-None-Match": first.headers["etag"]})

    assert again.status_code == 200
    assert again.headers["etag"] != first.headers["etag"]


def test_a_range_of_a_file_that_changed_is_the_whole_new_one(api: Api, photo: Path) -> None:
    tag = api.file(photo).headers["etag"]
    assert api.file(photo, **{"Range": "bytes=0-9", "If-Range": tag}).status_code == 206

    picture(photo, (400, 300))

    answer = api.file(photo, **{"Range": "bytes=0-9", "If-Range": tag})
    assert answer.status_code == 200
    assert answer.content == photo.read_bytes()


def test_a_big_file_arrives_whole(api: Api, root: Path) -> None:
    path = root / "big.mov"
    path.write_bytes(os.urandom(1 << 20) * 24)

    assert api.file(path).content == path.read_bytes()
    assert api.file(path, Range="bytes=-1048576").content == path.read_bytes()[-1048576:]


def test_a_real_video_is_served(api: Api, root: Path) -> None:
    video(root / "clip.mp4", 1.0)

    assert api.file(root / "clip.mp4").content == (root / "clip.mp4").read_bytes()


def test_what_is_missing_or_no_media_is_400(api: Api, root: Path, photo: Path) -> None:
    (root / "notes.txt").write_text("x")
    (root / "folder.jpg").mkdir()
    os.mkfifo(root / "pipe.jpg")
    api.act(photo, "seen")

    for name in ("nowhere.jpg", "notes.txt", "folder.jpg", "pipe.jpg", "photo.jpg.seen", "", "photo.jpg/x.jpg"):
        error_of(api.file(root / name), 400)
    for path in ("relative.jpg", "/a\0b.jpg", "", "/" + "a" * 4097 + ".jpg", "~nobody-here/x.jpg"):
        error_of(api.file(path), 400)
    error_of(api.get("/api/media-file"), 400)


def test_what_is_outside_is_403_whether_it_exists_or_not(api: Api, root: Path, outside: Path) -> None:
    picture(outside / "x.jpg")

    for path in (outside / "x.jpg", outside / "nowhere.jpg", "/etc/passwd", "/nowhere", f"{root}/../rev2/x.jpg"):
        assert error_of(api.file(path), 403) == NOT_UNDER
