"""Reads sizes and descriptions of files that nobody vouches for, in child processes that may die of them."""

from __future__ import annotations

import logging
import queue
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, Generic, TypeVar

from fs_service.domain.items import Described, Probe
from fs_service.domain.media import Kind
from fs_service.probe_wire import (
    ANSWER,
    DESCRIPTION_MAX,
    HELLO,
    LENGTH,
    Garbled,
    description_of,
    frame_of,
    probe_of,
    receive,
)

T = TypeVar("T")

logger = logging.getLogger(__name__)

COMMAND: Final = (sys.executable, "-m", "fs_service.probe_child")
#: Files a frame: few enough that a page does not wait long behind a scan, enough to hide the round trip.
_CHUNK: Final = 32
_START_S: Final = 20.0
#: After so many files of one call hung, the rest of it gets the short limit: a page must come some time.
_PATIENCE: Final = 2
_SHORT_S: Final = 0.5


class _Fault(Enum):
    DIED = auto()  # or answered nonsense
    HUNG = auto()
    NO_START = auto()


class _Closed(OSError):
    """The child has ended."""


@dataclass(frozen=True, slots=True)
class _Question(Generic[T]):
    """What is asked of files, and how the answer is read."""

    described: bool
    read: Callable[[Callable[[int], bytes]], T]  # is given what takes so many bytes from the child
    nothing: T  # of a file that the child died of
    unasked: T  # when no child starts


def _read_size(take: Callable[[int], bytes]) -> Probe:
    return probe_of(take(ANSWER.size))


def _read_description(take: Callable[[int], bytes]) -> Described | None:
    (length,) = LENGTH.unpack(take(LENGTH.size))
    if length > DESCRIPTION_MAX:
        raise Garbled
    return description_of(take(ANSWER.size), take(length))


_SIZE: Final = _Question(False, _read_size, Probe(), Probe())
_DESCRIPTION: Final = _Question(True, _read_description, Described(), None)


