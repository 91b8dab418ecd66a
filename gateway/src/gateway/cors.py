"""Pages of other sites that may call the Exquisitor dialect: a list of origins in the settings, never any origin."""

from __future__ import annotations

import re
from typing import Final

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.dialects import Dialect, dialect_of

#: Seconds that a browser may remember what it was allowed.
MAX_AGE_S: Final = 3600
_METHODS: Final = "GET, HEAD, POST, OPTIONS"
_HEADERS: Final = "Authorization, Content-Type, X-Api-Key, X-Request-Id"
_EXPOSED: Final = "Retry-After, X-Request-Id"
_HEADER_NAMES: Final = re.compile(r"[A-Za-z0-9-]+(?: *, *[A-Za-z0-9-]+)*")


class Cors:
    """Plain ASGI, around everything: a browser asks for leave without a key, and reads refusals too."""

    def __init__(self, app: ASGIApp, origins: frozenset[str]) -> None:
        """`origins` in lower case."""
        self._app = app
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or dialect_of("/" + scope["path"].lstrip("/")) is not Dialect.EXQUISITOR:
            await self._app(scope, receive, send)
            return
        sent = dict(scope["headers"])
        origin = sent.get(b"origin", b"").decode("latin-1")
        told = {"Vary": "Origin"}
        if origin.lower() in self._origins:
            told["Access-Control-Allow-Origin"] = origin
            told["Access-Control-Allow-Credentials"] = "true"
            if scope["method"] == "OPTIONS" and b"access-control-request-method" in sent:
                wanted = sent.get(b"access-control-request-headers", b"").decode("latin-1").strip()
                told["Access-Control-Allow-Methods"] = _METHODS
                told["Access-Control-Allow-Headers"] = wanted if _HEADER_NAMES.fullmatch(wanted) else _HEADERS
                told["Access-Control-Max-Age"] = str(MAX_AGE_S)
                await Response(status_code=204, headers=told)(scope, receive, send)
                return
            told["Access-Control-Expose-Headers"] = _EXPOSED
        extra = [(name.lower().encode("ascii"), value.encode("latin-1")) for name, value in told.items()]

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *extra]
            await send(message)

        await self._app(scope, receive, answer)
