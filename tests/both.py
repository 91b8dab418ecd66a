"""The Python client's two faces behind one: a test says what is asked once, and is run blocking and awaited."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import anyio
from framewell_client import AsyncFramewell, Framewell, NotFound

FACES = ("blocking", "awaited")


async def told(result: Any) -> Any:
    """What a call answers, waited for or not."""
    return await result if inspect.isawaitable(result) else result


async def listed(stream: Any, most: int | None = None) -> list[Any]:
    """A stream's values, at most so many, and the stream closed then."""
    values: list[Any] = []
    if hasattr(stream, "__aiter__"):
        async with stream:
            async for value in stream:
                values.append(value)
                if len(values) == most:
                    break
    else:
        with stream:
            for value in stream:
                values.append(value)
                if len(values) == most:
                    break
    return values


async def closed(client: Framewell | AsyncFramewell) -> None:
    if isinstance(client, Framewell):
        client.close()
    else:
        await client.aclose()


async def found(look: Callable[[], Any], deadline_s: float = 60.0) -> Any:
    """What a call answers as soon as there is such a thing: the catalogue follows the disk at its own pace."""
    with anyio.fail_after(deadline_s):
        while True:
            try:
                return await told(look())
            except NotFound:
                await anyio.sleep(0.05)


async def became(look: Callable[[], Any], good: Callable[[Any], bool], deadline_s: float = 60.0) -> Any:
    """What a call answers as soon as it is good."""
    with anyio.fail_after(deadline_s):
        while not good(seen := await told(look())):  # noqa: ASYNC110 - nobody tells
            await anyio.sleep(0.05)
    return seen
