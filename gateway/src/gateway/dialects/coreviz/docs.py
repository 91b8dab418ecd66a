"""What `/openapi.json` says of this dialect; the examples are the contract's samples."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from gateway.openapi import Doc, Parameter, integer
from gateway.shapes import Loose

TAG: Final = "CoreViz"
_doc: Final = partial(
    Doc,
    loose=Loose(
        nullable="icon width height duration frameObjectId folderItemCount folderPreviews promotedId polygon",
        optional="reuse minSize metadata icon _score _matchingFrames vector bbox polygon frame prompt multiple",
        maps="tags",
    ),
)

_ID: Final = "3fbcec1c16ce5d81a6ae7a6f8a00b240"
_FOLDER_ID: Final = "b1e01882a58c5010a13cceff0c564f15"
_COLLECTION: Final = "9f0c2a4e6b1d5a3c8e7f0a1b2c3d4e5f"
_TIME: Final = "2026-03-10T14:22:00.000Z"
_BLOB: Final = "http://127.0.0.1:8080/blob/f.12.1773152520000~c2lnbmVk"
_TAGS: Final = {"color": ["red"], "category": ["product"]}
NOT_VALID: Final = "A parameter or a field is not valid."
NO_KEY: Final = "The key is missing or wrong."
_MAY_NOT: Final = "The key may not: it is limited to other collections, or lacks the scope."
_LOOK: Final = {401: NO_KEY, 403: _MAY_NOT, 404: "There is no such thing."}
_CHANGE: Final = {400: NOT_VALID, **_LOOK}
NO_SEARCH: Final = {503: "semantic search is not available"}
_TEXT: Final = {"type": "string"}

MEDIA_OUT: Final[dict[str, Any]] = {
    "id": _ID,
    "name": "hero-shot.jpg",
    "type": "image",
    "blob": _BLOB,
    "path": f"{_COLLECTION}.{_FOLDER_ID}.{_ID}",
    "datasetId": _COLLECTION,
    "width": 2400,
    "height": 1600,
    "duration": None,
    "sizeBytes": 184320,
    "createdAt": _TIME,
    "updatedAt": _TIME,
    "status": "active",
    "metadata": {"tags": _TAGS},
    "totalVersions": 1,
    "frameObjectId": "0d6c1e5f4b3a5299887766554433221f",
    "folderItemCount": None,
    "folderPreviews": None,
    "frames": [
        {
            "id": "5a4b3c2d1e0f5a6b8c7d9e0f1a2b3c4d",
            "timestamp": "0",
            "blob": _BLOB,
            "width": 2400,
            "height": 1600,
            "objects": [{"id": "7c6b5a493827516a8b9c0d1e2f3a4b5c", "type": "object", "label": "shoe", "blob": ""}],
        }
    ],
}
_DATASET: Final = {
    "id": _COLLECTION,
    "name": "trailcam",
    "icon": None,
    "type": "collection",
    "organizationId": _FOLDER_ID,
    "createdAt": _TIME,
}
_FOLDER: Final = {
    "id": _FOLDER_ID,
    "name": "day1",
    "path": f"{_COLLECTION}.{_FOLDER_ID}",
    "collectionId": _COLLECTION,
    "datasetId": _COLLECTION,
    "type": "folder",
    "blob": "folder",
    "status": "active",
    "createdAt": _TIME,
    "metadata": {"tags": {}},
}
_CLUSTER: Final = {"id": _ID, "label": "shoe", "size": 12, "objectId": _FOLDER_ID}
_ONE: Final = {"media": MEDIA_OUT}


def _text(name: str, description: str, example: str | None = None) -> Parameter:
    return Parameter(name, description, _TEXT, example=example)


def _words(name: str, description: str, words: str) -> Parameter:
    return Parameter(name, description, {"type": "string", "enum": words.split()})


ME: Final = _doc(
    "Whose key it is",
    {
        "userId": _ID,
        "email": "",
        "name": "admin",
        "organizationId": _FOLDER_ID,
        "organizationName": "Framewell",
    },
    errors={401: NO_KEY},
)
ORGANIZATIONS: Final = _doc(
    "The organisation: a server is one",
    [{"id": _FOLDER_ID, "name": "Framewell", "slug": "framewell"}],
    errors={401: NO_KEY},
)
DATASETS: Final = _doc("The collections that the key may see", [_DATASET], errors=_LOOK)
CREATE_DATASET: Final = _doc("Make a collection", _DATASET, body={"name": "trailcam", "icon": ""}, errors=_CHANGE)
DATASET: Final = _doc("A collection", {"dataset": _DATASET}, errors=_LOOK)
CHANGE_DATASET: Final = _doc("Rename a collection", {"dataset": _DATASET}, body={"name": "trailcam"}, errors=_CHANGE)
LIST: Final = _doc(
    "Browse and filter the media of a collection",
    {"media": [MEDIA_OUT], "pagination": {"total": 142, "limit": 20, "offset": 0, "hasMore": True}},
    parameters=(
        _text("path", "Ids joined by points; without it, the root.", f"{_COLLECTION}.{_FOLDER_ID}"),
        Parameter("recursive", "All descendants, not one level.", {"type": "boolean", "default": False}),
        integer("limit", "Items a page; more than 1000 are 1000.", 10, 1),
        integer("offset", "Items to leave out first.", 0, 0),
        _words("type", "Only this type.", "image video folder all document pdf audio model"),
        _text("dateFrom", "First day, UTC, inclusive.", "2026-03-01"),
        _text("dateTo", "Last day, UTC, inclusive.", "2026-03-31"),
        _text("takenFrom", "Files from this day on, by their own clock: taken, else modified.", "2026-03-01"),
        _text("takenTo", "Up to this day, inclusive.", "2026-03-31"),
        _words("sortBy", "What to order by.", "name createdAt type description prompt"),
        _words("sortDirection", "In which direction.", "asc desc"),
        _text("tags", "Tag values in any group, comma-separated; any of them.", "red,blue"),
        _text("tagFilters", "Per group any of its values, all groups together.", '{"color":["red","blue"]}'),
        _text("mediaId", "Only this item, wherever in the collection."),
        _text("clusterId", "Only items with an object in this cluster."),
        _text("q", "Semantic search."),
        _text("similarToObjectId", "Items that look like this object."),
        _words("similarToObjectModel", "By which model.", "faces objects shoeprints"),
        Parameter("minScore", "Least score.", {"type": "number", "default": 0.05}),
    ),
    other_answers=(
        {
            "media": [{**MEDIA_OUT, "_score": 0.3124, "_matchingFrames": []}],
            "pagination": {"total": 142, "limit": 20, "offset": 0, "hasMore": True},
        },
    ),
    errors={**_CHANGE, **NO_SEARCH},
)
TAGS: Final = _doc("The tag groups of a collection and their values", {"tags": _TAGS}, errors=_LOOK)
CLUSTERS: Final = _doc(
    "The clusters of a collection, the largest first",
    {"clusters": [_CLUSTER]},
    parameters=(_words("model", "Only of this model.", "faces objects shoeprints"),),
    errors=_CHANGE,
)
MAKE_CLUSTERS: Final = _doc(
    "Cluster the objects of a collection, in place of the clusters of that model before",
    {"clusters": [_CLUSTER]},
    body={"model": "objects", "minSize": 2},
    errors={**_CHANGE, **NO_SEARCH},
)
SEARCH: Final = _doc(
    "The frames that fit some words best, in all collections that the key sees",
    {
        "results": [
            {
                "id": "5a4b3c2d1e0f5a6b8c7d9e0f1a2b3c4d",
                "timestamp": "0",
                "width": 2400,
                "height": 1600,
                "blob": _BLOB,
                "rank": 0.6249,
                "captions": [{"text": "Red shoes on white"}],
                "objects": [
                    {
                        "id": "7c6b5a493827516a8b9c0d1e2f3a4b5c",
                        "type": "object",
                        "label": "shoe",
                        "polygon": [[10, 20], [310, 20], [310, 220], [10, 220]],
                    }
                ],
                "media": {
                    name: MEDIA_OUT[name]
                    for name in ("id", "name", "type", "blob", "width", "height", "duration", "createdAt")
                },
                "rankingMetrics": {"textRank": 0.3125, "objectEmbeddingRank": 0.3124, "totalRank": 0.6249},
            }
        ]
    },
    parameters=(
        Parameter("q", "What to look for.", _TEXT, True, "red shoes"),
        _text("organizationId", "The organisation; of another one there is nothing."),
        integer("limit", "At most this many; more than 1000 are 1000.", 20, 1),
    ),
    errors={400: NOT_VALID, 401: NO_KEY, **NO_SEARCH},
)
MEDIA: Final = _doc("An item, trashed or not", _ONE, errors=_LOOK)
CHANGE_MEDIA: Final = _doc(
    "Rename an item, or replace its metadata",
    _ONE,
    body={"name": "hero-shot.jpg", "metadata": {"description": "Red shoes", "tags": _TAGS}},
    errors=_CHANGE,
)
DELETE_MEDIA: Final = _doc(
    "Move an item with all its versions, or all files of a folder, to the trash",
    {"id": _ID, "deletedCount": 1},
    errors={**_LOOK, 409: "The item, or one in the folder, is locked; nothing was changed."},
)
MOVE: Final = _doc(
    "Move an item to another folder of its collection",
    {"id": _ID, "newPath": f"{_COLLECTION}.{_ID}", "success": True},
    body={"destinationPath": _COLLECTION},
    errors={**_CHANGE, 409: "Files of a review path stay where they are."},
)
ADD_TAG: Final = _doc(
    "Add a tag", _ONE, body={"label": "color", "value": "red"}, errors={**_CHANGE, 409: "The item has it."}
)
REMOVE_TAG: Final = _doc("Take away a tag, or a whole group", _ONE, body={"label": "color"}, errors=_CHANGE)
RELABEL_TAGS: Final = _doc(
    "Rename a group of an item's tags", _ONE, body={"oldLabel": "color", "newLabel": "colour"}, errors=_CHANGE
)
VERSIONS: Final = _doc("The versions of an item", {"versions": [MEDIA_OUT]}, errors=_LOOK)
DELETE_VERSION: Final = _doc(
    "Delete one version of an item",
    {"deletedId": _ID, "promotedId": None},
    parameters=(Parameter("versionId", "Which one.", _TEXT, True, _ID),),
    errors={**_CHANGE, 409: "The version is locked."},
)
SELECT_VERSION: Final = _doc("Make a version the active one", _ONE, errors=_LOOK)
ADD_OBJECTS: Final = _doc(
    "Import objects that were detected in an item",
    {"objects": [{"id": _ID, "type": "object", "label": "shoe", "model": "objects"}]},
    status=201,
    body=[{"frame": 0, "type": "object", "label": "shoe", "model": "objects", "bbox": [10, 20, 300, 200]}],
    other_bodies=(
        [{"type": "object", "label": "shoe", "model": "objects", "polygon": [[10, 20], [310, 20], [310, 220]]}],
        [{"type": "face", "label": "Ada", "model": "faces", "bbox": [10, 20, 300, 200], "vector": [0.6, 0.8]}],
    ),
    errors={**_CHANGE, 503: "An object came with a vector, and semantic search is not available."},
)
UPLOAD: Final = _doc(
    "Upload a file; the parts may come in any order",
    {"mediaId": _ID, "url": _BLOB, "message": "File uploaded successfully", "success": True},
    form={
        "datasetId": {"type": "string", "description": "The collection."},
        "path": {"type": "string", "description": "Ids joined by points; without it, the root."},
        "file": {"type": "string", "format": "binary", "description": "The type is told by its bytes, then its name."},
        "name": {"type": "string", "description": "Its name here; without it, the file's own."},
        "sourceMediaId": {"type": "string", "description": "The item that it is a new version of, active at once."},
    },
    form_required=("datasetId", "file"),
    errors={
        **_CHANGE,
        408: "The upload stopped coming.",
        413: "The file is too large.",
        415: "Not a kind of file that is kept.",
        503: "As many files as may be are being uploaded; `Retry-After` says when to ask again.",
        507: "There is no room for it.",
    },
)
CREATE_FOLDER: Final = _doc(
    "Make a folder",
    {"folder": _FOLDER},
    body={"datasetId": _COLLECTION, "name": "day1", "path": _COLLECTION, "reuse": False},
    errors=_CHANGE,
)
FOLDER: Final = _doc("A folder", {"folder": _FOLDER}, errors=_LOOK)
CHANGE_FOLDER: Final = _doc("Rename a folder", {"folder": _FOLDER}, body={"name": "day1"}, errors=_CHANGE)
DELETE_FOLDER: Final = _doc(
    "Move a folder with all that is in it to the trash; of a folder on a disk, its files",
    {"folder": _FOLDER, "id": _FOLDER_ID, "deletedCount": 12},
    errors={
        **_LOOK,
        409: "Something in the folder is locked; nothing was changed.",
    },
)
