"""The door: Host, other sites, keys, request ids."""

from __future__ import annotations

import asyncio
import stat
from pathlib import Path

import httpx
import pytest
from fake_fs import FakeFs, settings
from fastapi import FastAPI
from gateway.auth import admin_key
from gateway.config import CommandSettings, GatewaySettings, allowed_origins
from gateway.hosts import Hosts, is_loopback_address, split_host
from gateway_rig import KEY, MakeApp, client_of, error_of
from media_common.config import PublicSettings, SettingsError

REMOTE = "192.0.2.7"


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:80", "localhost.", "127.0.0.1:8080", "127.9.9.9", "[::1]:8080", "photos.example"]
)
async def test_a_name_of_ours_is_served(app: FastAPI, host: str) -> None:
    async with client_of(app) as client:
        answer = await client.get("/api/health", headers={"Host": host, "X-Api-Key": KEY})

    assert answer.status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil", "", "a b", "192.0.2.1", "0.0.0.0", "x:y:z"]
)
@pytest.mark.parametrize("address", ["/api/health", "/health/live", "/", "/nothing"])
async def test_another_name_is_400(client: httpx.AsyncClient, host: str, address: str) -> None:
    error_of(await client.get(address, headers={"Host": host}), 400)


async def test_two_hosts_are_none(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/health", headers=[("Host", "localhost"), ("Host", "localhost")])

    error_of(answer, 400)


async def test_the_address_it_listens_on_is_a_name_of_ours(make_app: MakeApp, service: FakeFs) -> None:
    async with make_app(host="192.0.2.1") as app, client_of(app, REMOTE, "192.0.2.1:8080") as client:
        error_of(await client.get("/api/health"), 401)
        assert (await client.get("/api/health", headers={"X-Api-Key": KEY})).status_code == 200


async def test_trusted_hosts_are_asked_for_once_in_a_while(app: FastAPI, fake: FakeFs) -> None:
    fake.answers["GetSettings"] = settings(trusted_hosts=["Cam.Example:9000"])
    async with client_of(app, host="cam.example") as client:
        for _ in range(20):
            assert (await client.get("/health/live")).status_code == 200

    assert fake.count("GetSettings") <= 2


async def test_with_the_service_down_only_loopback_names_are_ours(make_app: MakeApp) -> None:
    async with make_app() as app, client_of(app) as client:
        error_of(await client.get("/health/live", headers={"Host": "photos.example"}), 400)
        assert (await client.get("/health/live")).status_code == 200


async def test_names_of_the_environment_are_ours_without_asking() -> None:
    async def asked() -> list[str]:
        raise AssertionError("the file service was asked")

    named = GatewaySettings(fs_target="unix:/fs", trusted_hosts="Photos.example:8443, 192.0.2.9,, 0.0.0.0").hosts()
    hosts = Hosts("0.0.0.0", asked, named)

    assert await hosts.check("photos.EXAMPLE") == "photos.example"
    assert await hosts.check("192.0.2.9:8080") == "192.0.2.9"
    with pytest.raises(AssertionError, match="was asked"):
        await hosts.check("0.0.0.0:8080")


CROSS = [
    {"Origin": "http://evil.example"},
    {"Origin": "null"},
    {"Origin": ""},
    {"Origin": "http://127.0.0.1:9999"},
    {"Origin": "http://127.0.0.1:8080.evil.example"},
    {"Origin": "http://["},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Origin": "http://127.0.0.1:8080", "Sec-Fetch-Site": "cross-site"},
    # Of a browser so old that it sends neither.
    {"Referer": "http://evil.example/page"},
    {"Referer": "http://127.0.0.1:9999/"},
]


@pytest.mark.parametrize("headers", CROSS)
@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE", "PUT"])
@pytest.mark.parametrize("address", ["/api/settings", "/exq/item/base", "/v1/media", "/api/media/x", "/api/undo"])
async def test_a_change_from_another_site_is_403_in_every_dialect(
    client: httpx.AsyncClient, fake: FakeFs, headers: dict[str, str], method: str, address: str
) -> None:
    answer = await client.request(method, address, headers={**headers, "X-Api-Key": KEY})

    assert answer.status_code == 403
    assert "another site" in answer.text
    assert not [name for name, _ in fake.asked if name != "GetSettings"]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "http://127.0.0.1:8080"},
        {"Origin": "http://127.0.0.1:8080", "Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
        {"Referer": "http://127.0.0.1:8080/docs"},
        {"Referer": ""},
    ],
)
async def test_a_change_from_here_goes_on(client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    error_of(await client.patch("/api/settings", headers=headers), 400)


async def test_a_look_from_another_site_is_only_not_shown_to_it(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/health", headers={"Origin": "http://evil.example"})

    assert answer.status_code == 200
    assert not [name for name in answer.headers if name.startswith("access-control-")]


async def test_an_allowed_origin_may_change_in_the_exquisitor_dialect_alone(make_app: MakeApp, service: FakeFs) -> None:
    origin = {"Origin": "https://vue.example"}
    async with make_app(cors_origins="https://vue.example") as app, client_of(app) as client:
        assert (await client.post("/exq/item/base", headers=origin)).status_code == 422
        error_of(await client.post("/api/undo", headers=origin), 403)


@pytest.mark.parametrize("origins", ["*", "vue.example", "https://a.example/path", "ftp://a.example"])
def test_what_is_no_origin_stops_the_start(origins: str) -> None:
    with pytest.raises(SettingsError, match="FRAMEWELL_CORS_ORIGINS"):
        allowed_origins(PublicSettings(cors_origins=origins))


def test_a_key_that_cannot_be_sent_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRAMEWELL_KEY", "fw_s3cret ")
    with pytest.raises(SettingsError, match=r"^FRAMEWELL_KEY is not valid: ") as error:
        CommandSettings.load()
    assert "s3cret" not in str(error.value)


WRONG = [{"X-Api-Key": "wrong"}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic abc"}, {"X-Api-Key": "é"}]


@pytest.mark.parametrize("headers", WRONG)
@pytest.mark.parametrize("address", ["/api/health", "/exq/x", "/v1/media", "/api/me", "/api/jobs", "/metrics", "/none"])
async def test_a_wrong_key_is_401_everywhere(client: httpx.AsyncClient, address: str, headers: dict[str, str]) -> None:
    raw = [(key.encode(), value.encode()) for key, value in headers.items()]

    assert (await client.get(address, headers=raw)).status_code == 401


@pytest.mark.parametrize(
    "headers", [{"X-Api-Key": KEY}, {"Authorization": f"Bearer {KEY}"}, {"authorization": f"bearer {KEY}"}]
)
async def test_the_right_key_is_taken_from_anywhere(app: FastAPI, headers: dict[str, str]) -> None:
    async with client_of(app, REMOTE) as client:
        assert (await client.get("/api/health", headers=headers)).status_code == 200


async def test_a_local_caller_needs_no_key_in_two_dialects_and_ours(client: httpx.AsyncClient) -> None:
    assert (await client.get("/api/health")).status_code == 200
    assert (await client.get("/metrics")).status_code == 200
    assert (await client.get("/exq/init/s")).status_code == 503
    assert (await client.get("/api/health", headers={"X-Api-Key": ""})).status_code == 200
    assert (await client.get("/api/me")).status_code == 401
    assert (await client.get("/v1/media", headers={"X-Api-Key": " "})).status_code == 401


@pytest.mark.parametrize(
    ("peer", "headers"),
    [
        (REMOTE, {}),
        ("127.0.0.1", {"X-Forwarded-For": "127.0.0.1"}),
        ("127.0.0.1", {"Forwarded": "for=127.0.0.1"}),
        ("127.0.0.1", {"X-Real-IP": "127.0.0.1"}),
        ("127.0.0.1", {"Host": "photos.example"}),
        ("127.0.0.1", {"X-Forwarded-Proto": "https"}),
        ("127.0.0.1", {"X-Forwarded-Port": "443"}),
        ("127.0.0.1", {"Via": "1.1 proxy"}),
        ("127.0.0.1", {"CF-Connecting-IP": "192.0.2.7"}),
        ("127.0.0.1", {"X-Client-IP": ""}),
    ],
)
async def test_a_caller_that_is_not_plainly_local_needs_one(app: FastAPI, peer: str, headers: dict[str, str]) -> None:
    async with client_of(app, peer) as client:
        answer = await client.get("/api/health", headers=headers)

    error_of(answer, 401)
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_a_proxy_that_says_nothing_and_speaks_http_1_0_is_no_local_caller(port: int) -> None:
    """As nginx does with `proxy_pass` and nothing else: it calls by the address it was told, and names nobody."""

    async def status(version: str) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GET /api/health HTTP/{version}\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode())
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        return answer.split(b" ")[1]

    assert (await status("1.0"), await status("1.1")) == (b"401", b"200")


EMBEDDED = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}
FOLLOWED = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}


