"""Stacks as they are asked for: found out folder by folder, behind the answers, and kept.

A folder that somebody looks at is read in the background: first what its files say of themselves, then the pixels of
those that have another one near in time, and of no others. An answer has what is known so far and says how many folders
are not all known. What was read is kept with the state of the file that it was read from.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from media_common.errors import InvalidArgument, ServiceError

from fs_service.domain.errors import PathMissing
from fs_service.domain.items import Description, State
from fs_service.domain.paths import is_inside, normalised
from fs_service.domain.ports import Place, Roots
from fs_service.domain.stacks import Decision, Figures, Shot, Stack, runs, stacks_in
from fs_service.looking_at import NoAnswer
from fs_service.store.decisions import StoredDecisions
from fs_service.store.insides import Insides
from fs_service.store.rows import folder_of, joined, signed
from fs_service.store.shots import KeptShot, Picture, ShotStore
from fs_service.threads import Threads

logger = logging.getLogger(__name__)

#: The figures of the picture as it is now; None: there is none. Raises NoAnswer.
Look = Callable[[Place], Awaitable[Figures | None]]

#: Of one request.
MOST_PATHS: Final = 500
#: Folders that one page of a list reads at most: it may be short, even empty, and says where the next one begins.
_FOLDERS_A_PAGE: Final = 200
#: Before every name that a picture can have.
_FIRST_NAME: Final = b"\x01"
#: Files described, and looked at, before what was found is kept and whoever asked last comes first.
_DESCRIBED: Final = 64
_LOOKED: Final = 12
#: Files that were copied without their times are one run of all: what is in sight comes first there, too.
_MANY: Final = 200
#: Asked of the workers at once: they have thumbnails to make as well.
_LOOKS: Final = 3
#: After a folder could not be read to its end.
_AGAIN_S: Final = 10.0
#: Folders waiting; who asked first has long gone on.
_MOST_WAITING: Final = 500
#: Folders whose stacks are held in memory.
_HELD: Final = 500


class FolderKey(NamedTuple):
    root: bytes
    relative: bytes  # empty: the root itself

    @property
    def path(self) -> bytes:
        return Place(self.root, self.relative).path


@dataclass(frozen=True, slots=True)
class FoundStack:
    """A stack with what is known of it beside the pictures."""

    folder: bytes  # absolute
    stack: Stack
    states: tuple[State, ...]  # the members'
    decision: Decision


@dataclass(frozen=True, slots=True)
class Found:
    stacks: list[FoundStack]
    pending: int  # folders of which not everything is known yet
    next: bytes | None = None  # of a list: the `after` of the page behind this one; None: there is none


@dataclass(frozen=True, slots=True)
class _Known:
    """A folder as far as it was read."""

    pictures: dict[bytes, Picture]
    shots: dict[bytes, KeptShot]
    undescribed: list[bytes]
    unlooked: list[bytes]
    stacks: list[Stack]

    @property
    def is_whole(self) -> bool:
        return not self.undescribed and not self.unlooked


@dataclass(frozen=True, slots=True)
class _Held:
    """What follows from a folder's shots."""

    token: int  # of the shots
    stacks: list[Stack]
    unlooked: list[bytes]
    by_run: dict[int, list[Stack]]  # while a folder is read, most runs stay as they are


