"""`/api/stacks`: what is found in real pictures, keeping the best in one step, and what people said of stacks."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import scenes
from api import Api, error_of, eventually, text

pytestmark = pytest.mark.timeout(180)


def scanned(api: Api, root: Path, count: int) -> None:
    eventually(lambda: len(api.stream(root, limit=1000).items), lambda listed: listed == count, 60)


def of(api: Api, *paths: Path) -> list[dict[str, Any]]:
    """The stacks that these files are in, when all is known."""

    def ask() -> dict[str, Any]:
        return api.ok(api.send("POST", "/api/stacks/of", {"paths": [text(path) for path in paths]}))

    found = eventually(ask, lambda told: told["pending"] == 0, 90)
    return list(found["stacks"])


def below(api: Api, path: Path, **parameters: Any) -> dict[str, Any]:
    def ask() -> dict[str, Any]:
        return dict(api.ok(api.get("/api/stacks", path=path, **parameters)))

    return eventually(ask, lambda told: told["pending"] == 0, 90)


def members(stack: dict[str, Any]) -> list[str]:
    return [one["name"] for one in stack["members"]]


def decide(api: Api, decision: str, *paths: Path) -> None:
    body = {"paths": [text(path) for path in paths], "decision": decision}
    assert api.ok(api.send("POST", "/api/stacks/decisions", body)) == {"decision": decision}


def keep_best(api: Api, best: Path, *rest: Path) -> dict[str, Any]:
    body = {"best": text(best), "rest": [text(path) for path in rest]}
    return dict(api.ok(api.send("POST", "/api/stacks/keep-best", body)))


def statuses(api: Api, root: Path) -> dict[str, str]:
    """The marks of each file by name, as letters."""
    items = api.stream(root, limit=1000).items
    return {one["name"]: "".join(mark[0] for mark, is_on in one["status"].items() if is_on) for one in items}


def test_bursts_are_found_and_what_only_looks_like_one_is_left_alone(api: Api, root: Path) -> None:
    burst = scenes.burst(root / "a")
    others = [
        *scenes.bracket(root / "a", begin_s=60),
        *scenes.sweep(root / "a", begin_s=120),
        scenes.save(scenes.take(scenes.scene(50)), root / "a" / "one.jpg", 200),
        scenes.save(scenes.take(scenes.scene(51)), root / "a" / "two.jpg", 201),
    ]
    scanned(api, root, len(burst) + len(others))

    (stack,) = of(api, *burst, *others)

    assert members(stack) == [path.name for path in burst]
    assert stack["suggested"] == text(burst[2])
    assert stack["folder"] == text(root / "a")
    assert stack["decision"] is None
    assert stack["members"][2]["reasons"] == ["Sharpest of 4"]
    assert (stack["members"][2]["width"], stack["members"][2]["height"]) == scenes.SIZE
    assert stack["members"][2]["takenAt"] == "2026-04-12T10:00:01.000000+00:00"
    assert all(one["reasons"][0] in ("Blurred", "Softer") for one in stack["members"] if one["name"] != burst[2].name)
    assert of(api, others[0], others[5]) == []


def test_neither_folder_nor_camera_nor_time_is_crossed(api: Api, root: Path) -> None:
    picture = scenes.take(scenes.scene(8))
    paths = [
        scenes.save(picture, root / "a" / "x.jpg", 0),
        scenes.save(picture, root / "b" / "x.jpg", 0),
        scenes.save(picture, root / "a" / "y.jpg", 0, ("Example", "Two")),
        scenes.save(picture, root / "a" / "z.jpg", 4),
        scenes.save(picture, root / "a" / "w.png", 0),
    ]
    scanned(api, root, len(paths))
    assert of(api, *paths) == []


def test_a_list_has_every_stack_once_whatever_the_size_of_its_pages(api: Api, root: Path) -> None:
    view = scenes.scene(1)
    picture, again = scenes.take(view), scenes.take(view, noise_seed=1)
    count = 0
    for folder in ("a", "a/b", "a-c", "d"):
        for number in range(2):
            for at, taken in enumerate((picture, again)):
                scenes.save(taken, root / folder / f"s{number}{at}.jpg", 60 * number + at)
                count += 1
    scanned(api, root, count)
    whole = below(api, root)
    keys = [(stack["folder"], members(stack)[0]) for stack in whole["stacks"]]
    assert [(folder, name) for folder in ("a", "a-c", "a/b", "d") for name in ("s00.jpg", "s10.jpg")] == [
        (os.path.relpath(folder, root), name) for folder, name in keys
    ]
    for limit in (1, 3):
        paged: list[dict[str, Any]] = []
        after: dict[str, str] = {}
        while True:
            page = below(api, root, limit=limit, **after)
            assert len(page["stacks"]) <= limit
            paged += page["stacks"]
            if page["next"] is None:
                break
            after = {"after": page["next"]}
        assert paged == whole["stacks"]
    assert below(api, root / "a")["stacks"] == [one for one in whole["stacks"] if "/a/" in one["suggested"]]


def test_stacks_behind_many_folders_without_any_are_found(api: Api, root: Path) -> None:
    taken = scenes.take(scenes.scene(1))
    count = 0
    for number in range(203):
        folder = root / f"day{number:03}"
        folder.mkdir()
        count += 1
        scenes.save(taken.resize((16, 12)), folder / "one.jpg", 0)
    for at, name in enumerate(("one.jpg", "two.jpg")):
        scenes.save(scenes.take(scenes.scene(1), noise_seed=at), root / "last" / name, at)
    scanned(api, root, count + 2)

    found: list[dict[str, Any]] = []
    after: dict[str, str] = {}
    while True:
        page = below(api, root, **after)
        found += page["stacks"]
        if page["next"] is None:
            break
        assert after.get("after", "") < page["next"]
        after = {"after": page["next"]}
    assert [(os.path.basename(one["folder"]), members(one)) for one in found] == [("last", ["one.jpg", "two.jpg"])]


def test_keep_best_is_one_step_and_one_undo_brings_all_back(api: Api, root: Path) -> None:
    burst = scenes.burst(root)
    scanned(api, root, 4)
    api.act(burst[0], "seen")
    before = statuses(api, root)

    done = keep_best(api, burst[2], burst[0], burst[1], burst[3])

    assert done["changed"]
    assert [one["path"] for one in done["results"]] == [text(burst[at]) for at in (2, 0, 1, 3)]
    assert statuses(api, root) == dict(zip((path.name for path in burst), ("ts", "ts", "ls", "ts"), strict=True))
    assert [one["status"]["trashed"] for one in of(api, burst[0])[0]["members"]] == [True, True, False, True]
    newest = api.ok(api.get("/api/history", limit=1))["entries"][0]
    assert (newest["kind"], newest["files"]) == ("keep_best", 4)
    api.ok(api.send("POST", "/api/undo", {"steps": 1}))
    assert statuses(api, root) == before


def test_keep_best_leaves_a_locked_one_and_says_so_and_takes_the_best_out_of_the_trash(api: Api, root: Path) -> None:
    burst = scenes.burst(root)
    scanned(api, root, 4)
    api.act(burst[1], "lock")
    api.act(burst[2], "trash")
    burst[3].unlink()

    done = keep_best(api, burst[2], burst[0], burst[1], burst[3])

    assert [one["code"] for one in done["results"]] == [None, None, "item_locked", "path_missing"]
    assert done["results"][2]["error"] == "The file is locked; unlock it first."
    assert statuses(api, root) == {"burst00.jpg": "ts", "burst01.jpg": "ls", "burst02.jpg": "ls"}
    api.ok(api.send("POST", "/api/undo", {"steps": 1}))
    assert statuses(api, root) == {"burst00.jpg": "", "burst01.jpg": "ls", "burst02.jpg": "ts"}


def test_a_best_that_is_gone_trashes_nothing(api: Api, root: Path) -> None:
    burst = scenes.burst(root)
    scanned(api, root, 4)
    burst[2].unlink()
    body = {"best": text(burst[2]), "rest": [text(burst[0]), text(burst[1])]}
    assert error_of(api.send("POST", "/api/stacks/keep-best", body), 400)
    assert set(statuses(api, root).values()) == {""}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"best": "/x.jpg"},
        {"best": "/x.jpg", "rest": []},
        {"best": "/x.jpg", "rest": [1]},
        {"best": "/x.jpg", "rest": "/y.jpg"},
        {"best": 3, "rest": ["/y.jpg"]},
        {"best": "ROOT/x.jpg", "rest": ["ROOT/y.jpg", "ROOT/x.jpg"]},
        {"best": "ROOT/x.jpg", "rest": ["ROOT/X.JPG"]},
    ],
)
def test_a_keep_best_that_makes_no_sense_is_refused(api: Api, root: Path, body: dict[str, Any]) -> None:
    scenes.burst(root, count=2, sharp=0)
    filled = {
        name: value.replace("ROOT", text(root))
        if isinstance(value, str)
        else [one.replace("ROOT", text(root)) if isinstance(one, str) else one for one in value]
        if isinstance(value, list)
        else value
        for name, value in body.items()
    }
    assert error_of(api.send("POST", "/api/stacks/keep-best", filled), 400)


def test_what_was_said_of_a_stack_is_remembered_until_it_is_another_one(api: Api, root: Path) -> None:
    burst = scenes.burst(root)
    scanned(api, root, 4)
    assert len(of(api, *burst)) == 1

    decide(api, "done", *burst)
    (stack,) = of(api, burst[0])
    assert stack["decision"] == "done"
    assert below(api, root)["stacks"] == []
    assert below(api, root, decided="true")["stacks"] == [stack]
    decide(api, "not_a_stack", *burst)
    assert of(api, *burst) == []
    burst[3].unlink()
    scanned(api, root, 3)
    assert of(api, *burst[:3]) == []

    shutil.copy2(burst[0], root / "again.jpg")
    scanned(api, root, 4)
    (stack,) = of(api, *burst[:3])
    assert members(stack) == ["again.jpg", "burst00.jpg", "burst01.jpg", "burst02.jpg"]
    (root / "again.jpg").unlink()
    scanned(api, root, 3)
    assert of(api, *burst[:3]) == []
    decide(api, "none", *burst[:3])
    assert len(of(api, *burst[:3])) == 1


def test_decisions_are_of_files_that_are_there_and_of_one_folder(api: Api, root: Path, outside: Path) -> None:
    burst = scenes.burst(root / "a", count=2, sharp=0)
    other = scenes.save(scenes.take(scenes.scene(3)), root / "b" / "x.jpg")
    scanned(api, root, 3)
    for paths, status in (
        ([burst[0]], 400),
        ([burst[0], burst[0]], 400),
        ([burst[0], other], 400),
        ([burst[0], root / "a" / "no.jpg"], 400),
        ([burst[0], outside / "x.jpg"], 403),
    ):
        body = {"paths": [text(path) for path in paths], "decision": "done"}
        assert error_of(api.send("POST", "/api/stacks/decisions", body), status)
    assert error_of(api.send("POST", "/api/stacks/decisions", {"paths": [], "decision": "perhaps"}), 400)


def test_a_file_that_is_written_again_is_looked_at_again(api: Api, root: Path) -> None:
    burst = scenes.burst(root)
    scanned(api, root, 4)
    assert of(api, *burst)[0]["suggested"] == text(burst[2])
    blurred = scenes.take(scenes.scene(1), blur=9)
    scenes.save(blurred, burst[2], 1.2)
    eventually(
        lambda: (scanned(api, root, 4), of(api, *burst)[0]["suggested"])[1], lambda best: best != text(burst[2]), 60
    )


def test_what_cannot_be_read_is_in_no_stack_and_keeps_nobody_waiting(api: Api, root: Path) -> None:
    burst = scenes.burst(root, count=3, sharp=1)
    data = burst[0].read_bytes()
    (root / "broken.jpg").write_bytes(data[: len(data) // 3])
    os.utime(root / "broken.jpg", (burst[0].stat().st_mtime,) * 2)
    scanned(api, root, 4)
    (stack,) = of(api, *burst, root / "broken.jpg")
    assert members(stack) == [path.name for path in burst]


def test_a_path_that_is_none_is_in_no_stack(api: Api, root: Path, outside: Path) -> None:
    assert of(api, root / "nothing.jpg", outside / "x.jpg", Path("relative.jpg")) == []
    assert error_of(api.send("POST", "/api/stacks/of", {"paths": []}), 400)
    assert error_of(api.get("/api/stacks", path=outside), 403)
    assert error_of(api.get("/api/stacks", path=root, after=text(outside / "x.jpg")), 400)
