"""GET /api/media-thumbnail: the picture, its headers, and the file that is kept of it."""

from __future__ import annotations

import hashlib
import io
import os
import threading
from pathlib import Path
from urllib.parse import quote

import pytest
from api import NOT_UNDER, Api, error_of
from media import corrupt, halves, huge_png, noise, picture, video
from PIL import Image


def decoded(png: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(png))
    image.load()
    assert image.format == "PNG"
    return image


def colours(png: bytes) -> Image.Image:
    return decoded(png).convert("RGB")


def is_red(pixel: object) -> bool:
    assert isinstance(pixel, tuple)
    return bool(pixel[0] > 180 and pixel[1] < 80 and pixel[2] < 80)


def is_blue(pixel: object) -> bool:
    assert isinstance(pixel, tuple)
    return bool(pixel[2] > 180 and pixel[0] < 80 and pixel[1] < 80)


def stored(root: Path, path: Path, bucket: str) -> Path:
    """Where the freedesktop layout has the thumbnail."""
    uri = "file://" + quote(str(path))
    return root / ".thumbnails" / bucket / (hashlib.md5(uri.encode()).hexdigest() + ".png")


@pytest.mark.parametrize("size", [1, 16, 128, 200, 256, 512, 1024])
def test_a_thumbnail_is_a_png_of_exactly_the_size_asked_for(api: Api, root: Path, size: int) -> None:
    noise(root / "wide.jpg", (640, 320))

    answer = api.thumbnail(root / "wide.jpg", size)

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/png"
    assert decoded(answer.content).size == (size, size)


def test_a_thumbnail_has_256_pixels_when_nothing_is_asked(api: Api, root: Path) -> None:
    picture(root / "a.jpg")

    assert decoded(api.get("/api/media-thumbnail", path=root / "a.jpg").content).size == (256, 256)


def test_a_wide_picture_is_letter_boxed(api: Api, root: Path) -> None:
    halves(root / "a.jpg")

    image = colours(api.thumbnail(root / "a.jpg", 100).content)

    assert is_red(image.getpixel((20, 50)))
    assert is_blue(image.getpixel((80, 50)))
    for corner in ((5, 5), (95, 5), (5, 95), (95, 95)):
        assert not is_red(image.getpixel(corner))
        assert not is_blue(image.getpixel(corner))


def test_the_orientation_in_the_file_is_applied(api: Api, root: Path) -> None:
    halves(root / "a.jpg", orientation=6)

    image = colours(api.thumbnail(root / "a.jpg", 100).content)

    assert is_red(image.getpixel((50, 20)))
    assert is_blue(image.getpixel((50, 80)))


def test_a_small_picture_is_never_blown_up(api: Api, root: Path) -> None:
    picture(root / "dot.png", (10, 10))

    image = colours(api.thumbnail(root / "dot.png", 256).content)

    red = sum(is_red(image.getpixel((x, y))) for x in range(256) for y in range(256))
    assert red == 100
    assert is_red(image.getpixel((128, 128)))


@pytest.mark.parametrize("suffix", ["png", "bmp", "gif", "tiff", "webp", "avif", "heic"])
def test_every_picture_type_is_drawn(api: Api, root: Path, suffix: str) -> None:
    path = root / f"a.{suffix}"
    if suffix == "heic":
        import pillow_heif

        pillow_heif.from_pillow(Image.new("RGB", (64, 64), "red")).save(path)
    else:
        picture(path, (64, 64))

    assert is_red(colours(api.thumbnail(path, 64).content).getpixel((32, 32)))


def test_a_video_shows_its_frame_at_two_seconds(api: Api, root: Path) -> None:
    video(root / "long.mp4", 4.0)
    video(root / "short.mp4", 1.0)

    assert is_blue(colours(api.thumbnail(root / "long.mp4", 64).content).getpixel((32, 32)))
    assert is_red(colours(api.thumbnail(root / "short.mp4", 64).content).getpixel((32, 32)))


def test_a_thumbnail_is_kept_as_the_freedesktop_standard_says(api: Api, root: Path) -> None:
    path = root / "day 1" / "ü.jpg"
    path.parent.mkdir()
    noise(path, (640, 480))
    os.utime(path, ns=(0, 1_700_000_000_123_456_789))

    for size, bucket in ((128, "normal"), (256, "large"), (512, "x-large"), (1024, "xx-large"), (200, "size-200")):
        assert api.thumbnail(path, size).status_code == 200
        kept = stored(root, path, bucket)
        assert kept.stat().st_mtime_ns == path.stat().st_mtime_ns
        with Image.open(kept) as image:
            image.load()
            assert image.size == (size, size)
            assert image.info["Thumb::URI"] == "file://" + quote(str(path))
            assert image.info["Thumb::MTime"] == "1700000000"
            assert image.info["Thumb::Size"] == str(path.stat().st_size)
            assert image.info["Software"]


