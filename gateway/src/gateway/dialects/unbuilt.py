"""What the contract has and this server has not yet: an honest 503 in the dialect's own form, in one place.

An address that no contract knows is 404 as everywhere.
"""

from __future__ import annotations

from typing import Final

from fastapi import FastAPI
from media_common.errors import ErrorCode
from starlette.requests import Request
from starlette.responses import Response

from gateway.dialects.platform import docs
from gateway.errors import Failure
from gateway.openapi import add_route

MESSAGE: Final = "This part of the API is not built yet."

#: By tag, `METHOD[,METHOD] address`.
ROUTES: Final[dict[str, tuple[str, ...]]] = {
    "CoreViz": ("POST /api/upload/multipart",),
}


async def not_built(request: Request) -> Response:
    raise Failure(503, ErrorCode.NOT_BUILT, MESSAGE)


def add_to(app: FastAPI) -> None:
    for tag, routes in ROUTES.items():
        for route in routes:
            methods, _, path = route.partition(" ")
            for method in methods.split(","):
                add_route(app, tag, method, path, not_built, docs.unbuilt())
