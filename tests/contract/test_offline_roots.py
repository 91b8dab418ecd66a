"""A root renamed away, replaced by another directory, brought back; a root that cannot be written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from api import Api, error_of, eventually
from media import many, picture
from mounts import read_only


@pytest.fixture
def files(api: Api, root: Path) -> list[Path]:
    """Five files: unseen, seen, locked, trashed, trashed and locked; their thumbnails are made."""
    paths = many(root / "sub", 5)
    api.stream(root)
    api.wait_idle()
    api.act(paths[1], "seen")
    api.act(paths[2], "lock")
    api.act(paths[3], "trash")
    api.act(paths[4], "trash", "lock")
    assert api.summary(root) == COUNTS
    return paths


COUNTS = {"all": 5, "unseen": 1, "seen": 4, "locked": 2, "trashed": 2}


def plan_state(api: Api, root: Path) -> str:
    state: str = api.plan(root)["roots"][0]["state"]
    return state


def test_a_root_renamed_away_and_back_has_forgotten_nothing(api: Api, root: Path, files: list[Path]) -> None:
    away = root.with_name("away")
    root.rename(away)

    assert str(root) in api.known_paths()
    assert plan_state(api, root) == "offline"
    events = api.empty_trash(root)
    assert [event["type"] for event in events if event["type"] != "folder_done"] == ["error", "done"]
    assert events[0]["path"] == str(root)
    assert (events[-1]["deleted"], events[-1]["errors"]) == (0, 1)
    assert api.action(files[0], "trash").status_code in (400, 503)
    for answer in (api.file(files[0]), api.thumbnail(files[0]), api.get("/api/media-items/stream", path=root)):
        assert answer.status_code in (200, 400, 503)
    assert sorted(os.listdir(root.parent)) == ["away"], "nothing was made in its place"

    away.rename(root)

    assert plan_state(api, root) == "online"
    assert api.summary(root) == COUNTS
    assert [item["status"]["trashed"] for item in api.stream(root).items] == [False, False, False, True, True]
    assert api.empty_trash(root)[-1]["deleted"] == 1


def test_what_happened_to_a_root_while_it_was_away_is_seen(api: Api, root: Path, files: list[Path]) -> None:
    away = root.with_name("away")
    root.rename(away)
    assert plan_state(api, root) == "offline"
    picture(away / "sub" / "new.jpg")
    (away / "sub" / files[0].name).unlink()

    away.rename(root)

    assert "new.jpg" in api.stream(root).names
    assert files[0].name not in api.stream(root).names


def test_another_directory_in_a_roots_place_is_left_alone(api: Api, root: Path, files: list[Path]) -> None:
    away = root.with_name("away")
    root.rename(away)
    strangers = many(root / "sub", 5)
    for path in strangers:
        Path(f"{path}.trash").touch()
    before = sorted(os.listdir(root / "sub"))

    assert plan_state(api, root) == "swapped"
    events = api.empty_trash(root)
    assert [event["type"] for event in events if event["type"] != "folder_done"] == ["error", "done"]
    assert events[-1]["deleted"] == 0
    assert api.action(strangers[0], "untrash").status_code in (400, 503)
    api.empty_trash()
    assert sorted(os.listdir(root / "sub")) == before
    assert not (root / ".thumbnails").exists()

    root.rename(root.with_name("stranger"))
    away.rename(root)

    assert api.summary(root) == COUNTS
    assert api.empty_trash(root)[-1]["deleted"] == 1


def test_adding_a_swapped_root_again_accepts_what_is_there_now(api: Api, root: Path, files: list[Path]) -> None:
    root.rename(root.with_name("away"))
    picture_names = [path.name for path in many(root, 2, "other{}.jpg")]
    assert plan_state(api, root) == "swapped"

    api.add_root(root)

    assert plan_state(api, root) == "online"
    assert api.stream(root).names == picture_names
    assert api.summary(root)["all"] == 2


def test_a_root_that_came_back_takes_actions_again(api: Api, root: Path, files: list[Path]) -> None:
    away = root.with_name("away")
    root.rename(away)
    assert api.action(files[0], "lock").status_code in (400, 503)
    assert os.listdir(root.parent) == ["away"]

    away.rename(root)

    assert api.act(files[0], "lock")["locked"]


def test_a_root_above_an_offline_one_is_not_disturbed(
    api: Api, root: Path, files: list[Path], remove_roots: list[Path]
) -> None:
    api.add_root(root.parent)
    remove_roots.append(root.parent)
    picture(root.parent / "top.jpg")

    root.rename(root.parent / ".away")

    assert api.stream(root.parent).names == ["top.jpg"]
    (root.parent / ".away").rename(root)
    assert len(api.stream(root.parent).items) == 6


class TestARootThatCannotBeWritten:
    def test_keeps_its_marks_in_the_state_directory(self, api: Api, root: Path, files: list[Path]) -> None:
        with read_only(root):
            before = sorted(os.listdir(root / "sub"))
            assert eventually(lambda: plan_state(api, root), lambda state: state == "read-only")
            assert api.act(files[0], "lock") == {"locked": True, "trashed": False, "seen": True}
            assert api.item(root, files[0])["status"] == {"locked": True, "trashed": False, "seen": True}
            assert api.summary(root) == {"all": 5, "unseen": 0, "seen": 5, "locked": 3, "trashed": 2}
            assert sorted(os.listdir(root / "sub")) == before
            assert api.act(files[0], "unlock", "unseen") == {"locked": False, "trashed": False, "seen": False}
            assert "locked" in error_of(api.action(files[2], "trash"), 409)
            api.ok(api.send("POST", "/api/undo", {"steps": 1}))

    def test_keeps_its_thumbnails_in_the_state_directory(self, api: Api, root: Path) -> None:
        picture(root / "a.jpg")
        (root / "sub").mkdir()
        picture(root / "sub" / "b.jpg")
        with read_only(root):
            for path in (root / "a.jpg", root / "sub" / "b.jpg"):
                first = api.thumbnail(path, 96)
                assert first.status_code == 200
                assert api.thumbnail(path, 96).content == first.content

    def test_loses_nothing_to_an_empty_trash(self, api: Api, root: Path, files: list[Path]) -> None:
        with read_only(root):
            events = api.empty_trash(root)
        assert events[-1]["deleted"] == 0
        assert all(path.exists() for path in files)
        assert api.summary(root) == COUNTS
        assert api.empty_trash(root)[-1]["deleted"] == 1
