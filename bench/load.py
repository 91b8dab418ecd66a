"""How many GET requests a second a server answers: by wrk where it is installed, else by threads of Python."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bench.client import Connection, at_once

_SECONDS: Final = 5
#: Of a client that is slow itself.
_ROUNDS: Final = 600
_SCRIPT: Final = """\
local targets = {%s}
local at = 0
function request()
    at = at %% #targets + 1
    return wrk.format("GET", targets[at])
end
"""


def client() -> str:
    """What measures here."""
    return "wrk" if shutil.which("wrk") else "client in Python"


def rate(port: int, targets: Sequence[str], connections: int, work: Path) -> float:
    """Answers a second, over so many keep-alive connections that each ask for one target after the other.

    Raises:
        RuntimeError: an answer was an error, or none came.
    """
    if not shutil.which("wrk"):
        return _by_threads(port, targets, connections)
    script = work / "targets.lua"
    script.write_text(_SCRIPT % ", ".join(map(json.dumps, targets)))
    command = ["wrk", "-t1", f"-c{connections}", f"-d{_SECONDS}s", "-s", str(script), f"http://127.0.0.1:{port}"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"^Requests/sec:\s*([0-9.]+)", said, re.MULTILINE)
    if found is None or "Non-2xx" in said or "Socket errors" in said:
        raise RuntimeError(f"wrk was not answered as it should be:\n{said}")
    return float(found[1])


def _by_threads(port: int, targets: Sequence[str], connections: int) -> float:
    def ask(connection: Connection) -> None:
        for number in range(_ROUNDS):
            connection.get(targets[number % len(targets)])

    return connections * _ROUNDS / at_once(port, [ask] * connections)
