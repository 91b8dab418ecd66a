"""What `/openapi.json` says of this dialect; the examples are the contract's samples."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from gateway.clients import ACTIONS, STATUS_FILTERS
from gateway.ndjson import NDJSON
from gateway.openapi import Doc, Parameter, integer, path_parameter
from gateway.shapes import Loose

TAG: Final = "MediaReviewer"
_doc: Final = partial(Doc, loose=Loose(nullable="width height status error"))

_ROOT: Final = "/home/example/trailcam"
_CLIP: Final = f"{_ROOT}/DCIM/100MEDIA/clip001.mp4"
_HIDDEN: Final = ["/proc", "/sys"]
_STATUS: Final = {"locked": False, "trashed": True, "seen": True}

_NOT_UNDER: Final = "The path is not under a configured review path."
_MALFORMED: Final = "A parameter or the path is missing or malformed, or the path does not exist."

ITEM: Final[dict[str, Any]] = {
    "path": "/home/example/reviews/trip-2025/day1/photo001.jpg",
    "name": "photo001.jpg",
    "mediaType": "image",
    "thumbnailUrl": "/api/media-thumbnail?path=%2Fhome%2Fexample%2Freviews%2Ftrip-2025%2Fday1%2Fphoto001.jpg&size=256",
    "sizeBytes": 2048576,
    "modifiedAt": "2025-03-15T14:30:22.000000+00:00",
    "createdAt": "2025-03-15T14:30:22.000000+00:00",
    "status": {"locked": False, "trashed": False, "seen": False},
    "metadata": {"width": 4096, "height": 3072, "duration_seconds": None, "durationSeconds": None},
}

HEALTH: Final = _doc(
    "API status and baseline settings",
    {
        "status": "ok",
        "service": "mediareviewer-api",
        "settings": {
            "stateDirectory": "/home/example/.mediareviewer",
            "hiddenPickerPaths": _HIDDEN,
            "deletionWorkers": 2,
            "videoPreloadMb": 50,
        },
        "deletionQueue": {
            "max_workers": 2,
            "active_jobs": 0,
            "submitted_jobs": 0,
            "completed_jobs": 0,
            "failed_jobs": 0,
        },
    },
    errors={503: "The file service is not available."},
)
REVIEW_PATHS: Final = _doc(
    "Known review paths",
    {"knownPaths": [_ROOT], "hiddenPickerPaths": _HIDDEN, "availablePaths": ["/home/example", "/mnt"]},
)
ADD_PATH: Final = _doc(
    "Add a review path; it is scanned in the background",
    {"addedPath": _ROOT, "knownPaths": [_ROOT]},
    status=201,
    body={"path": _ROOT},
    errors={400: "No JSON object, or the path is invalid.", 403: "The path is under the hidden picker policy."},
)
REMOVE_PATH: Final = _doc(
    "Forget a review path; nothing on disk is touched",
    {"removedPath": _ROOT, "knownPaths": []},
    body={"path": _ROOT},
    errors={400: "No JSON object, or the path is invalid.", 404: "The path is not a known review path."},
)
FOLDERS: Final = _doc(
    "Child folders, for the folder picker",
    {
        "path": "/home/example/reviews",
        "folders": [
            {"path": "/home/example/reviews/trip-2025", "name": "trip-2025", "has_children": True},
            {"path": "/home/example/reviews/archive-2024", "name": "archive-2024", "has_children": False},
        ],
    },
    parameters=(path_parameter("Absolute path of a directory.", "/home/example/reviews"),),
    errors={400: _MALFORMED, 403: "The path is hidden by the picker policy."},
)
FOLDER_FILES: Final = _doc(
    "One folder's media files, a page at a time",
    {
        "path": "/home/example/reviews/trip-2025",
        "offset": 0,
        "limit": 100,
        "count": 15,
        "ignoredCount": 3,
        "total": 15,
        "items": [ITEM],
    },
    parameters=(
        path_parameter("Absolute path of a folder below a review path.", "/home/example/reviews/trip-2025"),
        integer("offset", "Files to skip.", 0, 0),
        integer("limit", "Most files to return.", 100, 1, 1000),
    ),
    errors={400: _MALFORMED, 403: _NOT_UNDER},
)
STREAM: Final = _doc(
    "Every media file below a review path, as NDJSON, ended by a `done` line",
    '{"path": "/home/example/trailcam/DCIM/100MEDIA/frame001.jpg", "name": "frame001.jpg", "mediaType": "image", '
    '"thumbnailUrl": "/api/media-thumbnail?path=...&size=256", "sizeBytes": 154323, '
    '"modifiedAt": "2026-04-12T21:50:19.123456+00:00", "createdAt": "2026-04-12T21:50:19.123456+00:00", '
    '"status": {"locked": false, "trashed": false, "seen": true}, '
    '"metadata": {"width": 1920, "height": 1080, "duration_seconds": null, "durationSeconds": null}}\n'
    '{"type": "done", "count": 1, "lastPath": "/home/example/trailcam/DCIM/100MEDIA/frame001.jpg"}\n',
    media_type=NDJSON,
    parameters=(
        path_parameter("A known review path.", _ROOT),
        integer("limit", "Most items to return.", 50, 1, 10_000),
        integer("offset", "Items to skip.", 0, 0),
        Parameter(
            "statusFilter",
            "Only items with (or without) a mark.",
            {"type": "string", "enum": list(STATUS_FILTERS), "default": "all"},
        ),
        Parameter(
            "after",
            "Absolute path of the last item had: what follows it. By date it has to be there still.",
            {"type": "string"},
        ),
        Parameter(
            "sort",
            "By name, or by when the items are from: as the camera wrote it, else when the file was last modified. "
            "Those that nobody has read yet come last.",
            {"type": "string", "enum": ["name", "date"], "default": "name"},
        ),
        Parameter("folder", "That folder's own items alone: an absolute path below `path`.", {"type": "string"}),
        Parameter("dateFrom", "From that day on; goes with the order by date.", {"type": "string", "format": "date"}),
        Parameter("dateTo", "Up to that day, it included.", {"type": "string", "format": "date"}),
    ),
    errors={400: _MALFORMED, 403: "The path is not configured as a known review path."},
    head=False,
)
SUMMARY: Final = _doc(
    "How many items a review path holds, by mark",
    {"path": _ROOT, "counts": {"all": 1200, "unseen": 1100, "seen": 100, "locked": 12, "trashed": 30}},
    parameters=(path_parameter("A known review path.", _ROOT),),
    errors={400: _MALFORMED, 403: "The path is not configured as a known review path."},
)
ACTION: Final = _doc(
    f"Mark one file: {', '.join(ACTIONS)}",
    {"path": _CLIP, "action": "trash", "status": _STATUS},
    body={"path": _CLIP, "action": "trash"},
    errors={400: "No JSON object, an unknown action, or no such file.", 403: _NOT_UNDER, 409: "The file is locked."},
)
BATCH: Final = _doc(
    "Mark up to 500 files; one item's error never stops the others",
    {"results": [{"path": _CLIP, "status": _STATUS, "error": None}]},
    status=207,
    body={"paths": [_CLIP], "action": "trash"},
    errors={400: "No list of 1 to 500 paths, or an unknown action."},
)
EMPTY_TRASH: Final = _doc(
    "Delete for good what is marked as trash, telling each file as NDJSON",
    f'{{"type": "deleting", "path": "{_CLIP}"}}\n{{"type": "deleted", "path": "{_CLIP}"}}\n'
    f'{{"type": "deleting", "path": "{_ROOT}/DCIM/100MEDIA/clip002.mp4"}}\n'
    f'{{"type": "skipped", "path": "{_ROOT}/DCIM/100MEDIA/clip002.mp4", "reason": "locked"}}\n'
    f'{{"type": "folder_done", "path": "{_ROOT}"}}\n'
    '{"type": "done", "deleted": 1, "errors": 0, "skipped": 1, "bytes": 1048576, "receiptId": "r-1"}\n',
    media_type=NDJSON,
    parameters=(
        Parameter(
            "If-Match",
            "A plan's hash: go ahead only while the trash is what that plan saw.",
            {"type": "string"},
            where="header",
        ),
    ),
    body={"path": _ROOT},
    body_required=False,
    errors={
        400: 'A body other than none or {"path": root}; nothing is deleted.',
        403: "The path is not a known review path.",
        412: "The trash has changed since the plan was made; nothing is deleted.",
    },
)
MEDIA_FILE: Final = _doc(
    "A media file's bytes, whole or a range",
    media_type="*/*",
    parameters=(path_parameter("Absolute path of a media file.", _CLIP),),
    also={206: "The range that was asked for.", 304: "The caller has it."},
    errors={400: _MALFORMED, 403: _NOT_UNDER, 416: "The range is not in the file."},
)
MEDIA_THUMBNAIL: Final = _doc(
    "A square PNG thumbnail, letter-boxed",
    media_type="image/png",
    parameters=(
        path_parameter("Absolute path of a media file.", _CLIP),
        integer("size", "Width and height.", 256, 1, 1024),
    ),
    also={304: "The caller has it."},
    errors={400: _MALFORMED, 403: _NOT_UNDER, 503: "No worker answers and the thumbnail is not cached yet."},
)
SETTINGS: Final = _doc("The settings that the page may change", {"videoPreloadMb": 50})
CHANGE_SETTINGS: Final = _doc(
    "Change settings; unknown names are ignored",
    {"videoPreloadMb": 80},
    body={"videoPreloadMb": 80},
    errors={400: "No JSON object, or an empty one.", 422: "The value is not an integer from 1 to 10000."},
)
LOGS: Final = _doc(
    "The end of the log",
    {
        "lines": ["2026-04-12T21:50:19Z [info] ready"],
        "logFile": "/home/example/.mediareviewer/logs/framewell.log",
        "available": True,
    },
    parameters=(integer("lines", "Lines from the end; clamped to 1..2000.", 200, 1, 2000),),
    errors={400: "Not an integer."},
)
