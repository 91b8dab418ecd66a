"""Answers that are written while they are made: NDJSON lines, file bytes, events."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any, Final

import grpc
from media_common.errors import ServiceError
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gateway.errors import Failure, failure_of
from gateway.gone import until_gone
from gateway.paths import dumps

logger = logging.getLogger(__name__)

NDJSON: Final = "application/x-ndjson"


def line(value: dict[str, Any]) -> bytes:
    return dumps(value) + b"\n"


class StreamedAnswer(Response):
    """The first chunk is awaited before the status goes out, so what fails at once is an ordinary error. A failure
    after that ends the connection short of the body's end. A caller that goes away ends the chunks at once."""

    def __init__(
        self,
        chunks: AsyncGenerator[bytes, None],
        media_type: str,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.chunks = chunks
        self.status_code = status
        self.background = None
        self.init_headers({**(headers or {}), "Content-Type": media_type})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with until_gone(receive), aclosing(self.chunks) as chunks:
            chunk = await anext(chunks, None)
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            while chunk is not None:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
                chunk = await anext(chunks, None)
            await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _honest(lines: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """The lines; a failure after the first ones becomes a last line of its own, as the status is out already."""
    begun = False
    async with aclosing(lines):
        try:
            async for chunk in lines:
                begun = True
                yield chunk
        except Exception as error:
            if not begun:
                raise
            if not isinstance(error, (Failure, ServiceError, grpc.aio.AioRpcError)):
                logger.exception("a stream broke off")
            yield line({"type": "error", "message": failure_of(error).message})


def ndjson(lines: AsyncGenerator[bytes, None]) -> StreamedAnswer:
    """An NDJSON answer of chunks of whole lines."""
    return StreamedAnswer(_honest(lines), NDJSON, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
