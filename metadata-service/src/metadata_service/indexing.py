"""What is asked of the indexing from outside: how far it is, and to go through roots again."""

from __future__ import annotations

from media_proto import metadata_pb2 as pb

from metadata_service.domain.media import COUNTED
from metadata_service.follower import Follower
from metadata_service.indexer import Indexer
from metadata_service.reading import Reading
from metadata_service.search_jobs import SearchJobs
from metadata_service.store import collections, indexing, insides, listing
from metadata_service.store.sqlite import Catalogue
from metadata_service.trails import Trails


class Indexing:
    """The indexer and its follower as `metadata.proto` shows them."""

    def __init__(
        self, catalogue: Catalogue, indexer: Indexer, follower: Follower, reading: Reading, search_jobs: SearchJobs
    ) -> None:
        self._catalogue = catalogue
        self._indexer = indexer
        self._follower = follower
        self._reading = reading
        self._search_jobs = search_jobs

    @property
    def search_trails(self) -> Trails:
        """Of items to embed."""
        return self._search_jobs.trails

    async def ask(self, root: bytes | None) -> None:
        """Compare with the disk, and look into every file again."""
        for path in await self._catalogue.read(indexing.due):
            if root is None or root == path:
                await self._catalogue.write(insides.again, await self._catalogue.read(collections.of_root, path))
        await self._indexer.ask(root)

    def hold(self, held: bool) -> None:
        """Hold the reading inside files back, or let it go on."""
        (self._reading.pause if held else self._reading.go_on)()

    @property
    def away(self) -> frozenset[bytes]:
        """Review paths that cannot be reached now."""
        return self._indexer.away

    async def told(self) -> pb.Indexing:
        roots = []
        for collection in await self._catalogue.read(collections.listed):
            if collection.root_path is not None:
                items = await self._catalogue.read(listing.total, collection, COUNTED)
                running = collection.root_path in self._indexer.running
                roots.append(pb.RootIndexing(root=collection.root_path, items=items, running=running))
        left = await self._reading.left()
        return pb.Indexing(
            waiting=self._follower.waiting,
            # Until the queue is looked at, its figures elsewhere do not count what waits for this service either.
            running=not self._follower.has_looked or self._follower.waiting > 0 or await self._is_due(),
            roots=roots,
            problem=self._indexer.problem or self._follower.problem,
            files=left.files,
            undescribed=left.undescribed,
            unhashed=left.unhashed,
            in_hand=self._reading.in_hand,
            unsent=await self._search_jobs.unsent(),
            paused=self._reading.paused,
        )

    async def _is_due(self) -> bool:
        """Whether a review path that can be reached is gone through, or soon will be. Before the first look at the list
        of roots nobody knows."""
        reached = self._indexer.reached
        if reached is None or self._indexer.running:
            return True
        due = await self._catalogue.read(indexing.due)
        return any(due.get(root, True) for root in reached)