class Stacking:
    """Finds stacks, remembers what people say of them. The background runs while `run` does."""

    def __init__(
        self,
        roots: Roots,
        store: ShotStore,
        decisions: StoredDecisions,
        insides: Insides,
        look: Look,
        threads: Threads,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._roots = roots
        self._store = store
        self._decisions = decisions
        self._insides = insides
        self._look = look
        self._threads = threads
        self._clock = clock
        #: Folders to be read, the one asked for last at the end, and the names that were asked for.
        self._waiting: OrderedDict[FolderKey, set[bytes]] = OrderedDict()
        self._news = asyncio.Event()
        self._not_before: dict[FolderKey, float] = {}
        #: Files whose row in the index is behind the disk: what they say of themselves is of these rows. Forgotten with
        #: what is held of their folder.
        self._agreed: dict[FolderKey, dict[bytes, Picture]] = {}
        self._held: OrderedDict[FolderKey, _Held] = OrderedDict()

    async def of(self, paths: Sequence[bytes]) -> Found:
        """The stacks that these files are in; a path that is none is in none.

        Raises:
            InvalidArgument: more than 500.
        """
        if len(paths) > MOST_PATHS:
            raise InvalidArgument(f"At most {MOST_PATHS} paths a call.")
        asked: dict[FolderKey, set[bytes]] = {}
        for path in paths:
            try:
                place = self._roots.place(normalised(path))
            except ServiceError:
                continue
            if place.relative:
                key = FolderKey(place.root, folder_of(place.relative))
                asked.setdefault(key, set()).add(place.relative.rpartition(b"/")[2])
        found: list[FoundStack] = []
        pending = 0
        for key, names in asked.items():
            stacks, whole = await self._threads.run(self._told, key)
            found += [one for one in stacks if any(shot.name in names for shot in one.stack.members)]
            if not whole:
                pending += 1
                self._want(key, names)
        return Found(found, pending)

    async def below(self, path: bytes, after: bytes | None, limit: int, decided: bool) -> Found:
        """Stacks of a folder and all folders in it, by folder and first member; `after` is the `next` of the page
        before: no such file need be there.

        Args:
            decided: those that are done, too.
        Raises:
            InvalidArgument, PathMalformed, OutsideRoots
        """
        if not 1 <= limit <= MOST_PATHS:
            raise InvalidArgument(f"limit must be an integer from 1 to {MOST_PATHS}.")
        place = self._roots.place(normalised(path))
        begin, behind = b"", b""
        if after is not None:
            clean = normalised(after)
            if not is_inside(clean, place.path) or clean == place.path:
                raise InvalidArgument("after must be a path inside the folder.")
            relative = clean[len(place.root.rstrip(b"/")) + 1 :]
            begin, behind = folder_of(relative), relative.rpartition(b"/")[2]
        if not await self._threads.run(self._store.is_scanned, place.root):
            return Found([], pending=1)
        folders = await self._threads.run(
            self._store.folders, place.root, place.relative, max(begin, place.relative), _FOLDERS_A_PAGE + 1
        )
        found: list[FoundStack] = []
        pending = 0
        for number, relative in enumerate(folders):
            key = FolderKey(place.root, relative)
            if number == _FOLDERS_A_PAGE:
                return Found(found, pending, joined(key.path.rstrip(b"/"), _FIRST_NAME))
            stacks, whole = await self._threads.run(self._told, key)
            if not whole:
                pending += 1
                self._want(key, set())
            for one in stacks:
                if relative == begin and one.stack.members[0].name <= behind:
                    continue
                if one.decision is Decision.DONE and not decided:
                    continue
                if len(found) == limit:
                    last = found[-1]
                    return Found(found, pending, joined(last.folder.rstrip(b"/"), last.stack.members[0].name))
                found.append(one)
        return Found(found, pending)

    async def decide(self, paths: Sequence[bytes], decision: Decision) -> None:
        """Remember what was said of these files together.

        Raises:
            InvalidArgument: fewer than two, more than 500, or of several folders.
            PathMalformed, OutsideRoots, PathMissing: of one of them; nothing is remembered.
            StorageFailed
        """
        places = [self._roots.place(normalised(path)) for path in paths]
        folders = {FolderKey(place.root, folder_of(place.relative)) for place in places}
        names = {place.relative.rpartition(b"/")[2] for place in places}
        if len(folders) != 1 or not 2 <= len(names) <= MOST_PATHS:
            raise InvalidArgument(f"A stack is from 2 to {MOST_PATHS} files of one folder.")
        (key,) = folders
        await self._threads.run(self._decide, key, names, decision)

    async def run(self) -> None:
        """Read the folders that were asked for, for ever."""
        await self._threads.run(self._tidy)
        while True:
            await self._news.wait()
            while self._waiting:
                key, names = self._waiting.popitem()
                try:
                    whole = await self._read(key, names)
                except NoAnswer:
                    whole = False
                except ServiceError as error:
                    logger.warning("stacks of a folder wait: %s", error.message)
                    whole = False
                except Exception:  # the loop's own home for the unexpected, as a worker's
                    logger.exception("stacks of a folder stumble")
                    whole = False
                if not whole and key not in self._waiting:
                    now = self._clock()
                    self._not_before = {one: until for one, until in self._not_before.items() if until > now}
                    self._not_before[key] = now + _AGAIN_S
            self._news.clear()

    def _tidy(self) -> None:
        try:
            self._store.forget_outside(self._roots.known())
        except ServiceError as error:
            logger.warning("what is known of removed folders stays: %s", error.message)

    def _want(self, key: FolderKey, names: Iterable[bytes]) -> None:
        if self._not_before.get(key, 0.0) > self._clock():
            return
        self._not_before.pop(key, None)
        self._waiting.setdefault(key, set()).update(names)
        self._waiting.move_to_end(key)
        while len(self._waiting) > _MOST_WAITING:
            self._waiting.popitem(last=False)
        self._news.set()

    # In threads

    def _told(self, key: FolderKey) -> tuple[list[FoundStack], bool]:
        """What is known of a folder's stacks, and whether that is all."""
        known = self._known(key)
        if not known.stacks:
            return [], known.is_whole and (bool(known.pictures) or self._store.is_scanned(key.root))
        said = self._decisions.of(key.path)
        found = []
        for stack in known.stacks:
            names = {shot.name for shot in stack.members}
            decision = next((decision for about, decision in said if names <= about), Decision.NONE)
            if decision is not Decision.NOT_A_STACK:
                states = tuple(State(known.pictures[shot.name].state) for shot in stack.members)
                found.append(FoundStack(key.path, stack, states, decision))
        return found, known.is_whole

    def _known(self, key: FolderKey) -> _Known:
        pictures = {one.name: one for one in self._store.pictures(key.root, key.relative)}
        kept = self._store.shots(key.path)
        agreed = self._agreed.get(key, {})
        shots = {
            name: kept[name]
            for name, picture in pictures.items()
            if name in kept and (kept[name].is_of(picture) or agreed.get(name) == picture)
        }
        undescribed = [name for name in pictures if name not in shots]
        token = hash(
            frozenset((name, one.inode, one.mtime_ns, one.shot.size_bytes, one.looked) for name, one in shots.items())
        )
        held = self._held.get(key)
        if held is None or held.token != token:
            before = {} if held is None else held.by_run
            near = runs(one.shot for one in shots.values())
            by_run = {}
            for run in near:
                run_token = hash(tuple(run))
                by_run[run_token] = before[run_token] if run_token in before else stacks_in(run)
            stacks = sorted((one for found in by_run.values() for one in found), key=lambda one: one.members[0].name)
            unlooked = [shot.name for run in near for shot in run if not shots[shot.name].looked]
            self._held[key] = held = _Held(token, stacks, unlooked, by_run)
            while len(self._held) > _HELD:
                self._agreed.pop(self._held.popitem(last=False)[0], None)
        return _Known(pictures, shots, undescribed, held.unlooked, held.stacks)

    def _decide(self, key: FolderKey, names: set[bytes], decision: Decision) -> None:
        if decision is not Decision.NONE:
            there = {one.name for one in self._store.pictures(key.root, key.relative)}
            if not names <= there:
                raise PathMissing
        self._decisions.put(key.path, names, decision)

    def _describe(self, key: FolderKey, pictures: Sequence[Picture]) -> bool:
        """Whether all of them are known now."""
        answers = self._insides.describe([Place(key.root, joined(key.relative, one.name)).path for one in pictures])
        shots: list[KeptShot] = []
        for picture, answer in zip(pictures, answers, strict=True):
            if isinstance(answer, Description):
                kept = _shot(picture.name, answer)
                shots.append(kept)
                if not kept.is_of(picture):
                    self._agreed.setdefault(key, {})[picture.name] = picture
        self._store.keep(key.path, shots)
        return len(shots) == len(pictures)

    # The background

    async def _read(self, key: FolderKey, asked: set[bytes]) -> bool:
        """Read a folder until all of it is known, or until another one is asked for: then it waits behind that one.

        Returns:
            Whether there is nothing left that another try would find out.
        """
        tried: set[bytes] = set()
        whole = True
        while True:
            known = await self._threads.run(self._known, key)
            left = [name for name in known.undescribed if name not in tried]
            if not left:
                break
            left.sort(key=lambda name: name not in asked)
            part = left[:_DESCRIBED]
            tried.update(part)
            whole &= await self._threads.run(self._describe, key, [known.pictures[name] for name in part])
            if self._yielded(key, asked):
                return True
        gone = await self._threads.run(self._gone, key, known)
        if gone:
            known = await self._threads.run(self._known, key)
        # The runs that were asked for come first, each as a whole.
        near = runs(one.shot for one in known.shots.values())
        near.sort(key=lambda run: all(shot.name not in asked for shot in run))
        unlooked = [shot for run in near for shot in run if not known.shots[shot.name].looked]
        if len(unlooked) > _MANY:
            unlooked.sort(key=lambda shot: shot.name not in asked)
        for at in range(0, len(unlooked), _LOOKED):
            await self._look_at(key, unlooked[at : at + _LOOKED], known.shots)
            if self._yielded(key, asked):
                return True
        return whole

    def _gone(self, key: FolderKey, known: _Known) -> bool:
        """Forget what is kept of files that are in the folder no more."""
        names = set(self._store.shots(key.path)) - known.pictures.keys()
        if names:
            self._store.forget(key.path, names)
        return bool(names)

    async def _look_at(self, key: FolderKey, shots: Sequence[Shot], kept: dict[bytes, KeptShot]) -> None:
        """
        Raises:
            NoAnswer: after what was answered is kept.
        """
        room = asyncio.Semaphore(_LOOKS)
        looked: list[KeptShot] = []
        unanswered: list[NoAnswer] = []

        async def look(shot: Shot) -> None:
            async with room:
                if unanswered:
                    return
                try:
                    figures = await self._look(Place(key.root, joined(key.relative, shot.name)))
                except NoAnswer as error:
                    unanswered.append(error)
                    return
            before = kept[shot.name]
            looked.append(_with(before, figures))

        await asyncio.gather(*map(look, shots))
        await self._threads.run(self._store.keep, key.path, looked)
        if unanswered:
            raise unanswered[0]

    def _yielded(self, key: FolderKey, asked: set[bytes]) -> bool:
        """Whether somebody asked for another folder meanwhile; then this one waits, before all that waited longer."""
        if not self._waiting or next(reversed(self._waiting)) == key:
            asked |= self._waiting.pop(key, set())
            return False
        newest, names = self._waiting.popitem()
        self._waiting.setdefault(key, set()).update(asked)
        self._waiting.move_to_end(key)
        self._waiting[newest] = names
        return True


def _shot(name: bytes, description: Description) -> KeptShot:
    camera = description.camera
    by = " ".join(part for part in (camera.make, camera.model) if part)
    has_both = bool(by) and camera.taken_us is not None
    identity = description.identity
    at_us = camera.taken_us if has_both and camera.taken_us is not None else identity.mtime_ns // 1000
    size = description.probe
    shot = Shot(name, at_us, by if has_both else None, identity.size_bytes, size.width_px or 0, size.height_px or 0)
    return KeptShot(shot, signed(identity.inode), signed(identity.mtime_ns), looked=False)


def _with(before: KeptShot, figures: Figures | None) -> KeptShot:
    return replace(before, shot=replace(before.shot, figures=figures), looked=True)
