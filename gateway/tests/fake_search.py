"""A search-service in memory, behind a real gRPC socket: what it answers is set by the test, what it was asked is
kept."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from media_common.grpc_server import serving
from media_common.trust import ANYBODY, Trust
from media_proto import search_pb2, search_pb2_grpc


@dataclass
class FakeSearch(search_pb2_grpc.SearchServiceServicer):
    """Answers by method name: a message, an exception, or a callable on the request."""

    answers: dict[str, Any] = field(default_factory=dict)
    asked: list[tuple[str, Any]] = field(default_factory=list)

    def last(self, method: str) -> Any:
        """The latest request of the method."""
        return [request for name, request in self.asked if name == method][-1]

    async def unary(self, method: str, request: Any) -> Any:
        self.asked.append((method, request))
        answer = self.answers[method]
        if callable(answer):
            answer = answer(request)
        if isinstance(answer, Exception):
            raise answer
        return answer


def _unary(method: str) -> Callable[..., Any]:
    async def call(self: FakeSearch, request: Any, context: Any) -> Any:
        return await self.unary(method, request)

    return call


for _method in search_pb2.DESCRIPTOR.services_by_name["SearchService"].methods_by_name:
    setattr(FakeSearch, _method, _unary(_method))


def serve_search(fake: FakeSearch, target: str, trust: Trust = ANYBODY) -> AbstractAsyncContextManager[Any]:
    register = partial(search_pb2_grpc.add_SearchServiceServicer_to_server, fake)
    return serving(target, register, ["framewell.search.v1.SearchService"], 0.1, trust=trust)
