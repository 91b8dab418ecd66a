"""Whether a part answers: one GET over HTTP, one connection to a socket. No client library: it stays small."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import Any, Final

_ATTEMPT_S: Final = 3.0


async def http(host: str, port: int, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    """Status and JSON body (None when it is no JSON) of one request to the gateway.

    Raises:
        OSError: nobody answers (a slow answer is a TimeoutError, which is one).
    """
    payload = b"" if body is None else json.dumps(body).encode()
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAccept: application/json\r\n"
    if payload:
        head += f"Content-Type: application/json\r\nContent-Length: {len(payload)}\r\n"
    async with asyncio.timeout(_ATTEMPT_S):
        reader, writer = await asyncio.open_connection(host, port)
        try:
            writer.write(head.encode("ascii") + b"\r\n" + payload)
            answer = await reader.read(2**20)
            while more := await reader.read(2**20):
                answer += more
        finally:
            writer.close()
    top, _, text = answer.partition(b"\r\n\r\n")
    words = top.split(None, 2)
    if len(words) < 2 or not words[1].isdigit():
        raise OSError("not an HTTP answer")
    with suppress(ValueError):
        return int(words[1]), json.loads(text)
    return int(words[1]), None


async def accepts(address: str) -> bool:
    """Whether `unix:/path` takes a connection."""
    try:
        async with asyncio.timeout(_ATTEMPT_S):
            _, writer = await asyncio.open_unix_connection(address.removeprefix("unix:"))
    except OSError:
        return False
    writer.close()
    return True
