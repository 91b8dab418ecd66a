"""How a review root was when it was looked at last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from fs_service.domain.ports import RootState


@dataclass(frozen=True, slots=True)
class RootStatus:
    """Times are microseconds since the epoch."""

    path: bytes
    state: RootState | None  # None: not looked at yet
    reason: str  # why it is not online, or that it does not answer, a sentence; else empty
    since_us: int  # the state is this one since then, as this process has seen it
    looked_us: int  # the end of the last look; 0: there was none
    answers: bool  # False: a look has been under way for too long, and the state is that of before
    free_bytes: int | None = None  # of its file system, for this service
    total_bytes: int | None = None


class RootStatuses(Protocol):
    """The roots, from memory."""

    def statuses(self) -> list[RootStatus]:
        """By path; waits for no disk but a moment for a root that was never looked at.

        Raises:
            ConfigBroken: which roots there are cannot be read.
        """
