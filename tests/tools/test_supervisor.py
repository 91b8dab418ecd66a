"""How processes are kept alive and stopped, with small real ones."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest
from runner import process
from runner import supervisor as supervisor_module
from runner.output import Output
from runner.process import Spec
from runner.supervisor import BadSettings, Supervisor
from stack import wait_until

TOOLS = Path(__file__).resolve().parents[2] / "tools"

SLEEPS = """
import signal
print("up", flush=True)
signal.pause()
"""
SAYS_BYE = """
import signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(print("bye", flush=True)))
print("up", flush=True)
signal.pause()
"""
STUBBORN = """
import signal
signal.signal(signal.SIGTERM, lambda *_: print("no", flush=True))
print("up", flush=True)
while True:
    signal.pause()
"""
WITH_CHILD = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {SLEEPS!r}])
print(child.pid, flush=True)
child.wait()
"""
ODD = """
import signal, sys
sys.stdout.buffer.write(b"a\\xff\\n" + b"x" * 200_000 + b"\\nlast\\n")
sys.stdout.flush()
signal.pause()
"""


def spec(name: str, program: str, stage: int = 0) -> Spec:
    return Spec(name, (sys.executable, "-c", program), dict(os.environ), stage)


class Lines(Output):
    """Keeps what was said."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "text")
        self.said: list[tuple[str, str]] = []

    def line(self, name: str, text: str, terminal: bool = True) -> None:
        self.said.append((name, text))

    def of(self, name: str) -> list[str]:
        return [text for who, text in self.said if who == name]


@pytest.fixture
def output(tmp_path: Path) -> Iterator[Lines]:
    lines = Lines(tmp_path / "logs")
    yield lines
    lines.close()


async def eventually(true: Callable[[], bool], within_s: float = 15.0) -> None:
    async with asyncio.timeout(within_s):
        while not true():  # noqa: ASYNC110 - what is waited for is another process
            await asyncio.sleep(0.01)


@asynccontextmanager
async def supervised(output: Lines, *specs: Spec) -> AsyncIterator[Supervisor]:
    supervisor = Supervisor(list(specs), output, lambda: None)
    supervisor.start()
    try:
        yield supervisor
    finally:
        supervisor.hurry()
        await supervisor.stop()


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def test_a_process_that_dies_is_started_again_and_said_so(output: Lines) -> None:
    async with supervised(output, spec("fs", SLEEPS)) as supervisor:
        (child,) = supervisor.children
        await eventually(lambda: output.of("fs") == ["up"])
        first = child.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        await eventually(lambda: output.of("fs") == ["up", "up"])
        assert child.pid not in (None, first)
        assert child.restarts == 1
    assert "fs was ended by SIGKILL; starting it again in 0.2 s" in output.of("run")


async def test_who_is_for_later_is_started_when_told_and_stopped_with_the_others(output: Lines) -> None:
    first, second = spec("thumb-1", SAYS_BYE), dataclasses.replace(spec("thumb-2", SAYS_BYE), later=True)
    async with supervised(output, first, second) as supervisor:
        await eventually(lambda: output.of("thumb-1") == ["up"])
        assert supervisor.children[1].pid is None
        supervisor.start_later()
        await eventually(lambda: output.of("thumb-2") == ["up"])
        await supervisor.stop()
    assert output.of("thumb-1") == output.of("thumb-2") == ["up", "bye"]


async def test_who_is_for_later_comes_too_when_the_start_takes_very_long(
    output: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor_module, "SLOW_START_S", 0.0)
    later = dataclasses.replace(spec("thumb-2", SLEEPS), later=True)
    async with supervised(output, later) as supervisor:

        async def missing() -> str:
            return "" if output.of("thumb-2") else "search"

        async with asyncio.timeout(15):
            await supervisor.until_ready(missing)
        supervisor.start_later()
        await asyncio.sleep(0.2)
    assert output.of("thumb-2") == ["up"]


async def test_who_was_never_started_is_not_waited_for(output: Lines) -> None:
    later = dataclasses.replace(spec("thumb-2", SLEEPS), later=True)
    async with supervised(output, later) as supervisor:
        async with asyncio.timeout(1):
            await supervisor.stop()
    assert output.of("thumb-2") == []


async def test_processes_share_the_session_and_so_how_nice_they_are_counts_between_them(output: Lines) -> None:
    async with supervised(output, spec("fs", SLEEPS), spec("thumb-1", SLEEPS)) as supervisor:
        await eventually(lambda: output.of("fs") == output.of("thumb-1") == ["up"])
        pids = [child.pid for child in supervisor.children]
        assert None not in pids
        assert {os.getsid(pid or 0) for pid in pids} == {os.getsid(0)}
        assert [os.getpgid(pid or 0) for pid in pids] == pids


async def test_the_wait_doubles_with_every_death(output: Lines) -> None:
    async with supervised(output, spec("fs", "raise SystemExit(3)")):
        await eventually(lambda: len(output.of("run")) >= 3)
    waits = [line.rpartition(" in ")[2] for line in output.of("run")[:3]]
    assert waits == ["0.2 s", "0.4 s", "0.8 s"]
    assert output.of("run")[0].startswith("fs ended with exit code 3;")


async def test_the_wait_is_short_again_after_a_good_life(output: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "GOOD_LIFE_S", 0.0)
    async with supervised(output, spec("fs", "raise SystemExit(3)")):
        await eventually(lambda: len(output.of("run")) >= 3)
    assert {line.rpartition(" in ")[2] for line in output.of("run")[:3]} == {"0.2 s"}


async def test_a_program_that_is_missing_is_tried_again_like_one_that_died(output: Lines) -> None:
    missing = Spec("nats", ("/nowhere/nats-server",), {})
    async with supervised(output, missing):
        await eventually(lambda: len(output.of("run")) >= 2)
    assert output.of("run")[0] == "nats cannot be started: No such file or directory; starting it again in 0.2 s"


async def test_what_a_dead_process_had_started_goes_with_it(output: Lines) -> None:
    async with supervised(output, spec("thumb-1", WITH_CHILD)) as supervisor:
        await eventually(lambda: any(line.isdigit() for line in output.of("thumb-1")))
        grandchild = int(next(line for line in output.of("thumb-1") if line.isdigit()))
        pid = supervisor.children[0].pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        await eventually(lambda: not alive(grandchild))


async def test_stages_stop_one_after_another_and_nobody_is_started_again(output: Lines) -> None:
    specs = [spec("nats", SAYS_BYE, 3), spec("fs", SAYS_BYE, 2), spec("gateway", SAYS_BYE, 0)]
    async with supervised(output, *specs) as supervisor:
        await eventually(lambda: all(output.of(name) == ["up"] for name in ("nats", "fs", "gateway")))
        await supervisor.stop()
        assert [name for name, text in output.said if text == "bye"] == ["gateway", "fs", "nats"]
        assert [child.restarts for child in supervisor.children] == [0, 0, 0]


async def test_one_that_does_not_want_to_stop_is_killed_with_its_children(
    output: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runner.supervisor.GRACE_S", (0.3, 0.3, 0.3, 0.3))
    async with supervised(output, spec("fs", STUBBORN), spec("thumb-1", WITH_CHILD)) as supervisor:
        await eventually(lambda: "up" in output.of("fs") and len(output.of("thumb-1")) == 2)
        pids = [child.pid for child in supervisor.children]
        grandchild = int(next(line for line in output.of("thumb-1") if line.isdigit()))
        began = time.monotonic()
        await supervisor.stop()
        assert time.monotonic() - began < 5
        assert not any(alive(pid) for pid in (*pids, grandchild) if pid is not None)
    assert "fs does not stop; killing it" in output.of("run")


@pytest.mark.alone
async def test_a_second_signal_makes_haste(output: Lines) -> None:
    async with supervised(output, spec("fs", STUBBORN)) as supervisor:
        await eventually(lambda: "up" in output.of("fs"))
        began = time.monotonic()
        supervisor.hurry()
        await supervisor.stop()
        assert time.monotonic() - began < 1


@pytest.mark.alone
async def test_stopping_during_the_wait_for_a_restart_does_not_wait(output: Lines) -> None:
    async with supervised(output, spec("fs", "raise SystemExit(3)")) as supervisor:
        await eventually(lambda: len(output.of("run")) >= 3)
        began = time.monotonic()
        await supervisor.stop()
        assert time.monotonic() - began < 1


async def test_exit_code_2_at_the_start_means_that_trying_again_cannot_help(output: Lines) -> None:
    async def never() -> str:
        return "fs"

    async with supervised(output, spec("fs", "raise SystemExit(2)")) as supervisor:
        with pytest.raises(BadSettings, match="fs cannot start with these settings"):
            async with asyncio.timeout(10):
                await supervisor.until_ready(never)


async def test_lines_however_long_or_odd_are_passed_on(output: Lines) -> None:
    async with supervised(output, spec("fs", ODD)):
        await eventually(lambda: sum(len(line) for line in output.of("fs")) >= 200_005)
    assert output.of("fs")[0] == "a\\xff"
    assert output.of("fs")[-1] == "last"
    assert "".join(output.of("fs")[1:-1]) == "x" * 200_000


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent-death signal is Linux's")
def test_when_the_supervisor_is_killed_its_processes_go_too() -> None:
    program = f"""
import asyncio, os, sys, tempfile
from pathlib import Path
from runner.output import Output
from runner.process import Spec
from runner.supervisor import Supervisor

async def main():
    spec = Spec("fs", (sys.executable, "-c", {SLEEPS!r}), dict(os.environ))
    supervisor = Supervisor([spec], Output(Path(tempfile.mkdtemp()), "text"), lambda: None)
    supervisor.start()
    while supervisor.children[0].pid is None:
        await asyncio.sleep(0.01)
    print("pid", supervisor.children[0].pid, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""
    parent = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(TOOLS)}
    )
    assert parent.stdout is not None
    with parent.stdout:
        pid = int(next(line for line in parent.stdout if line.startswith("pid")).split()[1])
        assert alive(pid)
        parent.kill()
        parent.wait()
    wait_until(lambda: not alive(pid), 5.0, "its process is gone")
