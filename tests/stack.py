"""The whole product as processes, for tests: started by `tools/run_local.py`, on its own state directory and port.

    with running_stack(tmp_path / "state", workers=1) as stack:
        httpx.get(f"{stack.url}/api/health")
        stack.kill("fs")                    # SIGKILL; it comes back with another pid
        stack.wait_restarted("fs", old_pid)
        stack.stop()                        # SIGTERM; the exit code
        stack.start()                       # again on the same state and port

Process names: nats, fs, metadata, search, thumb-1 … thumb-N, gateway. The fixtures are in `conftest.py`.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

REPOSITORY = Path(__file__).resolve().parent.parent
RUN_LOCAL = REPOSITORY / "tools" / "run_local.py"
#: A machine that is busy with other things may be slow to start; the product's own limits are tested by themselves.
START_S = 60.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until(true: Callable[[], bool], within_s: float, what: str) -> None:
    """Look every 20 ms until it holds; an AssertionError names `what` when it does not in time."""
    deadline = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline, f"not within {within_s} s: {what}"
        time.sleep(0.02)


class Stack:
    """One stack; it may be stopped and started again."""

    def __init__(self, state_dir: Path, workers: int, environment: Mapping[str, str]) -> None:
        self.state_dir = state_dir
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("FRAMEWELL_")}
        self.environment = {
            **inherited,
            "FRAMEWELL_STATE_DIR": str(state_dir),
            "FRAMEWELL_PORT": str(self.port),
            "THUMBNAIL_WORKERS": str(workers),
            "FRAMEWELL_ENCODER": "off",  # a model takes seconds and memory; who searches says which
            **environment,
        }
        self._supervisor: subprocess.Popen[bytes] | None = None

    @property
    def run_file(self) -> Path:
        return self.state_dir / "run.json"

    @property
    def pid(self) -> int:
        """Of the supervisor."""
        assert self._supervisor is not None
        return self._supervisor.pid

    def start(self, ready: bool = True) -> None:
        """Start it and (unless told otherwise) wait until it says that it is ready."""
        self.state_dir.mkdir(parents=True, exist_ok=True)
        with (self.state_dir / "terminal.log").open("ab") as terminal:
            self._supervisor = subprocess.Popen(
                [sys.executable, str(RUN_LOCAL)],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=terminal,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        if ready:
            self.wait_ready()

    def wait_ready(self, within_s: float = START_S) -> None:
        supervisor = self._supervisor
        assert supervisor is not None

        def is_ready() -> bool:
            assert supervisor.poll() is None, f"the stack ended with {supervisor.returncode}:\n{self.terminal()}"
            facts = self.facts()
            return facts.get("pid") == supervisor.pid and bool(facts.get("ready"))

        try:
            wait_until(is_ready, within_s, "the stack is ready")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.terminal()[-6000:]}") from None

    def stop(self, number: signal.Signals = signal.SIGTERM, within_s: float = 20.0) -> int:
        """Ask it to stop; its exit code. Stopping a stopped one is fine."""
        if self._supervisor is None:
            return 0
        if self._supervisor.poll() is None:
            self._supervisor.send_signal(number)
        code = self._supervisor.wait(within_s)
        self._supervisor = None
        return code

    def facts(self) -> dict[str, Any]:
        """What run.json says now; empty when it is not there."""
        try:
            facts: dict[str, Any] = json.loads(self.run_file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        return facts

    def pids(self) -> dict[str, int | None]:
        """The process id of each service; None while it is down."""
        return {name: process["pid"] for name, process in self.facts().get("processes", {}).items()}

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> int:
        """Send the signal to one service; the process id that it had."""
        wait_until(lambda: self.pids().get(name) is not None, 15.0, f"{name} runs")
        pid = self.pids()[name]
        assert pid is not None
        os.kill(pid, number)
        return pid

    def wait_restarted(self, name: str, old_pid: int, within_s: float = 20.0) -> int:
        """The process id of its successor, as soon as there is one (which may not answer yet)."""
        wait_until(lambda: self.pids().get(name) not in (None, old_pid), within_s, f"{name} is started again")
        pid = self.pids()[name]
        assert pid is not None
        return pid

    def terminal(self) -> str:
        """All that it printed, over all starts."""
        return (self.state_dir / "terminal.log").read_text(encoding="utf-8", errors="replace")

    def left_running(self) -> list[psutil.Process]:
        """Every process, children of children included, that was started for this state directory and still is."""
        left = []
        for process in psutil.process_iter():
            try:
                if process.status() == psutil.STATUS_ZOMBIE:
                    continue
                if process.environ().get("FRAMEWELL_STATE_DIR") == str(self.state_dir):
                    left.append(process)
            except psutil.Error:
                continue
        return left


@contextmanager
def running_stack(state_dir: Path, workers: int = 1, environment: Mapping[str, str] | None = None) -> Iterator[Stack]:
    """A stack that is ready; stopped at the end, and everything of it is gone then.

    Args:
        environment: added to what it inherits; `FRAMEWELL_*` of the test's own environment are not inherited.
    """
    stack = Stack(state_dir, workers, environment or {})
    try:
        stack.start()
        yield stack
    finally:
        try:
            stack.stop()
        finally:
            for process in stack.left_running():
                with suppress(psutil.NoSuchProcess):
                    process.kill()
