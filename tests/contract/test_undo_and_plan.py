"""POST /api/undo, GET /api/trash/plan, and If-Match of an empty-trash."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from api import Api, error_of
from media import many


def undo(api: Api, steps: int = 1) -> None:
    api.ok(api.send("POST", "/api/undo", {"steps": steps}))


def companions(root: Path) -> list[str]:
    return sorted(name for name in os.listdir(root) if name.endswith((".seen", ".lock", ".trash")))


@pytest.mark.parametrize("action", ["lock", "trash", "seen"])
def test_undo_puts_the_marks_back_exactly_seen_included(api: Api, root: Path, action: str) -> None:
    fresh, viewed = many(root, 2)
    api.act(viewed, "seen")
    before = companions(root)

    api.act(fresh, action)
    undo(api)
    assert companions(root) == before
    api.act(viewed, action)
    undo(api)

    assert api.item(root, fresh)["status"] == {"locked": False, "trashed": False, "seen": False}
    assert api.item(root, viewed)["status"]["seen"] is (action != "seen" or "frame0001.jpg.seen" in companions(root))


def test_undo_of_a_removal_puts_the_mark_back(api: Api, root: Path) -> None:
    path = many(root, 1)[0]
    api.act(path, "lock", "unlock")

    undo(api)

    assert api.item(root, path)["status"] == {"locked": True, "trashed": False, "seen": True}


def test_several_steps_go_back_in_order(api: Api, root: Path) -> None:
    path = many(root, 1)[0]
    api.act(path, "seen", "lock", "unlock", "trash")

    undo(api, 2)
    assert api.item(root, path)["status"] == {"locked": True, "trashed": False, "seen": True}
    undo(api, 2)

    assert companions(root) == []


def test_a_batch_is_one_step(api: Api, root: Path) -> None:
    paths = many(root, 20)
    api.act(paths[3], "seen")
    before = companions(root)
    api.batch([str(path) for path in paths], "trash")

    undo(api)

    assert companions(root) == before
    assert api.summary(root)["trashed"] == 0


def test_an_action_that_was_refused_is_no_step(api: Api, root: Path) -> None:
    locked, path = many(root, 2)
    api.act(locked, "lock")
    api.act(path, "seen")
    assert api.action(locked, "trash").status_code == 409

    undo(api)

    assert companions(root) == ["frame0000.jpg.lock", "frame0000.jpg.seen"]


def test_an_emptied_file_stands_in_the_way(api: Api, root: Path) -> None:
    path = many(root, 1)[0]
    api.act(path, "trash")
    assert api.empty_trash(root)[-1]["deleted"] == 1

    error_of(api.send("POST", "/api/undo", {"steps": 1}), 409)

    assert companions(root) == []


@pytest.mark.parametrize(
    "body", [{"steps": 0}, {"steps": -1}, {"steps": "1"}, {"steps": True}, {"steps": 1.5}, [], "x"]
)
def test_undo_takes_a_number_of_steps(api: Api, body: object) -> None:
    error_of(api.send("POST", "/api/undo", body), 400)


def test_the_plan_says_what_would_go_and_what_would_stay(api: Api, root: Path) -> None:
    paths = many(root, 4)
    api.batch([str(path) for path in paths[:3]], "trash")
    api.act(paths[1], "lock")
    paths[2].write_bytes(b"changed since")

    plan = api.plan(root)

    size = paths[0].stat().st_size
    assert set(plan) == {"hash", "count", "bytes", "locked", "changed", "roots"}
    assert (plan["count"], plan["bytes"], plan["locked"], plan["changed"]) == (1, size, 1, 1)
    assert plan["roots"] == [{"path": str(root), "state": "online", "count": 1, "bytes": size}]
    assert paths[0].exists(), "a plan deletes nothing"
    assert api.empty_trash(root)[-1]["deleted"] == plan["count"]


def test_the_plan_of_everything_holds_every_root(api: Api, root: Path, outside: Path, remove_roots: list[Path]) -> None:
    api.add_root(outside)
    remove_roots.append(outside)
    for folder in (root, outside):
        api.act(many(folder, 1)[0], "trash")

    plan = api.ok(api.get("/api/trash/plan"))

    assert {str(root), str(outside)} <= {entry["path"] for entry in plan["roots"]}
    assert plan["count"] == sum(entry["count"] for entry in plan["roots"])
    assert plan["bytes"] == sum(entry["bytes"] for entry in plan["roots"])


def test_the_same_trash_has_the_same_hash_and_another_one_another(api: Api, root: Path) -> None:
    first, second = many(root, 2)
    api.act(first, "trash")
    before = api.plan(root)["hash"]

    assert api.plan(root)["hash"] == before
    api.act(second, "trash")
    assert api.plan(root)["hash"] != before
    api.act(second, "untrash")
    assert api.plan(root)["hash"] == before


def test_an_empty_trash_of_another_plan_is_412_and_deletes_nothing(api: Api, root: Path) -> None:
    first, second = many(root, 2)
    api.act(first, "trash")
    stale = api.plan(root)["hash"]
    api.act(second, "trash")

    error_of(api.send("POST", "/api/empty-trash", {"path": str(root)}, {"If-Match": stale}), 412)

    assert first.exists()
    assert second.exists()


@pytest.mark.parametrize("form", ["{}", '"{}"'])
def test_an_empty_trash_of_the_plan_seen_goes_ahead(api: Api, root: Path, form: str) -> None:
    path = many(root, 1)[0]
    api.act(path, "trash")

    events = api.empty_trash(root, **{"If-Match": form.format(api.plan(root)["hash"])})

    assert events[-1]["deleted"] == 1
    assert not path.exists()


def test_the_plan_is_of_a_known_path(api: Api, root: Path, outside: Path) -> None:
    error_of(api.get("/api/trash/plan", path=outside), 403)
    error_of(api.get("/api/trash/plan", path=root / "sub"), 403)
    error_of(api.get("/api/trash/plan", path="relative"), 400)
