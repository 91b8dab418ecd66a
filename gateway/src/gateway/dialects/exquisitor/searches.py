"""Searching in this dialect: what a request says becomes a question to search or to the catalogue, the answer the
dialect's JSON.

Items come back as media: a video once, by its best frame. A temporal search names the frame itself, which is an item of
the collection too.
"""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from fastapi import FastAPI
from media_proto import metadata_pb2, search_pb2
from starlette.requests import Request
from starlette.responses import Response

from gateway.access import access_of
from gateway.answers import json_answer
from gateway.bodies import BATCH_BYTES
from gateway.catalogue import CatalogueClient
from gateway.dialects.exquisitor import docs, search_docs
from gateway.dialects.exquisitor.filters import Meant, choice_out, filter_out, json_out, questions
from gateway.dialects.exquisitor.known import KnownCollections
from gateway.dialects.exquisitor.requests import MAX_IDS, read_fields
from gateway.dialects.exquisitor.search_requests import (
    BODY_BYTES,
    MAX_RESULTS,
    Asked,
    asked_of,
    ids_of,
    offset_of,
    optional_text_of,
    picture_in,
    text_of,
    texts_of,
)
from gateway.openapi import Doc, Endpoint, add_route
from gateway.search import SearchClient, dated

_INT64: Final = 2**63
Fields = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Found:
    """Items by the catalogue's ids, the best first, and what else the answer says."""

    items: Sequence[tuple[int, float]]
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Find:
    """An item, and all that it was found by: itself, or every frame of a sequence."""

    item_id: int
    score: float
    by: Sequence[int]


#: Asks search: what it finds in a scope, at most so many.
_AskSearch = Callable[[search_pb2.Scope, int], Awaitable[Sequence[_Find]]]
#: What is asked once the request has been read and its collection is known.
Ask = Callable[[Asked, metadata_pb2.Collection], Awaitable[Found]]
Strategy = Callable[[Fields], Ask]


