"""A media file and its thumbnail over HTTP."""

from __future__ import annotations

import httpx
import pytest
from fake_fs import PNG, FakeFs, Refused, chunks_of, file_facts
from gateway.dialects.mediareviewer.files import disposition
from gateway_rig import error_of
from hypothesis import given
from hypothesis import strategies as st
from media_common.errors import ErrorCode
from media_proto import fs_pb2

DATA = bytes(range(100))
FILE = "/api/media-file?path=/r/a.mp4"
THUMBNAIL = "/api/media-thumbnail?path=/r/a.jpg"
MODIFIED = "Sat, 15 Mar 2025 14:30:22 GMT"


@pytest.fixture
def file(fake: FakeFs) -> None:
    fake.answers["StatFile"] = file_facts(len(DATA))
    fake.answers["ReadFile"] = chunks_of(DATA)


@pytest.mark.usefixtures("file")
class TestAFile:
    async def test_is_served_whole_with_its_headers(self, client: httpx.AsyncClient, fake: FakeFs) -> None:
        answer = await client.get("/api/media-file?path=/r/%FF.mp4")

        assert answer.content == DATA
        assert fake.last("StatFile").path == b"/r/\xff.mp4"
        assert fake.last("ReadFile") == fs_pb2.ReadFileRequest(path=b"/r/a.mp4", length=100, etag="e1")
        expected = {
            "content-type": "video/mp4",
            "content-length": "100",
            "etag": '"e1"',
            "last-modified": MODIFIED,
            "accept-ranges": "bytes",
            "x-content-type-options": "nosniff",
            "cache-control": "private, no-cache",
            "content-disposition": "inline; filename=\"a.mp4\"; filename*=UTF-8''a.mp4",
        }
        assert {key: answer.headers[key] for key in expected} == expected

    @pytest.mark.parametrize(
        ("asked", "first", "last"),
        [
            ("bytes=0-9", 0, 9),
            ("bytes=5-", 5, 99),
            ("bytes=-10", 90, 99),
            ("bytes=90-500", 90, 99),
            ("bytes=-500", 0, 99),
        ],
    )
    async def test_is_served_in_part(
        self, client: httpx.AsyncClient, fake: FakeFs, asked: str, first: int, last: int
    ) -> None:
        answer = await client.get(FILE, headers={"Range": asked})

        assert answer.status_code == 206
        assert answer.content == DATA[first : last + 1]
        assert answer.headers["content-range"] == f"bytes {first}-{last}/100"
        assert answer.headers["content-length"] == str(last - first + 1)
        assert fake.last("ReadFile").length == last - first + 1

    @pytest.mark.parametrize("asked", ["bytes=100-", "bytes=-0", "bytes=200-300"])
    async def test_has_no_part_behind_its_end(self, client: httpx.AsyncClient, fake: FakeFs, asked: str) -> None:
        answer = await client.get(FILE, headers={"Range": asked})

        error_of(answer, 416)
        assert answer.headers["content-range"] == "bytes */100"
        assert fake.count("ReadFile") == 0

    @pytest.mark.parametrize("asked", ["bytes=9-5", "bytes=0-1,4-5", "x=0-1", "bytes=a-"])
    async def test_is_served_whole_for_a_range_that_is_none(self, client: httpx.AsyncClient, asked: str) -> None:
        answer = await client.get(FILE, headers={"Range": asked})

        assert (answer.status_code, answer.content) == (200, DATA)

    async def test_of_a_range_of_another_version_is_served_whole(self, client: httpx.AsyncClient) -> None:
        part = await client.get(FILE, headers={"Range": "bytes=0-9", "If-Range": '"e1"'})
        whole = await client.get(FILE, headers={"Range": "bytes=0-9", "If-Range": '"e0"'})

        assert (part.status_code, whole.status_code) == (206, 200)

    @pytest.mark.parametrize(
        "headers",
        [
            {"If-None-Match": '"e1"'},
            {"If-None-Match": '"x", W/"e1"'},
            {"If-None-Match": "*"},
            {"If-Modified-Since": MODIFIED},
        ],
    )
    async def test_that_the_caller_has_is_304(
        self, client: httpx.AsyncClient, fake: FakeFs, headers: dict[str, str]
    ) -> None:
        answer = await client.get(FILE, headers={**headers, "Range": "bytes=0-9"})

        assert (answer.status_code, answer.content) == (304, b"")
        assert answer.headers["etag"] == '"e1"'
        assert "content-length" not in answer.headers
        assert fake.count("ReadFile") == 0

    async def test_answers_head_without_reading(self, client: httpx.AsyncClient, fake: FakeFs) -> None:
        whole = await client.head(FILE)
        part = await client.head(FILE, headers={"Range": "bytes=0-9"})
        beyond = await client.head(FILE, headers={"Range": "bytes=1000-"})

        assert (whole.status_code, whole.headers["content-length"], whole.content) == (200, "100", b"")
        assert (part.status_code, part.headers["content-length"]) == (200, "100")
        assert (beyond.status_code, beyond.headers["content-length"]) == (200, "100")
        assert fake.count("ReadFile") == 0

    async def test_that_is_empty_has_an_empty_body(self, client: httpx.AsyncClient, fake: FakeFs) -> None:
        fake.answers["StatFile"] = file_facts(0)

        for headers in ({}, {"Range": "bytes=-5"}):
            answer = await client.get(FILE, headers=headers)
            assert (answer.status_code, answer.content, answer.headers["content-length"]) == (200, b"", "0")
        answer = await client.get(FILE, headers={"Range": "bytes=0-"})
        assert (answer.status_code, answer.headers["content-range"]) == (416, "bytes */0")

    @pytest.mark.parametrize("told", ["text/html", "image/svg+xml", "application/xhtml+xml", "video/mp4; x=y", ""])
    async def test_never_runs_in_a_browser(self, client: httpx.AsyncClient, fake: FakeFs, told: str) -> None:
        fake.answers["StatFile"] = file_facts(len(DATA), content_type=told)

        assert (await client.get(FILE)).headers["content-type"] == "application/octet-stream"

    async def test_that_changed_before_the_first_byte_is_an_ordinary_error(
        self, client: httpx.AsyncClient, fake: FakeFs
    ) -> None:
        fake.answers["ReadFile"] = [Refused(ErrorCode.FILE_CHANGED, "The file changed.")]

        assert error_of(await client.get(FILE), 503) == "The file changed."

    async def test_outside_is_403(self, client: httpx.AsyncClient, fake: FakeFs) -> None:
        fake.answers["StatFile"] = Refused(ErrorCode.OUTSIDE_ROOTS, "Path is not under a configured review path.")

        assert error_of(await client.get(FILE), 403) == "Path is not under a configured review path."


