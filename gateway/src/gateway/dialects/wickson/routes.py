"""The dialect's one endpoint."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import grpc
from fastapi import FastAPI
from media_common.errors import ErrorCode
from media_common.grpc_client import error_code_of
from media_proto import metadata_pb2 as pb
from starlette.requests import Request
from starlette.responses import Response

from gateway.access import Access, access_of
from gateway.answers import json_answer
from gateway.dialects.wickson import docs, render
from gateway.errors import Failure, invalid
from gateway.library import Library
from gateway.openapi import add_route
from gateway.query import HUGE, LooseQuery, strict_integer
from gateway.search import SearchClient

MAX_PAGE_SIZE: Final = 100


class Wickson:
    """`GET /v1/media`."""

    def __init__(self, library: Library, search: SearchClient) -> None:
        self._library = library
        self._search = search

    def add_to(self, app: FastAPI) -> None:
        add_route(app, docs.TAG, "GET", "/v1/media", self.media, docs.LIST)

    async def media(self, request: Request) -> Response:
        query = LooseQuery(request.scope["query_string"])
        access = access_of(request)
        access.require("read")
        collection = query.text("collection")
        names = await self._seen_by(access, collection)

        page = _page(query)
        page_size = _page_size(query)
        media_type = _media_type(query)
        with_vectors = query.flag("include_vectors")
        with_metadata = query.flag("include_metadata") is not False
        found = await self._library.newest(
            pb.ListNewestRequest(
                collections=names or (),
                all_collections=names is None,
                kinds=render.KINDS[media_type] if media_type else render.ALL_KINDS,
                offset=min((page - 1) * page_size, HUGE),
                limit=page_size,
            )
        )
        collections = await self._library.by_id({one.collection_id for one in found.media})
        slugs = {number: one.slug for number, one in collections.items()}
        items = [render.item_out(one, slugs[one.collection_id], with_metadata) for one in found.media]
        if with_vectors:
            for item, vectors in zip(items, await self._vectors(found.media), strict=True):
                item["vectors"] = vectors
        applied = {"media_type": media_type, "collection": collection}
        given = {name: value for name, value in applied.items() if value is not None}
        return json_answer(render.list_out(items, found.total, (page, page_size), given))

    async def _vectors(self, media: Sequence[pb.Media]) -> list[dict[str, Any]]:
        """Of each item's first frame, which has the item's own number.

        Raises:
            Failure: 503, search is not available.
        """
        kept = await self._search.vectors([one.item_id for one in media])
        return [render.vectors_out(kept.model, kept.vectors.get(one.item_id)) for one in media]

    async def _seen_by(self, access: Access, collection: str | None) -> list[str] | None:
        """The collections to list; None: all. One that nobody knows is an empty one.

        Raises:
            Failure: 403, the key is limited to others.
        """
        if access.collections is None:
            return None if collection is None else [collection]
        if collection is None:
            known = await self._library.collections()
            return [one.slug for one in known if one.id in access.collections]
        try:
            found = await self._library.collection(collection)
        except grpc.aio.AioRpcError as error:
            if error_code_of(error) is not ErrorCode.COLLECTION_NOT_FOUND:
                raise
            return []
        access.require_collection(found.id)
        return [found.slug]


def _page(query: LooseQuery) -> int:
    value = query.raw("page")
    number = 1 if value is None else strict_integer(value)
    if number is None or number < 1:
        raise _invalid("page", "must be a positive integer")
    return number


def _page_size(query: LooseQuery) -> int:
    value = query.raw("page_size")
    number = 20 if value is None else strict_integer(value)
    if number is None or not 1 <= number <= MAX_PAGE_SIZE:
        raise _invalid("page_size", f"must be an integer between 1 and {MAX_PAGE_SIZE}")
    return number


def _media_type(query: LooseQuery) -> str | None:
    value = query.text("media_type")
    if value is not None and value not in render.KINDS:
        raise _invalid("media_type", f"must be one of {', '.join(render.KINDS)}")
    return value


def _invalid(parameter: str, rule: str) -> Failure:
    return invalid(parameter, f"Invalid {parameter} parameter: {rule}", rule[0].upper() + rule[1:])
