"""An fs-service in memory, behind a real gRPC socket: what it answers is set by the test, what it was asked is kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.message import Message
from media_common.errors import ErrorCode, ServiceError
from media_proto import fs_pb2, fs_pb2_grpc

PNG = b"\x89PNG\r\n\x1a\n not much of a picture"


class Refused(ServiceError):
    """Any refusal that a service can make."""

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code = code


class Pause:
    """Put into a stream: the service waits here until the call is cancelled or the test goes on."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.go_on = asyncio.Event()
        self.cancelled = asyncio.Event()

    async def wait(self) -> None:
        self.reached.set()
        try:
            await self.go_on.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise


Scripted = Message | Exception | Pause


@dataclass
class FakeFs(fs_pb2_grpc.FsServiceServicer):
    """Answers by method name: a message, an exception, a callable on the request, or a list of them for a stream."""

    answers: dict[str, Any] = field(default_factory=dict)
    asked: list[tuple[str, Any]] = field(default_factory=list)
    request_ids: list[str] = field(default_factory=list)

    def last(self, method: str) -> Any:
        """The latest request of the method."""
        return [request for name, request in self.asked if name == method][-1]

    def count(self, method: str) -> int:
        return sum(name == method for name, _ in self.asked)

    async def unary(self, method: str, request: Any, context: Any) -> Any:
        self.asked.append((method, request))
        self.request_ids += [value for key, value in context.invocation_metadata() if key == "x-request-id"]
        answer = self.answers[method]
        if callable(answer):
            answer = answer(request)
        if isinstance(answer, Pause):
            await answer.wait()
            raise AssertionError("a unary call goes on for ever")
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def stream(self, method: str, request: Any) -> AsyncIterator[Any]:
        self.asked.append((method, request))
        script: Iterable[Scripted] = self.answers[method]
        if callable(script):
            script = script(request)
        for step in script:
            if isinstance(step, Pause):
                await step.wait()
            elif isinstance(step, Exception):
                raise step
            else:
                yield step


def _unary(method: str) -> Callable[..., Any]:
    async def call(self: FakeFs, request: Any, context: Any) -> Any:
        return await self.unary(method, request, context)

    return call


def _stream(method: str) -> Callable[..., Any]:
    async def call(self: FakeFs, request: Any, context: Any) -> AsyncIterator[Any]:
        async for message in self.stream(method, request):
            yield message

    return call


_STREAMS = {"StreamItems", "ReadFile", "EmptyTrash", "WatchEvents", "Replay"}
for _method in fs_pb2.DESCRIPTOR.services_by_name["FsService"].methods_by_name:
    setattr(FakeFs, _method, (_stream if _method in _STREAMS else _unary)(_method))


def settings(**changes: Any) -> fs_pb2.Settings:
    given: dict[str, Any] = {
        "state_directory": b"/home/example/.mediareviewer",
        "hidden_picker_paths": [b"/proc", b"/sys"],
        "available_paths": [b"/home/example", b"/mnt"],
        "deletion_workers": 2,
        "video_preload_mb": 50,
        "trusted_hosts": ["photos.example"],
        "deletion_queue": fs_pb2.DeletionQueue(max_workers=2),
    }
    return fs_pb2.Settings(**{**given, **changes})


def item(path: bytes, **changes: Any) -> fs_pb2.Item:
    given: dict[str, Any] = {
        "path": path,
        "kind": fs_pb2.KIND_IMAGE,
        "size_bytes": 2048576,
        "modified_us": 1742049022000000,
        "created_us": 1742049022000000,
        "width_px": 4096,
        "height_px": 3072,
    }
    return fs_pb2.Item(**{**given, **changes})


def file_facts(size: int, **changes: Any) -> fs_pb2.FileFacts:
    given: dict[str, Any] = {
        "path": b"/r/a.mp4",
        "size_bytes": size,
        "modified_us": 1742049022500000,
        "etag": "e1",
        "content_type": "video/mp4",
    }
    return fs_pb2.FileFacts(**{**given, **changes})


def chunks_of(data: bytes, step: int = 7) -> Callable[[fs_pb2.ReadFileRequest], list[fs_pb2.FileChunk]]:
    """A `ReadFile` of this content, in small chunks."""

    def read(request: fs_pb2.ReadFileRequest) -> list[fs_pb2.FileChunk]:
        part = data[request.offset : request.offset + request.length]
        return [fs_pb2.FileChunk(data=part[at : at + step]) for at in range(0, len(part), step)]

    return read
