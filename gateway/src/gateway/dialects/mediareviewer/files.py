"""A media file's bytes and its thumbnail over HTTP: ranges, conditions, headers."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import Final
from urllib.parse import quote

from media_common.errors import ErrorCode
from media_proto import fs_pb2
from starlette.requests import Request
from starlette.responses import Response

from gateway.clients import FsClient
from gateway.errors import Failure
from gateway.gone import until_gone
from gateway.metrics import Metrics
from gateway.ndjson import StreamedAnswer
from gateway.paths import name_of
from gateway.ranges import Range, Unsatisfiable, etags, http_date, not_modified, parse_range, range_applies

MAX_THUMBNAIL_PX: Final = 1024
#: What a browser may play or draw by itself. SVG and HTML carry scripts and never leave under their own name.
_SHOWABLE: Final = re.compile(r"(?:image|video|audio)/(?!svg)[A-Za-z0-9.+-]+")
_OPAQUE: Final = "application/octet-stream"
#: Seconds; after that a revalidation costs a look at the file's time.
THUMBNAIL_CACHE: Final = "private, max-age=60"
#: A quick thumbnail pays nothing for watching its caller.
_WATCH_AFTER_S: Final = 0.05
_NOT_IN_QUOTES: Final = re.compile(r"[^ !#-\[\]-~]")
#: Another site's page may neither show nor probe for somebody's files.
OWN_PAGES: Final = {"Cross-Origin-Resource-Policy": "same-site"}


def disposition(path: bytes) -> str:
    """`inline`, with the name for old readers and in full (RFC 6266, RFC 5987)."""
    name = name_of(path)
    return f"inline; filename=\"{_NOT_IN_QUOTES.sub('_', name)}\"; filename*=UTF-8''{quote(name, safe='')}"


def content_type(told: str) -> str:
    return told if _SHOWABLE.fullmatch(told) else _OPAQUE


async def send_file(request: Request, fs: FsClient, path: bytes, policy: Mapping[str, str]) -> Response:
    """The file or the part of it that was asked for. A read that fails midway ends the connection short.

    Args:
        policy: headers that say which pages may use it.
    """
    facts = await fs.file_facts(path)
    return await send_part(request, facts, lambda part: _chunks(fs, facts, part), policy)


async def send_part(
    request: Request,
    facts: fs_pb2.FileFacts,
    read: Callable[[Range], AsyncGenerator[bytes, None]],
    policy: Mapping[str, str],
) -> Response:
    """What conditions and range leave of a file of these facts.

    Args:
        read: exactly the bytes of a part.
    """
    headers = {
        "ETag": f'"{facts.etag}"',
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-cache",
        "Content-Disposition": disposition(facts.path),
        **policy,
    }
    if date := http_date(facts.modified_us):
        headers["Last-Modified"] = date
    if not_modified(request.headers, facts.etag, facts.modified_us):
        return Response(status_code=304, headers=headers)
    wanted: Range | None = None
    # A range is defined for GET alone (RFC 9110, 14.2); HEAD tells of the whole file.
    if request.method == "GET" and range_applies(request.headers, facts.etag, facts.modified_us):
        try:
            wanted = parse_range(request.headers.get("range"), facts.size_bytes)
        except Unsatisfiable:
            raise Failure(
                416,
                "range_not_satisfiable",
                "The range is not in the file.",
                headers={"Content-Range": f"bytes */{facts.size_bytes}", "Accept-Ranges": "bytes"},
            ) from None
    status = 200
    if wanted is not None:
        status = 206
        headers["Content-Range"] = wanted.content_range(facts.size_bytes)
    part = wanted or Range(0, facts.size_bytes)
    headers["Content-Length"] = str(part.length)
    kind = content_type(facts.content_type)
    if request.method == "HEAD" or part.length == 0:
        return Response(b"", status, {**headers, "Content-Type": kind})
    return StreamedAnswer(read(part), kind, status, headers)


async def _chunks(fs: FsClient, facts: fs_pb2.FileFacts, part: Range) -> AsyncGenerator[bytes, None]:
    """Exactly the part's bytes.

    Raises:
        Failure: the service sent fewer or more.
    """
    left = part.length
    async with aclosing(fs.file_bytes(facts, part.offset, part.length)) as chunks:
        async for chunk in chunks:
            left -= len(chunk.data)
            if left < 0:
                break
            if chunk.data:
                yield chunk.data
    if left:
        raise Failure(500, ErrorCode.INTERNAL, "The file could not be read to its end.")


async def send_thumbnail(
    request: Request, of: tuple[FsClient, Metrics], path: bytes, size_px: int, policy: Mapping[str, str]
) -> Response:
    """A file's thumbnail; `policy` as for `send_file`."""
    fs, metrics = of
    sent_tags = etags(request.headers.get("if-none-match", ""))
    async with until_gone(request.receive, after_s=_WATCH_AFTER_S):
        thumbnail = await fs.thumbnail(path, size_px, ",".join(tag for tag in sent_tags if tag != "*"))
    metrics.thumbnail(thumbnail)
    headers = dict(policy)
    if thumbnail.placeholder:
        headers["Cache-Control"] = "no-store"
        return Response(thumbnail.png, 200, headers, media_type="image/png")
    headers["Cache-Control"] = THUMBNAIL_CACHE
    headers["ETag"] = f'"{thumbnail.etag}"'
    if date := http_date(thumbnail.modified_us):
        headers["Last-Modified"] = date
    if thumbnail.not_modified or not_modified(request.headers, thumbnail.etag, thumbnail.modified_us):
        return Response(status_code=304, headers=headers)
    return Response(thumbnail.png, 200, headers, media_type="image/png")
