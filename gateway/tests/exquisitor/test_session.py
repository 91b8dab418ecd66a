"""What a session asks at its start and tells on the way, and who may call from a browser."""

from __future__ import annotations

import asyncio
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from exquisitor_world import SESSION, SLUG
from gateway.audit import AuditLog
from gateway.errors import Failure

ORIGIN = "https://photos.example"


async def test_a_session_begins_with_the_collections(exq: httpx.AsyncClient) -> None:
    assert (await exq.get("/exq/init/abc123")).json() == {"session": "abc123", "collections": [SLUG]}


async def test_the_documented_shape_counts_the_items_of_each(exq: httpx.AsyncClient) -> None:
    answer = await exq.get("/exq/init/abc123", params={"shape": "docs"})

    assert answer.json() == {"session": "abc123", "collections": [{"name": SLUG, "total_items": 9}]}


@pytest.mark.parametrize("body", [SESSION, {"session_info": SESSION}])
async def test_total_items_is_told_by_both_names(exq: httpx.AsyncClient, body: dict[str, Any]) -> None:
    assert (await exq.post("/exq/info/totalItems", json=body)).json() == {"total_items": 9, "total": 9}


async def test_filters_are_the_tagsets_by_id(exq: httpx.AsyncClient) -> None:
    shown = [(1, "Scene", 1, "alphanumerical"), (3, "Year", 5, "numerical_int"), (5, "Topic", 1, "alphanumerical"),
             (6, "Score", 6, "numerical_dec"), (9, "Empty", 1, "alphanumerical")]  # fmt: skip
    bare = await exq.get(f"/exq/info/filters/abc123/{SLUG}")
    documented = await exq.get(f"/exq/info/filters/abc123/{SLUG}?shape=docs")

    names = ("id", "name", "tagtypeId", "tagtype")
    assert bare.json() == [dict(zip(names, one, strict=True)) for one in shown]
    names = ("id", "name", "tagtype_id", "tagtype")
    assert documented.json() == {"filters": [dict(zip(names, one, strict=True)) for one in shown]}


async def test_the_values_of_a_filter_keep_their_types(exq: httpx.AsyncClient) -> None:
    base = f"/exq/info/filters/values/abc123/{SLUG}"

    assert (await exq.get(f"{base}/5/3")).json() == [{"id": 1, "value": 2024}]
    assert (await exq.get(f"{base}/6/6?shape=docs")).json() == {
        "values": [{"id": 1, "value": 0.5}, {"id": 2, "value": 2.0}]
    }


@pytest.mark.parametrize(
    ("place", "status"),
    [
        (f"{SLUG}/1/3", 200),
        (f"{SLUG}/7/12345", 200),
        (f"{SLUG}/0/1", 404),
        (f"{SLUG}/8/1", 404),
        (f"{SLUG}/-1/1", 404),
        ("nobody/1/1", 404),
        (f"{SLUG}/x/1", 422),
        (f"{SLUG}/1/1.0", 422),
        (f"{SLUG}/1/{10**20}", 400),
    ],
)
async def test_a_filter_of_another_type_is_empty_and_an_unknown_type_404(
    exq: httpx.AsyncClient, place: str, status: int
) -> None:
    answer = await exq.get(f"/exq/info/filters/values/abc123/{place}")

    assert answer.status_code == status, answer.text
    if status == 200:
        assert answer.json() == []


@pytest.mark.parametrize("address", ["/dres/evaluation_list/", "/dres/evaluation_list"])
async def test_there_are_no_evaluations(exq: httpx.AsyncClient, address: str) -> None:
    answer = await exq.get(address)

    assert (answer.status_code, answer.json()) == (200, [])


# --- the audit log ---
def logged(folder: Path) -> list[dict[str, Any]]:
    file = folder / "state/logs/exquisitor-events.ndjson"
    return [json.loads(line) for line in file.read_text().splitlines()]


async def test_models_and_events_are_logged_with_the_time_they_came(exq: httpx.AsyncClient, tmp_path: Path) -> None:
    event = {"ts": 1763735838123, "action": "click", "session": "abc123", "more": {"x": "\ud800"}}
    for address, body in (
        ("addModel", SESSION),
        ("removeModel", {"session_info": SESSION}),
        ("clientEvent", [event]),
        ("clientEvent", {"events": [event, event], "session_info": SESSION}),
        ("clientEvent", []),
    ):
        answer = await exq.post(
            f"/exq/log/{address}", content=json.dumps(body), headers={"Content-Type": "application/json"}
        )
        assert (answer.status_code, answer.json()) == (200, {"status": "Logged successfully"})

    lines = logged(tmp_path)
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("received")) for line in lines)
    assert lines == [
        {"kind": "addModel", **SESSION},
        {"kind": "removeModel", **SESSION},
        {"kind": "clientEvent", "event": event},
        {"kind": "clientEvent", **SESSION, "event": event},
        {"kind": "clientEvent", **SESSION, "event": event},
    ]


