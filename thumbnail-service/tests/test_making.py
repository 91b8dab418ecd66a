"""One job from its file to its stored thumbnail: freshness, links in every position, roots that take nothing."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

import pytest
from media_common import thumbnail_file
from PIL import Image
from thumbnail_service.domain.jobs import Job, Outcome, Result
from thumbnail_service.domain.limits import Limits
from thumbnail_service.making import make
from thumbnail_service.testing import opened, save_photo, save_video


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    (tmp_path / "outside").mkdir()
    return tmp_path / "outside"


def job(root: Path, relative: str | bytes = b"a.jpg", size_px: int = 256) -> Job:
    return Job(os.fsencode(root), os.fsencode(relative), size_px, os.fsencode(root.parent / "state" / "cache"))


def made(root: Path, relative: str | bytes = b"a.jpg", size_px: int = 256) -> Outcome:
    return make(job(root, relative, size_px), Limits())


def stored(base: Path, job: Job) -> Path:
    uri = "file://" + thumbnail_file.uri_of(job.path)[7:]
    bucket = {128: "normal", 256: "large", 512: "x-large", 1024: "xx-large"}.get(job.size_px, f"size-{job.size_px}")
    return base / ".thumbnails" / bucket / f"{hashlib.md5(uri.encode()).hexdigest()}.png"


def everything_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if not path.is_dir()]


@pytest.mark.parametrize("size_px", [100, 128, 256, 512, 1024])
def test_a_thumbnail_is_stored_as_the_freedesktop_standard_says(root: Path, size_px: int) -> None:
    photo = save_photo(root / "tag 1" / "größe.jpg")
    outcome = made(root, "tag 1/größe.jpg", size_px)
    assert outcome.result is Result.MADE
    file = stored(root, job(root, "tag 1/größe.jpg", size_px))
    assert file.read_bytes() == outcome.png
    with Image.open(file) as picture:
        assert picture.size == (size_px, size_px)
        assert (
            picture.text
            == {  # type: ignore[attr-defined]
                "Thumb::URI": "file://" + thumbnail_file.uri_of(os.fsencode(photo))[7:],
                "Thumb::MTime": str(int(photo.stat().st_mtime)),
                "Thumb::Size": str(photo.stat().st_size),
                "Software": "Framewell",
            }
        )
    assert file.stat().st_mtime_ns == photo.stat().st_mtime_ns
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(file.parent.iterdir()) == [file]


def test_a_fresh_thumbnail_is_not_made_again(root: Path) -> None:
    save_photo(root / "a.jpg")
    first = made(root)
    again = made(root)
    assert (again.result, again.png) == (Result.FRESH, first.png)


def test_a_changed_file_gets_a_new_thumbnail(root: Path) -> None:
    photo = save_photo(root / "a.jpg")
    first = made(root)
    Image.new("RGB", (300, 300), (9, 9, 9)).save(photo)
    second = made(root)
    assert second.result is Result.MADE
    assert second.png != first.png


def test_a_file_of_the_same_time_but_another_size_gets_a_new_thumbnail(root: Path) -> None:
    photo = save_photo(root / "a.jpg")
    made(root)
    before = photo.stat().st_mtime_ns
    with photo.open("ab") as file:
        file.write(b"\0" * 100)
    os.utime(photo, ns=(before, before))
    assert made(root).result is Result.MADE


def test_a_thumbnail_cut_short_by_a_power_cut_is_made_again(root: Path) -> None:
    photo = save_photo(root / "a.jpg")
    whole = made(root).png
    file = stored(root, job(root))
    file.write_bytes(whole[: len(whole) // 2])
    os.utime(file, ns=(photo.stat().st_mtime_ns,) * 2)
    assert made(root).result is Result.MADE
    assert file.read_bytes() == whole


@pytest.mark.parametrize(
    "relative", [b"\xff\xfe.jpg", b"d\xe9ja vu/a.jpg", b"new\nline.jpg", b"%2e%2e.jpg", b"x" * 251 + b".jpg"]
)
def test_odd_names_are_thumbnailed_like_any_other(root: Path, relative: bytes) -> None:
    save_photo(root / "plain.jpg")
    os.makedirs(os.path.dirname(os.fsencode(root) + b"/" + relative), exist_ok=True)
    os.rename(root / "plain.jpg", os.fsencode(root) + b"/" + relative)
    assert made(root, relative).result is Result.MADE
    assert made(root, relative).result is Result.FRESH


@pytest.mark.parametrize("name", ["a.jpg", "a.mp4", "a.dng", "a.heic"])
def test_an_unreadable_file_gives_a_placeholder_that_is_never_stored(root: Path, name: str) -> None:
    (root / name).write_bytes(b"not what it says")
    outcome = made(root, name)
    assert outcome.result is Result.UNREADABLE
    assert outcome.reason
    assert opened(outcome.png).size == (256, 256)
    assert everything_below(root) == [root / name]


def test_a_video_is_thumbnailed(root: Path) -> None:
    save_video(root / "a.mp4", 3)
    assert made(root, "a.mp4").result is Result.MADE


# ---- what is not there ----


def test_a_missing_file_is_gone(root: Path) -> None:
    assert made(root).result is Result.GONE
    assert made(root, "no/such/a.jpg").result is Result.GONE


def test_a_folder_a_pipe_and_a_socket_are_no_files(root: Path) -> None:
    (root / "folder.jpg").mkdir()
    os.mkfifo(root / "pipe.jpg")
    assert made(root, "folder.jpg").result is Result.GONE
    assert made(root, "pipe.jpg").result is Result.GONE


def test_a_root_that_is_not_there_is_another_matter_than_a_file_that_is_not(tmp_path: Path) -> None:
    assert make(Job(os.fsencode(tmp_path / "gone"), b"a.jpg", 256), Limits()).result is Result.UNREACHABLE


# ---- links ----


def test_a_root_reached_through_a_link_is_the_administrators_choice(root: Path) -> None:
    save_photo(root / "a.jpg")
    (root.parent / "link").symlink_to(root)
    assert made(root.parent / "link").result is Result.MADE


def test_a_linked_file_is_read_only_when_its_target_is_inside_the_same_root(root: Path, outside: Path) -> None:
    save_photo(root / "below" / "real.jpg")
    save_photo(outside / "secret.jpg")
    (root / "inside.jpg").symlink_to("below/real.jpg")
    (root / "out.jpg").symlink_to(outside / "secret.jpg")
    (root / "dangling.jpg").symlink_to(outside / "nothing.jpg")
    (root / "up.jpg").symlink_to("../outside/secret.jpg")
    assert made(root, "inside.jpg").result is Result.MADE
    for name in ("out.jpg", "dangling.jpg", "up.jpg"):
        assert made(root, name).result is Result.GONE


def test_a_linked_folder_leads_nowhere(root: Path, outside: Path) -> None:
    save_photo(outside / "a.jpg")
    save_photo(root / "real" / "a.jpg")
    (root / "out").symlink_to(outside)
    (root / "in").symlink_to("real")
    assert made(root, "out/a.jpg").result is Result.GONE
    assert made(root, "in/a.jpg").result is Result.GONE


def test_nothing_is_written_through_a_link_in_the_place_of_the_thumbnails(root: Path, outside: Path) -> None:
    save_photo(root / "a.jpg")
    (root / ".thumbnails").symlink_to(outside)
    assert made(root).result is Result.MADE
    assert everything_below(outside) == []
    assert stored(root.parent / "state" / "cache", job(root)).exists()
    assert made(root).result is Result.FRESH


def test_nothing_is_written_through_a_link_in_the_place_of_a_bucket(root: Path, outside: Path) -> None:
    save_photo(root / "a.jpg")
    (root / ".thumbnails").mkdir()
    (root / ".thumbnails" / "large").symlink_to(outside)
    assert made(root).result is Result.MADE
    assert everything_below(outside) == []
    assert stored(root.parent / "state" / "cache", job(root)).exists()


def test_a_link_in_the_place_of_a_thumbnail_is_replaced_and_never_followed(root: Path, outside: Path) -> None:
    save_photo(root / "a.jpg")
    made(root)
    file = stored(root, job(root))
    victim = outside / "victim"
    victim.write_bytes(b"precious")
    file.unlink()
    file.symlink_to(victim)
    assert made(root).result is Result.MADE
    assert victim.read_bytes() == b"precious"
    assert not file.is_symlink()


def test_a_link_to_another_thumbnail_is_not_served(root: Path, outside: Path) -> None:
    photo = save_photo(root / "a.jpg")
    png = made(root).png
    file = stored(root, job(root))
    (outside / "other.png").write_bytes(png)
    os.utime(outside / "other.png", ns=(photo.stat().st_mtime_ns,) * 2)
    file.unlink()
    file.symlink_to(outside / "other.png")
    assert made(root).result is Result.MADE


# ---- roots that take nothing ----


def test_a_file_in_the_place_of_the_thumbnails_leaves_the_state_cache(root: Path) -> None:
    save_photo(root / "a.jpg")
    (root / ".thumbnails").write_bytes(b"")
    assert made(root).result is Result.MADE
    assert stored(root.parent / "state" / "cache", job(root)).exists()


def test_a_root_that_cannot_be_written_keeps_its_thumbnails_in_the_state_cache(root: Path) -> None:
    save_photo(root / "a.jpg")
    tried = subprocess.run(["mount", "--bind", root, root], capture_output=True, check=False)
    if tried.returncode:
        pytest.skip("no right to mount here")
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", root], check=True)
        assert made(root).result is Result.MADE
        assert made(root).result is Result.FRESH
    finally:
        subprocess.run(["umount", "--lazy", root], check=True)
    assert stored(root.parent / "state" / "cache", job(root)).exists()
    assert everything_below(root) == [root / "a.jpg"]


def test_a_picture_that_no_folder_takes_is_still_given(root: Path) -> None:
    save_photo(root / "a.jpg")
    (root / ".thumbnails").write_bytes(b"")
    outcome = make(Job(os.fsencode(root), b"a.jpg", 256), Limits())
    assert outcome.result is Result.UNSTORED
    assert opened(outcome.png).size == (256, 256)
    (root.parent / "state").write_bytes(b"")  # and the state cache cannot be made
    assert made(root).result is Result.UNSTORED
