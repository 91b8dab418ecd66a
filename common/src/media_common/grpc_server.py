"""What every gRPC service here does alike: errors by name, request ids, health, reflection, a clean stop."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any, Final

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer
from grpc_reflection.v1alpha import reflection

from media_common.errors import AnswerTooLarge, ErrorCode, ServiceError
from media_common.logs import request_id
from media_common.wire import ERROR_TRAILER, WIRE

logger = logging.getLogger(__name__)

#: Metadata key of the request id, in gRPC and (as a header) in NATS.
REQUEST_ID: Final = "x-request-id"
#: A batch of 500 items or a large thumbnail fits; a runaway message does not.
MAX_MESSAGE_BYTES: Final = 32 * 1024 * 1024


@asynccontextmanager
async def translated(context: Any, method: str) -> AsyncIterator[None]:
    """Abort the call with the status and the name of whatever the body raises."""
    try:
        yield
    except ServiceError as error:
        trailer = ((ERROR_TRAILER, error.code.value),)
        await context.abort(WIRE[error.code].grpc, error.message, trailing_metadata=trailer)
    except grpc.aio.AbortError:  # a status already chosen
        raise
    except Exception:
        logger.exception("unexpected error in %s", method)
        trailer = ((ERROR_TRAILER, ErrorCode.INTERNAL.value),)
        await context.abort(grpc.StatusCode.INTERNAL, "internal error", trailing_metadata=trailer)


class ErrorInterceptor(grpc.aio.ServerInterceptor):
    """Wraps all handlers but those that take a stream for one answer in `translated`, with the caller's request id in
    the logs.

    Health and reflection pass through: grpc's own health `Watch` writes to the context itself and must not be wrapped.
    """

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        details: grpc.HandlerCallDetails,
    ) -> Any:
        handler = await continuation(details)
        method: str = details.method
        if handler is None or method.startswith(("/grpc.health.", "/grpc.reflection.")):
            return handler
        if handler.unary_unary is not None:
            unary = handler.unary_unary

            async def call(request: Any, context: Any) -> Any:
                request_id.set(_request_id_of(context))
                async with translated(context, method):
                    answer = await unary(request, context)
                    # gRPC would end the call by itself, with a trace back in the log and no name for the caller.
                    if answer.ByteSize() > MAX_MESSAGE_BYTES:
                        raise AnswerTooLarge
                    return answer

            return grpc.unary_unary_rpc_method_handler(call, handler.request_deserializer, handler.response_serializer)
        stream = handler.unary_stream or handler.stream_stream
        if stream is not None:

            async def calls(request: Any, context: Any) -> AsyncIterator[Any]:
                request_id.set(_request_id_of(context))
                async with translated(context, method), aclosing(stream(request, context)) as messages:
                    async for message in messages:
                        yield message

            made = (
                grpc.unary_stream_rpc_method_handler
                if handler.unary_stream is not None
                else grpc.stream_stream_rpc_method_handler
            )
            return made(calls, handler.request_deserializer, handler.response_serializer)
        return handler


def _request_id_of(context: Any) -> str:
    for key, value in context.invocation_metadata() or ():
        if key == REQUEST_ID:
            return value if isinstance(value, str) else value.decode("ascii", "replace")
    return ""


@asynccontextmanager
async def serving(
    listen: str,
    register: Callable[[grpc.aio.Server], None],
    service_names: Sequence[str],
    stop_grace_s: float,
    around: Sequence[grpc.aio.ServerInterceptor] = (),
) -> AsyncIterator[HealthServicer]:
    """A running server with health and reflection; SERVING from the start unless the body says otherwise.

    Args:
        listen: `unix:/path` or `host:port`.
        service_names: full names, for reflection and health.
        stop_grace_s: seconds that calls in flight get at the end.
        around: who measures or traces calls; each sees the status that the caller gets.
    """
    server = grpc.aio.server(
        interceptors=[*around, ErrorInterceptor()],
        options=[
            ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
            ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
            ("grpc.so_reuseport", 0),
        ],
    )
    register(server)
    health = HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    names = (*service_names, health_pb2.DESCRIPTOR.services_by_name["Health"].full_name)
    reflection.enable_server_reflection((*names, reflection.SERVICE_NAME), server)
    if server.add_insecure_port(listen) == 0:
        raise RuntimeError(f"cannot listen on {listen}")
    await server.start()
    for name in ("", *service_names):
        await health.set(name, health_pb2.HealthCheckResponse.SERVING)
    logger.info("listening on %s", listen)
    try:
        yield health
    finally:
        await health.enter_graceful_shutdown()
        await server.stop(stop_grace_s)