def test_a_changed_file_gets_a_new_thumbnail(api: Api, root: Path) -> None:
    path = root / "a.png"
    picture(path, (64, 64), "red")
    first = api.thumbnail(path, 64)
    assert is_red(colours(first.content).getpixel((32, 32)))

    picture(path, (64, 64), "blue")

    second = api.thumbnail(path, 64, **{"If-None-Match": first.headers["etag"]})
    assert second.status_code == 200
    assert is_blue(colours(second.content).getpixel((32, 32)))


def test_a_file_with_an_older_time_than_its_thumbnail_is_drawn_anew_too(api: Api, root: Path) -> None:
    path = root / "a.png"
    picture(path, (64, 64), "red")
    api.thumbnail(path, 64)
    picture(path, (64, 64), "blue")
    os.utime(path, (0, 1_000_000_000))

    assert is_blue(colours(api.thumbnail(path, 64).content).getpixel((32, 32)))


def test_a_thumbnail_may_be_kept_by_the_client_and_asked_about(api: Api, root: Path) -> None:
    picture(root / "a.jpg")
    first = api.thumbnail(root / "a.jpg")

    assert "private" in first.headers["cache-control"]
    assert "max-age=" in first.headers["cache-control"]
    for header in ({"If-None-Match": first.headers["etag"]}, {"If-Modified-Since": first.headers["last-modified"]}):
        again = api.thumbnail(root / "a.jpg", **header)
        assert (again.status_code, again.content) == (304, b"")
    other = api.thumbnail(root / "a.jpg", 128)
    assert other.headers["etag"] != first.headers["etag"]


def test_a_corrupt_picture_gives_a_placeholder_that_is_not_kept(api: Api, root: Path) -> None:
    path = root / "broken.jpg"
    corrupt(path)

    answer = api.thumbnail(path, 128)

    assert answer.status_code == 200
    assert decoded(answer.content).size == (128, 128)
    assert "max-age=3" not in answer.headers.get("cache-control", "")
    assert not stored(root, path, "normal").exists()
    picture(path, (64, 64), "red")
    assert is_red(colours(api.thumbnail(path, 128).content).getpixel((64, 64)))


def test_a_corrupt_video_gives_a_placeholder(api: Api, root: Path) -> None:
    corrupt(root / "broken.mp4")

    answer = api.thumbnail(root / "broken.mp4", 128)

    assert answer.status_code == 200
    assert decoded(answer.content).size == (128, 128)


def test_a_header_of_60000_by_60000_pixels_gives_a_placeholder_and_harms_nobody(api: Api, root: Path) -> None:
    huge_png(root / "bomb.png")
    picture(root / "plain.png", (64, 64))

    answer = api.thumbnail(root / "bomb.png", 128)

    assert answer.status_code == 200
    assert decoded(answer.content).size == (128, 128)
    assert not stored(root, root / "bomb.png", "normal").exists()
    assert is_red(colours(api.thumbnail(root / "plain.png", 64).content).getpixel((32, 32)))


def test_many_asking_for_one_thumbnail_all_get_the_same(api: Api, root: Path) -> None:
    noise(root / "a.jpg", (2000, 1500))
    got: list[bytes] = []

    def ask() -> None:
        other = Api(api.url)
        try:
            got.append(other.thumbnail(root / "a.jpg", 300).content)
        finally:
            other.close()

    threads = [threading.Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(got) == 16
    assert len(set(got)) == 1
    assert decoded(got[0]).size == (300, 300)


def test_a_streamed_path_has_its_thumbnails_made_in_the_background(api: Api, root: Path) -> None:
    for number in range(8):
        noise(root / f"{number}.jpg", (320, 240), number)
    api.stream(root)

    api.wait_idle()

    for number in range(8):
        assert stored(root, root / f"{number}.jpg", "large").exists()


@pytest.mark.parametrize("size", ["0", "-1", "1025", "abc", "", "1.0", "1_0", "\u0661"])
def test_a_size_out_of_its_bounds_is_refused(api: Api, root: Path, size: str) -> None:
    picture(root / "a.jpg")

    error_of(api.get("/api/media-thumbnail", path=root / "a.jpg", size=size), 400)


def test_what_is_missing_or_no_media_is_400(api: Api, root: Path) -> None:
    (root / "notes.txt").write_text("x")
    (root / "folder.jpg").mkdir()

    for name in ("nowhere.jpg", "notes.txt", "folder.jpg", ""):
        error_of(api.thumbnail(root / name), 400)
    error_of(api.get("/api/media-thumbnail"), 400)


def test_what_is_outside_is_403_whether_it_exists_or_not(api: Api, root: Path, outside: Path) -> None:
    picture(outside / "x.jpg")

    for path in (outside / "x.jpg", outside / "nowhere.jpg", "/etc/passwd", f"{root}/../rev2/x.jpg"):
        assert error_of(api.thumbnail(path), 403) == NOT_UNDER
