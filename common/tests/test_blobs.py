"""One contract, two stores: a folder, and an S3 server over HTTP; `tests/servers.py` says where that comes from."""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from media_common.blobs import BlobMissing, BlobStore, StoreFailed, StoreUnreachable, open_store
from media_common.blobs.folder import FRAMES, INCOMING, FolderStore
from media_common.blobs.removal import Removed, sweep, unreferenced
from media_common.blobs.s3 import S3Store
from media_common.config import PublicSettings, SettingsError
from media_common.testing import free_port, s3_server
from servers import Address

MIB = 1024 * 1024


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BlobStore]:
    if request.param == "folder":
        yield FolderStore(tmp_path / "blobs")
    else:
        with closing(s3_store(request.getfixturevalue("s3_address"))) as found:
            yield found


def s3_store(address: Address) -> S3Store:
    # No region: the server is asked for its own.
    return S3Store(address.url, address.user, address.secret, f"test-{secrets.token_hex(8)}")


def put(store: BlobStore, data: bytes, step: int = MIB) -> bytes:
    writer = store.writer()
    for start in range(0, len(data), step):
        writer.write(data[start : start + step])
    return writer.commit().sha256


def read(store: BlobStore, sha256: bytes) -> bytes:
    return b"".join(store.read(sha256, 0, store.size(sha256)))


def names(store: BlobStore) -> list[bytes]:
    return [one.sha256 for one in store.listed()]


def swept(store: BlobStore, *kept: bytes, young_s: float = 0) -> Removed:
    """As if a minute had passed."""

    def referenced(asked: Sequence[bytes]) -> set[bytes]:
        return set(kept) & set(asked)

    found = unreferenced(store, referenced, young_s=young_s, clock=lambda: time.time() + 60)
    return sweep(store, found, referenced)


def unfinished(store: BlobStore) -> int:
    """What is on its way in."""
    if isinstance(store, FolderStore):
        folder = store.folder / INCOMING
        return len(list(folder.iterdir())) if folder.is_dir() else 0
    assert isinstance(store, S3Store)
    return store.incoming()


def test_a_disk_keeps_room_for_what_else_is_on_it(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "blobs", spare_bytes=2**60)
    writer = store.writer()
    with pytest.raises(StoreFailed, match="no room"):
        writer.write(b"x")
    writer.discard()
    assert unfinished(store) == 0


@pytest.mark.parametrize("size", [0, 1, 3 * MIB + 1, 20 * MIB])
def test_a_blob_is_read_back_as_it_was_written_under_the_hash_of_its_bytes(store: BlobStore, size: int) -> None:
    data = secrets.token_bytes(size)
    writer = store.writer()
    for start in range(0, size, 700_001):
        writer.write(data[start : start + 700_001])
    stored = writer.commit()
    assert stored.sha256 == hashlib.sha256(data).digest()
    assert (stored.size_bytes, stored.is_new) == (size, True)
    assert store.size(stored.sha256) == size
    assert read(store, stored.sha256) == data
    assert unfinished(store) == 0


@pytest.mark.parametrize(("offset", "length"), [(0, 1), (1, 0), (5, 4 * MIB), (5 * MIB - 1, 1), (0, 5 * MIB)])
def test_any_part_of_a_blob_can_be_read(store: BlobStore, offset: int, length: int) -> None:
    data = secrets.token_bytes(5 * MIB)
    assert b"".join(store.read(put(store, data), offset, length)) == data[offset : offset + length]


def test_the_same_bytes_are_stored_once(store: BlobStore) -> None:
    data = secrets.token_bytes(MIB)
    first = put(store, data)
    writer = store.writer()
    writer.write(data)
    again = writer.commit()
    assert (again.sha256, again.is_new) == (first, False)
    assert names(store) == [first]
    assert unfinished(store) == 0


@pytest.mark.parametrize("size", [0, 1, 20 * MIB])
def test_an_upload_that_is_broken_off_leaves_nothing(store: BlobStore, size: int) -> None:
    writer = store.writer()
    writer.write(bytes(size))
    writer.discard()
    writer.discard()
    assert names(store) == []
    assert unfinished(store) == 0


def test_nothing_is_in_the_store_before_the_end_of_an_upload(store: BlobStore) -> None:
    writer = store.writer()
    writer.write(b"half")
    assert names(store) == []
    writer.commit()
    assert len(names(store)) == 1


def test_what_is_not_there_is_said_to_be_missing(store: BlobStore) -> None:
    put(store, b"something else")
    nothing = bytes(32)
    with pytest.raises(BlobMissing):
        store.size(nothing)
    for length in (0, 1):
        with pytest.raises(BlobMissing):
            list(store.read(nothing, 0, length))
    with pytest.raises(BlobMissing), store.local(nothing):
        pass
    with pytest.raises(BlobMissing):
        list(store.read(put(store, b"short"), 3, 10))
    assert store.thumbnail(nothing, 256) is None


