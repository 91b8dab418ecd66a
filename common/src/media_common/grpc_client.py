"""Channels to other services: the request id, its trace, a deadline and, where it is asked for, the token on every
call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import grpc

from media_common.errors import ErrorCode
from media_common.grpc_server import AUTHORIZATION, MAX_MESSAGE_BYTES, REQUEST_ID
from media_common.logs import request_id
from media_common.tracing import carried
from media_common.trust import ANYBODY, Trust
from media_common.wire import ERROR_TRAILER

#: What a call is made with, and what it shall be made with.
_Change = Callable[[grpc.aio.ClientCallDetails], grpc.aio.ClientCallDetails]

_OPTIONS: Final = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    # A container that was made anew has another address; the default looks its name up every half minute.
    ("grpc.dns_min_time_between_resolutions_ms", 1000),
    # An HTTP proxy in the environment is never meant for these.
    ("grpc.enable_http_proxy", 0),
)
#: Despite its name, how long one attempt to connect may take. Handshakes are arithmetic, which a busy small server does
#: not finish in the time that is plenty without them.
_ATTEMPT: Final = "grpc.min_reconnect_backoff_ms"
_PLAIN: Final = (*_OPTIONS, (_ATTEMPT, 100))
_WITH_TLS: Final = (*_OPTIONS, (_ATTEMPT, 1000))


def _with_request_id(details: grpc.aio.ClientCallDetails) -> grpc.aio.ClientCallDetails:
    current, along = request_id.get(), carried.get()
    if not current and not along:
        return details
    metadata = grpc.aio.Metadata(*(details.metadata or ()), *along.items())
    if current:
        metadata.add(REQUEST_ID, current)
    return details._replace(metadata=metadata)  # type: ignore[attr-defined,no-any-return]


def _with_token(token: str, details: grpc.aio.ClientCallDetails) -> grpc.aio.ClientCallDetails:
    metadata = grpc.aio.Metadata(*(details.metadata or ()), (AUTHORIZATION, f"Bearer {token}"))
    return details._replace(metadata=metadata)  # type: ignore[attr-defined,no-any-return]


class _Changed:
    def __init__(self, change: _Change) -> None:
        self._change = change


class _UnaryUnary(_Changed, grpc.aio.UnaryUnaryClientInterceptor):
    async def intercept_unary_unary(self, continuation: Callable[..., Any], details: Any, request: Any) -> Any:
        return await continuation(self._change(details), request)


class _UnaryStream(_Changed, grpc.aio.UnaryStreamClientInterceptor):
    async def intercept_unary_stream(self, continuation: Callable[..., Any], details: Any, request: Any) -> Any:
        return await continuation(self._change(details), request)


class _StreamUnary(_Changed, grpc.aio.StreamUnaryClientInterceptor):
    async def intercept_stream_unary(self, continuation: Callable[..., Any], details: Any, requests: Any) -> Any:
        return await continuation(self._change(details), requests)


class _StreamStream(_Changed, grpc.aio.StreamStreamClientInterceptor):
    async def intercept_stream_stream(self, continuation: Callable[..., Any], details: Any, requests: Any) -> Any:
        return await continuation(self._change(details), requests)


def _interceptors(token: str, *, marked: bool) -> Sequence[grpc.aio.ClientInterceptor]:
    """The token goes along with every kind of call, so that no caller can forget it; without one, and unmarked, there
    are none."""
    if not token:
        return [_UnaryUnary(_with_request_id), _UnaryStream(_with_request_id)] if marked else []

    def change(details: grpc.aio.ClientCallDetails) -> grpc.aio.ClientCallDetails:
        return _with_token(token, _with_request_id(details) if marked else details)

    return [_UnaryUnary(change), _UnaryStream(change), _StreamUnary(change), _StreamStream(change)]


def open_channel(target: str, trust: Trust = ANYBODY, *, marked: bool = True) -> grpc.aio.Channel:
    """A channel for the life of the process; it reconnects by itself, within a second of the other side's return.

    Args:
        trust: what is shown and sent there. The other side's certificate must be of the same authority, and name the
            host of `target`.
        marked: every call takes the request id along. False, for who gives it with each call, which costs half as much
            as an interceptor does.
    """
    interceptors = _interceptors(trust.token, marked=marked)
    identity = trust.identity_for(target)
    if identity is None:
        return grpc.aio.insecure_channel(target, options=_PLAIN, interceptors=interceptors)
    pem = identity.pem
    credentials = grpc.ssl_channel_credentials(pem.authority, pem.key, pem.certificate)
    return grpc.aio.secure_channel(target, credentials, options=_WITH_TLS, interceptors=interceptors)


def marks() -> tuple[tuple[str, str], ...]:
    """The request id and the trace, as the metadata of a call: given with the call itself, since an interceptor makes
    each call two, at twice the price."""
    current = request_id.get()
    marked = ((REQUEST_ID, current),) if current else ()
    return (*marked, *along.items()) if (along := carried.get()) else marked


def error_code_of(error: grpc.aio.AioRpcError) -> ErrorCode:
    """The name in the trailer; a status without one comes from the transport and is named here."""
    for key, value in error.trailing_metadata() or ():
        if key == ERROR_TRAILER and isinstance(value, str) and value in set(ErrorCode):
            return ErrorCode(value)
    if error.code() is grpc.StatusCode.UNAVAILABLE:
        return ErrorCode.SERVICE_UNAVAILABLE
    if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
        return ErrorCode.DEADLINE
    if error.code() is grpc.StatusCode.UNIMPLEMENTED:
        return ErrorCode.NOT_BUILT
    return ErrorCode.INTERNAL
