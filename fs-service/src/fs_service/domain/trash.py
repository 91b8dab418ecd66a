"""Emptying the trash: the one use case that deletes.

A file goes only when, under its own lock and through folders opened without following a link, it is still trashed,
not locked, and the very file that was trashed. Everything else keeps its marks and is told.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

from media_common.errors import ServiceError

from fs_service.domain.disk import Disk, Folder, Replaced
from fs_service.domain.errors import NotMedia, OutsideRoots, PathMissing, PlanChanged, RootOffline, StorageFailed
from fs_service.domain.items import State
from fs_service.domain.journal import Doom, Doomed, Journal, Receipt
from fs_service.domain.locks import PathLocks
from fs_service.domain.marking import Finder, Target
from fs_service.domain.ports import EventLog, ItemIndex, Marks, Roots, RootState, Thumbnails
from fs_service.domain.trash_events import (
    CHANGED,
    GONE,
    LOCKED,
    UNTRASHED,
    Deleted,
    Deleting,
    Done,
    Failed,
    FolderDone,
    Skipped,
    TrashEvent,
)
from fs_service.domain.trash_plan import Candidate, Plan, RootSurvey, Surveyor, plan_of

logger = logging.getLogger(__name__)

#: Intents written in one flush, ahead of the files' turn; a run cut short leaves at most so many to recovery.
CHUNK: Final = 200


@dataclass(frozen=True, slots=True)
class DeletionCounters:
    """Files, since the start of the service."""

    max_workers: int
    active_jobs: int
    submitted_jobs: int
    completed_jobs: int  # deleted, or rightly kept
    failed_jobs: int
    deleted_files: int
    deleted_bytes: int


class _Counters:
    """Live counts, and the limit of files in deletion at once over all runs."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._slots = threading.BoundedSemaphore(workers)
        self._mutex = threading.Lock()
        self._active = self._submitted = self._completed = self._failed = 0
        self._deleted = self._deleted_bytes = 0

    @contextmanager
    def job(self) -> Iterator[None]:
        with self._mutex:
            self._submitted += 1
        with self._slots:
            with self._mutex:
                self._active += 1
            try:
                yield
            finally:
                with self._mutex:
                    self._active -= 1

    def ended(self, failed: bool, deleted_bytes: int | None) -> None:
        """`deleted_bytes` None: it was not deleted."""
        with self._mutex:
            self._failed += failed
            self._completed += not failed
            self._deleted += deleted_bytes is not None
            self._deleted_bytes += deleted_bytes or 0

    def now(self) -> DeletionCounters:
        with self._mutex:
            return DeletionCounters(
                self._workers,
                self._active,
                self._submitted,
                self._completed,
                self._failed,
                self._deleted,
                self._deleted_bytes,
            )


class _Claims:
    """Which run is at which files, so that two runs share the work. A matter of speed: the locks keep it right."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._paths: set[bytes] = set()

    def take(self, candidates: Sequence[Candidate]) -> tuple[list[Candidate], list[Candidate]]:
        """Those that are this run's now, and those that another has."""
        with self._mutex:
            others = [one for one in candidates if one.path in self._paths]
            mine = [one for one in candidates if one.path not in self._paths]
            self._paths.update(one.path for one in mine)
            return mine, others

    def leave(self, candidates: Sequence[Candidate]) -> None:
        with self._mutex:
            self._paths.difference_update(one.path for one in candidates)


class _Hand:
    """The folder that the run is at, held open from file to file for as long as the way to it stands."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._stack = ExitStack()
        self._where: tuple[bytes, bytes] | None = None
        self._folder: Folder | None = None

    def folder(self, target: Target) -> Folder:
        """The file's folder as its path leads there now. Raises what `Disk.opened` raises."""
        where = (target.root, target.folder)
        if self._folder is not None and where == self._where and self._folder.stands():
            return self._folder
        self.let_go()
        self._folder, self._where = self._stack.enter_context(self._disk.opened(*where)), where
        return self._folder

    def let_go(self) -> None:
        self._folder = self._where = None
        self._stack.close()


@dataclass(slots=True)
class _Run:
    """The totals of one run, and what its chunk in hand has come to."""

    receipt: str
    deleted: int = 0
    errors: int = 0
    skipped: int = 0
    size_bytes: int = 0
    told: list[TrashEvent] = field(default_factory=list)  # not yet in the event log
    lost: set[bytes] = field(default_factory=set)  # roots that went away during the run
    counted_errors: int = 0  # in the receipt
    counted_skipped: int = 0

    def tell(self, event: TrashEvent) -> TrashEvent:
        self.told.append(event)
        self.errors += isinstance(event, Failed)
        self.skipped += isinstance(event, Skipped)
        return event


