"""What is done around every gRPC call that a service answers, for those who measure and trace. Nothing is wrapped where
nobody does: `grpc_server.serving` is given no interceptor then.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, Final, Protocol

import grpc

#: By the handler's attribute, which says what goes in and what comes out.
HANDLERS: Final = {
    "unary_unary": grpc.unary_unary_rpc_method_handler,
    "unary_stream": grpc.unary_stream_rpc_method_handler,
    "stream_unary": grpc.stream_unary_rpc_method_handler,
    "stream_stream": grpc.stream_stream_rpc_method_handler,
}
_NAMES: Final[dict[object, str]] = {code.value[0]: code.name for code in grpc.StatusCode}


def kind_of(handler: Any) -> str:
    """Which of `HANDLERS` made it."""
    return next(name for name in HANDLERS if getattr(handler, name) is not None)


class Call(Protocol):
    """One call under way."""

    def ended(self, status: str) -> None:
        """`status` by gRPC's name of it, `NOT_FOUND`."""


#: Told of each call before its handler: `/package.Service/Method`, the kind (`unary_stream`), the server's context.
Begin = Callable[[str, str, Any], Call]


class AroundCalls(grpc.aio.ServerInterceptor):
    """Tells of every call's beginning and end, but for health and reflection, whose callers are machines that ask all
    day. To be put before `ErrorInterceptor`, so that it sees the status that the caller gets.
    """

    def __init__(self, begin: Begin) -> None:
        self._begin = begin

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        details: grpc.HandlerCallDetails,
    ) -> Any:
        handler = await continuation(details)
        method: str = details.method
        if handler is None or method.startswith(("/grpc.health.", "/grpc.reflection.")):
            return handler
        kind = kind_of(handler)
        inner = getattr(handler, kind)
        around = self._stream if kind.endswith("_stream") else self._unary
        return HANDLERS[kind](around(method, kind, inner), handler.request_deserializer, handler.response_serializer)

    def _unary(self, method: str, kind: str, inner: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def call(request: Any, context: Any) -> Any:
            told = self._begin(method, kind, context)
            try:
                answer = await inner(request, context)
            except BaseException as error:
                told.ended(_status_of(error, context))
                raise
            told.ended(_status(context))
            return answer

        return call

    def _stream(self, method: str, kind: str, inner: Callable[..., Any]) -> Callable[..., AsyncIterator[Any]]:
        async def calls(request: Any, context: Any) -> AsyncIterator[Any]:
            told = self._begin(method, kind, context)
            try:
                async with aclosing(inner(request, context)) as messages:
                    async for message in messages:
                        yield message
            except BaseException as error:
                told.ended(_status_of(error, context))
                raise
            told.ended(_status(context))

        return calls


def _status(context: Any) -> str:
    code = context.code()  # a number until somebody sets one of the names
    return code.name if isinstance(code, grpc.StatusCode) else _NAMES.get(code or 0, "UNKNOWN")


def _status_of(error: BaseException, context: Any) -> str:
    if isinstance(error, (asyncio.CancelledError, GeneratorExit)):
        return "CANCELLED"  # the caller left, or its deadline passed
    return _status(context) if isinstance(error, grpc.aio.AbortError) else "UNKNOWN"
