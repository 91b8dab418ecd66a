"""Channels to other services: the request id, its trace and a deadline on every call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import grpc

from media_common.errors import ErrorCode
from media_common.grpc_server import MAX_MESSAGE_BYTES, REQUEST_ID
from media_common.logs import request_id
from media_common.tracing import carried
from media_common.wire import ERROR_TRAILER


def _with_request_id(details: grpc.aio.ClientCallDetails) -> grpc.aio.ClientCallDetails:
    current, along = request_id.get(), carried.get()
    if not current and not along:
        return details
    metadata = grpc.aio.Metadata(*(details.metadata or ()), *along.items())
    if current:
        metadata.add(REQUEST_ID, current)
    return details._replace(metadata=metadata)  # type: ignore[attr-defined,no-any-return]


class _UnaryRequestId(grpc.aio.UnaryUnaryClientInterceptor):
    async def intercept_unary_unary(self, continuation: Callable[..., Any], details: Any, request: Any) -> Any:
        return await continuation(_with_request_id(details), request)


class _StreamRequestId(grpc.aio.UnaryStreamClientInterceptor):
    async def intercept_unary_stream(self, continuation: Callable[..., Any], details: Any, request: Any) -> Any:
        return await continuation(_with_request_id(details), request)


def open_channel(target: str, *, marked: bool = True) -> grpc.aio.Channel:
    """A channel for the life of the process; it reconnects by itself, within a second of the other side's return.

    Args:
        marked: every call takes the request id along. False, for who gives it with each call, which costs half as much
            as an interceptor does.
    """
    interceptors: Sequence[grpc.aio.ClientInterceptor] = [_UnaryRequestId(), _StreamRequestId()] if marked else []
    return grpc.aio.insecure_channel(
        target,
        options=[
            ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
            ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
            ("grpc.initial_reconnect_backoff_ms", 100),
            ("grpc.min_reconnect_backoff_ms", 100),
            ("grpc.max_reconnect_backoff_ms", 1000),
            # A container that was made anew has another address; the default looks its name up every half minute.
            ("grpc.dns_min_time_between_resolutions_ms", 1000),
            # An HTTP proxy in the environment is never meant for these.
            ("grpc.enable_http_proxy", 0),
        ],
        interceptors=interceptors,
    )


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
