"""Figures of a service as Prometheus gets them: calls over real sockets, scrapes over real HTTP."""

from __future__ import annotations

import asyncio
import logging
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from media_common.config import PublicSettings, SettingsError
from media_common.errors import InvalidArgument
from media_common.figures import Figures
from media_common.grpc_client import open_channel
from media_common.grpc_server import serving
from media_common.testing import free_port, scraped
from media_common.tracing import NO_SPANS
from media_common.watching import Watching, watched
from media_proto import fs_pb2, fs_pb2_grpc
from prometheus_client.core import GaugeMetricFamily, Metric

FS = "framewell.fs.v1.FsService"


class Servicer(fs_pb2_grpc.FsServiceServicer):
    """Does what the path says."""

    async def GetSummary(self, request: fs_pb2.GetSummaryRequest, context: Any) -> fs_pb2.Summary:
        match request.path:
            case b"refused":
                raise InvalidArgument("No.")
            case b"broken":
                raise OSError("Broken.")
            case b"slow":
                await asyncio.Event().wait()
        return fs_pb2.Summary()

    async def Replay(self, request: fs_pb2.ReplayRequest, context: Any) -> AsyncIterator[fs_pb2.ItemBatch]:
        yield fs_pb2.ItemBatch()
        if request.path == b"refused":
            raise InvalidArgument("No more.")
        if request.path == b"endless":
            while True:
                yield fs_pb2.ItemBatch()


KINDS = {"GetSummary": "unary_unary", "Replay": "unary_stream"}


def labels(method: str) -> str:
    return f"grpc_method={method},grpc_service={FS},grpc_type={KINDS[method]}"


def calls(samples: dict[str, float], method: str, status: str) -> float:
    """Those that ended so."""
    return samples.get(f"grpc_server_handled_total{{grpc_code={status},{labels(method)}}}", 0)


@asynccontextmanager
async def service(folder: Path, listen: str) -> AsyncIterator[tuple[grpc.aio.Channel, Watching]]:
    def register(server: grpc.aio.Server) -> None:
        fs_pb2_grpc.add_FsServiceServicer_to_server(Servicer(), server)

    address = f"unix:{folder}/s.sock"
    async with (
        watched("test", PublicSettings(METRICS_LISTEN=listen)) as watching,
        serving(address, register, [FS], 0.2, watching.interceptors),
        open_channel(address) as channel,
    ):
        yield channel, watching


@pytest.fixture
def listen() -> str:
    return f"127.0.0.1:{free_port()}"


async def ended(call: Any) -> grpc.StatusCode:
    """The status of a call that is read to its end."""
    try:
        if isinstance(call, grpc.aio.UnaryStreamCall):
            async for _ in call:
                pass
        else:
            await call
    except grpc.aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK


async def test_calls_are_counted_by_the_status_that_the_caller_got(tmp_path: Path, listen: str) -> None:
    async with service(tmp_path, listen) as (channel, _):
        stub = fs_pb2_grpc.FsServiceStub(channel)
        for path in (b"", b"", b"refused", b"broken"):
            await ended(stub.GetSummary(fs_pb2.GetSummaryRequest(path=path), timeout=5))
        for path in (b"", b"refused"):
            await ended(stub.Replay(fs_pb2.ReplayRequest(path=path), timeout=5))
        samples = await scraped(listen)
    counted = {
        (method, status): calls(samples, method, status)
        for method in ("GetSummary", "Replay")
        for status in ("OK", "INVALID_ARGUMENT", "INTERNAL")
    }
    assert counted == {
        ("GetSummary", "OK"): 2,
        ("GetSummary", "INVALID_ARGUMENT"): 1,
        ("GetSummary", "INTERNAL"): 1,
        ("Replay", "OK"): 1,
        ("Replay", "INVALID_ARGUMENT"): 1,
        ("Replay", "INTERNAL"): 0,
    }
    told = labels("GetSummary")
    assert samples[f"grpc_server_started_total{{{told}}}"] == 4
    assert samples[f"grpc_server_handling_seconds_count{{{told}}}"] == 4
    assert 0 < samples[f"grpc_server_handling_seconds_sum{{{told}}}"] < 5


async def test_a_caller_that_leaves_ends_its_call_as_cancelled(tmp_path: Path, listen: str) -> None:
    async with service(tmp_path, listen) as (channel, _):
        stub = fs_pb2_grpc.FsServiceStub(channel)
        late = await ended(stub.GetSummary(fs_pb2.GetSummaryRequest(path=b"slow"), timeout=0.1))
        assert late is grpc.StatusCode.DEADLINE_EXCEEDED
        endless = stub.Replay(fs_pb2.ReplayRequest(path=b"endless"), timeout=20)
        async for _ in endless:
            break
        endless.cancel()
        async with asyncio.timeout(5):
            while True:
                samples = await scraped(listen)
                if calls(samples, "GetSummary", "CANCELLED") == calls(samples, "Replay", "CANCELLED") == 1:
                    break
                await asyncio.sleep(0.02)


