"""Everything this client raises: one tree, and the one place where an error answer becomes one of its branches.

FramewellError
├── NoAnswer             the request or its answer was cut off
│   ├── ConnectionFailed  nobody listens there; nothing was sent
│   └── TimedOut
├── UnexpectedAnswer     an answer that the contract does not know
├── StreamBroken         a stream that ended before its end, or said that it broke off
└── ApiError             the server refused: status, code, message, details
    └── BadRequest, Unauthorized, Forbidden, NotFound, Conflict, … by status
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from http import HTTPStatus
from typing import Any, Final


class Dialect(StrEnum):
    """Which of the server's APIs was spoken."""

    MEDIAREVIEWER = "mediareviewer"
    EXQUISITOR = "exquisitor"
    COREVIZ = "coreviz"
    WICKSON = "wickson"
    PLATFORM = "platform"


class FramewellError(Exception):
    """What went wrong, in a dialect, about a request that the server's log knows by `request_id`."""

    def __init__(self, message: str, dialect: Dialect, request_id: str) -> None:
        super().__init__(message, dialect, request_id)
        self.message = message
        self.dialect = dialect
        self.request_id = request_id

    def __str__(self) -> str:
        return self.message


class NoAnswer(FramewellError):
    """The connection broke, or none came about. Whether the server did what was asked is not known."""


class ConnectionFailed(NoAnswer):
    """No connection: the server has not seen the request."""


class TimedOut(NoAnswer):
    """The time for it was up."""


class UnexpectedAnswer(FramewellError):
    """An answer that is not of the contract: another program's, a proxy's, or that of a server too old or too new."""


class StreamBroken(FramewellError):
    """A stream that did not reach its end; what came before it is good."""


class ApiError(FramewellError):
    """The server's own refusal.

    `code` is the dialect's name for it as it was sent; a dialect that names none gets HTTP's (`not_found`).
    `retry_after_s`: what the server asked for, if it did.
    """

    def __init__(
        self,
        message: str,
        dialect: Dialect,
        request_id: str,
        status: int,
        code: str,
        details: Mapping[str, Any] | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message, dialect, request_id)
        # What pickle makes it again from.
        self.args = (message, dialect, request_id, status, code, details, retry_after_s)
        self.status = status
        self.code = code
        self.details: Mapping[str, Any] = details or {}
        self.retry_after_s = retry_after_s

    def __str__(self) -> str:
        return f"{self.status} {self.code}: {self.message}"


class BadRequest(ApiError):
    """400 and 422: the request is not valid."""


class Unauthorized(ApiError):
    """401: no key, or a wrong one."""


class Forbidden(ApiError):
    """403: the key, or the rule about paths, does not allow it."""


class NotFound(ApiError):
    """404."""


class Conflict(ApiError):
    """409: the state of the thing does not allow it; a locked item, mostly."""


class PreconditionFailed(ApiError):
    """412: what the caller had seen has changed since."""


class TooLarge(ApiError):
    """413."""


class UnsupportedMedia(ApiError):
    """415: a type of file or body that is not taken."""


class RateLimited(ApiError):
    """429: too often; `retry_after_s` says how long to wait."""


class NotImplementedByServer(ApiError):
    """501: not this server's job."""


class Unavailable(ApiError):
    """502, 503 and 504: not now."""


BY_STATUS: Final[Mapping[int, type[ApiError]]] = {
    400: BadRequest,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    412: PreconditionFailed,
    413: TooLarge,
    415: UnsupportedMedia,
    422: BadRequest,
    429: RateLimited,
    501: NotImplementedByServer,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
}


def error_of(status: int, headers: Mapping[str, str], body: bytes, dialect: Dialect, request_id: str) -> ApiError:
    """The error that an answer of status 400 or more tells, whoever wrote it."""
    try:
        told: Any = json.loads(body)
    except (ValueError, RecursionError):
        told = None
    code, message, details = _told(told, dialect) if isinstance(told, dict) else (None, None, None)
    phrase = _phrase(status)
    return BY_STATUS.get(status, ApiError)(
        message or f"{phrase}.",
        dialect,
        request_id,
        status,
        code or phrase.lower().replace(" ", "_"),
        details,
        _seconds(headers.get("retry-after")),
    )


def _told(body: dict[str, Any], dialect: Dialect) -> tuple[str | None, str | None, dict[str, Any] | None]:
    """Code, sentence, details, each where the dialect has it."""
    error = body.get("error")
    match dialect:
        case Dialect.WICKSON:
            inner = error if isinstance(error, dict) else {}
            return _text(inner.get("code")), _text(body.get("message")), _object(inner.get("details"))
        case Dialect.EXQUISITOR:
            return _text(error), _text(body.get("message")), None
        case Dialect.COREVIZ:
            return _text(body.get("code")), _text(error), _object(body.get("details"))
        case Dialect.MEDIAREVIEWER | Dialect.PLATFORM:
            return None, _text(error), None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _object(value: Any) -> dict[str, Any] | None:
    return value if isinstance(value, dict) else None


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return f"Status {status}"


def _seconds(retry_after: str | None) -> float | None:
    """A `Retry-After` in seconds; its other form, a date, is not one this server sends."""
    digits = (retry_after or "").strip()
    return float(digits) if digits.isascii() and digits.isdigit() and len(digits) < 10 else None
