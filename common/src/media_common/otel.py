"""Spans over OTLP, by OpenTelemetry's SDK (`framewell-common[traces]`). Imported only where the settings ask for
traces; sampling, batching, time-outs and headers are the SDK's own `OTEL_*` variables.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from media_common.tracing import Kind, Span, Value, carried

logger = logging.getLogger(__name__)

#: What is left of the last spans may take so long; nobody who stops the product waits for a collector that is away.
_LAST_S: Final = 1.0
_KINDS: Final = {Kind.SERVER: trace.SpanKind.SERVER, Kind.CONSUMER: trace.SpanKind.CONSUMER}
#: Faults of the server, as the conventions for gRPC have it; what else is no `OK` is the caller's.
_FAULTS: Final = ("UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS")
#: Trace context and nothing else: whatever more a stranger sends along ends at the gateway.
_WORDS: Final = TraceContextTextMapPropagator()


class OtelSpans:
    """Implements `tracing.Spans`."""

    def __init__(self, service: str, processor: SpanProcessor) -> None:
        names = {"service.namespace": "framewell", "service.name": service, "service.instance.id": str(uuid.uuid4())}
        self._provider = TracerProvider(resource=Resource.create(names), shutdown_on_exit=False)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("framewell")

    def begin(self, name: str, kind: Kind, headers: Mapping[str, str], attributes: Mapping[str, Value]) -> Span:
        parent = _WORDS.extract(headers)
        return OtelSpan(self._tracer.start_span(name, context=parent, kind=_KINDS[kind], attributes=attributes))

    def call(self, method: str, kind: str, context: Any) -> _Call:
        """A gRPC call has begun, and what it sends is a part of it; for `around_calls.AroundCalls`."""
        headers = {key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)}
        _, service, name = method.split("/", 2)
        told = {"rpc.system": "grpc", "rpc.service": service, "rpc.method": name}
        span = self.begin(method[1:], Kind.SERVER, headers, told)
        carried.set(span.carrier)
        return _Call(span)

    def close(self) -> None:
        """Send what is left, for a moment at most."""
        # A thread that nobody waits for: the SDK's own limit is half a minute.
        ending = threading.Thread(target=self._provider.shutdown, name="last-spans", daemon=True)
        ending.start()
        ending.join(_LAST_S)


class OtelSpan:
    """Implements `tracing.Span`."""

    __slots__ = ("_span", "carrier")

    def __init__(self, span: trace.Span) -> None:
        self._span = span
        made: dict[str, str] = {}
        _WORDS.inject(made, trace.set_span_in_context(span))
        self.carrier: Mapping[str, str] = made

    def ended(self, *, failed: bool = False, name: str = "", attributes: Mapping[str, Value] | None = None) -> None:
        if name:
            self._span.update_name(name)
        if attributes:
            self._span.set_attributes(attributes)
        if failed:
            self._span.set_status(trace.StatusCode.ERROR)
        self._span.end()


class _Call:
    """One gRPC call under way."""

    __slots__ = ("_span",)

    def __init__(self, span: Span) -> None:
        self._span = span

    def ended(self, status: str) -> None:
        self._span.ended(failed=status in _FAULTS, attributes={"rpc.response.status_code": status})


@asynccontextmanager
async def exported(service: str) -> AsyncIterator[OtelSpans]:
    """Spans on their way to the address in the environment, for as long as the body runs."""
    spans = OtelSpans(service, BatchSpanProcessor(OTLPSpanExporter()))
    logger.info("traces are sent over OTLP")
    try:
        yield spans
    finally:
        await asyncio.to_thread(spans.close)
