"""The gateway before a small catalogue."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from fake_fs import FakeFs
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
