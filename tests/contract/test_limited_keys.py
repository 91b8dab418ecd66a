"""A key that is limited to collections, in the dialect that speaks of paths."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from api import NOT_KNOWN, Api, error_of, eventually, lines_of, query, text
from media import picture
from stack import Stack

NO_ACCESS = "The key has no access to this collection."
SCOPES = ["read", "write", "trash", "empty-trash"]


@pytest.fixture
def other(api: Api, tmp_path: Path) -> Iterator[Path]:
    """A review path whose name begins as the first one's does."""
    path = tmp_path / "rev-other"
    (path / "day").mkdir(parents=True)
    picture(path / "day" / "b.jpg")
    api.add_root(path)
    yield path
    api.remove_root(path)


@pytest.fixture
def limited(api: Api, stack: Stack, root: Path, other: Path) -> Iterator[httpx.Client]:
    """May do everything with `root`, nothing with `other`."""
    (root / "day").mkdir()
    picture(root / "day" / "a.jpg")
    face = eventually(lambda: api.get("/api/resolve", path=root), lambda answer: answer.status_code == 200, 60)
    eventually(lambda: api.get("/api/resolve", path=other), lambda answer: answer.status_code == 200, 60)
    slug = face.json()["collection"]["slug"]
    body = {"name": "limited", "scopes": SCOPES, "collections": [slug]}
    made = api.send("POST", "/api/keys", body)
    assert made.status_code == 201, made.text
    with httpx.Client(
        base_url=stack.url, headers={"X-Api-Key": made.json()["key"]}, timeout=60, trust_env=False
    ) as client:
        yield client


def asked(client: httpx.Client, root: Path) -> dict[str, httpx.Response]:
    """Every request of a review page about a root, by what it is."""
    file = root / "day" / ("a.jpg" if (root / "day" / "a.jpg").exists() else "b.jpg")

    def get(address: str, **parameters: Any) -> httpx.Response:
        return client.get(f"{address}?{query(**parameters)}")

    return {
        "stream": get("/api/media-items/stream", path=root),
        "summary": get("/api/media-items/summary", path=root),
        "files": get("/api/folders/files", path=root / "day"),
        "folders": get("/api/folders", path=root),
        "file": get("/api/media-file", path=file),
        "head": client.head(f"/api/media-file?{query(path=file)}"),
        "thumbnail": get("/api/media-thumbnail", path=file, size=64),
        "plan": get("/api/trash/plan", path=root),
        "action": client.post("/api/media-actions", json={"path": text(file), "action": "trash"}),
        "undone": client.post("/api/media-actions", json={"path": text(file), "action": "untrash"}),
        "empty": client.post("/api/empty-trash", json={"path": text(root)}),
    }


def test_it_does_with_its_own_review_path_what_any_key_may(limited: httpx.Client, root: Path) -> None:
    for name, answer in asked(limited, root).items():
        assert answer.status_code == 200, f"{name}: {answer.text}"
    assert limited.get("/api/health").status_code == limited.get("/api/settings").status_code == 200


def test_it_is_refused_everything_about_another(api: Api, limited: httpx.Client, other: Path) -> None:
    for name, answer in asked(limited, other).items():
        assert answer.status_code == 403, name
        if name != "head":
            assert error_of(answer, 403) == NO_ACCESS
    assert api.item(other, other / "day" / "b.jpg")["status"] == {"locked": False, "trashed": False, "seen": False}


def test_no_way_of_writing_a_path_leads_around_it(limited: httpx.Client, root: Path, other: Path) -> None:
    aim = other / "day" / "b.jpg"
    for path in (
        f"{root}/../{other.name}/day/b.jpg",
        f"//{str(aim).lstrip('/')}",
        f"{root}/day/../../{other.name}/./day//b.jpg",
        f"~/../{os.path.relpath(aim, Path.home().parent)}",
        "/etc/hostname",
        f"{root}-x/a.jpg",
    ):
        assert error_of(limited.get(f"/api/media-file?{query(path=path)}"), 403) == NO_ACCESS
    for path in ("relative.jpg", "%00", "~nobody-of-this-name/a.jpg"):
        error_of(limited.get(f"/api/media-file?path={path}"), 400)


def test_lists_have_its_own_review_paths_alone(limited: httpx.Client, root: Path, other: Path) -> None:
    told = Api.ok(limited.get("/api/review-paths"))

    assert told["knownPaths"] == told["availablePaths"] == [text(root)]
    assert str(other) not in limited.get("/api/review-paths").text


def test_a_batch_refuses_the_others_items_alone(api: Api, limited: httpx.Client, root: Path, other: Path) -> None:
    mine, theirs = root / "day" / "a.jpg", other / "day" / "b.jpg"
    answer = limited.post("/api/media-items/batch", json={"paths": [text(theirs), text(mine)], "action": "seen"})

    results = Api.ok(answer, 207)["results"]
    assert [(one["path"], one["error"]) for one in results] == [(text(theirs), NO_ACCESS), (text(mine), None)]
    assert results[1]["status"]["seen"] is True
    assert api.item(other, theirs)["status"]["seen"] is False


def test_it_empties_a_review_path_by_name_and_never_all(
    api: Api, limited: httpx.Client, root: Path, other: Path
) -> None:
    api.act(root / "day" / "a.jpg", "trash")
    api.act(other / "day" / "b.jpg", "trash")

    assert "name the review path" in error_of(limited.post("/api/empty-trash"), 403)
    assert "name a review path" in error_of(limited.get("/api/trash/plan"), 403)
    done = lines_of(limited.post("/api/empty-trash", json={"path": text(root)}).text)[-1]
    assert done["deleted"] == 1
    assert (other / "day" / "b.jpg").exists()


def test_what_speaks_of_the_whole_server_is_refused(limited: httpx.Client) -> None:
    for method, address in (
        ("GET", "/api/jobs"),
        ("GET", "/api/events"),
        ("POST", "/api/undo"),
        ("GET", "/api/logs"),
        ("GET", "/api/keys"),
        ("PATCH", "/api/settings"),
        ("POST", "/api/review-paths"),
        ("DELETE", "/api/review-paths"),
    ):
        error_of(limited.request(method, address, json={}), 403)


def test_a_folder_of_its_own_is_no_review_path(limited: httpx.Client, root: Path) -> None:
    assert error_of(limited.get(f"/api/media-items/stream?{query(path=root / 'day')}"), 403) == NOT_KNOWN