def test_an_empty_store_lists_nothing_and_has_nothing_to_drop(store: BlobStore) -> None:
    assert names(store) == []
    assert store.thumbnail(bytes(32), 1) is None
    assert store.drop_abandoned() == 0


def test_a_blob_can_be_had_as_a_file_of_this_machine(store: BlobStore) -> None:
    data = secrets.token_bytes(2 * MIB)
    with store.local(put(store, data)) as path:
        assert path.read_bytes() == data


def test_a_thumbnail_is_kept_by_blob_and_size(store: BlobStore) -> None:
    sha256 = put(store, b"a picture")
    store.keep_thumbnail(sha256, 256, b"small")
    store.keep_thumbnail(sha256, 512, b"larger")
    store.keep_thumbnail(sha256, 256, b"small again")
    assert store.thumbnail(sha256, 256) == b"small again"
    assert store.thumbnail(sha256, 512) == b"larger"
    assert store.thumbnail(sha256, 128) is None
    assert names(store) == [sha256]


def test_frames_of_a_video_are_kept_by_item_and_moment(store: BlobStore) -> None:
    assert store.frame(7, 0) is None
    store.keep_frames(7, {0: b"first", 4_125: b"second"})
    store.keep_frames(2**40 + 7, {0: b"another's"})
    assert (store.frame(7, 0), store.frame(7, 4_125), store.frame(7, 4_126)) == (b"first", b"second", None)
    assert store.frame(2**40 + 7, 0) == b"another's"
    assert sorted(store.framed()) == [7, 2**40 + 7]
    assert names(store) == []


def test_frames_that_are_kept_again_replace_those_before(store: BlobStore) -> None:
    store.keep_frames(7, {0: b"first", 1_000: b"of before"})
    store.keep_frames(70, {1_000: b"another's"})
    for _ in range(2):
        store.keep_frames(7, {0: b"first again", 2_000: b"new"})
    assert (store.frame(7, 0), store.frame(7, 2_000)) == (b"first again", b"new")
    assert store.frame(7, 1_000) is None
    assert store.frame(70, 1_000) == b"another's"


def test_frames_go_with_their_item_and_nothing_else_does(store: BlobStore) -> None:
    assert list(store.framed()) == []
    store.drop_frames(7)
    sha256 = put(store, b"an upload")
    store.keep_thumbnail(sha256, 256, b"png")
    for item_id in (7, 70, 7 + 256):
        store.keep_frames(item_id, {0: b"jpg", 1: b"jpg"})
    store.drop_frames(7)
    store.drop_frames(7)
    assert sorted(store.framed()) == [70, 263]
    assert (store.frame(7, 0), store.frame(70, 1), store.frame(263, 0)) == (None, b"jpg", b"jpg")
    assert (read(store, sha256), store.thumbnail(sha256, 256)) == (b"an upload", b"png")


def test_frames_are_no_blobs_that_a_sweep_would_take(store: BlobStore) -> None:
    store.keep_frames(7, {0: b"jpg"})
    assert swept(store).count == 0
    assert store.frame(7, 0) == b"jpg"


def test_a_frame_that_a_power_cut_left_empty_is_none(store: BlobStore) -> None:
    store.keep_frames(7, {0: b""})
    assert store.frame(7, 0) is None


def test_a_full_disk_takes_no_frames_and_what_a_kept_frame_left_half_written_goes(tmp_path: Path) -> None:
    with pytest.raises(StoreFailed, match="no room"):
        FolderStore(tmp_path, spare_bytes=2**60).keep_frames(7, {0: b"jpg"})
    store = FolderStore(tmp_path)
    assert list(store.framed()) == []
    store.keep_frames(7, {0: b"jpg"})
    (folder,) = (tmp_path / FRAMES).glob("*/7")
    (folder / ".0123").write_bytes(b"half")
    store.keep_frames(7, {1: b"jpg"})
    assert [path.name for path in folder.iterdir()] == ["1.jpg"]
    store.drop_frames(7)
    assert not folder.exists()


def test_a_sweep_removes_what_no_item_refers_to_with_its_thumbnails(store: BlobStore) -> None:
    kept, other = put(store, b"kept"), put(store, b"not wanted")
    for sha256 in (kept, other):
        store.keep_thumbnail(sha256, 256, b"png")
    removed = swept(store, kept)
    assert (removed.count, removed.size_bytes) == (1, len(b"not wanted"))
    assert names(store) == [kept]
    assert read(store, kept) == b"kept"
    assert store.thumbnail(kept, 256) == b"png"
    assert store.thumbnail(other, 256) is None


def test_a_sweep_spares_what_has_just_been_uploaded(store: BlobStore) -> None:
    sha256 = put(store, b"young")
    assert swept(store, young_s=3600).count == 0
    assert names(store) == [sha256]