class Searches:
    """`/exq/search/*`."""

    def __init__(self, catalogue: CatalogueClient, search: SearchClient, known: KnownCollections) -> None:
        self._catalogue = catalogue
        self._search = search
        self._known = known

    def add_to(self, app: FastAPI) -> None:
        routes: tuple[tuple[str, Strategy, Doc, int], ...] = (
            ("clip", self._clip, search_docs.CLIP, BODY_BYTES),
            ("rf", self._rf, search_docs.RF, BODY_BYTES),
            ("faceted", self._faceted, search_docs.FACETED, BODY_BYTES),
            ("image", self._image, search_docs.IMAGE, BATCH_BYTES),
            ("temporal", self._temporal, search_docs.TEMPORAL, BODY_BYTES),
        )
        for name, strategy, doc, limit_bytes in routes:
            add_route(app, docs.TAG, "POST", f"/exq/search/{name}", self._endpoint(name, strategy, limit_bytes), doc)

    def _endpoint(self, name: str, strategy: Strategy, limit_bytes: int) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            came_ms, began = time.time_ns() // 1_000_000, time.perf_counter()
            fields = await read_fields(request, limit_bytes)
            asked = asked_of(fields, must_filter=name == "faceted")
            ask = strategy(fields)
            collection = await self._known.named(asked.session.collection, access_of(request))
            found = await ask(asked, collection)
            return json_answer(
                {
                    "suggestions": [item_id - collection.id_base for item_id, _ in found.items],
                    "scores": [score for _, score in found.items],
                    "request_timestamp": came_ms,
                    "completion_time": round(1000 * (time.perf_counter() - began), 3),
                    "strategy": name,
                    **found.more,
                }
            )

        return endpoint

    # --- what each strategy reads of a request ---
    def _clip(self, fields: Fields) -> Ask:
        return partial(self._nearest, search_pb2.FindNearestRequest(text=text_of(fields, "text")))

    def _image(self, fields: Fields) -> Ask:
        return partial(self._nearest, search_pb2.FindNearestRequest(picture=picture_in(fields, "image_b64")))

    def _rf(self, fields: Fields) -> Ask:
        right, wrong = (ids_of(fields, name, MAX_IDS) for name in ("pos", "neg"))
        return partial(self._judged, right, wrong, optional_text_of(fields, "query"))

    def _temporal(self, fields: Fields) -> Ask:
        return partial(self._in_order, texts_of(fields, "queries"))

    def _faceted(self, fields: Fields) -> Ask:
        return partial(self._passing, offset_of(fields))

    # --- what it asks ---
    async def _nearest(
        self, target: search_pb2.FindNearestRequest, asked: Asked, collection: metadata_pb2.Collection
    ) -> Found:
        async def ask(scope: search_pb2.Scope, limit: int) -> Sequence[_Find]:
            target.scope.CopyFrom(scope)
            target.limit = limit
            return _finds(await self._search.nearest(target))

        return await self._listed(ask, asked, collection)

    async def _judged(
        self,
        right: Sequence[int],
        wrong: Sequence[int],
        query: str,
        asked: Asked,
        collection: metadata_pb2.Collection,
    ) -> Found:
        right, wrong = _internal(collection, right), _internal(collection, wrong)

        async def ask(scope: search_pb2.Scope, limit: int) -> Sequence[_Find]:
            request = search_pb2.FindJudgedRequest(scope=scope, right=right, wrong=wrong, query=query, limit=limit)
            return _finds(await self._search.judged(request))

        return await self._listed(ask, asked, collection)

    async def _in_order(self, texts: Sequence[str], asked: Asked, collection: metadata_pb2.Collection) -> Found:
        async def ask(scope: search_pb2.Scope, limit: int) -> Sequence[_Find]:
            request = search_pb2.FindInOrderRequest(scope=scope, texts=texts, limit=limit)
            best: dict[int, _Find] = {}
            for match in (await self._search.in_order(request)).matches:
                by = (match.best_point_id, *match.point_ids)
                best.setdefault(match.best_point_id, _Find(match.best_point_id, match.score, by))
            return list(best.values())

        return await self._listed(ask, asked, collection)

    async def _passing(self, offset: int, asked: Asked, collection: metadata_pb2.Collection) -> Found:
        """By id, for nothing is nearer than anything else; what has no vector, too."""
        request = metadata_pb2.ListPassingRequest(
            collection=asked.session.collection,
            filters_json=json.dumps(json_out(asked.filters)),
            seen=asked.seen,
            excluded=asked.excluded,
            offset=offset,
            limit=asked.n,
        )
        page = await self._catalogue.passing(request)
        items = [(collection.id_base + one, 1.0) for one in page.relative_ids]
        return Found(items, {"offset": offset, "total": page.total})

    # --- steps ---
    async def _listed(self, ask: _AskSearch, asked: Asked, collection: metadata_pb2.Collection) -> Found:
        """What search finds that is listed now. It hears of the trash a moment later, or not before the queue is back;
        it is asked again without what is trashed, so that as many come back as there are."""
        scope, limit = await self._scope(asked, collection), asked.n
        gone: set[int] = set()
        while True:
            finds = await ask(scope, limit)
            ids = dict.fromkeys(one for find in finds for one in find.by)
            fresh = (await self._catalogue.unlisted(asked.session.collection, ids) if ids else set()) - gone
            gone |= fresh
            kept = [find for find in finds if gone.isdisjoint(find.by)]
            if not fresh or kept[: asked.n] == finds[: asked.n]:
                return Found([(find.item_id, find.score) for find in kept[: asked.n]])
            scope.seen.extend(fresh)
            limit = min(4 * limit, MAX_RESULTS)

    async def _scope(self, asked: Asked, collection: metadata_pb2.Collection) -> search_pb2.Scope:
        scope = search_pb2.Scope(
            collection_id=collection.id,
            seen=_internal(collection, asked.seen),
            excluded=_internal(collection, asked.excluded),
        )
        if asked.excluded:
            # Search knows the groups of what has a vector alone.
            scope.excluded.extend(await self._catalogue.groups_of(asked.session.collection, asked.excluded))
        if asked.filters is not None:
            wanted = questions(asked.filters)
            choices = [choice_out(question) for question in wanted]
            answer = (await self._catalogue.tags_meant(asked.session.collection, choices)).by_choice if choices else ()
            meant = Meant(collection.id_base, wanted, (one.ids for one in answer))
            scope.filter.CopyFrom(filter_out(asked.filters, meant))
        if asked.taken_us is not None:
            parts = [scope.filter] if scope.HasField("filter") else []
            parts.append(dated(*asked.taken_us))
            scope.filter.CopyFrom(search_pb2.Filter(all=search_pb2.Filters(parts=parts)))
        return scope


def _internal(collection: metadata_pb2.Collection, ids: Iterable[int]) -> list[int]:
    """The catalogue's ids; those that can be no item's are left out."""
    return [collection.id_base + one for one in ids if one > 0 and collection.id_base + one < _INT64]


def _finds(answer: search_pb2.Found) -> list[_Find]:
    return [_Find(one.item_id, one.score, (one.item_id,)) for one in answer.scored]
