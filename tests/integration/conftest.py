"""What is tried here runs on the NATS, the Qdrant and the S3 of this run: in containers where Docker answers
(`tests/servers.py`)."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress

import nats
import pytest
from fs_service.streams import STREAMS, ensure_streams
from nats.aio.client import Client
from nats.js.errors import NotFoundError
from servers import Address


@pytest.fixture
def queue(nats_address: Address) -> Iterator[Address]:
    """A server without a stream of ours, before and after."""
    asyncio.run(_drop_streams(nats_address))
    yield nats_address
    asyncio.run(_drop_streams(nats_address))


@pytest.fixture
async def client(queue: Address) -> AsyncIterator[Client]:
    """A connection of the test's own, with the streams that fs-service makes."""
    connection = await nats.connect(queue.url)
    await ensure_streams(connection.jetstream())
    yield connection
    await connection.close()


async def _drop_streams(address: Address) -> None:
    connection = await nats.connect(address.url)
    for stream in STREAMS:
        with suppress(NotFoundError):
            await connection.jetstream().delete_stream(str(stream.name))
    await connection.close()


@pytest.fixture
def outside(queue: Address, qdrant_address: Address, s3_address: Address) -> dict[str, str]:
    """Settings of a stack that uses them, with a bucket and vectors of its own."""
    name = f"tests{secrets.token_hex(6)}"
    return {
        "NATS_URL": queue.url,
        "QDRANT_URL": qdrant_address.url,
        "SEARCH_QDRANT_API_KEY": qdrant_address.secret,
        "SEARCH_QDRANT_NAME": name,
        "S3_ENDPOINT": s3_address.url,
        "S3_ACCESS_KEY": s3_address.user,
        "S3_SECRET_KEY": s3_address.secret,
        "S3_BUCKET": name,
    }
