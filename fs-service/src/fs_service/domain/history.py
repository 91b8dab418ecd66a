"""The journal as a person reads it: steps, newest first, and what the emptying of the trash took in between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from media_common.errors import InvalidArgument

from fs_service.domain.items import State
from fs_service.domain.journal import Entry, Receipt, StepKind

PAGE_MAX: Final = 200
FILES_MAX: Final = 1_000
#: Of the steps that an undo took back, named in a page.
REVERTS_MAX: Final = 20


class ChangeCount(NamedTuple):
    """Files of a step that went the same way."""

    before: State
    after: State
    files: int


@dataclass(frozen=True, slots=True)
class StepLine:
    """One step, without its files."""

    step: int
    kind: StepKind
    at_us: int
    files: int
    standing: int  # of these, those whose change has not been taken back
    emptied: int  # of those that stand, deleted for good since
    changes: tuple[ChangeCount, ...]  # the most frequent first
    folder: bytes  # the deepest that holds all its files
    first: bytes  # the first of them by path
    reverts: tuple[int, ...]  # the steps it took back, newest first, at most 20
    reverts_count: int


@dataclass(frozen=True, slots=True)
class ReceiptLine:
    """One emptying, without its paths."""

    number: int
    receipt: Receipt


class Cursor(NamedTuple):
    """Only what is older; None: from the newest on."""

    step: int | None = None
    receipt: int | None = None


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Newest first."""

    lines: tuple[StepLine | ReceiptLine, ...]
    next: Cursor | None  # None: there is nothing older


@dataclass(frozen=True, slots=True)
class StepFileLine:
    """One change of a step."""

    number: int
    path: bytes
    before: State
    after: State
    standing: bool
    emptied: bool


class History(Protocol):
    """What the journal knows, to be looked through. Every method raises StorageFailed when it cannot be read."""

    def steps(self, before: int | None, limit: int) -> list[StepLine]:
        """Newest first."""

    def emptyings(self, before: int | None, limit: int) -> list[ReceiptLine]:
        """Newest first."""

    def files(self, step: int, after: int, limit: int) -> list[StepFileLine]:
        """Of a step, behind the number.

        Raises:
            StepNotFound
        """

    def standing(self, step: int) -> tuple[StepKind, list[Entry]]:
        """What of a step has not been taken back, in the order in which it was done.

        Raises:
            StepNotFound
        """

    def overtaken(self, entries: Sequence[Entry]) -> set[int]:
        """The numbers of those that are not the last word on their file: a later change of it stands, or one from
        before has been taken back since."""


def page(history: History, before: Cursor, limit: int) -> HistoryPage:
    """Steps and emptyings by their time.

    Raises:
        InvalidArgument: a limit out of 1..200.
    """
    if not 1 <= limit <= PAGE_MAX:
        raise InvalidArgument(f"limit must be an integer from 1 to {PAGE_MAX}.")
    # One more of each: whether there is an older one is told without asking again.
    steps = history.steps(before.step, limit + 1)
    emptyings = history.emptyings(before.receipt, limit + 1)
    lines: list[StepLine | ReceiptLine] = []
    at_step = at_receipt = 0
    while len(lines) < limit and (at_step < len(steps) or at_receipt < len(emptyings)):
        step = steps[at_step] if at_step < len(steps) else None
        emptying = emptyings[at_receipt] if at_receipt < len(emptyings) else None
        # Each by itself is in the order of its numbers, whatever the clock did.
        if emptying is None or (step is not None and step.at_us > emptying.receipt.started_us):
            assert step is not None
            lines.append(step)
            at_step += 1
        else:
            lines.append(emptying)
            at_receipt += 1
    if at_step == len(steps) and at_receipt == len(emptyings):
        return HistoryPage(tuple(lines), None)
    last_step = steps[at_step - 1].step if at_step else before.step
    last_receipt = emptyings[at_receipt - 1].number if at_receipt else before.receipt
    return HistoryPage(tuple(lines), Cursor(last_step, last_receipt))


def files_page(history: History, step: int, after: int, limit: int) -> tuple[list[StepFileLine], bool]:
    """Files of a step, and whether these were the last.

    Raises:
        InvalidArgument: a limit out of 1..1000.
        StepNotFound
    """
    if not 1 <= limit <= FILES_MAX:
        raise InvalidArgument(f"limit must be an integer from 1 to {FILES_MAX}.")
    found = history.files(step, after, limit + 1)
    return found[:limit], len(found) <= limit
