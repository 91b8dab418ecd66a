"""`/api/session` and the page's cookie: pictures and event streams cannot send a header."""

from __future__ import annotations

from urllib.parse import quote

import httpx
import pytest
from fake_fs import FakeFs
from fastapi import FastAPI
from gateway.session_cookie import cookie_key, cookie_name
from gateway_rig import KEY, MakeApp, client_of, error_of
from hypothesis import given
from hypothesis import strategies as st

REMOTE = "192.0.2.7"
HERE = "photos.example:8443"  # a trusted host of the fake


def cookie_of(answer: httpx.Response) -> tuple[str, str]:
    """Its `name=value`, and the attributes."""
    pair, _, attributes = answer.headers["set-cookie"].partition("; ")
    return pair, attributes


async def test_a_key_becomes_a_cookie_that_no_script_and_no_other_site_gets(app: FastAPI) -> None:
    async with client_of(app, REMOTE, HERE) as client:
        error_of(await client.post("/api/session"), 401)
        answer = await client.post("/api/session", headers={"X-Api-Key": KEY})
        pair, attributes = cookie_of(answer)

    assert answer.json() == {"name": "admin", "scopes": ["admin", "empty-trash", "read", "trash", "write"]}
    assert pair == f"framewell_key_8443={KEY}"
    assert attributes == "Path=/; Max-Age=2592000; HttpOnly; SameSite=Strict"
    assert answer.headers["cache-control"] == "no-store"


async def test_the_cookie_opens_what_the_key_opens(app: FastAPI) -> None:
    async with client_of(app, REMOTE, HERE) as client:
        await client.post("/api/session", headers={"X-Api-Key": KEY})
        served = await client.get("/api/health")
        again = await client.post("/api/session")
        left = await client.delete("/api/session")
        refused = await client.get("/api/health")

    assert (served.status_code, again.status_code, left.status_code) == (200, 200, 204)
    assert again.json()["name"] == "admin"
    error_of(refused, 401)


async def test_over_https_it_is_sent_over_https_only(app: FastAPI) -> None:
    async with client_of(app, REMOTE, HERE) as client:
        headers = {"X-Api-Key": KEY, "X-Forwarded-Proto": "https"}
        _, attributes = cookie_of(await client.post("/api/session", headers=headers))

    assert attributes.endswith("; Secure")


async def test_a_caller_on_this_machine_gets_a_cookie_that_is_no_key(app: FastAPI) -> None:
    async with client_of(app) as client:
        keyed = await client.get("/api/me")
        answer = await client.post("/api/session")
        pair, _ = cookie_of(answer)
        let_in = await client.get("/api/me")
    async with client_of(app, REMOTE, HERE) as stranger:
        refused = await stranger.get("/api/health", headers={"Cookie": pair.replace("_8080", "_8443")})

    assert keyed.status_code == 401
    assert answer.json()["name"] == "local"
    assert KEY not in pair
    assert (let_in.status_code, let_in.json()["name"]) == (200, "local")
    error_of(refused, 401)


async def test_where_everybody_needs_a_key_the_machine_itself_does_too(make_app: MakeApp, service: FakeFs) -> None:
    async with make_app(auth="required") as app, client_of(app) as client:
        error_of(await client.post("/api/session"), 401)


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-For": "127.0.0.1"},
        {"Forwarded": "for=127.0.0.1"},
        {"Via": "1.1 proxy"},
        {"Host": HERE},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "image"},
    ],
    ids=lambda one: next(iter(one)),
)
async def test_a_local_cookie_is_neither_given_nor_good_through_a_proxy(app: FastAPI, headers: dict[str, str]) -> None:
    async with client_of(app) as client:
        pair, _ = cookie_of(await client.post("/api/session"))
        asked = {**headers, "Cookie": f"{pair}; {pair.replace('_8080', '_8443')}"}
        for method, address in (("GET", "/api/me"), ("GET", "/v1/media"), ("GET", "/api/health")):
            assert (await client.request(method, address, headers=asked)).status_code == 401, address
        given = await client.post("/api/session", headers=headers)

    assert given.status_code in (401, 403)
    assert "set-cookie" not in given.headers


async def test_a_local_cookie_tells_nothing_of_an_admin_key_that_could_be_guessed(make_app: MakeApp) -> None:
    """Other servers of this machine are sent the cookie; with a preset key made by a person, they would try words."""

    async def given(key: str, signing_key: str) -> str:
        async with make_app(keys=(key, signing_key)) as app, client_of(app) as client:
            return cookie_of(await client.post("/api/session"))[0]

    assert await given("first", "signs") == await given("second", "signs")
    assert await given("first", "signs") != await given("first", "signs otherwise")


@pytest.mark.parametrize("cookie", ["framewell_key_8080=wrong", "framewell_key_9999=x", "framewell_key_8080=", "; =;"])
async def test_a_cookie_that_is_no_good_is_as_none(client: httpx.AsyncClient, cookie: str) -> None:
    assert (await client.get("/api/health", headers={"Cookie": cookie})).status_code == 200


async def test_a_key_that_is_sent_counts_before_the_cookie(app: FastAPI) -> None:
    async with client_of(app) as client:
        await client.post("/api/session", headers={"X-Api-Key": KEY})
        error_of(await client.get("/api/health", headers={"X-Api-Key": "fw_wrong"}), 401)


async def test_another_site_signs_nobody_in(client: httpx.AsyncClient) -> None:
    error_of(await client.post("/api/session", headers={"Origin": "http://evil.example"}), 403)


@given(st.text(min_size=1), st.sampled_from(["127.0.0.1:8080", "localhost", "[::1]:9", "photos.example"]))
def test_a_cookie_carries_any_key(key: str, host: str) -> None:
    text = f"other=1; {cookie_name(host)}={quote(key.encode('utf-8', 'replace'), safe='')}; last=2"
    read = cookie_key({"host": host, "cookie": text})

    assert read == key.encode("utf-8", "replace").decode()
