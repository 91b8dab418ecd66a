"""Structured logs, one line an event, as text for people or JSON for programs; the request id rides along."""

from __future__ import annotations

import logging
import sys
from contextvars import ContextVar
from typing import Literal

import structlog

#: The id of the request being served; set by the gRPC interceptor, the gateway's middleware and the job loop.
request_id: ContextVar[str] = ContextVar("request_id", default="")


def _with_request_id(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    if current := request_id.get():
        event.setdefault("request_id", current)
    return event


def configure_logs(service: str, level: str, form: Literal["text", "json"]) -> None:
    """Send structlog's and the standard library's records to standard error in one form."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _with_request_id,
    ]
    renderer: structlog.typing.Processor
    if form == "json":
        shared.append(structlog.processors.format_exc_info)
        renderer = structlog.processors.JSONRenderer()
    else:
        # The default one prints the variables of every frame (keys in headers among them), and takes half a second.
        plain = structlog.dev.plain_traceback
        renderer = structlog.dev.ConsoleRenderer(colors=False, pad_event_to=0, exception_formatter=plain)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # These two log every call at INFO.
    for noisy in ("httpx", "nats"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
