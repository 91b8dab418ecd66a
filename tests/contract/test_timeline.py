"""GET /api/histogram, and the listing by date or of one folder, before the running stack."""

from __future__ import annotations

import os
import random
from collections import Counter
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from api import Api, error_of, eventually
from PIL import Image

FIRST = date(2026, 3, 30)
MARKS = ("all", "unseen", "seen", "locked", "trashed")
_EXIF, _TAKEN = 0x8769, 0x9003


def shot(path: Path, taken: datetime | None, modified: datetime | None = None) -> None:
    """A picture with the camera's time in it, or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    if taken is not None:
        exif.get_ifd(_EXIF)[_TAKEN] = taken.strftime("%Y:%m:%d %H:%M:%S")
    Image.new("RGB", (16, 12), "teal").save(path, "JPEG", exif=exif)
    if modified is not None:
        os.utime(path, (modified.timestamp(), modified.timestamp()))


def histogram(api: Api, path: Path, **parameters: Any) -> dict[str, Any]:
    answer = api.get("/api/histogram", path=path, **parameters)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def dated(api: Api, path: Path) -> None:
    eventually(lambda: histogram(api, path)["undated"]["all"], lambda left: left == 0, 60)


def test_days_are_those_of_the_camera_or_else_of_the_file(api: Api, root: Path) -> None:
    shot(root / "a/one.jpg", datetime(2026, 4, 12, 23, 59, 59), modified=datetime(2030, 1, 1))
    shot(root / "a/two.jpg", datetime(2026, 4, 13))
    shot(root / "three.jpg", None, modified=datetime(2025, 7, 1, 0, 30))
    (root / "a/notes.txt").write_text("no picture")
    dated(api, root)
    told = histogram(api, root)
    assert [(day["date"], day["all"]) for day in told["days"]] == [
        ("2025-07-01", 1), ("2026-04-12", 1), ("2026-04-13", 1)
    ]  # fmt: skip
    assert told["path"] == str(root)
    assert told["ignoredCount"] == 1
    assert api.stream(root, sort="date").names == ["three.jpg", "one.jpg", "two.jpg"]
    assert api.stream(root, dateFrom="2026-04-12", dateTo="2026-04-12").names == ["one.jpg"]
    assert api.stream(root, sort="date", dateTo="2026-04-12", after=str(root / "three.jpg")).names == ["one.jpg"]
    assert api.stream(root, folder=str(root / "a")).names == ["one.jpg", "two.jpg"]
    assert api.stream(root, folder=str(root), sort="date").names == ["three.jpg"]
    assert [day["date"] for day in histogram(api, root, recursive="false")["days"]] == ["2025-07-01"]


def test_counts_are_right_at_once_after_any_marks(api: Api, root: Path) -> None:
    chance = random.Random(4)
    taken: dict[Path, date] = {}
    for number in range(40):
        path = root / chance.choice(["", "a", "a/b", "c"]) / f"{number:03}.jpg"
        taken[path] = FIRST + timedelta(days=chance.randrange(5))
        shot(path, datetime.combine(taken[path], datetime.min.time()))
    dated(api, root)
    status: dict[Path, dict[str, bool]] = {path: dict.fromkeys(("locked", "trashed", "seen"), False) for path in taken}
    for _ in range(60):
        path = chance.choice(list(taken))
        answer = api.action(path, chance.choice(["lock", "unlock", "trash", "untrash", "seen", "unseen"]))
        if answer.status_code == 200:
            status[path] = answer.json()["status"]
        folder, status_filter = chance.choice([root, root / "a"]), chance.choice(MARKS)
        wanted = {mark: Counter[str]() for mark in MARKS}
        for one, marks in status.items():
            if one.is_relative_to(folder):
                for mark in MARKS:
                    holds = {"all": True, "unseen": not marks["seen"], **marks}[mark]
                    wanted[mark][taken[one].isoformat()] += holds
        told = histogram(api, folder, filter=status_filter)["days"]
        assert [day["date"] for day in told] == sorted(day for day, n in wanted[status_filter].items() if n)
        assert all(day[mark] == wanted[mark][day["date"]] for day in told for mark in MARKS)


def test_the_next_folder_has_what_is_asked_for(api: Api, root: Path) -> None:
    for folder, count in (("a", 1), ("b", 2), ("b/c", 3)):
        for number in range(count):
            shot(root / folder / f"{number}.jpg", None)
    eventually(lambda: api.summary(root)["all"], lambda found: found == 6, 60)
    assert histogram(api, root / "a", filter="unseen")["nextFolder"] == {"path": str(root / "b"), "count": 2}
    assert histogram(api, root / "b/c", filter="unseen")["nextFolder"] == {"path": str(root / "a"), "count": 1}
    assert histogram(api, root, filter="locked")["nextFolder"] is None
    api.act(root / "b/1.jpg", "lock")
    assert histogram(api, root, filter="locked")["nextFolder"] == {"path": str(root / "b"), "count": 1}


@pytest.mark.parametrize(
    "parameters",
    [
        {"dateFrom": "2026-02-30"},
        {"dateTo": "today"},
        {"sort": "size"},
        {"sort": "name", "dateFrom": "2026-02-01"},
        {"folder": ""},
        {"folder": "/elsewhere"},
        {"sort": "date", "after": "gone.jpg"},
    ],
)
def test_a_listing_that_is_asked_for_wrongly_is_refused(api: Api, root: Path, parameters: dict[str, str]) -> None:
    if "after" in parameters:
        parameters = {**parameters, "after": str(root / parameters["after"])}
    error_of(api.get("/api/media-items/stream", path=root, **parameters), 400)


def test_a_histogram_that_is_asked_for_wrongly_is_refused(api: Api, root: Path, outside: Path) -> None:
    error_of(api.get("/api/histogram"), 400)
    error_of(api.get("/api/histogram", path=root, filter="new"), 400)
    error_of(api.get("/api/histogram", path=root, recursive="maybe"), 400)
    error_of(api.get("/api/histogram", path=outside), 403)
    assert histogram(api, root / "none")["days"] == []
