"""Taking one step of the journal back, however old it is.

A file goes back only where that step was the last word on it: no later step that stands has touched it, and its marks
are as that step left them. Everything else stays as it is, and is told. So nothing that somebody did later is lost,
and the latest undo (`Deeds.undo`) finds every file as it expects it.

Taking an undo back does again what it undid. That is a deed like any other: the latest undo takes it back.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from enum import IntEnum
from functools import partial
from typing import NamedTuple

from media_common.errors import ServiceError

from fs_service.domain.deeds import reverting
from fs_service.domain.errors import NothingToUndo, NotMedia, OutsideRoots, PathMissing, RootOffline
from fs_service.domain.history import History
from fs_service.domain.items import State
from fs_service.domain.journal import Change, Entry, Journal, StepKind
from fs_service.domain.locks import PathLocks
from fs_service.domain.marking import Marking, Seen, by_folders, check_room


class UndoResult(IntEnum):
    """The numbers are those of the contract's `UndoResult`."""

    DONE = 1
    CHANGED = 2
    LOCKED = 3
    EMPTIED = 4
    GONE = 5
    OFFLINE = 6
    FAILED = 7


class UndoOutcome(NamedTuple):
    """What became of one file."""

    path: bytes
    result: UndoResult
    state: State | None = None  # when it was put back
    message: str = ""  # when it was not


@dataclass(frozen=True, slots=True)
class StepUndone:
    """The outcome of each file, in the order in which the step changed them."""

    step: int | None  # of the undo itself; None: nothing was put back
    outcomes: tuple[UndoOutcome, ...]


_CHANGED = "Changed since; left as it is."
_OVERTAKEN = "A later step changed it; left as it is."
_REPLACED = "Another file has its name since; left as it is."
_LOCKED = "Locked since; left as it is."
_EMPTIED = "Deleted permanently."


class StepUndo:
    """Any step back, one at a time."""

    def __init__(self, marking: Marking, journal: Journal, history: History, locks: PathLocks) -> None:
        self._marking = marking
        self._journal = journal
        self._history = history
        self._locks = locks

    def undo(self, step: int) -> StepUndone:
        """Each file of the step back where it was before, or why not.

        What cannot be reached or written now still stands, and can be taken back later.

        Raises:
            StepNotFound
            NothingToUndo: all of it has been taken back.
            StorageFailed: the journal cannot be read.
        """
        _, entries = self._history.standing(step)
        targets, _ = self._marking.targets(entry.change.path for entry in entries)
        with self._locks.shared(), self._locks.held(target.key for target in targets.values()):
            # Read again: until the locks were had, another may have taken some of it back.
            kind, entries = self._history.standing(step)
            if not entries:
                raise NothingToUndo("The step has been taken back already.")
            return self._take_back(StepKind.REDO if kind is StepKind.UNDO else StepKind.UNDO, entries)

    def _take_back(self, kind: StepKind, entries: Sequence[Entry]) -> StepUndone:
        chains: dict[bytes, list[Entry]] = {}  # newest first
        for entry in reversed(entries):
            chains.setdefault(entry.change.path, []).append(entry)
        tops = [chain[0] for chain in chains.values()]
        outcomes = {
            top.change.path: UndoOutcome(top.change.path, UndoResult.EMPTIED, message=_EMPTIED)
            for top in tops
            if top.emptied
        }
        targets, errors = self._marking.targets(path for path in chains if path not in outcomes)
        # An empty-trash under way notes what it deleted a moment later.
        doomed = self._journal.deleting([target.path for target in targets.values()])
        overtaken = self._history.overtaken(tops)
        made_step: int | None = None
        for chunk in by_folders(targets.values()):
            with ExitStack() as stack:
                changes: list[tuple[Seen, list[Change]]] = []
                for one in self._marking.look(stack, chunk, errors):
                    chain = chains[one.target.path]
                    if (left := _left_alone(one, chain[0], chain[0].number in overtaken)) is not None:
                        outcomes[one.target.path] = left
                        continue
                    back = list(reverting(one, chain))
                    try:
                        check_room(one, back[-1].after)
                        changes.append((one, back))
                    except ServiceError as error:
                        errors[one.target.path] = error
                made = self._marking.carry_out(partial(self._journal.begin, kind, step=made_step), changes, errors)
                made_step = made_step or (made.step if made.states else None)
                for path, state in made.states.items():
                    outcomes[path] = UndoOutcome(path, UndoResult.DONE, state)
        outcomes.update((path, _refused(path, why, path in doomed)) for path, why in errors.items())
        return StepUndone(made_step, tuple(outcomes[path] for path in reversed(chains)))


def _left_alone(one: Seen, top: Entry, is_overtaken: bool) -> UndoOutcome | None:
    """Why the file is not put back; None: nothing has happened to it since."""
    path, was = one.target.path, top.change
    if was.identity is not None and was.identity.inode != one.look.identity.inode:
        return UndoOutcome(path, UndoResult.CHANGED, message=_REPLACED)
    if State.LOCKED in one.state and State.LOCKED not in was.after:
        return UndoOutcome(path, UndoResult.LOCKED, message=_LOCKED)
    if is_overtaken:
        return UndoOutcome(path, UndoResult.CHANGED, message=_OVERTAKEN)
    if one.state != was.after:
        return UndoOutcome(path, UndoResult.CHANGED, message=_CHANGED)
    return None


def _refused(path: bytes, error: ServiceError, is_doomed: bool) -> UndoOutcome:
    if isinstance(error, PathMissing) and is_doomed:
        return UndoOutcome(path, UndoResult.EMPTIED, message=_EMPTIED)
    if isinstance(error, PathMissing | NotMedia | OutsideRoots):
        return UndoOutcome(path, UndoResult.GONE, message=error.message)
    result = UndoResult.OFFLINE if isinstance(error, RootOffline) else UndoResult.FAILED
    return UndoOutcome(path, result, message=error.message)
