"""Ending what runs beside."""

from __future__ import annotations

import asyncio
from typing import Any, Final

_AGAIN_S: Final = 0.2


async def ended(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks that run for ever, as often as it takes, and wait for their end; what they raise is left out.

    Once is not always enough: until Python 3.12 `asyncio.wait_for` swallows a cancellation that comes in the moment in
    which what it waits for is done, and a loop that calls it goes on.
    """
    going = {task for task in tasks if not task.done()}
    while going:
        for task in going:
            task.cancel()
        _, going = await asyncio.wait(going, timeout=_AGAIN_S)
    await asyncio.gather(*tasks, return_exceptions=True)
