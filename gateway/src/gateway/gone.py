"""A caller that hangs up stops what is being done for it."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from starlette.types import Receive

from gateway.errors import ClientGone


class until_gone:
    """Cancels the body of the `async with` when the client disconnects; that leaves as `ClientGone`.

    Args:
        receive: the request's; its body has been read.
        after_s: begin to listen only when the body has taken this long, so that quick work pays nothing for it.
    """

    def __init__(self, receive: Receive, after_s: float = 0.0) -> None:
        self._receive = receive
        self._after_s = after_s
        self._gone = False
        self._watcher: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> Self:
        task = asyncio.current_task()
        assert task is not None
        self._task: asyncio.Task[object] = task
        if self._after_s:
            self._timer = asyncio.get_running_loop().call_later(self._after_s, self._begin)
        else:
            self._begin()
        return self

    def _begin(self) -> None:
        self._watcher = asyncio.get_running_loop().create_task(self._listen())

    async def _listen(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._gone = True
        self._task.cancel()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._watcher is not None:
            self._watcher.cancel()
        if not self._gone:
            return
        if kind is None:
            # It hung up just as the body ended: take the cancellation that is on its way.
            try:
                await asyncio.sleep(0)
            except asyncio.CancelledError:
                self._task.uncancel()
        elif self._task.uncancel() == 0 and issubclass(kind, asyncio.CancelledError):
            raise ClientGone from error
