"""An upload's trace goes on in the jobs that it brings with it: over a real socket, in a real queue."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import grpc
import nats
import pytest
from media_common import subjects
from media_common.grpc_client import open_channel
from media_common.testing import NatsServer, OtlpReceiver, nats_server, otlp_receiver
from media_common.tracing import carried
from media_proto import metadata_pb2 as pb
from media_proto import metadata_pb2_grpc
from metadata_service import trails
from metadata_service.trails import Trails
from nats.aio.client import Client
from nats.js.api import RetentionPolicy, StreamConfig

PARENT = "00f067aa0ba902b7"


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[NatsServer]:
    with nats_server(tmp_path / "nats") as server:
        yield server


@pytest.fixture
async def client(queue: NatsServer) -> AsyncIterator[Client]:
    connection = await nats.connect(queue.url)
    stream = StreamConfig(subjects.JOBS_STREAM, subjects=["jobs.*"], retention=RetentionPolicy.WORK_QUEUE)
    await connection.jetstream().add_stream(stream)
    yield connection
    await connection.close()


@pytest.fixture
def receiver() -> Iterator[OtlpReceiver]:
    with otlp_receiver() as made:
        yield made


@pytest.fixture
def service(tmp_path: Path, queue: NatsServer, receiver: OtlpReceiver) -> Iterator[str]:
    """Its address."""
    address = f"unix:{tmp_path}/metadata.sock"
    clean = {name: value for name, value in os.environ.items() if not name.startswith("FRAMEWELL_")}
    own = {"METADATA_LISTEN": address, "FRAMEWELL_STATE_DIR": str(tmp_path / "state"), "NATS_URL": queue.url}
    running = subprocess.Popen([sys.executable, "-m", "metadata_service"], env=clean | own | receiver.environment)
    try:
        yield address
    finally:
        running.terminate()
        assert running.wait(20) == 0


@pytest.fixture
async def channel(service: str, client: Client) -> AsyncIterator[grpc.aio.Channel]:
    async with open_channel(service) as made:
        yield made


async def headers_of(client: Client, subject: str, count: int) -> list[str]:
    """`traceparent` of the messages of a subject, in order; empty where there is none."""
    subscription = await client.jetstream().pull_subscribe(subject, stream=subjects.JOBS_STREAM)
    found: list[str] = []
    while len(found) < count:
        for message in await subscription.fetch(count - len(found), timeout=20):
            found.append((message.headers or {}).get("traceparent", ""))
            await message.ack()
    await subscription.unsubscribe()
    return found


async def test_the_jobs_of_an_upload_are_parts_of_its_trace(
    channel: grpc.aio.Channel, client: Client, receiver: OtlpReceiver
) -> None:
    stub = metadata_pb2_grpc.MetadataServiceStub(channel)
    await stub.CreateCollection(pb.CreateCollectionRequest(name="Mine"), timeout=20, wait_for_ready=True)
    traces = [f"{number:032x}" for number in (1, 2, 3)]
    for number, trace in enumerate(traces):
        upload = pb.AddUploadRequest(
            collection="mine",
            name=f"{number}.jpg",
            kind=pb.MEDIA_KIND_IMAGE,
            sha256=bytes([number]) * 32,
            content_type="image/jpeg",
        )
        along = grpc.aio.Metadata(("traceparent", f"00-{trace}-{PARENT}-01"))
        await stub.AddUpload(upload, timeout=20, metadata=along)
    for subject in (subjects.JOBS_THUMBNAIL, subjects.JOBS_EMBED):
        headers = await headers_of(client, subject, 3)
        assert sorted(header.split("-")[1] for header in headers) == traces, subject
        # What the job is a part of is the call, not the caller.
        assert PARENT not in "".join(headers)


def test_without_a_trace_nothing_is_noted() -> None:
    noted = Trails()
    noted.note(1)
    assert noted.of(1) == {}


def test_a_trail_is_given_once_and_the_oldest_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trails, "_MOST", 2)
    noted = Trails()
    token = carried.set({"traceparent": "here"})
    try:
        for job in (1, 2, b"three"):
            noted.note(job)
    finally:
        carried.reset(token)
    assert [dict(noted.of(job)) for job in (1, 2, b"three", b"three")] == [
        {},
        {"traceparent": "here"},
        {"traceparent": "here"},
        {},
    ]
