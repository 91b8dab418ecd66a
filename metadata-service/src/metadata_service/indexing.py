"""What is asked of the indexing from outside: how far it is, and to go through roots again."""

from __future__ import annotations

from media_proto import metadata_pb2 as pb

from metadata_service.domain.media import COUNTED
from metadata_service.follower import Follower
from metadata_service.indexer import Indexer
from metadata_service.store import collections, listing
from metadata_service.store.sqlite import Catalogue


class Indexing:
    """The indexer and its follower as `metadata.proto` shows them."""

    def __init__(self, catalogue: Catalogue, indexer: Indexer, follower: Follower) -> None:
        self._catalogue = catalogue
        self._indexer = indexer
        self._follower = follower

    async def ask(self, root: bytes | None) -> None:
        await self._indexer.ask(root)

    async def told(self) -> pb.Indexing:
        roots = []
        for collection in await self._catalogue.read(collections.listed):
            if collection.root_path is not None:
                items = await self._catalogue.read(listing.total, collection, COUNTED)
                running = collection.root_path in self._indexer.running
                roots.append(pb.RootIndexing(root=collection.root_path, items=items, running=running))
        return pb.Indexing(
            waiting=self._follower.waiting,
            running=bool(self._indexer.running) or self._follower.waiting > 0,
            roots=roots,
            problem=self._indexer.problem or self._follower.problem,
        )
