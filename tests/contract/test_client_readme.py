"""The programs of the Python client's README, run as they are printed."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from api import Api, eventually, query
from media import many
from stack import REPOSITORY, Stack

MARK = "<!-- run by tests/contract/test_client_readme.py -->"
READMES = (REPOSITORY / "clients" / "python" / "README.md", REPOSITORY / "README.md")
PROGRAMS = [
    program
    for readme in READMES
    for program in re.findall(rf"{MARK}\n```python\n(.*?)```", readme.read_text(encoding="utf-8"), re.DOTALL)
]


@pytest.fixture
def folder(stack: Stack, api: Api, tmp_path: Path) -> Iterator[Path]:
    """A folder as `make demo` leaves it: the library and the state."""
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "state").symlink_to(stack.state_dir)
    library = tmp_path / "demo" / "library"
    paths = many(library, 7)
    api.add_root(library)
    for path in paths:
        address = f"{stack.url}/api/resolve?{query(path=path)}"
        eventually(lambda: httpx.get(address), lambda answer: answer.status_code == 200, 60)  # noqa: B023 - asked at once
    yield tmp_path
    api.remove_root(library)


def test_there_are_three() -> None:
    assert len(PROGRAMS) == 3


@pytest.mark.parametrize("program", PROGRAMS, ids=["first five minutes", "awaited", "the product's README"])
def test_a_program_runs_as_it_is_printed(stack: Stack, folder: Path, program: str) -> None:
    assert program.count("http://127.0.0.1:8080") == 1
    text = program.replace("http://127.0.0.1:8080", stack.url)

    done = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, timeout=60, check=False, cwd=folder
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert "frame0000.jpg" in done.stdout
