"""What is watched of a service, as far as the settings ask for it. What nobody asks for is not imported, and costs
nothing: no interceptor round the calls, no thread, no port.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import grpc

from media_common.around_calls import AroundCalls, Begin
from media_common.config import PublicSettings
from media_common.tracing import NO_SPANS, Spans

if TYPE_CHECKING:
    from media_common.figures import Figures
    from media_common.otel import OtelSpans

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Watching:
    """What a service tells of itself, and to whom."""

    #: None: nobody reads any.
    figures: Figures | None = None
    spans: Spans = NO_SPANS
    #: For `grpc_server.serving`.
    interceptors: Sequence[grpc.aio.ServerInterceptor] = ()


@asynccontextmanager
async def watched(service: str, public: PublicSettings) -> AsyncIterator[Watching]:
    """
    Args:
        service: what it is called in traces.
    """
    async with AsyncExitStack() as ends:
        figures = None
        begins: list[Begin] = []
        if public.metrics_listen:
            from media_common.figures import Figures

            figures = Figures()
            await ends.enter_async_context(figures.served(public.metrics_listen))
            begins.append(figures.begin)
        spans = await ends.enter_async_context(traced(service, public))
        if spans is not None:
            begins.append(spans.call)
        yield Watching(figures, spans or NO_SPANS, [AroundCalls(begin) for begin in begins])


@asynccontextmanager
async def traced(service: str, public: PublicSettings) -> AsyncIterator[OtelSpans | None]:
    """Traces alone; None: nobody takes any, or what they need is not there: an error in the log, and no more."""
    if (exported := _exporting(public)) is None:
        yield None
        return
    async with AsyncExitStack() as ends:
        spans = None
        try:
            spans = await ends.enter_async_context(exported(service))
        except (ValueError, RuntimeError) as error:  # a setting of the SDK's own that it does not take
            logger.error("no traces: %s", error)
        yield spans


def _exporting(public: PublicSettings) -> Callable[[str], AbstractAsyncContextManager[OtelSpans]] | None:
    if not public.traces_are_wanted:
        return None
    if public.otlp_protocol not in ("", "http/protobuf"):
        logger.error("no traces: OTEL_EXPORTER_OTLP_PROTOCOL=%s is not built, http/protobuf is", public.otlp_protocol)
        return None
    try:
        from media_common.otel import exported
    except ImportError as error:
        logger.error("no traces: %s is not installed; it comes with framewell-common[traces]", error.name)
        return None
    return exported
