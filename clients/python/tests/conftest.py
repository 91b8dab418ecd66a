"""A server that is none: what it answers is told beforehand, what it is asked is kept."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from both import FACES, closed
from framewell_client import AsyncFramewell, Framewell, Retry

AT_ONCE = Retry(attempts=4, first_wait_s=0.0, longest_wait_s=10.0)


class Body(httpx.SyncByteStream, httpx.AsyncByteStream):
    """An answer's body in pieces; an exception among them is raised in its place."""

    def __init__(self, *pieces: bytes | Exception) -> None:
        self.pieces = pieces
        self.given = 0
        self.is_closed = False

    def __iter__(self) -> Iterator[bytes]:
        for piece in self.pieces:
            if isinstance(piece, Exception):
                raise piece
            self.given += 1
            yield piece

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self:
            yield piece

    def close(self) -> None:
        self.is_closed = True

    async def aclose(self) -> None:
        self.is_closed = True


@dataclass
class Told(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Gives its answers in order, the last one again and again."""

    answers: list[httpx.Response | Exception | Callable[[], httpx.Response]] = field(default_factory=list)
    requests: list[httpx.Request] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    def say(self, *answers: Any) -> None:
        self.answers = list(answers)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        return self._answer(request)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        return self._answer(request)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        self.bodies.append(request.content)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, httpx.Response) else answer()


@pytest.fixture
def server() -> Told:
    return Told()


@pytest.fixture(params=FACES)
async def client(request: pytest.FixtureRequest, server: Told) -> AsyncIterator[Framewell | AsyncFramewell]:
    kind = Framewell if request.param == "blocking" else AsyncFramewell
    made = kind("http://framewell.test", "fw_secret", retry=AT_ONCE, transport=server)
    yield made
    await closed(made)


@pytest.fixture
def body() -> type[Body]:
    return Body
