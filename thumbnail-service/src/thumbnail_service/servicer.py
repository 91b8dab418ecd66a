"""gRPC beside the queue: this worker's figures."""

from __future__ import annotations

from typing import Any

from media_proto import thumbnail_pb2, thumbnail_pb2_grpc

from thumbnail_service.renders import Figures


class ThumbnailServicer(thumbnail_pb2_grpc.ThumbnailServiceServicer):
    def __init__(self, figures: Figures) -> None:
        self._figures = figures

    async def GetFigures(self, request: thumbnail_pb2.GetFiguresRequest, context: Any) -> thumbnail_pb2.Figures:
        figures = self._figures
        return thumbnail_pb2.Figures(
            rendered=figures.rendered,
            cached=figures.cached,
            placeholders=figures.placeholders,
            failed=figures.failed,
        )
