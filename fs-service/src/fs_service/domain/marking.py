"""How marks are changed, one way for acting, for undoing and for settling: looked at, written down, put, flushed, told.

A change goes: intent written down -> companions changed -> folder flushed -> end written down -> index and events.
Which change, and under which locks, is for the callers to say.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from media_common.errors import ServiceError

from fs_service.domain.disk import Disk, Folder, Look, MarkBlocked
from fs_service.domain.errors import NameTooLong, NotMedia, StorageFailed
from fs_service.domain.items import SUFFIXES, State
from fs_service.domain.journal import Change, Entry, Journal
from fs_service.domain.media import NAME_MAX, is_hidden, kind_of
from fs_service.domain.ports import EventLog, ItemIndex, Marks, Roots, RootState

logger = logging.getLogger(__name__)

#: Folders held open at once.
_OPEN_FOLDERS: Final = 64


class Target(NamedTuple):
    """A media file's place, taken apart; by its name alone, whether it exists is not known."""

    root: bytes
    path: bytes
    folder: bytes  # relative to the root
    name: bytes
    key: bytes  # what it is locked by


class Seen(NamedTuple):
    """A file looked at under its lock."""

    target: Target
    folder: Folder
    look: Look
    entry: State | None  # of `Marks`
    writable: bool

    @property
    def state(self) -> State:
        return self.look.marks if self.entry is None else self.entry


@dataclass(frozen=True, slots=True)
class Made:
    """Changes that are durable now."""

    states: dict[bytes, State]  # by path
    step: int | None  # in the journal; None: nothing was begun


#: Looked up: a flag's `&` costs microseconds, and a batch asks for hundreds of files.
_STATUSES: Final = [
    {"locked": State.LOCKED in state, "trashed": State.TRASHED in state, "seen": State.SEEN in state}
    for state in map(State, range(8))
]
_SUFFIXES: Final = tuple((int(mark), mark, suffix) for mark, suffix in SUFFIXES.items())
_LONGEST_SUFFIX: Final = max(map(len, SUFFIXES.values()))


def status_json(state: State) -> dict[str, bool]:
    """The state as public events print it."""
    return dict(_STATUSES[state])


class Finder:
    """Finds the places of one request's files in the roots as they are at its beginning; the files of a folder are in
    the same root, so a folder is judged once."""

    def __init__(self, roots: Roots, disk: Disk) -> None:
        self._roots = roots
        self._disk = disk
        self._known: frozenset[bytes] | None = None
        self._real: dict[bytes, bytes] = {}
        #: Root, folder below it, and what stands before the name in the key; None: not where media can be.
        self._folders: dict[bytes, tuple[bytes, bytes, bytes] | None] = {}

    def target(self, path: bytes) -> Target:
        """The media file that an absolute, normalised path names.

        Raises:
            OutsideRoots: it is in no root.
            NotMedia: no media file's name, or in a hidden folder.
            ConfigBroken: which roots there are cannot be read.
        """
        if self._known is None:
            self._known = frozenset(self._roots.known())
        if path in self._known:
            raise NotMedia
        above, _, name = path.rpartition(b"/")
        if above not in self._folders:
            self._folders[above] = self._folder(path)
        found = self._folders[above]
        if found is None or kind_of(name) is None:
            raise NotMedia
        root, folder, before = found
        return Target(root, path, folder, name, before + name)

    def _folder(self, path: bytes) -> tuple[bytes, bytes, bytes] | None:
        place = self._roots.place(path)
        folder = place.relative.rpartition(b"/")[0]
        if b"." in folder and any(is_hidden(part) for part in folder.split(b"/")):
            return None
        if place.root not in self._real:
            self._real[place.root] = self._disk.real(place.root)
        before = self._real[place.root].rstrip(b"/") + b"/" + folder
        return place.root, folder, before + b"/" if folder else before


