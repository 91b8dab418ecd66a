"""What `/openapi.json` says of our own endpoints."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from gateway.events import EVENT_STREAM
from gateway.openapi import Doc, Parameter, path_parameter
from gateway.shapes import Loose

TAG: Final = "Platform"
_doc: Final = partial(
    Doc,
    loose=Loose(
        nullable="status model dimensions remainingSeconds finishedAt",
        optional="reason deadJobs paused remainingSeconds next paths",
        maps="dependencies",
    ),
)

_ROOT: Final = "/home/example/trailcam"
_EMPTY: Final = {"pending": 0, "running": 0, "done": 1200, "dead": 0, "paused": False, "deadJobs": []}
_BUSY: Final = {
    "pending": 12,
    "running": 2,
    "done": 88,
    "dead": 1,
    "paused": False,
    "deadJobs": [{"path": f"{_ROOT}/broken.jpg", "reason": "cannot be decoded"}],
}

LIVE: Final = _doc("200 while the process runs; needs no key", {"status": "live"})
READY: Final = _doc(
    "Whether requests can be served, and how each part is; needs no key",
    {
        "status": "ready",
        "dependencies": {
            "fs": {"state": "up"},
            "nats": {"state": "up"},
            "thumbnail": {"state": "up"},
            "metadata": {"state": "down", "reason": "It does not answer."},
            "search": {"state": "down", "reason": "It does not answer."},
        },
    },
    errors={503: "The file service is not available; the answer still lists every part."},
)
METRICS: Final = _doc("Figures for Prometheus", "framewell_http_requests_total 1.0\n", media_type="text/plain")
JOBS: Final = _doc(
    "What is waiting, running and parked",
    {
        "idle": False,
        "queues": {
            "index": _EMPTY,
            "thumbnail": _BUSY,
            "embed": {"pending": 960, "running": 32, "done": 208, "dead": 0, "paused": False, "remainingSeconds": 61.5}
            | {"deadJobs": []},
        },
        "encoder": {
            "name": "offline",
            "model": "offline:efficientnet-lite0+minilm",
            "dimensions": 384,
            "state": "ready",
            "reason": "The weights of ViT-B-32 cannot be fetched.",
        },
    },
)
PAUSE: Final = _doc(
    "Hold embedding back, or let it go on",
    {"paused": True},
    body={"paused": True},
    errors={400: "No JSON object, or no `paused` in it.", 503: "Semantic search is not available."},
)
PAUSE_THUMBNAILS: Final = _doc(
    "Hold back the thumbnails that nobody asked for, or let them go on; what a page shows is made all the same. Kept "
    "over a restart",
    {"paused": True},
    body={"paused": True},
    errors={400: "No JSON object, or no `paused` in it.", 503: "The job queue is not available."},
)
PAUSE_READING: Final = _doc(
    "Hold back the reading of what is inside files (camera data, hashes), or let it go on; files and marks are "
    "followed all the same. Kept over a restart",
    {"paused": True},
    body={"paused": True},
    errors={400: "No JSON object, or no `paused` in it.", 503: "The catalogue is not available."},
)
RETRY: Final = _doc("Put parked jobs back", {"retried": 1}, errors={503: "The job queue is not available."})
EVENTS: Final = _doc(
    "What happens, as server-sent events: state, root, root-status, scan, queue, trash",
    'id: 41\nevent: state\ndata: {"path": "/home/example/trailcam/a.jpg", '
    '"status": {"locked": false, "trashed": false, "seen": true}}\n\n',
    media_type=EVENT_STREAM,
    # Of each event, as OpenAPI 3.2 reads it.
    text={"properties": {"id": {"type": "string"}, "event": {"type": "string"}, "data": {"type": "string"}}},
    parameters=(
        Parameter("Last-Event-ID", "Resume behind this event.", {"type": "integer", "minimum": 0}, where="header"),
    ),
    errors={400: "The id is no event's."},
    head=False,
)
UNDO: Final = _doc(
    "Take back the latest actions, exactly",
    {
        "results": [
            {
                "path": f"{_ROOT}/a.jpg",
                "status": {"locked": False, "trashed": False, "seen": False},
                "error": None,
            }
        ]
    },
    body={"steps": 1},
    errors={400: "No JSON object, or steps out of 1..1000.", 409: "Nothing to undo, or a file of it was deleted."},
)
PLAN: Final = _doc(
    "What an empty-trash would do now",
    {
        "hash": "8c1f0d5e",
        "count": 2,
        "bytes": 3145728,
        "locked": 1,
        "changed": 0,
        "roots": [{"path": _ROOT, "state": "online", "count": 2, "bytes": 3145728}],
    },
    parameters=(path_parameter("One review path; without it, all.", _ROOT, required=False),),
    errors={400: "The path is malformed.", 403: "The path is not a known review path."},
)
_RECEIPT: Final = {
    "id": "8c1f0d5e",
    "startedAt": "2026-04-12T21:50:19.123456+00:00",
    "finishedAt": "2026-04-12T21:50:20.123456+00:00",
    "deleted": 2,
    "errors": 0,
    "skipped": 1,
    "bytes": 3145728,
    "paths": [f"{_ROOT}/a.jpg", f"{_ROOT}/b.jpg"],
}
RECEIPTS: Final = _doc(
    "What the latest deletions did, newest first; with `id` that one, and the paths (ten thousand at most)",
    {"receipts": [_RECEIPT]},
    parameters=(
        Parameter("limit", "How many.", {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}),
        Parameter("id", "A receipt's id, as the last line of an empty-trash says it.", {"type": "string"}),
    ),
    errors={400: "A limit out of 1..100."},
)
BLOB: Final = _doc(
    "Media bytes, a thumbnail or a frame by a signed address, as the lists give it; needs no key",
    b"",
    media_type="*/*",
    also={
        206: "The range that was asked for.",
        302: "The file is on another server, which an imported collection names.",
        304: "The caller has it.",
    },
    errors={
        403: "The address is forged or has expired.",
        404: "The item or its file is gone.",
        416: "The range is not in the file.",
    },
)


TAGS: Final[list[dict[str, Any]]] = [
    {"name": "MediaReviewer", "description": "Review folders of photos and videos on disk: seen, lock, trash."},
    {"name": TAG, "description": "Our own additions: health, figures, jobs, events, undo, the trash plan, keys, ids."},
    {"name": "Exquisitor", "description": "Interactive retrieval (`/exq/`). Searching answers 503 so far."},
    {"name": "CoreViz", "description": "Browse, search and change (`/api/dataset/`, ...)."},
    {"name": "Wickson", "description": "List media, with their vectors (`/v1/`)."},
]
