"""What a cut-off service left half-done: finished or taken back at the next start, or when a root is back.

Actions are finished: nobody was told that they failed. A deletion is finished when its file is gone, and dropped when
the file is still there, or anywhere in the root when its folder is gone: that may have another name by now. What
belongs to a root that cannot be reached waits; it is never lost.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from itertools import chain

from media_common.errors import ServiceError

from fs_service.domain.deeds import Deeds
from fs_service.domain.disk import Disk
from fs_service.domain.errors import NotMedia, OutsideRoots, PathMissing, RootOffline, StorageFailed
from fs_service.domain.items import State, moved
from fs_service.domain.journal import Doomed, Entry, Journal
from fs_service.domain.locks import PathLocks
from fs_service.domain.marking import Finder, Target
from fs_service.domain.ports import ItemIndex, Marks, Roots, RootState, Thumbnails
from fs_service.store.rows import signed
from fs_service.store.walk import walk

logger = logging.getLogger(__name__)

#: Marks that a deletion may clear: a locked file is never deleted, so a lock beside a missing file is a new one.
_CLEARABLE = State.TRASHED | State.SEEN


@dataclass(slots=True)
class Recovered:
    """How many were dealt with."""

    finished: int = 0
    dropped: int = 0
    waiting: int = 0
    deletions_finished: int = 0
    deletions_dropped: int = 0


@dataclass(frozen=True, slots=True)
class Recovery:
    """The parts that recovery works with. `run` may be called again at any time, beside everything else."""

    roots: Roots
    marks: Marks
    index: ItemIndex
    journal: Journal
    locks: PathLocks
    disk: Disk
    thumbnails: Thumbnails
    deeds: Deeds

    def run(self) -> Recovered:
        """Deal with all that earlier runs of the service left and that can be reached now."""
        result = Recovered()
        for entry in self.journal.unfinished():
            self._act(entry, result)
        inodes: dict[bytes, set[int]] = {}
        for doomed in self.journal.unfinished_deletions():
            self._deletion(doomed, result, inodes)
        for root in self.roots.known():
            self.deeds.settle(root)
        if result != Recovered():
            logger.info("recovered what was cut off: %s", result)
        return result

    def forget_actions(self) -> int:
        """Drop the actions that were in flight when a backup was made: the disk has been given others since. How many.

        Deletions stay: one is finished only where its file is gone.
        """
        entries = self.journal.unfinished()
        if entries:
            self.journal.finish([], entries)
        return len(entries)

    def _act(self, entry: Entry, result: Recovered) -> None:
        target = self._target(entry.change.root, entry.change.path)
        if target is None:
            result.waiting += 1
            return
        try:
            with self.locks.shared(), self.locks.held([target.key]):
                state = None if self.journal.superseded(entry) else self._finished(entry, target)
                if state is None:
                    self.journal.finish([], [entry])
                    result.dropped += 1
                    return
                self.journal.finish([entry], [])
                result.finished += 1
                self.deeds.marking.tell({target.path: state})
        except (RootOffline, StorageFailed) as error:
            logger.warning("an action that was cut off waits: %s", error.message)
            result.waiting += 1

    def _finished(self, entry: Entry, target: Target) -> State | None:
        """The file's state, now as the action would have it; None: there is no such file any more."""
        try:
            with self.disk.opened(target.root, target.folder) as folder:
                look = folder.look(target.name)
                kept_apart = self.marks.get(target.path)
                before = look.marks if kept_apart is None else kept_apart
                state = moved(before, entry.change.before, entry.change.after)
                if self.roots.state(target.root)[0] == RootState.READ_ONLY:
                    self.marks.set_all([(target.path, state)])
                    return state
                folder.put(target.name, look.marks, state)
                folder.sync()
                self.marks.forget([target.path])
                return state
        except (PathMissing, NotMedia, OutsideRoots):
            return None

    def _deletion(self, doomed: Doomed, result: Recovered, inodes: dict[bytes, set[int]]) -> None:
        """Args:
        inodes: of the media of roots that were walked in this run.
        """
        doom = doomed.doom
        target = self._target(doom.root, doom.path)
        if target is None:
            result.waiting += 1
            return
        try:
            with self.locks.held([target.key]):
                if self._survived(doomed, target, inodes):
                    self.journal.deleted(doomed.receipt, [], [doomed], 0, 0)
                    result.deletions_dropped += 1
                    return
                self.thumbnails.drop([doom.path])
                self.marks.forget([doom.path])
                self.journal.deleted(doomed.receipt, [doomed], [], 0, 0)
                self.index.forget([doom.path])
                result.deletions_finished += 1
        except (RootOffline, StorageFailed) as error:
            logger.warning("a deletion that was cut off waits: %s", error.message)
            result.waiting += 1

    def _survived(self, doomed: Doomed, target: Target, inodes: dict[bytes, set[int]]) -> bool:
        """Whether the file is still there; if not, the companions of it are gone when this returns."""
        try:
            with self.disk.opened(target.root, target.folder) as folder:
                try:
                    folder.look_bare(target.name)
                except PathMissing:
                    folder.clear(target.name, doomed.doom.marks & _CLEARABLE)
                    folder.sync()
                    return False
                # Even if it is another file by now: whoever put it there may have marked it since.
                return True
        except PathMissing:
            if target.root not in inodes:
                inodes[target.root] = self._inodes(target.root)
            return signed(doomed.doom.identity.inode) in inodes[target.root]
        except (NotMedia, OutsideRoots):
            return True

    def _inodes(self, root: bytes) -> set[int]:
        try:
            with self.roots.opened(root) as root_fd:
                listings = (listing for _, listing in walk(root_fd, lambda _: None))
                found = chain.from_iterable(chain(one.entries.values(), one.links.values()) for one in listings)
                return {entry.inode for entry in found}
        except OSError as error:
            raise StorageFailed(f"The review path cannot be read: {error.strerror}.") from error

    def _target(self, root: bytes, path: bytes) -> Target | None:
        """The file's place in the root that it was written down for; None: that root cannot be worked on now."""
        try:
            target = Finder(self.roots, self.disk).target(path)
        except ServiceError:
            return None
        state, _ = self.roots.state(target.root)
        return None if state in (RootState.OFFLINE, RootState.SWAPPED) else target