class Marking:
    """Reads and changes marks. The callers hold the locks of the files."""

    def __init__(
        self, roots: Roots, marks: Marks, index: ItemIndex, events: EventLog, journal: Journal, disk: Disk
    ) -> None:
        self._roots = roots
        self._marks = marks
        self._index = index
        self._events = events
        self._journal = journal
        self._disk = disk

    def targets(self, paths: Iterable[bytes]) -> tuple[dict[bytes, Target], dict[bytes, ServiceError]]:
        targets: dict[bytes, Target] = {}
        errors: dict[bytes, ServiceError] = {}
        finder = Finder(self._roots, self._disk)
        for path in dict.fromkeys(paths):
            try:
                targets[path] = finder.target(path)
            except ServiceError as error:
                errors[path] = error
        return targets, errors

    def look(self, stack: ExitStack, targets: Sequence[Target], errors: dict[bytes, ServiceError]) -> list[Seen]:
        """The files as they are, their folders open until the stack is closed."""
        folders: dict[tuple[bytes, bytes], Folder | ServiceError] = {}
        writable: dict[bytes, bool] = {}
        found: list[Seen] = []
        for target in targets:
            root = target.root
            where = (root, target.folder)
            try:
                if root not in writable:
                    writable[root] = self._roots.state(root)[0] != RootState.READ_ONLY
                if where not in folders:
                    try:
                        folders[where] = stack.enter_context(self._disk.opened(*where))
                    except ServiceError as error:
                        folders[where] = error
                folder = folders[where]
                if isinstance(folder, ServiceError):
                    raise folder
                look = folder.look(target.name)
                found.append(Seen(target, folder, look, self._marks.get(target.path), writable[root]))
            except ServiceError as error:
                errors[target.path] = error
        return found

    def carry_out(
        self,
        begin: Callable[[Sequence[Change]], list[Entry]],
        changes: Sequence[tuple[Seen, list[Change]]],
        errors: dict[bytes, ServiceError],
    ) -> Made:
        """Carry out changes (of a file one or, for undo, a chain) between their intents and their ends.

        Args:
            begin: the journal's, with the step that the changes belong to.
            errors: what failed is added here, by path; of that nothing was changed.
        """
        if not changes:
            return Made({}, None)
        flat = [change for _, chain in changes for change in chain]
        try:
            entries = begin(flat)
        except StorageFailed as error:
            errors.update((one.target.path, error) for one, _ in changes)
            return Made({}, None)
        states = self.apply([(one, chain[-1].after) for one, chain in changes], errors)
        done = [entry for entry in entries if entry.change.path in states]
        try:
            self._journal.finish(done, [entry for entry in entries if entry.change.path not in states])
        except StorageFailed:
            # Done and durable all the same; the intents stay, and the next start writes their end.
            logger.exception("actions have no end in the journal")
        self.tell(states)
        return Made(states, entries[0].step)

    def tell(self, states: dict[bytes, State]) -> None:
        """The index and the followers hear of states that are durable; should that fail, the deed stands."""
        if not states:
            return
        try:
            self._index.set_states(list(states.items()))
            self._events.emit_all([state_event(path, state) for path, state in states.items()])
        except ServiceError as error:
            logger.error("the index was not told of new states; it will see them on the disk: %s", error.message)

    def noticed(self, states: dict[bytes, State]) -> None:
        """States that the disk was found to have: the index may not know of what was made by hand."""
        if not states:
            return
        try:
            self._index.set_states(list(states.items()), made_here=False)
        except ServiceError as error:
            logger.error("the index was not told of states; it will see them on the disk: %s", error.message)

    def apply(self, wanted: Sequence[tuple[Seen, State]], errors: dict[bytes, ServiceError]) -> dict[bytes, State]:
        """Put the marks where they belong and flush; the states that are durable now."""
        kept_apart = [(one, state) for one, state in wanted if not one.writable]
        states = self._keep_apart(kept_apart, errors)
        by_folder: dict[int, list[tuple[Seen, State]]] = {}
        for one, state in wanted:
            if one.writable:
                try:
                    one.folder.put(one.target.name, one.look.marks, state)
                    by_folder.setdefault(id(one.folder), []).append((one, state))
                except ServiceError as error:
                    errors[one.target.path] = error
        for put in by_folder.values():
            try:
                put[0][0].folder.sync()
            except StorageFailed as error:
                _put_back(put)
                errors.update((one.target.path, error) for one, _ in put)
                continue
            states.update((one.target.path, state) for one, state in put)
        self._marks.forget([one.target.path for one, _ in wanted if one.writable and one.target.path in states])
        return states

    def _keep_apart(
        self, wanted: Sequence[tuple[Seen, State]], errors: dict[bytes, ServiceError]
    ) -> dict[bytes, State]:
        """The marks of files on roots that cannot be written."""
        if not wanted:
            return {}
        states = {one.target.path: state for one, state in wanted}
        try:
            self._marks.set_all([(one.target.path, state) for one, state in wanted if state != one.look.marks])
            self._marks.forget([one.target.path for one, state in wanted if state == one.look.marks])
        except StorageFailed as error:
            errors.update(dict.fromkeys(states, error))
            return {}
        return states


def state_event(path: bytes, state: State) -> tuple[str, dict[str, Any]]:
    """A file's new state as a public event."""
    return "state", {"path": os.fsdecode(path), "status": status_json(state)}


def check_room(one: Seen, wanted: State) -> None:
    """Whether the companions can be made, as far as can be said before anything is.

    Raises:
        NameTooLong: a name would be longer than file systems take.
        MarkBlocked: something else stands there.
    """
    if not one.writable:
        return
    new = int(wanted) & ~int(one.look.marks)
    blocked = int(one.look.blocked)
    if not new or (not blocked and len(one.target.name) + _LONGEST_SUFFIX <= NAME_MAX):
        return
    for bit, mark, suffix in _SUFFIXES:
        if new & bit:
            if len(one.target.name) + len(suffix) > NAME_MAX:
                raise NameTooLong
            if bit & blocked:
                raise MarkBlocked(mark)


def _put_back(put: Sequence[tuple[Seen, State]]) -> None:
    """The flush failed: nobody is told "done", so the marks go back as well as they can."""
    for one, state in put:
        try:
            one.folder.put(one.target.name, state, one.look.marks)
        except ServiceError:
            continue


def by_folders(targets: Iterable[Target]) -> Iterator[list[Target]]:
    """The targets folder by folder, in chunks of so many folders as may be open at once."""
    folders: dict[tuple[bytes, bytes], list[Target]] = {}
    for target in targets:
        folders.setdefault((target.root, target.folder), []).append(target)
    groups = list(folders.values())
    for at in range(0, len(groups), _OPEN_FOLDERS):
        yield [target for group in groups[at : at + _OPEN_FOLDERS] for target in group]
