"""Framewell from Python: `Framewell` waits, `AsyncFramewell` is awaited; both have a namespace a dialect: `review`,
`exquisitor`, `coreviz`, `wickson`, `platform`."""

from framewell_client.awaiting import AsyncStream
from framewell_client.blocking import Stream
from framewell_client.client import AsyncFramewell, Framewell
from framewell_client.errors import (
    ApiError,
    BadRequest,
    Conflict,
    ConnectionFailed,
    Dialect,
    Forbidden,
    FramewellError,
    NoAnswer,
    NotFound,
    NotImplementedByServer,
    PreconditionFailed,
    RateLimited,
    StreamBroken,
    TimedOut,
    TooLarge,
    Unauthorized,
    Unavailable,
    UnexpectedAnswer,
    UnsupportedMedia,
)
from framewell_client.models.exquisitor import Narrowing, Session
from framewell_client.retry import Retry

__all__ = [
    "ApiError",
    "AsyncFramewell",
    "AsyncStream",
    "BadRequest",
    "Conflict",
    "ConnectionFailed",
    "Dialect",
    "Forbidden",
    "Framewell",
    "FramewellError",
    "Narrowing",
    "NoAnswer",
    "NotFound",
    "NotImplementedByServer",
    "PreconditionFailed",
    "RateLimited",
    "Retry",
    "Session",
    "Stream",
    "StreamBroken",
    "TimedOut",
    "TooLarge",
    "Unauthorized",
    "Unavailable",
    "UnexpectedAnswer",
    "UnsupportedMedia",
]
