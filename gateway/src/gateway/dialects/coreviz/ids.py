"""Ids and paths as the dialect writes them: 32 lower-case hex digits, and such ids joined by points."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final
from uuid import NAMESPACE_URL, uuid5

from media_common.errors import ErrorCode

from gateway.errors import Failure, invalid

_HEX: Final = re.compile(r"[0-9a-f]{32}")
#: One server is one organisation.
ORGANIZATION: Final = uuid5(NAMESPACE_URL, "framewell:organization")
#: No item has it: what stands for an id that is none.
NOBODY: Final = bytes(16)


def parsed(text: str) -> bytes | None:
    """With or without hyphens and in any case; None for what is no id."""
    compact = text.replace("-", "").lower()
    return bytes.fromhex(compact) if _HEX.fullmatch(compact) else None


def is_organization(text: str) -> bool:
    return parsed(text) == ORGANIZATION.bytes


def path_out(labels: Iterable[bytes]) -> str:
    return ".".join(label.hex() for label in labels)


def folder_path(text: str, collection: bytes, name: str = "path") -> list[bytes]:
    """The labels of a folder's path in the collection, its own first.

    Raises:
        Failure: 400, the first label is not the collection's, or one is no id.
    """
    labels = [parsed(label) for label in text.split(".")]
    found = [label for label in labels if label is not None]
    if len(found) != len(labels):
        raise invalid(name, f"Invalid {name}: every label must be an id")
    if found[0] != collection:
        raise invalid(name, f"Invalid {name}: it must begin with the id of the collection")
    return found


#: As the catalogue names and says them.
_NOT_FOUND: Final = {
    "Media": ErrorCode.ITEM_NOT_FOUND,
    "Folder": ErrorCode.FOLDER_NOT_FOUND,
    "Collection": ErrorCode.COLLECTION_NOT_FOUND,
}


def not_found(what: str) -> Failure:
    return Failure(404, _NOT_FOUND.get(what, "not_found"), f"{what} not found")
