"""The gateway before services that ask for a certificate and the token: every channel of it has both, and what it
lacks is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest
from fake_fs import FakeFs
from fake_metadata import FakeMetadata, serve_metadata
from fake_search import FakeSearch, serve_search
from gateway.catalogue import CatalogueClient
from gateway.clients import FsClient
from gateway.config import GatewaySettings
from gateway.search import SearchClient
from gateway_rig import KEY, MakeApp, client_of, error_of, serve_fake
from media_common.config import PublicSettings
from media_common.testing import Certificates, free_port
from media_common.trust import Trust, trusted
from media_proto import fs_pb2, metadata_pb2, search_pb2

READY = search_pb2.Readiness(ready=True, encoder=search_pb2.Encoder(name="of-this-test"))


@dataclass
class World:
    """Services that are called `localhost`, and what a caller must have."""

    targets: dict[str, str]
    trust: Trust


@pytest.fixture
async def world(fake: FakeFs, tmp_path: Path) -> AsyncIterator[World]:
    fake.answers["ListRoots"] = fs_pb2.ListRootsResponse()
    catalogue = {
        "GetReadiness": metadata_pb2.Readiness(ready=True),
        "ListCollections": metadata_pb2.ListCollectionsResponse(),
        "ListKeys": metadata_pb2.Keys(),
    }
    names = ("fs_target", "metadata_target", "search_target")
    targets = {name: f"localhost:{free_port()}" for name in names}
    settings = Certificates(tmp_path / "certificates").issued("localhost")
    trust = trusted(PublicSettings(**{**settings, "GRPC_TOKEN": "a-token"}))
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(serve_fake(fake, targets["fs_target"], trust))
        await stack.enter_async_context(serve_metadata(FakeMetadata(catalogue), targets["metadata_target"], trust))
        searching = FakeSearch({"GetReadiness": READY})
        await stack.enter_async_context(serve_search(searching, targets["search_target"], trust))
        yield World(targets, trust)


async def readiness(client: httpx.AsyncClient, told: Callable[[dict[str, dict[str, str]]], bool]) -> httpx.Response:
    """The first answer whose parts are so; a busy machine may be late with one, and is asked again."""
    async with asyncio.timeout(30):
        while True:
            answer = await client.get("/health/ready")
            if told(answer.json()["dependencies"]):
                return answer
            await asyncio.sleep(0.05)


async def test_every_client_has_the_certificate_and_the_token(world: World, fake: FakeFs) -> None:
    fake.answers["WatchEvents"] = [fs_pb2.Event()]
    settings = GatewaySettings(**world.targets, connect_wait_s=20)
    fs, catalogue = FsClient.open(settings, world.trust), CatalogueClient.open(settings, world.trust)
    search = SearchClient.open(settings, world.trust)
    try:
        await fs.roots()
        assert len([event async for event in fs.events(None)]) == 1
        await catalogue.collections()
        assert (await search.readiness()).ready
    finally:
        for client in (fs, catalogue, search):
            await client.close()


async def test_the_whole_gateway_is_ready(world: World, make_app: MakeApp) -> None:
    targets = {**world.targets, "thumbnail_targets": world.targets["fs_target"]}
    async with make_app(**targets, trust=world.trust, connect_wait_s=5) as app, client_of(app) as client:
        answer = await readiness(client, lambda parts: all(part["state"] == "up" for part in parts.values()))
        assert answer.status_code == 200
        assert answer.json()["dependencies"].keys() >= {"fs", "thumbnail-1", "metadata", "search"}
        # Of each service something that only it can tell.
        assert (await client.get("/api/review-paths")).status_code == 200
        assert (await client.get("/api/keys", headers={"X-Api-Key": KEY})).status_code == 200
        assert (await client.get("/api/jobs")).json()["encoder"]["name"] == "of-this-test"


async def test_a_gateway_without_the_token_says_what_it_lacks(world: World, make_app: MakeApp) -> None:
    without = replace(world.trust, token="")
    async with make_app(**world.targets, trust=without, connect_wait_s=5) as app, client_of(app) as client:
        lacking = ("fs", "metadata", "search")
        ready = await readiness(
            client, lambda parts: all("GRPC_TOKEN" in parts[name].get("reason", "") for name in lacking)
        )
        asked = await client.get("/api/review-paths")

    assert ready.status_code == 503
    assert {ready.json()["dependencies"][name]["state"] for name in lacking} == {"down"}
    assert "GRPC_TOKEN" in error_of(asked, 503)


async def test_a_gateway_without_a_certificate_is_told_as_one_without_services(world: World, make_app: MakeApp) -> None:
    without = replace(world.trust, identity=None)
    async with make_app(**world.targets, trust=without) as app, client_of(app) as client:
        ready = await client.get("/health/ready")

    assert ready.status_code == 503
    assert {ready.json()["dependencies"][name]["state"] for name in ("fs", "metadata", "search")} == {"down"}
