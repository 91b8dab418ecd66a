"""How many requests a second a server answers: by wrk where it is installed, else by threads of Python."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from bench.client import Connection, at_once

_SECONDS: Final = 5
#: Of a client that is slow itself.
_ROUNDS: Final = 600
_GETS: Final = """\
local targets = {%s}
local at = 0
function request()
    at = at %% #targets + 1
    return wrk.format("GET", targets[at])
end
"""
_POSTS: Final = """\
local bodies = {%s}
local at = 0
local headers = {["Content-Type"] = "application/json"}
function request()
    at = at %% #bodies + 1
    return wrk.format("POST", %s, headers, bodies[at])
end
"""


def client() -> str:
    """What measures here."""
    return "wrk" if shutil.which("wrk") else "client in Python"


def rate(port: int, targets: Sequence[str], connections: int, work: Path) -> float:
    """Answers a second, over so many keep-alive connections that each GET one target after the other.

    Raises:
        RuntimeError: an answer was an error, or none came.
    """
    if not shutil.which("wrk"):
        return _by_threads(port, len(targets), connections, lambda one, at: one.get(targets[at]))
    return _by_wrk(port, _GETS % ", ".join(map(json.dumps, targets)), connections, work)


def post_rate(port: int, target: str, bodies: Sequence[object], connections: int, work: Path) -> float:
    """The same for POST of JSON bodies to one target.

    Raises:
        RuntimeError: an answer was an error, or none came.
    """
    if not shutil.which("wrk"):
        return _by_threads(port, len(bodies), connections, lambda one, at: one.post(target, bodies[at]))
    # A body is put in as a string of JSON text: what is escaped in it twice, Lua reads as it stands.
    texts = ", ".join(json.dumps(json.dumps(body)) for body in bodies)
    return _by_wrk(port, _POSTS % (texts, json.dumps(target)), connections, work)


def _by_wrk(port: int, script: str, connections: int, work: Path) -> float:
    file = work / "requests.lua"
    file.write_text(script)
    command = ["wrk", "-t1", f"-c{connections}", f"-d{_SECONDS}s", "-s", str(file), f"http://127.0.0.1:{port}"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"^Requests/sec:\s*([0-9.]+)", said, re.MULTILINE)
    if found is None or "Non-2xx" in said or "Socket errors" in said:
        raise RuntimeError(f"wrk was not answered as it should be:\n{said}")
    return float(found[1])


def _by_threads(port: int, count: int, connections: int, ask: Callable[[Connection, int], object]) -> float:
    def work(connection: Connection) -> None:
        for number in range(_ROUNDS):
            ask(connection, number % count)

    return connections * _ROUNDS / at_once(port, [work] * connections)
