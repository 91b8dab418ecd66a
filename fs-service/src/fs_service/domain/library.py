"""The use cases of looking: which roots and folders there are, what is in them, how much of it is reviewed.

Every path taken is the request's own bytes; the checks are made here, in the order malformed, outside, missing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from media_common.errors import InvalidArgument, ServiceError

from fs_service.domain.errors import (
    HiddenPath,
    NotMedia,
    PathMalformed,
    PathMissing,
    RootNotConfigured,
    SettingOutOfRange,
    UnknownRoot,
)
from fs_service.domain.items import Item, StatusFilter
from fs_service.domain.media import is_hidden
from fs_service.domain.paths import HIDDEN_PICKER_PATHS, holds_hidden_place, is_hidden_place, is_inside, normalised
from fs_service.domain.ports import EventLog, Picker, Place, RootBook, RootState, SettingsBook, Shelves
from fs_service.domain.timeline import Cut, Histogram
from fs_service.domain.views import FolderInfo, FolderPage, Settings, Summary

__all__ = ["FolderInfo", "FolderPage", "Library", "RootInfo", "Settings", "Summary"]

PAGE_MAX: Final = 1000
STREAM_MAX: Final = 10_000
VIDEO_PRELOAD_MB: Final = range(1, 10_001)


@dataclass(frozen=True, slots=True)
class RootInfo:
    """A root and how it is now."""

    path: bytes
    state: RootState
    scanned: bool  # its first scan is complete
    reason: str  # why it is not online, a sentence; else empty


class Library:
    """Everything that only looks, and the list of roots."""

    def __init__(
        self,
        roots: RootBook,
        shelves: Shelves,
        picker: Picker,
        settings: SettingsBook,
        events: EventLog,
        state_dir: bytes,
    ) -> None:
        self._roots = roots
        self._shelves = shelves
        self._picker = picker
        self._settings = settings
        self._events = events
        # What the product keeps for itself is no library, and no root may bring its files in.
        self._state_dir = picker.real(state_dir)
        self._never_roots = (*HIDDEN_PICKER_PATHS, self._state_dir)

    # Roots and settings

    def roots(self) -> list[RootInfo]:
        """By path."""
        infos = []
        for path in self._roots.known():
            state, reason = self._roots.state(path)
            infos.append(RootInfo(path, state, self._shelves.scanned(path), reason))
        return infos

    def add_root(self, path: bytes) -> tuple[bytes, list[bytes]]:
        """The path as it is kept, and every known one. Its scan starts in the background.

        Raises:
            PathMalformed, HiddenPath, PathMissing (no directory), ConfigBroken.
        """
        clean = normalised(path)
        real = self._picker.real(clean)
        if any(is_hidden_place(one, self._never_roots) or holds_hidden_place(one) for one in (clean, real)):
            raise HiddenPath
        if any(_would_walk(one, self._state_dir) for one in (clean, real)):
            raise HiddenPath("Path holds the state directory of this server; take a folder beside it.")
        if not self._picker.is_folder(clean):
            raise PathMissing("Path does not exist or is not a directory.")
        self._roots.add(clean)
        self._shelves.root_added()
        return clean, self._roots.known()

    def remove_root(self, path: bytes) -> tuple[bytes, list[bytes]]:
        """The path taken off the list, and those left; no file is touched.

        Raises:
            PathMalformed, RootNotConfigured, ConfigBroken.
        """
        clean = normalised(path)
        if clean not in self._roots.known():
            raise RootNotConfigured
        self._roots.remove(clean)
        self._events.emit("root", {"path": os.fsdecode(clean), "state": "removed"})
        self._shelves.root_removed(clean)
        return clean, self._roots.known()

    def settings(self) -> Settings:
        return self._settings.settings()

    def update_settings(self, video_preload_mb: int) -> Settings:
        """Raises SettingOutOfRange, ConfigBroken."""
        if video_preload_mb not in VIDEO_PRELOAD_MB:
            raise SettingOutOfRange("videoPreloadMb must be an integer from 1 to 10000.")
        self._settings.set_video_preload_mb(video_preload_mb)
        return self._settings.settings()

    # Folders

    def folders(self, path: bytes) -> tuple[bytes, list[FolderInfo]]:
        """The picker: child folders of any directory outside the hidden policy, by name.

        Raises:
            PathMalformed, HiddenPath, PathMissing.
        """
        clean = normalised(path)
        if is_hidden_place(clean) or is_hidden_place(self._picker.real(clean)):
            raise HiddenPath
        if not self._picker.is_folder(clean):
            raise PathMissing("Path does not exist or is not a directory.")
        return clean, self._picker.below(clean)

    def folder_page(self, path: bytes, offset: int, limit: int) -> FolderPage:
        """A slice of one folder's media files, by name, fresh from the disk.

        Raises:
            InvalidArgument, PathMalformed, OutsideRoots, PathMissing, RootOffline.
        """
        _check_slice(offset, limit, PAGE_MAX)
        return self._shelves.folder_page(self._roots.place(normalised(path)), offset, limit)

    # Items

    def stream(
        self, path: bytes, offset: int, limit: int, status: StatusFilter, after: bytes | None
    ) -> Iterator[list[Item]]:
        """Items of a root in (name, path) order, batch by batch; the checks are made before the first one.

        Raises:
            InvalidArgument, PathMalformed, UnknownRoot, RootOffline.
        """
        _check_slice(offset, limit, STREAM_MAX)
        root = self._known(path)
        return self._shelves.stream(root, status, offset, _cursor(root, after), limit)

    def cut(self, path: bytes, cut: Cut, offset: int, limit: int, after: bytes | None) -> Iterator[list[Item]]:
        """As `stream`, of a folder of the root or by date. The cut's folder is an absolute path.

        Raises:
            As `stream`; InvalidArgument: days without the order by date, or a folder that is not in the root.
        """
        _check_slice(offset, limit, STREAM_MAX)
        if not cut.by_date and (cut.from_day is not None or cut.before_day is not None):
            raise InvalidArgument("A range of days goes with the order by date.")
        root = self._known(path)
        if cut.folder is not None:
            folder = normalised(cut.folder)
            if not is_inside(folder, root):
                raise InvalidArgument("folder must be a path inside the review path.")
            cut = replace(cut, folder=folder[len(root.rstrip(b"/")) + 1 :])
        return self._shelves.cut(root, cut, offset, _cursor(root, after), limit)

    def histogram(self, path: bytes, status: StatusFilter, *, recursive: bool) -> Histogram:
        """How many items of a root, or of a folder in one, are of which day.

        Raises:
            PathMalformed, OutsideRoots.
        """
        return self._shelves.histogram(self._roots.place(normalised(path)), status, recursive=recursive)

    def summary(self, path: bytes) -> Summary:
        """Raises PathMalformed, UnknownRoot."""
        root = self._known(path)
        counts = self._shelves.counts(root)
        return Summary(root, counts.all, counts.unseen, counts.seen, counts.locked, counts.trashed)

    def item(self, path: bytes) -> Item:
        """Raises as `place`."""
        return self._shelves.item(self._placed(path))

    def items(self, paths: Sequence[bytes]) -> list[Item | ServiceError]:
        """`item` of many, each with its own refusal."""
        found: list[Item | ServiceError] = []
        for path in paths:
            try:
                found.append(self.item(path))
            except ServiceError as error:
                found.append(error)
        return found

    def place(self, path: bytes) -> Place:
        """Where an existing media file is.

        Raises:
            PathMalformed, OutsideRoots, PathMissing, NotMedia, RootOffline.
        """
        place = self._placed(path)
        self._shelves.check(place)
        return place

    def replay(self, root: bytes | None) -> Iterator[list[Item]]:
        """Every item of one root, or of all that can be reached, each root by itself.

        Raises:
            PathMalformed, UnknownRoot, RootOffline: of the one that was asked for.
        """
        if root is not None:
            return self._shelves.stream(self._known(root), StatusFilter.ALL, 0, None, 2**62)
        return self._replay_all()

    def pending_scans(self) -> int:
        """Roots whose first scan is not yet kept."""
        return self._shelves.pending_scans()

    def _replay_all(self) -> Iterator[list[Item]]:
        for root in self._roots.known():
            if self._roots.state(root)[0] in (RootState.ONLINE, RootState.READ_ONLY):
                yield from self._shelves.stream(root, StatusFilter.ALL, 0, None, 2**62)

    def _known(self, path: bytes) -> bytes:
        clean = normalised(path)
        if clean not in self._roots.known():
            raise UnknownRoot
        return clean

    def _placed(self, path: bytes) -> Place:
        place = self._roots.place(normalised(path))
        if not place.relative:
            raise NotMedia
        return place


def _check_slice(offset: int, limit: int, most: int) -> None:
    if offset < 0:
        raise InvalidArgument("offset must be an integer >= 0.")
    if not 1 <= limit <= most:
        raise InvalidArgument(f"limit must be an integer from 1 to {most}.")


def _cursor(root: bytes, after: bytes | None) -> bytes | None:
    """The relative path behind which to go on; the file need not exist any more."""
    if after is None:
        return None
    try:
        clean = normalised(after)
    except PathMalformed as error:
        raise PathMalformed(f"after is no path: {error.message}") from error
    if clean == root or not is_inside(clean, root):
        raise InvalidArgument("after must be a path inside the review path.")
    return clean[len(root.rstrip(b"/")) + 1 :]


def _would_walk(root: bytes, folder: bytes) -> bool:
    """Whether the folder is below the root with no hidden one on the way."""
    if not is_inside(folder, root):
        return False
    return not any(is_hidden(name) for name in folder[len(root.rstrip(b"/")) :].split(b"/"))
