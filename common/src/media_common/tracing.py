"""One trace from a request to all that it causes: through gRPC as metadata, through NATS as headers, in W3C's words
(`traceparent`). This is what every service imports; `otel` beside it has OpenTelemetry, and is imported only where the
settings name who takes the spans. Until then `carried` is empty and `NO_SPANS` begins nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from enum import Enum
from types import MappingProxyType
from typing import Final, Protocol

Value = str | int

_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
#: What goes along with every call and message that the work in hand sends. Never taken back: a call, a request and a
#: message each have a task of their own, and this ends with it.
carried: ContextVar[Mapping[str, str]] = ContextVar("carried", default=_NOTHING)


class Kind(Enum):
    """What began the work: somebody who waits for the answer, or a message."""

    SERVER = "server"
    CONSUMER = "consumer"


class Span(Protocol):
    """A piece of work, from its beginning to its end."""

    @property
    def carrier(self) -> Mapping[str, str]:
        """What makes another service's work a part of this."""

    def ended(self, *, failed: bool = False, name: str = "", attributes: Mapping[str, Value] = _NOTHING) -> None:
        """
        Args:
            name: a better one, known only now.
            attributes: what is known only now.
        """


class Spans(Protocol):
    """Where work is told of."""

    def begin(self, name: str, kind: Kind, headers: Mapping[str, str], attributes: Mapping[str, Value]) -> Span:
        """
        Args:
            headers: what came along; the span is a part of what they name, or the first of a trace.
            attributes: by the names of OpenTelemetry's conventions.
        """


class _NoSpan:
    carrier = _NOTHING

    def ended(self, *, failed: bool = False, name: str = "", attributes: Mapping[str, Value] = _NOTHING) -> None:
        pass


class _NoSpans:
    def begin(self, name: str, kind: Kind, headers: Mapping[str, str], attributes: Mapping[str, Value]) -> Span:
        return _NO_SPAN


_NO_SPAN: Final = _NoSpan()
#: Nobody is told.
NO_SPANS: Final[Spans] = _NoSpans()


def received(spans: Spans, subject: str, headers: Mapping[str, str] | None) -> Span:
    """The span of a message of NATS that is worked on now."""
    if spans is NO_SPANS:
        return _NO_SPAN
    told = {"messaging.system": "nats", "messaging.destination.name": subject, "messaging.operation.type": "process"}
    return spans.begin(f"process {subject}", Kind.CONSUMER, headers or _NOTHING, told)
