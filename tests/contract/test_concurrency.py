"""32 clients at once: no action, no root and no setting is lost, and whoever is told "done" is right."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from api import Api, Json
from media import many
from stack import Stack

CLIENTS = 32
T = TypeVar("T")


def at_once(api: Api, jobs: list[Callable[[Api], T]]) -> list[T]:
    """Run every job with a connection of its own, 32 at a time."""

    def run(job: Callable[[Api], T]) -> T:
        own = Api(api.url)
        try:
            return job(own)
        finally:
            own.close()

    with ThreadPoolExecutor(CLIENTS) as pool:
        return list(pool.map(run, jobs))


def test_roots_added_at_once_are_all_kept(api: Api, tmp_path: Path, stack: Stack, remove_roots: list[Path]) -> None:
    roots = [tmp_path / f"root{number:02}" for number in range(CLIENTS)]
    for path in roots:
        path.mkdir()
    remove_roots += roots

    at_once(api, [lambda own, path=path: own.add_root(path) for path in roots])  # type: ignore[misc]

    assert {str(path) for path in roots} <= set(api.known_paths())
    written = (stack.state_dir / "config.yaml").read_text()
    assert all(str(path) in written for path in roots)


def test_roots_and_settings_changed_at_once_do_not_undo_each_other(
    api: Api, tmp_path: Path, remove_roots: list[Path]
) -> None:
    roots = [tmp_path / f"root{number:02}" for number in range(16)]
    for path in roots:
        path.mkdir()
    remove_roots += roots
    values = list(range(100, 116))

    def patch(own: Api, value: int) -> Json:
        return own.ok(own.send("PATCH", "/api/settings", {"videoPreloadMb": value}))

    jobs: list[Callable[[Api], Json]] = []
    for path, value in zip(roots, values, strict=True):
        jobs.append(lambda own, path=path: own.add_root(path))  # type: ignore[misc]
        jobs.append(lambda own, value=value: patch(own, value))  # type: ignore[misc]
    at_once(api, jobs)

    assert {str(path) for path in roots} <= set(api.known_paths())
    assert api.ok(api.get("/api/settings"))["videoPreloadMb"] in values


def test_actions_on_different_files_are_all_kept(api: Api, root: Path) -> None:
    paths = many(root, CLIENTS * 4)

    def work(own: Api, mine: list[Path], seed: int) -> dict[str, Json]:
        chooser = random.Random(seed)
        last = {}
        for _ in range(25):
            path = chooser.choice(mine)
            answer = own.action(path, chooser.choice(["lock", "unlock", "trash", "untrash", "seen", "unseen"]))
            assert answer.status_code in (200, 409), answer.text
            if answer.status_code == 200:
                last[str(path)] = answer.json()["status"]
        return last

    shares = [paths[number::CLIENTS] for number in range(CLIENTS)]
    told = at_once(
        api,
        [lambda own, mine=mine, seed=seed: work(own, mine, seed) for seed, mine in enumerate(shares)],  # type: ignore[misc]
    )

    status = {item["path"]: item["status"] for item in api.stream(root, limit=1000).items}
    for last in told:
        assert last
        for path, expected in last.items():
            assert status[path] == expected
            for mark, key in (("lock", "locked"), ("trash", "trashed"), ("seen", "seen")):
                assert Path(f"{path}.{mark}").exists() is expected[key]
    counts = api.summary(root)
    assert counts["all"] == len(paths)
    assert counts["locked"] == sum(item["locked"] for item in status.values())
    assert counts["trashed"] == sum(item["trashed"] for item in status.values())
    assert counts["seen"] == sum(item["seen"] for item in status.values())


def test_all_clients_on_one_file_leave_one_consistent_state(api: Api, root: Path) -> None:
    path = many(root, 1)[0]
    actions = ["lock", "unlock", "trash", "untrash", "seen", "unseen"]

    answers = at_once(
        api,
        [lambda own, number=number: own.action(path, actions[number % 6]) for number in range(96)],  # type: ignore[misc]
    )

    assert {answer.status_code for answer in answers} <= {200, 409}
    status = api.item(root, path)["status"]
    for mark, key in (("lock", "locked"), ("trash", "trashed"), ("seen", "seen")):
        assert Path(f"{path}.{mark}").exists() is status[key]


def test_a_rescue_that_was_told_done_is_done_whatever_the_empty_trash_does(api: Api, root: Path) -> None:
    paths = many(root, 320)
    results = api.batch([str(path) for path in paths], "trash").json()["results"]
    assert all(result["error"] is None for result in results)

    def rescue(own: Api, mine: list[Path]) -> list[tuple[Path, int]]:
        return [(path, own.action(path, "untrash").status_code) for path in mine]

    def empty(own: Api) -> list[tuple[Path, int]]:
        own.empty_trash(root)
        return []

    jobs: list[Callable[[Api], list[tuple[Path, int]]]] = [
        lambda own, mine=paths[number::8]: rescue(own, mine)  # type: ignore[misc]
        for number in range(8)
    ]
    told = [pair for pairs in at_once(api, [*jobs, empty, empty]) for pair in pairs]

    for path, code in told:
        assert code in (200, 400)
        assert path.exists() is (code == 200), f"{path.name} was told {code}"
    assert api.summary(root)["all"] == sum(code == 200 for _, code in told)
    assert api.summary(root)["trashed"] == 0


def test_locks_set_during_an_empty_trash_protect(api: Api, root: Path) -> None:
    paths = many(root, 320)
    api.batch([str(path) for path in paths], "trash")

    def lock(own: Api, mine: list[Path]) -> list[tuple[Path, int]]:
        return [(path, own.action(path, "lock").status_code) for path in mine]

    def empty(own: Api) -> list[tuple[Path, int]]:
        own.empty_trash(root)
        return []

    jobs: list[Callable[[Api], list[tuple[Path, int]]]] = [
        lambda own, mine=paths[::-1][number::8]: lock(own, mine)  # type: ignore[misc]
        for number in range(8)
    ]
    told = [pair for pairs in at_once(api, [empty, *jobs]) for pair in pairs]

    for path, code in told:
        assert path.exists() is (code == 200), f"{path.name} was told {code}"


def test_pages_read_while_files_come_and_go_are_never_a_failure(api: Api, root: Path) -> None:
    many(root / "stays", 100)

    def change(own: Api, number: int) -> None:
        for turn in range(10):
            for path in many(root / f"turn{number}", 5, f"x{turn}-{{}}.jpg"):
                own.action(path, "seen")
                path.unlink()

    def read(own: Api) -> None:
        for _ in range(10):
            page = own.stream(root, limit=10_000)
            assert sum("stays" in path for path in page.paths) == 100
            assert len(set(page.paths)) == len(page.paths)
            own.summary(root)

    jobs: list[Callable[[Api], None]] = [
        lambda own, number=number: change(own, number)  # type: ignore[misc]
        for number in range(8)
    ]
    at_once(api, [*jobs, *[read] * 8])
