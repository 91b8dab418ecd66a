"""`make test`: all tests, in two lanes side by side, then those that need the machine for themselves.

run_tests.py [arguments of pytest]

A lane is an ordinary pytest over its folders, so a test is what it is in `python -m pytest`, which runs all of them one
after another. What a lane says is shown as it comes (the first) or when the lanes before it are over (the others). A
test that measures time or memory, or that loads every core, has the marker `alone`, `chaos` or `schema`.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

_ROOT: Final = Path(__file__).resolve().parent.parent
_MARKERS: Final = ("alone", "chaos", "schema")
_ALONE: Final = " or ".join(_MARKERS)
#: Left to `make compose-test`: it needs Docker.
_ELSEWHERE: Final = "compose"
_SERVICES: Final = ("common", "fs-service", "thumbnail-service", "metadata-service", "search-service", "gateway")
#: Those side by side take about as long as each other: the second waits more than it computes.
SIDE_BY_SIDE: Final[dict[str, tuple[str, ...]]] = {
    "services": (*(f"{service}/tests" for service in _SERVICES), "clients/python/tests"),
    "product": ("tests",),
}
#: pytest's exit code when nothing was selected, which is no failure of a lane.
_NONE_SELECTED: Final = 5


def main(arguments: Sequence[str]) -> int:
    """0 when every lane passed, else the exit code of the first that did not."""
    began = time.monotonic()
    codes = side_by_side(arguments)
    print("\n=== tests that need the machine for themselves", flush=True)
    alone = command("alone", ("-m", _ALONE, *arguments, *marked()))
    codes["alone"] = subprocess.run(alone, cwd=_ROOT, check=False).returncode
    failed = {lane: code for lane, code in codes.items() if code not in (0, _NONE_SELECTED)}
    took = f"after {time.monotonic() - began:.0f} s"
    print(f"\n=== {'failed: ' + ', '.join(failed) if failed else 'every lane passed'}, {took}", flush=True)
    return next(iter(failed.values()), 0)


def side_by_side(arguments: Sequence[str]) -> dict[str, int]:
    """Each lane's exit code."""
    codes: dict[str, int] = {}
    with TemporaryDirectory(prefix="framewell-tests-") as folder, ExitStack() as running:
        lanes: dict[str, subprocess.Popen[bytes]] = {}
        for lane, folders in SIDE_BY_SIDE.items():
            told = None if not lanes else running.enter_context((Path(folder) / lane).open("wb"))
            lane_command = command(lane, ("-m", f"not ({_ALONE} or {_ELSEWHERE})", *arguments, *folders))
            lanes[lane] = subprocess.Popen(lane_command, cwd=_ROOT, stdout=told, stderr=told)
            running.callback(_ended, lanes[lane])
        for lane, process in lanes.items():
            print(f"=== {lane}", flush=True)
            codes[lane] = process.wait()
            if (log := Path(folder) / lane).exists():
                sys.stdout.buffer.write(log.read_bytes())
                sys.stdout.flush()
    return codes


def marked() -> list[str]:
    """The files that have such a test: to import all the others takes long."""
    files = [file for lane in SIDE_BY_SIDE.values() for folder in lane for file in (_ROOT / folder).rglob("test_*.py")]
    words = [f"pytest.mark.{marker}" for marker in _MARKERS]
    return sorted(str(file) for file in files if any(word in file.read_text(encoding="utf-8") for word in words))


def command(lane: str, arguments: Sequence[str]) -> list[str]:
    # Each keeps what pytest keeps by itself: two would write the same files.
    return [sys.executable, "-m", "pytest", "-o", f"cache_dir=.pytest_cache/{lane}", *arguments]


def _ended(process: subprocess.Popen[bytes]) -> None:
    """It is told to stop as Ctrl-C tells it, and left to put its things away."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main(sys.argv[1:]))
