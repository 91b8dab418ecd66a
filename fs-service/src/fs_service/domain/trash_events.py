"""What an empty-trash tells while it runs, and the form that each takes in public events."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Final

LOCKED: Final = "locked"
CHANGED: Final = "changed"
GONE: Final = "gone"
UNTRASHED: Final = "untrashed"


@dataclass(frozen=True, slots=True)
class Deleting:
    """The file is next."""

    path: bytes

    def json(self) -> dict[str, Any]:
        return {"type": "deleting", "path": os.fsdecode(self.path)}


@dataclass(frozen=True, slots=True)
class Deleted:
    """The file is gone for good."""

    path: bytes

    def json(self) -> dict[str, Any]:
        return {"type": "deleted", "path": os.fsdecode(self.path)}


@dataclass(frozen=True, slots=True)
class Skipped:
    """The file was found not to be one to delete."""

    path: bytes
    reason: str  # "locked", "changed", "gone", "untrashed"

    def json(self) -> dict[str, Any]:
        return {"type": "skipped", "path": os.fsdecode(self.path), "reason": self.reason}


@dataclass(frozen=True, slots=True)
class Failed:
    """A file, or all that is left of a review root, could not be deleted and keeps its marks."""

    path: bytes
    message: str

    def json(self) -> dict[str, Any]:
        return {"type": "error", "path": os.fsdecode(self.path), "message": self.message}


@dataclass(frozen=True, slots=True)
class FolderDone:
    """A review root is through."""

    path: bytes

    def json(self) -> dict[str, Any]:
        return {"type": "folder_done", "path": os.fsdecode(self.path)}


@dataclass(frozen=True, slots=True)
class Done:
    """The totals; always last."""

    deleted: int
    errors: int
    skipped: int
    size_bytes: int
    receipt_id: str

    def json(self) -> dict[str, Any]:
        return {
            "type": "done",
            "deleted": self.deleted,
            "errors": self.errors,
            "skipped": self.skipped,
            "bytes": self.size_bytes,
            "receiptId": self.receipt_id,
        }


TrashEvent = Deleting | Deleted | Skipped | Failed | FolderDone | Done
