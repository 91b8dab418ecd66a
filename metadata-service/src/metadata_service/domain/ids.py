"""Who an item is: one int64 for the engine's sake, one UUID for the world's.

The int64 comes from a sequence (see `store/transaction.py`); the UUID follows from where the item comes from, so
that the same library indexed again gets the same ids.
"""

from __future__ import annotations

import uuid
from typing import Final

#: Under it, one UUID a collection (by slug) and, under that, one an item.
NAMESPACE: Final = uuid.UUID("b7c6c1c8-5c44-5c0b-9a63-6f1a2f0d9e57")

#: Ids of an imported collection start at a multiple of this, so that they keep their own numbers.
BASE_STEP: Final = 2**40
#: Ids less the collection's base stay below this: they are positions in 32-bit bitmaps.
POSITIONS: Final = 2**32
#: Numbers that an import may bring; those above are for what comes later (folders, frames, further tags).
IMPORTED_ITEMS: Final = range(1, POSITIONS - 2**24)
IMPORTED_TAGS: Final = range(1, BASE_STEP - 2**24)
INT64: Final = range(-(2**63), 2**63)


def collection_uuid(slug: str) -> uuid.UUID:
    return uuid.uuid5(NAMESPACE, f"collection:{slug}")


def folder_uuid(collection: uuid.UUID, relative_path: bytes, generation: int = 0) -> uuid.UUID:
    return _derived(collection, b"folder", relative_path, generation)


def file_uuid(collection: uuid.UUID, relative_path: bytes, generation: int = 0) -> uuid.UUID:
    """The id of a file in place.

    Args:
        generation: 0; more when an item that was first found at this path has moved away and kept its id.
    """
    return _derived(collection, b"file", relative_path, generation)


def upload_uuid(collection: uuid.UUID, sha256: bytes, counter: int) -> uuid.UUID:
    """The id of an upload; the counter tells apart uploads of the same bytes."""
    return _derived(collection, b"upload", sha256.hex().encode(), counter)


def child_uuid(parent: uuid.UUID, kind: str, key: str) -> uuid.UUID:
    """The id of a part of an item: a frame, an object, a group."""
    return _derived(parent, kind.encode(), key.encode(), 0)


def _derived(namespace: uuid.UUID, kind: bytes, key: bytes, generation: int) -> uuid.UUID:
    # Bytes that are no UTF-8 are told apart from any text by their own prefix.
    try:
        name = "t:" + key.decode("utf-8")
    except UnicodeDecodeError:
        name = "x:" + key.hex()
    suffix = f"\0{generation}" if generation else ""
    return uuid.uuid5(namespace, f"{kind.decode()}:{name}{suffix}")


def parsed(text: str) -> uuid.UUID | None:
    """A UUID with or without hyphens, in any case; None for anything else."""
    compact = text.replace("-", "")
    if len(compact) != 32 or not compact.isascii() or not compact.isalnum():
        return None
    try:
        return uuid.UUID(hex=compact)
    except ValueError:
        return None
