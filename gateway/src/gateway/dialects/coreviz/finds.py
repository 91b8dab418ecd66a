"""`GET /api/search`: the frames that fit some words best, in all collections that the key sees."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from operator import mul
from typing import Final

from fastapi import FastAPI
from media_proto import metadata_pb2 as pb
from media_proto import search_pb2
from starlette.requests import Request
from starlette.responses import Response

from gateway.access import access_of
from gateway.answers import json_answer
from gateway.dialects.coreviz import docs, ids, parameters, render
from gateway.dialects.coreviz.found import Find
from gateway.dialects.coreviz.lookup import Lookup
from gateway.dialects.coreviz.scored import words_among
from gateway.errors import invalid
from gateway.library import Library
from gateway.openapi import add_route
from gateway.query import LooseQuery
from gateway.search import SearchClient

DEFAULT_RESULTS: Final = 20
#: Collections asked at the same time.
_AT_ONCE: Final = 4
#: Nobody switches models twice during a search.
_ATTEMPTS: Final = 2
#: Points whose vectors are asked for in one call.
_BATCH: Final = 1000


class Finds:
    """One endpoint."""

    def __init__(self, library: Library, search: SearchClient, lookup: Lookup, most: int) -> None:
        """`most`: results of one search."""
        self._library = library
        self._search = search
        self._lookup = lookup
        self._most = most

    def add_to(self, app: FastAPI) -> None:
        add_route(app, docs.TAG, "GET", "/api/search", self.search, docs.SEARCH)

    async def search(self, request: Request) -> Response:
        query = LooseQuery(request.scope["query_string"])
        text = (query.text("q") or "").strip()
        if not 1 <= len(text) <= parameters.MAX_QUESTION:
            raise invalid("q", f"Invalid q: must be a text of 1 to {parameters.MAX_QUESTION} characters")
        limit = min(parameters.limit_of(query, DEFAULT_RESULTS), self._most)
        organization = query.text("organizationId")
        if organization is not None and not ids.is_organization(organization):
            return json_answer({"results": []})
        access = access_of(request)
        seen = [one for one in await self._library.collections() if access.sees(one.id)]
        finds = await self._best(text, seen, limit)
        blobs = self._lookup.blobs(request)
        return json_answer({"results": [render.find_out(find, blobs) for find in finds]})

    async def _best(self, text: str, collections: Sequence[pb.Collection], limit: int) -> list[Find]:
        turn = asyncio.Semaphore(_AT_ONCE)

        async def of(collection: pb.Collection) -> Sequence[search_pb2.Scored]:
            async with turn:
                listing = pb.ListMediaRequest(collection=collection.uuid.hex(), recursive=True)
                asked = search_pb2.FindMatchingRequest(
                    scope=search_pb2.Scope(collection_id=collection.id),
                    text=text,
                    find_words=words_among(listing),
                    at_least=parameters.DEFAULT_MIN_SCORE,
                    limit=limit,
                    cap=self._most,
                )
                return (await self._search.matching(asked)).scored

        for _ in range(_ATTEMPTS):
            # The words' vector first: without an encoder every collection would only say so again.
            vectors = await self._search.embed_texts([text])
            found = [one for scored in await asyncio.gather(*map(of, collections)) for one in scored]
            best = sorted(found, key=lambda one: (-one.score, one.item_id))[:limit]
            listed = await self._library.listed([one.item_id for one in best]) if best else {}
            asked_of = {one.id for one in collections}
            media = {item_id: one for item_id, one in listed.items() if one.collection_id in asked_of}
            frames = [frame.item_id for one in media.values() for frame in one.frames]
            kept = await self._vectors(frames, vectors.model)
            if kept is not None:
                break
        return await asyncio.to_thread(_finds, best, media, kept or {}, vectors.vectors[0].values)

    async def _vectors(self, point_ids: Sequence[int], model: str) -> dict[int, search_pb2.Vector] | None:
        """None: another model answers by now, and its vectors cannot be compared."""
        kept: dict[int, search_pb2.Vector] = {}
        for start in range(0, len(point_ids), _BATCH):
            told = await self._search.vectors(point_ids[start : start + _BATCH])
            if told.model != model:
                return None
            kept.update(told.vectors)
        return kept


def _finds(
    best: Sequence[search_pb2.Scored],
    media: Mapping[int, pb.Media],
    kept: Mapping[int, search_pb2.Vector],
    words: Sequence[float],
) -> list[Find]:
    finds = []
    for one in best:
        item = media.get(one.item_id)
        if item is None:  # trashed since
            continue
        likeness = {
            place: sum(map(mul, words, kept[frame.item_id].values))
            for place, frame in enumerate(item.frames)
            if frame.item_id in kept
        }
        place = max(likeness, key=lambda place: (likeness[place], -place), default=0)
        frame = item.frames[place] if item.frames else pb.Frame(item_id=item.item_id, uuid=item.uuid)
        finds.append(Find(item, frame, one.score, max(0.0, likeness.get(place, 0.0))))
    return finds
