"""The dialect's JSON, made from the services' messages. The only place that knows its key names and their order."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from math import isfinite
from typing import Any, Final

from media_proto import fs_pb2

from gateway.errors import INTERNAL, Failure
from gateway.ndjson import line
from gateway.paths import dumps, name_of, quoted, text_of

SERVICE: Final = "mediareviewer-api"
THUMBNAIL_PX: Final = 256

_DAY_US: Final = 86_400_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MINUTES: Final = tuple(f"{minute // 60:02d}:{minute % 60:02d}:" for minute in range(1440))
#: Days that a date can name: years 1 to 9999. A file system may say others.
_FIRST_DAY: Final = -719_162
_LAST_DAY: Final = 2_932_896
#: A name that is the same as text, in JSON and in a query.
_PLAIN_NAME: Final = re.compile(rb"[A-Za-z0-9_.~-]+").fullmatch
_KINDS: Final = {fs_pb2.KIND_IMAGE: "image", fs_pb2.KIND_VIDEO: "video"}


def _bool(value: int) -> str:
    return "true" if value else "false"


_MARKS: Final = tuple(
    f'{{"locked":{_bool(marks & 1)},"trashed":{_bool(marks & 2)},"seen":{_bool(marks & 4)}}}' for marks in range(8)
)


@lru_cache(maxsize=4096)
def _date(day: int) -> str:
    return (_EPOCH + timedelta(days=min(max(day, _FIRST_DAY), _LAST_DAY))).strftime("%Y-%m-%dT").rjust(11, "0")


def iso_time(us: int) -> str:
    """`2025-03-15T14:30:22.000000+00:00`: always six decimals. Written by hand because a stream has two an item."""
    day, rest = divmod(us, _DAY_US)
    minute, rest = divmod(rest, 60_000_000)
    digits = str(100_000_000 + rest)
    return f"{_date(day)}{_MINUTES[minute]}{digits[1:3]}.{digits[3:]}+00:00"


def _json_inside(text: str) -> str:
    """A string's JSON without its quotes; lone surrogates as escapes."""
    return json.dumps(text)[1:-1]


class ItemWriter:
    """Items as JSON text, without white space. Neighbours mostly share a folder, which is written once."""

    def __init__(self) -> None:
        self._folder: bytes | None = None
        self._folder_json = ""
        self._folder_quoted = ""

    def write(self, item: fs_pb2.Item) -> str:
        """The item object of the seed, in its order, with the additive `durationSeconds`."""
        path = item.path
        cut = path.rfind(b"/") + 1
        folder, name = path[:cut], path[cut:]
        if folder != self._folder:
            self._folder = folder
            self._folder_json = _json_inside(text_of(folder))
            self._folder_quoted = quoted(folder)
        if _PLAIN_NAME(name):
            in_path = shown = in_query = name.decode("ascii")
        else:
            in_path = _json_inside(text_of(name))
            shown = _json_inside(name_of(name))
            in_query = quoted(name)
        modified_us, created_us = item.modified_us, item.created_us
        modified = iso_time(modified_us)
        created = modified if created_us == modified_us else iso_time(created_us)
        width = item.width_px if item.HasField("width_px") else "null"
        height = item.height_px if item.HasField("height_px") else "null"
        duration = "null"
        if item.HasField("duration_s") and isfinite(item.duration_s):
            duration = repr(item.duration_s)
        return (
            f'{{"path":"{self._folder_json}{in_path}","name":"{shown}","mediaType":"{_KINDS.get(item.kind, "image")}",'
            f'"thumbnailUrl":"/api/media-thumbnail?path={self._folder_quoted}{in_query}&size={THUMBNAIL_PX}",'
            f'"sizeBytes":{item.size_bytes},"modifiedAt":"{modified}","createdAt":"{created}",'
            f'"status":{_MARKS[item.locked | item.trashed << 1 | item.seen << 2]},'
            f'"metadata":{{"width":{width},"height":{height},"duration_seconds":{duration},'
            f'"durationSeconds":{duration}}}}}'
        )


def folder_page_out(page: fs_pb2.FolderPage, offset: int, limit: int) -> bytes:
    head = {
        "path": text_of(page.path),
        "offset": offset,
        "limit": limit,
        "count": len(page.items),
        "ignoredCount": page.ignored,
        "total": page.total,
    }
    write = ItemWriter().write
    items = ",".join([write(item) for item in page.items])
    return b'%s,"items":[%s]}' % (dumps(head)[:-1], items.encode())


async def item_lines(batches: AsyncGenerator[fs_pb2.ItemBatch, None]) -> AsyncGenerator[bytes, None]:
    """Chunks of item lines, then the `done` line; a listing that stops short of its last batch has none.

    Raises:
        Failure: the listing ended too early.
    """
    write = ItemWriter().write
    count = 0
    last_path: str | None = None
    async with aclosing(batches):
        async for batch in batches:
            lines = [write(item) for item in batch.items]
            if lines:
                count += len(lines)
                last_path = text_of(batch.items[-1].path)
                lines.append("")
            chunk = "\n".join(lines).encode()
            if batch.last:
                yield chunk + line({"type": "done", "count": count, "lastPath": last_path})
                return
            if chunk:
                yield chunk
    raise Failure(500, "internal", INTERNAL)


