"""The dialect's endpoints: parse, ask the catalogue, render. `media_ids` or `media_id` in a body means the documented
form, `mediaId` or `itemId` the one-item form of the existing page."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from fastapi import FastAPI
from media_common.errors import ErrorCode
from media_proto import metadata_pb2 as pb
from starlette.requests import Request
from starlette.responses import Response

from gateway.access import access_of
from gateway.answers import json_answer
from gateway.audit import AuditLog
from gateway.blobs import BlobAddresses, BlobSigner
from gateway.catalogue import CatalogueClient
from gateway.dialects.exquisitor import docs, render
from gateway.dialects.exquisitor.known import KnownCollections
from gateway.dialects.exquisitor.requests import (
    Session,
    integer_of,
    integers_of,
    path_integer,
    read_fields,
    read_json,
    session_of,
    unfit,
    within_bounds,
)
from gateway.dialects.exquisitor.searches import Searches
from gateway.errors import Failure
from gateway.openapi import Doc, Endpoint, add_route
from gateway.query import Query
from gateway.search import SearchClient

_LOGGED: Final = {"status": "Logged successfully"}


class Exquisitor:
    """Every endpoint of the seed and of the note."""

    def __init__(self, catalogue: CatalogueClient, search: SearchClient, signer: BlobSigner, audit: AuditLog) -> None:
        self._catalogue = catalogue
        self._signer = signer
        self._audit = audit
        self._known = KnownCollections(catalogue)
        self._searches = Searches(catalogue, search, self._known)

    def add_to(self, app: FastAPI) -> None:
        routes: tuple[tuple[str, str, Endpoint, Doc], ...] = (
            ("POST", "/exq/item/base", self.base, docs.BASE),
            ("POST", "/exq/item/details", self.details, docs.DETAILS),
            ("POST", "/exq/item/related", self.related, docs.RELATED),
            ("POST", "/exq/item/excluded", self.excluded, docs.EXCLUDED),
            ("GET", "/exq/init/{session}", self.init, docs.INIT),
            ("POST", "/exq/info/totalItems", self.total_items, docs.TOTAL_ITEMS),
            ("GET", "/exq/info/filters/{session}/{collection}", self.filters, docs.FILTERS),
            (
                "GET",
                "/exq/info/filters/values/{session}/{collection}/{tagtype_id}/{tagset_id}",
                self.filter_values,
                docs.FILTER_VALUES,
            ),
            ("POST", "/exq/log/addModel", self.add_model, docs.LOG_MODEL),
            ("POST", "/exq/log/removeModel", self.remove_model, docs.LOG_MODEL),
            ("POST", "/exq/log/clientEvent", self.client_event, docs.CLIENT_EVENT),
            ("GET", "/dres/evaluation_list", self.evaluations, docs.EVALUATIONS),
        )
        for method, path, endpoint, doc in routes:
            add_route(app, docs.TAG, method, path, endpoint, doc)
        self._searches.add_to(app)

    # --- items ---
    async def base(self, request: Request) -> Response:
        fields = await read_fields(request)
        if "media_ids" not in fields:
            item, addresses = await self._one(request, fields)
            return json_answer(render.page_item_out(item, addresses))
        ids, session = integers_of(fields, "media_ids"), session_of(fields)
        within_bounds("media_ids", ids)
        addresses = await self._addresses(request, session)
        return json_answer(render.items_out(await self._catalogue.shown_items(session.collection, ids), addresses))

    async def details(self, request: Request) -> Response:
        fields = await read_fields(request)
        if "media_ids" not in fields:
            return await self._page_details(request, fields)
        ids, tagset_ids = integers_of(fields, "media_ids"), integers_of(fields, "tagset_ids")
        session = session_of(fields)
        within_bounds("media_ids", ids)
        within_bounds("tagset_ids", tagset_ids)
        addresses = await self._addresses(request, session)
        items = await self._catalogue.shown_items(session.collection, ids, tagset_ids)
        return json_answer(render.detailed_out(items, addresses))

    async def _page_details(self, request: Request, fields: dict[str, Any]) -> Response:
        tagset_ids = [] if fields.get("filterIds") is None else integers_of(fields, "filterIds")
        item, _ = await self._one(request, fields, tagset_ids)
        if not tagset_ids:
            return json_answer({})
        tagsets = await self._catalogue.tagsets(session_of(fields).collection)
        return json_answer(render.page_details_out(item, tagset_ids, tagsets.tagsets))

    async def related(self, request: Request) -> Response:
        fields = await read_fields(request)
        if "media_ids" not in fields:
            item, _ = await self._one(request, fields)
            if not item.is_group:
                return json_answer({"related": []})
            members = await self._catalogue.members(session_of(fields).collection, item.relative_id)
            return json_answer({"related": list(members.ids)})
        ids, session = integers_of(fields, "media_ids"), session_of(fields)
        within_bounds("media_ids", ids)
        await self._allowed(request, session)
        return json_answer(render.related_out(ids, await self._catalogue.related(session.collection, ids)))

    async def excluded(self, request: Request) -> Response:
        fields = await read_fields(request)
        documented = "media_id" in fields
        item_name, groups_name, answer_name = (
            ("media_id", "excluded_group_ids", "excluded")
            if documented
            else ("itemId", "excluded_ids", "excludedOrNot")
        )
        item_id, group_ids = integer_of(fields, item_name), integers_of(fields, groups_name)
        session = session_of(fields)
        within_bounds(item_name, [item_id])
        within_bounds(groups_name, group_ids)
        await self._allowed(request, session)
        return json_answer({answer_name: await self._catalogue.is_excluded(session.collection, item_id, group_ids)})

    async def _one(
        self, request: Request, fields: dict[str, Any], tagset_ids: list[int] | None = None
    ) -> tuple[pb.Item, render.Addresses]:
        """The item of a one-item form.

        Raises:
            Failure: 422 and 400 for the request, 404 for the item or its collection.
        """
        item_id, session = integer_of(fields, "mediaId"), session_of(fields)
        within_bounds("mediaId", [item_id])
        within_bounds("filterIds", tagset_ids or ())
        addresses = await self._addresses(request, session)
        found = (await self._catalogue.items(session.collection, [item_id], tagset_ids or ())).items
        if not found:
            raise Failure(404, ErrorCode.ITEM_NOT_FOUND, "There is no such item in the collection.")
        return found[0], addresses

    async def _addresses(self, request: Request, session: Session) -> render.Addresses:
        return render.Addresses(BlobAddresses(self._signer, request), await self._allowed(request, session))

    async def _allowed(self, request: Request, session: Session) -> pb.Collection:
        return await self._known.named(session.collection, access_of(request))

    # --- what a session asks at its start ---
    async def init(self, request: Request) -> Response:
        access = access_of(request)
        seen = [one for one in (await self._catalogue.collections()).collections if access.sees(one.id)]
        collections: list[Any] = [one.slug for one in seen]
        if _documented_shape(request):
            counts = await asyncio.gather(*(self._catalogue.count_items(one.slug) for one in seen))
            collections = [{"name": one.slug, "total_items": count} for one, count in zip(seen, counts, strict=True)]
        return json_answer({"session": request.path_params["session"], "collections": collections})

    async def total_items(self, request: Request) -> Response:
        session = session_of(await read_fields(request))
        await self._allowed(request, session)
        count = await self._catalogue.count_items(session.collection)
        return json_answer({"total_items": count, "total": count})

    async def filters(self, request: Request) -> Response:
        name = request.path_params["collection"]
        await self._known.named(name, access_of(request))
        tagsets = (await self._catalogue.tagsets(name)).tagsets
        if _documented_shape(request):
            return json_answer(render.documented_filters_out(tagsets))
        return json_answer(render.filters_out(tagsets))

    async def filter_values(self, request: Request) -> Response:
        name = request.path_params["collection"]
        tagtype, tagset_id = path_integer(request, "tagtype_id"), path_integer(request, "tagset_id")
        await self._known.named(name, access_of(request))
        known = next((one for one in render.TAGTYPES if one == tagtype), None)
        if known is None:
            raise Failure(404, ErrorCode.TAG_NOT_FOUND, "There is no such tag type.")
        values = render.tag_values_out(await self._catalogue.tag_values(name, known, tagset_id))
        return json_answer({"values": values} if _documented_shape(request) else values)

    # --- what the page tells ---
    async def add_model(self, request: Request) -> Response:
        return await self._log_model(request, "addModel")

    async def remove_model(self, request: Request) -> Response:
        return await self._log_model(request, "removeModel")

    async def _log_model(self, request: Request, kind: str) -> Response:
        session = session_of(await read_fields(request))
        return await self._log({"kind": kind, **_told(session)})

    async def client_event(self, request: Request) -> Response:
        given = await read_json(request)
        about: dict[str, Any] = {}
        if isinstance(given, dict):
            about = _told(session_of(given))
            given = given.get("events")
        if not isinstance(given, list) or not all(_is_event(event) for event in given):
            raise unfit("Expected a list of events, each an object with a string 'action'.", "events")
        return await self._log(*({"kind": "clientEvent", **about, "event": event} for event in given))

    async def _log(self, *entries: Mapping[str, Any]) -> Response:
        await self._audit.append(entries)
        return json_answer(_LOGGED)

    async def evaluations(self, request: Request) -> Response:
        return json_answer([])


def _documented_shape(request: Request) -> bool:
    return Query(request.scope["query_string"]).raw("shape") == b"docs"


def _told(session: Session) -> dict[str, Any]:
    return {"session": session.session, "collection": session.collection, "modelId": session.model_id}


def _is_event(event: Any) -> bool:
    return isinstance(event, dict) and isinstance(event.get("action"), str)
