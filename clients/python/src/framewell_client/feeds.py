"""Sequences that take several answers, or one that comes in pieces: what to ask next and what each piece brings.
No network: `blocking.py` and `awaiting.py` carry the requests out and the pieces in."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from framewell_client.errors import Dialect, StreamBroken
from framewell_client.lines import EventLines, Lines
from framewell_client.models.platform import Event
from framewell_client.models.review import MediaItem, TrashEvent
from framewell_client.wire import Answer, Call, Head, Request

T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")
PageT = TypeVar("PageT")
#: The server says something at least every 15 s, if only that it is still there.
EVENTS_READ_TIMEOUT_S = 60.0


class Feed(Protocol[T_co]):
    """One sequence being read. After a failure `next_request` goes on where the values stopped."""

    def next_request(self) -> Request | None:
        """None: that was all."""

    def begin(self, head: Head) -> None:
        """An answer is coming; it is none of the errors."""

    def receive(self, chunk: bytes) -> Iterator[T_co]:
        """The values that this piece of the answer completes."""

    def finish(self) -> Iterator[T_co]:
        """The answer is at its end; the values that this completes.

        Raises:
            StreamBroken: it should not be.
        """


class Pages(Generic[PageT, T]):
    """The items of one page after the other."""

    def __init__(
        self,
        first: Call[PageT],
        items: Callable[[PageT], Sequence[T]],
        following: Callable[[PageT], Call[PageT] | None],
    ) -> None:
        """`following`: the call for the page behind this one; None: it was the last."""
        self._call: Call[PageT] | None = first
        self._items = items
        self._following = following
        self._head: Head | None = None
        self._body: list[bytes] = []

    def next_request(self) -> Request | None:
        return None if self._call is None else self._call.request

    def begin(self, head: Head) -> None:
        self._head = head
        self._body.clear()

    def receive(self, chunk: bytes) -> Iterator[T]:
        self._body.append(chunk)
        return iter(())

    def finish(self) -> Iterator[T]:
        assert self._call is not None
        assert self._head is not None
        page = self._call.read(Answer(self._head, b"".join(self._body)))
        self._call = self._following(page)
        return iter(self._items(page))


class Chunks:
    """An answer's bytes as they come."""

    def __init__(self, request: Request) -> None:
        self._request: Request | None = request

    def next_request(self) -> Request | None:
        return self._request

    def begin(self, head: Head) -> None:
        # What has been handed out cannot be taken back, and a second try would begin anew.
        self._request = None

    def receive(self, chunk: bytes) -> Iterator[bytes]:
        return iter((chunk,))

    def finish(self) -> Iterator[bytes]:
        return iter(())


class ItemFeed:
    """All items of a root, a bounded stream after the other, each behind the last item of the one before. A broken
    stream is taken up behind the last item that came whole."""

    def __init__(self, ask: Callable[[str | None], Request], after: str | None, page_size: int) -> None:
        """`ask`: the request for the items behind a path."""
        self._ask = ask
        self._after = after
        self._page_size = page_size
        self._is_over = False

    def next_request(self) -> Request | None:
        return None if self._is_over else self._ask(self._after)

    def begin(self, head: Head) -> None:
        self._head = head
        self._lines = Lines()
        self._done: dict[str, Any] | None = None

    def receive(self, chunk: bytes) -> Iterator[MediaItem]:
        for line in self._lines.feed(chunk):
            value = line_value(self._head, line)
            match value.get("type"):
                case None:
                    item = converted(self._head, value, MediaItem)
                    self._after = item.path
                    yield item
                case "done":
                    self._done = value
                case "error":
                    raise broken(self._head, str(value.get("message", "")))
                case _:
                    pass  # a kind of line that a later server adds

    def finish(self) -> Iterator[MediaItem]:
        if self._done is None or self._lines.is_cut:
            raise broken(self._head, "")
        count = self._done.get("count")
        self._is_over = not isinstance(count, int) or count < self._page_size
        return iter(())


class TrashFeed:
    """The events of one emptying of the trash. It is never asked for twice."""

    def __init__(self, request: Request) -> None:
        self._request: Request | None = request
        self._lines = Lines()
        self._is_done = False

    def next_request(self) -> Request | None:
        return self._request

    def begin(self, head: Head) -> None:
        self._head = head

    def receive(self, chunk: bytes) -> Iterator[TrashEvent]:
        for line in self._lines.feed(chunk):
            event = converted(self._head, line_value(self._head, line), TrashEvent)
            if event.type == "error" and event.path is None:
                raise broken(self._head, event.message or "")
            self._is_done = event.type == "done"
            yield event

    def finish(self) -> Iterator[TrashEvent]:
        if not self._is_done or self._lines.is_cut:
            raise broken(self._head, "")
        self._request = None
        return iter(())


class EventFeed:
    """Server-sent events without end. A connection that is lost is made again behind the last event that came."""

    def __init__(self, address: str, last_id: str = "") -> None:
        self._address = address
        self._last_id = last_id

    def next_request(self) -> Request:
        headers = {"Accept": "text/event-stream"}
        if self._last_id:
            headers["Last-Event-ID"] = self._last_id
        return Request("GET", self._address, Dialect.PLATFORM, headers, read_timeout_s=EVENTS_READ_TIMEOUT_S)

    def begin(self, head: Head) -> None:
        self._head = head
        self._lines = EventLines(self._last_id)

    def receive(self, chunk: bytes) -> Iterator[Event]:
        for event in self._lines.feed(chunk):
            self._last_id = event.last_id
            yield Event(event.last_id, event.kind, line_value(self._head, event.data))
        self._last_id = self._lines.last_id

    def finish(self) -> Iterator[Event]:
        raise broken(self._head, "The server ended the stream of events.")


def line_value(head: Head, line: bytes | str) -> dict[str, Any]:
    """A line's object.

    Raises:
        UnexpectedAnswer: it holds none.
    """
    try:
        value: Any = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise head.unexpected(f"A line of the stream is no JSON: {error}") from error
    if not isinstance(value, dict):
        raise head.unexpected("A line of the stream is no JSON object.")
    return value


def converted(head: Head, value: dict[str, Any], kind: type[T]) -> T:
    """
    Raises:
        UnexpectedAnswer: it lacks what `kind` needs.
    """
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise head.unexpected(f"A line of the stream is not what the contract says: {error}") from error


def broken(head: Head, why: str) -> StreamBroken:
    return StreamBroken(why or "The stream ended before its end.", head.dialect, head.request_id)
