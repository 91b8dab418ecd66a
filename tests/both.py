"""The Python client's two faces behind one: a test says what is asked once, and is run blocking and awaited."""

from __future__ import annotations

import inspect
from typing import Any

from framewell_client import AsyncFramewell, Framewell

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
