"""Where thumbnails are and when they are fresh, on a real disk."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from media_common import beneath, thumbnail_file
from media_common.thumbnail_file import Source, bucket_of, name_of, read_fresh, read_text, store, uri_of
from PIL import Image

SOURCE = Source(path=b"/photos/a b.jpg", mtime_ns=1_700_000_000_123_456_789, size_bytes=4321)


def png(size_px: int = 8) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGBA", (size_px, size_px), (10, 200, 90, 128)).save(buffer, "PNG")
    return thumbnail_file.with_text(buffer.getvalue(), thumbnail_file.text_chunks(SOURCE))


def test_the_specifications_own_example_has_its_name() -> None:
    # The freedesktop.org standard prints this pair.
    assert uri_of(b"/home/jens/photos/me.png") == "file:///home/jens/photos/me.png"
    assert name_of(b"/home/jens/photos/me.png") == b"c6ee772d9e49320e97ec29a7eb5b1697.png"


def test_a_uri_is_percent_encoded_byte_by_byte() -> None:
    assert uri_of(b"/a b/caf\xc3\xa9 #1?.jpg") == "file:///a%20b/caf%C3%A9%20%231%3F.jpg"
    assert uri_of(b"/\xff.jpg") == "file:///%FF.jpg"


@given(st.binary(min_size=1, max_size=30), st.binary(min_size=1, max_size=30))
def test_two_files_never_share_a_name(one: bytes, other: bytes) -> None:
    assert (name_of(b"/" + one) == name_of(b"/" + other)) == (one == other)


def test_no_two_sizes_share_a_bucket() -> None:
    buckets = [bucket_of(size) for size in range(1, 1025)]
    assert len(set(buckets)) == 1024
    assert [bucket_of(size) for size in (128, 256, 512, 1024, 200)] == [
        b"normal", b"large", b"x-large", b"xx-large", b"size-200",
    ]  # fmt: skip


def test_the_text_entries_survive_and_the_picture_is_still_one() -> None:
    data = png()
    assert read_text(data) == thumbnail_file.text_chunks(SOURCE)
    with Image.open(io.BytesIO(data)) as picture:
        picture.load()
        assert picture.getpixel((3, 3)) == (10, 200, 90, 128)
        assert picture.info["Thumb::URI"] == "file:///photos/a%20b.jpg"
        assert picture.info["Thumb::MTime"] == "1700000000"


@given(st.binary(max_size=200))
def test_a_file_that_is_no_png_has_no_text_and_breaks_nothing(data: bytes) -> None:
    assert isinstance(read_text(data), dict)
    assert isinstance(read_text(png()[:40] + data), dict)


def test_what_is_stored_is_read_back_while_the_source_is_the_same(tmp_path: Path) -> None:
    base, data = os.fsencode(tmp_path), png()
    store(base, SOURCE, 256, data)
    assert read_fresh(base, SOURCE, 256) == data
    assert read_fresh(base, SOURCE, 128) is None
    assert read_fresh(base, Source(SOURCE.path, SOURCE.mtime_ns + 1, SOURCE.size_bytes), 256) is None
    assert read_fresh(base, Source(SOURCE.path, SOURCE.mtime_ns, SOURCE.size_bytes + 1), 256) is None
    assert read_fresh(base, Source(b"/other.jpg", SOURCE.mtime_ns, SOURCE.size_bytes), 256) is None


def test_the_file_has_the_sources_time_and_nothing_temporary_stays(tmp_path: Path) -> None:
    store(os.fsencode(tmp_path), SOURCE, 256, png())
    folder = tmp_path / ".thumbnails" / "large"
    assert [os.fsencode(name) for name in os.listdir(folder)] == [name_of(SOURCE.path)]
    assert (folder / name_of(SOURCE.path).decode()).stat().st_mtime_ns == SOURCE.mtime_ns


@pytest.mark.parametrize("kept", [0, 8, 60, -1, -12])
def test_a_thumbnail_that_was_cut_short_is_never_served(tmp_path: Path, kept: int) -> None:
    base = os.fsencode(tmp_path)
    store(base, SOURCE, 256, png()[:kept])
    assert read_fresh(base, SOURCE, 256) is None


@pytest.mark.parametrize("place", [".thumbnails", ".thumbnails/large"])
def test_a_link_in_the_place_of_a_thumbnail_folder_is_not_followed(tmp_path: Path, place: str) -> None:
    base, outside = tmp_path / "root", tmp_path / "outside"
    (base / place).parent.mkdir(parents=True)
    outside.mkdir()
    (base / place).symlink_to(outside)
    with pytest.raises(beneath.Escapes):
        store(os.fsencode(base), SOURCE, 256, png())
    assert list(outside.iterdir()) == []


def test_a_link_in_the_place_of_a_thumbnail_is_replaced_and_never_read_or_written_through(tmp_path: Path) -> None:
    base, secret = os.fsencode(tmp_path), tmp_path / "secret.png"
    secret.write_bytes(png())
    os.utime(secret, ns=(SOURCE.mtime_ns, SOURCE.mtime_ns))
    folder = tmp_path / ".thumbnails" / "large"
    folder.mkdir(parents=True)
    (folder / name_of(SOURCE.path).decode()).symlink_to(secret)
    assert read_fresh(base, SOURCE, 256) is None
    store(base, SOURCE, 256, png(16))
    assert secret.read_bytes() == png()
    assert read_fresh(base, SOURCE, 256) == png(16)


def test_whether_thumbnails_can_be_kept_is_known_beforehand(tmp_path: Path) -> None:
    assert thumbnail_file.is_writable(os.fsencode(tmp_path))
    assert not thumbnail_file.is_writable(os.fsencode(tmp_path / "missing"))
    (tmp_path / ".thumbnails").symlink_to(tmp_path)
    assert not thumbnail_file.is_writable(os.fsencode(tmp_path))


@given(st.binary(min_size=1, max_size=60).filter(lambda path: b"\0" not in path))
def test_a_uri_leads_back_to_its_path(path: bytes) -> None:
    assert thumbnail_file.path_of(uri_of(b"/" + path)) == b"/" + path


@pytest.mark.parametrize("uri", ["", "file://", "file://host/a", "http://a/b", "file:///a%00", "file:///%61", "/a"])
def test_a_uri_that_we_would_not_have_written_leads_nowhere(uri: str) -> None:
    assert thumbnail_file.path_of(uri) is None


def test_every_size_has_a_bucket_that_is_known_as_ours_and_other_folders_are_not() -> None:
    assert all(thumbnail_file.is_bucket(bucket_of(size)) for size in range(1, 1025))
    assert not any(
        thumbnail_file.is_bucket(name) for name in (b"", b"fail", b"root-id", b"size-", b"size-0", b"large2")
    )
