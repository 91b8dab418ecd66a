"""Whether the parts behind the gateway are there, asked at most every two seconds however many ask."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Final, Literal

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from media_common.errors import ErrorCode
from media_common.grpc_client import error_code_of, open_channel
from media_common.trust import ANYBODY, Trust
from media_proto import (
    fs_pb2,
    metadata_pb2,
    metadata_pb2_grpc,
    search_pb2,
    search_pb2_grpc,
)

from gateway.clients import FsClient
from gateway.config import GatewaySettings
from gateway.errors import Failure

CACHE_S: Final = 2.0
CHECK_DEADLINE_S: Final = 1.0

#: `off`: nothing of the kind is set up. `unknown`: the one who would know does not answer.
State = Literal["up", "down", "off", "unknown"]

_NO_QUEUES: Final = "The file service does not answer."


@dataclass(frozen=True, slots=True)
class Dependency:
    """One part and how it is, with the reason when it is not up."""

    state: State
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Readiness:
    """Everything that was asked; fs-service alone decides, the rest is missing by itself."""

    parts: dict[str, Dependency]

    @property
    def ready(self) -> bool:
        return self.parts["fs"].state == "up"


class Dependencies:
    """The health of every part; channels for the life of the process."""

    def __init__(self, fs: FsClient, settings: GatewaySettings, trust: Trust = ANYBODY) -> None:
        self._fs = fs
        self._channels: dict[str, grpc.aio.Channel] = {"fs": open_channel(settings.fs_target, trust)}
        for name, target in (("metadata", settings.metadata_target), ("search", settings.search_target)):
            if target:
                self._channels[name] = open_channel(target, trust)
        self._workers = [open_channel(target, trust) for target in settings.workers()]
        self._lock = asyncio.Lock()
        self._cached: Readiness | None = None
        self._cached_at = 0.0

    async def close(self) -> None:
        await asyncio.gather(*(channel.close() for channel in (*self._channels.values(), *self._workers)))

    async def readiness(self) -> Readiness:
        async with self._lock:
            if self._cached is None or time.monotonic() - self._cached_at > CACHE_S:
                self._cached = await self._look()
                self._cached_at = time.monotonic()
            return self._cached

    async def _look(self) -> Readiness:
        fs, queues, workers, metadata, search = await asyncio.gather(
            _health(self._channels["fs"]),
            self._queues(),
            asyncio.gather(*(_health(channel) for channel in self._workers)),
            self._metadata(),
            self._search(),
        )
        parts = {"fs": fs}
        if isinstance(queues, str):
            parts["nats"] = parts["thumbnail"] = Dependency("unknown", queues)
            if queues != _NO_QUEUES:  # its health, which everybody may ask for, is good
                parts["fs"] = Dependency("down", queues)
        else:
            down = Dependency("down", "The message server does not answer; background work waits.")
            parts["nats"] = Dependency("up") if queues.nats_up else down
            none = Dependency("down", "No thumbnail worker answers; cached thumbnails are served.")
            parts["thumbnail"] = Dependency("up") if queues.workers_up else none
        for number, worker in enumerate(workers, start=1):
            parts[f"thumbnail-{number}"] = worker
        parts["metadata"] = metadata
        parts["search"] = search
        return Readiness(parts)

    async def _queues(self) -> fs_pb2.Queues | str:
        """Or why there is no answer."""
        try:
            async with asyncio.timeout(CHECK_DEADLINE_S):
                return await self._fs.queues(CHECK_DEADLINE_S)
        except grpc.aio.AioRpcError as error:
            return _why(error, _NO_QUEUES)
        except (TimeoutError, Failure):
            return _NO_QUEUES

    async def _metadata(self) -> Dependency:
        if (channel := self._channels.get("metadata")) is None:
            return Dependency("off", "No metadata service is set up.")
        stub = metadata_pb2_grpc.MetadataServiceStub(channel)
        try:
            answer = await stub.GetReadiness(metadata_pb2.GetReadinessRequest(), timeout=CHECK_DEADLINE_S)
        except grpc.aio.AioRpcError as error:
            return Dependency("down", _why(error, "The metadata service does not answer."))
        return Dependency("up") if answer.ready else Dependency("down", answer.reason)

    async def _search(self) -> Dependency:
        if (channel := self._channels.get("search")) is None:
            return Dependency("off", "No search service is set up.")
        stub = search_pb2_grpc.SearchServiceStub(channel)
        try:
            answer = await stub.GetReadiness(search_pb2.GetReadinessRequest(), timeout=CHECK_DEADLINE_S)
        except grpc.aio.AioRpcError as error:
            return Dependency("down", _why(error, "The search service does not answer."))
        if answer.ready:
            return Dependency("up")
        is_off = answer.encoder.state == search_pb2.ENCODER_STATE_OFF
        return Dependency("off" if is_off else "down", answer.reason)


def _why(error: grpc.aio.AioRpcError, silent: str) -> str:
    """A service that is there and lets nobody in says so itself."""
    return error.details() or silent if error_code_of(error) is ErrorCode.TOKEN_NEEDED else silent


async def _health(channel: grpc.aio.Channel) -> Dependency:
    stub = health_pb2_grpc.HealthStub(channel)
    try:
        answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=CHECK_DEADLINE_S)
    except grpc.aio.AioRpcError:
        return Dependency("down", "It does not answer.")
    if answer.status == health_pb2.HealthCheckResponse.SERVING:
        return Dependency("up")
    return Dependency("down", "It says that it is not serving.")
