"""A service's figures for Prometheus, over HTTP at an address of their own. Imported only where one is set.

Names and units are the field's: gRPC calls as every language's exporter calls them (`grpc_server_…`), the process as
the client library does (`process_…`), ours `framewell_…`, in `_seconds` and `_bytes`, counters `_total`. No label holds
a path or an id. docs/observability.md has them all in a table.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any, Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    start_http_server,
)
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from media_common.errors import ServiceError

logger = logging.getLogger(__name__)

#: From a look at an index to an empty-trash of thousands.
CALL_BUCKETS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
#: A scrape goes without what takes longer to find out.
_ASK_S: Final = 1.0

#: Finds out, on the event loop, what is only known when it is asked for.
Ask = Callable[[], Awaitable[Iterable[Metric]]]


class Figures:
    """One registry a service, so that two in one process do not meet."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._asked = _Asked()
        self.registry.register(self._asked)
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)
        names = ("grpc_type", "grpc_service", "grpc_method")
        self._started = Counter("grpc_server_started", "Calls begun", names, registry=self.registry)
        self._handled = Counter(
            "grpc_server_handled", "Calls ended, by status", (*names, "grpc_code"), registry=self.registry
        )
        self._seconds = Histogram(
            "grpc_server_handling_seconds",
            "Time to the end of the answer",
            names,
            buckets=CALL_BUCKETS_S,
            registry=self.registry,
        )

    def begin(self, method: str, kind: str, context: Any) -> _Call:
        """A call has begun; for `around_calls.AroundCalls`."""
        _, service, name = method.split("/", 2)
        labels = (kind, service, name)
        self._started.labels(*labels).inc()
        return _Call(self._handled, self._seconds, labels)

    def ask(self, ask: Ask) -> None:
        """Have it asked with every scrape, on the event loop that runs now, beside the others: one that takes too long,
        or fails, hides itself alone."""
        self._asked.asks.append((ask, asyncio.get_running_loop()))

    def ask_no_more(self) -> None:
        """What would be asked is about to close; the rest is told on."""
        self._asked.asks.clear()

    @asynccontextmanager
    async def served(self, listen: str) -> AsyncIterator[int]:
        """At `http://<listen>/metrics` for as long as the body runs; gives the port.

        An address that cannot be had is an error in the log and no more: who watches must not bring down what is
        watched.

        Args:
            listen: `host:port`; port 0 for a free one.
        """
        host, _, port = listen.rpartition(":")
        server = None
        try:
            server, _ = start_http_server(int(port), host.strip("[]"), self.registry)
        except (OSError, OverflowError, UnicodeError) as error:
            logger.error("no figures: cannot listen on %s: %s", listen, error)
        else:
            logger.info("figures on http://%s:%d/metrics", host, server.server_port)
        try:
            yield 0 if server is None else server.server_port
        finally:
            if server is not None:
                await asyncio.to_thread(server.shutdown)
                server.server_close()


class _Call:
    """One call under way."""

    __slots__ = ("_began", "_handled", "_labels", "_seconds")

    def __init__(self, handled: Counter, seconds: Histogram, labels: tuple[str, str, str]) -> None:
        self._handled = handled
        self._seconds = seconds
        self._labels = labels
        self._began = time.perf_counter()

    def ended(self, status: str) -> None:
        self._handled.labels(*self._labels, status).inc()
        self._seconds.labels(*self._labels).observe(time.perf_counter() - self._began)


class _Asked(Collector):
    """Scrapes are answered on threads of their own; what services know is on their event loop."""

    def __init__(self) -> None:
        self.asks: list[tuple[Ask, asyncio.AbstractEventLoop]] = []

    def collect(self) -> Iterable[Metric]:
        asking = [asyncio.run_coroutine_threadsafe(_told(ask), loop) for ask, loop in tuple(self.asks)]
        ends_s = time.monotonic() + 2 * _ASK_S
        found: list[Metric] = []
        for one in asking:
            try:
                error = one.exception(max(0.0, ends_s - time.monotonic()))
            except TimeoutError:  # the loop itself is busy, or at its end
                one.cancel()
                continue
            if error is None:
                found += one.result()
            else:
                logger.warning("some figures are missing", exc_info=error)
        return found

    def describe(self) -> Iterable[Metric]:
        """Nothing is asked before the first scrape."""
        return ()


async def _told(ask: Ask) -> list[Metric]:
    try:
        async with asyncio.timeout(_ASK_S):
            return list(await ask())
    except (ServiceError, OSError, TimeoutError) as error:
        logger.debug("some figures are missing: %r", error)
        return []
