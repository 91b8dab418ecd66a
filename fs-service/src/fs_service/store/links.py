"""Where a symlink that looks like media leads, and whether its file may be shown."""

from __future__ import annotations

import os
import stat

from fs_service.domain.errors import OutsideRoots
from fs_service.domain.ports import Roots


def resolved(roots: Roots, link: bytes) -> bytes | None:
    """The file that a link leads to when it is a regular one inside the link's own (deepest) root; else None."""
    try:
        if not stat.S_ISREG(os.stat(link).st_mode):
            return None
        root = roots.place(link).root
    except (OSError, OutsideRoots):
        return None
    real = os.path.realpath(link)
    return real if real.startswith(os.path.realpath(root).rstrip(b"/") + b"/") else None


class LinkTargets:
    """Where the links of one root led when they were last judged: a link's own folder does not change when its file
    comes or goes."""

    def __init__(self, roots: Roots) -> None:
        self._roots = roots
        self._targets: dict[bytes, tuple[int, int] | None] = {}

    def leads_inside(self, link: bytes) -> bool:
        """Whether the link's file may be shown; remembers which file that is."""
        self._targets[link] = _target(link)
        return resolved(self._roots, link) is not None

    def has_moved(self, link: bytes) -> bool:
        """Whether the link has to be judged again."""
        return link not in self._targets or self._targets[link] != _target(link)

    def clear(self) -> None:
        """Judge all of them again."""
        self._targets.clear()


def _target(link: bytes) -> tuple[int, int] | None:
    """What the link leads to, as (device, inode); None: nothing."""
    try:
        facts = os.stat(link)
    except OSError:
        return None
    return facts.st_dev, facts.st_ino
