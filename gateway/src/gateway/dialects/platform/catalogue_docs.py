"""What `/openapi.json` says of our own endpoints that speak of the catalogue."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from gateway.openapi import Doc, Parameter
from gateway.shapes import Loose

_doc: Final = partial(
    Doc,
    loose=Loose(
        nullable="path wicksonId collections expiresAt expiresInDays",
        optional="itemId mediaId wicksonId folderId collections expiresInDays",
    ),
)
_KEY: Final[dict[str, Any]] = {
    "id": "9b2f6c1e0d3a4f5b8c7d6e5f4a3b2c1d",
    "name": "research page",
    "scopes": ["read"],
    "collections": ["trailcam"],
    "createdAt": "2026-04-12T21:50:19.123456+00:00",
    "expiresAt": "2026-05-12T21:50:19.123456+00:00",
}

CREATE_KEY: Final = _doc(
    "Make a key; it is shown this once",
    {**_KEY, "key": "fw_4mZ0..."},
    status=201,
    body={"name": "research page", "scopes": ["read"], "collections": ["trailcam"], "expiresInDays": 30},
    errors={
        400: "A field is missing or malformed.",
        403: "The caller's key lacks `admin`.",
        404: "No such collection.",
    },
)
KEYS: Final = _doc(
    "The keys that are in force or have expired, without their secrets",
    {"keys": [_KEY]},
    errors={403: "The caller's key lacks `admin`."},
)
REVOKE_KEY: Final = _doc(
    "Revoke a key, at once and for good",
    status=204,
    errors={403: "The caller's key lacks `admin`.", 404: "There is no such key."},
)
RESOLVE: Final = _doc(
    "The other faces of an item, whichever is given; a folder has `folderId`, a root only its collection",
    {
        "path": "/home/example/trailcam/DCIM/100MEDIA/clip001.mp4",
        "itemId": 42,
        "mediaId": "0a1b2c3d4e5f56789abcdef012345678",
        "wicksonId": "vid_0a1b2c3d-4e5f-5678-9abc-def012345678",
        "collection": {"id": "6b1f0b0ac1f65b0f9a3d6d6a2d1f9d51", "slug": "trailcam"},
    },
    parameters=(
        Parameter("path", "Absolute path of a file or folder below a review path.", {"type": "string"}),
        Parameter(
            "id", "An item's or folder's id in any dialect; of several with one number, our own.", {"type": "string"}
        ),
        Parameter("collection", "Whose numbers `id` speaks of, for an imported collection.", {"type": "string"}),
    ),
    errors={400: "Neither `path` nor `id` is given, or both.", 404: "There is nothing by that name."},
)
