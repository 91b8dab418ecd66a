"""GET /api/folders (the picker) and GET /api/folders/files (one folder's page)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from api import NOT_UNDER, Api, error_of
from media import many, picture, video

MALFORMED = ["abc", "", "1.0", "1_0", "\u0661", "0x10", "1e2"]


def test_the_picker_lists_child_folders_by_name_without_hidden_ones(api: Api, tmp_path: Path) -> None:
    for name in ("trip-2025/day1", "archive-2024", ".secret/inner", "only-hidden/.git"):
        (tmp_path / name).mkdir(parents=True)
    picture(tmp_path / "file.jpg")

    body = api.ok(api.get("/api/folders", path=tmp_path))

    assert body == {
        "path": str(tmp_path),
        "folders": [
            {"path": str(tmp_path / "archive-2024"), "name": "archive-2024", "has_children": False},
            {"path": str(tmp_path / "only-hidden"), "name": "only-hidden", "has_children": False},
            {"path": str(tmp_path / "trip-2025"), "name": "trip-2025", "has_children": True},
        ],
    }


def test_the_picker_leaves_out_what_its_policy_hides(api: Api) -> None:
    hidden = api.ok(api.get("/api/review-paths"))["hiddenPickerPaths"]

    listed = [folder["path"] for folder in api.ok(api.get("/api/folders", path="/"))["folders"]]

    assert listed
    assert not set(listed) & set(hidden)


@pytest.mark.parametrize("path", ["/proc", "/proc/self", "/sys", "/sys/kernel", "/tmp/../proc"])
def test_the_picker_refuses_a_hidden_folder(api: Api, path: str) -> None:
    error_of(api.get("/api/folders", path=path), 403)


def test_the_picker_refuses_what_is_no_directory(api: Api, tmp_path: Path) -> None:
    picture(tmp_path / "file.jpg")

    for path in (tmp_path / "file.jpg", tmp_path / "nowhere", "relative", "/a\0b", "/" + "x/" * 2100):
        error_of(api.get("/api/folders", path=path), 400)
    error_of(api.get("/api/folders"), 400)
    error_of(api.get("/api/folders", path=""), 400)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every directory")
def test_an_unreadable_folder_has_no_children(api: Api, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o000)

    assert api.ok(api.get("/api/folders", path=closed)) == {"path": str(closed), "folders": []}


def test_a_folder_page_is_the_documented_one(api: Api, root: Path) -> None:
    day = root / "day1"
    day.mkdir()
    picture(day / "photo001.jpg", (64, 48))

    body = api.files(day)

    item = body["items"][0]
    stat = (day / "photo001.jpg").stat()
    assert body == {
        "path": str(day),
        "offset": 0,
        "limit": 100,
        "count": 1,
        "total": 1,
        "ignoredCount": 0,
        "items": [item],
    }
    assert set(item) == {
        "path", "name", "mediaType", "thumbnailUrl", "sizeBytes", "modifiedAt", "createdAt", "status", "metadata"
    }  # fmt: skip
    assert item["path"] == str(day / "photo001.jpg")
    assert item["name"] == "photo001.jpg"
    assert item["mediaType"] == "image"
    assert item["sizeBytes"] == stat.st_size
    assert item["status"] == {"locked": False, "trashed": False, "seen": False}
    assert item["metadata"] == {"width": 64, "height": 48, "duration_seconds": None, "durationSeconds": None}


def test_a_folder_page_holds_media_only_and_counts_the_rest(api: Api, root: Path) -> None:
    picture(root / "b.jpg")
    video(root / "a.mp4", 1.0)
    (root / "notes.txt").write_text("x")
    (root / "list.csv").write_text("x")
    (root / "sub").mkdir()
    picture(root / "sub" / "deep.jpg")
    api.act(root / "b.jpg", "lock")

    body = api.files(root)

    assert [item["name"] for item in body["items"]] == ["a.mp4", "b.jpg"]
    assert [item["mediaType"] for item in body["items"]] == ["video", "image"]
    assert body["total"] == 2
    assert body["ignoredCount"] == 2


def test_a_page_is_full_while_items_remain(api: Api, root: Path) -> None:
    many(root, 25)
    for number in range(25):
        (root / f"frame{number:04}.txt").write_text("between the pictures")

    pages = [api.files(root, offset=offset, limit=10) for offset in (0, 10, 20, 30)]

    assert [page["count"] for page in pages] == [10, 10, 5, 0]
    assert all(page["total"] == 25 and page["ignoredCount"] == 25 for page in pages)
    names = [item["name"] for page in pages for item in page["items"]]
    assert names == [f"frame{number:04}.jpg" for number in range(25)]


def test_a_folder_page_sees_what_changed_on_disk_a_moment_ago(api: Api, root: Path) -> None:
    picture(root / "a.jpg")
    assert api.files(root)["total"] == 1

    picture(root / "b.jpg")
    (root / "a.jpg").unlink()

    assert [item["name"] for item in api.files(root)["items"]] == ["b.jpg"]


@pytest.mark.parametrize("value", [*MALFORMED, "-1"])
def test_a_malformed_or_negative_offset_is_refused(api: Api, root: Path, value: str) -> None:
    error_of(api.get("/api/folders/files", path=root, offset=value), 400)


@pytest.mark.parametrize("value", [*MALFORMED, "0", "-1", "1001"])
def test_a_limit_out_of_its_bounds_is_refused(api: Api, root: Path, value: str) -> None:
    error_of(api.get("/api/folders/files", path=root, limit=value), 400)


def test_an_offset_beyond_every_number_is_no_failure(api: Api, root: Path) -> None:
    assert api.get("/api/folders/files", path=root, offset="9" * 40).status_code in (200, 400)
    assert api.files(root, offset=2**62)["items"] == []


def test_a_folder_outside_the_roots_is_403_whether_it_exists_or_not(api: Api, root: Path, outside: Path) -> None:
    for path in (outside, outside / "nowhere", root.parent, "/nowhere", "/etc", f"{root}/../rev2"):
        assert error_of(api.get("/api/folders/files", path=path), 403) == NOT_UNDER


def test_a_folder_that_is_missing_or_a_file_is_400(api: Api, root: Path) -> None:
    picture(root / "a.jpg")

    error_of(api.get("/api/folders/files", path=root / "nowhere"), 400)
    error_of(api.get("/api/folders/files", path=root / "a.jpg"), 400)
    error_of(api.get("/api/folders/files"), 400)


def test_parameters_are_checked_before_the_path(api: Api, outside: Path) -> None:
    error_of(api.get("/api/folders/files", path=outside, limit="abc"), 400)
    error_of(api.get("/api/media-items/stream", path=outside, limit="abc"), 400)
    error_of(api.get("/api/media-thumbnail", path=outside / "x.jpg", size="abc"), 400)
