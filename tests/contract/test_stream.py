"""GET /api/media-items/stream: the lines, the order, the filters, the pages."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from api import NOT_KNOWN, Api, error_of, lines_of
from media import many, picture

MALFORMED = ["abc", "", "1.0", "1_0", "\u0661", "+", " "]


def test_the_stream_is_the_documented_ndjson(api: Api, root: Path) -> None:
    folder = root / "DCIM" / "100MEDIA"
    paths = many(folder, 2)

    answer = api.get("/api/media-items/stream", path=root)

    assert answer.headers["content-type"] == "application/x-ndjson"
    assert answer.text.endswith("\n")
    *items, done = lines_of(answer.text)
    assert [item["path"] for item in items] == [str(path) for path in paths]
    assert all("type" not in item for item in items)
    assert set(items[0]) == {
        "path", "name", "mediaType", "thumbnailUrl", "sizeBytes", "modifiedAt", "createdAt", "status", "metadata"
    }  # fmt: skip
    assert done == {"type": "done", "count": 2, "lastPath": str(paths[1])}


def test_an_empty_root_is_a_done_line_alone(api: Api, root: Path) -> None:
    answer = api.get("/api/media-items/stream", path=root)

    assert lines_of(answer.text) == [{"type": "done", "count": 0, "lastPath": None}]


def test_a_page_holds_fifty_items_when_nothing_is_asked(api: Api, root: Path) -> None:
    many(root, 60)

    page = api.stream(root)

    assert page.done["count"] == len(page.items) == 50


def test_items_come_by_file_name_then_path_by_code_point(api: Api, root: Path) -> None:
    names = ["b/x.jpg", "a/x.jpg", "Z.jpg", "a.jpg", "é.jpg", "\uff5e.jpg", "\U0001f600.jpg", "a b.jpg", "a-b.jpg"]
    for name in names:
        (root / name).parent.mkdir(exist_ok=True)
        picture(root / name)

    paths = api.stream(root).paths

    assert paths == sorted(paths, key=lambda path: (path.rpartition("/")[2], path))
    assert len(paths) == len(names)


def test_only_media_files_in_visible_folders_are_listed(api: Api, root: Path) -> None:
    for folder in (".hidden", "seen/.deep", ".trash", "plain"):
        (root / folder).mkdir(parents=True)
        picture(root / folder / "x.jpg")
    (root / "notes.txt").write_text("x")
    (root / "lonely.jpg.seen").touch()
    picture(root / "y.jpg")
    api.act(root / "y.jpg", "seen")

    assert api.stream(root).paths == [str(root / "plain" / "x.jpg"), str(root / "y.jpg")]


@pytest.mark.parametrize("size", [1, 7, 30, 100])
def test_the_pages_by_offset_put_together_are_the_whole(api: Api, root: Path, size: int) -> None:
    _tree(root)
    whole = api.stream(root, limit=10_000).paths

    pages = [api.stream(root, limit=size, offset=offset).paths for offset in range(0, len(whole), size)]

    assert [path for page in pages for path in page] == whole
    assert api.stream(root, offset=len(whole)).items == []


@pytest.mark.parametrize("size", [1, 7, 30, 100])
@pytest.mark.parametrize("status", ["all", "unseen", "seen", "locked", "trashed"])
def test_the_pages_by_cursor_put_together_are_the_whole(api: Api, root: Path, size: int, status: str) -> None:
    _tree(root)
    whole = api.stream(root, limit=10_000, statusFilter=status).paths
    assert whole

    got: list[str] = []
    page = api.stream(root, limit=size, statusFilter=status)
    while page.items:
        got += page.paths
        assert page.done["lastPath"] == got[-1]
        page = api.stream(root, limit=size, statusFilter=status, after=got[-1])

    assert got == whole


def _tree(root: Path) -> None:
    """60 files of repeating names in three folders, with every mark."""
    chooser = random.Random(1)
    for folder in ("a", "b", "c/d"):
        for path in many(root / folder, 20):
            for mark in ("seen", "lock", "trash"):
                if chooser.random() < 0.4:
                    Path(f"{path}.{mark}").touch()


def test_a_filter_shows_the_files_with_that_mark(api: Api, root: Path) -> None:
    paths = many(root, 5)
    api.act(paths[1], "seen")
    api.act(paths[2], "lock")
    api.act(paths[3], "trash")
    api.act(paths[4], "trash", "lock")

    def names(status: str) -> list[str]:
        return [name[5:9] for name in api.stream(root, statusFilter=status).names]

    assert names("all") == ["0000", "0001", "0002", "0003", "0004"]
    assert names("unseen") == ["0000"]
    assert names("seen") == ["0001", "0002", "0003", "0004"]
    assert names("locked") == ["0002", "0004"]
    assert names("trashed") == ["0003", "0004"]


def test_the_offset_counts_within_the_filter(api: Api, root: Path) -> None:
    paths = many(root, 20)
    for path in paths[::2]:
        api.act(path, "seen")

    page = api.stream(root, statusFilter="seen", offset=3, limit=4)

    assert page.paths == [str(path) for path in paths[::2][3:7]]


@pytest.mark.parametrize("status", ["", "ALL", "locked,seen", "deleted"])
def test_an_unknown_filter_is_refused(api: Api, root: Path, status: str) -> None:
    error_of(api.get("/api/media-items/stream", path=root, statusFilter=status), 400)


def test_a_cursor_goes_on_behind_a_file_that_is_gone(api: Api, root: Path) -> None:
    paths = many(root, 6)
    first = api.stream(root, limit=3)
    paths[2].unlink()

    assert api.stream(root, after=first.done["lastPath"]).paths == [str(path) for path in paths[3:]]


def test_a_cursor_outside_the_root_is_refused(api: Api, root: Path, outside: Path) -> None:
    for after in (outside / "x.jpg", "relative.jpg", "", "/a\0b", f"{root}2/x.jpg", f"{root}/../rev2/x.jpg"):
        error_of(api.get("/api/media-items/stream", path=root, after=after), 400)


def test_the_stream_sees_what_changed_on_disk_a_moment_ago(api: Api, root: Path) -> None:
    paths = many(root / "sub", 3)
    assert len(api.stream(root).items) == 3

    picture(root / "sub" / "new.jpg")
    Path(f"{paths[0]}.lock").touch()
    paths[1].unlink()

    page = api.stream(root)
    assert page.names == ["frame0000.jpg", "frame0002.jpg", "new.jpg"]
    assert page.items[0]["status"]["locked"]
    paths[2].write_bytes(b"edited in place, longer than a small picture of sixteen by twelve" * 50)
    assert api.stream(root).items[1]["sizeBytes"] == paths[2].stat().st_size


def test_a_trailing_slash_names_the_same_root(api: Api, root: Path) -> None:
    paths = many(root, 1)

    assert api.stream(f"{root}/").paths == [str(paths[0])]


@pytest.mark.parametrize("value", [*MALFORMED, "-1"])
def test_a_malformed_or_negative_offset_is_refused(api: Api, root: Path, value: str) -> None:
    error_of(api.get("/api/media-items/stream", path=root, offset=value), 400)


@pytest.mark.parametrize("value", [*MALFORMED, "0", "-1", "10001"])
def test_a_limit_out_of_its_bounds_is_refused(api: Api, root: Path, value: str) -> None:
    error_of(api.get("/api/media-items/stream", path=root, limit=value), 400)


def test_only_a_known_path_itself_can_be_streamed(api: Api, root: Path, outside: Path) -> None:
    (root / "sub").mkdir()

    for path in (root / "sub", outside, root.parent, "/nowhere", "/"):
        assert error_of(api.get("/api/media-items/stream", path=path), 403) == NOT_KNOWN
    error_of(api.get("/api/media-items/stream"), 400)
    error_of(api.get("/api/media-items/stream", path="relative"), 400)


def test_the_summary_counts_each_mark(api: Api, root: Path) -> None:
    paths = many(root, 5)
    api.act(paths[1], "seen")
    api.act(paths[2], "lock")
    api.act(paths[3], "trash")

    body = api.ok(api.get("/api/media-items/summary", path=root))

    assert body == {"path": str(root), "counts": {"all": 5, "unseen": 2, "seen": 3, "locked": 1, "trashed": 1}}
    api.act(paths[3], "untrash", "unseen")
    assert api.summary(root) == {"all": 5, "unseen": 3, "seen": 2, "locked": 1, "trashed": 0}


def test_the_summary_is_of_a_known_path_only(api: Api, root: Path, outside: Path) -> None:
    error_of(api.get("/api/media-items/summary"), 400)
    error_of(api.get("/api/media-items/summary", path=outside), 403)
    error_of(api.get("/api/media-items/summary", path=root / "sub"), 403)
