"""POST /api/empty-trash: the events, what goes, what stays, and every way to ask wrongly."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from api import NOT_KNOWN, Api, Json, error_of, eventually, lines_of, visible
from media import many, picture
from mounts import immutable


def without_folders(events: list[Json]) -> list[Json]:
    return [event for event in events if event["type"] != "folder_done"]


def test_the_events_are_those_of_the_documented_example(api: Api, root: Path) -> None:
    folder = root / "DCIM" / "100MEDIA"
    clip1, clip2 = many(folder, 2, "clip{:03}.jpg")
    api.act(clip1, "trash")
    api.act(clip2, "trash", "lock")

    answer = api.send("POST", "/api/empty-trash")

    assert answer.headers["content-type"] == "application/x-ndjson"
    events = [event for event in lines_of(answer.text) if event.get("path", str(root)).startswith(str(root))]
    assert events[-2] == {"type": "folder_done", "path": str(root)}
    done = events[-1]
    assert (done["type"], done["deleted"], done["errors"]) == ("done", 1, 0)
    assert without_folders(events)[:-1] == [
        {"type": "deleting", "path": str(clip1)},
        {"type": "deleted", "path": str(clip1)},
        {"type": "deleting", "path": str(clip2)},
        {"type": "skipped", "path": str(clip2), "reason": "locked"},
    ]
    assert visible(folder) == [clip2.name + end for end in ("", ".lock", ".seen", ".trash")]


def test_an_empty_trash_is_done_at_once(api: Api, root: Path) -> None:
    many(root, 2)

    events = api.empty_trash(root)

    assert events[0] == {"type": "folder_done", "path": str(root)}
    assert (events[1]["deleted"], events[1]["errors"]) == (0, 0)


def test_only_the_root_asked_for_is_emptied(api: Api, root: Path, outside: Path, remove_roots: list[Path]) -> None:
    api.add_root(outside)
    remove_roots.append(outside)
    mine, other = root / "a.jpg", outside / "a.jpg"
    for path in (mine, other):
        picture(path)
        api.act(path, "trash")

    api.empty_trash(root)

    assert not mine.exists()
    assert visible(outside) == ["a.jpg", "a.jpg.seen", "a.jpg.trash"]


def test_everything_trashed_goes_with_its_companions_and_thumbnails(api: Api, root: Path) -> None:
    paths = many(root / "sub", 30)
    for path in paths:
        assert api.thumbnail(path, 128).status_code == 200
    results = api.batch([str(path) for path in paths[:20]], "trash").json()["results"]
    assert all(result["error"] is None for result in results)
    stored = root / ".thumbnails" / "normal"
    assert len(list(stored.glob("*.png"))) == 30

    events = api.empty_trash(root)

    assert events[-1]["deleted"] == 20
    assert visible(root / "sub") == [path.name for path in paths[20:]]
    assert len(list(stored.glob("*.png"))) == 10
    assert api.summary(root)["all"] == 10
    assert error_of(api.file(paths[0]), 400)


def test_thumbnails_of_files_removed_by_hand_are_pruned(api: Api, root: Path) -> None:
    kept, removed = many(root, 2)
    for path in (kept, removed):
        assert api.thumbnail(path, 128).status_code == 200
    api.wait_idle()
    removed.unlink()

    api.empty_trash(root)

    names = [png.name for png in (root / ".thumbnails" / "normal").glob("*.png")]
    assert len(names) == 1


@pytest.mark.parametrize("body", [{}, [], "x", 3, {"path": 3}, {"path": None}, {"paths": []}, {"path": ""}])
def test_a_body_that_names_no_root_deletes_nothing(api: Api, root: Path, body: object) -> None:
    path = many(root, 1)[0]
    api.act(path, "trash")

    error_of(api.send("POST", "/api/empty-trash", body), 400)

    assert path.exists()


def test_a_body_that_is_not_json_deletes_nothing(api: Api, root: Path) -> None:
    path = many(root, 1)[0]
    api.act(path, "trash")

    for content_type in ("text/plain", "application/x-www-form-urlencoded"):
        answer = api.send("POST", "/api/empty-trash", {"path": str(root)}, {"Content-Type": content_type})
        error_of(answer, 400)
    error_of(api.client.post("/api/empty-trash", content=b"{", headers={"Content-Type": "application/json"}), 400)
    assert path.exists()


def test_a_path_that_is_no_root_is_403(api: Api, root: Path, outside: Path) -> None:
    path = many(root / "sub", 1)[0]
    api.act(path, "trash")

    for asked in (outside, root / "sub", "/"):
        assert error_of(api.send("POST", "/api/empty-trash", {"path": str(asked)}), 403) == NOT_KNOWN
    assert path.exists()


def test_a_file_changed_since_it_was_trashed_stays_with_its_mark(api: Api, root: Path) -> None:
    edited, replaced = many(root, 2)
    for path in (edited, replaced):
        api.act(path, "trash")
    edited.write_bytes(b"somebody went on working on it")
    new = root / "new"
    picture(new.with_suffix(".jpg"))
    os.replace(new.with_suffix(".jpg"), replaced)

    events = without_folders(api.empty_trash(root))

    skipped = {event["path"]: event["reason"] for event in events if event["type"] == "skipped"}
    assert skipped == {str(edited): "changed", str(replaced): "changed"}
    assert edited.exists()
    assert replaced.exists()
    assert Path(f"{edited}.trash").exists()


def test_a_file_trashed_by_hand_goes_too(api: Api, root: Path) -> None:
    path = many(root, 1)[0]
    Path(f"{path}.trash").touch()

    assert api.empty_trash(root)[-1]["deleted"] == 1
    assert visible(root) == []


def test_a_trash_directory_of_another_version_is_left_alone(api: Api, root: Path) -> None:
    old = many(root / ".trash", 2)
    Path(f"{old[0]}.trash").touch()

    assert api.empty_trash(root)[-1]["deleted"] == 0
    assert all(path.exists() for path in old)


def test_a_file_that_cannot_be_deleted_is_an_error_and_keeps_its_mark(api: Api, root: Path) -> None:
    stuck, loose = many(root, 2)
    for path in (stuck, loose):
        api.act(path, "trash")

    with immutable(stuck):
        events = api.empty_trash(root)

    errors = [event for event in events if event["type"] == "error"]
    assert [event["path"] for event in errors] == [str(stuck)]
    assert errors[0]["message"]
    assert (events[-1]["deleted"], events[-1]["errors"]) == (1, 1)
    assert api.item(root, stuck)["status"]["trashed"]
    assert api.empty_trash(root)[-1]["deleted"] == 1


def test_two_runs_at_once_share_the_work_without_an_error(api: Api, root: Path) -> None:
    paths = many(root, 400)
    for path in paths:
        Path(f"{path}.trash").touch()
    ends: list[Json] = []

    def run() -> None:
        other = Api(api.url)
        try:
            ends.append(other.empty_trash(root)[-1])
        finally:
            other.close()

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [end["errors"] for end in ends] == [0, 0]
    assert sum(end["deleted"] for end in ends) == 400
    assert api.summary(root)["all"] == 0


def test_a_client_that_goes_away_stops_the_deletion(api: Api, root: Path) -> None:
    paths = many(root, 4000)
    for path in paths:
        Path(f"{path}.trash").touch()

    other = Api(api.url)
    with other.client.stream(
        "POST",
        "/api/empty-trash",
        content=f'{{"path": "{root}"}}'.encode(),
        headers={"Content-Type": "application/json"},
    ) as answer:
        next(answer.iter_bytes())
    other.close()

    eventually(lambda: api.ok(api.get("/api/health"))["deletionQueue"]["active_jobs"], lambda active: active == 0)
    left = set(os.listdir(root))
    assert sum(path.name in left for path in paths) > 0, "the deletion went on to its end"
    assert all(path.name in left for path in paths if f"{path.name}.trash" in left), "a mark without its file"
    assert api.empty_trash(root)[-1]["errors"] == 0
    assert api.summary(root)["all"] == 0
