"""What one item's line says: times, sizes, kinds, and what is read from inside the file."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import pytest
from api import Api
from media import corrupt, huge_png, picture, video

ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00")


def test_times_are_utc_with_six_decimals(api: Api, root: Path) -> None:
    path = root / "a.jpg"
    picture(path)
    os.utime(path, ns=(0, 1_742_049_022_000_000_000))

    item = api.item(root, path)

    assert item["modifiedAt"] == "2025-03-15T14:30:22.000000+00:00"
    assert ISO.fullmatch(item["createdAt"])
    created = datetime.fromisoformat(item["createdAt"])
    assert abs((datetime.now(UTC) - created).total_seconds()) < 300


def test_microseconds_of_the_change_are_kept(api: Api, root: Path) -> None:
    path = root / "a.jpg"
    picture(path)
    os.utime(path, ns=(0, 1_776_030_619_123_456_000))

    assert api.item(root, path)["modifiedAt"] == "2026-04-12T21:50:19.123456+00:00"


def test_a_time_before_1970_or_far_ahead_breaks_nothing(api: Api, root: Path) -> None:
    picture(root / "old.jpg")
    picture(root / "new.jpg")
    os.utime(root / "old.jpg", (0, -86_400))
    os.utime(root / "new.jpg", (0, 15_000_000_000))

    assert api.item(root, root / "old.jpg")["modifiedAt"] == "1969-12-31T00:00:00.000000+00:00"
    assert api.item(root, root / "new.jpg")["modifiedAt"] == "2445-05-01T02:40:00.000000+00:00"


def test_the_thumbnail_address_is_the_documented_one_and_works(api: Api, root: Path) -> None:
    path = root / "day 1" / "a&b ü#.jpg"
    path.parent.mkdir()
    picture(path)

    item = api.item(root, path)

    assert item["thumbnailUrl"] == f"/api/media-thumbnail?path={quote(str(path), safe='')}&size=256"
    answer = api.client.get(item["thumbnailUrl"])
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/png"


def test_width_and_height_are_those_a_viewer_shows(api: Api, root: Path) -> None:
    picture(root / "upright.jpg", (64, 48))
    picture(root / "turned.jpg", (64, 48), orientation=6)
    picture(root / "mirrored.jpg", (64, 48), orientation=2)

    sizes = {item["name"]: item["metadata"] for item in api.stream(root).items}

    assert (sizes["upright.jpg"]["width"], sizes["upright.jpg"]["height"]) == (64, 48)
    assert (sizes["turned.jpg"]["width"], sizes["turned.jpg"]["height"]) == (48, 64)
    assert (sizes["mirrored.jpg"]["width"], sizes["mirrored.jpg"]["height"]) == (64, 48)


def test_a_video_has_its_size_and_duration_under_both_names(api: Api, root: Path) -> None:
    video(root / "clip.mp4", 3.0, (64, 48))

    item = api.item(root, root / "clip.mp4")

    assert item["mediaType"] == "video"
    metadata = item["metadata"]
    assert (metadata["width"], metadata["height"]) == (64, 48)
    assert metadata["duration_seconds"] == pytest.approx(3.0, abs=0.3)
    assert metadata["durationSeconds"] == metadata["duration_seconds"]


def test_what_cannot_be_decoded_is_listed_with_nulls(api: Api, root: Path) -> None:
    corrupt(root / "broken.jpg")
    corrupt(root / "broken.mp4")
    (root / "empty.png").touch()
    nothing = {"width": None, "height": None, "duration_seconds": None, "durationSeconds": None}

    items = api.stream(root).items

    assert [item["name"] for item in items] == ["broken.jpg", "broken.mp4", "empty.png"]
    assert all(item["metadata"] == nothing for item in items)


def test_a_header_of_60000_by_60000_pixels_breaks_no_page(api: Api, root: Path) -> None:
    huge_png(root / "bomb.png")
    picture(root / "plain.jpg", (64, 48))

    items = api.stream(root).items

    assert [item["name"] for item in items] == ["bomb.png", "plain.jpg"]
    assert items[0]["metadata"]["width"] in (60_000, None)
    assert items[1]["metadata"]["width"] == 64


@pytest.mark.parametrize(
    "suffix",
    "bmp gif jpeg jpg png tif tiff webp heic heif avif cr2 nef arw dng raf orf rw2".split(),  # noqa: SIM905
)
def test_every_picture_type_is_listed_in_any_case(api: Api, root: Path, suffix: str) -> None:
    for name in (f"a.{suffix}", f"b.{suffix.upper()}", f"c.{suffix.title()}"):
        picture(root / "x.jpg")
        (root / "x.jpg").rename(root / name)

    assert [item["mediaType"] for item in api.stream(root).items] == ["image"] * 3


@pytest.mark.parametrize(
    "suffix",
    "avi m4v mov mp4 mpeg mpg mts m2ts wmv mkv webm 3gp".split(),  # noqa: SIM905
)
def test_every_video_type_is_listed_in_any_case(api: Api, root: Path, suffix: str) -> None:
    for name in (f"a.{suffix}", f"b.{suffix.upper()}", f"c.{suffix.title()}"):
        (root / name).write_bytes(b"not looked into for its kind")

    assert [item["mediaType"] for item in api.stream(root).items] == ["video"] * 3


@pytest.mark.parametrize("suffix", ["png", "bmp", "gif", "tiff", "webp", "avif"])
def test_the_size_of_every_picture_type_is_read(api: Api, root: Path, suffix: str) -> None:
    picture(root / f"a.{suffix}", (64, 48))

    metadata = api.item(root, root / f"a.{suffix}")["metadata"]

    assert (metadata["width"], metadata["height"]) == (64, 48)


def test_a_file_edited_in_place_shows_its_new_size(api: Api, root: Path) -> None:
    path = root / "a.jpg"
    picture(path, (64, 48))
    assert api.item(root, path)["metadata"]["width"] == 64

    picture(path, (320, 200))

    assert api.item(root, path)["metadata"]["width"] == 320
