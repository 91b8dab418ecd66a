"""`/api/history`, any step taken back, and the roots' states: translated, told as documented, refused by name."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from fake_fs import FakeFs, Refused
from gateway.dialects.platform import history_docs as docs
from gateway_rig import error_of
from media_common.errors import ErrorCode
from media_proto import fs_pb2

ROOT = b"/home/example/trailcam"
TRASHED = fs_pb2.Status(trashed=True, seen=True)
AT_US = 1776030619123456


def page(**cursor: int) -> fs_pb2.StepPage:
    step = fs_pb2.Step(
        step=41, kind=fs_pb2.STEP_KIND_BATCH, at_us=AT_US, files=312, standing=309, folder=ROOT + b"/100MEDIA",
        first=ROOT + b"/100MEDIA/a.jpg", reverts=[40], reverts_count=1,
        changes=[fs_pb2.StepChange(before=fs_pb2.Status(), after=TRASHED, count=312)],
    )  # fmt: skip
    receipt = fs_pb2.Receipt(
        receipt_id="8c1f0d5e", started_us=AT_US, finished_us=AT_US, deleted=40, skipped=1, bytes=1200000000
    )
    emptied = fs_pb2.StepReceipt(number=7, receipt=receipt)
    return fs_pb2.StepPage(entries=[fs_pb2.StepEntry(step=step), fs_pb2.StepEntry(emptied=emptied)], **cursor)


async def test_the_history_is_as_documented(client: httpx.AsyncClient, fake: FakeFs) -> None:
    fake.answers["ListSteps"] = page(before_step=41, before_receipt=7)

    answer = await client.get("/api/history")

    assert answer.json() == docs.HISTORY.answer
    asked = fake.last("ListSteps")
    assert (asked.limit, asked.HasField("before_step"), asked.HasField("before_receipt")) == (50, False, False)


@pytest.mark.parametrize(
    "cursor", [{"before_step": 41, "before_receipt": 7}, {"before_step": 3}, {"before_receipt": 1}]
)
async def test_a_page_leads_to_the_next_one(client: httpx.AsyncClient, fake: FakeFs, cursor: dict[str, int]) -> None:
    fake.answers["ListSteps"] = page(**cursor)
    following = (await client.get("/api/history?limit=2")).json()["next"]

    fake.answers["ListSteps"] = page()
    last = (await client.get(f"/api/history?cursor={following}&limit=2")).json()

    asked = fake.last("ListSteps")
    told = {name: getattr(asked, name) for name in ("before_step", "before_receipt") if asked.HasField(name)}
    assert (told, asked.limit, last["next"]) == (cursor, 2, None)


@pytest.mark.parametrize(
    "query", ["cursor=", "cursor=x", "cursor=r1s2", "cursor=s-1", "limit=0", "limit=201", "limit="]
)
async def test_what_is_no_cursor_or_limit_is_400(client: httpx.AsyncClient, fake: FakeFs, query: str) -> None:
    error_of(await client.get(f"/api/history?{query}"), 400)
    assert fake.asked == []


async def test_the_files_of_a_step_are_told_page_by_page(client: httpx.AsyncClient, fake: FakeFs) -> None:
    one = fs_pb2.StepFile(number=1041, path=ROOT + b"/a.jpg", before=fs_pb2.Status(), after=TRASHED, standing=True)
    fake.answers["ListStepFiles"] = fs_pb2.StepFiles(files=[one])
    assert (await client.get("/api/history/41")).json() == docs.FILES.answer
    asked = fake.last("ListStepFiles")
    assert (asked.step, asked.after, asked.limit) == (41, 0, 200)

    fake.answers["ListStepFiles"] = fs_pb2.StepFiles(files=[one], last=True)
    assert (await client.get("/api/history/41?cursor=1041&limit=1000")).json()["next"] is None
    assert fake.last("ListStepFiles").after == 1041


async def test_an_undo_of_a_step_is_as_documented(client: httpx.AsyncClient, fake: FakeFs) -> None:
    fake.answers["UndoStep"] = fs_pb2.UndoStepResponse(
        step=44,
        counts=[
            fs_pb2.UndoStepCount(result=fs_pb2.UNDO_RESULT_DONE, count=309),
            fs_pb2.UndoStepCount(result=fs_pb2.UNDO_RESULT_CHANGED, count=3),
        ],
        outcomes=[
            fs_pb2.UndoStepOutcome(
                path=ROOT + b"/a.jpg",
                result=fs_pb2.UNDO_RESULT_CHANGED,
                message="A later step changed it; left as it is.",
            ),
            fs_pb2.UndoStepOutcome(path=ROOT + b"/b.jpg", result=fs_pb2.UNDO_RESULT_DONE, status=fs_pb2.Status()),
        ],
    )
    assert (await client.post("/api/history/41/undo")).json() == docs.UNDO.answer
    assert fake.last("UndoStep").step == 41


async def test_an_undo_that_put_nothing_back_has_no_step(client: httpx.AsyncClient, fake: FakeFs) -> None:
    fake.answers["UndoStep"] = fs_pb2.UndoStepResponse()
    told = (await client.post("/api/history/41/undo")).json()
    assert (told["step"], set(told["counts"].values())) == (None, {0})


@pytest.mark.parametrize("step", ["0", "-1", "x", "9223372036854775808", "1.0", "%FF"])
@pytest.mark.parametrize(("method", "tail"), [("GET", ""), ("POST", "/undo")])
async def test_what_is_no_number_is_no_step(
    client: httpx.AsyncClient, fake: FakeFs, method: str, tail: str, step: str
) -> None:
    error_of(await client.request(method, f"/api/history/{step}{tail}"), 404)
    assert fake.asked == []


@pytest.mark.parametrize(
    ("code", "status"),
    [(ErrorCode.STEP_NOT_FOUND, 404), (ErrorCode.NOTHING_TO_UNDO, 409), (ErrorCode.STORAGE_FAILED, 507)],
)
async def test_a_refused_undo_is_told_by_name(
    client: httpx.AsyncClient, fake: FakeFs, code: ErrorCode, status: int
) -> None:
    fake.answers["UndoStep"] = Refused(code, "Not so.")
    assert error_of(await client.post("/api/history/41/undo"), status) == "Not so."


async def test_the_roots_states_are_as_documented(client: httpx.AsyncClient, fake: FakeFs) -> None:
    fake.answers["GetRootStatus"] = fs_pb2.RootStatuses(
        roots=[
            fs_pb2.RootStatus(
                path=ROOT, state=fs_pb2.ROOT_STATE_READ_ONLY, since_us=AT_US, looked_us=AT_US, answers=True,
                reason="The directory cannot be written; marks are kept in the state directory.",
                free_bytes=1200000000, total_bytes=64000000000,
            )
        ]
    )  # fmt: skip
    assert (await client.get("/api/roots/status")).json() == docs.STATUS.answer

    fake.answers["GetRootStatus"] = fs_pb2.RootStatuses(roots=[fs_pb2.RootStatus(path=b"/nas", since_us=AT_US)])
    (root,) = (await client.get("/api/roots/status")).json()["roots"]
    assert (root["state"], root["answers"], root["lookedAt"], root["freeBytes"]) == ("unknown", False, None, None)


@pytest.mark.parametrize(("queue", "method"), [("thumbnail", "PauseThumbnails")])
async def test_background_thumbnails_are_held_back_and_let_go(
    client: httpx.AsyncClient, fake: FakeFs, queue: str, method: str
) -> None:
    fake.answers[method] = lambda request: fs_pb2.PauseThumbnailsResponse(paused=request.paused)
    for paused in (True, False):
        answer = await client.post(f"/api/jobs/{queue}/pause", json={"paused": paused})
        assert (answer.status_code, answer.json()) == (200, {"paused": paused})
    bodies: list[Any] = [{}, {"paused": 1}, {"paused": None}]
    for body in bodies:
        error_of(await client.post(f"/api/jobs/{queue}/pause", json=body), 400)
    fake.answers[method] = Refused(ErrorCode.QUEUE_UNAVAILABLE, "The job queue is not available.")
    error_of(await client.post(f"/api/jobs/{queue}/pause", json={"paused": True}), 503)
