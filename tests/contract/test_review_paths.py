"""GET, POST and DELETE /api/review-paths, and which directories may be one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from api import NOT_KNOWN, Api, error_of
from media import picture

OBJECT = "Expected JSON object body."


def test_the_known_paths_come_with_the_pickers_starting_points(api: Api, root: Path) -> None:
    body = api.ok(api.get("/api/review-paths"))

    assert set(body) == {"knownPaths", "hiddenPickerPaths", "availablePaths"}
    assert str(root) in body["knownPaths"]
    assert {"/proc", "/sys"} <= set(body["hiddenPickerPaths"])
    assert body["availablePaths"] == [os.path.expanduser("~"), "/mnt"]


def test_adding_a_path_answers_201_and_the_known_paths_sorted(api: Api, root: Path, remove_roots: list[Path]) -> None:
    first = root.parent / "a-first"
    first.mkdir()
    remove_roots.append(first)

    body = api.add_root(first)

    assert set(body) == {"addedPath", "knownPaths"}
    assert body["addedPath"] == str(first)
    assert body["knownPaths"] == sorted(body["knownPaths"])
    assert {str(first), str(root)} <= set(body["knownPaths"])


def test_adding_a_known_path_again_changes_nothing(api: Api, root: Path) -> None:
    before = api.known_paths()

    assert api.add_root(root)["knownPaths"] == before
    assert api.add_root(f"{root}/")["addedPath"] == str(root)
    assert api.add_root(f"{root}/../{root.name}")["addedPath"] == str(root)
    assert api.known_paths() == before


def test_removing_a_path_answers_what_is_left_and_touches_no_file(api: Api, root: Path) -> None:
    picture(root / "a.jpg")
    api.act(root / "a.jpg", "lock")

    body = api.ok(api.remove_root(root))

    assert set(body) == {"removedPath", "knownPaths"}
    assert body["removedPath"] == str(root)
    assert str(root) not in body["knownPaths"]
    assert {"a.jpg", "a.jpg.lock", "a.jpg.seen"} <= set(os.listdir(root))
    assert error_of(api.get("/api/media-items/stream", path=root), 403) == NOT_KNOWN


def test_marks_are_still_there_when_a_path_is_added_again(api: Api, root: Path) -> None:
    picture(root / "a.jpg")
    api.act(root / "a.jpg", "lock")

    api.ok(api.remove_root(root))
    api.add_root(root)

    assert api.item(root, root / "a.jpg")["status"] == {"locked": True, "trashed": False, "seen": True}


def test_removing_works_when_the_directory_is_no_longer_there(api: Api, root: Path) -> None:
    root.rename(root.with_name("away"))

    assert str(root) not in api.ok(api.remove_root(root))["knownPaths"]


def test_removing_what_is_no_known_path_is_404(api: Api, root: Path, outside: Path) -> None:
    error_of(api.remove_root(outside), 404)
    error_of(api.remove_root(root / "sub"), 404)


@pytest.mark.parametrize("method", ["POST", "DELETE"])
class TestABody:
    def test_is_required(self, api: Api, method: str) -> None:
        assert error_of(api.send(method, "/api/review-paths"), 400) == OBJECT

    @pytest.mark.parametrize("body", [[], ["/tmp"], "/tmp", 3, True])
    def test_must_be_an_object(self, api: Api, method: str, body: object) -> None:
        assert error_of(api.send(method, "/api/review-paths", body), 400) == OBJECT

    def test_must_be_json(self, api: Api, method: str) -> None:
        headers = {"Content-Type": "application/json"}
        answer = api.client.request(method, "/api/review-paths", content=b'{"path": ', headers=headers)
        assert error_of(answer, 400) == OBJECT

    def test_must_be_sent_as_json(self, api: Api, method: str, outside: Path) -> None:
        for content_type in ("text/plain", "application/x-www-form-urlencoded", ""):
            answer = api.send(method, "/api/review-paths", {"path": str(outside)}, {"Content-Type": content_type})
            assert error_of(answer, 400) == OBJECT
        assert str(outside) not in api.known_paths()

    def test_may_name_a_character_set(self, api: Api, method: str) -> None:
        headers = {"Content-Type": "application/json; charset=utf-8"}
        answer = api.send(method, "/api/review-paths", {"path": "relative"}, headers)
        assert error_of(answer, 400) != OBJECT

    @pytest.mark.parametrize("body", [{}, {"path": None}, {"path": 3}, {"path": ["/tmp"]}, {"path": ""}])
    def test_must_have_a_path(self, api: Api, method: str, body: object) -> None:
        error_of(api.send(method, "/api/review-paths", body), 400)

    @pytest.mark.parametrize("path", ["relative/one", "/a\0b", "/" + "a" * 4097, "~no-such-user-here/x", "."])
    def test_must_have_a_path_that_can_be_one(self, api: Api, method: str, path: str) -> None:
        error_of(api.send(method, "/api/review-paths", {"path": path}), 400)


def test_a_directory_that_is_not_there_or_a_file_cannot_be_added(api: Api, tmp_path: Path) -> None:
    picture(tmp_path / "file.jpg")

    for path in (tmp_path / "nowhere", tmp_path / "file.jpg"):
        error_of(api.send("POST", "/api/review-paths", {"path": str(path)}), 400)


@pytest.mark.parametrize("path", ["/", "/proc", "/proc/self", "/sys", "/sys/", "/dev", "/run", "/proc/../sys", "//"])
def test_hidden_directories_and_those_above_them_are_refused(api: Api, path: str) -> None:
    error_of(api.send("POST", "/api/review-paths", {"path": path}), 403)

    assert path not in api.known_paths()


def test_a_link_to_a_hidden_directory_is_refused(api: Api, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/proc")

    error_of(api.send("POST", "/api/review-paths", {"path": str(tmp_path / "link")}), 403)


def test_a_root_may_be_reached_through_a_link(api: Api, root: Path, remove_roots: list[Path]) -> None:
    picture(root / "a.jpg")
    link = root.parent / "link"
    link.symlink_to(root)
    remove_roots.append(link)

    assert api.add_root(link)["addedPath"] == str(link)
    assert api.stream(link).paths == [str(link / "a.jpg")]
    assert api.file(link / "a.jpg").status_code == 200


def test_a_path_starting_with_a_tilde_is_the_home_directory(api: Api) -> None:
    answer = api.get("/api/folders", path="~")

    assert api.ok(answer)["path"] == os.path.expanduser("~")


def test_a_path_inside_another_known_path_is_a_root_of_its_own(api: Api, root: Path, remove_roots: list[Path]) -> None:
    below = root / "trip"
    below.mkdir()
    picture(root / "a.jpg")
    picture(below / "b.jpg")
    remove_roots.append(below)

    api.add_root(below)

    assert api.stream(root).names == ["a.jpg", "b.jpg"]
    assert api.stream(below).names == ["b.jpg"]
    api.act(below / "b.jpg", "lock")
    assert api.item(root, below / "b.jpg")["status"]["locked"]
    assert api.item(below, below / "b.jpg")["status"]["locked"]
    assert api.thumbnail(below / "b.jpg", 128).status_code == 200
    assert (below / ".thumbnails").is_dir(), "the deepest root keeps the thumbnail"


def test_a_path_above_another_known_path_holds_its_files_too(api: Api, root: Path, remove_roots: list[Path]) -> None:
    picture(root / "a.jpg")
    remove_roots.append(root.parent)

    api.add_root(root.parent)

    assert api.stream(root.parent).paths == [str(root / "a.jpg")]
    api.act(root / "a.jpg", "seen")
    assert api.summary(root.parent)["seen"] == 1
    assert api.summary(root)["seen"] == 1
