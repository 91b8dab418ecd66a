"""What every gRPC service here does alike: errors by name, request ids, who may call, health, reflection, a clean
stop."""

from __future__ import annotations

import hmac
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any, Final

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer
from grpc_reflection.v1alpha import reflection

from media_common.around_calls import HANDLERS, kind_of
from media_common.errors import AnswerTooLarge, ErrorCode, ServiceError, TokenNeeded
from media_common.logs import request_id
from media_common.trust import ANYBODY, Identity, Pem, Trust
from media_common.wire import ERROR_TRAILER, WIRE

logger = logging.getLogger(__name__)

#: Metadata key of the request id, in gRPC and (as a header) in NATS.
REQUEST_ID: Final = "x-request-id"
#: Metadata key of the token that the services share, as `Bearer <token>`.
AUTHORIZATION: Final = "authorization"
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


class TokenInterceptor(grpc.aio.ServerInterceptor):
    """Refuses each call that does not bring the token. To be put before `ErrorInterceptor`.

    Health passes: who asks for it is a machine, whatever it was told, and learns no more than that a port tells. What a
    refused call brought is not parsed.
    """

    def __init__(self, token: str) -> None:
        self._token = token.encode()

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        details: grpc.HandlerCallDetails,
    ) -> Any:
        handler = await continuation(details)
        method: str = details.method
        if handler is None or method.startswith("/grpc.health.v1.") or self._is_in(details.invocation_metadata):
            return handler
        kind = kind_of(handler)

        async def refuse(request: Any, context: Any) -> None:
            logger.warning("%s without the token, from %s", method, context.peer())
            async with translated(context, method):
                raise TokenNeeded

        async def refuse_stream(request: Any, context: Any) -> AsyncIterator[Any]:
            await refuse(request, context)
            yield

        return HANDLERS[kind](refuse_stream if kind.endswith("_stream") else refuse)

    def _is_in(self, metadata: Any) -> bool:
        for key, value in metadata or ():
            if key == AUTHORIZATION and isinstance(value, str):
                scheme, _, token = value.partition(" ")
                # The time that it takes must not tell how much of it is right.
                if scheme.lower() == "bearer" and hmac.compare_digest(token.encode("utf-8", "replace"), self._token):
                    return True
        return False


def _listen(server: grpc.aio.Server, address: str, trust: Trust) -> int:
    identity = trust.identity_for(address)
    if identity is None:
        return server.add_insecure_port(address)
    return server.add_secure_port(address, _credentials(identity))


def _credentials(identity: Identity) -> grpc.ServerCredentials:
    """The files are read again with each connection: who connects after they were renewed sees the new ones."""
    shown = identity.pem

    def renewed() -> Any:
        nonlocal shown
        try:
            now = identity.read()
        except OSError as error:
            logger.warning("the certificate in use is kept: %s", error)
            return None
        if now == shown:
            return None
        # A key and a certificate that are no pair, because one of them is still being written, are refused by gRPC,
        # which goes on with those it has.
        shown = now
        logger.info("the certificate was renewed")
        return _configuration(now)

    return grpc.dynamic_ssl_server_credentials(_configuration(shown), renewed, require_client_authentication=True)


def _configuration(pem: Pem) -> Any:
    return grpc.ssl_server_certificate_configuration([(pem.key, pem.certificate)], pem.authority)


@asynccontextmanager
async def serving(
    listen: str,
    register: Callable[[grpc.aio.Server], None],
    service_names: Sequence[str],
    stop_grace_s: float,
    around: Sequence[grpc.aio.ServerInterceptor] = (),
    trust: Trust = ANYBODY,
) -> AsyncIterator[HealthServicer]:
    """A running server with health and reflection; SERVING from the start unless the body says otherwise.

    Args:
        listen: `unix:/path` or `host:port`.
        service_names: full names, for reflection and health.
        stop_grace_s: seconds that calls in flight get at the end.
        around: who measures or traces calls; each sees the status that the caller gets.
        trust: what a caller must have; over a unix socket the token alone.
    """
    asked = [TokenInterceptor(trust.token)] if trust.token else []
    server = grpc.aio.server(
        interceptors=[*around, *asked, ErrorInterceptor()],
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
    if _listen(server, listen, trust) == 0:
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
