"""Errors by name, request ids, health and reflection, over real sockets."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from media_common.errors import ErrorCode, InvalidArgument, ServiceError
from media_common.grpc_client import error_code_of, open_channel
from media_common.grpc_server import MAX_MESSAGE_BYTES, REQUEST_ID, serving
from media_common.logs import request_id
from media_common.wire import WIRE
from media_proto import fs_pb2, fs_pb2_grpc, metadata_pb2, metadata_pb2_grpc

NAME = fs_pb2.DESCRIPTOR.services_by_name["FsService"].full_name


class Failing(fs_pb2_grpc.FsServiceServicer):
    """Raises what it is told to; the summary's path is the request id that it saw."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error

    async def GetSummary(self, request: fs_pb2.GetSummaryRequest, context: Any) -> fs_pb2.Summary:
        if self.error is not None:
            raise self.error
        if request.path == b"slow":
            await asyncio.Event().wait()
        if request.path == b"huge":
            return fs_pb2.Summary(path=bytes(MAX_MESSAGE_BYTES))
        return fs_pb2.Summary(path=request_id.get().encode())

    async def Replay(self, request: fs_pb2.ReplayRequest, context: Any) -> AsyncIterator[fs_pb2.ItemBatch]:
        yield fs_pb2.ItemBatch(items=[fs_pb2.Item(path=request_id.get().encode())])
        if self.error is not None:
            raise self.error
        yield fs_pb2.ItemBatch(last=True)


@asynccontextmanager
async def served(folder: Path, servicer: Failing) -> AsyncIterator[grpc.aio.Channel]:
    address = f"unix:{folder}/s.sock"

    def register(server: grpc.aio.Server) -> None:
        fs_pb2_grpc.add_FsServiceServicer_to_server(servicer, server)

    async with serving(address, register, [NAME], stop_grace_s=0.2), open_channel(address) as channel:
        yield channel


def error_with(code: ErrorCode) -> ServiceError:
    error = ServiceError(f"A sentence about {code}.")
    error.code = code
    return error


@pytest.mark.parametrize("code", sorted(ErrorCode))
async def test_an_error_reaches_the_caller_by_name(tmp_path: Path, code: ErrorCode) -> None:
    async with served(tmp_path, Failing(error_with(code))) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await fs_pb2_grpc.FsServiceStub(channel).GetSummary(fs_pb2.GetSummaryRequest(), timeout=5)
    assert caught.value.code() is WIRE[code].grpc
    assert caught.value.details() == f"A sentence about {code}."
    assert error_code_of(caught.value) is code


async def test_an_answer_that_no_message_holds_is_refused_by_name(tmp_path: Path) -> None:
    async with served(tmp_path, Failing()) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await fs_pb2_grpc.FsServiceStub(channel).GetSummary(fs_pb2.GetSummaryRequest(path=b"huge"), timeout=5)
    assert error_code_of(caught.value) is ErrorCode.ANSWER_TOO_LARGE
    assert "ask for fewer" in str(caught.value.details())


