"""What search tells Prometheus, from real queries to the text of a scrape."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import grpc
import numpy as np
import pytest
from media_common.blobs.folder import FolderStore
from media_common.config import PublicSettings
from media_common.grpc_client import open_channel
from media_common.grpc_server import serving
from media_common.testing import free_port, scraped
from media_common.watching import watched
from media_proto import search_pb2 as pb
from media_proto import search_pb2_grpc
from PIL.Image import Image
from search_service.domain import points
from search_service.domain.embedding import Counts
from search_service.domain.objects import Giving, NoCatalogue
from search_service.domain.points import Facts
from search_service.domain.progress import Progress
from search_service.domain.vectors import Point, Vector, VectorStore, unit
from search_service.encoders.choosing import Choosing
from search_service.encoders.object_models import ObjectModels
from search_service.engine import Engine
from search_service.figures import tell
from search_service.frames import Frames
from search_service.objects import Objects
from search_service.servicer import SearchServicer
from search_service.vectors.memory import MemoryStore

SCOPE = pb.Scope(collection_id=1)


class Two:
    """Implements `Encoder`."""

    name, model, space, dimensions = "offline", "two", "two-1", 2

    def images(self, batch: Sequence[Image]) -> Vector:
        raise NotImplementedError

    def texts(self, batch: Sequence[str]) -> Vector:
        return unit(np.array([["a" in text, "b" in text] for text in batch], np.float32) + 1e-6)


class FakeFeeding:
    """So far has it come."""

    counts = Counts(running=2, done=5, embedded=9, parked=1)

    async def now(self) -> Progress:
        return Progress(pending=3, running=2, done=5, dead=1, paused=True)


async def decode(_: bytes) -> Image:
    raise NotImplementedError


async def test_the_encoder_vectors_queries_and_embedding_are_told(tmp_path: Path) -> None:
    store, listen, address = MemoryStore(), f"127.0.0.1:{free_port()}", f"unix:{tmp_path}/search.sock"

    async def opened() -> VectorStore:
        return store

    engine = Engine(Choosing("offline", lambda _: [("two", Two)]), opened, decode)
    known, models = NoCatalogue(), ObjectModels({})
    objects = Objects(engine, models, Giving(known, asyncio.Lock()), known)
    servicer = SearchServicer(engine, objects, Frames(FolderStore(tmp_path / "blobs"), known), known)
    register = partial(search_pb2_grpc.add_SearchServiceServicer_to_server, servicer)
    async with (
        watched("test", PublicSettings(METRICS_LISTEN=listen)) as watching,
        serving(address, register, [], 1, watching.interceptors),
        open_channel(address) as channel,
    ):
        assert watching.figures is not None
        tell(watching.figures, engine, servicer, FakeFeeding())
        stub = search_pb2_grpc.SearchServiceStub(channel)
        before = await scraped(listen)
        assert before["framewell_encoder_state{state=loading}"] == 1
        assert before["framewell_encoder_state{state=ready}"] == 0
        assert not [name for name in before if name.startswith("framewell_vectors")], "the store is not opened for it"

        await stub.CountItems(pb.CountItemsRequest(scope=SCOPE))  # has the model loaded and the store opened
        vectors = unit(np.eye(2, dtype=np.float32))
        await store.upsert(
            "two-1",
            [Point(key + 1, vectors[key], points.payload(key + 1, Facts(key + 1, 1, 4, True))) for key in (0, 1)],
        )
        for text in ("a", "b"):
            await stub.FindNearest(pb.FindNearestRequest(scope=SCOPE, text=text, limit=2))
        await stub.FindNearest(pb.FindNearestRequest(scope=SCOPE, point_id=1, limit=2))
        await stub.FindMatching(pb.FindMatchingRequest(scope=SCOPE, text="a", limit=2))
        with pytest.raises(grpc.aio.AioRpcError):
            await stub.FindNearest(pb.FindNearestRequest(scope=SCOPE, point_id=99, limit=2))
        after = await scraped(listen)
    await engine.close()
    await models.close()
    assert after["framewell_encoder_state{state=ready}"] == 1
    assert after["framewell_encoder_state{state=loading}"] == 0
    assert after["framewell_vectors{space=answering}"] == 2
    counted = {name: value for name, value in after.items() if name.startswith("framewell_query_seconds_count")}
    assert counted == {
        "framewell_query_seconds_count{kind=count}": 1,
        "framewell_query_seconds_count{kind=nearest_text}": 2,
        "framewell_query_seconds_count{kind=nearest_point_id}": 1,
        "framewell_query_seconds_count{kind=matching}": 1,
    }
    embedding = {name: value for name, value in after.items() if name.startswith("framewell_embed")}
    assert embedding == {
        "framewell_embedding_jobs{state=pending}": 3,
        "framewell_embedding_jobs{state=running}": 2,
        "framewell_embedding_jobs{state=dead}": 1,
        "framewell_embedding_paused": 1,
        "framewell_embedded_pictures_total": 9,
        "framewell_embedded_items_total": 5,
        "framewell_embedding_parked_total": 1,
    }
