"""Tasks end, though one swallows a cancellation."""

from __future__ import annotations

import asyncio

from media_common.tasks import ended


async def test_a_task_that_swallows_a_cancellation_is_cancelled_again() -> None:
    swallowed = 0

    async def stubborn() -> None:
        nonlocal swallowed
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                if swallowed == 2:
                    raise
                swallowed += 1

    task = asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    async with asyncio.timeout(10):
        await ended(task)
    assert (task.cancelled(), swallowed) == (True, 2)


async def test_what_a_task_raised_before_is_not_raised_again() -> None:
    async def failing() -> None:
        raise ValueError("failed long ago")

    task = asyncio.create_task(failing())
    await asyncio.sleep(0)
    await ended(task)
    assert isinstance(task.exception(), ValueError)
