"""A render job, what can come of it, and what that means for its message. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from media_common import beneath
from media_common.formats import AUDIOS, DOCUMENTS, VIDEOS, extension_of
from media_common.subjects import MAX_DELIVERIES

SIZE_MAX_PX: Final = 1024
_SHA256_BYTES: Final = 32
#: Seconds before a failed job is tried again: doubled each time, so that a broken mount has about a minute to return.
_FIRST_PAUSE_S: Final = 2.0
_LONGEST_PAUSE_S: Final = 60.0


class BadJob(Exception):
    """The message is no job; no retry can help."""


@dataclass(frozen=True, slots=True)
class Job:
    """One thumbnail wanted: a file below a root, in one size; or a blob, which has a root while it is at hand."""

    root: bytes  # absolute
    relative: bytes  # clean: no empty, `.` or `..` part
    size_px: int
    state_cache: bytes = b""  # absolute; stands in for a root that cannot be written; empty: there is none
    sha256: bytes = b""  # of a blob: what is kept of it is the blob store's
    told_extension: bytes = b""  # of a blob, whose file's name says nothing

    def __post_init__(self) -> None:
        if self.sha256:
            if len(self.sha256) != _SHA256_BYTES:
                raise BadJob("A SHA-256 has 32 bytes.")
            if not self.root:
                return self._check_size()
        if not self.root.startswith(b"/") or b"\0" in self.root:
            raise BadJob("The root is not an absolute path.")
        if (self.state_cache and not self.state_cache.startswith(b"/")) or b"\0" in self.state_cache:
            raise BadJob("The state cache is not an absolute path.")
        self._check_size()
        try:
            beneath.split(self.relative)
        except ValueError as error:
            raise BadJob("The file's path is not a clean relative one.") from error

    def _check_size(self) -> None:
        if not 1 <= self.size_px <= SIZE_MAX_PX:
            raise BadJob(f"The size is not between 1 and {SIZE_MAX_PX}.")

    @property
    def path(self) -> bytes:
        """What it is known by, whichever worker it is at."""
        if self.sha256:
            return b"blob:" + self.sha256.hex().encode()
        return self.root.rstrip(b"/") + b"/" + self.relative

    @property
    def extension(self) -> bytes:
        return self.told_extension if self.sha256 else extension_of(self.relative.rpartition(b"/")[2])

    @property
    def is_video(self) -> bool:
        return self.extension in VIDEOS

    @property
    def has_picture(self) -> bool:
        return self.extension not in AUDIOS | DOCUMENTS


class Result(IntEnum):
    """What came of a job. The numbers go between the worker and its render process."""

    MADE = 1  # rendered and stored
    FRESH = 2  # a stored one is of this very state of the file
    UNSTORED = 3  # rendered, but no folder takes it
    UNREADABLE = 4  # the file cannot be decoded; `png` is a placeholder
    GONE = 5  # no such file, or a link leads out of the root
    UNREACHABLE = 6  # this worker cannot reach the root, another might
    FAILED = 7  # the render process died, hung or met a failing disk; `png`, if any, is a placeholder
    PICTURELESS = 8  # of a kind that has none; nothing was rendered


@dataclass(frozen=True, slots=True)
class Outcome:
    result: Result
    png: bytes = b""
    reason: str = ""  # a sentence, where there is one

    @property
    def is_placeholder(self) -> bool:
        return self.result in (Result.UNREADABLE, Result.FAILED)


@dataclass(frozen=True, slots=True)
class Ack:
    """The job is done, or there is nothing to do."""


@dataclass(frozen=True, slots=True)
class Again:
    """To be tried again after a pause."""

    pause_s: float


@dataclass(frozen=True, slots=True)
class Park:
    """No retry can help, or enough have been made: to be kept aside with the reason."""

    reason: str


Verdict = Ack | Again | Park


def verdict(outcome: Outcome, deliveries: int) -> Verdict:
    """What becomes of a background job's message.

    Args:
        deliveries: how often the job has been given out, this time included.
    """
    match outcome.result:
        case Result.MADE | Result.FRESH | Result.GONE | Result.PICTURELESS:
            return Ack()
        case Result.UNREADABLE:
            return Park(outcome.reason)
        case Result.UNSTORED | Result.UNREACHABLE | Result.FAILED:
            if deliveries >= MAX_DELIVERIES:
                return Park(f"{outcome.reason} It was tried {deliveries} times.")
            return Again(pause_s(deliveries))


def pause_s(deliveries: int) -> float:
    """Seconds until the next try."""
    return min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2.0 ** (deliveries - 1))


def lost_too_often(deliveries: int) -> Park | None:
    """The verdict on receipt of a job whose earlier deliveries were never settled: its workers died on it."""
    if deliveries <= MAX_DELIVERIES:
        return None
    return Park(f"It was given out {deliveries - 1} times and never finished.")
