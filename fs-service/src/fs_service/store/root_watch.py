"""How the roots are, known without waiting: each is looked at by a thread of its own, so that a disk that hangs hides
nothing but itself, and hides that no longer than a second or two.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from media_common.errors import ServiceError

from fs_service.domain.ports import EventLog, Roots, RootState
from fs_service.domain.root_status import RootStatus

logger = logging.getLogger(__name__)

#: From the end of one look at a root to the next.
_ROUND_S: Final = 1.0
#: A look that takes longer is said not to have been answered. A disk that sleeps takes seconds to wake up.
_PATIENCE_S: Final = 3.0
#: So long is a root waited for that was never looked at, before it is said that nobody knows.
_FIRST_S: Final = 0.5
_UNANSWERED: Final = "It does not answer; this is how it was when it last did."
_NEVER: Final = "It has not answered yet."
_NAMES: Final = {
    RootState.ONLINE: "online",
    RootState.READ_ONLY: "read-only",
    RootState.OFFLINE: "offline",
    RootState.SWAPPED: "swapped",
    None: "unknown",
}


@dataclass(frozen=True, slots=True)
class _Found:
    """What a look saw."""

    state: RootState
    reason: str
    free_bytes: int | None
    total_bytes: int | None


class _Looker:
    """One root's thread. It is never waited for: one that hangs in the kernel ends when the disk lets it go."""

    def __init__(self, root: bytes, look: Callable[[bytes], _Found], news: threading.Event) -> None:
        self._root = root
        self._look = look
        self._news = news
        self._mutex = threading.Lock()
        self._stop = threading.Event()
        self._began: float | None = None
        self._status = RootStatus(root, None, _NEVER, _now_us(), 0, answers=False)
        self.first = threading.Event()
        threading.Thread(target=self._run, name="root-look", daemon=True).start()

    def stop(self) -> None:
        self._stop.set()

    def status(self) -> RootStatus:
        with self._mutex:
            is_late = self._began is not None and time.monotonic() - self._began > _PATIENCE_S
            if not is_late or not self._status.looked_us:
                return self._status
            return replace(self._status, answers=False, reason=_UNANSWERED)

    def _run(self) -> None:
        while not self._stop.is_set():
            with self._mutex:
                self._began = time.monotonic()
            try:
                found = self._look(self._root)
            except Exception:
                # A thread that ended here would show for ever how the root was.
                logger.exception("a look at a review path stumbles")
                found = _Found(RootState.OFFLINE, "It cannot be looked at.", None, None)
            with self._mutex:
                self._began = None
                before = self._status
                is_same = before.state is found.state
                now = _now_us()
                self._status = RootStatus(
                    self._root,
                    found.state,
                    found.reason,
                    before.since_us if is_same else now,
                    now,
                    answers=True,
                    free_bytes=found.free_bytes,
                    total_bytes=found.total_bytes,
                )
            self.first.set()
            self._news.set()
            self._stop.wait(_ROUND_S)


class RootWatch:
    """Implements `domain.root_status.RootStatuses`, and tells the followers of every change."""

    def __init__(self, roots: Roots, events: EventLog) -> None:
        self._roots = roots
        self._events = events
        self._mutex = threading.Lock()
        self._lookers: dict[bytes, _Looker] = {}
        self._told: dict[bytes, tuple[object, ...]] = {}
        self._news = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="root-watch", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """The threads of roots that hang are left behind."""
        self._stop.set()
        self._news.set()
        self._thread.join()
        with self._mutex:
            for looker in self._lookers.values():
                looker.stop()

    def statuses(self) -> list[RootStatus]:
        lookers = self._in_use()
        until = time.monotonic() + _FIRST_S
        for looker in lookers:
            looker.first.wait(max(0.0, until - time.monotonic()))
        return [looker.status() for looker in lookers]

    def _in_use(self) -> list[_Looker]:
        """One for each root there is now, by path."""
        known = self._roots.known()
        with self._mutex:
            for root in self._lookers.keys() - set(known):
                self._lookers.pop(root).stop()
                self._told.pop(root, None)
            for root in known:
                if root not in self._lookers and not self._stop.is_set():
                    self._lookers[root] = _Looker(root, self._look, self._news)
            return [self._lookers[root] for root in sorted(known) if root in self._lookers]

    def _look(self, root: bytes) -> _Found:
        state, reason = self._roots.state(root)
        if state is RootState.OFFLINE:
            return _Found(state, reason, None, None)
        try:
            facts = os.statvfs(root)
        except OSError:
            return _Found(state, reason, None, None)
        return _Found(state, reason, facts.f_bavail * facts.f_frsize, facts.f_blocks * facts.f_frsize)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._news.wait(_ROUND_S)
            self._news.clear()
            try:
                for looker in self._in_use():
                    self._tell(looker.status())
            except ServiceError as error:
                logger.debug("the roots' states are not told: %s", error.message)

    def _tell(self, status: RootStatus) -> None:
        """The space that is left changes all the time and is no news."""
        news = (status.state, status.reason, status.answers)
        before = self._told.get(status.path)
        if before == news or not status.looked_us:
            return
        self._told[status.path] = news
        if before is not None:  # how it is at the beginning is there to be asked for
            self._events.emit("root-status", status_json(status))


def status_json(status: RootStatus) -> dict[str, Any]:
    """As the public event prints it."""
    return {
        "path": os.fsdecode(status.path),
        "state": _NAMES[status.state],
        "reason": status.reason,
        "since": datetime.fromtimestamp(status.since_us / 1e6, UTC).isoformat(timespec="microseconds"),
        "answers": status.answers,
    }


def _now_us() -> int:
    return time.time_ns() // 1_000