class Trash:
    """Looking into the trash and emptying it."""

    def __init__(
        self,
        roots: Roots,
        marks: Marks,
        index: ItemIndex,
        events: EventLog,
        journal: Journal,
        locks: PathLocks,
        disk: Disk,
        thumbnails: Thumbnails,
        workers: int,
    ) -> None:
        self._roots = roots
        self._marks = marks
        self._index = index
        self._events = events
        self._journal = journal
        self._locks = locks
        self._disk = disk
        self._thumbnails = thumbnails
        self._surveyor = Surveyor(roots, marks, index, journal, disk)
        self._counters = _Counters(workers)
        self._claims = _Claims()

    def plan(self, root: bytes | None) -> Plan:
        """What `empty` would do now.

        Raises:
            UnknownRoot: not one of the review roots.
        """
        return plan_of(self._surveyor.survey(root))

    def receipts(self, limit: int) -> list[Receipt]:
        """What was deleted, newest run first."""
        return self._journal.receipts(limit)

    def counters(self) -> DeletionCounters:
        return self._counters.now()

    def empty(self, root: bytes | None, if_match: str | None) -> Generator[TrashEvent, None, None]:
        """Delete for good what is in the trash of one root, or of all, and tell of each file.

        Closing the generator stops it after the file in hand. A file is deleted between the event that announces it
        and the next one; no lock is held while the caller has an event in hand.

        Args:
            if_match: a plan's hash; another plan now, and nothing is deleted.
        Raises:
            UnknownRoot, PlanChanged, StorageFailed: before the first event.
        """
        surveys = self._surveyor.survey(root)
        if if_match is not None and plan_of(surveys).hash != if_match:
            raise PlanChanged
        run = _Run(self._journal.open_receipt())
        try:
            for survey in surveys:
                yield from self._root(survey, run)
            self._journal.close_receipt(run.receipt)
            yield run.tell(Done(run.deleted, run.errors, run.skipped, run.size_bytes, run.receipt))
        finally:
            self._settle(run, [], [])

    def _root(self, survey: RootSurvey, run: _Run) -> Iterator[TrashEvent]:
        if survey.state == RootState.READ_ONLY and not survey.candidates:
            yield run.tell(FolderDone(survey.path))
            return
        if survey.state != RootState.ONLINE:
            yield run.tell(_unreachable(survey.path, survey.state, survey.reason))
            return
        yield from self._files(survey.candidates, run)
        if survey.path not in run.lost:
            self._thumbnails.prune(survey.path)
            yield run.tell(FolderDone(survey.path))

    def _files(self, candidates: Sequence[Candidate], run: _Run) -> Iterator[TrashEvent]:
        """Every file once; those that another run has in hand at the end, when they are mostly gone."""
        later: list[Candidate] = []
        for at in range(0, len(candidates), CHUNK):
            mine, others = self._claims.take(candidates[at : at + CHUNK])
            later += others
            try:
                yield from self._chunk(mine, run)
            finally:
                self._claims.leave(mine)
        for at in range(0, len(later), CHUNK):
            yield from self._chunk([one for one in later[at : at + CHUNK] if self._is_there(one)], run)

    def _chunk(self, candidates: Sequence[Candidate], run: _Run) -> Iterator[TrashEvent]:
        going = [one for one in candidates if one.goes]
        dooms = [Doom(one.root, one.path, one.state, one.identity) for one in going]
        intents = {doomed.doom.path: doomed for doomed in self._journal.intend(run.receipt, dooms)}
        gone: list[Doomed] = []
        finder, hand = Finder(self._roots, self._disk), _Hand(self._disk)
        try:
            for one in candidates:
                if one.root in run.lost:
                    continue
                state, reason = self._roots.state(one.root)
                if state != RootState.ONLINE:
                    run.lost.add(one.root)
                    yield run.tell(_unreachable(one.root, state, reason))
                    continue
                yield run.tell(Deleting(one.path))
                event = self._one(one, intents.get(one.path), finder, hand)
                if isinstance(event, Deleted):
                    doomed = intents[one.path]
                    gone.append(doomed)
                    run.deleted += 1
                    run.size_bytes += doomed.doom.identity.size_bytes
                yield run.tell(event)
        finally:
            hand.let_go()
            ended = {doomed.number for doomed in gone}
            self._settle(run, gone, [doomed for doomed in intents.values() if doomed.number not in ended])

    def _one(self, candidate: Candidate, doomed: Doomed | None, finder: Finder, hand: _Hand) -> TrashEvent:
        """Delete the file in hand, or say why not."""
        with self._counters.job():
            failed, deleted_bytes = True, None
            try:
                event = self._deed(candidate, doomed, finder, hand)
                failed = isinstance(event, Failed)
                if doomed is not None and isinstance(event, Deleted):
                    deleted_bytes = doomed.doom.identity.size_bytes
            finally:
                self._counters.ended(failed, deleted_bytes)
        return event

    def _deed(self, candidate: Candidate, doomed: Doomed | None, finder: Finder, hand: _Hand) -> TrashEvent:
        path = candidate.path
        try:
            target = finder.target(path)
            with self._locks.held([target.key]):
                folder = hand.folder(target)
                look = folder.look_bare(target.name)
                entry = self._marks.get(path)
                state = look.marks if entry is None else entry
                if not state & State.TRASHED:
                    return Skipped(path, UNTRASHED)
                if (state | look.marks) & State.LOCKED:
                    return Skipped(path, LOCKED)
                if candidate.changed or not candidate.identity.agrees(look.identity):
                    return Skipped(path, CHANGED)
                if doomed is None:
                    # Locked when the run began and unlocked since: there is no intent. The next run takes it.
                    return Skipped(path, LOCKED)
                folder.remove(target.name, look)
                return Deleted(path)
        except Replaced:
            return Skipped(path, CHANGED)
        except PathMissing:
            return Skipped(path, GONE)
        except (NotMedia, OutsideRoots):
            return Failed(path, "A link or another thing stands in the file's place or on the way to it; it was kept.")
        except ServiceError as error:
            return Failed(path, error.message)

    def _settle(self, run: _Run, gone: Sequence[Doomed], kept: Sequence[Doomed]) -> None:
        """Everything that follows from a chunk's deletions, and their end in the journal.

        A cut before that end leaves it to recovery, which does the same once more.
        """
        paths = [doomed.doom.path for doomed in gone]
        absent = sorted(self._flushed(paths))
        if absent:
            self._thumbnails.drop(absent)
        try:
            self._marks.forget(paths)
            errors, skipped = run.errors - run.counted_errors, run.skipped - run.counted_skipped
            if gone or kept or errors or skipped:
                self._journal.deleted(run.receipt, gone, kept, errors, skipped)
                run.counted_errors, run.counted_skipped = run.errors, run.skipped
        except StorageFailed as error:
            logger.error("deletions have no end in the journal; the next start writes it: %s", error.message)
        told, run.told = run.told, []
        try:
            if absent:
                self._index.forget(absent)
            if told:
                self._events.emit_all([("trash", event.json()) for event in told])
        except StorageFailed as error:
            logger.error("the index was not told of deletions; it will miss them on the disk: %s", error.message)

    def _flushed(self, paths: Sequence[bytes]) -> set[bytes]:
        """Flush the folders of deleted files; those of the files whose name nobody has taken since."""
        absent = set(paths)
        folders: dict[tuple[bytes, bytes], list[Target]] = {}
        finder = Finder(self._roots, self._disk)
        for path in paths:
            with suppress(ServiceError):
                target = finder.target(path)
                folders.setdefault((target.root, target.folder), []).append(target)
        for where, targets in folders.items():
            try:
                with self._disk.opened(*where) as folder:
                    folder.sync()
                    absent.difference_update(target.path for target in targets if folder.has(target.name))
            except ServiceError as error:
                logger.warning("a folder was not flushed after deletions: %s", error.message)
        return absent

    def _is_there(self, candidate: Candidate) -> bool:
        try:
            target = Finder(self._roots, self._disk).target(candidate.path)
            with self._disk.opened(target.root, target.folder) as folder:
                return folder.has(target.name)
        except PathMissing:
            return False
        except ServiceError:
            return True  # its turn says what is wrong


def _unreachable(root: bytes, state: RootState, reason: str) -> Failed:
    if state == RootState.READ_ONLY:
        return Failed(root, "The review path cannot be written; nothing more of it was deleted.")
    return Failed(root, RootOffline(reason).message)
