"""The one place where a failure becomes an HTTP answer: every exception to a `Failure`, a `Failure` to the body of
the dialect that was asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

import grpc
from fastapi.exceptions import RequestValidationError
from media_common.errors import ErrorCode, ServiceError
from media_common.grpc_client import error_code_of
from media_common.logs import request_id
from media_common.wire import ERROR_TRAILER, WIRE
from starlette.exceptions import HTTPException

from gateway.dialects import Dialect


@dataclass
class Failure(Exception):
    """What the caller is told: a status, a name, a sentence."""

    status: int
    code: str
    message: str
    details: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.message


class ClientGone(Exception):
    """The caller hung up; whatever was being done for it has been cancelled."""


_DOWN: Final = "{} is not available right now; try again in a moment."
#: Sentences for failures that no service put into words.
_TRANSPORT: Final[dict[ErrorCode, str]] = {
    ErrorCode.SERVICE_UNAVAILABLE: _DOWN.format("The file service"),
    ErrorCode.DEADLINE: "The file service did not answer in time.",
    ErrorCode.NOT_BUILT: "This is not built yet.",
}
INTERNAL: Final = "Internal server error."

_HTTP_SENTENCES: Final[dict[int, tuple[str, str]]] = {
    404: ("not_found", "There is nothing at this address."),
    405: ("method_not_allowed", "This address does not take that method."),
    413: ("body_too_large", "The request body is too large."),
    415: ("unsupported_media_type", "The request's content type is not supported."),
}


def invalid(parameter: str, message: str, reason: str = "") -> Failure:
    """400 for a parameter that cannot be what it is."""
    return Failure(400, "invalid_parameter", message, {"parameter": parameter, "reason": reason or message})


def search_off(reason: str = "") -> Failure:
    """503: what needs vectors, and why there are none."""
    message = "semantic search is not available"
    return Failure(503, "search_unavailable", f"{message}: {reason}" if reason else message)


def service_down(service: str = "The file service") -> Failure:
    """503: a service did not come back within the short wait that a restart gets."""
    message = _DOWN.format(service)
    return Failure(503, ErrorCode.SERVICE_UNAVAILABLE, message, headers={"Retry-After": "1"})


def failure_of(error: BaseException) -> Failure:
    """What the caller is told about an exception. A text that no service wrote for the caller stays inside."""
    match error:
        case Failure():
            return error
        case ServiceError():
            return named(error.code, error.message)
        case grpc.aio.AioRpcError():
            code = error_code_of(error)
            # A service that put it into words sent the name along; the transport's own words are not for callers.
            spoken = is_spoken(error) and code is not ErrorCode.INTERNAL
            return named(code, error.details() or "" if spoken else "")
        case RequestValidationError():
            return Failure(400, "invalid_parameter", "The request is not valid.")
        case HTTPException():
            return _of_http(error)
        case _:
            return Failure(500, ErrorCode.INTERNAL, INTERNAL)


def is_spoken(error: grpc.aio.AioRpcError) -> bool:
    """Whether a service said it, and not the transport."""
    return any(key == ERROR_TRAILER for key, _ in error.trailing_metadata() or ())


def named(code: ErrorCode, message: str) -> Failure:
    """What a service called by name and put into words; without words, our own."""
    status = WIRE[code].http
    headers = {"Retry-After": "1"} if code is ErrorCode.SERVICE_UNAVAILABLE else {}
    return Failure(status, code.value, message or _TRANSPORT.get(code, INTERNAL), headers=headers)


def _of_http(error: HTTPException) -> Failure:
    status = error.status_code
    code, message = _HTTP_SENTENCES.get(status, ("http_error", HTTPStatus(status).phrase + "."))
    return Failure(status, code, message, headers=dict(error.headers or {}))


def _mediareviewer(failure: Failure) -> dict[str, Any]:
    return {"error": failure.message}


def _exquisitor(failure: Failure) -> dict[str, Any]:
    return {"error": failure.code, "message": failure.message, "detail": failure.message}


def _coreviz(failure: Failure) -> dict[str, Any]:
    details = {key: value for key, value in failure.details.items() if key != "reason"}
    return {"error": failure.message, "message": failure.message, "code": failure.code.upper(), "details": details}


#: Wickson's own names where they differ from ours in capitals.
_WICKSON_CODES: Final = {"internal": "INTERNAL_ERROR", "rate_limited": "RATE_LIMIT_EXCEEDED"}


def _wickson(failure: Failure) -> dict[str, Any]:
    code = _WICKSON_CODES.get(failure.code, failure.code.upper())
    details = failure.details
    if failure.status == 500:
        details = {**details, "request_id": request_id.get()}
    body: dict[str, Any] = {"success": False, "message": failure.message, "error": {"code": code, "details": details}}
    if failure.status == 429:
        body["code"] = "rate_limit_error"
        body["status_code"] = 429
        body["request_id"] = request_id.get()
        body["suggestion"] = f"Wait {failure.headers['Retry-After']} s, then ask again."
    return body


BODIES: Final[Mapping[Dialect, Callable[[Failure], dict[str, Any]]]] = {
    Dialect.MEDIAREVIEWER: _mediareviewer,
    Dialect.PLATFORM: _mediareviewer,
    Dialect.EXQUISITOR: _exquisitor,
    Dialect.COREVIZ: _coreviz,
    Dialect.WICKSON: _wickson,
}


def error_example(dialect: Dialect) -> dict[str, Any]:
    """How the dialect writes a failure."""
    return BODIES[dialect](invalid("page", "Invalid page parameter: must be a positive integer"))
