"""An item's review state and what each action makes of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import IntEnum, IntFlag
from typing import Final, NamedTuple

from media_common.insides.description import Camera

from fs_service.domain.errors import ItemLocked
from fs_service.domain.media import Kind, companion_of


class State(IntFlag):
    """The marks of one file; each is a companion file (or, on a read-only root, a row in the state directory)."""

    NONE = 0
    LOCKED = 1
    TRASHED = 2
    SEEN = 4


#: A mark's companion suffix, in the order in which companions are made: `seen` first, so that a cut in the
#: middle leaves a file that was merely looked at.
SUFFIXES: dict[State, bytes] = {State.SEEN: b".seen", State.LOCKED: b".lock", State.TRASHED: b".trash"}

_MARKS: dict[bytes, State] = {suffix[1:]: state for state, suffix in SUFFIXES.items()}


def states_of(names: Iterable[bytes]) -> dict[bytes, State]:
    """The marks that a folder's companion files say, by media file name; unmarked files are not in it.

    The one rule of what counts as a mark, for listings and for deeds alike: a companion counts by its name when it
    is a regular file, whatever its size. A link, a folder or anything else in a companion's place is no mark.

    Args:
        names: the names of the folder's regular files and nothing else (`DirEntry.is_file(follow_symlinks=False)`);
            other files among them do no harm.
    """
    states: dict[bytes, State] = {}
    for name in names:
        found = companion_of(name)
        if found is not None:
            owner, suffix = found
            states[owner] = states.get(owner, State.NONE) | _MARKS[suffix]
    return states


class Action(IntEnum):
    """The numbers are those of the contract's `Action`."""

    LOCK = 1
    UNLOCK = 2
    TRASH = 3
    UNTRASH = 4
    SEEN = 5
    UNSEEN = 6
    KEEP = 7  # of several takes this one


class StatusFilter(IntEnum):
    """The numbers are those of the contract's `StatusFilter`. Each names one mark; they may overlap."""

    ALL = 1
    UNSEEN = 2
    SEEN = 3
    LOCKED = 4
    TRASHED = 5

    def admits(self, state: State) -> bool:
        match self:
            case StatusFilter.ALL:
                return True
            case StatusFilter.UNSEEN:
                return not state & State.SEEN
            case StatusFilter.SEEN:
                return bool(state & State.SEEN)
            case StatusFilter.LOCKED:
                return bool(state & State.LOCKED)
            case StatusFilter.TRASHED:
                return bool(state & State.TRASHED)


def _after(state: State, action: Action) -> State:
    match action:
        case Action.LOCK:
            return state | State.LOCKED | State.SEEN
        case Action.UNLOCK:
            return state & ~State.LOCKED
        case Action.TRASH:
            return state | State.TRASHED | State.SEEN
        case Action.UNTRASH:
            return state & ~State.TRASHED
        case Action.SEEN:
            return state | State.SEEN
        case Action.UNSEEN:
            return state & ~State.SEEN
        case Action.KEEP:
            return (state | State.LOCKED | State.SEEN) & ~State.TRASHED


#: By number: working with flags costs microseconds, and a batch asks for hundreds of files.
STATES: Final = [State(number) for number in range(8)]
_LOCKED: Final = int(State.LOCKED)
_AFTER: Final = {action: [_after(state, action) for state in STATES] for action in Action}


def after(state: State, action: Action) -> State:
    """The state that the action leads to; doing it twice is doing it once.

    Raises:
        ItemLocked: `TRASH` of a locked file.
    """
    if action is Action.TRASH and int(state) & _LOCKED:
        raise ItemLocked
    return _AFTER[action][state]


def moved(now: State, before: State, after_: State) -> State:
    """`now`, with those marks that differ between `before` and `after_` put as `after_` has them, the others kept."""
    changed = before ^ after_
    return (now & ~changed) | (after_ & changed)


class Identity(NamedTuple):
    """What says that a file is still the same one and has not been changed. Of a link: the link's own facts."""

    device: int
    inode: int
    size_bytes: int
    mtime_ns: int

    def agrees(self, other: Identity) -> bool:
        """The same file, unchanged. The device is left out: its number differs after a remount, and whether the
        root is the same disk is the root's identity to say."""
        return self[1:] == other[1:]


@dataclass(frozen=True, slots=True)
class Probe:
    """Facts read from inside the file; all None when it cannot be decoded."""

    width_px: int | None = None  # orientation applied
    height_px: int | None = None
    duration_s: float | None = None


@dataclass(frozen=True, slots=True)
class Described:
    """All that a file says of itself."""

    probe: Probe = Probe()
    camera: Camera = field(default_factory=Camera)
    identity: Identity | None = None  # of the very file that was read; None: it could not be opened


@dataclass(frozen=True, slots=True)
class Description:
    """`Described`, of a file that was there."""

    probe: Probe
    camera: Camera
    identity: Identity


@dataclass(frozen=True, slots=True)
class Hashed:
    """The hash of a file that did not change while it was read."""

    sha256: bytes
    identity: Identity


@dataclass(frozen=True, slots=True)
class Item:
    """One media file as a page shows it."""

    path: bytes  # absolute
    kind: Kind
    state: State
    size_bytes: int
    modified_us: int
    created_us: int
    probe: Probe
    inode: int = field(default=0, compare=False)  # for a reader that follows files by it
