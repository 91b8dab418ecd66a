"""Actions on media files and taking them back. Each is durable before its answer.

How a mark is changed is in marking.py; deleting is not here but in trash.py.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Final, NamedTuple

from media_common.errors import InvalidArgument, ServiceError

from fs_service.domain.disk import Disk
from fs_service.domain.errors import NothingToUndo, NotMedia, OutsideRoots, PathMissing, UndoBlocked
from fs_service.domain.items import Action, State, after, moved
from fs_service.domain.journal import Change, Entry, Journal, StepKind
from fs_service.domain.locks import PathLocks
from fs_service.domain.marking import Marking, Seen, Target, by_folders, check_room
from fs_service.domain.ports import EventLog, ItemIndex, Marks, Roots, RootState

#: Steps that one undo takes back at most; it holds the locks of all their files at once.
UNDO_MAX: Final = 1_000
#: A file that an undo finds so is not there any more: its step is not tried again.
_LOST: Final = (PathMissing, NotMedia, OutsideRoots)


@dataclass(frozen=True, slots=True)
class Deed:
    """An action on one file, as one caller asked for it."""

    path: bytes  # absolute, normalised
    action: Action
    request_id: str = ""


class Outcome(NamedTuple):
    """What became of one path of a request: the state or the error is None."""

    path: bytes  # as given
    state: State | None
    error: ServiceError | None = None
    before: State | None = None  # of an action that has been done


class Deeds:
    """What users do to media files, short of deleting them. Paths are absolute and normalised."""

    def __init__(
        self,
        roots: Roots,
        marks: Marks,
        index: ItemIndex,
        events: EventLog,
        journal: Journal,
        locks: PathLocks,
        disk: Disk,
    ) -> None:
        self._roots = roots
        self._marks = marks
        self._journal = journal
        self._locks = locks
        self.marking = Marking(roots, marks, index, events, journal, disk)

    def act(self, path: bytes, action: Action) -> State:
        """The file's state after the action, for a caller that is alone.

        Raises:
            OutsideRoots, NotMedia, PathMissing, NameTooLong, ItemLocked, RootOffline, StorageFailed:
                nothing was changed.
        """
        (outcome,) = self.act_each([Deed(path, action)])
        if isinstance(outcome, ServiceError):
            raise outcome
        return outcome

    def act_each(self, deeds: Sequence[Deed]) -> list[State | ServiceError]:
        """`act` of many that came together, in this order: each a step of its own for undo and with its own end, one
        flush for all of them."""
        outcomes: list[State | ServiceError] = []
        together: dict[bytes, Deed] = {}  # by the files' locks
        targets, errors = self.marking.targets(deed.path for deed in deeds)
        for deed in deeds:
            target = targets.get(deed.path)
            key = deed.path if target is None else target.key.lower()
            if key in together:  # the second on the same file begins where the first one ends
                outcomes += self._at_once(together.values(), targets, errors)
                together = {}
            together[key] = deed
        return outcomes + self._at_once(together.values(), targets, errors)

    def act_batch(self, paths: Sequence[bytes], action: Action) -> list[Outcome]:
        """The same action on many, one step for undo; in the order given, each path with its own outcome."""
        targets, errors = self.marking.targets(paths)
        states = self._perform(targets, dict.fromkeys(targets, action), self._one_step(StepKind.BATCH), errors)
        return [_outcome(path, states, errors) for path in paths]

    def keep_best(self, best: bytes, rest: Sequence[bytes]) -> list[Outcome]:
        """Lock the best and trash the rest, one step for undo; the best's outcome first, then those of the rest, each
        with its own: a locked one among them stays as it is.

        The best is locked before any other is touched. A cut in between leaves it locked and the rest as they were.

        Raises:
            ServiceError: the best cannot be locked, for the reason that `act` would give; nothing was changed.
        """
        targets, errors = self.marking.targets([best, *rest])
        if best in errors:
            raise errors[best]
        begin = self._one_step(StepKind.KEEP_BEST)
        with self._locks.shared(), self._locks.held(target.key for target in targets.values()):
            states = self._carried({best: targets.pop(best)}, {best: Action.KEEP}, begin, errors)
            if best in errors:
                raise errors[best]
            states |= self._carried(targets, dict.fromkeys(targets, Action.TRASH), begin, errors)
        return [_outcome(path, states, errors) for path in (best, *rest)]

    def _one_step(self, kind: StepKind) -> Callable[[Sequence[Change]], list[Entry]]:
        """Begins all changes that it is given as one step of the journal."""
        step: int | None = None

        def begin(changes: Sequence[Change]) -> list[Entry]:
            nonlocal step
            entries = self._journal.begin(kind, changes, step)
            step = entries[0].step
            return entries

        return begin

    def undo(self, steps: int) -> list[Outcome]:
        """Take the latest steps back, marks that they did not change left as they are; newest first.

        A file that is no longer there has an error as its outcome and is given up; one that cannot be reached or
        written now has an error and is taken back by a later undo.

        Raises:
            InvalidArgument: steps out of 1..1000.
            NothingToUndo: no step is left.
            UndoBlocked: a file of them has been deleted for good; nothing was changed.
            RootOffline, StorageFailed: not one file could be reached.
        """
        if not 1 <= steps <= UNDO_MAX:
            raise InvalidArgument(f"steps must be from 1 to {UNDO_MAX}.")
        with self._locks.alone():
            targets, errors = self.marking.targets(self._latest(steps))
            with self._locks.held(target.key for target in targets.values()):
                # In this order: an empty-trash under way ends its intents and notes what it emptied in one write.
                doomed = self._journal.deleting([target.path for target in targets.values()])
                entries = self._latest(steps)
                if any(entry.emptied for chain in entries.values() for entry in chain):
                    raise UndoBlocked
                self._refuse_emptied([target for target in targets.values() if target.path in doomed])
                states = self._take_back(entries, targets, errors)
                lost = [path for path, error in errors.items() if isinstance(error, _LOST)]
                self._journal.finish([], [], [entry.number for path in lost for entry in entries[path]])
        if not states and not lost:
            raise next(iter(errors.values()))
        return [Outcome(path, states.get(path), errors.get(path)) for path in entries]

    def settle(self, root: bytes) -> None:
        """Make companions of the marks that were kept for the root while it could not be written.

        Files that are missing or refuse keep their marks where they are.
        """
        kept = [path for path in self._marks.below(root) if self._roots.place(path).root == root]
        if not kept or self._roots.state(root)[0] != RootState.ONLINE:
            return
        targets, _ = self.marking.targets(kept)
        with self._locks.shared():
            for chunk in by_folders(targets.values()):
                with self._locks.held(target.key for target in chunk), ExitStack() as stack:
                    seen = self.marking.look(stack, chunk, {})
                    self.marking.apply([(one, one.state) for one in seen], {})

    def _at_once(
        self, deeds: Collection[Deed], targets: Mapping[bytes, Target], refused: Mapping[bytes, ServiceError]
    ) -> list[State | ServiceError]:
        """Deeds on different files."""
        request_ids = {deed.path: deed.request_id for deed in deeds}
        errors = {deed.path: refused[deed.path] for deed in deeds if deed.path in refused}
        try:
            states = self._perform(
                {deed.path: targets[deed.path] for deed in deeds if deed.path not in errors},
                {deed.path: deed.action for deed in deeds},
                lambda changes: self._journal.begin_each(changes, [request_ids[one.path] for one in changes]),
                errors,
            )
        except ServiceError as error:
            return [error] * len(deeds)
        return [errors.get(deed.path) or states[deed.path][1] for deed in deeds]

    def _perform(
        self,
        targets: Mapping[bytes, Target],
        actions: Mapping[bytes, Action],
        begin: Callable[[Sequence[Change]], list[Entry]],
        errors: dict[bytes, ServiceError],
    ) -> dict[bytes, tuple[State, State]]:
        """The files' states before and after their actions, by path; what failed is added to the errors."""
        with self._locks.shared(), self._locks.held(target.key for target in targets.values()):
            return self._carried(targets, actions, begin, errors)

    def _carried(
        self,
        targets: Mapping[bytes, Target],
        actions: Mapping[bytes, Action],
        begin: Callable[[Sequence[Change]], list[Entry]],
        errors: dict[bytes, ServiceError],
    ) -> dict[bytes, tuple[State, State]]:
        """`_perform` for who holds the locks."""
        states: dict[bytes, tuple[State, State]] = {}
        for chunk in by_folders(targets.values()):
            with ExitStack() as stack:
                seen = self.marking.look(stack, chunk, errors)
                changes = self._changes(seen, actions, errors)
                made = self.marking.carry_out(begin, changes, errors).states
                as_wanted = [one for one in seen if one.target.path not in made and one.target.path not in errors]
                self.marking.noticed({one.target.path: one.state for one in as_wanted})
                for one in seen:
                    if (path := one.target.path) not in errors:
                        states[path] = one.state, made.get(path, one.state)
        return states

    def _changes(
        self, seen: Sequence[Seen], actions: Mapping[bytes, Action], errors: dict[bytes, ServiceError]
    ) -> list[tuple[Seen, list[Change]]]:
        changes: list[tuple[Seen, list[Change]]] = []
        trashed_again: list[Seen] = []
        for one in seen:
            action = actions[one.target.path]
            try:
                wanted = after(one.state, action)
                check_room(one, wanted)
            except ServiceError as error:
                errors[one.target.path] = error
                continue
            if wanted != one.state:
                change = Change(one.target.root, one.target.path, one.state, wanted, one.look.identity)
                changes.append((one, [change]))
            elif action is Action.TRASH:
                trashed_again.append(one)
        self._remember(trashed_again)
        return changes

    def _remember(self, trashed_again: Sequence[Seen]) -> None:
        """Whoever trashes a trashed file means it as it is now: a change since is no reason to keep it any more."""
        if not trashed_again:
            return
        recorded = self._journal.recorded([one.target.path for one in trashed_again])
        fresh = [
            (one.target.path, one.look.identity)
            for one in trashed_again
            if (known := recorded.get(one.target.path)) is not None and not known.identity.agrees(one.look.identity)
        ]
        if fresh:
            self._journal.remember(fresh)

    def _latest(self, steps: int) -> dict[bytes, list[Entry]]:
        """What the latest steps did, by path, newest first.

        Raises:
            NothingToUndo: no step is left.
        """
        entries: dict[bytes, list[Entry]] = {}
        for entry in self._journal.latest(steps):
            entries.setdefault(entry.change.path, []).append(entry)
        if not entries:
            raise NothingToUndo
        return entries

    def _refuse_emptied(self, doomed: Sequence[Target]) -> None:
        """A deletion that has gone as far as its file has no end in the journal yet.

        Raises:
            UndoBlocked: there is such a file among these.
        """
        errors: dict[bytes, ServiceError] = {}
        for chunk in by_folders(doomed):
            with ExitStack() as stack:
                self.marking.look(stack, chunk, errors)
        if any(isinstance(error, PathMissing) for error in errors.values()):
            raise UndoBlocked

    def _take_back(
        self, entries: dict[bytes, list[Entry]], targets: dict[bytes, Target], errors: dict[bytes, ServiceError]
    ) -> dict[bytes, State]:
        states: dict[bytes, State] = {}
        step: int | None = None
        for chunk in by_folders(targets.values()):
            with ExitStack() as stack:
                changes: list[tuple[Seen, list[Change]]] = []
                for one in self.marking.look(stack, chunk, errors):
                    chain = list(reverting(one, entries[one.target.path]))
                    try:
                        check_room(one, chain[-1].after)
                        changes.append((one, chain))
                    except ServiceError as error:
                        errors[one.target.path] = error
                made = self.marking.carry_out(partial(self._journal.begin, StepKind.UNDO, step=step), changes, errors)
                states.update(made.states)
                step = made.step or step  # another one, when all of the one before failed
        return states


def _outcome(path: bytes, states: Mapping[bytes, tuple[State, State]], errors: Mapping[bytes, ServiceError]) -> Outcome:
    if (error := errors.get(path)) is not None:
        return Outcome(path, None, error)
    before, state = states[path]
    return Outcome(path, state, before=before)


def reverting(one: Seen, newest_first: Sequence[Entry]) -> Iterator[Change]:
    """The changes that take the entries back, from the file's state now."""
    state = one.state
    for entry in newest_first:
        earlier = moved(state, entry.change.after, entry.change.before)
        yield Change(entry.change.root, entry.change.path, state, earlier, one.look.identity, reverts=entry.number)
        state = earlier
