"""What goes over NATS, read and written: render requests and their replies."""

from __future__ import annotations

import json

from google.protobuf.message import DecodeError
from media_common import subjects
from media_proto import thumbnail_pb2

from thumbnail_service.domain.jobs import BadJob, Job, Outcome, Result
from thumbnail_service.renders import FOREVER_S


def job_of(payload: bytes) -> Job:
    try:
        request = thumbnail_pb2.RenderRequest.FromString(payload)
    except DecodeError as error:
        raise BadJob("It is not a render request.") from error
    if request.sha256:
        return Job(b"", b"", request.size_px, sha256=request.sha256, told_extension=request.extension)
    return Job(request.root, request.relative_path, request.size_px, request.state_cache)


def path_of(payload: bytes) -> bytes:
    try:
        return job_of(payload).path
    except BadJob:
        return b""


def deadline_of_s(headers: dict[str, str]) -> float:
    try:
        return float(headers[subjects.DEADLINE_HEADER])
    except (KeyError, ValueError):
        return FOREVER_S


def reply_of(outcome: Outcome, max_payload: int) -> thumbnail_pb2.RenderReply:
    reply = thumbnail_pb2.RenderReply(
        png=outcome.png,
        placeholder=outcome.is_placeholder and bool(outcome.png),
        reason=outcome.reason,
        gone=outcome.result is Result.GONE,
    )
    if reply.ByteSize() > max_payload:  # a server with a low limit: the asker finds it in the store
        reply.png = b""
    return reply


def look_reply_of(outcome: Outcome) -> thumbnail_pb2.LookReply:
    """`outcome` has figures where a thumbnail would be."""
    reply = thumbnail_pb2.LookReply(reason=outcome.reason, gone=outcome.result is Result.GONE)
    if outcome.png:
        figures = json.loads(outcome.png)
        figures |= {name: bytes(figures[name]) for name in ("rows", "columns")}
        reply.figures.CopyFrom(thumbnail_pb2.PictureFigures(**figures))
    elif outcome.result in (Result.UNREACHABLE, Result.FAILED):
        reply.again = True
    return reply
