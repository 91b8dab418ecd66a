"""One trace over real sockets, told over OTLP to whoever takes it, and nothing at all where nobody does."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from media_common.config import PublicSettings
from media_common.errors import InvalidArgument
from media_common.grpc_client import open_channel
from media_common.grpc_server import serving
from media_common.testing import OtlpReceiver, ToldSpan, free_port, otlp_receiver
from media_common.tracing import NO_SPANS, Kind, carried, received
from media_common.watching import watched
from media_proto import fs_pb2, fs_pb2_grpc

FS = "framewell.fs.v1.FsService"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"


class Servicer(fs_pb2_grpc.FsServiceServicer):
    """Refuses, breaks, or asks the next; gives back the metadata that it got."""

    def __init__(self, following: grpc.aio.Channel | None = None) -> None:
        self._following = following
        self.got: list[Mapping[str, str]] = []

    async def GetSummary(self, request: fs_pb2.GetSummaryRequest, context: Any) -> fs_pb2.Summary:
        self.got.append(dict(context.invocation_metadata()))
        match request.path:
            case b"refused":
                raise InvalidArgument("No.")
            case b"broken":
                raise OSError("Broken.")
        if self._following is not None:
            stub = fs_pb2_grpc.FsServiceStub(self._following)
            await stub.GetSummary(request, timeout=5)
            async for _ in stub.Replay(fs_pb2.ReplayRequest(), timeout=5):
                pass
        return fs_pb2.Summary()

    async def Replay(self, request: fs_pb2.ReplayRequest, context: Any) -> AsyncIterator[fs_pb2.ItemBatch]:
        yield fs_pb2.ItemBatch()


@pytest.fixture
def receiver() -> Iterator[OtlpReceiver]:
    with otlp_receiver() as made:
        yield made


@pytest.fixture
def told(receiver: OtlpReceiver, monkeypatch: pytest.MonkeyPatch) -> OtlpReceiver:
    """What this process's services send."""
    for name, value in receiver.environment.items():
        monkeypatch.setenv(name, value)
    return receiver


@asynccontextmanager
async def service(folder: Path, name: str, servicer: Servicer) -> AsyncIterator[grpc.aio.Channel]:
    def register(server: grpc.aio.Server) -> None:
        fs_pb2_grpc.add_FsServiceServicer_to_server(servicer, server)

    address = f"unix:{folder}/{name}.sock"
    async with (
        watched(name, PublicSettings()) as watching,
        serving(address, register, [FS], 0.2, watching.interceptors),
        open_channel(address) as channel,
    ):
        yield channel


async def ask(channel: grpc.aio.Channel, path: bytes = b"", **metadata: str) -> None:
    call = fs_pb2_grpc.FsServiceStub(channel).GetSummary
    try:
        await call(fs_pb2.GetSummaryRequest(path=path), timeout=5, metadata=grpc.aio.Metadata(*metadata.items()))
    except grpc.aio.AioRpcError:
        assert path


def by_service(spans: list[ToldSpan]) -> dict[tuple[str, str], ToldSpan]:
    found = {(span.service, span.name.rpartition("/")[2]): span for span in spans}
    assert len(found) == len(spans)
    return found


async def test_a_call_and_what_it_calls_are_one_trace(tmp_path: Path, told: OtlpReceiver) -> None:
    async with service(tmp_path, "last", Servicer()) as last, service(tmp_path, "first", Servicer(last)) as first:
        await ask(first, traceparent=TRACEPARENT, tracestate="vendor=1")
    spans = by_service(told.spans)
    assert spans.keys() == {("first", "GetSummary"), ("last", "GetSummary"), ("last", "Replay")}
    assert {span.trace_id for span in told.spans} == {TRACE}
    asked = spans["first", "GetSummary"]
    assert asked.parent_id == PARENT
    assert {spans["last", name].parent_id for name in ("GetSummary", "Replay")} == {asked.span_id}
    assert asked.attributes == {
        "rpc.system": "grpc",
        "rpc.service": FS,
        "rpc.method": "GetSummary",
        "rpc.response.status_code": "OK",
    }


async def test_a_call_that_nobody_traced_before_begins_a_trace(tmp_path: Path, told: OtlpReceiver) -> None:
    async with service(tmp_path, "fs", Servicer()) as channel:
        for _ in range(2):
            await ask(channel)
        await ask(channel, traceparent="00-nonsense-01")
    assert len({span.trace_id for span in told.spans}) == 3
    assert {span.parent_id for span in told.spans} == {""}


async def test_a_fault_of_the_server_is_one_in_the_trace_and_a_callers_is_none(
    tmp_path: Path, told: OtlpReceiver
) -> None:
    async with service(tmp_path, "fs", Servicer()) as channel:
        await ask(channel, b"refused")
        await ask(channel, b"broken")
    statuses = [(span.attributes["rpc.response.status_code"], span.failed) for span in told.spans]
    assert statuses == [("INVALID_ARGUMENT", False), ("INTERNAL", True)]


async def test_what_a_stranger_sends_beside_the_trace_goes_no_further(tmp_path: Path, told: OtlpReceiver) -> None:
    servicer = Servicer()
    async with service(tmp_path, "last", servicer) as last, service(tmp_path, "first", Servicer(last)) as first:
        await ask(first, traceparent=TRACEPARENT, tracestate="vendor=1", baggage="secret=1")
    [got] = servicer.got
    assert got["traceparent"].startswith(f"00-{TRACE}-")
    assert got["tracestate"] == "vendor=1"
    assert "baggage" not in got


