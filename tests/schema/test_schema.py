"""Thousands of requests made from `/openapi.json`, well formed and not, to a stack that has something to find."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path

import httpx
import pytest
from api import Api
from schema.world import ADMIN_KEY, Pools, make_world
from stack import Stack, running_stack

#: Two minutes on two idle cores; a machine that is busy with other things takes its time.
RUN_S = 1200
pytestmark = [pytest.mark.schema, pytest.mark.timeout(RUN_S + 60)]
HERE = Path(__file__).parent
LEAST_REQUESTS = 10_000
#: Search answers, with a model that takes no time; where no models are installed, it says that it is off.
TINY = f"open_clip:tiny-shapes/{HERE.parents[1] / 'search-service' / 'tests' / 'tiny' / 'tiny-shapes.pt'}"
ENCODER = TINY if find_spec("torch") else "off"
#: At the same time, each in a process of its own: making the requests is most of the work.
SHARES = (("CoreViz", "Wickson"), ("MediaReviewer", "Platform"), ("Exquisitor",))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """`~` of the stack; nothing outside it becomes a review path."""
    path = tmp_path / "home"
    path.mkdir()
    return path


@pytest.fixture
def world(home: Path, tmp_path: Path) -> Iterator[tuple[Stack, Pools]]:
    environment = {"HOME": str(home), "FRAMEWELL_ADMIN_KEY": ADMIN_KEY, "FRAMEWELL_RATE_LIMIT": "40/second"}
    environment["FRAMEWELL_ENCODER"] = ENCODER
    with running_stack(tmp_path / "state", environment=environment) as stack:
        yield stack, make_world(stack, home)


def requests_of(stack: Stack) -> float:
    """How many the gateway has answered, by its own count."""
    figures = httpx.get(f"{stack.url}/metrics", trust_env=False).text
    return sum(float(count) for count in re.findall(r"^framewell_http_requests_total\{.*\} (\S+)$", figures, re.M))


def test_no_request_breaks_the_contract(world: tuple[Stack, Pools], home: Path, tmp_path: Path) -> None:
    stack, pools = world
    (tmp_path / "pools.json").write_text(json.dumps(pools), encoding="utf-8")
    before = requests_of(stack)

    with ExitStack() as runs:
        started = [runs.enter_context(running(stack, home, tmp_path, tags)) for tags in SHARES]
        told = [run.communicate(timeout=RUN_S)[0] for run in started]

    for run, text in zip(started, told, strict=True):
        assert run.returncode == 0, text[-12_000:]
    assert requests_of(stack) - before >= LEAST_REQUESTS
    api = Api(stack.url)
    assert all(path.startswith(f"{home}/") for path in api.known_paths())
    assert api.is_ready()
    api.close()


@contextmanager
def running(stack: Stack, home: Path, work: Path, tags: tuple[str, ...]) -> Iterator[subprocess.Popen[str]]:
    """One share of the requests, under way; it is ended with the block."""
    folder = work / tags[0]
    folder.mkdir()
    command = [Path(sys.executable).parent / "st", "--config-file", HERE / "schemathesis.toml", "run"]
    command += [f"--include-tag={tag}" for tag in tags]
    paths = [str(HERE), os.environ.get("PYTHONPATH", "")]
    with subprocess.Popen(
        [*command, f"{stack.url}/openapi.json"],
        env={
            **os.environ,
            "HOME": str(home),
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
            "SCHEMATHESIS_HOOKS": "hooks",
            "SCHEMA_POOLS": str(work / "pools.json"),
        },
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as run:
        try:
            yield run
        finally:
            run.kill()
