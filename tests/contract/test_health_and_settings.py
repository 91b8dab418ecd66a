"""GET /api/health, GET and PATCH /api/settings, GET /api/logs."""

from __future__ import annotations

from pathlib import Path

import pytest
from api import Api, error_of
from media import picture
from stack import Stack


def test_health_answers_the_documented_payload(api: Api, stack: Stack) -> None:
    body = api.ok(api.get("/api/health"))

    assert set(body) == {"status", "service", "settings", "deletionQueue"}
    assert body["status"] == "ok"
    assert body["service"] == "mediareviewer-api"
    settings = body["settings"]
    assert set(settings) == {"stateDirectory", "hiddenPickerPaths", "deletionWorkers", "videoPreloadMb"}
    assert settings["stateDirectory"] == str(stack.state_dir)
    assert {"/proc", "/sys"} <= set(settings["hiddenPickerPaths"])
    assert settings["deletionWorkers"] == 2
    assert isinstance(settings["videoPreloadMb"], int)
    queue = body["deletionQueue"]
    assert set(queue) == {"max_workers", "active_jobs", "submitted_jobs", "completed_jobs", "failed_jobs"}
    assert queue["max_workers"] == 2
    assert all(type(count) is int for count in queue.values())


def test_the_deletion_queue_counts_what_an_empty_trash_did(api: Api, root: Path) -> None:
    picture(root / "a.jpg")
    api.act(root / "a.jpg", "trash")
    before = api.ok(api.get("/api/health"))["deletionQueue"]

    api.empty_trash(root)

    after = api.ok(api.get("/api/health"))["deletionQueue"]
    assert after["submitted_jobs"] > before["submitted_jobs"]
    assert after["completed_jobs"] > before["completed_jobs"]
    assert after["failed_jobs"] == before["failed_jobs"]
    assert after["active_jobs"] == 0


def test_settings_show_how_much_of_a_video_is_loaded_ahead(api: Api) -> None:
    body = api.ok(api.get("/api/settings"))

    assert set(body) == {"videoPreloadMb"}
    assert type(body["videoPreloadMb"]) is int


@pytest.mark.parametrize("value", [1, 75, 10_000])
def test_a_changed_setting_is_answered_kept_and_written_to_the_config_file(api: Api, stack: Stack, value: int) -> None:
    answer = api.send("PATCH", "/api/settings", {"videoPreloadMb": value})

    assert api.ok(answer) == {"videoPreloadMb": value}
    assert api.ok(api.get("/api/settings")) == {"videoPreloadMb": value}
    assert api.ok(api.get("/api/health"))["settings"]["videoPreloadMb"] == value
    assert f"video_preload_mb: {value}\n" in (stack.state_dir / "config.yaml").read_text()


@pytest.mark.parametrize("value", [0, -1, 10_001, True, False, None, "50", 50.5, [50], {"mb": 50}])
def test_a_setting_that_is_no_integer_in_range_is_refused(api: Api, value: object) -> None:
    before = api.ok(api.get("/api/settings"))

    error_of(api.send("PATCH", "/api/settings", {"videoPreloadMb": value}), 422)

    assert api.ok(api.get("/api/settings")) == before


@pytest.mark.parametrize("body", [{}, [], [1], "50", 50, True])
def test_settings_that_are_no_object_or_an_empty_one_are_refused(api: Api, body: object) -> None:
    error_of(api.send("PATCH", "/api/settings", body), 400)


def test_unknown_settings_are_ignored(api: Api) -> None:
    answer = api.send("PATCH", "/api/settings", {"videoPreloadMb": 60, "theme": "dark"})

    assert api.ok(answer) == {"videoPreloadMb": 60}


@pytest.mark.parametrize("lines", [-5, 0, 1, 200, 2000, 100_000])
def test_logs_give_at_most_the_lines_asked_for_within_their_bounds(api: Api, lines: int) -> None:
    body = api.ok(api.get("/api/logs", lines=lines))

    assert set(body) == {"lines", "logFile", "available"}
    assert len(body["lines"]) <= min(max(lines, 1), 2000)
    assert all(isinstance(line, str) for line in body["lines"])
    assert body["available"] is True
    assert Path(body["logFile"]).is_file()


def test_logs_give_200_lines_when_nothing_is_asked(api: Api) -> None:
    assert 0 < len(api.ok(api.get("/api/logs"))["lines"]) <= 200


@pytest.mark.parametrize("lines", ["abc", "", "1.0", "1_0", "\u0661"])
def test_logs_refuse_a_malformed_number(api: Api, lines: str) -> None:
    error_of(api.get("/api/logs", lines=lines), 400)
