"""Our own endpoints: health, figures, jobs, events, undo, the plan, the page, the documentation."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest
from fake_fs import FakeFs, Pause, Refused
from fake_metadata import FakeMetadata, serve_metadata
from fake_search import FakeSearch, serve_search
from fastapi import FastAPI
from fastapi.openapi.models import OpenAPI
from gateway.catalogue import CatalogueClient
from gateway.clients import FsClient
from gateway.config import GatewaySettings
from gateway.dialects.mediareviewer import docs as review_docs
from gateway.dialects.platform import docs
from gateway.dialects.platform.render import queues_out
from gateway.events import QueueWatch, event_stream
from gateway.jobs import Jobs, Told
from gateway.search import SearchClient
from gateway_rig import MakeApp, client_of, error_of, serve_fake
from media_common.errors import ErrorCode
from media_proto import fs_pb2, metadata_pb2, search_pb2

IDLE = {"pending": 0, "running": 0, "done": 0, "dead": 0, "paused": False}


async def test_live_is_200_whatever_is_down(make_app: MakeApp) -> None:
    async with make_app() as app, client_of(app) as client:
        assert (await client.get("/health/live")).json() == {"status": "live"}


async def test_ready_lists_every_part(client: httpx.AsyncClient) -> None:
    body: dict[str, Any] = {}
    async with asyncio.timeout(20):  # a busy machine may be late with a first answer, which is asked for again
        while body.get("dependencies", {}).get("nats", {}).get("state") in (None, "unknown"):
            answer = await client.get("/health/ready")
            assert answer.status_code == 200
            body = answer.json()
            await asyncio.sleep(0.05)

    assert body["status"] == "ready"
    assert body["dependencies"]["fs"] == {"state": "up"}
    assert body["dependencies"]["nats"] == {"state": "up"}
    assert body["dependencies"]["thumbnail"] == {"state": "up"}
    assert body["dependencies"]["metadata"]["state"] == "off"
    assert body["dependencies"]["search"]["reason"]


async def test_ready_without_the_file_service_is_503_with_every_part(make_app: MakeApp, tmp_path: object) -> None:
    targets = {"search_target": f"unix:{tmp_path}/none", "thumbnail_targets": f"unix:{tmp_path}/worker"}
    async with make_app(**targets) as app, client_of(app) as client:
        answer = await client.get("/health/ready")

    assert answer.status_code == 503
    body = answer.json()
    assert body["error"]
    states = {name: part["state"] for name, part in body["dependencies"].items()}
    assert states == {
        "fs": "down",
        "nats": "unknown",
        "thumbnail": "unknown",
        "thumbnail-1": "down",
        "metadata": "off",
        "search": "down",
    }


async def test_search_that_is_switched_off_or_has_no_model_is_not_unready(
    make_app: MakeApp, service: FakeFs, tmp_path: Path
) -> None:
    target = f"unix:{tmp_path}/search.sock"
    for state, shown in ((search_pb2.ENCODER_STATE_OFF, "off"), (search_pb2.ENCODER_STATE_UNAVAILABLE, "down")):
        told = search_pb2.Readiness(reason="Said why.", encoder=search_pb2.Encoder(state=state))
        fake = FakeSearch({"GetReadiness": told})
        async with serve_search(fake, target), make_app(search_target=target) as app, client_of(app) as client:
            answer = await client.get("/health/ready")
        assert answer.status_code == 200
        assert answer.json()["dependencies"]["search"] == {"state": shown, "reason": "Said why."}


async def test_what_is_only_missing_is_not_unready(client: httpx.AsyncClient, fake: FakeFs) -> None:
    fake.answers["GetQueues"] = fs_pb2.Queues()

    answer = await client.get("/health/ready")

    assert answer.status_code == 200
    assert answer.json()["dependencies"]["nats"]["state"] == "down"
    assert answer.json()["dependencies"]["thumbnail"]["state"] == "down"


async def test_readiness_is_asked_for_once_however_many_ask(client: httpx.AsyncClient, fake: FakeFs) -> None:
    await asyncio.gather(*(client.get("/health/ready") for _ in range(20)))

    assert fake.count("GetQueues") == 1


class TestJobs:
    async def test_are_as_documented(self, client: httpx.AsyncClient, fake: FakeFs) -> None:
        fake.answers["GetQueues"] = fs_pb2.Queues(
            index=fs_pb2.Queue(done=3),
            thumbnail=fs_pb2.Queue(pending=2, running=1, done=9, dead=1),
            dead_jobs=[fs_pb2.DeadJob(queue="thumbnail", path=b"/r/\xff.jpg", reason="cannot be decoded")],
            nats_up=True,
        )

        body = (await client.get("/api/jobs")).json()

        assert set(body) == {"idle", "queues", "encoder"}
        assert body["idle"] is False
        assert body["queues"]["thumbnail"] == {
            "pending": 2, "running": 1, "done": 9, "dead": 1, "paused": False,
            "deadJobs": [{"path": "/r/\udcff.jpg", "reason": "cannot be decoded"}],
        }  # fmt: skip
        assert body["encoder"]["state"] == "unavailable"
        assert body["encoder"]["reason"]

    @pytest.mark.parametrize(
        ("queues", "idle"),
        [
            (fs_pb2.Queues(nats_up=True), True),
            (fs_pb2.Queues(nats_up=True, thumbnail=fs_pb2.Queue(dead=1, done=4)), True),
            (fs_pb2.Queues(nats_up=True, index=fs_pb2.Queue(pending=1)), False),
            (fs_pb2.Queues(nats_up=True, embed=fs_pb2.Queue(running=1)), False),
            (fs_pb2.Queues(), False),
        ],
    )
    def test_are_idle_when_nothing_waits_and_that_is_known(self, queues: fs_pb2.Queues, idle: bool) -> None:
        search = search_pb2.Readiness()
        assert queues_out(Told(queues, True, search))["idle"] is idle
        assert queues_out(Told(queues, False, search))["idle"] is False

    async def test_with_the_encoder_off_say_so(self, make_app: MakeApp, service: FakeFs) -> None:
        async with make_app(encoder="off") as app, client_of(app) as client:
            encoder = (await client.get("/api/jobs")).json()["encoder"]

        assert encoder == {"name": "off", "model": None, "dimensions": None, "state": "off"}

    @pytest.mark.parametrize("state", ["OFF", "READY", "LOADING", "UNAVAILABLE"])
    def test_to_embed_are_waited_for_unless_nothing_is_embedded(self, state: str) -> None:
        encoder = search_pb2.Encoder(state=search_pb2.EncoderState.Value(f"ENCODER_STATE_{state}"))
        queues = fs_pb2.Queues(nats_up=True, embed=fs_pb2.Queue(pending=1))
        assert queues_out(Told(queues, True, search_pb2.Readiness(encoder=encoder)))["idle"] is (state == "OFF")

    async def test_tell_the_encoder_and_how_far_embedding_is(
        self, make_app: MakeApp, service: FakeFs, tmp_path: Path
    ) -> None:
        ready = search_pb2.Encoder(
            name="offline", model="lite0", dimensions=384, state=search_pb2.ENCODER_STATE_READY, reason="No weights."
        )
        filling = search_pb2.Encoder(name="open_clip", state=search_pb2.ENCODER_STATE_LOADING)
        progress = search_pb2.Progress(pending=7, running=2, done=90, dead=1, remaining_s=12.34)
        told = search_pb2.Readiness(ready=True, encoder=ready, progress=progress, next=filling)
        service.answers["GetQueues"] = fs_pb2.Queues(nats_up=True, embed=fs_pb2.Queue(pending=5, dead=3))
        fake = FakeSearch({"GetReadiness": told})
        target = f"unix:{tmp_path}/search.sock"
        async with serve_search(fake, target), make_app(search_target=target) as app, client_of(app) as client:
            body = (await client.get("/api/jobs")).json()
            told.progress.CopyFrom(search_pb2.Progress(done=99, paused=True))
            service.answers["GetQueues"] = fs_pb2.Queues(nats_up=True)
            later = (await client.get("/api/jobs")).json()

        assert body["idle"] is False
        assert body["queues"]["embed"] == {
            "pending": 7, "running": 2, "done": 90, "dead": 3, "paused": False, "remainingSeconds": 12.3, "deadJobs": []
        }  # fmt: skip
        assert body["encoder"] == {
            "name": "offline", "model": "lite0", "dimensions": 384, "state": "ready", "reason": "No weights.",
            "next": {"name": "open_clip", "model": None, "dimensions": None, "state": "loading"},
        }  # fmt: skip
        assert later["idle"] is True
        assert (later["queues"]["embed"]["paused"], later["queues"]["embed"]["remainingSeconds"]) == (True, None)

    async def test_that_the_catalogue_has_not_sent_yet_are_waited_for(
        self, make_app: MakeApp, service: FakeFs, tmp_path: Path
    ) -> None:
        ready = search_pb2.Readiness(ready=True, progress=search_pb2.Progress())
        metadata = FakeMetadata({"GetIndexing": metadata_pb2.Indexing(unsent=3)})
        targets = {"metadata_target": f"unix:{tmp_path}/metadata.sock", "search_target": f"unix:{tmp_path}/search.sock"}
        async with (
            serve_metadata(metadata, targets["metadata_target"]),
            serve_search(FakeSearch({"GetReadiness": ready}), targets["search_target"]),
            make_app(**targets) as app,
            client_of(app) as client,
        ):
            waiting = (await client.get("/api/jobs")).json()
            metadata.answers["GetIndexing"] = metadata_pb2.Indexing()
            sent = (await client.get("/api/jobs")).json()

        assert (waiting["idle"], waiting["queues"]["embed"]["pending"]) == (False, 3)
        assert (sent["idle"], sent["queues"]["embed"]["pending"]) == (True, 0)

    async def test_of_a_search_service_that_is_away_are_not_known_to_be_idle(
        self, make_app: MakeApp, service: FakeFs, tmp_path: Path
    ) -> None:
        for setting, idle, state in (("auto", False, "unavailable"), ("off", True, "off")):
            targets = {"search_target": f"unix:{tmp_path}/nobody", "encoder": setting}
            async with make_app(**targets) as app, client_of(app) as client:
                body = (await client.get("/api/jobs")).json()
            assert (body["idle"], body["encoder"]["state"], body["encoder"]["name"]) == (idle, state, setting)

    async def test_of_embedding_are_held_back_and_let_go(
        self, make_app: MakeApp, service: FakeFs, tmp_path: Path
    ) -> None:
        fake = FakeSearch({"PauseEmbedding": lambda request: search_pb2.Progress(paused=request.paused)})
        target = f"unix:{tmp_path}/search.sock"
        async with serve_search(fake, target), make_app(search_target=target) as app, client_of(app) as client:
            for paused in (True, False):
                answer = await client.post("/api/jobs/embed/pause", json={"paused": paused})
                assert (answer.status_code, answer.json()) == (200, {"paused": paused})
            for body in ({}, {"paused": 1}, {"paused": None}):
                error_of(await client.post("/api/jobs/embed/pause", json=body), 400)
        async with make_app() as app, client_of(app) as client:
            error_of(await client.post("/api/jobs/embed/pause", json={"paused": True}), 503)

    async def test_that_are_dead_are_put_back(self, client: httpx.AsyncClient, fake: FakeFs) -> None:
        fake.answers["RetryDeadJobs"] = fs_pb2.RetryDeadJobsResponse(retried=3)
        assert (await client.post("/api/jobs/dead/retry")).json() == {"retried": 3}

        fake.answers["RetryDeadJobs"] = Refused(ErrorCode.QUEUE_UNAVAILABLE, "The job queue is not available.")
        assert error_of(await client.post("/api/jobs/dead/retry"), 503) == "The job queue is not available."


class TestUndo:
    async def test_answers_each_item_put_back(self, client: httpx.AsyncClient, fake: FakeFs) -> None:
        path = f"{review_docs.REVIEW_PATHS.answer['knownPaths'][0]}/a.jpg"
        outcome = fs_pb2.ActOutcome(path=path.encode(), status=fs_pb2.Status())
        fake.answers["Undo"] = fs_pb2.UndoResponse(outcomes=[outcome])

        answer = await client.post("/api/undo", json={"steps": 2})

        assert answer.json() == docs.UNDO.answer
        assert fake.last("Undo").steps == 2
        await client.post("/api/undo", json={})
        assert fake.last("Undo").steps == 1

    @pytest.mark.parametrize("steps", [0, -1, 1001, True, "1", 1.0, None, [1]])
    async def test_takes_a_number_of_steps(self, client: httpx.AsyncClient, fake: FakeFs, steps: Any) -> None:
        error_of(await client.post("/api/undo", json={"steps": steps}), 400)
        assert fake.asked == []

    async def test_of_an_emptied_file_is_409(self, client: httpx.AsyncClient, fake: FakeFs) -> None:
        fake.answers["Undo"] = Refused(ErrorCode.UNDO_BLOCKED, "It has been deleted.")

        assert error_of(await client.post("/api/undo", json={"steps": 1}), 409) == "It has been deleted."


async def test_the_plan_is_as_documented(client: httpx.AsyncClient, fake: FakeFs) -> None:
    root = fs_pb2.TrashPlanRoot(path=b"/home/example/trailcam", state=fs_pb2.ROOT_STATE_ONLINE, count=2, bytes=3145728)
    fake.answers["PlanTrash"] = fs_pb2.TrashPlan(hash="8c1f0d5e", count=2, bytes=3145728, locked=1, roots=[root])

    answer = await client.get("/api/trash/plan?path=/r")

    assert answer.json() == docs.PLAN.answer
    assert fake.last("PlanTrash").path == b"/r"
    await client.get("/api/trash/plan")
    assert not fake.last("PlanTrash").HasField("path")


async def test_receipts_are_listed_without_their_paths_and_one_with_them(
    client: httpx.AsyncClient, fake: FakeFs
) -> None:
    whole = fs_pb2.Receipt(
        receipt_id="r2", started_us=1742049022500000, finished_us=1742049023500000, deleted=1, skipped=2, bytes=5,
        paths=[b"/r/a\xff.jpg"],
    )  # fmt: skip
    cut = fs_pb2.Receipt(receipt_id="r1", started_us=1742049022500000, errors=1)
    fake.answers["ListReceipts"] = fs_pb2.ListReceiptsResponse(receipts=[whole, cut])

    listed = (await client.get("/api/trash/receipts?limit=7")).json()["receipts"]
    (one,) = (await client.get("/api/trash/receipts?id=r2")).json()["receipts"]
    none = (await client.get("/api/trash/receipts?id=other")).json()["receipts"]

    assert [(receipt["id"], receipt["finishedAt"]) for receipt in listed] == [
        ("r2", "2025-03-15T14:30:23.500000+00:00"), ("r1", None)
    ]  # fmt: skip
    assert all("paths" not in receipt for receipt in listed)
    assert (one["paths"], one["deleted"], one["skipped"], one["bytes"]) == (["/r/a\udcff.jpg"], 1, 2, 5)
    assert none == []
    assert [request.limit for name, request in fake.asked if name == "ListReceipts"] == [7, 100, 100]
    error_of(await client.get("/api/trash/receipts?limit=101"), 400)


@pytest.mark.parametrize("state", ["ONLINE", "READ_ONLY", "OFFLINE", "SWAPPED"])
async def test_a_root_in_the_plan_has_its_state(client: httpx.AsyncClient, fake: FakeFs, state: str) -> None:
    root = fs_pb2.TrashPlanRoot(path=b"/r", state=fs_pb2.RootState.Value(f"ROOT_STATE_{state}"))
    fake.answers["PlanTrash"] = fs_pb2.TrashPlan(roots=[root])

    body = (await client.get("/api/trash/plan")).json()

    assert body["roots"][0]["state"] == state.lower().replace("_", "-")


class TestMetrics:
    async def test_name_routes_dialects_and_queues_but_no_path(self, client: httpx.AsyncClient, fake: FakeFs) -> None:
        fake.answers["GetQueues"] = fs_pb2.Queues(
            nats_up=True, thumbnail=fs_pb2.Queue(pending=7, oldest_age_s=1.5), index=fs_pb2.Queue(dead=2)
        )
        fake.answers["GetThumbnail"] = fs_pb2.Thumbnail(png=b"x", etag="t", cache_hit=True)
        await client.get("/api/media-thumbnail?path=/private/holiday.jpg")
        await client.get("/private/nothing")
        await client.request("BREW", "/api/health")

        text = (await client.get("/metrics")).text

        for expected in (
            '{dialect="mediareviewer",method="GET",route="/api/media-thumbnail",status="200"} 1.0',
            'framewell_http_requests_total{dialect="platform",method="GET",route="unmatched",status="404"} 1.0',
            'method="OTHER",route="/api/health",status="405"',
            'framewell_http_request_seconds_bucket{dialect="mediareviewer",le="0.001",route="/api/media-thumbnail",sent="whole"}',
            'framewell_queue_jobs{queue="thumbnail",state="pending"} 7.0',
            'framewell_queue_jobs{queue="index",state="dead"} 2.0',
            'framewell_queue_oldest_age_seconds{queue="thumbnail"} 1.5',
            'framewell_thumbnails_total{result="hit"} 1.0',
            'framewell_dependency_up{name="nats"} 1.0',
        ):
            assert expected in text, expected
        assert "holiday" not in text
        assert "private" not in text

    async def test_tell_what_is_sent_in_pieces_apart(self, client: httpx.AsyncClient, fake: FakeFs) -> None:
        """Its time is that of whoever reads it."""
        fake.answers["StreamItems"] = [fs_pb2.ItemBatch(last=True)]
        await client.get("/api/media-items/stream?path=/r")
        await client.get("/api/nothing")

        text = (await client.get("/metrics")).text

        counted = re.findall(r"framewell_http_request_seconds_count{(.*)} 1.0", text)
        assert sorted(counted) == [
            'dialect="mediareviewer",route="/api/media-items/stream",sent="pieces"',
            'dialect="platform",route="unmatched",sent="whole"',
        ]

    async def test_count_failures(self, client: httpx.AsyncClient, fake: FakeFs) -> None:
        fake.answers["GetSummary"] = ValueError("x")
        await client.get("/api/media-items/summary?path=/r")

        text = (await client.get("/metrics")).text

        assert 'framewell_http_errors_total{dialect="mediareviewer",route="/api/media-items/summary"} 1.0' in text

    async def test_are_there_while_the_service_is_not(self, make_app: MakeApp) -> None:
        async with make_app() as app, client_of(app) as client:
            text = (await client.get("/metrics")).text

        assert 'framewell_dependency_up{name="fs"} 0.0' in text
        assert "framewell_queue_jobs{" not in text


@asynccontextmanager
async def listening(port: int, headers: dict[str, str] | None = None) -> AsyncIterator[AsyncIterator[dict[str, str]]]:
    """The events of `/api/events` on a real port, as dictionaries of their fields."""

    async def events(lines: AsyncIterator[str]) -> AsyncIterator[dict[str, str]]:
        fields: dict[str, str] = {}
        async for line in lines:
            if line:
                key, _, value = line.partition(": ")
                fields[key] = value
            elif fields:
                yield fields
                fields = {}

    async with (
        httpx.AsyncClient(trust_env=False, timeout=10) as client,
        client.stream("GET", f"http://127.0.0.1:{port}/api/events", headers=headers) as answer,
    ):
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/event-stream"
        yield events(answer.aiter_lines())


async def next_of(events: AsyncIterator[dict[str, str]], kind: str) -> dict[str, str]:
    async with asyncio.timeout(10):
        async for event in events:
            if event.get("event") == kind:
                return event
    raise AssertionError("the events ended")


def state_event(sequence: int) -> fs_pb2.Event:
    return fs_pb2.Event(sequence=sequence, kind="state", payload_json=json.dumps({"path": "/r/a.jpg", "n": sequence}))


def watch_of(fs: FsClient, target: str) -> QueueWatch:
    """Where no catalogue is set up."""
    settings = GatewaySettings(fs_target=target)
    jobs = Jobs(fs, CatalogueClient.open(settings), SearchClient.open(settings), "auto")
    return QueueWatch(jobs, queues_out)


class TestEvents:
    async def test_of_the_service_keep_their_ids(self, port: int, fake: FakeFs) -> None:
        fake.answers["WatchEvents"] = [state_event(41), Pause()]

        async with listening(port) as events:
            state = await next_of(events, "state")

        assert (state["id"], json.loads(state["data"])) == ("41", {"path": "/r/a.jpg", "n": 41})
        assert not fake.last("WatchEvents").HasField("after")

    async def test_of_the_queues_come_when_the_figures_change(self, port: int, fake: FakeFs) -> None:
        fake.answers["WatchEvents"] = [state_event(41), Pause()]

        async with listening(port) as events:
            first = await next_of(events, "queue")
            fake.answers["GetQueues"] = fs_pb2.Queues(nats_up=True, index=fs_pb2.Queue(pending=5))
            second = await next_of(events, "queue")

        assert json.loads(first["data"])["idle"] is True
        assert json.loads(second["data"])["queues"]["index"]["pending"] == 5
        assert second["id"] == "41"

    async def test_of_no_kind_only_tell_where_to_resume(self, port: int, fake: FakeFs) -> None:
        fake.answers["WatchEvents"] = [fs_pb2.Event(sequence=40), Pause()]

        async with listening(port) as events:
            await next_of(events, "queue")
            fake.answers["GetQueues"] = fs_pb2.Queues(nats_up=True, index=fs_pb2.Queue(pending=5))
            assert (await next_of(events, "queue"))["id"] == "40"

    async def test_resume_behind_the_last_one_had(self, port: int, fake: FakeFs) -> None:
        fake.answers["WatchEvents"] = lambda request: [state_event(request.after + 1), Pause()]

        async with listening(port, {"Last-Event-ID": "41"}) as events:
            assert (await next_of(events, "state"))["id"] == "42"

    @pytest.mark.parametrize("sent", ["abc", "-1", "1.5", "4 2"])
    async def test_of_an_id_that_is_none_are_refused(self, client: httpx.AsyncClient, sent: str) -> None:
        error_of(await client.get("/api/events", headers={"Last-Event-ID": sent}), 400)

    async def test_without_the_service_are_503(self, make_app: MakeApp) -> None:
        async with make_app() as app, client_of(app) as client:
            error_of(await client.get("/api/events"), 503)

    async def test_stop_being_followed_when_the_listener_leaves(self, port: int, fake: FakeFs) -> None:
        pause = Pause()
        fake.answers["WatchEvents"] = [state_event(1), pause]

        async with listening(port) as events:
            await next_of(events, "state")
            async with asyncio.timeout(5):
                await pause.reached.wait()

        async with asyncio.timeout(2):
            await pause.cancelled.wait()
        asked = fake.count("GetQueues")
        await asyncio.sleep(1.5)
        assert fake.count("GetQueues") <= asked + 1

    async def test_go_on_from_there_when_the_service_comes_back(self, fake: FakeFs, socket_path: str) -> None:
        fake.answers["WatchEvents"] = lambda request: [state_event(request.after + 1 if request.after else 10)]
        fs = FsClient.open(GatewaySettings(fs_target=socket_path, connect_wait_s=5))
        stopping = asyncio.Event()
        stream = event_stream(fs, watch_of(fs, socket_path), None, stopping)
        seen: list[bytes] = []
        async with asyncio.timeout(20):
            async with serve_fake(fake, socket_path):
                while b"id: 10\n" not in b"".join(seen):
                    seen.append(await anext(stream))
            async with serve_fake(fake, socket_path):
                while b"id: 11\n" not in b"".join(seen):
                    seen.append(await anext(stream))
                stopping.set()
                async for chunk in stream:
                    seen.append(chunk)
            await fs.close()

        assert fake.last("WatchEvents").after >= 10

    async def test_keep_the_connection_alive_in_silence_and_end_with_the_server(
        self, fake: FakeFs, service: FakeFs, socket_path: str
    ) -> None:
        fake.answers["WatchEvents"] = [Pause()]
        fs = FsClient.open(GatewaySettings(fs_target=socket_path))
        stopping = asyncio.Event()
        seen: list[bytes] = []
        async with asyncio.timeout(10):
            async for chunk in event_stream(fs, watch_of(fs, socket_path), 5, stopping, heartbeat_s=0.05):
                seen.append(chunk)
                if sum(chunk.startswith(b": still") for chunk in seen) == 3:
                    stopping.set()
        await fs.close()

        assert seen[0] == b": connected\n\n"
        assert b"id: 5\nevent: queue\n" in b"".join(seen)


class TestThePage:
    @pytest.mark.parametrize(
        "address", ["/", "/docs", "/page/style.css", "/page/app.css", "/page/app.js", "/page/docs.js"]
    )
    async def test_needs_nothing_from_elsewhere(self, client: httpx.AsyncClient, address: str) -> None:
        answer = await client.get(address)

        assert answer.status_code == 200
        assert answer.headers["content-security-policy"].startswith("default-src 'self'")
        # Names of markup languages look like addresses and are none.
        text = re.sub(r"http://www\.w3\.org/(?:2000/svg|1999/xhtml|1998/Math/MathML)", "", answer.text)
        assert not re.search(r"https?://|//[a-z]+\.[a-z]", text)
        assert not re.search(r"<script(?![^>]*src=)|\bstyle=|\bon[a-z]+=\"", answer.text)
        again = await client.get(address, headers={"If-None-Match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")

    @pytest.mark.parametrize("address", ["/", "/docs"])
    async def test_what_it_names_is_kept_for_good_and_named_by_its_contents(
        self, client: httpx.AsyncClient, address: str
    ) -> None:
        start = await client.get(address)
        named = re.findall(r'"(/page/[^"]+)"', start.text)

        assert start.headers["cache-control"] == "no-cache"
        assert len(named) == 2
        for one in named:
            exact = await client.get(one)
            assert exact.status_code == 200
            assert "immutable" in exact.headers["cache-control"]
            path, _, version = one.partition("?v=")
            assert version == hashlib.sha256(exact.content).hexdigest()[:32]
            for other in (path, f"{path}?v=", f"{path}?v={'0' * 32}"):
                assert (await client.get(other)).headers["cache-control"] == "no-cache"

    @pytest.mark.parametrize(
        ("accepted", "is_packed"),
        [
            ("gzip, deflate, br", True),
            ("br;q=1.0, GZIP;q=0.5", True),
            ("*", True),
            ("gzip;q=0", False),
            ("gzip; q=0.000, br", False),
            ("br", False),
            ("", False),
        ],
    )
    async def test_is_sent_packed_to_who_takes_that(
        self, client: httpx.AsyncClient, accepted: str, is_packed: bool
    ) -> None:
        plain = await client.get("/page/app.js", headers={"Accept-Encoding": "identity"})
        answer = await client.get("/page/app.js", headers={"Accept-Encoding": accepted})

        assert answer.content == plain.content  # unpacked by the client
        assert "accept-encoding" in answer.headers["vary"].lower()
        assert answer.headers.get("content-encoding") == ("gzip" if is_packed else None)
        assert (answer.headers["etag"] == plain.headers["etag"]) is not is_packed
        if is_packed:
            assert int(answer.headers["content-length"]) < len(plain.content) / 2

    @pytest.mark.parametrize(
        "address", ["/page/nothing", "/page/__init__.py", "/page/..%2fapp.py", "/page/", "/page/LICENSES.txt"]
    )
    async def test_is_its_own_files_and_no_others(self, client: httpx.AsyncClient, address: str) -> None:
        error_of(await client.get(address), 404)

    async def test_has_no_icon(self, client: httpx.AsyncClient) -> None:
        assert (await client.get("/favicon.ico")).status_code == 204


class TestTheDocumentation:
    async def test_is_a_valid_openapi_document_of_every_route(self, app: FastAPI, client: httpx.AsyncClient) -> None:
        body = (await client.get("/openapi.json")).json()

        OpenAPI.model_validate(body)
        told = {(method, path) for path, methods in body["paths"].items() for method in methods}
        routes = {
            (method.lower(), route.path)
            for route in app.routes
            for method in getattr(route, "methods", None) or ()
            if method != "HEAD" and route.path not in ("/", "/docs", "/openapi.json", "/page/{name}", "/favicon.ico")
        }
        assert told == routes
        operations = [body["paths"][path][method] for method, path in told]
        assert len({operation["operationId"] for operation in operations}) == len(operations)
        tags = {tag["name"] for tag in body["tags"]}
        assert tags == {"MediaReviewer", "Exquisitor", "CoreViz", "Wickson", "Platform"}
        assert all(len(operation["tags"]) == 1 and operation["tags"][0] in tags for operation in operations)
        assert all(operation["responses"] for operation in operations)

    @pytest.mark.parametrize(
        "path",
        [f"/exq/search/{name}" for name in ("clip", "rf", "faceted", "image", "temporal")]
        + [f"/api/ai/{name}" for name in ("embed", "embeddings", "tag")],
    )
    async def test_says_all_of_what_a_search_takes_and_gives(self, client: httpx.AsyncClient, path: str) -> None:
        body = (await client.get("/openapi.json")).json()
        told = body["paths"][path]["post"]
        asked, given = told["requestBody"]["content"]["application/json"], told["responses"]["200"]["content"]
        for content in (asked, given["application/json"]):
            validator = jsonschema.Draft202012Validator({**content["schema"], "components": body["components"]})
            assert validator.is_valid(content["example"])
            assert not validator.is_valid({})
        fields = [asked["schema"], *asked["schema"].get("anyOf", ())]
        told_of = {name: field for one in fields for name, field in one.get("properties", {}).items()}
        assert told_of
        assert [name for name, field in told_of.items() if not field.get("description") and name != "type"] == []

    @pytest.mark.parametrize(
        "wrong",
        [
            {"n": 0},
            {"n": 1001},
            {"n": "1"},
            {"text": ""},
            {"text": "x" * 10_001},
            {"seen": [1.5]},
            {"seen": 1},
            {"filters": {"root": {"children": []}}},
            {"filters": {"root": {"operator": "AND", "children": [{"filter": {"id": 1}}]}}},
            {"filters": {"root": {"operator": "XOR", "children": []}}},
            {"session_info": {"session": "s", "collection": "c"}},
        ],
        ids=str,
    )
    async def test_describes_the_bounds_that_hold(
        self, make_app: MakeApp, service: FakeFs, tmp_path: Path, wrong: dict[str, Any]
    ) -> None:
        """What the description has for wrong is refused before anybody is asked; what it has for right is not."""
        right = {"text": "harbour", "n": 5, "session_info": {"session": "s", "collection": "c", "modelId": 1}}
        async with make_app(metadata_target=f"unix:{tmp_path}/none") as app, client_of(app) as client:
            body = (await client.get("/openapi.json")).json()
            asked = body["paths"]["/exq/search/clip"]["post"]["requestBody"]["content"]["application/json"]
            validator = jsonschema.Draft202012Validator({**asked["schema"], "components": body["components"]})
            for given, holds in ((right, True), ({**right, **wrong}, False)):
                status = (await client.post("/exq/search/clip", json=given)).status_code
                assert validator.is_valid(given) == holds == (status not in (400, 422)), status

    async def test_has_the_samples_with_their_nulls(self, client: httpx.AsyncClient) -> None:
        paths = (await client.get("/openapi.json")).json()["paths"]

        page = paths["/api/folders/files"]["get"]["responses"]["200"]["content"]["application/json"]["example"]
        assert page["items"][0]["metadata"] == review_docs.ITEM["metadata"]
        assert [parameter["name"] for parameter in paths["/api/media-items/stream"]["get"]["parameters"]] == [
            "path", "limit", "offset", "statusFilter", "after", "sort", "folder", "dateFrom", "dateTo"
        ]  # fmt: skip
        assert paths["/api/keys/{key_id}"]["delete"]["parameters"][0]["in"] == "path"
