"""Reads sizes and durations of files that nobody vouches for, in child processes that may die of them."""

from __future__ import annotations

import logging
import queue
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from enum import Enum, auto
from typing import Final

from fs_service.domain.items import Probe
from fs_service.domain.media import Kind
from fs_service.probe_wire import ANSWER, HELLO, Garbled, frame_of, probe_of, receive

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

    def ask(self, files: Sequence[tuple[bytes, Kind]], limits_s: Sequence[float]) -> tuple[list[Probe], _Fault | None]:
        """The answers in order; with a fault there are fewer of them than files, and the child is down."""
        if not self.start() or self._socket is None:
            return [], _Fault.NO_START
        probes: list[Probe] = []
        try:
            self._socket.settimeout(limits_s[0])
            self._socket.sendall(frame_of(files))
            for limit_s in limits_s:
                answer = self._receive_within(self._socket, limit_s)
                if answer is None:
                    self.stop()
                    return probes, _Fault.DIED
                probes.append(probe_of(answer))
                self.answered += 1
        except TimeoutError:
            self.stop()
            return probes, _Fault.HUNG
        except (OSError, Garbled):
            self.stop()
            return probes, _Fault.DIED
        return probes, None

    @staticmethod
    def _receive_within(connection: socket.socket, limit_s: float) -> bytes | None:
        deadline = time.monotonic() + limit_s
        answer = b""
        while len(answer) < ANSWER.size:
            connection.settimeout(max(0.001, deadline - time.monotonic()))
            part = connection.recv(ANSWER.size - len(answer))
            if not part:
                return None
            answer += part
        return answer


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
        if not files:
            return []
        step = max(1, min(_CHUNK, -(-len(files) // self._processes)))
        call = _Call([files[at : at + step] for at in range(0, len(files), step)])
        helpers = [self._helpers.submit(self._work, call) for _ in range(min(self._processes, len(call.chunks)) - 1)]
        self._work(call)
        for helper in helpers:
            if not helper.cancel():
                helper.result()
        return [probe for probes in call.results for probe in probes]

    def _work(self, call: _Call) -> None:
        while (index := call.next_chunk()) is not None:
            child = self._idle.get()
            try:
                call.results[index] = self._chunk(child, call, call.chunks[index])
            finally:
                self._idle.put(child)

    def _chunk(self, child: _Child, call: _Call, files: Sequence[tuple[bytes, Kind]]) -> list[Probe]:
        done: list[Probe] = []
        alone = False
        while len(done) < len(files):
            asked = files[len(done) : len(done) + 1] if alone else files[len(done) :]
            alone = False
            was_fresh = child.answered == 0
            probes, fault = child.ask(asked, [self._limit_s(kind, call) for _, kind in asked])
            done += probes
            if fault is None:
                continue
            if fault is _Fault.NO_START:
                return done + [Probe()] * (len(files) - len(done))
            if fault is _Fault.DIED and not (was_fresh and not probes):
                # What an earlier file left behind may have killed it: this one gets a process of its own.
                alone = True
                continue
            call.hung += fault is _Fault.HUNG
            logger.warning(
                "a probe process %s of %r", "hung" if fault is _Fault.HUNG else "died", asked[len(probes)][0]
            )
            done.append(Probe())
        return done

    def _limit_s(self, kind: Kind, call: _Call) -> float:
        limit_s = self._limits_s[kind]
        return limit_s if call.hung < _PATIENCE else min(limit_s, _SHORT_S)

    def _warm(self) -> None:
        child = self._idle.get()
        try:
            child.start()
        finally:
            self._idle.put(child)


class _Call:
    """One question, shared by the threads that answer it."""

    def __init__(self, chunks: list[Sequence[tuple[bytes, Kind]]]) -> None:
        self.chunks = chunks
        self.results: list[list[Probe]] = [[] for _ in chunks]
        self.hung = 0
        self._next = 0
        self._lock = threading.Lock()

    def next_chunk(self) -> int | None:
        with self._lock:
            index = self._next
            self._next += 1
        return index if index < len(self.chunks) else None
