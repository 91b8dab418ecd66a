"""The product under measurement: started on a state directory of its own, its processes' CPU and memory read."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import psutil

_RUN_LOCAL: Final = Path(__file__).resolve().parent.parent / "tools" / "run_local.py"
_START_S: Final = 60.0
_SAMPLE_S: Final = 0.2


class Product:
    """One running stack; leaving the block stops it. Its memory is watched all the while."""

    def __init__(self, state_dir: Path, workers: int = 2, **settings: str) -> None:
        """
        Args:
            settings: more variables of its environment.
        """
        self._state_dir = state_dir
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("FRAMEWELL_")}
        self._environment = inherited | {
            "FRAMEWELL_STATE_DIR": str(state_dir),
            "FRAMEWELL_PORT": str(self.port),
            "THUMBNAIL_WORKERS": str(workers),
            "FRAMEWELL_LOG_LEVEL": "WARNING",
            "FRAMEWELL_ENCODER": "off",  # what is measured of search says which
            **settings,
        }
        self.start_s = 0.0
        self.peak_rss_bytes = 0
        self._done = threading.Event()
        self._sampler = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> Self:
        self._state_dir.mkdir(parents=True, exist_ok=True)
        began = time.perf_counter()
        with (self._state_dir / "terminal.log").open("ab") as log:
            self._supervisor = subprocess.Popen(
                [sys.executable, str(_RUN_LOCAL)],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            wait_for(lambda: bool(self._facts().get("ready")), _START_S, "the product is ready", 0.01)
            self.start_s = time.perf_counter() - began
            wait_for(self._all_listen, _START_S, "every worker listens", 0.01)
        except BaseException:
            self._stop()
            raise
        self._sampler.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._sampler.join()
        self._stop()

    def _stop(self) -> None:
        self._supervisor.send_signal(signal.SIGTERM)
        self._supervisor.wait(30)

    def processes(self) -> dict[str, psutil.Process]:
        """Each service's process by its name, the supervisor as `run`."""
        found = {"run": psutil.Process(self._supervisor.pid)}
        for name, facts in self._facts().get("processes", {}).items():
            if facts["pid"] is not None:
                found[name] = psutil.Process(facts["pid"])
        return found

    def rss_bytes(self) -> dict[str, int]:
        """Resident memory of each service with the processes that it started."""
        return {name: _tree_rss(process, name != "run") for name, process in self.processes().items()}

    def pss_bytes(self) -> dict[str, int]:
        """The same with every page that processes share counted once, a part to each: what the stack really takes."""
        return {name: _tree_pss(process, name != "run") for name, process in self.processes().items()}

    def total_rss_bytes(self) -> int:
        return sum(self.rss_bytes().values())

    def socket(self, name: str) -> str:
        """Where a service listens, as gRPC has it."""
        return str(self._facts()["sockets"][name])

    def cpu_s(self, prefix: str) -> float:
        """Processor time used so far by the services whose name begins so, with all that they started, ended or not."""
        total = 0.0
        for name, process in self.processes().items():
            if name.startswith(prefix):
                # The supervisor's children are the services, who are counted by their own names.
                for one in (process, *(process.children(recursive=True) if name != "run" else ())):
                    times = one.cpu_times()
                    total += times.user + times.system + times.children_user + times.children_system
        return total

    @contextmanager
    def suspended(self, *prefixes: str) -> Iterator[None]:
        """The services whose name begins so stand still, so that what they do behind is not in the figures."""
        held = [process for name, process in self.processes().items() if name.startswith(prefixes)]
        for process in held:
            process.suspend()
        try:
            yield
        finally:
            for process in held:
                process.resume()

    def _facts(self) -> dict[str, Any]:
        try:
            facts: dict[str, Any] = json.loads((self._state_dir / "run.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            if self._supervisor.poll() is not None:
                tail = (self._state_dir / "terminal.log").read_text(errors="replace")[-2000:]
                raise RuntimeError(f"the product ended:\n{tail}") from None
            return {}
        return facts

    def _all_listen(self) -> bool:
        """Workers beyond the first follow when the product is ready."""
        for address in self._facts()["sockets"].values():
            with socket.socket(socket.AF_UNIX) as probe:
                if probe.connect_ex(str(address).removeprefix("unix:")):
                    return False
        return True

    def _sample(self) -> None:
        while not self._done.wait(_SAMPLE_S):
            self.peak_rss_bytes = max(self.peak_rss_bytes, self.total_rss_bytes())


def _tree_rss(process: psutil.Process, with_children: bool) -> int:
    return _summed(process, with_children, lambda one: int(one.memory_info().rss))


def _tree_pss(process: psutil.Process, with_children: bool) -> int:
    return _summed(process, with_children, lambda one: int(one.memory_full_info().pss))


def _summed(process: psutil.Process, with_children: bool, size: Callable[[psutil.Process], int]) -> int:
    total = 0
    with suppress(psutil.NoSuchProcess):
        total += size(process)
        for child in process.children(recursive=True) if with_children else []:
            total += size(child)
    return total


def wait_for(is_so: Callable[[], bool], within_s: float, what: str, every_s: float = 0.02) -> None:
    """Look until it holds.

    Raises:
        TimeoutError: it does not in time; the text names it.
    """
    end = time.perf_counter() + within_s
    while not is_so():
        if time.perf_counter() > end:
            raise TimeoutError(f"not within {within_s:g} s: {what}")
        time.sleep(every_s)
