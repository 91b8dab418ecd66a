"""Requests carried out with the caller waiting. `awaiting.py` is its twin; whatever is no `await` is elsewhere."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from time import sleep  # noqa: TID251 - the wait before a second attempt
from types import TracebackType
from typing import Generic, Self, TypeVar

import httpx

from framewell_client.errors import FramewellError
from framewell_client.feeds import Feed
from framewell_client.http import Outgoing, checked, failure_of
from framewell_client.multipart import Multipart
from framewell_client.retry import Patience, Retry
from framewell_client.wire import Answer, Call, Head, Request

T = TypeVar("T")


class Stream(Generic[T]):
    """Values as they come. Nothing is asked before the first is; leaving early closes the connection: when the
    iterator is dropped, or at once by `close()` or the end of a `with`."""

    def __init__(self, values: Generator[T]) -> None:
        self._values = values

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        return next(self._values)

    def close(self) -> None:
        self._values.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


class Sender:
    """Calls and feeds over one pool of connections."""

    def __init__(self, http: httpx.Client, outgoing: Outgoing, retry: Retry) -> None:
        self._http = http
        self._outgoing = outgoing
        self._retry = retry

    def send(self, call: Call[T]) -> T:
        """
        Raises:
            FramewellError: the request, its last attempt where it may be repeated, failed.
        """
        patience = Patience(self._retry)
        while True:
            try:
                with self._answered(call.request) as (head, response):
                    body = response.read()
                return call.read(Answer(head, body))
            except FramewellError as error:
                sleep(patience.after(call.request, error))

    def open(self, feed: Feed[T]) -> Stream[T]:
        return Stream(self._values(feed))

    def _values(self, feed: Feed[T]) -> Generator[T]:
        patience = Patience(self._retry)
        while (request := feed.next_request()) is not None:
            try:
                with self._answered(request) as (head, response):
                    feed.begin(head)
                    for piece in response.iter_bytes():
                        for value in feed.receive(piece):
                            patience.renew()
                            yield value
                for value in feed.finish():
                    patience.renew()
                    yield value
            except FramewellError as error:
                sleep(patience.after(feed.next_request(), error))

    @contextmanager
    def _answered(self, request: Request) -> Iterator[tuple[Head, httpx.Response]]:
        """An answer that is none of the errors, its body still to come."""
        out = self._outgoing.of(request)
        content = request.body.chunks() if isinstance(request.body, Multipart) else request.body
        try:
            built = self._http.build_request(
                request.method, out.url, headers=out.headers, content=content, timeout=out.timeout
            )
            response = self._http.send(built, stream=True, follow_redirects=request.is_foreign)
            try:
                head = out.head_of(response)
                if checked(head, request):
                    yield head, response
                else:
                    raise out.error_of(response, response.read())
            finally:
                response.close()
        except httpx.HTTPError as error:
            raise failure_of(error, out) from error

    def close(self) -> None:
        self._http.close()
