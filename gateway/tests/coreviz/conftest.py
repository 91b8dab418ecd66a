"""The gateway before a small catalogue."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fake_fs import FakeFs
from fake_search import FakeSearch, serve_search
from gateway_rig import MakeApp
from library_world import World, served


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def client(
    world: World, make_app: MakeApp, service: FakeFs, socket_path: str
) -> AsyncIterator[httpx.AsyncClient]:
    async with served(world, make_app, socket_path) as made:
        yield made


@pytest.fixture
async def search(tmp_path: Path) -> AsyncIterator[FakeSearch]:
    """Answers what a test tells it to."""
    fake = FakeSearch()
    async with serve_search(fake, f"unix:{tmp_path}/search.sock"):
        yield fake


@pytest.fixture
async def seeing(
    world: World, search: FakeSearch, make_app: MakeApp, service: FakeFs, socket_path: str, tmp_path: Path
) -> AsyncIterator[httpx.AsyncClient]:
    """A caller of a gateway that has search."""
    async with served(world, make_app, socket_path, search_target=f"unix:{tmp_path}/search.sock") as made:
        yield made