async def test_what_another_site_embeds_is_not_asked_by_a_local_caller(app: FastAPI) -> None:
    """It could not read it, but whether a file is there, and how large a picture is, it could tell."""
    async with client_of(app) as client:
        for address in ("/api/health", "/exq/init/s", "/metrics"):
            assert (await client.get(address, headers=EMBEDDED)).status_code == 401, address
        framed = {**FOLLOWED, "Sec-Fetch-Dest": "iframe"}
        error_of(await client.get("/api/health", headers=framed), 401)
        assert (await client.get("/api/health", headers={**EMBEDDED, "X-Api-Key": KEY})).status_code == 200


async def test_a_link_on_another_site_is_followed_and_pages_of_here_go_on(app: FastAPI) -> None:
    async with client_of(app) as client:
        for site in ("same-origin", "same-site", "none"):
            assert (await client.get("/api/health", headers={**EMBEDDED, "Sec-Fetch-Site": site})).status_code == 200
        assert (await client.get("/api/health", headers=FOLLOWED)).status_code == 200


async def test_an_allowed_origin_is_as_local_as_its_caller(make_app: MakeApp, service: FakeFs) -> None:
    asked = {"Origin": "https://vue.example", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"}
    async with make_app(cors_origins="https://vue.example") as app, client_of(app) as client:
        assert (await client.get("/exq/init/s", headers=asked)).status_code == 503
        error_of(await client.get("/api/health", headers=asked), 401)
        assert (await client.get("/exq/init/s", headers={**asked, "Origin": "https://x.example"})).status_code == 401


async def test_required_asks_everybody_but_a_monitor(make_app: MakeApp, service: FakeFs) -> None:
    async with make_app(auth="required") as app, client_of(app) as client:
        error_of(await client.get("/api/health"), 401)
        error_of(await client.get("/metrics"), 401)
        for address in ("/health/live", "/health/ready", "/", "/docs", "/openapi.json"):
            assert (await client.get(address)).status_code == 200


async def test_wickson_says_what_is_wrong_with_the_key(client: httpx.AsyncClient) -> None:
    missing = await client.get("/v1/media")
    wrong = await client.get("/v1/media", headers={"X-Api-Key": "wrong"})

    assert missing.json()["error"] == {"code": "UNAUTHORIZED", "details": {"header": "X-Api-Key", "reason": "missing"}}
    assert wrong.json()["error"]["details"]["reason"] == "invalid"


def test_the_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    state = tmp_path / "deep" / "state"

    key = admin_key("", state)

    file = state / "admin.key"
    assert len(key) >= 40
    assert file.read_text().strip() == key == admin_key("", state)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [entry.name for entry in state.iterdir()] == ["admin.key"]
    assert admin_key("preset", tmp_path / "none") == "preset"


async def test_two_first_starts_at_once_agree_on_one_key(tmp_path: Path) -> None:
    keys = await asyncio.gather(*(asyncio.to_thread(admin_key, "", tmp_path) for _ in range(8)))

    assert len(set(keys)) == 1


def test_an_empty_key_file_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "admin.key").touch(mode=0o600)

    with pytest.raises(SettingsError, match=r"admin\.key"):
        admin_key("", tmp_path)


