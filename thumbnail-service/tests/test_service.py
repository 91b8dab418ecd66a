"""The worker as a process: health that follows NATS, figures, reflection, settings that are refused."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from media_common import subjects
from media_common.grpc_client import open_channel
from media_common.testing import NatsServer
from media_proto import thumbnail_pb2, thumbnail_pb2_grpc
from nats.aio.client import Client
from thumbnail_service.testing import save_photo

SERVICE = "framewell.thumbnail.v1.ThumbnailService"
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@asynccontextmanager
async def service(nats_url: str, folder: Path) -> AsyncIterator[grpc.aio.Channel]:
    listen = f"unix:{folder}/t.sock"
    environment = {"PATH": os.environ["PATH"], "NATS_URL": nats_url, "THUMBNAIL_LISTEN": listen}
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "thumbnail_service", env=environment)
    try:
        async with open_channel(listen) as channel:
            yield channel
    finally:
        process.terminate()
        assert await process.wait() == 0


async def until_health_is(channel: grpc.aio.Channel, status: int) -> None:
    stub = health_pb2_grpc.HealthStub(channel)
    for name in ("", SERVICE):
        async with asyncio.timeout(20):
            request = health_pb2.HealthCheckRequest(service=name)
            while (await stub.Check(request, wait_for_ready=True)).status != status:  # noqa: ASYNC110
                await asyncio.sleep(0.05)


async def test_health_follows_nats_and_the_figures_count(nats: NatsServer, client: Client, tmp_path: Path) -> None:
    async with service(nats.url, tmp_path) as channel:
        await until_health_is(channel, SERVING)
        photo = save_photo(tmp_path / "a.jpg")
        (tmp_path / "b.jpg").write_bytes(b"broken")
        for name in (b"a.jpg", b"b.jpg", b"a.jpg"):
            request = thumbnail_pb2.RenderRequest(
                root=os.fsencode(photo.parent), relative_path=name, size_px=64
            ).SerializeToString()
            inbox = await client.subscribe(client.new_inbox())
            await client.publish(subjects.RENDER, request, reply=inbox.subject)
            while thumbnail_pb2.RenderReply.FromString((await inbox.next_msg(20)).data).working:
                pass
        stub = thumbnail_pb2_grpc.ThumbnailServiceStub(channel)
        figures = await stub.GetFigures(thumbnail_pb2.GetFiguresRequest())
        assert figures == thumbnail_pb2.Figures(rendered=1, cached=1, placeholders=1, failed=0)
        await asyncio.to_thread(nats.stop)
        await until_health_is(channel, NOT_SERVING)
        await asyncio.to_thread(nats.start)
        await until_health_is(channel, SERVING)


async def test_the_service_tells_what_it_offers(nats: NatsServer, tmp_path: Path) -> None:
    async with service(nats.url, tmp_path) as channel:
        await until_health_is(channel, SERVING)
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        call = stub.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(list_services="")]))
        async for answer in call:
            names = {entry.name for entry in answer.list_services_response.service}
            assert SERVICE in names
            break
        call.cancel()


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({}, "NATS_URL is not set"),
        ({"NATS_URL": "nats://127.0.0.1:1", "THUMBNAIL_CONCURRENCY": "0"}, "THUMBNAIL_CONCURRENCY='0' is not valid"),
        ({"NATS_URL": "nats://127.0.0.1:1", "THUMBNAIL_LISTEN": "nowhere"}, "THUMBNAIL_LISTEN='nowhere' is not valid"),
    ],
)
async def test_a_wrong_setting_is_told_in_one_sentence(variables: dict[str, str], sentence: str) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "thumbnail_service",
        env={"PATH": os.environ["PATH"], **variables},
        stderr=asyncio.subprocess.PIPE,
    )
    _, text = await process.communicate()
    assert process.returncode == 1
    assert sentence in text.decode()
    assert len(text.decode().splitlines()) == 1
