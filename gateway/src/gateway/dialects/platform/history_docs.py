"""What `/openapi.json` says of the history and of the roots' states."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from gateway.openapi import Doc, Parameter
from gateway.shapes import Loose

_doc: Final = partial(
    Doc, loose=Loose(nullable="next step status error reason lookedAt freeBytes totalBytes finishedAt")
)

_ROOT: Final = "/home/example/trailcam"
_NOTHING: Final = {"locked": False, "trashed": False, "seen": False}
_TRASHED: Final = {"locked": False, "trashed": True, "seen": True}
_AT: Final = "2026-04-12T21:50:19.123456+00:00"

_STEP: Final[dict[str, Any]] = {
    "type": "step",
    "id": 41,
    "kind": "batch",
    "at": _AT,
    "files": 312,
    "standing": 309,
    "emptied": 0,
    "changes": [{"before": _NOTHING, "after": _TRASHED, "count": 312}],
    "folder": f"{_ROOT}/100MEDIA",
    "first": f"{_ROOT}/100MEDIA/a.jpg",
    "reverts": [40],
    "revertsCount": 1,
}
_EMPTIED: Final[dict[str, Any]] = {
    "type": "emptied",
    "at": _AT,
    "receipt": {
        "id": "8c1f0d5e",
        "startedAt": _AT,
        "finishedAt": _AT,
        "deleted": 40,
        "errors": 0,
        "skipped": 1,
        "bytes": 1200000000,
    },
}
HISTORY: Final = _doc(
    "The journal, newest first: steps of marks, and the emptyings of the trash between them. Of a step: how its files "
    "were changed, how many of these changes stand (`standing`, the others have been taken back), how many of those "
    "files have been deleted since (`emptied`), and which steps it took back itself (`reverts`)",
    {"entries": [_STEP, _EMPTIED], "next": "s41r7"},
    parameters=(
        Parameter("cursor", "The `next` of the page before.", {"type": "string"}),
        Parameter("limit", "How many.", {"type": "integer", "minimum": 1, "maximum": 200, "default": 50}),
    ),
    errors={400: "No cursor of ours, or a limit out of 1..200."},
)
FILES: Final = _doc(
    "The files of one step, in the order in which they were changed",
    {
        "files": [
            {"path": f"{_ROOT}/a.jpg", "before": _NOTHING, "after": _TRASHED, "standing": True, "emptied": False}
        ],
        "next": "1041",
    },
    parameters=(
        Parameter("cursor", "The `next` of the page before.", {"type": "integer", "minimum": 0}),
        Parameter("limit", "How many.", {"type": "integer", "minimum": 1, "maximum": 1000, "default": 200}),
    ),
    errors={400: "No cursor of ours, or a limit out of 1..1000.", 404: "The journal has no such step (any more)."},
)
UNDO: Final = _doc(
    "Take one step back, however old: each file only where that step was the last word on it (`done`); what was "
    "changed or locked since, deleted, moved away, is offline or cannot be written is left alone and told. The undo is "
    "a step, too: taking it back does the deed again. `results` has a thousand at most, those left alone first",
    {
        "step": 44,
        "counts": {"done": 309, "changed": 3, "locked": 0, "emptied": 0, "gone": 0, "offline": 0, "failed": 0},
        "results": [
            {
                "path": f"{_ROOT}/a.jpg",
                "result": "changed",
                "status": None,
                "error": "A later step changed it; left as it is.",
            },
            {"path": f"{_ROOT}/b.jpg", "result": "done", "status": _NOTHING, "error": None},
        ],
    },
    errors={404: "The journal has no such step (any more).", 409: "All of it has been taken back already."},
)
STATUS: Final = _doc(
    "How each review path was when it was looked at last, from memory: `online`, `read-only`, `offline`, `swapped` "
    "(another directory stands in its place) or `unknown`. `since`: the state is this one since then, as the running "
    "server has seen it. `answers` false: its disk has not answered for seconds, and this is how it was before. A "
    "change is told as the event `root-status`",
    {
        "roots": [
            {
                "path": _ROOT,
                "state": "read-only",
                "reason": "The directory cannot be written; marks are kept in the state directory.",
                "since": _AT,
                "lookedAt": _AT,
                "answers": True,
                "freeBytes": 1200000000,
                "totalBytes": 64000000000,
            }
        ]
    },
)
