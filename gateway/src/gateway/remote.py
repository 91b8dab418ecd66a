"""A service as the gateway calls it: a channel for the life of the process, a deadline on every call, one short wait
for a service that is being restarted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import ClassVar, TypeVar

import grpc
from media_common.errors import ErrorCode
from media_common.grpc_client import error_code_of, marks

from gateway.errors import service_down

Q = TypeVar("Q")
A = TypeVar("A")


class Remote:
    """What the clients of all services have in common.

    Every call raises `grpc.aio.AioRpcError` with the service's own words, or `Failure` 503 when the service is not
    there within the connect wait. Calls that may be repeated are, once, when the service dies under them.
    """

    #: How a sentence calls the service.
    SPOKEN: ClassVar[str] = "The file service"

    def __init__(self, channel: grpc.aio.Channel, connect_wait_s: float) -> None:
        self._channel = channel
        self._connect_wait_s = connect_wait_s

    async def close(self) -> None:
        await self._channel.close()

    async def connected(self) -> None:
        """Wait for the service, for as long as a restart takes.

        Raises:
            Failure: 503, it did not come.
        """
        if self._channel.get_state(try_to_connect=True) is grpc.ChannelConnectivity.READY:
            return
        try:
            async with asyncio.timeout(self._connect_wait_s):
                await self._channel.channel_ready()
        except TimeoutError:
            raise service_down(self.SPOKEN) from None

    async def _ask(
        self,
        method: grpc.aio.UnaryUnaryMultiCallable[Q, A],
        request: Q,
        deadline_s: float,
        *,
        repeatable: bool = True,
    ) -> A:
        await self.connected()
        try:
            return await method(request, timeout=deadline_s, metadata=marks())
        except grpc.aio.AioRpcError as error:
            if not repeatable or error_code_of(error) is not ErrorCode.SERVICE_UNAVAILABLE:
                raise
        await self.connected()
        return await method(request, timeout=deadline_s, metadata=marks())

    async def _follow(
        self,
        method: grpc.aio.UnaryStreamMultiCallable[Q, A],
        request: Q,
        deadline_s: float | None,
        *,
        repeatable: bool = True,
    ) -> AsyncGenerator[A, None]:
        """The messages; closing the generator cancels the call."""
        for last_try in (not repeatable, True):
            await self.connected()
            begun = False
            call = method(request, timeout=deadline_s, metadata=marks())
            try:
                async for message in call:
                    begun = True
                    yield message
                return
            except grpc.aio.AioRpcError as error:
                if last_try or begun or error_code_of(error) is not ErrorCode.SERVICE_UNAVAILABLE:
                    raise
            finally:
                call.cancel()