async def test_a_sane_request_id_is_kept_passed_on_and_echoed(client: httpx.AsyncClient, fake: FakeFs) -> None:
    answer = await client.get("/api/health", headers={"X-Request-Id": "abc-1"})

    assert answer.headers["x-request-id"] == "abc-1"
    assert fake.request_ids[-1] == "abc-1"


@pytest.mark.parametrize("sent", ["", "a b", "x" * 65, "ü", "a\tb"])
async def test_another_request_id_is_replaced(client: httpx.AsyncClient, sent: str) -> None:
    answer = await client.get("/health/live", headers=[(b"X-Request-Id", sent.encode())])

    assert answer.headers["x-request-id"] not in ("", sent)


async def test_slashes_too_many_are_no_matter(client: httpx.AsyncClient) -> None:
    for address in ("//api/health", "/api/health/", "/api/health//"):
        assert (await client.get(httpx.URL("http://127.0.0.1:8080", raw_path=address.encode()))).status_code == 200


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
def test_these_are_loopback_addresses(address: str) -> None:
    assert is_loopback_address(address)


@pytest.mark.parametrize("address", ["", "localhost", "0.0.0.0", "::", "::ffff:192.0.2.1", "128.0.0.1"])
def test_these_are_none(address: str) -> None:
    assert not is_loopback_address(address)


def test_a_host_is_split_into_its_name_and_port() -> None:
    assert split_host("Photos.Example:80") == ("photos.example", "80")
    assert split_host("[::1]") == ("::1", "")
    assert split_host("a:b") is None
    assert split_host("a/b") is None
