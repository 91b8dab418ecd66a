"""Symlinks in every position: nothing outside a root is read, written, listed, deleted or told about."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from api import NOT_UNDER, Api, Json, error_of
from media import many, picture


@pytest.fixture
def secret(outside: Path) -> Path:
    """A picture outside the roots."""
    path = outside / "secret.jpg"
    picture(path)
    return path


def all_faces(api: Api, path: Path | str) -> list[str]:
    """The sentences with which a file's every endpoint refuses it."""
    answers = [api.file(path), api.thumbnail(path), *(api.action(path, action) for action in ("seen", "trash", "lock"))]
    return [error_of(answer, 403) for answer in answers]


def test_a_name_that_begins_as_a_root_is_not_below_it(api: Api, root: Path, secret: Path) -> None:
    assert set(all_faces(api, secret)) == {NOT_UNDER}
    assert error_of(api.get("/api/folders/files", path=secret.parent), 403) == NOT_UNDER
    assert api.stream(root).items == []


def test_two_roots_whose_names_begin_alike_stay_apart(
    api: Api, root: Path, secret: Path, remove_roots: list[Path]
) -> None:
    api.add_root(secret.parent)
    remove_roots.append(secret.parent)
    picture(root / "mine.jpg")
    api.act(root / "mine.jpg", "trash")
    api.act(secret, "trash")

    assert api.stream(root).names == ["mine.jpg"]
    assert api.summary(root)["all"] == 1
    assert api.stream(secret.parent).names == ["secret.jpg"]
    assert api.empty_trash(root)[-1]["deleted"] == 1
    assert secret.exists()
    assert api.summary(secret.parent)["trashed"] == 1
    api.ok(api.remove_root(root))
    assert api.stream(secret.parent).names == ["secret.jpg"]
    api.add_root(root)


def test_a_file_link_inside_the_root_is_listed_and_opened(api: Api, root: Path) -> None:
    picture(root / "real.jpg")
    (root / "link.jpg").symlink_to("real.jpg")

    assert api.stream(root).names == ["link.jpg", "real.jpg"]
    assert api.file(root / "link.jpg").content == (root / "real.jpg").read_bytes()
    assert api.thumbnail(root / "link.jpg").status_code == 200


def test_a_file_link_out_of_the_root_is_neither_listed_nor_served(api: Api, root: Path, secret: Path) -> None:
    (root / "link.jpg").symlink_to(secret)

    assert api.stream(root).items == []
    assert api.files(root)["items"] == []
    assert set(all_faces(api, root / "link.jpg")) == {NOT_UNDER}
    assert os.listdir(secret.parent) == ["secret.jpg"]


def test_links_out_of_the_root_do_not_tell_whether_their_target_exists(api: Api, root: Path, secret: Path) -> None:
    (root / "there.jpg").symlink_to(secret)
    (root / "not-there.jpg").symlink_to(secret.with_name("nothing.jpg"))
    (root / "folder-there").symlink_to(secret.parent)
    (root / "folder-not-there").symlink_to(secret.parent / "nothing")

    assert all_faces(api, root / "there.jpg") == all_faces(api, root / "not-there.jpg")
    for name in ("secret.jpg", "nothing.jpg"):
        there, not_there = root / "folder-there" / name, root / "folder-not-there" / name
        assert all_faces(api, there) == all_faces(api, not_there)


def test_a_dangling_link_inside_the_root_is_skipped(api: Api, root: Path) -> None:
    (root / "link.jpg").symlink_to("nothing.jpg")
    (root / "loop.jpg").symlink_to("loop.jpg")

    assert api.stream(root).items == []
    for name in ("link.jpg", "loop.jpg"):
        assert api.file(root / name).status_code in (400, 403)
        assert api.thumbnail(root / name).status_code in (400, 403)


def test_a_linked_folder_is_not_walked_and_not_entered(api: Api, root: Path, secret: Path) -> None:
    (root / "out").symlink_to(secret.parent)
    (root / "sub").mkdir()
    picture(root / "sub" / "a.jpg")
    (root / "in").symlink_to("sub")

    assert api.stream(root).names == ["a.jpg"]
    assert set(all_faces(api, root / "out" / "secret.jpg")) == {NOT_UNDER}
    assert error_of(api.get("/api/folders/files", path=root / "out"), 403) == NOT_UNDER
    assert set(all_faces(api, root / "in" / "a.jpg")) == {NOT_UNDER}
    assert os.listdir(secret.parent) == ["secret.jpg"]


