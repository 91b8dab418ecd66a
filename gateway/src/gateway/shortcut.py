"""The way from the door to an endpoint for an address without variable parts: one look in a dictionary.

The framework's own way (matching, dependency solving) costs more than a thumbnail does; it keeps the addresses with
variable parts, 404, 405 and the documentation.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

Endpoint = Callable[[Request], Awaitable[Response]]
#: By method and path.
Table = dict[tuple[str, str], tuple[APIRoute, Endpoint]]


def table_of(routes: Iterable[BaseRoute]) -> Table:
    """Every route whose address is fixed. The endpoints take the request and nothing else."""
    return {
        (method, route.path): (route, route.endpoint)
        for route in routes
        if isinstance(route, APIRoute) and "{" not in route.path
        for method in route.methods or ()
    }


class Shortcut:
    """Plain ASGI, inside `Admission`, which answers every exception."""

    def __init__(self, app: ASGIApp, table: Table) -> None:
        """`table` may be filled later, before the first request."""
        self._app = app
        self._table = table

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = self._table.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        if found is None:
            await self._app(scope, receive, send)
            return
        scope["route"], endpoint = found
        response = await endpoint(Request(scope, receive, send))
        await response(scope, receive, send)
