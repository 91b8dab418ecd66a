"""Who may call: the Host check, other sites, keys; and the error frame of each dialect."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from api import Api, error_of
from media import many
from stack import Stack


@pytest.fixture(scope="module")
def admin_key(stack: Stack) -> str:
    path = stack.state_dir / "admin.key"
    assert path.stat().st_mode & 0o777 == 0o600
    return path.read_text().strip()


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "localhost.evil", ""])
def test_a_host_that_is_not_ours_is_refused(api: Api, host: str) -> None:
    error_of(api.get("/api/health", headers={"Host": host}), 400)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
def test_the_loopback_names_are_ours(api: Api, host: str, stack: Stack) -> None:
    port = stack.url.rpartition(":")[2]

    assert api.get("/api/health", headers={"Host": f"{host}:{port}"}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "https://127.0.0.1.evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
def test_a_change_that_another_site_asks_for_is_refused_body_or_not(
    api: Api, root: Path, headers: dict[str, str]
) -> None:
    path = many(root, 1)[0]
    api.act(path, "trash")

    error_of(api.send("POST", "/api/empty-trash", None, headers), 403)
    error_of(api.send("POST", "/api/media-actions", {"path": str(path), "action": "lock"}, headers), 403)
    error_of(api.send("DELETE", "/api/review-paths", {"path": str(root)}, headers), 403)
    error_of(api.send("PATCH", "/api/settings", {"videoPreloadMb": 51}, headers), 403)
    error_of(api.send("POST", "/api/undo", {"steps": 1}, headers), 403)
    for foreign in ("/exq/init", "/v1/media", "/api/dataset/x/media"):
        assert api.send("POST", foreign, {}, headers).status_code == 403
    assert path.exists()
    assert str(root) in api.known_paths()


def test_the_page_itself_may_change_things(api: Api, root: Path, stack: Stack) -> None:
    path = many(root, 1)[0]
    body = {"path": str(path), "action": "seen"}

    for headers in (
        {"Origin": stack.url, "Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "same-origin"},
    ):
        assert api.send("POST", "/api/media-actions", body, headers).status_code == 200


def test_no_permission_for_other_origins_is_ever_sent(api: Api, root: Path) -> None:
    for answer in (
        api.get("/api/health", headers={"Origin": "http://evil.example"}),
        api.client.options(
            "/api/media-actions",
            headers={"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"},
        ),
    ):
        assert not [name for name in answer.headers if name.startswith("access-control-")]


@pytest.mark.parametrize("headers", [{"X-Api-Key": "wrong"}, {"Authorization": "Bearer wrong"}])
@pytest.mark.parametrize("address", ["/api/health", "/api/review-paths", "/exq/x", "/v1/media", "/api/dataset/x/media"])
def test_a_wrong_key_is_refused_everywhere(api: Api, address: str, headers: dict[str, str]) -> None:
    assert api.get(address, headers=headers).status_code == 401


def test_the_admin_key_is_taken_either_way(api: Api, admin_key: str) -> None:
    for headers in ({"X-Api-Key": admin_key}, {"Authorization": f"Bearer {admin_key}"}):
        assert api.get("/api/health", headers=headers).status_code == 200


def test_an_empty_key_header_counts_as_none(api: Api) -> None:
    assert api.get("/api/health", headers={"X-Api-Key": ""}).status_code == 200


@pytest.mark.parametrize("address", ["/health/live", "/health/ready"])
def test_the_health_of_the_process_needs_no_key(api: Api, address: str) -> None:
    assert api.get(address).status_code == 200


def test_readiness_shows_every_dependency(api: Api) -> None:
    body = api.get("/health/ready").text

    for name in ("fs", "nats", "metadata", "search"):
        assert name in body


def test_an_unknown_address_of_the_review_dialect(api: Api) -> None:
    error_of(api.get("/api/nothing"), 404)
    error_of(api.get("/nothing/at/all"), 404)


def test_a_wrong_method_of_the_review_dialect(api: Api) -> None:
    error_of(api.send("DELETE", "/api/health"), 405)
    error_of(api.send("PUT", "/api/media-actions", {}), 405)


def test_an_error_of_the_exquisitor_dialect(api: Api) -> None:
    answer = api.get("/exq/nothing")

    assert answer.status_code == 404
    body = answer.json()
    assert set(body) == {"error", "message", "detail"}
    assert re.fullmatch(r"[a-z_]+", body["error"])
    assert all(isinstance(value, str) and value for value in body.values())


def test_an_error_of_the_coreviz_dialect(api: Api, admin_key: str) -> None:
    missing = api.get("/api/dataset/none/media")
    unknown = api.get("/api/dataset/none/nothing", headers={"x-api-key": admin_key})

    assert missing.status_code == 401
    assert unknown.status_code in (404, 503)
    for answer in (missing, unknown):
        body = answer.json()
        assert {"error", "message", "code"} <= set(body) <= {"error", "message", "code", "details"}
        assert isinstance(body["error"], str)
        assert re.fullmatch(r"[A-Z_]+", body["code"])


def test_an_error_of_the_wickson_dialect(api: Api, admin_key: str) -> None:
    missing = api.get("/v1/media")
    wrong = api.get("/v1/media", headers={"X-Api-Key": "wrong"})
    unknown = api.get("/v1/nothing", headers={"X-Api-Key": admin_key})

    assert (missing.status_code, wrong.status_code) == (401, 401)
    assert missing.json()["error"] == {
        "code": "UNAUTHORIZED",
        "details": {"header": "X-Api-Key", "reason": "missing"},
    }
    assert wrong.json()["error"]["details"]["reason"] == "invalid"
    assert unknown.status_code in (404, 503)
    for answer in (missing, wrong, unknown):
        body = answer.json()
        assert set(body) == {"success", "message", "error"}
        assert body["success"] is False
        assert body["message"]


def test_metrics_name_routes_and_never_paths(api: Api, root: Path) -> None:
    path = many(root, 1)[0]
    api.act(path, "seen")
    api.file(path)

    text = api.get("/metrics").text

    assert "# TYPE" in text
    assert "/api/media-file" in text
    assert str(root) not in text
    assert path.name not in text


def test_the_documentation_lists_every_route_of_the_dialect(api: Api) -> None:
    assert api.get("/docs").status_code == 200
    paths = api.ok(api.get("/openapi.json"))["paths"]

    assert {
        "/api/health", "/api/review-paths", "/api/folders", "/api/folders/files", "/api/media-items/stream",
        "/api/media-items/summary", "/api/media-items/batch", "/api/media-actions", "/api/empty-trash",
        "/api/media-file", "/api/media-thumbnail", "/api/settings", "/api/logs", "/api/jobs", "/api/jobs/dead/retry",
        "/api/events", "/api/undo", "/api/trash/plan", "/health/live", "/health/ready", "/metrics",
    } <= set(paths)  # fmt: skip
