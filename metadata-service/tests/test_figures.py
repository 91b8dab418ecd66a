"""What the catalogue tells Prometheus, from real writes to the text of a scrape."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from media_common.config import PublicSettings
from media_common.testing import free_port, scraped
from media_common.watching import watched
from metadata_service.domain.disk import Looked, Root
from metadata_service.domain.media import Facts, FileSeen, Kind, Marks, Upload
from metadata_service.figures import tell
from metadata_service.follower import Follower
from metadata_service.indexer import Indexer
from metadata_service.indexing import Indexing
from metadata_service.reading import Reading
from metadata_service.search_jobs import SearchJobs
from metadata_service.store import collections, uploads
from metadata_service.store.sqlite import Catalogue, Database

ROOT = b"/photos"
NOWHERE = "nats://127.0.0.1:1"


class FakeDisk:
    """One root with so many photos, which nobody can look into."""

    def __init__(self, count: int, takes_s: float = 0) -> None:
        self.files = [ROOT + b"/%d.jpg" % number for number in range(count)]
        self._takes_s = takes_s

    async def roots(self) -> list[Root]:
        return [Root(ROOT, True, True)]

    async def look(self, paths: Sequence[bytes]) -> list[Looked]:
        await asyncio.sleep(self._takes_s)
        return [Looked(path, _seen(path), False) for path in paths]

    async def replay(self, root: bytes) -> AsyncIterator[list[FileSeen]]:
        await asyncio.sleep(self._takes_s)
        yield [_seen(path) for path in self.files]


def _seen(path: bytes) -> FileSeen:
    return FileSeen(path, Kind.IMAGE, Marks.NONE, Facts(size_bytes=3, modified_us=1), hash(path) & 0xFFFF)


@pytest.fixture
async def catalogue(tmp_path: Path) -> AsyncIterator[Catalogue]:
    async with Catalogue(Database(tmp_path / "catalogue.db")) as made:
        yield made


async def test_items_backlog_batches_and_writes_are_told(catalogue: Catalogue) -> None:
    listen = f"127.0.0.1:{free_port()}"
    disk = FakeDisk(3)
    indexer = Indexer(catalogue, disk)
    reading = Reading(catalogue, disk, indexer)  # type: ignore[arg-type]  # it looks into no file here
    follower = Follower(NOWHERE, indexer)
    indexing = Indexing(catalogue, indexer, follower, reading, SearchJobs(NOWHERE, catalogue, True))
    async with watched("test", PublicSettings(METRICS_LISTEN=listen)) as watching:
        assert watching.figures is not None
        tell(watching.figures, catalogue, indexer, indexing)
        before = await scraped(listen)
        assert before["framewell_catalogue_items{kind=image}"] == 0
        assert before["framewell_catalogue_write_seconds_count"] == 0
        assert before["framewell_index_backlog{step=describe}"] == 0

        await indexer.follow_roots()
        mine = await catalogue.write(collections.create, "Mine")
        upload = Upload(name="film.mp4", kind=Kind.VIDEO, sha256=b"1" * 32, facts=Facts(), content_type="video/mp4")
        place = uploads.Place(collection=str(mine.uuid), path=(), version_of=None)
        await catalogue.write(uploads.added_at, place, upload, None)
        follower.waiting = 7
        after = await scraped(listen)
    assert after["framewell_catalogue_items{kind=image}"] == 3
    assert after["framewell_catalogue_items{kind=video}"] == 1
    assert after["framewell_indexed_files_total"] == 3
    assert after["framewell_index_batch_seconds_count"] == 1
    assert after["framewell_catalogue_write_seconds_count"] >= 3
    assert 0 < after["framewell_index_batch_seconds_sum"] < 20
    backlog = {step: after[f"framewell_index_backlog{{step={step}}}"] for step in ("look", "describe", "hash", "send")}
    # The three files have no hash wanted of them before they are described; those and the film wait for search.
    assert backlog == {"look": 7, "describe": 3, "hash": 3, "send": 4}


async def test_the_time_of_a_batch_begins_with_the_look_at_the_disk(catalogue: Catalogue) -> None:
    told: list[tuple[int, float]] = []
    disk = FakeDisk(2, takes_s=0.3)
    indexer = Indexer(catalogue, disk)
    indexer.on_batch = lambda files, seconds: told.append((files, seconds))
    await indexer.follow_roots()
    await indexer.look([(ROOT, path) for path in disk.files])

    assert [files for files, _ in told] == [2, 2]
    assert all(seconds >= 0.3 for _, seconds in told)
