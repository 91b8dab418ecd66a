"""Actions that arrive in the same moment go to the file service in one call: the call costs more than the action.

One that comes alone goes alone and at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context, copy_context
from dataclasses import dataclass
from typing import Final

from media_common.errors import ErrorCode
from media_common.logs import request_id
from media_proto import fs_pb2

from gateway.errors import named

#: Of one call.
MOST: Final = 64


@dataclass(slots=True)
class _Waiting:
    request: fs_pb2.SingleAct
    answer: asyncio.Future[fs_pb2.ActResponse]
    #: Request id and trace of whoever asked.
    context: Context


class Acting:
    """Gathers within one turn of the event loop."""

    def __init__(
        self,
        alone: Callable[[fs_pb2.ActRequest], Awaitable[fs_pb2.ActResponse]],
        together: Callable[[fs_pb2.ActEachRequest], Awaitable[fs_pb2.ActEachResponse]],
    ) -> None:
        """The two calls, which raise what `Remote` raises; either may be sent again, actions are idempotent."""
        self._alone = alone
        self._together = together
        self._waiting: list[_Waiting] = []
        self._calls: set[asyncio.Task[None]] = set()

    async def act(self, path: bytes, action: fs_pb2.Action.ValueType) -> fs_pb2.ActResponse:
        """The file's state after it.

        Raises:
            Failure, grpc.aio.AioRpcError: this action was refused, or nobody knows what became of it.
        """
        loop = asyncio.get_running_loop()
        if not self._waiting:
            loop.call_soon(self._send)
        request = fs_pb2.SingleAct(path=path, action=action, request_id=request_id.get())
        mine = _Waiting(request, loop.create_future(), copy_context())
        self._waiting.append(mine)
        return await mine.answer

    def _send(self) -> None:
        waiting, self._waiting = self._waiting, []
        for at in range(0, len(waiting), MOST):
            group = waiting[at : at + MOST]
            work = self._each_alone(group) if len(group) == 1 else self._as_one(group)
            call = asyncio.create_task(work, context=group[0].context)
            self._calls.add(call)
            call.add_done_callback(self._calls.discard)

    async def _as_one(self, group: Sequence[_Waiting]) -> None:
        try:
            answer = await self._together(fs_pb2.ActEachRequest(acts=[one.request for one in group]))
        except Exception as error:  # noqa: BLE001 - handed to each caller
            for one in group:
                _fail(one, error)
            return
        pending: list[_Waiting] = []
        for one, outcome in zip(group, answer.outcomes, strict=True):
            if outcome.pending:
                pending.append(one)
            elif outcome.error_code:
                _fail(one, named(ErrorCode(outcome.error_code), outcome.error))
            else:
                _answer(one, fs_pb2.ActResponse(path=outcome.path, status=outcome.status))
        await self._each_alone(pending)  # the file service knows them by their request id, and does none a second time

    async def _each_alone(self, group: Sequence[_Waiting]) -> None:
        await asyncio.gather(*(asyncio.create_task(self._one_alone(one), context=one.context) for one in group))

    async def _one_alone(self, one: _Waiting) -> None:
        try:
            _answer(one, await self._alone(fs_pb2.ActRequest(path=one.request.path, action=one.request.action)))
        except Exception as error:  # noqa: BLE001 - handed to the caller
            _fail(one, error)


def _answer(one: _Waiting, answer: fs_pb2.ActResponse) -> None:
    if not one.answer.done():  # else its caller has left
        one.answer.set_result(answer)


def _fail(one: _Waiting, error: Exception) -> None:
    if not one.answer.done():
        one.answer.set_exception(error)
