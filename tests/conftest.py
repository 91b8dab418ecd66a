"""The running product as fixtures; what they give is described in `stack.py`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from stack import Stack, running_stack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One stack for all tests that disturb nobody: each adds a review path of its own, and stops nothing."""
    with running_stack(tmp_path_factory.mktemp("stack") / "state") as running:
        yield running


@pytest.fixture
def own_stack(tmp_path: Path) -> Iterator[Stack]:
    """A stack for one test, which may kill, stop and start what it likes."""
    with running_stack(tmp_path / "state") as running:
        yield running
