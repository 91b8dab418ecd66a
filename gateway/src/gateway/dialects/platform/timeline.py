"""`/api/histogram`: how many items are of which day, and how much of each is reviewed."""

from __future__ import annotations

from typing import Any, Final

from fastapi import FastAPI
from media_proto import fs_pb2
from starlette.requests import Request
from starlette.responses import Response

from gateway.access import access_of
from gateway.answers import json_answer
from gateway.clients import STATUS_FILTERS, FsClient
from gateway.days import date_text
from gateway.dialects.platform import docs
from gateway.openapi import Doc, Parameter, add_route, path_parameter
from gateway.paths import text_of
from gateway.query import Query
from gateway.shapes import Loose
from gateway.visible import VisibleRoots

_ROOT: Final = "/home/example/trailcam"
_COUNTS: Final = {"all": 214, "unseen": 180, "seen": 34, "locked": 3, "trashed": 12}
_FLAG: Final = {"type": "string", "enum": ["true", "false"], "default": "true"}
DOC: Final = Doc(
    "How many items are of which day, by mark",
    {
        "path": _ROOT,
        "days": [{"date": "2026-04-12", **_COUNTS}],
        "undated": {"all": 2, "unseen": 2, "seen": 0, "locked": 0, "trashed": 0},
        "ignoredCount": 3,
        "nextFolder": {"path": f"{_ROOT}/DCIM/101MEDIA", "count": 214},
    },
    parameters=(
        path_parameter("A review path, or a folder below one.", _ROOT),
        Parameter("recursive", "With all that is below the folder.", _FLAG),
        Parameter(
            "filter",
            "Only days with such items; and the next folder with such.",
            {"type": "string", "enum": list(STATUS_FILTERS), "default": "all"},
        ),
    ),
    errors={400: "A parameter is not valid.", 403: "The path is not under a configured review path."},
    loose=Loose(nullable="nextFolder"),
)


class Timeline:
    """One endpoint."""

    def __init__(self, fs: FsClient, visible: VisibleRoots) -> None:
        self._fs = fs
        self._visible = visible

    def add_to(self, app: FastAPI) -> None:
        add_route(app, docs.TAG, "GET", "/api/histogram", self.histogram, DOC)

    async def histogram(self, request: Request) -> Response:
        query = Query(request.scope["query_string"])
        recursive = query.choice("recursive", "true", ("true", "false")) == "true"
        status = STATUS_FILTERS[query.choice("filter", "all", tuple(STATUS_FILTERS))]
        path = await self._visible.checked(access_of(request), query.path())
        asked = fs_pb2.GetHistogramRequest(path=path, recursive=recursive, status=status)
        return json_answer(histogram_out(await self._fs.histogram(asked)))


def histogram_out(told: fs_pb2.Histogram) -> dict[str, Any]:
    return {
        "path": text_of(told.path),
        "days": [{"date": date_text(day.day), **_counts_out(day)} for day in told.days],
        "undated": _counts_out(told.undated),
        "ignoredCount": told.ignored,
        "nextFolder": (
            {"path": text_of(told.next_folder), "count": told.next_count} if told.HasField("next_folder") else None
        ),
    }


def _counts_out(day: fs_pb2.DayCounts) -> dict[str, int]:
    return {"all": day.all, "unseen": day.unseen, "seen": day.seen, "locked": day.locked, "trashed": day.trashed}