@pytest.mark.parametrize(
    ("address", "body"),
    [
        ("addModel", {}),
        ("removeModel", {"session": "a", "collection": "b"}),
        ("clientEvent", {"events": []}),
        ("clientEvent", {"session_info": SESSION}),
        ("clientEvent", "click"),
        ("clientEvent", [1]),
        ("clientEvent", [{"ts": 1}]),
        ("clientEvent", [{"ts": 1, "action": 2}]),
    ],
)
async def test_what_is_no_event_is_422_and_not_logged(
    exq: httpx.AsyncClient, tmp_path: Path, address: str, body: Any
) -> None:
    assert (await exq.post(f"/exq/log/{address}", json=body)).status_code == 422
    assert not (tmp_path / "state/logs/exquisitor-events.ndjson").exists()


@pytest.mark.parametrize(
    ("levels", "status"), [(190, 200), (197, 200), (200, 422), (400, 422), (900, 422), (5000, 422)]
)
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a": ', "}")])
async def test_an_event_that_is_nested_too_deeply_is_422_and_any_other_is_logged(
    exq: httpx.AsyncClient, tmp_path: Path, levels: int, status: int, opening: str, closing: str
) -> None:
    more = f"{opening * levels}1{closing * levels}"
    answer = await exq.post(
        "/exq/log/clientEvent",
        content=f'[{{"action": "click", "more": {more}}}]',
        headers={"Content-Type": "application/json"},
    )

    assert answer.status_code == status, answer.text
    assert (tmp_path / "state/logs/exquisitor-events.ndjson").exists() is (status == 200)
    if status == 422:
        assert "nested too deeply" in answer.text


async def test_the_log_is_capped_and_the_oldest_part_goes(tmp_path: Path) -> None:
    file = tmp_path / "logs/events.ndjson"
    log = AuditLog(file, max_bytes=200, kept=2, clock=lambda: datetime(2026, 1, 1, tzinfo=UTC))
    await asyncio.gather(*(log.append([{"n": number}]) for number in range(40)))

    parts = sorted(file.parent.iterdir(), key=lambda part: part.name)
    assert [part.name for part in parts] == ["events.ndjson", "events.ndjson.1", "events.ndjson.2"]
    assert all(part.stat().st_size <= 200 for part in parts)
    assert all(part.stat().st_mode & 0o777 == 0o600 for part in parts)
    numbers = [json.loads(line)["n"] for part in reversed(parts) for line in part.read_text().splitlines()]
    assert numbers == list(range(40 - len(numbers), 40))


async def test_an_entry_larger_than_the_cap_is_kept_whole(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "events", max_bytes=10)
    await log.append([{"text": "x" * 100}])
    await log.append([{"text": "y" * 100}])

    assert "y" * 100 in (tmp_path / "events").read_text()
    assert "x" * 100 in (tmp_path / "events.1").read_text()


async def test_a_log_that_cannot_be_written_is_507_not_a_success(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("in the way")

    with pytest.raises(Failure) as caught:
        await AuditLog(tmp_path / "logs/events").append([{"n": 1}])
    assert caught.value.status == 507


# --- other sites' pages ---
def cors_of(answer: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name.startswith("access-control-")}


@pytest.mark.parametrize("origin", [ORIGIN, "http://localhost:5173"])
async def test_an_allowed_origin_may_ask_and_read_with_credentials(exq: httpx.AsyncClient, origin: str) -> None:
    wanted = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type,x-api-key"}
    leave = await exq.options("/exq/item/base", headers={"Origin": origin, **wanted})
    body = {"mediaId": 42, **SESSION}
    cross = {"Origin": origin, "Sec-Fetch-Site": "cross-site"}
    answer = await exq.post("/exq/item/base", json=body, headers=cross)

    assert leave.status_code == 204
    assert leave.headers["access-control-allow-origin"] == origin
    assert leave.headers["access-control-allow-credentials"] == "true"
    assert leave.headers["access-control-allow-headers"] == "content-type,x-api-key"
    assert "POST" in leave.headers["access-control-allow-methods"]
    assert int(leave.headers["access-control-max-age"]) > 0
    assert leave.headers["vary"] == "Origin"
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == origin
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert answer.headers["vary"] == "Origin"


async def test_an_allowed_origin_reads_refusals_too(exq: httpx.AsyncClient) -> None:
    answer = await exq.post("/exq/item/base", json={}, headers={"Origin": ORIGIN})

    assert answer.status_code == 422
    assert answer.headers["access-control-allow-origin"] == ORIGIN


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "*", "https://photos.example.evil.example", ""])
async def test_any_other_origin_gets_no_leave(exq: httpx.AsyncClient, origin: str) -> None:
    wanted = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    leave = await exq.options("/exq/item/base", headers=wanted)
    answer = await exq.get("/exq/init/abc123", headers={"Origin": origin})

    assert leave.status_code >= 400
    assert (cors_of(leave), cors_of(answer)) == ({}, {})
    assert answer.headers["vary"] == "Origin"


@pytest.mark.parametrize("address", ["/api/review-paths", "/api/me", "/v1/media", "/health/live"])
async def test_the_leave_is_for_this_dialect_only(exq: httpx.AsyncClient, address: str) -> None:
    assert cors_of(await exq.get(address, headers={"Origin": ORIGIN})) == {}
