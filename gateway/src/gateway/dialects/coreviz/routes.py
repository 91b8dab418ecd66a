"""Collections and listings: parse, ask, render."""

from __future__ import annotations

from fastapi import FastAPI
from media_proto import metadata_pb2 as pb
from starlette.requests import Request
from starlette.responses import Response

from gateway.access import access_of
from gateway.answers import json_answer
from gateway.blobs import BlobSigner
from gateway.bodies import read_object
from gateway.clients import FsClient
from gateway.dialects.coreviz import docs, fields, ids, parameters, render
from gateway.dialects.coreviz.ai import Ai
from gateway.dialects.coreviz.finds import Finds
from gateway.dialects.coreviz.items import Items
from gateway.dialects.coreviz.lookup import Lookup
from gateway.dialects.coreviz.objects import Objects
from gateway.dialects.coreviz.scored import Scoring
from gateway.errors import Failure, invalid
from gateway.library import Library
from gateway.openapi import Doc, Endpoint, add_route
from gateway.query import LooseQuery
from gateway.search import SearchClient


class CoreViz:
    """Every endpoint of the dialect but uploads; most are in parts of their own."""

    def __init__(self, fs: FsClient, library: Library, search: SearchClient, signer: BlobSigner, most: int) -> None:
        """`most`: results of one search."""
        self._library = library
        self._lookup = Lookup(library, signer)
        self._scoring = Scoring(library, search, most)
        self._parts = (
            Items(fs, library, self._lookup),
            Objects(library, search, self._lookup),
            Finds(library, search, self._lookup, most),
            Ai(search),
        )

    def add_to(self, app: FastAPI) -> None:
        routes: tuple[tuple[str, str, Endpoint, Doc], ...] = (
            ("GET", "/api/me", self.me, docs.ME),
            ("GET", "/api/auth/organization/list", self.organizations, docs.ORGANIZATIONS),
            ("GET", "/api/organization/{organization_id}/datasets", self.datasets, docs.DATASETS),
            ("POST", "/api/organization/{organization_id}/datasets", self.create_dataset, docs.CREATE_DATASET),
            ("GET", "/api/dataset/{dataset_id}", self.dataset, docs.DATASET),
            ("PATCH", "/api/dataset/{dataset_id}", self.change_dataset, docs.CHANGE_DATASET),
            ("GET", "/api/dataset/{dataset_id}/media", self.media, docs.LIST),
            ("GET", "/api/dataset/{dataset_id}/tags", self.tags, docs.TAGS),
        )
        for method, path, endpoint, doc in routes:
            add_route(app, docs.TAG, method, path, endpoint, doc)
        for part in self._parts:
            part.add_to(app)

    # --- who and where ---
    async def me(self, request: Request) -> Response:
        return json_answer(render.me_out(access_of(request)))

    async def organizations(self, request: Request) -> Response:
        return json_answer([render.ORGANIZATION])

    async def datasets(self, request: Request) -> Response:
        _check_organization(request)
        access = access_of(request)
        found = await self._library.collections()
        return json_answer([render.dataset_out(one) for one in found if access.sees(one.id)])

    async def create_dataset(self, request: Request) -> Response:
        _check_organization(request)
        access = access_of(request)
        access.require("write")
        if access.collections is not None:
            raise Failure(403, "forbidden", "A key that is limited to collections cannot make one.")
        body = await read_object(request)
        made = await self._library.create_collection(fields.name_field(body, "name"), fields.icon_field(body) or "")
        return json_answer(render.dataset_out(made))

    async def dataset(self, request: Request) -> Response:
        return json_answer({"dataset": render.dataset_out(await self._lookup.collection(request))})

    async def change_dataset(self, request: Request) -> Response:
        found = await self._lookup.collection(request, writing=True)
        body = await read_object(request)
        name, icon = fields.optional_name(body, "name"), fields.icon_field(body)
        if name is None and icon is None:
            raise invalid("name", "Nothing to change: give a name or an icon")
        change = pb.UpdateCollectionRequest(collection=found.uuid.hex(), name=name, icon=icon)
        return json_answer({"dataset": render.dataset_out(await self._library.update_collection(change))})

    # --- listings ---
    async def media(self, request: Request) -> Response:
        collection = await self._lookup.listed_collection(request)
        wanted, question = parameters.list_request(LooseQuery(request.scope["query_string"]), collection)
        blobs = self._lookup.blobs(request)
        if question is not None:
            found = await self._scoring.page(collection, wanted, question)
            return json_answer(render.found_out(found, wanted.limit, wanted.offset, blobs))
        page = await self._library.page(wanted)
        return json_answer(render.page_out(page, wanted.limit, wanted.offset, blobs))

    async def tags(self, request: Request) -> Response:
        collection = await self._lookup.collection(request)
        found = await self._library.tags(collection.uuid.hex())
        return json_answer({"tags": render.tags_out(found.tags.items())})


def _check_organization(request: Request) -> None:
    if not ids.is_organization(request.path_params["organization_id"]):
        raise ids.not_found("Organization")
