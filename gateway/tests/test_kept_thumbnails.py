"""What is kept of thumbnails: never more than the limit, never in place of what the service says."""

from __future__ import annotations

from gateway.kept_thumbnails import KeptThumbnails
from hypothesis import given
from hypothesis import strategies as st
from media_proto import fs_pb2

KEY = (b"/r/a.jpg", 256)


def picture(etag: str, size: int = 8) -> fs_pb2.Thumbnail:
    return fs_pb2.Thumbnail(png=b"p" * size, etag=etag, modified_us=1)


def unchanged(etag: str) -> fs_pb2.Thumbnail:
    return fs_pb2.Thumbnail(etag=etag, modified_us=1, not_modified=True)


def test_what_the_service_says_is_unchanged_is_told_from_memory() -> None:
    kept = KeptThumbnails()
    assert kept.settle(KEY, "", picture("one")).png
    assert kept.etag(KEY) == "one"
    told = kept.settle(KEY, "", unchanged("one"))
    assert (told.png, told.etag, told.not_modified, told.cache_hit) == (b"p" * 8, "one", False, True)


def test_a_caller_who_has_it_is_told_so() -> None:
    kept = KeptThumbnails()
    kept.settle(KEY, "", picture("one"))
    assert kept.settle(KEY, "zero,one", unchanged("one")).not_modified


def test_a_new_picture_takes_the_old_ones_place() -> None:
    kept = KeptThumbnails()
    kept.settle(KEY, "", picture("one"))
    kept.settle(KEY, "", picture("two"))
    assert kept.etag(KEY) == "two"


def test_a_placeholder_is_not_kept_and_ends_what_was() -> None:
    kept = KeptThumbnails()
    kept.settle(KEY, "", picture("one"))
    kept.settle(KEY, "", fs_pb2.Thumbnail(png=b"can't be read", placeholder=True))
    assert kept.etag(KEY) == ""


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 300))))
def test_the_limit_holds_and_the_latest_stay(asked: list[tuple[int, int]]) -> None:
    kept = KeptThumbnails(limit_bytes=1000)
    held: dict[int, int] = {}
    for number, size in asked:
        kept.settle((b"/r/%d.jpg" % number, 256), "", picture(f"{number}", size))
        held.pop(number, None)
        if size <= 125:
            held[number] = size
        while sum(held.values()) > 1000:
            del held[next(iter(held))]
    assert {number for number in range(21) if kept.etag((b"/r/%d.jpg" % number, 256))} == set(held)
