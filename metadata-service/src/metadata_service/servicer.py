"""The gRPC face. Until the catalogue is built it has one honest answer."""

from __future__ import annotations

from typing import Any

from media_proto import metadata_pb2, metadata_pb2_grpc


class MetadataServicer(metadata_pb2_grpc.MetadataServiceServicer):
    """Says what is there and what is not."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    async def GetReadiness(self, request: metadata_pb2.GetReadinessRequest, context: Any) -> metadata_pb2.Readiness:
        return metadata_pb2.Readiness(ready=False, reason=self._reason)
