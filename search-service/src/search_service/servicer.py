"""The gRPC face. Until the search index is built it has one honest answer."""

from __future__ import annotations

from typing import Any

from media_proto import search_pb2, search_pb2_grpc


class SearchServicer(search_pb2_grpc.SearchServiceServicer):
    """Says what is there and what is not."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    async def GetReadiness(self, request: search_pb2.GetReadinessRequest, context: Any) -> search_pb2.Readiness:
        return search_pb2.Readiness(ready=False, reason=self._reason)
