"""Whether everything that a library needs is there: versions, services, roots, disk space. What was found out is judged
here; who asks is the operator."""

from __future__ import annotations

import os
import platform
import shutil
import sqlite3
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Final

from gateway.command.operator import Check
from gateway.command.stack import PACKAGE
from gateway.paths import text_of

#: Below this a disk is nearly full.
LOW_BYTES: Final = 1024**3
#: Nothing of the kind is set up, or nobody can say: no fault of the stack's.
_FINE: Final = frozenset(("up", "off", "unknown"))


def version_check(running: str | None, *, same: bool) -> Check:
    """
    Args:
        running: what the gateway says; None: it says nothing.
        same: it runs from what is installed here, so another version is one that was not started again.
    """
    installed = metadata.version(PACKAGE)
    told = f"Framewell {installed}, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    if running is None or (same and running == installed):
        return Check("version", True, told)
    if same:
        return Check("version", False, f"{told}, but {running} runs: start it again")
    return Check("version", True, f"Framewell {running}; this command {installed}")


def part_check(name: str, state: str, reason: str) -> Check:
    # Search only makes finding better; everything else works without it.
    ok = state in _FINE or name == "search"
    return Check(f"service {name}", ok, f"{state}: {reason}" if reason else state)


def root_check(path: bytes, state: str, reason: str = "") -> Check:
    """Reachable and writable, or why not."""
    return Check(f"root {text_of(path)}", state == "online", f"{state}: {reason}" if reason else state)


def space_check(name: str, folder: bytes | Path) -> Check:
    try:
        free = shutil.disk_usage(os.fsencode(folder)).free
    except OSError as error:
        return Check(name, False, error.strerror or "it cannot be read")
    return Check(name, free >= LOW_BYTES, f"{free / 1e9:.1f} GB free")


def root_space_check(path: bytes) -> Check:
    """The disk of a review path that the file service reaches; this process may not, where each has a container."""
    name = f"disk of {text_of(path)}"
    if not os.path.lexists(path):
        return Check(name, True, "not seen from here")
    return space_check(name, path)


def state_check(state: Path) -> Check:
    """The state directory: writable, with room, for its owner alone."""
    check = space_check("state directory", state)
    if not os.access(state, os.W_OK | os.X_OK):
        return Check(check.name, False, "it cannot be written")
    return check


def all_well(checks: Iterable[Check]) -> bool:
    return all(check.ok for check in checks)
