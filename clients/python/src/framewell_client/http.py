"""What the two ways of sending have in common: the request as HTTP, and httpx's errors as ours."""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Final
from urllib.parse import urlsplit

import httpx

from framewell_client.errors import ApiError, ConnectionFailed, Dialect, NoAnswer, TimedOut, error_of
from framewell_client.multipart import Multipart
from framewell_client.wire import Head, Request

REQUEST_ID: Final = "X-Request-Id"
_AGENT: Final = f"framewell-client/{version('framewell-client')}"


@dataclass(frozen=True, slots=True)
class Message:
    """One request as it goes out, named so that the server's log and our errors speak of the same."""

    url: str
    headers: Mapping[str, str]
    timeout: httpx.Timeout
    dialect: Dialect
    request_id: str
    what: str  # for sentences; without the query, which names somebody's files

    def head_of(self, response: httpx.Response) -> Head:
        told = response.headers.get(REQUEST_ID, self.request_id)
        return Head(response.status_code, response.headers, self.dialect, told)

    def error_of(self, response: httpx.Response, body: bytes) -> ApiError:
        head = self.head_of(response)
        return error_of(head.status, head.headers, body, head.dialect, head.request_id)


class Outgoing:
    """Requests for one server, with one key."""

    def __init__(self, url: str, key: str | None, timeout_s: float) -> None:
        """
        Raises:
            ValueError: the URL is none of a server.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError(f"{url!r} is not the address of a server, such as http://127.0.0.1:8080")
        self.url = url.rstrip("/")
        self._key = {"X-Api-Key": key} if key else {}
        self._timeout_s = timeout_s

    @property
    def is_on_this_machine(self) -> bool:
        name = urlsplit(self.url).hostname or ""
        try:
            return name == "localhost" or ipaddress.ip_address(name).is_loopback
        except ValueError:
            return False

    def of(self, request: Request) -> Message:
        """A fresh name for every attempt."""
        request_id = secrets.token_hex(8)
        headers = {"User-Agent": _AGENT, REQUEST_ID: request_id, **request.headers}
        if not request.is_foreign:
            headers |= self._key
        if isinstance(request.body, Multipart):
            headers["Content-Type"] = request.body.content_type
            if (size := request.body.size_bytes) is not None:
                headers["Content-Length"] = str(size)
        url = request.address if request.is_foreign else self.url + request.address
        timeout = httpx.Timeout(self._timeout_s, read=request.read_timeout_s or self._timeout_s)
        what = f"{request.method} {request.address.partition('?')[0]}"
        return Message(url, headers, timeout, request.dialect, request_id, what)


def checked(head: Head, request: Request) -> bool:
    """Whether it is an answer, and not an error.

    Raises:
        UnexpectedAnswer: it leads somewhere else.
    """
    if 300 <= head.status < 400:
        raise head.unexpected(f"The server sent a redirection ({head.status}); the API has none.")
    return head.status < 400 or head.status in request.accepted


def failure_of(error: httpx.HTTPError, message: Message) -> NoAnswer:
    """httpx's failure as ours; the one place that knows its names."""
    why = str(error) or type(error).__name__
    match error:
        case httpx.ConnectError() | httpx.ConnectTimeout() | httpx.UnsupportedProtocol():
            kind: type[NoAnswer] = ConnectionFailed
        case httpx.TimeoutException():
            kind = TimedOut
        case _:
            kind = NoAnswer
    return kind(f"{message.what}: {why}", message.dialect, message.request_id)