async def test_spans_are_sent_when_the_service_ends(
    tmp_path: Path, told: OtlpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "3600000")
    async with service(tmp_path, "fs", Servicer()) as channel:
        await ask(channel)
        assert told.spans == []
    assert len(told.spans) == 1


async def test_a_message_is_a_part_of_the_trace_that_its_headers_name(told: OtlpReceiver) -> None:
    async with watched("worker", PublicSettings()) as watching:
        span = received(watching.spans, "jobs.thumbnail", {"traceparent": TRACEPARENT, "Nats-Msg-Id": "7"})
        assert span.carrier["traceparent"].startswith(f"00-{TRACE}-")
        span.ended(failed=True)
        received(watching.spans, "jobs.thumbnail", None).ended()
    first, second = told.spans
    assert (first.name, first.trace_id, first.parent_id, first.failed) == (
        "process jobs.thumbnail",
        TRACE,
        PARENT,
        True,
    )
    assert (second.parent_id, second.failed) == ("", False)
    assert first.attributes["messaging.destination.name"] == "jobs.thumbnail"


@pytest.mark.parametrize(
    ("variable", "value"),
    [("OTEL_SDK_DISABLED", "true"), ("OTEL_SDK_DISABLED", "TRUE"), ("OTEL_TRACES_EXPORTER", "none")],
)
async def test_the_standards_switches_switch_it_off(
    tmp_path: Path, told: OtlpReceiver, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    servicer = Servicer()
    async with service(tmp_path, "last", servicer) as last, service(tmp_path, "first", Servicer(last)) as first:
        await ask(first, traceparent=TRACEPARENT)
    assert told.spans == []
    assert "traceparent" not in servicer.got[0]


async def test_the_address_of_traces_alone_is_enough(
    tmp_path: Path, receiver: OtlpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", f"{receiver.url}/v1/traces")
    async with service(tmp_path, "fs", Servicer()) as channel:
        await ask(channel)
    assert len(receiver.spans) == 1


async def test_a_protocol_that_is_not_built_is_told_and_the_service_runs_all_the_same(
    tmp_path: Path, told: OtlpReceiver, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    with caplog.at_level(logging.ERROR):
        async with service(tmp_path, "fs", Servicer()) as channel:
            await ask(channel)
    assert told.spans == []
    assert "no traces: OTEL_EXPORTER_OTLP_PROTOCOL=grpc" in caplog.text


async def test_a_setting_of_the_sdk_that_it_does_not_take_keeps_no_service_from_running(
    tmp_path: Path, told: OtlpReceiver, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "1")  # fewer than are sent at a time
    with caplog.at_level(logging.ERROR):
        async with service(tmp_path, "fs", Servicer()) as channel:
            await ask(channel)
    assert told.spans == []
    assert "no traces: " in caplog.text


async def test_nobody_who_takes_traces_keeps_a_service_from_ending(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with otlp_receiver():  # the SDK is there
        pass
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{free_port()}")
    with caplog.at_level(logging.CRITICAL):
        async with service(tmp_path, "fs", Servicer()) as channel:
            await ask(channel)
            began = time.monotonic()
    assert time.monotonic() - began < 5


PROGRAM = """
import asyncio, sys
{before}
from media_common.config import PublicSettings
from media_common.watching import watched
async def main():
    async with watched("test", PublicSettings()) as watching:
        print(len(watching.interceptors))
asyncio.run(main())
"""


def test_without_the_sdk_a_service_says_so_and_runs() -> None:
    program = PROGRAM.format(before="sys.modules['opentelemetry.sdk'] = None")
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "PYTHONPATH": ":".join(sys.path)}
    ran = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    assert ran.stdout == "0\n"
    assert "is not installed; it comes with framewell-common[traces]" in ran.stderr


async def test_while_nobody_takes_traces_nothing_goes_along(tmp_path: Path) -> None:
    servicer = Servicer()
    async with service(tmp_path, "fs", servicer) as channel:
        await ask(channel)
        assert not carried.get()
    assert "traceparent" not in servicer.got[0]


def test_a_span_that_is_none_does_nothing() -> None:
    span = NO_SPANS.begin("name", Kind.SERVER, {"traceparent": TRACEPARENT}, {})
    span.ended(failed=True)
    assert not span.carrier
    assert span is received(NO_SPANS, "jobs.thumbnail", None)


async def test_two_calls_side_by_side_keep_their_own_traces(tmp_path: Path, told: OtlpReceiver) -> None:
    async with service(tmp_path, "last", Servicer()) as last, service(tmp_path, "first", Servicer(last)) as first:
        traces = [f"{number:032x}" for number in range(1, 21)]
        await asyncio.gather(*(ask(first, traceparent=f"00-{trace}-{PARENT}-01") for trace in traces))
    for trace in traces:
        own = by_service([span for span in told.spans if span.trace_id == trace])
        assert own.keys() == {("first", "GetSummary"), ("last", "GetSummary"), ("last", "Replay")}
        assert own["last", "GetSummary"].parent_id == own["first", "GetSummary"].span_id
