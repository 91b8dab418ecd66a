"""What every request passes before its route: a request id, the Host, same-site and key checks, figures, one log
line, and the last resort for what nobody expected."""

from __future__ import annotations

import logging
import re
import secrets
import time
from dataclasses import dataclass
from typing import Final

import grpc
from media_common.logs import request_id
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.access import grant
from gateway.answers import failure_answer
from gateway.auth import Caller, Keys
from gateway.dialects import Dialect, dialect_of
from gateway.errors import ClientGone, Failure, failure_of
from gateway.hosts import Hosts, check_same_site, is_embedded_elsewhere
from gateway.metrics import Metrics
from gateway.rate_limit import RateLimit
from gateway.request_lines import Lines, Value
from gateway.rights import check_scope

logger = logging.getLogger(__name__)

_SANE_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_SLASHES: Final = re.compile(r"^/{2,}")
#: Nothing of the library is told here, or a monitor without a key asks (health), or the address is the key (blob).
_OPEN: Final = re.compile(r"/(?:|health/(?:live|ready)|docs|openapi\.json|favicon\.ico|page/[a-z.-]+|blob/[^/]+)")
#: Changes, failures and slow answers are worth a line; a page's hundreds of thumbnails are not.
SLOW_S: Final = 1.0
#: What a log says of a caller that left first; never sent.
GONE_STATUS: Final = 499


@dataclass(frozen=True)
class Door:
    """The checks, in their order."""

    hosts: Hosts
    keys: Keys
    cors_origins: frozenset[str]
    limit: RateLimit

    async def admit(self, scope: Scope, headers: dict[str, str], dialect: Dialect, told: dict[str, str]) -> None:
        """Let the request in, with what it may do noted on its scope.

        Args:
            told: headers that the answer gets, whatever it is; filled in here.
        Raises:
            Failure: 400 for the Host, 403 for another site's change, 401 for the key, 429 when it has asked too
                often, 403 when it lacks a scope; 503 when nobody can say what the key is.
        """
        host = headers.get("host", "")
        name = await self.hosts.check(host)
        check_same_site(scope["method"], headers, host, dialect, self.cors_origins)
        if not _OPEN.fullmatch(scope["path"]):
            client = scope.get("client")
            is_embedded = is_embedded_elsewhere(headers, dialect, self.cors_origins)
            caller = Caller(client[0] if client else None, name, scope.get("http_version", "1.1"), is_embedded)
            access = await self.keys.check(headers, caller, dialect)
            grant(scope, access)
            if dialect is Dialect.WICKSON:
                standing, refusal = self.limit.take(access.key_id)
                told.update(standing.headers())
                if refusal is not None:
                    raise refusal
            check_scope(access, dialect, scope["method"], scope["path"])


class Admission:
    """Plain ASGI, around the router: it costs every thumbnail its time."""

    def __init__(self, app: ASGIApp, door: Door, metrics: Metrics, lines: Lines) -> None:
        self._app = app
        self._lines = lines
        self._door = door
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        headers = _headers_of(scope)
        current = headers.get("x-request-id", "")
        if not _SANE_ID.fullmatch(current):
            current = secrets.token_hex(8)
        request_id.set(current)
        scope["path"] = _plain(scope["path"])
        dialect = dialect_of(scope["path"])
        status, in_pieces = 0, False
        told: dict[str, str] = {}

        async def answer(message: Message) -> None:
            nonlocal status, in_pieces
            if message.get("more_body"):
                in_pieces = True
            elif message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message.get("headers", ()),
                    (b"x-request-id", current.encode("ascii")),
                    (b"x-content-type-options", b"nosniff"),
                    *((name.lower().encode("ascii"), value.encode("ascii")) for name, value in told.items()),
                ]
            await send(message)

        self._metrics.in_progress.inc()
        try:
            await self._door.admit(scope, headers, dialect, told)
            await self._app(scope, receive, answer)
        except ClientGone:
            status = GONE_STATUS
        except Exception as error:
            if status:
                # The status is out: leave the body short, and the server closes the connection.
                _log_cut(error)
            else:
                failure = failure_of(error)
                if failure.status == 500 and not isinstance(error, (Failure, grpc.aio.AioRpcError)):
                    # A service's own fault is in its own log, under the same request id.
                    logger.exception("unexpected error")
                await failure_answer(failure, scope["path"])(scope, receive, answer)
        finally:
            self._metrics.in_progress.dec()
            self._over(scope, dialect, status or GONE_STATUS, time.perf_counter() - began, in_pieces=in_pieces)

    def _over(self, scope: Scope, dialect: Dialect, status: int, seconds: float, *, in_pieces: bool) -> None:
        method: str = scope["method"]
        route = getattr(scope.get("route"), "path", "unmatched")
        self._metrics.answered(dialect, route, method, status, seconds, in_pieces=in_pieces)
        loud = status >= 400 or seconds >= SLOW_S or method not in ("GET", "HEAD")
        level = logging.INFO if loud else logging.DEBUG
        if logger.isEnabledFor(level):
            # Neither the address's query nor a path in it: both name somebody's files.
            fields: dict[str, Value] = {"dialect": dialect.value, "method": method, "route": route, "status": status}
            fields |= {"ms": round(seconds * 1e3, 1), "request_id": request_id.get()}
            self._lines.add("info" if loud else "debug", "request", fields)


def _headers_of(scope: Scope) -> dict[str, str]:
    """By lower-case name; a header that comes twice is joined, so that two Hosts are no host."""
    headers: dict[str, str] = {}
    for key, value in scope["headers"]:
        name = key.decode("latin-1")
        text = value.decode("latin-1")
        headers[name] = f"{headers[name]}, {text}" if name in headers else text
    return headers


def _plain(path: str) -> str:
    """Without doubled slashes in front (a base URL that ends in one) and without one at the end."""
    path = _SLASHES.sub("/", path)
    return path.rstrip("/") or "/"


def _log_cut(error: Exception) -> None:
    # The framework wraps what it knows how to answer when it is too late for an answer.
    cause = error.__cause__ if isinstance(error, RuntimeError) and error.__cause__ else error
    if isinstance(cause, (Failure, grpc.aio.AioRpcError)):
        logger.warning("an answer broke off: %s", failure_of(cause).message)
    else:
        logger.error("an answer broke off", exc_info=error)
