"""The dialect's endpoints: parse, one call, render."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI
from media_common.errors import ErrorCode
from media_proto import fs_pb2
from starlette.requests import Request
from starlette.responses import Response

from gateway.access import access_of
from gateway.answers import json_answer, json_bytes
from gateway.bodies import (
    BATCH_BYTES,
    EXPECTED_OBJECT,
    INVALID_BODY,
    SMALL_BYTES,
    object_of,
    read_body,
    read_object,
    text_field,
)
from gateway.clients import ACTIONS, STATUS_FILTERS, FsClient
from gateway.days import day_in
from gateway.dialects.mediareviewer import docs, files, render
from gateway.errors import Failure, invalid
from gateway.logtail import tail
from gateway.metrics import Metrics
from gateway.ndjson import ndjson
from gateway.openapi import Doc, Endpoint, add_route
from gateway.paths import bytes_of, text_of
from gateway.query import Query
from gateway.ranges import etags
from gateway.rights import act_scope
from gateway.visible import VisibleRoots

MAX_BATCH: Final = 500
MAX_PRELOAD_MB: Final = 10_000
MAX_LOG_LINES: Final = 2000
_EMPTY_TRASH_BODY: Final = 'Expected no body, or a JSON object {"path": <review path>}; nothing was deleted.'
NAME_A_ROOT: Final = "The key is limited to collections: name the review path to empty; nothing was deleted."


class MediaReviewer:
    """Every endpoint of the seed and of the note."""

    def __init__(self, fs: FsClient, metrics: Metrics, log_file: Path, visible: VisibleRoots) -> None:
        self._fs = fs
        self._metrics = metrics
        self._log_file = log_file
        self._visible = visible

    def add_to(self, app: FastAPI) -> None:
        # The order is that of the traffic: routes are tried one after the other.
        routes: tuple[tuple[str, str, Endpoint, Doc], ...] = (
            ("GET", "/api/media-thumbnail", self.media_thumbnail, docs.MEDIA_THUMBNAIL),
            ("GET", "/api/media-file", self.media_file, docs.MEDIA_FILE),
            ("POST", "/api/media-actions", self.act, docs.ACTION),
            ("GET", "/api/media-items/stream", self.stream, docs.STREAM),
            ("GET", "/api/media-items/summary", self.summary, docs.SUMMARY),
            ("POST", "/api/media-items/batch", self.batch, docs.BATCH),
            ("GET", "/api/health", self.health, docs.HEALTH),
            ("GET", "/api/folders/files", self.folder_files, docs.FOLDER_FILES),
            ("GET", "/api/folders", self.folders, docs.FOLDERS),
            ("GET", "/api/review-paths", self.review_paths, docs.REVIEW_PATHS),
            ("POST", "/api/review-paths", self.add_path, docs.ADD_PATH),
            ("DELETE", "/api/review-paths", self.remove_path, docs.REMOVE_PATH),
            ("POST", "/api/empty-trash", self.empty_trash, docs.EMPTY_TRASH),
            ("GET", "/api/settings", self.settings, docs.SETTINGS),
            ("PATCH", "/api/settings", self.change_settings, docs.CHANGE_SETTINGS),
            ("GET", "/api/logs", self.logs, docs.LOGS),
        )
        for method, path, endpoint, doc in routes:
            add_route(app, docs.TAG, method, path, endpoint, doc)

    async def health(self, request: Request) -> Response:
        return json_answer(render.health_out(await self._fs.settings()))

    async def _seen(self, request: Request, path: bytes) -> bytes:
        """The path, when the caller may see it.

        Raises:
            Failure: 403, its key is limited to other collections.
        """
        access = access_of(request)
        return path if access.collections is None else await self._visible.checked(access, path)

    # --- review paths and folders ---
    async def review_paths(self, request: Request) -> Response:
        visible = await self._visible.of(access_of(request))
        roots, settings = await asyncio.gather(self._fs.roots(), self._fs.settings())
        return json_answer(render.review_paths_out(roots, settings, visible))

    async def add_path(self, request: Request) -> Response:
        path = bytes_of(text_field(await _object(request), "path"))
        added = await self._fs.add_root(path)
        body = {"addedPath": text_of(added.path), "knownPaths": render.texts(added.known_paths)}
        return json_answer(body, 201)

    async def remove_path(self, request: Request) -> Response:
        path = bytes_of(text_field(await _object(request), "path"))
        removed = await self._fs.remove_root(path)
        return json_answer({"removedPath": text_of(removed.path), "knownPaths": render.texts(removed.known_paths)})

    async def folders(self, request: Request) -> Response:
        return json_answer(
            render.folders_out(await self._fs.folders(await self._seen(request, _query(request).path())))
        )

    async def folder_files(self, request: Request) -> Response:
        query = _query(request)
        offset = query.integer("offset", 0, 0)
        limit = query.integer("limit", 100, 1, 1000)
        page = await self._fs.folder_page(await self._seen(request, query.path()), offset, limit)
        return json_bytes(render.folder_page_out(page, offset, limit))

    # --- items ---
    async def stream(self, request: Request) -> Response:
        query = _query(request)
        limit = query.integer("limit", 50, 1, 10_000)
        offset = query.integer("offset", 0, 0)
        status = query.choice("statusFilter", "all", tuple(STATUS_FILTERS))
        wanted = fs_pb2.StreamItemsRequest(
            offset=offset,
            limit=limit,
            status=STATUS_FILTERS[status],
            after=query.optional_path("after"),
            folder=query.optional_path("folder"),
            from_day=day_in(query, "dateFrom"),
            before_day=_behind(day_in(query, "dateTo")),
        )
        ranged = wanted.HasField("from_day") or wanted.HasField("before_day")
        wanted.by_date = query.choice("sort", "date" if ranged else "name", ("name", "date")) == "date"
        if ranged and not wanted.by_date:
            raise invalid("sort", "A range of days goes with sort=date.")
        wanted.path = await self._seen(request, query.path())
        if wanted.HasField("folder"):
            wanted.folder = await self._seen(request, wanted.folder)
        return ndjson(render.item_lines(self._fs.items(wanted)))

    async def summary(self, request: Request) -> Response:
        return json_answer(
            render.summary_out(await self._fs.summary(await self._seen(request, _query(request).path())))
        )

    async def act(self, request: Request) -> Response:
        body = await _object(request)
        action = _action(body)
        access_of(request).require(act_scope(action))
        path = await self._seen(request, bytes_of(text_field(body, "path")))
        return json_answer(render.action_out(await self._fs.act(path, action), action))

    async def batch(self, request: Request) -> Response:
        body = await _object(request, BATCH_BYTES)
        action = _action(body)
        access_of(request).require(act_scope(action))
        paths = _batch_paths(body)
        results: list[dict[str, Any]] = []
        sent: list[bytes] = []
        for text in paths:
            result: dict[str, Any] = {"path": text, "status": None, "error": None}
            try:
                sent.append(await self._seen(request, bytes_of(text)))
            except Failure as error:
                if error.status not in (400, 403):
                    raise
                result["error"] = error.message
            results.append(result)
        if sent:
            answer = await self._fs.act_batch(sent, action)
            waiting = (result for result in results if result["error"] is None)
            for result, outcome in zip(waiting, answer.outcomes, strict=True):
                result.update(render.outcome_out(outcome, result["path"]))
        return json_answer({"results": results}, 207)

    async def empty_trash(self, request: Request) -> Response:
        if_match = _plan_hash(request.headers.get("if-match"))
        path = _trash_path(await read_body(request), request.headers.get("content-type", ""))
        if path is not None:
            path = await self._visible.checked_whole(access_of(request), path)
        elif access_of(request).collections is not None:
            raise Failure(403, "forbidden", NAME_A_ROOT)
        return ndjson(render.trash_lines(self._fs.empty_trash(path, if_match)))

    # --- files ---
    async def media_file(self, request: Request) -> Response:
        path = await self._seen(request, _query(request).path())
        return await files.send_file(request, self._fs, path, files.OWN_PAGES)

    async def media_thumbnail(self, request: Request) -> Response:
        query = _query(request)
        size_px = query.integer("size", render.THUMBNAIL_PX, 1, files.MAX_THUMBNAIL_PX)
        path = await self._seen(request, query.path())
        return await files.send_thumbnail(request, (self._fs, self._metrics), path, size_px, files.OWN_PAGES)

    # --- settings and logs ---
    async def settings(self, request: Request) -> Response:
        return json_answer(render.settings_out(await self._fs.settings()))

    async def change_settings(self, request: Request) -> Response:
        body = await _object(request)
        if not body:
            raise Failure(400, ErrorCode.INVALID_ARGUMENT, "Expected at least one setting.")
        if "videoPreloadMb" not in body:
            return json_answer(render.settings_out(await self._fs.settings()))
        value = body["videoPreloadMb"]
        if type(value) is not int or not 1 <= value <= MAX_PRELOAD_MB:
            raise Failure(
                422,
                ErrorCode.SETTING_OUT_OF_RANGE,
                f"Setting 'videoPreloadMb' must be an integer from 1 to {MAX_PRELOAD_MB}.",
            )
        return json_answer(render.settings_out(await self._fs.set_video_preload(value)))

    async def logs(self, request: Request) -> Response:
        wanted = _query(request).integer("lines", 200)
        lines = await asyncio.to_thread(tail, self._log_file, min(max(wanted, 1), MAX_LOG_LINES))
        return json_answer({"lines": lines or [], "logFile": str(self._log_file), "available": lines is not None})


def _behind(day: int | None) -> int | None:
    return None if day is None else day + 1


def _query(request: Request) -> Query:
    return Query(request.scope["query_string"])


async def _object(request: Request, limit_bytes: int = SMALL_BYTES) -> dict[str, Any]:
    """The body as a JSON object; the contract has one sentence for all that is none.

    Raises:
        Failure: 400, 413.
    """
    try:
        return await read_object(request, limit_bytes)
    except Failure as error:
        if error.code != INVALID_BODY:
            raise
        raise Failure(400, INVALID_BODY, EXPECTED_OBJECT) from error


def _action(body: dict[str, Any]) -> str:
    action = body.get("action")
    if isinstance(action, str) and action in ACTIONS:
        return action
    raise invalid("action", f"Unsupported action; it must be one of {', '.join(ACTIONS)}.")


def _batch_paths(body: dict[str, Any]) -> list[str]:
    paths = body.get("paths")
    if not isinstance(paths, list) or not 1 <= len(paths) <= MAX_BATCH:
        raise invalid("paths", f"Field 'paths' must be a list of 1 to {MAX_BATCH} paths.")
    if not all(isinstance(path, str) for path in paths):
        raise invalid("paths", "Every entry of 'paths' must be a string.")
    return paths


def _trash_path(body: bytes, content_type: str) -> bytes | None:
    """The root to empty; None: all of them, which only a request without any body asks for.

    Raises:
        Failure: 400, the body is anything but none or `{"path": root}`.
    """
    if not body:
        return None
    refused = Failure(400, "invalid_body", _EMPTY_TRASH_BODY)
    try:
        value = object_of(body, content_type)
    except Failure as error:
        raise refused from error
    path = value.get("path")
    if set(value) != {"path"} or not isinstance(path, str) or not path:
        raise refused
    return bytes_of(path)


def _plan_hash(if_match: str | None) -> str | None:
    """The one plan that the caller saw; `*` is any.

    Raises:
        Failure: 400, it names several.
    """
    if if_match is None:
        return None
    tags = etags(if_match)
    if len(tags) > 1:
        raise Failure(400, "invalid_parameter", "If-Match takes the hash of one plan; nothing was deleted.")
    if tags == ["*"]:
        return None
    return tags[0] if tags else ""
