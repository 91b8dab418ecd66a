"""The first span of a trace: an HTTP request, round everything. Put in front only where somebody takes traces.

Neither the address's query nor a path in it is told: both name somebody's files.
"""

from __future__ import annotations

from typing import Final

from media_common.logs import request_id
from media_common.tracing import Kind, Spans, Value, carried
from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: A proxy that traces began before.
_HEADERS: Final = (b"traceparent", b"tracestate")
#: Machines ask these all day.
_UNTOLD: Final = ("/health/", "/metrics")
_METHODS: Final = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))


class Traced:
    """Plain ASGI; requests only."""

    def __init__(self, app: ASGIApp, spans: Spans) -> None:
        self._app = app
        self._spans = spans

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"].startswith(_UNTOLD):
            await self._app(scope, receive, send)
            return
        headers = {key.decode(): value.decode("latin-1") for key, value in scope["headers"] if key in _HEADERS}
        method = scope["method"] if scope["method"] in _METHODS else "_OTHER"
        told: dict[str, Value] = {"http.request.method": method, "url.scheme": scope["scheme"]}
        span = self._spans.begin(method, Kind.SERVER, headers, told)
        carried.set(span.carrier)
        status = 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, answer)
        finally:
            known: dict[str, Value] = {"framewell.request_id": request_id.get()}
            if status:
                known["http.response.status_code"] = status
            if route := getattr(scope.get("route"), "path", ""):
                known["http.route"] = route
            # Without a status the caller left before there was one.
            span.ended(failed=status >= 500, name=f"{method} {route}".rstrip(), attributes=known)
