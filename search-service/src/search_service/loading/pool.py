"""Decoding processes that are shared: each has a file at a time, and is let go when it had none for a while."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from search_service.loading.process import DecodingProcess


class Pool:
    def __init__(self, processes: Sequence[DecodingProcess], idle_s: float = 60.0) -> None:
        self._processes = tuple(processes)
        self._free: asyncio.LifoQueue[DecodingProcess] = asyncio.LifoQueue()
        for process in processes:
            self._free.put_nowait(process)
        self._idle_s = idle_s
        self._letting_go: dict[DecodingProcess, asyncio.TimerHandle] = {}
        self._farewells: set[asyncio.Task[None]] = set()

    async def asked(self, fields: Sequence[bytes], limit_s: float) -> list[bytes]:
        """The answer of `child.answer`, from the first process that is free.

        Raises:
            OutOfReach: as of `DecodingProcess.asked`.
        """
        process = await self._free.get()
        try:
            if (timer := self._letting_go.pop(process, None)) is not None:
                timer.cancel()
            return await process.asked(fields, limit_s)
        finally:
            self._letting_go[process] = asyncio.get_running_loop().call_later(self._idle_s, self._let_go, process)
            self._free.put_nowait(process)

    async def close(self) -> None:
        for timer in self._letting_go.values():
            timer.cancel()
        await asyncio.gather(*self._farewells, *(process.stop() for process in self._processes))

    def _let_go(self, process: DecodingProcess) -> None:
        self._letting_go.pop(process, None)
        task = asyncio.get_running_loop().create_task(process.stop())
        self._farewells.add(task)
        task.add_done_callback(self._farewells.discard)
