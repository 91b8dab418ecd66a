"""Items and lines as JSON, whatever the names and the times are."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncGenerator, Iterable
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from fake_fs import item
from gateway.dialects.mediareviewer import docs
from gateway.dialects.mediareviewer.render import ItemWriter, folder_page_out, iso_time, item_lines
from gateway.errors import Failure
from gateway.paths import bytes_of, dumps
from hypothesis import given
from hypothesis import strategies as st
from media_proto import fs_pb2

NAMES = st.binary(min_size=1, max_size=40).map(lambda name: name.replace(b"/", b"_").replace(b"\0", b"_"))
PATHS = st.lists(NAMES, min_size=1, max_size=4).map(lambda parts: b"/" + b"/".join(parts))
PHOTO = b"/home/example/reviews/trip-2025/day1/photo001.jpg"


async def batches(*given_batches: fs_pb2.ItemBatch) -> AsyncGenerator[fs_pb2.ItemBatch, None]:
    for batch in given_batches:
        yield batch


async def lines_of(*given_batches: fs_pb2.ItemBatch) -> list[dict[str, object]]:
    body = b"".join([chunk async for chunk in item_lines(batches(*given_batches))])
    assert body.endswith(b"\n")
    return [json.loads(line) for line in body.decode("utf-8").split("\n")[:-1]]


def test_an_item_is_the_sample_of_the_seed_key_by_key_in_its_order() -> None:
    written = ItemWriter().write(item(PHOTO))

    assert written == dumps(docs.ITEM).decode()


@given(st.lists(PATHS, max_size=8), st.lists(st.booleans(), min_size=8, max_size=8))
async def test_a_line_is_one_object_and_names_its_file_whatever_its_name_is(
    paths: list[bytes], last: list[bool]
) -> None:
    sent = [fs_pb2.ItemBatch(items=[item(path, seen=flag)]) for path, flag in zip(paths, last, strict=False)]

    *items, done = await lines_of(*sent, fs_pb2.ItemBatch(last=True))

    assert [bytes_of(str(found["path"])) for found in items] == paths
    for found, path in zip(items, paths, strict=True):
        query = parse_qs(urlsplit(str(found["thumbnailUrl"])).query, encoding="utf-8", errors="surrogateescape")
        assert query == {"path": [str(found["path"])], "size": ["256"]}
        assert found["name"] == path.rpartition(b"/")[2].decode("utf-8", "replace")
    assert done == {"type": "done", "count": len(paths), "lastPath": items[-1]["path"] if items else None}


@given(st.integers(-62_135_596_800_000_000, 253_402_300_799_999_999))
def test_a_time_is_iso_with_six_decimals(us: int) -> None:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)

    assert iso_time(us) == moment.isoformat(timespec="microseconds")


@given(st.integers(-(2**63), 2**63 - 1))
def test_a_time_beyond_the_calendar_is_still_a_time(us: int) -> None:
    datetime.fromisoformat(iso_time(us))


@pytest.mark.parametrize("duration", [0.0, 1.5, 1e-9, 1e300, float("inf"), float("nan")])
def test_what_is_not_known_is_null(duration: float) -> None:
    bare = fs_pb2.Item(path=b"/a.mp4", kind=fs_pb2.KIND_VIDEO, duration_s=duration)

    found = json.loads(ItemWriter().write(bare))

    expected = duration if duration < float("inf") else None
    assert found["mediaType"] == "video"
    assert found["metadata"] == {
        "width": None,
        "height": None,
        "duration_seconds": expected,
        "durationSeconds": expected,
    }


@pytest.mark.parametrize("marks", range(8))
def test_every_mark_is_its_own(marks: int) -> None:
    flags = {"locked": bool(marks & 1), "trashed": bool(marks & 2), "seen": bool(marks & 4)}

    assert json.loads(ItemWriter().write(item(b"/a.jpg", **flags)))["status"] == flags


async def test_a_listing_that_ends_without_its_last_batch_has_no_done_line() -> None:
    with pytest.raises(Failure):
        await lines_of(fs_pb2.ItemBatch(items=[item(b"/a.jpg")]))


async def test_a_full_last_batch_is_counted() -> None:
    *items, done = await lines_of(fs_pb2.ItemBatch(items=[item(b"/r/a.jpg"), item(b"/r/\xff.jpg")], last=True))

    assert len(items) == 2
    assert done == {"type": "done", "count": 2, "lastPath": "/r/\udcff.jpg"}


def test_a_folder_page_has_the_keys_of_the_seed_in_their_order() -> None:
    page = fs_pb2.FolderPage(path=b"/r/\xff", items=[item(b"/r/\xff/a.jpg")], total=9, ignored=3)

    found = json.loads(folder_page_out(page, 2, 50))

    assert list(found) == ["path", "offset", "limit", "count", "ignoredCount", "total", "items"]
    assert (found["path"], found["offset"], found["limit"], found["count"], found["ignoredCount"], found["total"]) == (
        "/r/\udcff", 2, 50, 1, 3, 9
    )  # fmt: skip
    assert json.loads(folder_page_out(fs_pb2.FolderPage(path=b"/r"), 0, 1))["items"] == []


def _seconds(items: Iterable[fs_pb2.Item]) -> float:
    write = ItemWriter().write
    begin = time.process_time()
    "\n".join([write(one) for one in items]).encode()
    return time.process_time() - begin


@pytest.mark.alone
def test_ten_thousand_items_are_rendered_about_as_fast_as_a_plain_dump() -> None:
    """A guard against a slip into the slow way, against the dumbest rendering in the same run."""
    items = [item(b"/home/me/cam/%d/f%05d.jpg" % (number // 50, number), created_us=number) for number in range(10_000)]
    begin = time.process_time()
    for one in items:
        json.dumps({**docs.ITEM, "path": one.path.decode(), "sizeBytes": one.size_bytes})
    naive = time.process_time() - begin

    assert min(_seconds(items) for _ in range(3)) < 2 * naive
