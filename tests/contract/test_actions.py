"""POST /api/media-actions and /api/media-items/batch: marks, refusals, and what is on disk afterwards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from api import NOT_UNDER, Api, error_of, visible
from media import many, picture

OBJECT = "Expected JSON object body."


@pytest.fixture
def clip(root: Path) -> Path:
    path = root / "DCIM" / "100MEDIA" / "clip001.jpg"
    path.parent.mkdir(parents=True)
    picture(path)
    return path


def marks(path: Path) -> set[str]:
    """The companions on disk, each of which must be an empty regular file."""
    found = set()
    for mark in ("lock", "trash", "seen"):
        companion = Path(f"{path}.{mark}")
        if companion.exists():
            assert companion.stat().st_size == 0
            found.add(mark)
    return found


def test_an_action_answers_as_documented(api: Api, clip: Path) -> None:
    body = api.ok(api.action(clip, "trash"))

    assert body == {
        "path": str(clip),
        "action": "trash",
        "status": {"locked": False, "trashed": True, "seen": True},
    }


@pytest.mark.parametrize(
    ("actions", "left"),
    [
        (["lock"], {"lock", "seen"}),
        (["lock", "unlock"], {"seen"}),
        (["trash"], {"trash", "seen"}),
        (["trash", "untrash"], {"seen"}),
        (["seen"], {"seen"}),
        (["seen", "unseen"], set()),
        (["trash", "lock"], {"trash", "lock", "seen"}),
        (["lock", "unseen"], {"lock"}),
        (["unlock", "untrash", "unseen"], set()),
    ],
)
def test_each_action_makes_and_removes_its_companions(
    api: Api, root: Path, clip: Path, actions: list[str], left: set[str]
) -> None:
    status = api.act(clip, *actions)

    assert marks(clip) == left
    assert status == {"locked": "lock" in left, "trashed": "trash" in left, "seen": "seen" in left}
    assert api.item(root, clip)["status"] == status
    assert api.files(clip.parent)["items"][0]["status"] == status


@pytest.mark.parametrize("action", ["lock", "unlock", "trash", "untrash", "seen", "unseen"])
def test_an_action_done_twice_is_done_once(api: Api, clip: Path, action: str) -> None:
    once = api.act(clip, action)
    on_disk = marks(clip)

    assert api.act(clip, action) == once
    assert marks(clip) == on_disk


def test_a_locked_file_cannot_be_trashed_and_nothing_changes(api: Api, clip: Path) -> None:
    api.act(clip, "lock", "unseen")

    sentence = error_of(api.action(clip, "trash"), 409)

    assert "locked" in sentence
    assert marks(clip) == {"lock"}
    assert api.act(clip, "unlock", "trash") == {"locked": False, "trashed": True, "seen": True}


def test_a_mark_made_by_hand_counts(api: Api, clip: Path) -> None:
    Path(f"{clip}.lock").touch()

    assert "locked" in error_of(api.action(clip, "trash"), 409)


def test_the_echoed_path_is_the_one_that_the_listing_printed(api: Api, root: Path, clip: Path) -> None:
    listed = api.stream(root).paths[0]

    for way in (listed, f"{clip.parent}/../100MEDIA/clip001.jpg", f"{root}//DCIM/100MEDIA/clip001.jpg"):
        assert api.ok(api.action(way, "seen"))["path"] == listed


@pytest.mark.parametrize("action", ["", "delete", "TRASH", None, 3, ["trash"]])
def test_an_unsupported_action_is_refused(api: Api, clip: Path, action: Any) -> None:
    error_of(api.action(clip, action), 400)

    assert marks(clip) == set()


def test_a_body_that_is_no_object_sent_as_json_is_refused(api: Api, clip: Path) -> None:
    body = {"path": str(clip), "action": "trash"}

    assert error_of(api.send("POST", "/api/media-actions"), 400) == OBJECT
    assert error_of(api.send("POST", "/api/media-actions", [body]), 400) == OBJECT
    answer = api.send("POST", "/api/media-actions", body, {"Content-Type": "text/plain"})
    assert error_of(answer, 400) == OBJECT
    for lacking in ({"action": "trash"}, {"path": str(clip)}, {"path": 3, "action": "trash"}):
        error_of(api.send("POST", "/api/media-actions", lacking), 400)
    assert marks(clip) == set()


def test_what_is_missing_or_no_media_is_400(api: Api, root: Path, clip: Path) -> None:
    (root / "notes.txt").write_text("x")
    Path(f"{clip}.seen").touch()

    for path in (root / "nowhere.jpg", root / "notes.txt", clip.parent, root, f"{clip}.seen", "relative.jpg"):
        error_of(api.action(path, "lock"), 400)
    assert visible(root) == ["DCIM", "notes.txt"]


def test_what_is_outside_is_403_whether_it_exists_or_not(api: Api, root: Path, outside: Path) -> None:
    picture(outside / "x.jpg")

    for path in (outside / "x.jpg", outside / "nowhere.jpg", "/etc/passwd", f"{root}/../rev2/x.jpg"):
        assert error_of(api.action(path, "trash"), 403) == NOT_UNDER
    assert visible(outside) == ["x.jpg"]


@pytest.mark.parametrize("length", [251, 255])
def test_a_name_too_long_for_its_companion_changes_nothing(api: Api, root: Path, length: int) -> None:
    path = root / ("n" * (length - 4) + ".jpg")
    picture(path)

    for action in ("seen", "lock", "trash"):
        error_of(api.action(path, action), 400)
    assert visible(root) == [path.name]


def test_a_name_with_room_for_one_companion_only_is_not_half_marked(api: Api, root: Path) -> None:
    path = root / ("n" * 246 + ".jpg")
    picture(path)

    error_of(api.action(path, "trash"), 400)
    assert visible(root) == [path.name]
    assert api.act(path, "lock") == {"locked": True, "trashed": False, "seen": True}


class TestABatch:
    def test_answers_each_item_in_request_order(self, api: Api, root: Path) -> None:
        paths = many(root, 3)
        api.act(paths[1], "lock")

        answer = api.batch([str(paths[0]), str(paths[1]), str(root / "nowhere.jpg"), str(paths[2])], "trash")

        assert answer.status_code == 207
        results = answer.json()["results"]
        trashed = {"locked": False, "trashed": True, "seen": True}
        assert results[0] == {"path": str(paths[0]), "status": trashed, "error": None}
        assert results[1]["path"] == str(paths[1])
        assert results[1]["status"] is None
        assert "locked" in results[1]["error"]
        assert results[2]["status"] is None
        assert results[2]["error"]
        assert results[3] == {"path": str(paths[2]), "status": trashed, "error": None}
        assert marks(paths[1]) == {"lock", "seen"}

    def test_echoes_every_path_as_it_was_sent(self, api: Api, root: Path, outside: Path) -> None:
        paths = many(root, 1)
        sent = [f"{root}//{paths[0].name}", str(outside / "x.jpg"), "relative.jpg", "/a\0b", str(paths[0])]

        results = api.batch(sent, "seen").json()["results"]

        assert [result["path"] for result in results] == sent
        assert [result["error"] is None for result in results] == [True, False, False, False, True]
        assert results[1]["error"] == NOT_UNDER

    def test_takes_500_and_not_one_more(self, api: Api, root: Path) -> None:
        paths = [str(path) for path in many(root, 500)]

        results = api.batch(paths, "lock").json()["results"]

        assert [result["path"] for result in results] == paths
        assert all(result["error"] is None for result in results)
        assert api.summary(root)["locked"] == 500
        assert "500" in error_of(api.batch([*paths, paths[0]], "unlock"), 400)
        assert api.summary(root)["locked"] == 500

    def test_may_name_a_file_twice(self, api: Api, root: Path) -> None:
        path = str(many(root, 1)[0])

        results = api.batch([path, path], "trash").json()["results"]

        assert all(result["error"] is None for result in results)

    @pytest.mark.parametrize("paths", [[], [3], [None], ["/x.jpg", 3], "not a list", None, {"a": 1}])
    def test_needs_a_list_of_strings(self, api: Api, paths: Any) -> None:
        error_of(api.batch(paths, "seen"), 400)

    @pytest.mark.parametrize("action", ["", "delete", None, 3])
    def test_needs_an_action(self, api: Api, root: Path, action: object) -> None:
        path = many(root, 1)[0]

        error_of(api.batch([str(path)], action), 400)
        assert marks(path) == set()

    def test_must_be_an_object_sent_as_json(self, api: Api, root: Path) -> None:
        body = {"paths": [str(many(root, 1)[0])], "action": "seen"}

        assert error_of(api.send("POST", "/api/media-items/batch"), 400) == OBJECT
        assert error_of(api.send("POST", "/api/media-items/batch", [body]), 400) == OBJECT
        answer = api.send("POST", "/api/media-items/batch", body, {"Content-Type": "text/plain"})
        assert error_of(answer, 400) == OBJECT
