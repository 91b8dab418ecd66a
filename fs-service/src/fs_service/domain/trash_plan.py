"""What an empty-trash would do now: a survey of the trash that both the plan and the run are made from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import NamedTuple

from media_common.errors import ServiceError

from fs_service.domain.disk import Disk, Folder
from fs_service.domain.errors import RootOffline, UnknownRoot
from fs_service.domain.items import Identity, State
from fs_service.domain.journal import Journal
from fs_service.domain.marking import Finder
from fs_service.domain.ports import ItemIndex, Marks, Recorded, Roots, RootState


class Candidate(NamedTuple):
    """A trashed file as the survey saw it."""

    root: bytes
    path: bytes
    state: State
    identity: Identity  # what it has to be when it is deleted
    changed: bool  # since it was trashed

    @property
    def goes(self) -> bool:
        return not self.changed and not int(self.state) & State.LOCKED.value


@dataclass(frozen=True, slots=True)
class RootSurvey:
    """The trash of one root; of an unreachable one nothing is known, of a read-only one nothing goes."""

    path: bytes
    state: RootState
    reason: str
    candidates: list[Candidate]


@dataclass(frozen=True, slots=True)
class PlanRoot:
    """One root's share."""

    path: bytes
    state: RootState
    count: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What an empty-trash would do now."""

    hash: str
    count: int
    size_bytes: int
    locked: int
    changed: int
    roots: list[PlanRoot]


def plan_of(surveys: Sequence[RootSurvey]) -> Plan:
    """The plan, with a hash that differs when anything that would go differs."""
    digest = hashlib.sha256()
    roots: list[PlanRoot] = []
    locked = changed = 0
    for survey in surveys:
        writable = survey.state == RootState.ONLINE
        going = [one for one in survey.candidates if one.goes and writable]
        for one in going:
            facts = one.identity
            # Lengths and fixed order: no two different plans spell the same text.
            line = f"{len(one.path)} {facts.inode} {facts.size_bytes} {facts.mtime_ns} {int(one.state)} "
            digest.update(line.encode("ascii") + one.path + b"\n")
        locked += sum(bool(one.state & State.LOCKED) for one in survey.candidates)
        changed += sum(one.changed and not one.state & State.LOCKED for one in survey.candidates)
        size_bytes = sum(one.identity.size_bytes for one in going)
        roots.append(PlanRoot(survey.path, survey.state, len(going), size_bytes))
    count, size_bytes = sum(root.count for root in roots), sum(root.size_bytes for root in roots)
    return Plan(digest.hexdigest(), count, size_bytes, locked, changed, roots)


class Surveyor:
    """Looks at every trashed file once, following no link, under no lock: what it saw is checked again at the deed."""

    def __init__(self, roots: Roots, marks: Marks, index: ItemIndex, journal: Journal, disk: Disk) -> None:
        self._roots = roots
        self._marks = marks
        self._index = index
        self._journal = journal
        self._disk = disk

    def survey(self, root: bytes | None) -> list[RootSurvey]:
        """The trash of one root, with what other roots hold of it, or of all; each file once.

        Raises:
            UnknownRoot: not one of the review roots.
        """
        known = self._roots.known()
        if root is None:
            return [self._of(one, nested=False) for one in known]
        if root not in known:
            raise UnknownRoot
        return [self._of(root, nested=True)]

    def _of(self, root: bytes, nested: bool) -> RootSurvey:
        state, reason = self._roots.state(root)
        if state not in (RootState.ONLINE, RootState.READ_ONLY):
            return RootSurvey(root, state, reason, [])
        try:
            return RootSurvey(root, state, reason, list(self._candidates(root, nested)))
        except RootOffline as error:
            return RootSurvey(root, RootState.OFFLINE, error.message, [])

    def _candidates(self, root: bytes, nested: bool) -> Iterator[Candidate]:
        recorded: dict[bytes, Recorded] = self._journal.recorded_below(root)
        finder = Finder(self._roots, self._disk)
        with ExitStack() as open_folder:
            where: tuple[bytes, bytes] | None = None
            folder: Folder | None = None
            for item in self._index.trashed(root):
                try:
                    target = finder.target(item.place.path)
                except ServiceError:
                    continue  # the root was just taken out of the settings
                if target.root != root and not nested:
                    continue  # listed by its own root
                try:
                    if where != (target.root, target.folder):
                        # In path order the files of a folder come together, but for its sub-folders in between.
                        open_folder.close()
                        where, folder = (target.root, target.folder), None
                        folder = open_folder.enter_context(self._disk.opened(*where))
                    if folder is None:
                        continue
                    look = folder.look(target.name)
                except RootOffline:
                    if target.root == root:
                        raise
                    continue
                except ServiceError:
                    continue  # gone, or no longer reached without a link: not in the trash
                entry = self._marks.get(target.path)
                state = look.marks if entry is None else entry
                if state & State.TRASHED:
                    known = recorded.get(target.path)
                    if known is None:
                        # Trashed by hand, or after the records were read: then it may have been changed since, too.
                        # Whoever was told that it is trashed finds its record now that the file has been looked at.
                        known = self._journal.recorded([target.path]).get(target.path)
                    expected = look.identity if known is None else known.identity
                    changed = not expected.agrees(look.identity)
                    yield Candidate(target.root, target.path, state, expected, changed)