async def test_health_and_reflection_are_not_counted(tmp_path: Path, listen: str) -> None:
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    async with service(tmp_path, listen) as (channel, _):
        await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=5)
        samples = await scraped(listen)
    assert not [name for name in samples if name.startswith("grpc_server")]


async def test_a_service_tells_of_its_process(tmp_path: Path, listen: str) -> None:
    async with service(tmp_path, listen):
        samples = await scraped(listen)
    for name in ("process_resident_memory_bytes", "process_cpu_seconds_total", "process_open_fds"):
        assert samples[name] > 0


async def test_what_is_only_known_when_it_is_asked_for_is_asked_on_the_services_own_loop(listen: str) -> None:
    home = asyncio.get_running_loop()
    asked = 0

    async def ask() -> Iterable[Metric]:
        nonlocal asked
        assert asyncio.get_running_loop() is home
        asked += 1
        return [GaugeMetricFamily("framewell_asked", "So often", value=asked)]

    figures = Figures()
    figures.ask(ask)
    assert asked == 0
    async with figures.served(listen):
        for often in (1, 2):
            assert (await scraped(listen))["framewell_asked"] == often
        figures.ask_no_more()
        after = await scraped(listen)
    assert "framewell_asked" not in after
    assert "process_open_fds" in after
    assert asked == 2


async def test_what_cannot_be_found_out_in_time_is_missing_and_the_rest_is_told(listen: str) -> None:
    async def never() -> Iterable[Metric]:
        await asyncio.Event().wait()
        return ()

    async def failing() -> Iterable[Metric]:
        raise InvalidArgument("It cannot be counted now.")

    async def known() -> Iterable[Metric]:
        return [GaugeMetricFamily("framewell_known", "Is told", value=1)]

    figures = Figures()
    # Many that are slow take no longer than one: Prometheus waits for ten seconds and no more.
    for ask in (*[never] * 12, failing, known):
        figures.ask(ask)
    async with figures.served(listen):
        began = time.monotonic()
        assert (await scraped(listen))["framewell_known"] == 1
        assert time.monotonic() - began < 5


async def test_a_figure_that_nobody_foresaw_to_fail_hides_itself_alone(
    listen: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken() -> Iterable[Metric]:
        raise sqlite3.OperationalError("disk I/O error")

    async def known() -> Iterable[Metric]:
        return [GaugeMetricFamily("framewell_known", "Is told", value=1)]

    figures = Figures()
    for ask in (broken, known):
        figures.ask(ask)
    async with figures.served(listen):
        assert (await scraped(listen))["framewell_known"] == 1
    assert "disk I/O error" in caplog.text


async def test_an_address_that_is_taken_is_told_and_the_service_runs_all_the_same(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = f"127.0.0.1:{other.getsockname()[1]}"
        with caplog.at_level(logging.ERROR):
            async with service(tmp_path, taken) as (channel, _):
                stub = fs_pb2_grpc.FsServiceStub(channel)
                assert await ended(stub.GetSummary(fs_pb2.GetSummaryRequest(), timeout=5)) is grpc.StatusCode.OK
    assert f"no figures: cannot listen on {taken}" in caplog.text


async def test_the_port_is_free_again_when_the_service_has_ended(tmp_path: Path, listen: str) -> None:
    for _ in range(2):
        async with service(tmp_path, listen):
            assert await scraped(listen)


async def test_nothing_is_put_round_a_call_while_nobody_asks_for_figures() -> None:
    async with watched("test", PublicSettings()) as watching:
        assert watching == Watching(None, NO_SPANS, [])


def test_nothing_is_imported_while_nobody_asks_for_figures_or_traces() -> None:
    program = (
        "import asyncio, sys\n"
        "from media_common.config import PublicSettings\n"
        "from media_common.watching import watched\n"
        "async def main():\n"
        "    async with watched('test', PublicSettings()): pass\n"
        "asyncio.run(main())\n"
        "print([name for name in sys.modules if name.startswith(('prometheus_client', 'opentelemetry.sdk'))])\n"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"


@pytest.mark.parametrize("value", ["9464", "127.0.0.1", "127.0.0.1:", "here:http", "two words:1"])
def test_an_address_of_figures_that_is_none_is_named(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("METRICS_LISTEN", value)
    with pytest.raises(SettingsError, match=rf"^METRICS_LISTEN='{value}' is not valid: .*\.$"):
        PublicSettings.load()
