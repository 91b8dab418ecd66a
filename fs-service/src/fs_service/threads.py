"""Runs the synchronous use cases beside the event loop: calls, and streams pulled or pushed from threads.

A stream is always closed before its caller is done with it, in a thread and after the step in hand, whether it ended,
failed or was cancelled: what it holds (a folder, a file, a deletion under way) is let go then and not later.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, nullcontext
from contextvars import Context, copy_context
from functools import partial
from typing import Final, ParamSpec, TypeVar, cast

from fs_service.pressing import Pressing

P = ParamSpec("P")
T = TypeVar("T")

#: Items that a pushed stream may be ahead of its reader.
_AHEAD: Final = 1024
#: A pushed stream's reader gets what has come so often: each list costs it more than an item.
_PACE_S: Final = 0.01
_END: Final = object()


class Threads:
    """A bounded pool. What one kind of work fills, another kind's pool still has free."""

    def __init__(self, name: str, count: int, pressing: Pressing | None = None) -> None:
        """
        Args:
            pressing: calls and pushed streams are noted there for as long as they last.
        """
        self._pressing = pressing
        self._pool = ThreadPoolExecutor(count, thread_name_prefix=name)

    def close(self) -> None:
        """Wait for what runs; what waits never starts."""
        self._pool.shutdown(cancel_futures=True)

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What the call gives. A caller that is cancelled leaves at once, and the call runs to its end."""
        with self._noted():
            return await self._submit(copy_context(), partial(work, *args, **kwargs))

    async def pull(self, start: Callable[[], Iterator[T]]) -> AsyncGenerator[T, None]:
        """The items, each fetched when the one before has been taken: nothing runs ahead."""
        context = copy_context()
        items = await self._finished(self._submit(context, start))
        try:
            while (item := await self._finished(self._submit(context, partial(next, items, _END)))) is not _END:
                yield cast(T, item)
        finally:
            try:
                closing = self._submit(context, partial(close, items))
            except RuntimeError:  # the pool is closed: the process is ending
                close(items)
            else:
                await self._finished(closing)

    async def push(self, start: Callable[[], Iterator[T]], stop: threading.Event) -> AsyncGenerator[list[T], None]:
        """The items in lists of what has come meanwhile: for many small ones, each to be had at once.

        Args:
            stop: set it to end the stream after the item in hand; set by itself when the reader leaves.
        """
        loop = asyncio.get_running_loop()
        news = asyncio.Event()
        waiting: list[T] = []
        changed = threading.Condition()

        def drive() -> None:
            items = start()
            try:
                for item in items:
                    with changed:
                        waiting.append(item)
                        if len(waiting) == 1:
                            loop.call_soon_threadsafe(news.set)
                        while len(waiting) >= _AHEAD and not stop.is_set():
                            changed.wait(0.1)
                    if stop.is_set():
                        return
            finally:
                close(items)

        noted = ExitStack()
        noted.enter_context(self._noted())
        driving = asyncio.ensure_future(self._submit(copy_context(), drive))
        driving.add_done_callback(lambda _: news.set())
        try:
            while True:
                await news.wait()
                news.clear()
                over = driving.done()
                with changed:
                    batch, waiting[:] = waiting[:], []
                    changed.notify()
                if batch:
                    yield batch
                if over:
                    break
                await asyncio.wait((driving,), timeout=_PACE_S)
            driving.result()
        finally:
            stop.set()
            with noted:
                await self._finished(driving)

    def _noted(self) -> AbstractContextManager[None]:
        return self._pressing.held() if self._pressing is not None else nullcontext()

    def _submit(self, context: Context, work: Callable[[], T]) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(self._pool, context.run, work)

    @staticmethod
    async def _finished(step: asyncio.Future[T]) -> T:
        """The step's result; a cancellation waits for its end."""
        try:
            return await asyncio.shield(step)
        except asyncio.CancelledError:
            await asyncio.wait([step])
            if not step.cancelled():
                step.exception()  # seen
            raise


def close(items: Iterator[object]) -> None:
    """Let go of what a generator holds; other iterators hold nothing."""
    if isinstance(items, Generator):
        items.close()
