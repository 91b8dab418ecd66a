"""What is on no disk: uploads, their trash, what the workers read from them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from uuid import UUID, uuid4

import nats
import pytest
from media_common import subjects
from media_common.kept import KeptUploads
from media_common.testing import NatsServer, nats_server
from media_proto import thumbnail_pb2
from metadata_service.blob_jobs import BlobJobs, facts_of, job_of
from metadata_service.domain.errors import FolderNotFound, HasLocked, ItemIsLocked, ItemNotFound, NotMovable
from metadata_service.domain.filters import ListQuery
from metadata_service.domain.media import FILES, Collection, Facts, FileSeen, Kind, Marks, Media, Upload
from metadata_service.store import collections, details, listing, media, outbox, uploads
from metadata_service.store.snapshot import Snapshot
from metadata_service.store.sqlite import Catalogue, Database

BLOB = b"\xaa" * 32


def upload(name: str = "a.jpg", blob: bytes = BLOB, **more: object) -> Upload:
    facts = Facts(size_bytes=10, modified_us=5)
    return Upload(
        **{"name": name, "kind": Kind.IMAGE, "sha256": blob, "facts": facts, "content_type": "image/jpeg", **more}
    )  # type: ignore[arg-type]


def add(database: Database, collection: Collection, given: Upload) -> Media:
    node_id = database.write(uploads.added, collection, given, job_of(given))
    return database.read(details.media, [node_id])[0]


def again(database: Database, item: Media) -> Media:
    return database.read(details.media, [item.id])[0]


def listed(database: Database, collection: Collection, kinds: frozenset[Kind] = FILES) -> list[str]:
    query = ListQuery(collection.id, 100, recursive=True, kinds=kinds)
    return sorted(one.name for one in database.read(details.media, database.read(listing.page, query).ids))


def folder(database: Database, collection: Collection, parent: int | None = None) -> tuple[int, UUID]:
    made = database.write(collections.create_folder, collection, parent or collection.root_folder_id, "made")
    return made, database.read(details.media, [made])[0].uuid


def test_an_upload_comes_with_the_job_of_looking_into_it(database: Database, collection: Collection) -> None:
    add(database, collection, upload())
    (letter,) = database.read(outbox.oldest, 10)
    job = thumbnail_pb2.RenderRequest.FromString(letter.payload)
    assert (letter.subject, job.sha256, job.extension) == (subjects.JOBS_THUMBNAIL, BLOB, b"jpg")
    database.write(outbox.sent, letter.id)
    assert database.read(outbox.oldest, 10) == []


@pytest.mark.parametrize(
    ("kind", "content_type", "extension"),
    [(Kind.DOCUMENT, "application/pdf", b"pdf"), (Kind.AUDIO, "audio/mpeg", b"mp3")],
)
def test_what_has_no_picture_is_looked_into_too(
    database: Database, collection: Collection, kind: Kind, content_type: str, extension: bytes
) -> None:
    item = add(database, collection, upload("a", kind=kind, content_type=content_type))
    (letter,) = database.read(outbox.oldest, 10)
    assert thumbnail_pb2.RenderRequest.FromString(letter.payload).extension == extension
    told = thumbnail_pb2.BlobDescription(sha256=BLOB, page_count=12, duration_s=3.5)
    database.write(uploads.describe, BLOB, facts_of(told))
    facts = again(database, item).facts
    assert (facts.page_count, facts.duration_s, facts.size_bytes) == (12, 3.5, 10)


def test_a_model_brings_no_job(database: Database, collection: Collection) -> None:
    add(database, collection, upload("a.glb", kind=Kind.MODEL, content_type="model/gltf-binary"))
    assert database.read(outbox.oldest, 10) == []


def test_what_is_read_from_a_blob_is_known_of_all_its_uploads(database: Database, collection: Collection) -> None:
    other = database.write(collections.create, "Other")
    items = [add(database, one, upload()) for one in (collection, collection, other)]
    stranger = add(database, collection, upload(blob=b"\xbb" * 32))
    facts = Facts(width_px=640, height_px=480, camera="NIKON D90", taken_us=1_700_000_000_000_000)
    assert database.write(uploads.describe, BLOB, facts) == 3
    for item in items:
        found = again(database, item)
        assert (found.facts.width_px, found.facts.height_px, found.facts.camera) == (640, 480, "NIKON D90")
        assert (found.facts.size_bytes, found.facts.modified_us) == (10, 5)
        assert found.tags["Camera"] == ["NIKON D90"]
        assert found.tags["Year"] == [2023]
    assert again(database, stranger).facts.width_px is None
    assert database.write(uploads.describe, b"\xcc" * 32, facts) == 0


def test_trash_and_back_leave_an_upload_as_it_was(database: Database, collection: Collection) -> None:
    item = add(database, collection, upload())
    assert database.write(uploads.set_trashed, [item.uuid]) == 1
    assert database.write(uploads.set_trashed, [item.uuid]) == 0
    assert again(database, item).marks.status == "trashed"
    assert listed(database, collection) == []
    assert database.write(uploads.untrash, [item.uuid]) == 1
    assert again(database, item).marks is Marks.NONE
    assert listed(database, collection) == ["a.jpg"]


def test_all_versions_go_and_come_back_with_the_same_one_active(database: Database, collection: Collection) -> None:
    first = add(database, collection, upload("one.jpg"))
    second = add(database, collection, upload("two.jpg", version_of=first.id))
    both = [first.uuid, second.uuid]
    assert database.write(uploads.set_trashed, both) == 2
    assert database.write(uploads.untrash, both) == 2
    assert listed(database, collection) == ["two.jpg"]


@pytest.mark.parametrize("away", [Marks.TRASHED, Marks.GONE, Marks.EMPTIED])
def test_a_version_that_is_away_is_neither_selected_nor_promoted(
    database: Database, collection: Collection, away: Marks
) -> None:
    first = add(database, collection, upload("one.jpg"))
    second = add(database, collection, upload("two.jpg", version_of=first.id))
    third = add(database, collection, upload("three.jpg", version_of=first.id))
    database.write(media.set_marks, second.id, away, away)

    with pytest.raises(ItemNotFound):
        database.write(media.select_version, second.id)
    assert listed(database, collection) == ["three.jpg"]
    assert database.write(media.delete_version, first.id, third.id) == first.id
    assert listed(database, collection) == ["one.jpg"]


def test_a_file_in_place_is_not_the_catalogues_to_trash(database: Database, collection: Collection) -> None:
    seen = FileSeen(b"d/b.jpg", Kind.IMAGE, Marks.NONE, Facts(size_bytes=1), inode=3)
    in_place, _ = database.write(media.upsert_file, collection, seen)
    item = add(database, collection, upload())
    uuids = [item.uuid, database.read(details.media, [in_place])[0].uuid]
    with pytest.raises(NotMovable):
        database.write(uploads.set_trashed, uuids)
    assert again(database, item).marks is Marks.NONE
    on_disk = database.read(details.media, [in_place])[0].path[-2]
    with pytest.raises(NotMovable):
        database.write(uploads.trash_folder, on_disk)
    assert listed(database, collection) == ["a.jpg", "b.jpg"]


def test_a_locked_item_is_refused_and_so_is_everything_with_it(database: Database, collection: Collection) -> None:
    folder_id, folder_uuid = folder(database, collection)
    items = [add(database, collection, upload(name, folder_id=folder_id)) for name in ("a.jpg", "b.jpg")]
    database.write(media.set_marks, items[1].id, Marks.LOCKED)
    with pytest.raises(ItemIsLocked):
        database.write(uploads.set_trashed, [item.uuid for item in items])
    with pytest.raises(HasLocked):
        database.write(uploads.trash_folder, folder_uuid)
    assert listed(database, collection) == ["a.jpg", "b.jpg"]


def test_a_folder_is_trashed_with_all_that_is_in_it(database: Database, collection: Collection) -> None:
    outer, outer_uuid = folder(database, collection)
    inner, inner_uuid = folder(database, collection, outer)
    add(database, collection, upload("kept.jpg"))
    first = add(database, collection, upload("in.jpg", folder_id=outer))
    add(database, collection, upload("new.jpg", version_of=first.id))
    add(database, collection, upload("deep.jpg", folder_id=inner))
    assert database.write(uploads.trash_folder, outer_uuid) == 3
    assert listed(database, collection, frozenset(Kind)) == ["kept.jpg"]
    assert database.read(details.one, inner_uuid).marks.status == "trashed"
    root = database.read(collections.get, collection.id).root_folder_id
    assert database.read(listing.total, collection, FILES) == 1
    assert root == collection.root_folder_id
    assert database.write(uploads.trash_folder, outer_uuid) == 0
    with pytest.raises(FolderNotFound):
        database.read(collections.folder_by_labels, collection, (collection.uuid, outer_uuid))


def test_a_folder_that_is_trashed_before_the_upload_is_written_takes_none(
    database: Database, collection: Collection
) -> None:
    _, made = folder(database, collection)
    place = uploads.Place(collection.slug, (collection.uuid, made))
    node_id = database.write(uploads.added_at, place, upload("in.jpg"), None)
    assert database.read(details.media, [node_id])[0].path[:2] == (collection.uuid, made)
    database.write(uploads.trash_folder, made)
    with pytest.raises(FolderNotFound):
        database.write(uploads.added_at, place, upload("late.jpg"), None)
    assert listed(database, collection) == []


def test_a_version_is_put_beside_an_item_that_is_not_deleted(database: Database, collection: Collection) -> None:
    first = add(database, collection, upload("one.jpg"))
    place = uploads.Place(collection.uuid.hex, (), first.uuid)
    database.write(uploads.added_at, place, upload("two.jpg"), None)
    assert listed(database, collection) == ["two.jpg"]
    database.write(uploads.set_trashed, [first.uuid])
    database.write(uploads.purge, None)
    with pytest.raises(ItemNotFound):
        database.write(uploads.added_at, place, upload("three.jpg"), None)


def test_what_is_not_there_cannot_be_trashed(database: Database, collection: Collection) -> None:
    with pytest.raises(ItemNotFound):
        database.write(uploads.set_trashed, [uuid4()])
    with pytest.raises(ItemNotFound):  # the collection's own folder
        database.write(uploads.set_trashed, [collection.uuid])
    for uuid in (uuid4(), collection.uuid):
        with pytest.raises(FolderNotFound):
            database.write(uploads.trash_folder, uuid)


def test_a_purge_deletes_what_is_trashed_and_nothing_else(database: Database, collection: Collection) -> None:
    other = database.write(collections.create, "Other")
    gone, kept = add(database, collection, upload("gone.jpg")), add(database, collection, upload("kept.jpg"))
    elsewhere = add(database, other, upload("elsewhere.jpg", b"\xbb" * 32))
    database.write(uploads.set_trashed, [gone.uuid, elsewhere.uuid])
    assert database.write(uploads.purge, collection) == (1, 10, 0)
    with pytest.raises(ItemNotFound):
        database.read(details.one, gone.uuid)
    with pytest.raises(ItemNotFound):
        database.write(uploads.untrash, [gone.uuid])
    assert listed(database, collection) == ["kept.jpg"]
    assert again(database, kept).marks is Marks.NONE
    # The bytes are another upload's too.
    assert database.read(uploads.referenced, [BLOB, b"\xbb" * 32]) == [BLOB, b"\xbb" * 32]
    assert database.write(uploads.purge, None) == (1, 10, 0)
    assert database.write(uploads.purge, None) == (0, 0, 0)
    assert database.read(uploads.referenced, [BLOB, b"\xbb" * 32, bytes(32)]) == [BLOB]
    assert add(database, collection, upload("again.jpg")).uuid not in (gone.uuid, kept.uuid)


def test_a_purge_keeps_what_was_trashed_just_now(tmp_path: Path) -> None:
    now = [1_000_000_000]
    database = Database(tmp_path / "catalogue.db", clock=lambda: now[0])
    mine = database.write(collections.create, "Mine")
    old, young = add(database, mine, upload("old.jpg")), add(database, mine, upload("young.jpg"))
    database.write(uploads.set_trashed, [old.uuid])
    now[0] += 50_000_000
    database.write(uploads.set_trashed, [young.uuid])
    now[0] += 50_000_000
    assert database.write(uploads.purge, None, 60) == (1, 10, 1)
    assert database.write(uploads.untrash, [young.uuid]) == 1
    assert listed(database, mine) == ["young.jpg"]
    database.write(uploads.set_trashed, [young.uuid])
    assert database.write(uploads.purge, None, 0) == (1, 10, 0)
    database.close()


def test_an_item_of_which_no_version_is_left_comes_back_with_all(database: Database, collection: Collection) -> None:
    first = add(database, collection, upload("one.jpg"))
    second = add(database, collection, upload("two.jpg", version_of=first.id))
    database.write(uploads.set_trashed, [first.uuid])
    assert database.write(uploads.untrash, [second.uuid]) == 0  # it is there; the other was deleted by itself
    database.write(uploads.set_trashed, [second.uuid])
    assert database.write(uploads.untrash, [first.uuid]) == 2
    assert listed(database, collection) == ["two.jpg"]


def test_a_folder_comes_back_with_what_is_in_it_and_an_item_with_the_folders_above(
    database: Database, collection: Collection
) -> None:
    outer, outer_uuid = folder(database, collection)
    inner, _ = folder(database, collection, outer)
    add(database, collection, upload("in.jpg", folder_id=outer))
    deep = add(database, collection, upload("deep.jpg", folder_id=inner))
    database.write(uploads.trash_folder, outer_uuid)
    assert database.write(uploads.untrash, [deep.uuid]) == 1
    assert listed(database, collection, frozenset(Kind)) == ["deep.jpg", "made", "made"]
    assert database.write(uploads.untrash, [outer_uuid]) == 1
    assert listed(database, collection) == ["deep.jpg", "in.jpg"]


def test_a_backup_names_the_uploads_that_are_not_deleted_for_good(
    database: Database, collection: Collection, tmp_path: Path
) -> None:
    blobs = {number: bytes([number]) * 32 for number in range(6)}
    items = {number: add(database, collection, upload(f"{number}.jpg", blob)) for number, blob in blobs.items()}
    first = add(database, collection, upload("first.jpg", b"\xee" * 32))
    add(database, collection, upload("second.jpg", b"\xff" * 32, version_of=first.id))
    folder(database, collection)
    database.write(uploads.set_trashed, [items[0].uuid, items[1].uuid])
    database.write(uploads.purge, None)
    database.write(uploads.set_trashed, [items[2].uuid])

    named = [one for part in database.kept() if isinstance(part, KeptUploads) for one in part.named]

    asked = [*blobs.values(), b"\xee" * 32, b"\xff" * 32]
    assert sorted(sha256 for _, sha256 in named) == sorted(database.read(uploads.referenced, asked))
    assert {number for number, item in items.items() if (item.uuid.bytes, blobs[number]) in named} == {2, 3, 4, 5}


# ---- with the workers


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[NatsServer]:
    with nats_server(tmp_path / "nats") as server:
        yield server


@asynccontextmanager
async def at_work(url: str, database: Database) -> AsyncIterator[tuple[BlobJobs, nats.aio.client.Client]]:
    async with Catalogue(database) as catalogue:
        jobs = BlobJobs(url, catalogue)
        running = asyncio.create_task(jobs.run())
        client = await nats.connect(url)
        try:
            yield jobs, client
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running
            await client.close()


async def test_jobs_go_on_after_what_nobody_expected(
    queue: NatsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(tmp_path / "catalogue.db")
    add(database, database.write(collections.create, "Mine"), upload())
    oldest, stumbled = outbox.oldest, threading.Event()

    def stumbling(snapshot: Snapshot, limit: int) -> list[outbox.Letter]:
        if not stumbled.is_set():
            stumbled.set()
            raise RuntimeError("of no kind that is expected")
        return oldest(snapshot, limit)

    monkeypatch.setattr(outbox, "oldest", stumbling)
    connection = await nats.connect(queue.url)
    await connection.jetstream().add_stream(name=subjects.JOBS_STREAM, subjects=["jobs.thumbnail"])
    await connection.close()
    async with at_work(queue.url, database) as (jobs, _), asyncio.timeout(20):
        while not stumbled.is_set() or database.read(oldest, 10):
            await jobs.sent()


async def test_jobs_wait_in_the_outbox_until_there_is_a_queue(queue: NatsServer, tmp_path: Path) -> None:
    database = Database(tmp_path / "catalogue.db")
    collection = database.write(collections.create, "Mine")
    for number in range(3):
        add(database, collection, upload(blob=bytes([number]) * 32))
    async with at_work(queue.url, database) as (jobs, client):
        await jobs.sent()  # there is no stream yet
        assert len(database.read(outbox.oldest, 10)) == 3
        stream = client.jetstream()
        await stream.add_stream(name=subjects.JOBS_STREAM, subjects=["jobs.thumbnail"])
        async with asyncio.timeout(20):
            while database.read(outbox.oldest, 10):
                await jobs.sent()
        messages = [await stream.get_msg(subjects.JOBS_STREAM, seq) for seq in (1, 2, 3)]
        blobs = [thumbnail_pb2.RenderRequest.FromString(message.data or b"").sha256 for message in messages]
        assert blobs == [bytes([number]) * 32 for number in range(3)]


async def test_what_a_worker_has_read_is_written_before_it_is_told_so(queue: NatsServer, tmp_path: Path) -> None:
    database = Database(tmp_path / "catalogue.db")
    item = add(database, database.write(collections.create, "Mine"), upload())
    told = thumbnail_pb2.BlobDescription(
        sha256=BLOB, width_px=4, height_px=3, make="NIKON CORPORATION", model="NIKON D90"
    )
    async with at_work(queue.url, database) as (_, client):
        async with asyncio.timeout(20):
            while True:
                with suppress(nats.errors.NoRespondersError):
                    assert (await client.request(subjects.DESCRIBE, told.SerializeToString(), timeout=5)).data == b""
                    break
                await asyncio.sleep(0.05)
        found = again(database, item)
        assert (found.facts.width_px, found.facts.height_px, found.facts.camera) == (4, 3, "NIKON D90")
        assert (await client.request(subjects.DESCRIBE, b"\xff\xff nonsense", timeout=5)).data == b""