def test_a_blob_is_young_when_its_upload_ends_however_long_it_took(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    writer = store.writer()
    writer.write(b"slow")
    (incoming,) = (tmp_path / INCOMING).iterdir()
    os.utime(incoming, (0, 0))  # the last byte came long ago
    sha256 = writer.commit().sha256
    assert swept(store, young_s=3600).count == 0
    assert names(store) == [sha256]


def test_a_sweep_spares_what_is_uploaded_again_while_it_looks(store: BlobStore) -> None:
    sha256 = put(store, b"wanted again")
    (listed,) = store.listed()
    # S3 tells an object's age in whole seconds.
    while time.time() < listed.written_s + 2.1:
        os.sched_yield()
    put(store, b"wanted again")
    assert sweep(store, [listed], lambda asked: set()).count == 0
    assert read(store, sha256) == b"wanted again"


def test_a_sweep_spares_what_an_item_refers_to_meanwhile(store: BlobStore) -> None:
    sha256 = put(store, b"wanted after all")
    assert sweep(store, list(store.listed()), set).count == 0
    assert names(store) == [sha256]


def test_what_a_process_left_when_it_died_is_dropped_and_an_upload_under_way_is_not(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    under_way = store.writer()
    under_way.write(b"still ")
    left = tmp_path / INCOMING / "0123"
    left.write_bytes(b"nobody holds it")
    assert store.drop_abandoned() == 1
    assert not left.exists()
    under_way.write(b"here")
    assert read(store, under_way.commit().sha256) == b"still here"


def test_uploading_the_bytes_again_heals_a_damaged_file(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    sha256 = put(store, b"whole")
    store.place(sha256).write_bytes(b"dam")
    put(store, b"whole")
    assert read(store, sha256) == b"whole"


def test_blobs_are_for_the_owner_of_the_state_directory_only(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "blobs")
    place = store.place(put(store, b"private"))
    assert place.stat().st_mode & 0o777 == 0o600
    assert all(folder.stat().st_mode & 0o777 == 0o700 for folder in (place.parent, place.parent.parent))


def test_a_folder_that_cannot_be_written_is_told_as_such(tmp_path: Path) -> None:
    (tmp_path / "blobs").write_text("a file stands where the folder would be")
    with pytest.raises(StoreFailed):
        FolderStore(tmp_path / "blobs").writer()


def test_a_server_that_is_not_there_is_told_as_such() -> None:
    with closing(s3_store(Address(f"http://127.0.0.1:{free_port()}", "key", "secret"))) as store:
        for call in (
            store.writer,
            lambda: store.size(bytes(32)),
            lambda: list(store.listed()),
            lambda: store.frame(7, 0),
            lambda: store.keep_frames(7, {0: b"jpg"}),
            lambda: list(store.framed()),
            lambda: store.drop_frames(7),
        ):
            with pytest.raises(StoreUnreachable):
                call()


def test_a_server_that_dies_under_an_upload_is_told_to_who_writes(tmp_path: Path) -> None:
    with s3_server(tmp_path) as url:
        store = s3_store(Address(url, "key", "secret"))
        writer = store.writer()
        writer.write(b"begun")

    def go_on() -> None:
        for _ in range(64):
            writer.write(bytes(MIB))
        writer.commit()

    with closing(store):
        with pytest.raises(StoreUnreachable):
            go_on()
        writer.discard()


def test_the_settings_choose_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRAMEWELL_STATE_DIR", str(tmp_path))
    assert isinstance(open_store(PublicSettings.load()), FolderStore)
    monkeypatch.setenv("S3_ENDPOINT", "http://127.0.0.1:9000")
    with pytest.raises(SettingsError, match="S3_ACCESS_KEY"):
        PublicSettings.load()
    monkeypatch.setenv("S3_ACCESS_KEY", "key")
    monkeypatch.setenv("S3_SECRET_KEY", "secret")
    public = PublicSettings.load()
    assert "secret" not in repr(public).replace("s3_secret_key", "")
    with closing(open_store(public)) as store:
        assert isinstance(store, S3Store)
    monkeypatch.setenv("S3_ENDPOINT", "127.0.0.1:9000")
    with pytest.raises(SettingsError, match="S3_ENDPOINT"):
        PublicSettings.load()


def test_a_file_that_is_cleared_away_before_it_is_held_is_begun_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FolderStore(tmp_path / "blobs")
    flock, dropped = fcntl.flock, []

    def late(file: Any, operation: int) -> None:
        if not dropped:
            dropped.append(0)
            dropped[0] = store.drop_abandoned()
        flock(file, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    writer = store.writer()
    monkeypatch.undo()
    writer.write(b"picture")
    assert dropped == [1]
    assert store.size(writer.commit().sha256) == 7
