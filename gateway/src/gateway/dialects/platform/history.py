"""`/api/history`: the journal as a person reads it, and any step of it taken back. `/api/roots/status`: how the review
paths are. Neither waits for a disk that hangs."""

from __future__ import annotations

import re
from typing import Any, Final

from fastapi import FastAPI
from media_proto import fs_pb2
from starlette.requests import Request
from starlette.responses import Response

from gateway.access import access_of
from gateway.answers import json_answer
from gateway.clients import FsClient
from gateway.dialects.mediareviewer.render import iso_time, status_out
from gateway.dialects.platform import docs
from gateway.dialects.platform.history_docs import FILES, HISTORY, STATUS, UNDO
from gateway.dialects.platform.render import receipt_out, root_state_out
from gateway.errors import Failure, invalid
from gateway.openapi import Doc, Endpoint, add_route
from gateway.paths import text_of
from gateway.query import Query, strict_integer
from gateway.visible import VisibleRoots

PAGE_MAX: Final = 200
FILES_MAX: Final = 1000
#: What JSON numbers hold exactly.
_MOST: Final = 1 << 53
_CURSOR: Final = re.compile(rb"(?:s(?P<step>[0-9]{1,18}))?(?:r(?P<receipt>[0-9]{1,18}))?")
_KINDS: Final = {
    fs_pb2.STEP_KIND_ACT: "act",
    fs_pb2.STEP_KIND_BATCH: "batch",
    fs_pb2.STEP_KIND_UNDO: "undo",
    fs_pb2.STEP_KIND_REDO: "redo",
    fs_pb2.STEP_KIND_KEEP_BEST: "keep_best",
}
_RESULTS: Final = {
    fs_pb2.UNDO_RESULT_DONE: "done",
    fs_pb2.UNDO_RESULT_CHANGED: "changed",
    fs_pb2.UNDO_RESULT_LOCKED: "locked",
    fs_pb2.UNDO_RESULT_EMPTIED: "emptied",
    fs_pb2.UNDO_RESULT_GONE: "gone",
    fs_pb2.UNDO_RESULT_OFFLINE: "offline",
    fs_pb2.UNDO_RESULT_FAILED: "failed",
}


class History:
    """Looking through the journal, and steps taken back."""

    def __init__(self, fs: FsClient, visible: VisibleRoots) -> None:
        self._fs = fs
        self._visible = visible

    def add_to(self, app: FastAPI) -> None:
        routes: tuple[tuple[str, str, Endpoint, Doc], ...] = (
            ("GET", "/api/history", self.steps, HISTORY),
            ("GET", "/api/history/{step}", self.files, FILES),
            ("POST", "/api/history/{step}/undo", self.undo, UNDO),
            ("GET", "/api/roots/status", self.status, STATUS),
        )
        for method, path, endpoint, doc in routes:
            add_route(app, docs.TAG, method, path, endpoint, doc)

    async def steps(self, request: Request) -> Response:
        query = Query(request.scope["query_string"])
        before_step, before_receipt = _cursor(query.raw("cursor"))
        limit = query.integer("limit", 50, 1, PAGE_MAX)
        page = await self._fs.history(before_step, before_receipt, limit)
        return json_answer({"entries": [_entry_out(one) for one in page.entries], "next": _next(page)})

    async def files(self, request: Request) -> Response:
        step = _step(request)
        query = Query(request.scope["query_string"])
        after = query.integer("cursor", 0, 0, _MOST)
        told = await self._fs.step_files(step, after, query.integer("limit", 200, 1, FILES_MAX))
        following = None if told.last or not told.files else str(told.files[-1].number)
        return json_answer({"files": [_file_out(one) for one in told.files], "next": following})

    async def undo(self, request: Request) -> Response:
        return json_answer(_undone_out(await self._fs.undo_step(_step(request))))

    async def status(self, request: Request) -> Response:
        mine = await self._visible.of(access_of(request))
        told = (await self._fs.root_status()).roots
        return json_answer({"roots": [_status_out(one) for one in told if mine is None or one.path in mine]})


def _step(request: Request) -> int:
    """Raises Failure: 404, no number."""
    number = strict_integer(request.path_params["step"].encode("utf-8", "surrogateescape"))
    if number is None or not 0 < number < _MOST:
        raise Failure(404, "step_not_found", "The journal has no such step.")
    return number


def _cursor(raw: bytes | None) -> tuple[int | None, int | None]:
    """Raises Failure: 400, no `next` of ours."""
    if raw is None:
        return None, None
    found = _CURSOR.fullmatch(raw)
    if not raw or found is None:
        raise invalid("cursor", "cursor must be the `next` of an earlier answer.")
    step, receipt = found["step"], found["receipt"]
    return (None if step is None else int(step)), (None if receipt is None else int(receipt))


def _next(page: fs_pb2.StepPage) -> str | None:
    step = f"s{page.before_step}" if page.HasField("before_step") else ""
    receipt = f"r{page.before_receipt}" if page.HasField("before_receipt") else ""
    return step + receipt or None


def _entry_out(entry: fs_pb2.StepEntry) -> dict[str, Any]:
    if entry.WhichOneof("entry") == "emptied":
        receipt = entry.emptied.receipt
        return {"type": "emptied", "at": iso_time(receipt.started_us), "receipt": receipt_out(receipt)}
    step = entry.step
    return {
        "type": "step",
        "id": step.step,
        "kind": _KINDS.get(step.kind, "act"),
        "at": iso_time(step.at_us),
        "files": step.files,
        "standing": step.standing,
        "emptied": step.emptied,
        "changes": [
            {"before": status_out(one.before), "after": status_out(one.after), "count": one.count}
            for one in step.changes
        ],
        "folder": text_of(step.folder),
        "first": text_of(step.first),
        "reverts": list(step.reverts),
        "revertsCount": step.reverts_count,
    }


def _file_out(one: fs_pb2.StepFile) -> dict[str, Any]:
    return {
        "path": text_of(one.path),
        "before": status_out(one.before),
        "after": status_out(one.after),
        "standing": one.standing,
        "emptied": one.emptied,
    }


def _undone_out(told: fs_pb2.UndoStepResponse) -> dict[str, Any]:
    counts = {_RESULTS[one.result]: one.count for one in told.counts if one.result in _RESULTS}
    return {
        "step": told.step or None,
        "counts": {name: counts.get(name, 0) for name in _RESULTS.values()},
        "results": [
            {
                "path": text_of(one.path),
                "result": _RESULTS.get(one.result, "failed"),
                "status": status_out(one.status) if one.HasField("status") else None,
                "error": one.message or None,
            }
            for one in told.outcomes
        ],
    }


def _status_out(one: fs_pb2.RootStatus) -> dict[str, Any]:
    return {
        "path": text_of(one.path),
        "state": root_state_out(one.state) if one.state else "unknown",
        "reason": one.reason or None,
        "since": iso_time(one.since_us),
        "lookedAt": iso_time(one.looked_us) if one.looked_us else None,
        "answers": one.answers,
        "freeBytes": one.free_bytes if one.HasField("free_bytes") else None,
        "totalBytes": one.total_bytes if one.HasField("total_bytes") else None,
    }
