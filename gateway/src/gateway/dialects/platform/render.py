"""The JSON of our own endpoints."""

from __future__ import annotations

from typing import Any, Final

from media_proto import fs_pb2, search_pb2

from gateway.dependencies import Readiness
from gateway.dialects.mediareviewer.render import iso_time, outcome_out
from gateway.errors import service_down
from gateway.jobs import Told
from gateway.paths import text_of

_ROOT_STATES: Final = {
    fs_pb2.ROOT_STATE_ONLINE: "online",
    fs_pb2.ROOT_STATE_READ_ONLY: "read-only",
    fs_pb2.ROOT_STATE_OFFLINE: "offline",
    fs_pb2.ROOT_STATE_SWAPPED: "swapped",
}
_ENCODER_STATES: Final = {
    search_pb2.ENCODER_STATE_OFF: "off",
    search_pb2.ENCODER_STATE_LOADING: "loading",
    search_pb2.ENCODER_STATE_READY: "ready",
    search_pb2.ENCODER_STATE_UNAVAILABLE: "unavailable",
}


def readiness_out(readiness: Readiness) -> dict[str, Any]:
    parts = {
        name: {"state": part.state, **({"reason": part.reason} if part.reason else {})}
        for name, part in readiness.parts.items()
    }
    if readiness.ready:
        return {"status": "ready", "dependencies": parts}
    return {"error": service_down().message, "status": "not ready", "dependencies": parts}


def _queue_out(queue: fs_pb2.Queue) -> dict[str, Any]:
    return {
        "pending": queue.pending,
        "running": queue.running,
        "done": queue.done,
        "dead": queue.dead,
        "paused": queue.paused,
    }


def queues_out(told: Told) -> dict[str, Any]:
    """Idle is only what is known to be: with NATS or the catalogue down nobody knows what waits there. Where nothing is
    embedded, what waits to be embedded is not waited for."""
    queues = told.queues
    parts = {"index": queues.index, "thumbnail": queues.thumbnail, "embed": queues.embed}
    waiting = any(queue.pending or queue.running for name, queue in parts.items() if name != "embed" or told.embeds)
    body = {name: _queue_out(queue) for name, queue in parts.items()}
    progress = told.search.progress
    remaining_s = round(progress.remaining_s, 1) if progress.HasField("remaining_s") else None
    return {
        "idle": queues.nats_up and told.complete and not waiting,
        "queues": {**body, "embed": {**body["embed"], "paused": progress.paused, "remainingSeconds": remaining_s}},
    }


def _encoder_out(encoder: search_pb2.Encoder) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "name": encoder.name,
        "model": encoder.model or None,
        "dimensions": encoder.dimensions or None,
        "state": _ENCODER_STATES.get(encoder.state, "unavailable"),
    }
    return {**shown, "reason": encoder.reason} if encoder.reason else shown


def encoder_out(search: search_pb2.Readiness) -> dict[str, Any]:
    """The encoder that answers; with it the one that is being filled, where there is one."""
    encoder = _encoder_out(search.encoder)
    if encoder["state"] == "ready" and not search.ready:
        # The model is there, and nowhere to look with it.
        encoder = {**encoder, "state": "unavailable", "reason": search.reason}
    return {**encoder, "next": _encoder_out(search.next)} if search.HasField("next") else encoder


def jobs_out(told: Told) -> dict[str, Any]:
    """The figures, each queue with its parked jobs (the first hundred of all), and the encoder."""
    body = queues_out(told)
    for name, queue in body["queues"].items():
        queue["deadJobs"] = [
            {"path": text_of(job.path), "reason": job.reason} for job in told.queues.dead_jobs if job.queue == name
        ]
    return {**body, "encoder": encoder_out(told.search)}


def undo_out(undone: fs_pb2.UndoResponse) -> dict[str, Any]:
    return {"results": [outcome_out(outcome) for outcome in undone.outcomes]}


def receipt_out(receipt: fs_pb2.Receipt, *, paths: bool = False) -> dict[str, Any]:
    """What one empty-trash did; a run that was cut short has no end."""
    shown: dict[str, Any] = {
        "id": receipt.receipt_id,
        "startedAt": iso_time(receipt.started_us),
        "finishedAt": iso_time(receipt.finished_us) if receipt.finished_us else None,
        "deleted": receipt.deleted,
        "errors": receipt.errors,
        "skipped": receipt.skipped,
        "bytes": receipt.bytes,
    }
    return {**shown, "paths": [text_of(path) for path in receipt.paths]} if paths else shown


def root_state_out(state: fs_pb2.RootState.ValueType) -> str:
    return _ROOT_STATES.get(state, "offline")


def plan_out(plan: fs_pb2.TrashPlan) -> dict[str, Any]:
    return {
        "hash": plan.hash,
        "count": plan.count,
        "bytes": plan.bytes,
        "locked": plan.locked,
        "changed": plan.changed,
        "roots": [
            {
                "path": text_of(root.path),
                "state": root_state_out(root.state),
                "count": root.count,
                "bytes": root.bytes,
            }
            for root in plan.roots
        ],
    }
