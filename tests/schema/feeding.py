"""What is put into made-up requests: the names of real things, and paths that stay in the sandbox.

Every decision follows from the request itself, so that one request is always the same.
"""

from __future__ import annotations

import json
import os
import zlib
from typing import Any

#: Of a hundred fields that could name something real, as many do.
FED_PERCENT = 60

#: And of a hundred optional parameters, as many are left out: with all of them at once little gets past the checks.
LEFT_OUT_PERCENT = 50
#: While search is off, what needs vectors is refused before anything else is looked at, so these come seldom.
SELDOM = ("q", "similarToObjectId", "include_vectors")
SELDOM_PERCENT = 95

#: Values of parameters that name nothing of the library.
WORDS = {
    "actions": ["lock", "unlock", "trash", "untrash", "seen", "unseen"],
    "dates": ["2020-01-01", "2026-11-22", "2999-12-31", "2026-02-30"],
    "limits": [1, 2, 7, 1000],
    "scopes": ["read", "write", "trash"],
    "steps": [1, 2, 3],
    "tag_filters": ['{"Type":["image"]}', '{"Type":["image","video"],"Status":["unseen"]}', '{"color":["red"]}', "{}"],
    "tags": ["red", "image,video", "unseen", "day1"],
    "tagtypes": [1, 2, 3, 4, 5, 6, 7],
}
#: The pool that a parameter or a field of a body takes its values from.
POOLS = {
    "action": "actions",
    "after": "files",
    "cluster_id": "objects",
    "clusterId": "objects",
    "collection": "slugs",
    "collections": "slugs",
    "dataset_id": "datasets",
    "datasetId": "datasets",
    "dateFrom": "dates",
    "dateTo": "dates",
    "destinationPath": "folder_paths",
    "excluded_group_ids": "items",
    "excluded_ids": "items",
    "filterIds": "tagsets",
    "folder_id": "folders",
    "id": "faces",
    "itemId": "items",
    "label": "tagset_names",
    "limit": "limits",
    "oldLabel": "tagset_names",
    "key_id": "key_ids",
    "media_id": "media",
    "media_ids": "items",
    "mediaId": "items",
    "organization_id": "organization",
    "organizationId": "organization",
    "page_size": "limits",
    "scopes": "scopes",
    "similarToObjectId": "objects",
    "sourceMediaId": "media",
    "steps": "steps",
    "tagFilters": "tag_filters",
    "tags": "tags",
    "tagset_id": "tagsets",
    "tagset_ids": "tagsets",
    "tagtype_id": "tagtypes",
    "token": "tokens",
    "versionId": "media",
}
#: Where a name means something else: by the address's beginning.
ELSEWHERE = (
    ("/api/dataset/", {"path": "folder_paths", "mediaId": "media"}),
    ("/api/folder", {"path": "folder_paths"}),
    ("/api/upload/", {"path": "folder_paths"}),
    ("/exq/item/excluded", {"media_id": "items"}),
    ("/exq/search/", {"pos": "items", "neg": "items", "seen": "items", "excluded": "items", "id": "tagsets"}),
    ("/api/folders", {"path": "directories"}),
    ("/api/review-paths", {"path": "roots"}),
    ("/api/media-items/batch", {"paths": "files"}),
    ("/api/media-items/", {"path": "roots"}),
    ("/api/trash/", {"path": "roots"}),
    ("/api/empty-trash", {"path": "roots"}),
    ("/api/", {"path": "files", "paths": "files"}),
)


class Feed:
    """The world's names, given out by what asks for them."""

    def __init__(self, pools: dict[str, Any]) -> None:
        self._pools = {**pools, **WORDS}
        self._home = os.path.realpath(pools["home"])
        self.secrets: dict[str, str] = pools["secrets"]

    def thinned(self, query: dict[str, Any], salt: int) -> dict[str, Any]:
        """The parameters without some of them."""
        return {
            name: value
            for name, value in query.items()
            if crc("left out", name, salt) % 100 >= (SELDOM_PERCENT if name in SELDOM else LEFT_OUT_PERCENT)
        }

    def fields(self, address: str, fields: dict[str, Any], salt: int) -> dict[str, Any]:
        """The fields, most of those that name something naming something that is there."""
        return {name: self._fed(address, name, value, salt) for name, value in fields.items()}

    def _fed(self, address: str, name: str, value: Any, salt: int) -> Any:
        if isinstance(value, dict):
            return self.fields(address, value, salt)
        pool = self._pool(address, name)
        number = crc(name, value, salt)
        if pool is None or number % 100 >= FED_PERCENT:
            return value
        if isinstance(value, list):
            return [pool[(number + place) % len(pool)] for place in range(1 + number // 100 % 3)]
        return pool[number // 100 % len(pool)]

    def _pool(self, address: str, name: str) -> list[Any] | None:
        for beginning, names in ELSEWHERE:
            if address.startswith(beginning) and name in names:
                return self._named(names[name])
        return self._named(POOLS[name]) if name in POOLS else None

    def _named(self, pool: str) -> list[Any] | None:
        found = self._pools[pool]
        return ([found] if isinstance(found, str) else found) or None

    def doomed(self, pool: str, salt: int) -> str:
        """Something that may be deleted."""
        found: list[str] = self._pools[pool]
        return found[salt % len(found)]

    def tame(self, body: Any, salt: int) -> Any:
        """The body of a request that adds a review path or empties the trash, naming no directory outside."""
        if isinstance(body, bytes | str):
            try:
                parsed = json.loads(body)
            except (ValueError, RecursionError):
                return body
            tamed = self.tame(parsed, salt)
            return body if tamed is parsed else json.dumps(tamed)
        if isinstance(body, dict) and isinstance(body.get("path"), str) and self.is_outside(body["path"]):
            return {**body, "path": self._pools["roots"][salt % 3]}
        return body

    def is_outside(self, path: str) -> bool:
        """Whether it names a directory that the stack must not index."""
        try:
            real = os.path.realpath(os.path.expanduser(path))
        except (ValueError, OSError):
            return False
        return os.path.isdir(real) and real != self._home and not real.startswith(self._home + "/")


def crc(*parts: Any) -> int:
    return zlib.crc32(repr(parts).encode("utf-8", "surrogatepass"))
