"""What becomes of clusters when their objects go."""

from __future__ import annotations

import pytest
from metadata_service.domain.filters import ListQuery
from metadata_service.domain.media import FILES, Collection, Facts, FileSeen, Kind, Marks
from metadata_service.store import frames, indexing, listing, media
from metadata_service.store.frames import Cluster
from metadata_service.store.sqlite import Database


@pytest.fixture
def root(database: Database) -> Collection:
    return database.write(indexing.collection_for, b"/films")


def film(database: Database, root: Collection, name: bytes) -> int:
    seen = FileSeen(name, Kind.VIDEO, Marks.NONE, Facts(size_bytes=3, modified_us=5), inode=7)
    return database.write(media.upsert_file, root, seen)[0]


def members(database: Database, root: Collection, cluster: Cluster) -> set[int]:
    """The media that a filter by the cluster finds."""
    query = ListQuery(root.id, 100, recursive=True, kinds=FILES, cluster=cluster.uuid)
    return set(database.read(listing.page, query).ids)


def test_objects_that_go_with_their_frame_leave_their_clusters(database: Database, root: Collection) -> None:
    one, other = film(database, root, b"v.mp4"), film(database, root, b"w.mp4")
    moments = [frames.FrameGiven(float(second), None, None) for second in range(3)]
    for node in (one, other):
        database.write(frames.set_frames, node, moments, True)

    def added(node: int, *places: int) -> list[int]:
        given = [frames.ObjectGiven(place, "object", "cat", "objects", {}) for place in places]
        return [object_id for object_id, _ in database.write(frames.add_objects, node, given)]

    first, late, last = added(one, 0, 1, 2)
    (elsewhere,) = added(other, 2)
    wanted = [
        ("kept", first, [first, elsewhere]),
        ("smaller", late, [late, first]),
        ("foreign", last, [last, elsewhere]),
        ("gone", last, [last, late]),
    ]
    database.write(frames.set_clusters, root, "objects", wanted)

    database.write(frames.set_frames, one, moments[:1], True)

    shown = {cluster.label: cluster for cluster in database.read(frames.clusters, root, "objects")}
    assert {label: cluster.size for label, cluster in shown.items()} == {"kept": 2, "smaller": 1, "foreign": 1}
    middles = {
        label: database.read(frames.find_object, root, cluster.object_uuid).id for label, cluster in shown.items()
    }
    assert middles == {"kept": first, "smaller": first, "foreign": elsewhere}
    found = {label: members(database, root, cluster) for label, cluster in shown.items()}
    assert found == {"kept": {one, other}, "smaller": {one}, "foreign": {other}}
    rows = database.read(lambda s: s.connection.execute("SELECT object_id FROM cluster_object").fetchall())
    assert sorted(object_id for (object_id,) in rows) == [first, first, elsewhere, elsewhere]