async def test_an_unexpected_error_is_a_traceback_inside_and_two_words_outside(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        async with served(tmp_path, Failing(OSError(2, "No such file", "/outside/secret.jpg"))) as channel:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await fs_pb2_grpc.FsServiceStub(channel).GetSummary(fs_pb2.GetSummaryRequest(), timeout=5)
    assert (caught.value.code(), caught.value.details()) == (grpc.StatusCode.INTERNAL, "internal error")
    assert error_code_of(caught.value) is ErrorCode.INTERNAL
    assert "/outside/secret.jpg" in caplog.text


async def test_a_stream_that_breaks_gives_what_it_had_and_then_the_name(tmp_path: Path) -> None:
    async with served(tmp_path, Failing(InvalidArgument("Half way."))) as channel:
        batches = aiter(fs_pb2_grpc.FsServiceStub(channel).Replay(fs_pb2.ReplayRequest(), timeout=5))
        assert len((await anext(batches)).items) == 1
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await anext(batches)
    assert (error_code_of(caught.value), caught.value.details()) == (ErrorCode.INVALID_ARGUMENT, "Half way.")


async def test_a_call_that_streams_both_ways_fails_by_name_too(tmp_path: Path) -> None:
    class Taking(metadata_pb2_grpc.MetadataServiceServicer):
        async def ImportCollection(self, requests: Any, context: Any) -> AsyncIterator[metadata_pb2.ImportStep]:
            async for part in requests:
                yield metadata_pb2.ImportStep(collection=metadata_pb2.Collection(slug=request_id.get()))
                if part.end.items == 2:
                    raise InvalidArgument("Two are too many.")

    def register(server: grpc.aio.Server) -> None:
        metadata_pb2_grpc.add_MetadataServiceServicer_to_server(Taking(), server)

    address = f"unix:{tmp_path}/m.sock"
    async with serving(address, register, [], stop_grace_s=0.2), open_channel(address) as channel:
        sent = grpc.aio.Metadata((REQUEST_ID, "req-8"))
        call = metadata_pb2_grpc.MetadataServiceStub(channel).ImportCollection(timeout=5, metadata=sent)
        for number in (1, 2):
            await call.write(metadata_pb2.ImportPart(end=metadata_pb2.ImportEnd(items=number)))
            assert (await call.read()).collection.slug == "req-8"
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call.read()
    assert (error_code_of(caught.value), caught.value.details()) == (ErrorCode.INVALID_ARGUMENT, "Two are too many.")


async def test_the_request_id_travels_with_every_kind_of_call(tmp_path: Path) -> None:
    async with served(tmp_path, Failing()) as channel:
        stub = fs_pb2_grpc.FsServiceStub(channel)
        request_id.set("req-7")
        try:
            summary = await stub.GetSummary(fs_pb2.GetSummaryRequest(), timeout=5)
            batches = [batch async for batch in stub.Replay(fs_pb2.ReplayRequest(), timeout=5)]
        finally:
            request_id.set("")
        without = await stub.GetSummary(fs_pb2.GetSummaryRequest(), timeout=5)
    assert (summary.path, batches[0].items[0].path, without.path) == (b"req-7", b"req-7", b"")


async def test_nobody_listening_a_deadline_and_an_unknown_service_have_names_too(tmp_path: Path) -> None:
    async with open_channel(f"unix:{tmp_path}/nobody.sock") as channel:
        with pytest.raises(grpc.aio.AioRpcError) as nobody:
            await fs_pb2_grpc.FsServiceStub(channel).GetSummary(fs_pb2.GetSummaryRequest(), timeout=5)
    async with served(tmp_path, Failing()) as channel:
        stub = fs_pb2_grpc.FsServiceStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as late:
            await stub.GetSummary(fs_pb2.GetSummaryRequest(path=b"slow"), timeout=0.1)
        with pytest.raises(grpc.aio.AioRpcError) as unknown:
            await metadata_pb2_grpc.MetadataServiceStub(channel).GetReadiness(
                metadata_pb2.GetReadinessRequest(), timeout=5
            )
    names = [error_code_of(caught.value) for caught in (nobody, late, unknown)]
    assert names == [ErrorCode.SERVICE_UNAVAILABLE, ErrorCode.DEADLINE, ErrorCode.NOT_BUILT]


async def test_a_server_answers_health_for_itself_and_for_its_service(tmp_path: Path) -> None:
    async with served(tmp_path, Failing()) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        for name in ("", NAME):
            answer = await health.Check(health_pb2.HealthCheckRequest(service=name), timeout=5)
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
        watching = health.Watch(health_pb2.HealthCheckRequest(service=NAME), timeout=5)
        assert (await anext(aiter(watching))).status == health_pb2.HealthCheckResponse.SERVING
        watching.cancel()


async def test_a_server_says_what_it_serves(tmp_path: Path) -> None:
    async with served(tmp_path, Failing()) as channel:
        asked = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(
            iter([reflection_pb2.ServerReflectionRequest(list_services="")]), timeout=5
        )
        answer = await anext(aiter(asked))
    assert {service.name for service in answer.list_services_response.service} >= {NAME, "grpc.health.v1.Health"}


async def test_a_socket_that_a_killed_server_left_behind_is_taken_over(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(tmp_path / "s.sock"))
    async with served(tmp_path, Failing()) as channel:
        await fs_pb2_grpc.FsServiceStub(channel).GetSummary(fs_pb2.GetSummaryRequest(), timeout=5)
