"""The gateway before a catalogue of plain rows on a real socket."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from exquisitor_world import Row, World, serve
from fake_fs import FakeFs
from fake_metadata import FakeMetadata, serve_metadata
from fastapi import FastAPI
from gateway_rig import MakeApp, client_of
from media_proto import metadata_pb2 as pb


@pytest.fixture
def world() -> World:
    """The seed's items, and what the note adds: a group row, decimals, our own files, an item without a group."""
    tags = {1: ["daylight", "outdoor"], 3: [2024], 5: ["sports"], 6: [0.5, 2.0]}
    return World(
        [
            Row(40, "video/segment", None, None, is_group=True, kind=pb.MEDIA_KIND_VIDEO),
            Row(42, "video/segment_042.mp4", "segment_042.jpg", 40, kind=pb.MEDIA_KIND_VIDEO, tags=tags),
            Row(43, "video/segment_043.mp4", "segment_043.jpg", 40, kind=pb.MEDIA_KIND_VIDEO),
            Row(44, "video/segment_044.mp4", "segment_044.jpg", 40, kind=pb.MEDIA_KIND_VIDEO),
            Row(45, "video/segment_045.mp4", "segment_045.jpg", 40, kind=pb.MEDIA_KIND_VIDEO),
            Row(17, "a b/100%#1?.jpg", None, tags={1: ["indoor"]}),
            Row(830, "https://elsewhere.example/x.wav", None, kind=pb.MEDIA_KIND_AUDIO),
            Row(900, "2025/r\udcff.jpg", None, source=pb.MEDIA_SOURCE_IN_PLACE),
            Row(901, "burst", None, is_group=True, source=pb.MEDIA_SOURCE_UPLOAD),
            Row(902, "notes.txt", None, kind=pb.MEDIA_KIND_TEXT),
            Row(903, "paper.pdf", None, kind=pb.MEDIA_KIND_DOCUMENT),
        ],
        {1: ("Scene", "text"), 3: ("Year", "int"), 5: ("Topic", "text"), 6: ("Score", "dec"), 9: ("Empty", "text")},
    )


@pytest.fixture
async def metadata(world: World, tmp_path: Path) -> AsyncIterator[FakeMetadata]:
    fake = FakeMetadata()
    serve(world, fake)
    async with serve_metadata(fake, f"unix:{tmp_path}/metadata.sock"):
        yield fake


@pytest.fixture
async def app(make_app: MakeApp, service: FakeFs, metadata: FakeMetadata, tmp_path: Path) -> AsyncIterator[FastAPI]:
    target = f"unix:{tmp_path}/metadata.sock"
    origins = "https://photos.example,http://localhost:5173"
    async with make_app(metadata_target=target, cors_origins=origins) as made:
        yield made


@pytest.fixture
async def exq(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(app) as made:
        yield made
