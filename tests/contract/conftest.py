"""A client of the running stack, and a review path of its own for every test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from api import Api
from both import FACES, closed
from framewell_client import AsyncFramewell, Framewell
from stack import Stack


@pytest.fixture(scope="session")
def api(stack: Stack) -> Iterator[Api]:
    client = Api(stack.url)
    yield client
    client.close()


@pytest.fixture
def root(api: Api, tmp_path: Path) -> Iterator[Path]:
    """`<tmp>/rev`, added as a review path and taken away again."""
    path = tmp_path / "rev"
    path.mkdir()
    api.add_root(path)
    yield path
    api.remove_root(path)


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """`<tmp>/rev2`: its name begins as the review path's does, and it is none."""
    path = tmp_path / "rev2"
    path.mkdir()
    return path


@pytest.fixture
def remove_roots(api: Api) -> Iterator[list[Path]]:
    """Review paths that a test adds itself and puts in this list, taken away at its end."""
    paths: list[Path] = []
    yield paths
    for path in paths:
        api.remove_root(path)


@pytest.fixture(params=FACES)
async def client(request: pytest.FixtureRequest, stack: Stack) -> AsyncIterator[Framewell | AsyncFramewell]:
    """The Python client with the admin key, blocking and awaited."""
    key = (stack.state_dir / "admin.key").read_text().strip()
    made = Framewell(stack.url, key) if request.param == "blocking" else AsyncFramewell(stack.url, key)
    yield made
    await closed(made)
