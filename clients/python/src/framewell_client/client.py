"""The two clients: the same namespaces over a blocking or an awaiting sender. The one place that opens connections."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Final, Generic, Self

import httpx

from framewell_client.awaiting import AsyncSender
from framewell_client.blocking import Sender
from framewell_client.dialects.coreviz import CoreViz
from framewell_client.dialects.exquisitor import Exquisitor
from framewell_client.dialects.platform import Platform
from framewell_client.dialects.review import Review
from framewell_client.dialects.wickson import Wickson
from framewell_client.http import Outgoing
from framewell_client.namespaces import S
from framewell_client.retry import Retry

DEFAULT_URL: Final = "http://127.0.0.1:8080"
DEFAULT_TIMEOUT_S: Final = 30.0
DEFAULT_RETRY: Final = Retry()


class _Namespaces(Generic[S]):
    def __init__(self, sender: S, url: str) -> None:
        self.url = url
        self._sender: S = sender
        self.review: Review[S] = Review(sender)
        self.exquisitor: Exquisitor[S] = Exquisitor(sender)
        self.coreviz: CoreViz[S] = CoreViz(sender)
        self.wickson: Wickson[S] = Wickson(sender)
        self.platform: Platform[S] = Platform(sender)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url!r})"


class Framewell(_Namespaces[Sender]):
    """A server, from code that waits. May be used by several threads; `close()` it, or use it in a `with`."""

    def __init__(
        self,
        url: str = DEFAULT_URL,
        key: str | None = None,
        *,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        retry: Retry = DEFAULT_RETRY,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """
        Args:
            key: sent as `X-Api-Key`; None will do for review, Exquisitor and the platform on the server's own machine.
            timeout_s: to connect, to send a piece, to get one; not for a whole stream.
            transport: another way to carry requests, for tests.
        Raises:
            ValueError: the URL is none of a server.
        """
        outgoing = Outgoing(url, key, timeout_s)
        http = httpx.Client(transport=transport, **_options(outgoing))
        super().__init__(Sender(http, outgoing, retry), outgoing.url)

    def close(self) -> None:
        self._sender.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


class AsyncFramewell(_Namespaces[AsyncSender]):
    """A server, from asyncio or trio. `await aclose()` it, or use it in an `async with`."""

    def __init__(
        self,
        url: str = DEFAULT_URL,
        key: str | None = None,
        *,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        retry: Retry = DEFAULT_RETRY,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """As `Framewell`."""
        outgoing = Outgoing(url, key, timeout_s)
        http = httpx.AsyncClient(transport=transport, **_options(outgoing))
        super().__init__(AsyncSender(http, outgoing, retry), outgoing.url)

    async def aclose(self) -> None:
        await self._sender.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.aclose()


def _options(outgoing: Outgoing) -> dict[str, Any]:
    # A proxy of the environment is never on the way to one's own machine.
    return {"trust_env": not outgoing.is_on_this_machine}
