"""The stacks of containers. They take minutes, so they are asked for by name: `pytest -m compose tests/compose`.

Where they are asked for and no engine answers, they are skipped on a laptop and fail in CI.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import deployed
import pytest
from deployed import Deployed

HERE = Path(__file__).resolve().parent
#: What was built and measured, for the end of the run.
TOLD: list[str] = []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in TOLD:
        terminalreporter.write_line(line)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.option.markexpr == "compose":
        return
    mine = [item for item in items if HERE in item.path.parents]
    if mine:
        config.hook.pytest_deselected(items=mine)
        items[:] = [item for item in items if item not in mine]


@pytest.fixture(scope="session")
def engine() -> str:
    if version := deployed.engine():
        return version
    missing = "no Docker engine answers, or it has no compose"
    raise pytest.fail.Exception(missing) if os.environ.get("CI") else pytest.skip.Exception(missing)


@pytest.fixture(scope="session")
def tell() -> Callable[[str], None]:
    """Takes a line for the end of the run."""
    return TOLD.append


@pytest.fixture(scope="session", params=["full", "lite"])
def kind(request: pytest.FixtureRequest) -> str:
    named: str = request.param
    return named


@pytest.fixture(scope="session")
def stack(
    engine: str, kind: str, tmp_path_factory: pytest.TempPathFactory, tell: Callable[[str], None]
) -> Iterator[Deployed]:
    """One of each kind at a time, for all tests of it: each adds a review path of its own."""
    with deployed.deployed(tmp_path_factory.mktemp(kind), kind, tell) as running:
        yield running
