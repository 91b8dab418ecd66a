"""What waits and runs in the background: what fs-service says of its queues, and the catalogue of its indexing."""

from __future__ import annotations

from dataclasses import dataclass

import grpc
from media_proto import fs_pb2

from gateway.catalogue import CatalogueClient
from gateway.clients import FsClient
from gateway.errors import Failure


@dataclass(frozen=True, slots=True)
class Told:
    """The figures; `complete` when everybody who has some could be asked."""

    queues: fs_pb2.Queues
    complete: bool


class Jobs:
    """Asks both, fs-service first: what has left its queues by then is in the catalogue's."""

    def __init__(self, fs: FsClient, catalogue: CatalogueClient) -> None:
        self._fs = fs
        self._catalogue = catalogue

    async def queues(self) -> Told:
        """A file to be described counts once, and once more to be hashed; `done` are those that are both.

        Raises:
            Failure: fs-service does not answer.
        """
        told = fs_pb2.Queues()
        told.CopyFrom(await self._fs.queues())
        if not self._catalogue.is_set_up:
            return Told(told, True)
        try:
            indexing = await self._catalogue.indexing()
        except (Failure, grpc.aio.AioRpcError):
            return Told(told, False)
        running = max(indexing.in_hand, int(indexing.running))
        told.index.running += running
        told.index.pending += max(0, indexing.undescribed + indexing.unhashed - indexing.in_hand)
        told.index.done += indexing.files - max(indexing.undescribed, indexing.unhashed)
        return Told(told, True)
