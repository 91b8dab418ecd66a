"""Requests carried out on an event loop, asyncio's or trio's. The twin of `blocking.py`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from types import TracebackType
from typing import Generic, Self, TypeVar, cast

import anyio
import httpx

from framewell_client.errors import FramewellError
from framewell_client.feeds import Feed
from framewell_client.http import Outgoing, checked, failure_of
from framewell_client.multipart import Multipart
from framewell_client.retry import Patience, Retry
from framewell_client.wire import Answer, Call, Head, Request

T = TypeVar("T")


class AsyncStream(Generic[T]):
    """Values as they come. Nothing is asked before the first is; leaving early closes the connection: soon after the
    iterator is dropped, or at once by `aclose()` or the end of an `async with`."""

    def __init__(self, values: AsyncGenerator[T]) -> None:
        self._values = values

    def __aiter__(self) -> AsyncIterator[T]:
        return self

    async def __anext__(self) -> T:
        return await anext(self._values)

    async def aclose(self) -> None:
        await self._values.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.aclose()


class AsyncSender:
    """Calls and feeds over one pool of connections."""

    def __init__(self, http: httpx.AsyncClient, outgoing: Outgoing, retry: Retry) -> None:
        self._http = http
        self._outgoing = outgoing
        self._retry = retry

    async def send(self, call: Call[T]) -> T:
        """
        Raises:
            FramewellError: the request, its last attempt where it may be repeated, failed.
        """
        patience = Patience(self._retry)
        while True:
            try:
                async with self._answered(call.request) as (head, response):
                    body = await response.aread()
                return call.read(Answer(head, body))
            except FramewellError as error:
                await anyio.sleep(patience.after(call.request, error))

    def open(self, feed: Feed[T]) -> AsyncStream[T]:
        return AsyncStream(self._values(feed))

    async def _values(self, feed: Feed[T]) -> AsyncGenerator[T]:
        patience = Patience(self._retry)
        while (request := feed.next_request()) is not None:
            try:
                async with self._answered(request) as (head, response):
                    feed.begin(head)
                    # A generator, whatever httpx calls it; its end must not wait for the garbage collector.
                    pieces = cast(AsyncGenerator[bytes], response.aiter_bytes())
                    async with aclosing(pieces):
                        async for piece in pieces:
                            for value in feed.receive(piece):
                                patience.renew()
                                yield value
                for value in feed.finish():
                    patience.renew()
                    yield value
            except FramewellError as error:
                await anyio.sleep(patience.after(feed.next_request(), error))

    @asynccontextmanager
    async def _answered(self, request: Request) -> AsyncIterator[tuple[Head, httpx.Response]]:
        """An answer that is none of the errors, its body still to come."""
        out = self._outgoing.of(request)
        content = request.body.chunks_async() if isinstance(request.body, Multipart) else request.body
        try:
            built = self._http.build_request(
                request.method, out.url, headers=out.headers, content=content, timeout=out.timeout
            )
            response = await self._http.send(built, stream=True, follow_redirects=request.is_foreign)
            try:
                head = out.head_of(response)
                if checked(head, request):
                    yield head, response
                else:
                    raise out.error_of(response, await response.aread())
            finally:
                await response.aclose()
        except httpx.HTTPError as error:
            raise failure_of(error, out) from error

    async def aclose(self) -> None:
        await self._http.aclose()