class _Child:
    """One process and the socket to it, started again on the next question after it was put down."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self.answered = 0  # files since its start, 0 while it is down

    def start(self) -> bool:
        """Whether it runs."""
        if self._socket is not None:
            return True
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                self._process = subprocess.Popen(
                    self._command, stdin=theirs.fileno(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
                )
            self._socket = ours
            ours.settimeout(_START_S)
            if receive(ours, len(HELLO)) == HELLO:
                return True
        except OSError as error:
            logger.warning("a probe process does not start: %s", error)
        else:
            logger.warning("a probe process ended before it said hello")
        ours.close()
        self.stop()
        return False

    def stop(self) -> None:
        """Kill it. One that hangs in the kernel (a dead network mount) is left to it."""
        if self._socket is not None:
            self._socket.close()
            self._socket, self.answered = None, 0
        if self._process is not None:
            self._process.kill()
            try:
                self._process.wait(2)
            except subprocess.TimeoutExpired:
                logger.warning("probe process %d does not die; it waits for a disk", self._process.pid)
            self._process = None

    def ask(
        self, question: _Question[T], files: Sequence[tuple[bytes, Kind]], limits_s: Sequence[float]
    ) -> tuple[list[T], _Fault | None]:
        """The answers in order; with a fault there are fewer of them than files, and the child is down."""
        if not self.start() or self._socket is None:
            return [], _Fault.NO_START
        answers: list[T] = []
        try:
            self._socket.settimeout(limits_s[0])
            self._socket.sendall(frame_of(files, question.described))
            for limit_s in limits_s:
                answers.append(question.read(_taker(self._socket, limit_s)))
                self.answered += 1
        except TimeoutError:
            self.stop()
            return answers, _Fault.HUNG
        except (OSError, Garbled):
            self.stop()
            return answers, _Fault.DIED
        return answers, None


def _taker(connection: socket.socket, limit_s: float) -> Callable[[int], bytes]:
    """Takes so many bytes, as often as it is called, all of them within the limit.

    Raises (when called):
        TimeoutError, _Closed.
    """
    deadline = time.monotonic() + limit_s

    def take(count: int) -> bytes:
        taken = b""
        while len(taken) < count:
            connection.settimeout(max(0.001, deadline - time.monotonic()))
            part = connection.recv(count - len(taken))
            if not part:
                raise _Closed
            taken += part
        return taken

    return take


class Prober:
    """Implements `ports.Prober` with a few child processes. Thread safe; never raises."""

    def __init__(
        self,
        processes: int = 2,
        command: Sequence[str] = COMMAND,
        image_limit_s: float = 5.0,
        video_limit_s: float = 10.0,
    ) -> None:
        self._limits_s = {Kind.IMAGE: image_limit_s, Kind.VIDEO: video_limit_s}
        self._processes = processes
        self._children = [_Child(command) for _ in range(processes)]
        self._idle: queue.SimpleQueue[_Child] = queue.SimpleQueue()
        for child in self._children:
            self._idle.put(child)
        self._helpers = ThreadPoolExecutor(processes, thread_name_prefix="probe")

    def start(self) -> None:
        """Start the children now rather than at the first question."""
        for _ in range(self._processes):
            self._helpers.submit(self._warm)

    def close(self) -> None:
        """End the children; no question may be under way."""
        self._helpers.shutdown(cancel_futures=True)
        for child in self._children:
            child.stop()

    def probe(self, files: Sequence[tuple[bytes, Kind]]) -> list[Probe]:
        """Size and duration of each file, in the order given; all None for what cannot be decoded.

        Args:
            files: absolute paths to open, and what they are by name.
        """
        return self._asked(_SIZE, files)

    def describe(self, files: Sequence[tuple[bytes, Kind]]) -> list[Described | None]:
        """All that each file says of itself, in the order given; None when nobody could be asked."""
        return self._asked(_DESCRIPTION, files)

    def _asked(self, question: _Question[T], files: Sequence[tuple[bytes, Kind]]) -> list[T]:
        if not files:
            return []
        step = max(1, min(_CHUNK, -(-len(files) // self._processes)))
        call = _Call(question, [files[at : at + step] for at in range(0, len(files), step)])
        helpers = [self._helpers.submit(self._work, call) for _ in range(min(self._processes, len(call.chunks)) - 1)]
        self._work(call)
        for helper in helpers:
            if not helper.cancel():
                helper.result()
        return [answer for answers in call.results for answer in answers]

    def _work(self, call: _Call[T]) -> None:
        while (index := call.next_chunk()) is not None:
            child = self._idle.get()
            try:
                call.results[index] = self._chunk(child, call, call.chunks[index])
            finally:
                self._idle.put(child)

    def _chunk(self, child: _Child, call: _Call[T], files: Sequence[tuple[bytes, Kind]]) -> list[T]:
        done: list[T] = []
        alone = suspected = False
        while len(done) < len(files):
            asked = files[len(done) : len(done) + 1] if alone else files[len(done) :]
            was_fresh = child.answered == 0
            answers, fault = child.ask(call.question, asked, [self._limit_s(kind, call) for _, kind in asked])
            done += answers
            if answers:
                suspected = False
            alone = False
            if fault is None:
                continue
            if fault is _Fault.NO_START:
                return done + [call.question.unasked] * (len(files) - len(done))
            if fault is _Fault.DIED and not suspected:
                # What an earlier file left behind may have killed it, or somebody from outside: this one gets a process
                # of its own, and is to blame when that dies of it too.
                alone = True
                suspected = was_fresh and not answers
                continue
            suspected = False
            call.hung += fault is _Fault.HUNG
            logger.warning(
                "a probe process %s of %r", "hung" if fault is _Fault.HUNG else "died", asked[len(answers)][0]
            )
            done.append(call.question.nothing)
        return done

    def _limit_s(self, kind: Kind, call: _Call[T]) -> float:
        limit_s = self._limits_s[kind]
        return limit_s if call.hung < _PATIENCE else min(limit_s, _SHORT_S)

    def _warm(self) -> None:
        child = self._idle.get()
        try:
            child.start()
        finally:
            self._idle.put(child)


class _Call(Generic[T]):
    """One question, shared by the threads that answer it."""

    def __init__(self, question: _Question[T], chunks: list[Sequence[tuple[bytes, Kind]]]) -> None:
        self.question = question
        self.chunks = chunks
        self.results: list[list[T]] = [[] for _ in chunks]
        self.hung = 0
        self._next = 0
        self._lock = threading.Lock()

    def next_chunk(self) -> int | None:
        with self._lock:
            index = self._next
            self._next += 1
        return index if index < len(self.chunks) else None
