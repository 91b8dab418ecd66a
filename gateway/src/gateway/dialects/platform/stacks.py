"""`/api/stacks`: takes of one picture, which of them to keep, and keeping it. A suggestion until somebody acts."""

from __future__ import annotations

from typing import Any, Final

from fastapi import FastAPI
from media_proto import fs_pb2
from starlette.requests import Request
from starlette.responses import Response

from gateway.access import access_of
from gateway.answers import json_answer
from gateway.bodies import BATCH_BYTES, read_object, text_field
from gateway.clients import FsClient
from gateway.dialects.mediareviewer.render import iso_time, outcome_out, status_out
from gateway.dialects.platform import docs, stacks_docs
from gateway.errors import invalid
from gateway.likeness import Likeness
from gateway.openapi import Doc, Endpoint, add_route
from gateway.paths import bytes_of, name_of, text_of
from gateway.query import Query
from gateway.rights import act_scope
from gateway.visible import VisibleRoots

MOST: Final = 500
_DECISIONS: Final = {
    "done": fs_pb2.STACK_DECISION_DONE,
    "not_a_stack": fs_pb2.STACK_DECISION_NOT_A_STACK,
    "none": fs_pb2.STACK_DECISION_UNSPECIFIED,
}
_NAMES: Final = {number: name for name, number in _DECISIONS.items()}


class StackDesk:
    """Four endpoints."""

    def __init__(self, fs: FsClient, visible: VisibleRoots, likeness: Likeness) -> None:
        self._fs = fs
        self._visible = visible
        self._likeness = likeness

    def add_to(self, app: FastAPI) -> None:
        routes: tuple[tuple[str, str, Endpoint, Doc], ...] = (
            ("POST", "/api/stacks/of", self.of, stacks_docs.OF),
            ("GET", "/api/stacks", self.below, stacks_docs.BELOW),
            ("POST", "/api/stacks/keep-best", self.keep_best, stacks_docs.KEEP_BEST),
            ("POST", "/api/stacks/decisions", self.decide, stacks_docs.DECIDE),
        )
        for method, path, endpoint, doc in routes:
            add_route(app, docs.TAG, method, path, endpoint, doc)

    async def of(self, request: Request) -> Response:
        paths = [
            await self._seen(request, path) for path in _paths(await read_object(request, BATCH_BYTES), "paths", 1)
        ]
        return json_answer(await self._told(await self._fs.stacks_of(paths)))

    async def below(self, request: Request) -> Response:
        query = Query(request.scope["query_string"])
        limit = query.integer("limit", 50, 1, MOST)
        decided = query.choice("decided", "false", ("true", "false")) == "true"
        after = query.optional_path("after")
        path = await self._visible.checked_whole(access_of(request), query.path())
        wanted = fs_pb2.ListStacksRequest(path=path, after=after, limit=limit, decided=decided)
        found = await self._fs.stacks_below(wanted)
        # Before the embedding has its say: a page goes on behind what the file service had.
        next_ = text_of(found.next) if found.more else None
        return json_answer({**await self._told(found), "next": next_})

    async def keep_best(self, request: Request) -> Response:
        body = await read_object(request, BATCH_BYTES)
        for action in ("lock", "trash"):
            access_of(request).require(act_scope(action))
        best_text = text_field(body, "best")
        best = await self._seen(request, bytes_of(best_text))
        texts = _texts(body, "rest", 1, MOST - 1)
        rest = [await self._seen(request, bytes_of(text)) for text in texts]
        done = await self._fs.keep_best(best, rest)
        results = [
            outcome_out(outcome, text) | {"code": outcome.error_code or None}
            for text, outcome in zip((best_text, *texts), done.outcomes, strict=True)
        ]
        changed = any(one.HasField("before") and one.before != one.status for one in done.outcomes)
        return json_answer({"best": best_text, "changed": changed, "results": results})

    async def decide(self, request: Request) -> Response:
        body = await read_object(request, BATCH_BYTES)
        decision = body.get("decision")
        if not isinstance(decision, str) or decision not in _DECISIONS:
            raise invalid("decision", f"Field 'decision' must be one of {', '.join(_DECISIONS)}.")
        paths = [await self._seen(request, path) for path in _paths(body, "paths", 2)]
        await self._fs.decide_stack(paths, _DECISIONS[decision])
        return json_answer({"decision": decision})

    async def _seen(self, request: Request, path: bytes) -> bytes:
        """
        Raises:
            Failure: 403.
        """
        return await self._visible.checked(access_of(request), path)

    async def _told(self, found: fs_pb2.Stacks) -> dict[str, Any]:
        kept = await self._likeness.refined(list(found.stacks))
        return {"stacks": [stack_out(one) for one in kept], "pending": found.pending}


def stack_out(stack: fs_pb2.Stack) -> dict[str, Any]:
    suggested = stack.members[stack.suggested].path
    return {
        "folder": text_of(suggested.rpartition(b"/")[0] or b"/"),
        "suggested": text_of(suggested),
        "decision": None if not stack.decision else _NAMES[stack.decision],
        "members": [
            {
                "path": text_of(one.path),
                "name": name_of(one.path),
                "reasons": list(one.reasons),
                "sharpness": round(one.sharpness, 3),
                "exposureEv": round(one.exposure_ev, 2),
                "width": one.width_px or None,
                "height": one.height_px or None,
                "takenAt": iso_time(one.taken_us),
                "sizeBytes": one.size_bytes,
                "status": status_out(one.status),
            }
            for one in stack.members
        ],
    }


def _paths(body: dict[str, Any], name: str, least: int) -> list[bytes]:
    return [bytes_of(text) for text in _texts(body, name, least, MOST)]


def _texts(body: dict[str, Any], name: str, least: int, most: int) -> list[str]:
    """
    Raises:
        Failure: 400.
    """
    texts = body.get(name)
    if not isinstance(texts, list) or not least <= len(texts) <= most:
        raise invalid(name, f"Field '{name}' must be a list of {least} to {most} paths.")
    if not all(isinstance(text, str) for text in texts):
        raise invalid(name, f"Every entry of '{name}' must be a string.")
    return texts
