"""What waits and runs in the background: what fs-service says of its queues, the catalogue of its indexing, and search
of its encoder and what it embeds."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

import grpc
from media_proto import fs_pb2, metadata_pb2, search_pb2

from gateway.catalogue import CatalogueClient
from gateway.clients import FsClient
from gateway.errors import Failure
from gateway.search import SearchClient

#: Figures are asked for every second: who does not answer by then is said not to.
_DEADLINE_S: Final = 1.0
_SILENT: Final = "The search service does not answer."
_NOT_SET_UP: Final = "No search service is set up."


@dataclass(frozen=True, slots=True)
class Told:
    """The figures; `complete` when everybody who has some could be asked."""

    queues: fs_pb2.Queues
    complete: bool
    search: search_pb2.Readiness  # with the state that is known when it does not answer

    @property
    def embeds(self) -> bool:
        """Whether anything is to be embedded here at all."""
        return self.search.encoder.state != search_pb2.ENCODER_STATE_OFF


class Jobs:
    """Asks one after another, in the order in which work goes from one to the next: what has left the queues of the one
    by then is in those of the other."""

    def __init__(self, fs: FsClient, catalogue: CatalogueClient, search: SearchClient, encoder: str) -> None:
        """`encoder` is the setting: what is said of it while the search service does not answer."""
        self._fs = fs
        self._catalogue = catalogue
        self._search = search
        self._encoder = encoder

    async def queues(self) -> Told:
        """A file to be described counts once, and once more to be hashed; `done` are those that are both.

        Raises:
            Failure: fs-service does not answer.
        """
        told = fs_pb2.Queues()
        told.CopyFrom(await self._fs.queues())
        is_told = await self._add_indexing(told)
        search = await self._searching()
        if search.HasField("progress"):
            # Its own figures are of items; those of messages are for while it is away, and for what is on its way.
            embed = search.progress
            told.embed.pending = max(embed.pending, told.embed.pending)
            told.embed.running = max(embed.running, told.embed.running)
            told.embed.done = embed.done
        return Told(told, is_told and self._knows_embedding(search), search)

    async def pause_reading(self, paused: bool) -> metadata_pb2.Indexing:
        """Hold back, or let go on, what reads inside files.

        Raises:
            Failure: the catalogue does not answer.
        """
        return await self._catalogue.pause_reading(paused)

    def _knows_embedding(self, search: search_pb2.Readiness) -> bool:
        return search.HasField("progress") or not self._search.is_set_up or self._encoder == "off"

    async def _searching(self) -> search_pb2.Readiness:
        try:
            async with asyncio.timeout(_DEADLINE_S):
                return await self._search.readiness()
        except (Failure, grpc.aio.AioRpcError, TimeoutError):
            is_off = self._encoder == "off"
            state = search_pb2.ENCODER_STATE_OFF if is_off else search_pb2.ENCODER_STATE_UNAVAILABLE
            reason = _SILENT if self._search.is_set_up else _NOT_SET_UP
            encoder = search_pb2.Encoder(name=self._encoder, state=state, reason="" if is_off else reason)
            return search_pb2.Readiness(encoder=encoder)

    async def _add_indexing(self, told: fs_pb2.Queues) -> bool:
        """Whether the catalogue's figures are in."""
        if not self._catalogue.is_set_up:
            return True
        try:
            indexing = await self._catalogue.indexing()
        except (Failure, grpc.aio.AioRpcError):
            return False
        told.index.paused = indexing.paused
        told.index.running += max(indexing.in_hand, int(indexing.running))
        told.index.pending += max(0, indexing.undescribed + indexing.unhashed - indexing.in_hand)
        told.index.done += indexing.files - max(indexing.undescribed, indexing.unhashed)
        told.embed.pending += indexing.unsent
        return True
