"""GET /api/jobs, POST /api/jobs/dead/retry, GET /api/events."""

from __future__ import annotations

from pathlib import Path

import pytest
from api import Api, Json, error_of, eventually, next_event
from media import corrupt, many, picture


def test_jobs_show_every_queue_and_the_encoder(api: Api) -> None:
    body = api.jobs()

    assert set(body) == {"idle", "queues", "encoder"}
    assert type(body["idle"]) is bool
    assert set(body["queues"]) == {"index", "thumbnail", "embed"}
    for queue in body["queues"].values():
        assert {"pending", "running", "done", "dead"} <= set(queue)
        assert all(queue[key] >= 0 for key in ("pending", "running", "done", "dead"))
    assert {"name", "model", "dimensions", "state"} <= set(body["encoder"])
    assert body["encoder"]["state"] in ("off", "loading", "ready", "unavailable")


def test_jobs_are_not_idle_from_the_moment_a_root_is_added_until_its_work_is_done(
    api: Api, tmp_path: Path, remove_roots: list[Path]
) -> None:
    api.wait_idle()
    before = api.jobs()["queues"]["thumbnail"]["done"]
    many(tmp_path / "rev", 60)
    remove_roots.append(tmp_path / "rev")

    api.add_root(tmp_path / "rev")
    assert not api.jobs()["idle"]
    after = api.wait_idle()

    assert after["queues"]["thumbnail"]["done"] >= before + 60
    assert len(list((tmp_path / "rev" / ".thumbnails" / "large").glob("*.png"))) == 60


def test_a_file_that_cannot_be_drawn_is_parked_and_can_be_tried_again(api: Api, root: Path) -> None:
    path = root / "broken.jpg"
    corrupt(path)
    api.stream(root)

    def is_parked(jobs: Json) -> bool:
        parked = jobs["queues"]["thumbnail"]["deadJobs"]
        reasons = [job["reason"] for job in parked if job["path"] == str(path)]
        return bool(jobs["idle"] and reasons and reasons[0])

    eventually(api.jobs, is_parked)
    assert api.send("POST", "/api/jobs/dead/retry").json()["retried"] >= 1
    eventually(api.jobs, is_parked)
    picture(path)
    assert api.send("POST", "/api/jobs/dead/retry").status_code == 200

    eventually(api.jobs, lambda jobs: jobs["idle"] and not is_parked(jobs))
    assert list((root / ".thumbnails" / "large").glob("*.png"))


def test_an_action_is_an_event(api: Api, root: Path) -> None:
    path = many(root, 1)[0]
    other = Api(api.url)

    with other.events() as events:
        api.act(path, "trash")
        event = next_event(events, "state", path)

    other.close()
    assert event["data"] == {"path": str(path), "status": {"locked": False, "trashed": True, "seen": True}}
    assert event["id"]


def test_events_resume_behind_the_last_one_had(api: Api, root: Path) -> None:
    paths = many(root, 4)
    other = Api(api.url)
    with other.events() as events:
        api.act(paths[0], "seen")
        first = next_event(events, "state", paths[0])
    for path in paths[1:]:
        api.act(path, "seen")

    got: list[Json] = []
    with other.events(last_event_id=first["id"]) as events:
        for path in paths[1:]:
            got.append(next_event(events, "state", path))
    other.close()

    assert [event["data"]["path"] for event in got] == [str(path) for path in paths[1:]]
    ids = [first["id"], *(event["id"] for event in got)]
    assert len(set(ids)) == 4


@pytest.mark.parametrize("last", ["abc", "", "-1", "99999999999999999999", "1.5"])
def test_an_id_that_is_none_is_no_failure(api: Api, last: str) -> None:
    answer_code = None
    with api.client.stream("GET", "/api/events", headers={"Last-Event-ID": last}) as answer:
        answer_code = answer.status_code

    assert answer_code in (200, 400)


def test_a_new_root_and_its_scan_are_events(api: Api, tmp_path: Path, remove_roots: list[Path]) -> None:
    many(tmp_path / "rev", 5)
    remove_roots.append(tmp_path / "rev")
    other = Api(api.url)

    with other.events() as events:
        api.add_root(tmp_path / "rev")
        seen = [next_event(events, "root", tmp_path / "rev")]
        scan = next_event(events, "scan", tmp_path / "rev")
        while not scan["data"]["done"]:
            scan = next_event(events, "scan", tmp_path / "rev")

    other.close()
    assert seen[0]["data"] == {"path": str(tmp_path / "rev"), "state": "online"}
    assert scan["data"] == {"path": str(tmp_path / "rev"), "found": 5, "done": True}


def test_an_empty_trash_is_told_in_events(api: Api, root: Path) -> None:
    path = many(root, 1)[0]
    api.act(path, "trash")
    other = Api(api.url)

    with other.events() as events:
        api.empty_trash(root)
        told = [next_event(events, "trash")["data"]]
        while told[-1]["type"] != "done":
            told.append(next_event(events, "trash")["data"])

    other.close()
    assert [event["type"] for event in told] == ["deleting", "deleted", "folder_done", "done"]
    assert told[1]["path"] == str(path)


def test_the_queues_are_told_in_events(api: Api, root: Path) -> None:
    other = Api(api.url)
    with other.events() as events:
        many(root, 5)
        api.stream(root)
        data = next_event(events, "queue")["data"]
    other.close()

    assert {"idle", "queues"} <= set(data)


def test_a_wrong_method_is_refused(api: Api) -> None:
    error_of(api.get("/api/undo"), 405)
    error_of(api.get("/api/jobs/dead/retry"), 405)
