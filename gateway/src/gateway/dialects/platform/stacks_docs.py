"""What `/openapi.json` says of stacks."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from gateway.openapi import Doc, Parameter, integer, path_parameter
from gateway.shapes import Loose

_doc: Final = partial(Doc, loose=Loose(nullable="decision width height next status error code"))

_FOLDER: Final = "/home/example/trailcam/DCIM/100MEDIA"
_NEVER: Final = {"locked": False, "trashed": False, "seen": False}


def _member(name: str, reason: str, sharpness: float) -> dict[str, Any]:
    return {
        "path": f"{_FOLDER}/{name}",
        "name": name,
        "reasons": [reason],
        "sharpness": sharpness,
        "exposureEv": 0.0,
        "width": 4096,
        "height": 3072,
        "takenAt": "2026-04-12T21:50:19.123456+00:00",
        "sizeBytes": 2048576,
        "status": _NEVER,
    }


_STACK: Final = {
    "folder": _FOLDER,
    "suggested": f"{_FOLDER}/frame002.jpg",
    "decision": None,
    "members": [
        _member("frame001.jpg", "Blurred", 0.31),
        _member("frame002.jpg", "Sharpest of 3", 1.0),
        _member("frame003.jpg", "Softer", 0.72),
    ],
}
_DONE: Final = {**_STACK, "decision": "done"}
_PENDING: Final = "`pending` counts the folders of which not everything is known yet: ask again in a second"

OF: Final = _doc(
    f"The stacks that these files are in, each with the one to keep and why. {_PENDING}",
    {"stacks": [_STACK], "pending": 0},
    other_answers=({"stacks": [_DONE], "pending": 1},),
    body={"paths": [f"{_FOLDER}/frame001.jpg"]},
    errors={400: "No list of 1 to 500 paths.", 403: "The key has no access to one of them."},
)
BELOW: Final = _doc(
    f"The stacks of a folder and all folders in it, by folder and first member. {_PENDING}",
    {"stacks": [_STACK], "pending": 0, "next": None},
    other_answers=({"stacks": [_DONE], "pending": 1, "next": f"{_FOLDER}/frame001.jpg"},),
    parameters=(
        path_parameter("A review path, or a folder below one.", "/home/example/trailcam"),
        integer("limit", "Most stacks to return.", 50, 1, 500),
        Parameter("after", "`next` of the page before: what follows it.", {"type": "string"}),
        Parameter("decided", "Those that are done, too.", {"type": "boolean", "default": False}),
    ),
    errors={
        400: "A parameter or the path is missing or malformed, or `after` is not in the folder.",
        403: "The path is not under a configured review path.",
    },
)
KEEP_BEST: Final = _doc(
    "Lock the best and trash the rest in one step: one undo brings all of it back. A locked one among the rest stays",
    {
        "best": f"{_FOLDER}/frame002.jpg",
        "changed": True,
        "results": [
            {
                "path": f"{_FOLDER}/frame002.jpg",
                "status": {"locked": True, "trashed": False, "seen": True},
                "error": None,
                "code": None,
            },
            {
                "path": f"{_FOLDER}/frame001.jpg",
                "status": {"locked": False, "trashed": True, "seen": True},
                "error": None,
                "code": None,
            },
            {
                "path": f"{_FOLDER}/frame003.jpg",
                "status": None,
                "error": "The file is locked; unlock it first.",
                "code": "item_locked",
            },
        ],
    },
    body={
        "best": f"{_FOLDER}/frame002.jpg",
        "rest": [f"{_FOLDER}/frame001.jpg", f"{_FOLDER}/frame003.jpg"],
    },
    errors={
        400: "No `best`, no list of 1 to 499 others, a file named twice, or no such best; nothing was changed.",
        403: "A file is not under a configured review path.",
    },
)
DECIDE: Final = _doc(
    "Remember what was said of a stack: `done`, `not_a_stack`, or `none` to take that back",
    {"decision": "not_a_stack"},
    body={"paths": [f"{_FOLDER}/frame001.jpg", f"{_FOLDER}/frame002.jpg"], "decision": "not_a_stack"},
    errors={
        400: "No such decision, no list of 2 to 500 paths, paths of several folders, or one that is not there.",
        403: "A file is not under a configured review path.",
    },
)
