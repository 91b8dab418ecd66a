"""The framework's application with the gateway's own way in before it: what the framework puts around every request
costs as much as a thumbnail does, and an address that is known needs none of it."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send


class FrontedApp(FastAPI):
    """Requests go to `front`; what that leaves to the framework, and everything that is no request, to `behind`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.front: ASGIApp = self.behind
        self.add_exception_handler(Exception, _left_to_the_front)

    async def behind(self, scope: Scope, receive: Receive, send: Send) -> None:
        await super().__call__(scope, receive, send)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (self.front if scope["type"] == "http" else self.behind)(scope, receive, send)


async def _left_to_the_front(_: Request, error: Exception) -> Response:
    """The framework would answer 500 by itself."""
    raise error