def trash_event_out(event: fs_pb2.TrashEvent) -> dict[str, Any]:
    """One event of an empty-trash, as the seed's table has it."""
    match event.WhichOneof("event"):
        case "deleting":
            return {"type": "deleting", "path": text_of(event.deleting.path)}
        case "deleted":
            return {"type": "deleted", "path": text_of(event.deleted.path)}
        case "skipped":
            return {"type": "skipped", "path": text_of(event.skipped.path), "reason": event.skipped.reason}
        case "error":
            return {"type": "error", "path": text_of(event.error.path), "message": event.error.message}
        case "folder_done":
            return {"type": "folder_done", "path": text_of(event.folder_done.path)}
        case "done":
            done = event.done
            return {
                "type": "done",
                "deleted": done.deleted,
                "errors": done.errors,
                "skipped": done.skipped,
                "bytes": done.bytes,
                "receiptId": done.receipt_id,
            }
        case _:
            raise Failure(500, "internal", INTERNAL)


def _trash_chunk(event: fs_pb2.TrashEvent) -> bytes:
    """The line of an event, or the lines of a run."""
    if event.WhichOneof("event") != "run":
        return line(trash_event_out(event))
    lines = []
    for path in event.run.paths:
        shown = dumps(text_of(path))
        lines.append(b'{"type":"deleting","path":%s}\n{"type":"deleted","path":%s}\n' % (shown, shown))
    return b"".join(lines)


async def trash_lines(messages: AsyncGenerator[fs_pb2.TrashEvent, None]) -> AsyncGenerator[bytes, None]:
    """A line an event, the last one `done`; a message may bring several events.

    Raises:
        Failure: the run ended without saying that it is done.
    """
    async with aclosing(messages):
        async for message in messages:
            events = (message, *message.more)
            yield b"".join([_trash_chunk(event) for event in events])
            if events[-1].HasField("done"):
                return
    raise Failure(500, "internal", INTERNAL)


def health_out(settings: fs_pb2.Settings) -> dict[str, Any]:
    queue = settings.deletion_queue
    return {
        "status": "ok",
        "service": SERVICE,
        "settings": {
            "stateDirectory": text_of(settings.state_directory),
            "hiddenPickerPaths": texts(settings.hidden_picker_paths),
            "deletionWorkers": settings.deletion_workers,
            "videoPreloadMb": settings.video_preload_mb,
        },
        "deletionQueue": {
            "max_workers": queue.max_workers,
            "active_jobs": queue.active_jobs,
            "submitted_jobs": queue.submitted_jobs,
            "completed_jobs": queue.completed_jobs,
            "failed_jobs": queue.failed_jobs,
        },
    }


def texts(paths: Iterable[bytes]) -> list[str]:
    return [text_of(path) for path in paths]


def review_paths_out(
    roots: fs_pb2.ListRootsResponse, settings: fs_pb2.Settings, visible: Sequence[bytes] | None
) -> dict[str, Any]:
    """`visible`: the only roots that the caller may see, which are then where its picker starts."""
    known = [root.path for root in roots.roots if visible is None or root.path in visible]
    return {
        "knownPaths": texts(known),
        "hiddenPickerPaths": texts(settings.hidden_picker_paths),
        "availablePaths": texts(settings.available_paths if visible is None else known),
    }


def folders_out(listing: fs_pb2.ListFoldersResponse) -> dict[str, Any]:
    return {
        "path": text_of(listing.path),
        "folders": [
            {"path": text_of(folder.path), "name": name_of(folder.path), "has_children": folder.has_children}
            for folder in listing.folders
        ],
    }


def status_out(status: fs_pb2.Status) -> dict[str, bool]:
    return {"locked": status.locked, "trashed": status.trashed, "seen": status.seen}


def action_out(done: fs_pb2.ActResponse, action: str) -> dict[str, Any]:
    return {"path": text_of(done.path), "action": action, "status": status_out(done.status)}


def outcome_out(outcome: fs_pb2.ActOutcome, path: str | None = None) -> dict[str, Any]:
    """One item's result; `path` as the caller wrote it where there is a caller's word for it."""
    return {
        "path": text_of(outcome.path) if path is None else path,
        "status": None if outcome.error else status_out(outcome.status),
        "error": outcome.error or None,
    }


def summary_out(summary: fs_pb2.Summary) -> dict[str, Any]:
    return {
        "path": text_of(summary.path),
        "counts": {
            "all": summary.all,
            "unseen": summary.unseen,
            "seen": summary.seen,
            "locked": summary.locked,
            "trashed": summary.trashed,
        },
    }


def settings_out(settings: fs_pb2.Settings) -> dict[str, Any]:
    return {"videoPreloadMb": settings.video_preload_mb}
