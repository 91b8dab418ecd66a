"""Whole answers: JSON, and a failure in the dialect that was asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from gateway.dialects import dialect_of
from gateway.errors import BODIES, Failure
from gateway.paths import dumps


def json_answer(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(dumps(value), status, headers, media_type="application/json")


def json_bytes(body: bytes) -> Response:
    """JSON that is written already."""
    return Response(body, media_type="application/json")


def failure_answer(failure: Failure, path: str) -> Response:
    """The failure as the dialect of the path writes it."""
    return json_answer(BODIES[dialect_of(path)](failure), failure.status, failure.headers)
