"""What is written down before the disk is changed, so that a cut at any point can be finished or taken back.

An intent is durable before the change it announces; its end ("finished", "dropped") is written after the change is
durable. An intent without an end is what recovery looks for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple, Protocol

from fs_service.domain.items import Identity, State
from fs_service.domain.ports import Recorded


class StepKind(IntEnum):
    """What made a step."""

    ACT = 1
    BATCH = 2
    UNDO = 3  # is itself not among the latest steps that an undo takes back
    REDO = 4  # an undo taken back: a deed as any other
    KEEP_BEST = 5  # one of several takes locked, the others trashed


class Change(NamedTuple):
    """One file's marks before and after."""

    root: bytes
    path: bytes  # absolute
    before: State
    after: State
    identity: Identity | None  # None: the file was not looked at
    reverts: int = 0  # of an undo: the entry that it takes back


class Entry(NamedTuple):
    """A change that the journal has, by its number; later ones have higher numbers."""

    number: int
    step: int
    change: Change
    emptied: bool = False  # its file has been deleted for good since


class Doom(NamedTuple):
    """A file about to be deleted."""

    root: bytes
    path: bytes
    marks: State
    identity: Identity


class Doomed(NamedTuple):
    """The intent to delete a file, by its number."""

    number: int
    receipt: str
    doom: Doom


@dataclass(frozen=True, slots=True)
class Receipt:
    """What one empty-trash did."""

    receipt_id: str
    started_us: int
    finished_us: int  # 0: cut short
    deleted: int
    errors: int
    skipped: int
    size_bytes: int
    paths: tuple[bytes, ...]  # what was deleted, at most 10,000


class Journal(Protocol):
    """The journal of actions and deletions. Every method raises StorageFailed when it cannot be written."""

    # Actions.
    def begin(self, kind: StepKind, changes: Sequence[Change], step: int | None = None) -> list[Entry]:
        """Write the intents down, durable on return; in the same order.

        Args:
            step: more of a step begun before.
        """

    def begin_each(self, changes: Sequence[Change], request_ids: Sequence[str]) -> list[Entry]:
        """`begin` of single actions that came together: each change is a step of its own, in this order."""

    def finish(self, done: Sequence[Entry], dropped: Sequence[Entry], given_up: Iterable[int] = ()) -> None:
        """The disk has `done`; of `dropped` nothing came.

        Trashed files' identities are recorded, those of files no longer trashed are forgotten, and what an undo's
        entries revert is undone.

        Args:
            given_up: numbers of entries that no undo is to try again.
        """

    def latest(self, steps: int) -> list[Entry]:
        """What can be undone of the latest steps, newest first; fewer steps when there are fewer."""

    def recorded(self, paths: Sequence[bytes]) -> dict[bytes, Recorded]:
        """The identities of files that it saw trashed."""

    def recorded_below(self, root: bytes) -> dict[bytes, Recorded]:
        """The same of a whole root."""

    def remember(self, identities: Sequence[tuple[bytes, Identity]]) -> None:
        """Record these as trashed in this form."""

    # Deletions.
    def open_receipt(self) -> str:
        """A new receipt, cut short until it is closed."""

    def intend(self, receipt: str, dooms: Sequence[Doom]) -> list[Doomed]:
        """Write down that these may be deleted now, durable on return; in the same order."""

    def deleted(self, receipt: str, gone: Sequence[Doomed], kept: Sequence[Doomed], errors: int, skipped: int) -> None:
        """`gone` are deleted and counted in the receipt, with their bytes and paths; `kept` are still there.

        Args:
            errors, skipped: to be added to the receipt.
        """

    def close_receipt(self, receipt: str) -> None:
        """The run came to its end. Durable on return."""

    def receipts(self, limit: int) -> list[Receipt]:
        """Newest first."""

    def deleting(self, paths: Sequence[bytes]) -> set[bytes]:
        """Those of the paths that have an intent to be deleted without an end."""

    # Recovery.
    def unfinished(self) -> list[Entry]:
        """Intents of earlier runs of the service without an end, oldest first."""

    def superseded(self, entry: Entry) -> bool:
        """Whether a later change of the same file was finished."""

    def unfinished_deletions(self) -> list[Doomed]:
        """The same of deletions."""
