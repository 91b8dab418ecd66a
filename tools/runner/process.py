"""One process of the stack: started in its own process group, its lines passed on, started again when it dies."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import sys
import time
from asyncio.subprocess import DEVNULL, STDOUT, Process
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from runner.output import MAX_LINE_BYTES, Output

#: The wait before a process that died is started again: doubled at each death, forgotten after a long enough life.
FIRST_DELAY_S: Final = 0.2
LONGEST_DELAY_S: Final = 10.0
GOOD_LIFE_S: Final = 30.0
#: A service's exit code for "my settings are wrong": trying again cannot help.
BAD_SETTINGS: Final = 2
#: How long to read on when a process is gone and something that it started still holds its output.
_LAST_WORDS_S: Final = 1.0
_PR_SET_PDEATHSIG: Final = 1


@dataclass(frozen=True, slots=True)
class Spec:
    """How one process is started and in which stage it is stopped."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    #: Stages stop one after another, the lowest first.
    stage: int = 0
    #: Lines with this in them go into the log file only.
    unremarkable: str | None = None
    #: Started when everything else is ready: the product is whole without it.
    later: bool = False


class Child:
    """A process that is kept alive from `run()` until `stop()`."""

    def __init__(self, spec: Spec, output: Output, changed: Callable[[], None]) -> None:
        self.spec = spec
        self.restarts = 0
        self.last_exit: int | None = None
        self._output = output
        self._changed = changed
        self._process: Process | None = None
        self._stopping = asyncio.Event()
        self._ended = asyncio.Event()

    @property
    def pid(self) -> int | None:
        """None while it is down."""
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    async def run(self) -> None:
        """Keep it alive; returns after `stop()`."""
        delay_s = FIRST_DELAY_S
        try:
            while not self._stopping.is_set():
                began = time.monotonic()
                how = await self._live()
                if self._stopping.is_set():
                    return
                if time.monotonic() - began >= GOOD_LIFE_S:
                    delay_s = FIRST_DELAY_S
                self.restarts += 1
                self._output.line("run", f"{self.spec.name} {how}; starting it again in {delay_s:.1f} s")
                self._changed()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), delay_s)
                delay_s = min(delay_s * 2, LONGEST_DELAY_S)
        finally:
            self._ended.set()

    async def stop(self, grace_s: float, hurry: asyncio.Event) -> None:
        """Ask, wait, then kill with everything it started; returns when it is gone.

        Args:
            hurry: cuts the wait short.
        """
        self._stopping.set()
        if self.pid is not None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGTERM)
        waits = [asyncio.create_task(event.wait()) for event in (self._ended, hurry)]
        await asyncio.wait(waits, timeout=grace_s, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        if not self._ended.is_set():
            self._output.line("run", f"{self.spec.name} does not stop; killing it")
            if self.pid is not None:
                _kill_group(self.pid)
            await self._ended.wait()

    async def _live(self) -> str:
        """Start it and stay with it until it ends; how it ended, in words."""
        # A pipe of our own: asyncio's would make `wait()` wait for everybody who inherited it.
        read_end, write_end = os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                *self.spec.command,
                env=dict(self.spec.environment),
                stdin=DEVNULL,
                stdout=write_end,
                stderr=STDOUT,
                # The terminal's Ctrl-C reaches this program only. No session of its own: Linux shares the processor out
                # between sessions first, and how nice somebody is counts only among those of the same one.
                process_group=0,
                preexec_fn=_DIE_WITH_PARENT,
            )
        except OSError as error:
            os.close(read_end)
            self.last_exit = None
            return f"cannot be started: {error.strerror}"
        finally:
            os.close(write_end)
        self._process = process
        reading = asyncio.create_task(self._pass_on(read_end))
        self._changed()
        if self._stopping.is_set():  # `stop()` came while it was being started
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
        code = await process.wait()
        _kill_group(process.pid)  # what it had started itself
        await asyncio.wait([reading], timeout=_LAST_WORDS_S)
        reading.cancel()
        self.last_exit = code
        return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"

    async def _pass_on(self, read_end: int) -> None:
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        loop = asyncio.get_running_loop()
        transport, _ = await loop.connect_read_pipe(lambda: protocol, os.fdopen(read_end, "rb", buffering=0))
        rest = b""
        try:
            while chunk := await reader.read(MAX_LINE_BYTES):
                *lines, rest = (rest + chunk).split(b"\n")
                if len(rest) > MAX_LINE_BYTES:
                    lines.append(rest)
                    rest = b""
                for line in lines:
                    self._say(line)
        finally:
            if rest:
                self._say(rest)
            transport.close()

    def _say(self, line: bytes) -> None:
        text = line.decode("utf-8", "backslashreplace").rstrip("\r")
        plain = self.spec.unremarkable is not None and self.spec.unremarkable in text
        self._output.line(self.spec.name, text, terminal=not plain)


def _kill_group(leader: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def _die_with_parent() -> Callable[[], None] | None:
    """A function for the new process that has the kernel kill it when this one is gone, however it went.

    Linux only; elsewhere a `kill -9` of this program leaves its processes running.
    """
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def ask() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the line above
            os._exit(1)

    return ask


_DIE_WITH_PARENT: Final = _die_with_parent()
