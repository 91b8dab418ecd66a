"""Uploads: their bytes come from the blob store and their thumbnails go there; what is inside them is told to the
catalogue."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final

import nats.errors
from media_common import subjects
from media_common.blobs import BlobMissing, BlobStore, StoreFailed, StoreUnreachable
from media_common.tracing import carried
from media_proto import thumbnail_pb2
from nats.aio.client import Client

from thumbnail_service.domain.jobs import Job, Outcome, Result
from thumbnail_service.renders import FOREVER_S, Renders

logger = logging.getLogger(__name__)

_TOLD_S: Final = 5.0
_FIELDS: Final = tuple(field.name for field in thumbnail_pb2.BlobDescription.DESCRIPTOR.fields)


class BlobRenders:
    """`Renders` for jobs that name a blob."""

    def __init__(self, store: BlobStore, renders: Renders) -> None:
        self._store = store
        self._renders = renders

    async def asked(self, job: Job, deadline_s: float = FOREVER_S) -> Outcome:
        """Render for somebody who waits.

        Raises:
            Expired: the deadline passed before its turn came.
        """
        try:
            if (kept := await self._kept(job)) is not None:
                return kept
            async with self._at_hand(job) as local:
                return await self._keep(job, await self._renders.asked(local, deadline_s))
        except (BlobMissing, StoreUnreachable, StoreFailed) as error:
            return _failed(error)

    async def looked_into(self, job: Job, client: Client) -> Outcome:
        """Render when nobody waits for anything else, and tell the catalogue what is inside. Done when both are."""
        try:
            known = await self._kept(job) if job.has_picture else Outcome(Result.PICTURELESS)
            async with self._at_hand(job) as local:
                outcome = known or await self._keep(job, await self._renders.in_background(local))
                told = await self._renders.described(local)
        except (BlobMissing, StoreUnreachable, StoreFailed) as error:
            return _failed(error)
        if not await self._tell(client, description_of(job.sha256, told)):
            return Outcome(Result.UNSTORED, outcome.png, "The catalogue does not answer.")
        return outcome

    async def _kept(self, job: Job) -> Outcome | None:
        png = await asyncio.to_thread(self._store.thumbnail, job.sha256, job.size_px)
        return Outcome(Result.FRESH, png) if png else None

    async def _keep(self, job: Job, outcome: Outcome) -> Outcome:
        if outcome.result is Result.MADE:
            try:
                await asyncio.to_thread(self._store.keep_thumbnail, job.sha256, job.size_px, outcome.png)
            except (StoreUnreachable, StoreFailed) as error:
                return Outcome(Result.UNSTORED, outcome.png, error.message)
        return outcome

    @asynccontextmanager
    async def _at_hand(self, job: Job) -> AsyncIterator[Job]:
        """The job with a file of this machine."""
        local = self._store.local(job.sha256)
        path = await asyncio.to_thread(local.__enter__)
        try:
            yield replace(job, root=os.fsencode(path.parent), relative=os.fsencode(path.name))
        finally:
            await asyncio.to_thread(local.__exit__, None, None, None)

    async def _tell(self, client: Client, told: thumbnail_pb2.BlobDescription) -> bool:
        """Whether it is written down."""
        try:
            along = dict(carried.get()) or None
            await client.request(subjects.DESCRIBE, told.SerializeToString(), timeout=_TOLD_S, headers=along)
        except (nats.errors.Error, OSError, TimeoutError) as error:
            logger.debug("the catalogue does not answer: %r", error)
            return False
        return True


def description_of(sha256: bytes, told: bytes) -> thumbnail_pb2.BlobDescription:
    """What a render process has written as JSON."""
    found = json.loads(told or b"{}")
    given = {name: found[name] for name in _FIELDS if found.get(name) is not None}
    return thumbnail_pb2.BlobDescription(sha256=sha256, **given)


def _failed(error: BlobMissing | StoreUnreachable | StoreFailed) -> Outcome:
    if isinstance(error, BlobMissing):
        return Outcome(Result.GONE)
    if isinstance(error, StoreFailed):
        return Outcome(Result.UNSTORED, reason=error.message)
    return Outcome(Result.UNREACHABLE, reason=error.message)