@given(st.binary(min_size=1).filter(lambda name: b"/" not in name and b"\0" not in name))
def test_the_name_in_a_header_is_ascii_and_breaks_out_of_nothing(name: bytes) -> None:
    told = disposition(b"/r/" + name)

    assert told.isascii()
    assert told.isprintable()
    assert told.count('"') == 2
    assert "\\" not in told


class TestAThumbnail:
    async def test_is_a_png_that_may_be_kept_for_a_while(self, client: httpx.AsyncClient, fake: FakeFs) -> None:
        fake.answers["GetThumbnail"] = fs_pb2.Thumbnail(
            png=PNG, etag="t1", modified_us=1742049022500000, cache_hit=True
        )

        answer = await client.get(THUMBNAIL)

        assert answer.content == PNG
        expected = {
            "content-type": "image/png",
            "etag": '"t1"',
            "last-modified": MODIFIED,
            "x-content-type-options": "nosniff",
            "content-length": str(len(PNG)),
        }
        assert {key: answer.headers[key] for key in expected} == expected
        assert answer.headers["cache-control"].startswith("private, max-age=")
        assert fake.last("GetThumbnail") == fs_pb2.GetThumbnailRequest(path=b"/r/a.jpg", size_px=256)

    async def test_has_the_size_asked_for(self, client: httpx.AsyncClient, fake: FakeFs) -> None:
        fake.answers["GetThumbnail"] = fs_pb2.Thumbnail(png=PNG, etag="t1")

        for size in (1, 1024):
            await client.get(f"{THUMBNAIL}&size={size}")
            assert fake.last("GetThumbnail").size_px == size

    async def test_that_the_caller_has_is_304(self, client: httpx.AsyncClient, fake: FakeFs) -> None:
        fake.answers["GetThumbnail"] = fs_pb2.Thumbnail(etag="t1", not_modified=True)

        answer = await client.get(THUMBNAIL, headers={"If-None-Match": '"t0", W/"t1"'})

        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", '"t1"')
        assert "max-age" in answer.headers["cache-control"]
        assert fake.last("GetThumbnail").if_etag == "t0,t1"

    async def test_had_before_travels_once_and_is_asked_for_every_time(
        self, client: httpx.AsyncClient, fake: FakeFs
    ) -> None:
        fake.answers["GetThumbnail"] = fs_pb2.Thumbnail(png=PNG, etag="t1")
        await client.get(THUMBNAIL)
        fake.answers["GetThumbnail"] = fs_pb2.Thumbnail(etag="t1", not_modified=True)

        again = await client.get(THUMBNAIL)
        fake.answers["GetThumbnail"] = Refused(ErrorCode.PATH_MISSING, "Path does not exist.")
        gone = await client.get(THUMBNAIL)

        assert (again.status_code, again.content, again.headers["etag"]) == (200, PNG, '"t1"')
        assert gone.status_code == 400

    async def test_not_newer_than_the_callers_is_304(self, client: httpx.AsyncClient, fake: FakeFs) -> None:
        fake.answers["GetThumbnail"] = fs_pb2.Thumbnail(png=PNG, etag="t1", modified_us=1742049022500000)

        same = await client.get(THUMBNAIL, headers={"If-Modified-Since": MODIFIED})
        old = await client.get(THUMBNAIL, headers={"If-Modified-Since": "Sat, 15 Mar 2025 14:30:21 GMT"})
        anything = await client.get(THUMBNAIL, headers={"If-None-Match": "*"})

        assert (same.status_code, old.status_code, anything.status_code) == (304, 200, 304)
        assert fake.last("GetThumbnail").if_etag == "t1"  # what is kept here, not the caller's "*"

    @pytest.mark.parametrize("headers", [{}, {"If-None-Match": "*"}, {"If-Modified-Since": MODIFIED}])
    async def test_that_is_a_placeholder_is_never_kept(
        self, client: httpx.AsyncClient, fake: FakeFs, headers: dict[str, str]
    ) -> None:
        fake.answers["GetThumbnail"] = fs_pb2.Thumbnail(png=PNG, etag="t1", placeholder=True)

        answer = await client.get(THUMBNAIL, headers=headers)

        assert (answer.status_code, answer.content) == (200, PNG)
        assert answer.headers["cache-control"] == "no-store"
        assert "etag" not in answer.headers

    async def test_answers_head(self, client: httpx.AsyncClient, fake: FakeFs) -> None:
        fake.answers["GetThumbnail"] = fs_pb2.Thumbnail(png=PNG, etag="t1")

        assert (await client.head(THUMBNAIL)).headers["content-length"] == str(len(PNG))

    async def test_that_nobody_can_make_is_503(self, client: httpx.AsyncClient, fake: FakeFs) -> None:
        fake.answers["GetThumbnail"] = Refused(ErrorCode.THUMBNAILS_UNAVAILABLE, "No thumbnail worker answers.")

        assert error_of(await client.get(THUMBNAIL), 503) == "No thumbnail worker answers."