def test_dots_behind_a_linked_folder_are_resolved_by_their_text(api: Api, root: Path, secret: Path) -> None:
    picture(root / "a.jpg")
    (root / "out").symlink_to(secret.parent)

    assert api.file(f"{root}/out/../a.jpg").content == (root / "a.jpg").read_bytes()


@pytest.mark.parametrize("mark", ["lock", "trash", "seen"])
def test_a_companion_that_is_a_link_is_never_followed(api: Api, root: Path, secret: Path, mark: str) -> None:
    picture(root / "a.jpg")
    victim = secret.with_name("victim.txt")
    victim.write_text("precious")
    missing = secret.with_name("made-by-mistake")
    (root / f"a.jpg.{mark}").symlink_to(victim)

    for action in ("seen", "lock", "unlock", "trash", "untrash", "unseen"):
        assert api.action(root / "a.jpg", action).status_code != 500
    assert victim.read_text() == "precious"

    for link in root.glob("a.jpg.*"):
        link.unlink()
    (root / f"a.jpg.{mark}").symlink_to(missing)
    for action in ("seen", "lock", "unlock", "trash", "untrash", "unseen"):
        assert api.action(root / "a.jpg", action).status_code != 500
    assert not missing.exists()
    assert (root / "a.jpg").exists()


@pytest.mark.parametrize("position", [".thumbnails", ".thumbnails/large"])
def test_a_thumbnail_folder_that_is_a_link_is_never_written_through(
    api: Api, root: Path, secret: Path, position: str
) -> None:
    elsewhere = secret.parent / "elsewhere"
    elsewhere.mkdir()
    link = root / position
    if link.exists():
        link.rename(root.parent / "moved-away")
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(elsewhere)
    picture(root / "a.jpg")

    for _ in range(2):
        answer = api.thumbnail(root / "a.jpg")
        assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/png"
    assert os.listdir(elsewhere) == []
    api.act(root / "a.jpg", "trash")
    assert api.empty_trash(root)[-1]["deleted"] == 1
    assert os.listdir(elsewhere) == []


def test_a_thumbnail_that_is_a_link_is_never_read_or_written_through(api: Api, root: Path, secret: Path) -> None:
    picture(root / "a.jpg")
    assert api.thumbnail(root / "a.jpg", 128).status_code == 200
    kept = next((root / ".thumbnails" / "normal").glob("*.png"))
    kept.unlink()
    victim = secret.with_name("victim.png")
    picture(victim)
    before = victim.read_bytes()
    kept.symlink_to(victim)

    answer = api.thumbnail(root / "a.jpg", 128)

    assert answer.status_code == 200
    assert answer.content != before
    assert victim.read_bytes() == before


def test_a_folder_swapped_for_a_link_while_the_trash_is_emptied_costs_nothing_outside(
    api: Api, root: Path, outside: Path
) -> None:
    names = [path.name for path in many(root / "sub", 600)]
    many(outside, 600)
    for folder in (root / "sub", outside):
        for name in names:
            (folder / f"{name}.trash").touch()
    before = sorted(os.listdir(outside))
    stop = threading.Event()

    def swap() -> None:
        """To and fro: the folder, and a link of its name that leads outside."""
        while not stop.is_set():
            (root / "sub").rename(root / "sub-away")
            (root / "sub").symlink_to(outside)
            (root / "sub").unlink()
            (root / "sub-away").rename(root / "sub")

    swapping = threading.Thread(target=swap)
    swapping.start()
    events: list[Json] = []
    try:
        for _ in range(5):
            events += api.empty_trash(root)
    finally:
        stop.set()
        swapping.join()

    assert sorted(os.listdir(outside)) == before
    deleted = {event["path"] for event in events if event["type"] == "deleted"}
    left = set(os.listdir(root / "sub"))
    assert not {path for path in deleted if Path(path).name in left}, "told deleted, and there"
    assert api.empty_trash(root)[-1]["errors"] == 0
    assert sorted(os.listdir(outside)) == before
    assert api.summary(root)["all"] == 0


def test_a_trashed_file_replaced_by_a_link_deletes_nothing_outside(api: Api, root: Path, secret: Path) -> None:
    picture(root / "a.jpg")
    api.act(root / "a.jpg", "trash")
    (root / "a.jpg").unlink()
    (root / "a.jpg").symlink_to(secret)

    assert api.empty_trash(root)[-1]["deleted"] == 0
    assert secret.exists()
    assert (root / "a.jpg").is_symlink()
