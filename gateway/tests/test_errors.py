"""Every failure, by name, to the status and the body of each dialect."""

from __future__ import annotations

import asyncio
import re

import httpx
import pytest
from fake_fs import FakeFs, Pause, Refused
from fastapi import FastAPI
from gateway.dialects import Dialect, dialect_of
from gateway.errors import BODIES, Failure, failure_of
from gateway_rig import KEY, MakeApp, client_of, error_of, serve_fake
from media_common.errors import ErrorCode
from media_common.wire import WIRE
from media_proto import fs_pb2

SAID = "A sentence of the service."


@pytest.mark.parametrize("code", [code for code in ErrorCode if code is not ErrorCode.INTERNAL])
async def test_a_refusal_reaches_the_caller_by_name_and_in_its_own_words(
    client: httpx.AsyncClient, fake: FakeFs, code: ErrorCode
) -> None:
    fake.answers["GetSummary"] = Refused(code, SAID)

    answer = await client.get("/api/media-items/summary?path=/r")

    assert error_of(answer, WIRE[code].http) == SAID


async def test_what_no_service_put_into_words_stays_inside(client: httpx.AsyncClient, fake: FakeFs) -> None:
    fake.answers["GetSummary"] = ValueError("SELECT secret FROM /home/other")

    answer = await client.get("/api/media-items/summary?path=/r")

    assert error_of(answer, 500) == "Internal server error."


async def test_a_fault_of_the_gateway_itself_is_500_without_its_text(
    app: FastAPI, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(settings: fs_pb2.Settings) -> dict[str, object]:
        raise RuntimeError("a secret")

    monkeypatch.setattr("gateway.dialects.mediareviewer.render.health_out", broken)

    answer = await client.get("/api/health")

    assert error_of(answer, 500) == "Internal server error."
    assert "a secret" in caplog.text


async def test_a_service_that_is_down_is_a_clear_503_within_the_wait(make_app: MakeApp) -> None:
    async with make_app() as app, client_of(app) as client:
        answer = await client.get("/api/health")

    assert "not available" in error_of(answer, 503)
    assert answer.headers["retry-after"] == "1"
    assert answer.elapsed.total_seconds() < 2


async def test_a_service_that_is_being_restarted_is_waited_for(
    make_app: MakeApp, fake: FakeFs, socket_path: str
) -> None:
    async with make_app(connect_wait_s=5) as app, client_of(app) as client:
        async with serve_fake(fake, socket_path):
            assert (await client.get("/api/health")).status_code == 200
        asking = asyncio.create_task(client.get("/api/health"))
        await asyncio.sleep(0.2)
        assert not asking.done()
        async with serve_fake(fake, socket_path):
            assert (await asking).status_code == 200


async def test_a_deadline_that_passes_is_504(make_app: MakeApp, service: FakeFs) -> None:
    service.answers["GetSummary"] = Pause()
    async with make_app(call_deadline_s=0.2) as app, client_of(app) as client:
        answer = await client.get("/api/media-items/summary?path=/r")

    assert "in time" in error_of(answer, 504)


@pytest.mark.parametrize("address", ["/api/nothing", "/nothing", "/api/media-files", "/health", "/%FF%00"])
async def test_an_unknown_address_is_404(client: httpx.AsyncClient, address: str) -> None:
    error_of(await client.get(address), 404)


async def test_a_wrong_method_is_405_and_says_which_would_do(client: httpx.AsyncClient) -> None:
    answer = await client.put("/api/review-paths")

    error_of(answer, 405)
    assert answer.headers["allow"] == "DELETE, GET, HEAD, POST"


@pytest.mark.parametrize(
    ("path", "dialect"),
    [
        ("/api/folders", Dialect.MEDIAREVIEWER),
        ("/api/folders/files", Dialect.MEDIAREVIEWER),
        ("/api/folder", Dialect.COREVIZ),
        ("/api/folder/12", Dialect.COREVIZ),
        ("/api/media-file", Dialect.MEDIAREVIEWER),
        ("/api/media/12", Dialect.COREVIZ),
        ("/api/me", Dialect.COREVIZ),
        ("/api/metrics", Dialect.PLATFORM),
        ("/api/search", Dialect.COREVIZ),
        ("/exq/item/base", Dialect.EXQUISITOR),
        ("/exquisite", Dialect.PLATFORM),
        ("/v1/media", Dialect.WICKSON),
        ("/v10", Dialect.PLATFORM),
        ("/api/jobs", Dialect.PLATFORM),
    ],
)
def test_a_path_tells_its_dialect_by_whole_parts(path: str, dialect: Dialect) -> None:
    assert dialect_of(path) is dialect


def test_each_dialect_has_its_body() -> None:
    failure = Failure(400, "invalid_parameter", "Said.", {"parameter": "page", "reason": "Because."})

    assert set(BODIES) == set(Dialect)
    assert BODIES[Dialect.MEDIAREVIEWER](failure) == {"error": "Said."}
    assert BODIES[Dialect.EXQUISITOR](failure) == {"error": "invalid_parameter", "message": "Said.", "detail": "Said."}
    assert BODIES[Dialect.COREVIZ](failure) == {
        "error": "Said.",
        "message": "Said.",
        "code": "INVALID_PARAMETER",
        "details": {"parameter": "page"},
    }
    assert BODIES[Dialect.WICKSON](failure) == {
        "success": False,
        "message": "Said.",
        "error": {"code": "INVALID_PARAMETER", "details": {"parameter": "page", "reason": "Because."}},
    }


@pytest.mark.parametrize("address", ["/exq/nothing", "/v1/nothing", "/api/dataset/x/nothing"])
async def test_an_address_that_no_contract_knows_is_404_in_its_dialect(client: httpx.AsyncClient, address: str) -> None:
    answer = await client.get(address, headers={"X-Api-Key": KEY})

    assert answer.status_code == 404
    assert re.search(r"not_found|NOT_FOUND", answer.text)


def test_an_exception_that_nobody_knows_says_nothing() -> None:
    assert failure_of(KeyError("secret")).message == "Internal server error."
