"""Rows put straight into the catalogue of a running stack: what a test needs there and no endpoint of HTTP makes."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import grpc
from media_proto import metadata_pb2 as pb
from media_proto import metadata_pb2_grpc as pb_grpc
from stack import Stack


class Rows:
    """Over the socket that run.json names."""

    def __init__(self, stack: Stack) -> None:
        self._channel = grpc.insecure_channel(stack.facts()["sockets"]["metadata"])
        self._stub = pb_grpc.MetadataServiceStub(self._channel)

    def close(self) -> None:
        self._channel.close()

    def document(self, collection: str, name: str, size_bytes: int, pages: int) -> str:
        """An upload whose bytes nobody will ask for; its id."""
        media = self._stub.AddUpload(
            pb.AddUploadRequest(
                collection=collection,
                name=name,
                kind=pb.MEDIA_KIND_DOCUMENT,
                sha256=sha256(name.encode()).digest(),
                content_type="application/pdf",
                facts=pb.Facts(size_bytes=size_bytes, page_count=pages),
            ),
            timeout=30,
        )
        return str(media.uuid.hex())

    def frame(self, item_id: int, **size: Any) -> None:
        """The one frame of a picture, as whoever embeds it notes it."""
        frames = [pb.GivenFrame(timestamp_s=0, **size)]
        self._stub.SetFrames(pb.SetFramesRequest(item_id=item_id, frames=frames), timeout=30)
