"""Collections, listings, and what of them needs no vectors: parse, one call, render."""

from __future__ import annotations

import asyncio
from typing import Final

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
from gateway.dialects.coreviz.items import Items
from gateway.dialects.coreviz.lookup import Lookup
from gateway.errors import Failure, invalid, search_off
from gateway.library import Library
from gateway.openapi import Doc, Endpoint, add_route
from gateway.query import LooseQuery

NO_GENERATION: Final = "Generating text or images is not this server's job."
DEFAULT_RESULTS: Final = 20
#: A data URL of a picture fits.
MAX_IMAGE_BODY: Final = 32 * 1024 * 1024


class CoreViz:
    """Every endpoint of the dialect but those of single items (`items.Items`) and uploads."""

    def __init__(self, fs: FsClient, library: Library, signer: BlobSigner) -> None:
        self._library = library
        self._lookup = Lookup(library, signer)
        self._items = Items(fs, library, self._lookup)

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
            ("GET", "/api/dataset/{dataset_id}/clusters", self.clusters, docs.CLUSTERS),
            ("POST", "/api/dataset/{dataset_id}/clusters", self.make_clusters, docs.MAKE_CLUSTERS),
            ("GET", "/api/search", self.search, docs.SEARCH),
            ("POST", "/api/ai/{task}", self.ai, docs.AI),
        )
        for method, path, endpoint, doc in routes:
            add_route(app, docs.TAG, method, path, endpoint, doc)
        self._items.add_to(app)

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
        collection = await self._lookup.collection(request)
        wanted, is_scored = parameters.list_request(LooseQuery(request.scope["query_string"]), collection)
        if is_scored:
            raise search_off()
        page = await self._library.page(wanted)
        return json_answer(render.page_out(page, wanted.limit, wanted.offset, self._lookup.blobs(request)))

    async def tags(self, request: Request) -> Response:
        collection = await self._lookup.collection(request)
        found = await self._library.tags(collection.uuid.hex())
        return json_answer({"tags": render.tags_out(found.tags.items())})

    async def clusters(self, request: Request) -> Response:
        collection = await self._lookup.collection(request)
        model = LooseQuery(request.scope["query_string"]).text("model")
        if model is not None and model not in parameters.MODELS:
            raise invalid("model", f"Invalid model: must be one of {', '.join(parameters.MODELS)}")
        models = parameters.MODELS if model is None else (model,)
        found = await asyncio.gather(*(self._library.clusters(collection.uuid.hex(), one) for one in models))
        together = sorted((one for of_model in found for one in of_model), key=lambda one: -one.size)
        return json_answer({"clusters": render.clusters_out(together)})

    # --- what needs vectors ---
    async def make_clusters(self, request: Request) -> Response:
        await self._lookup.collection(request, writing=True)
        body = await read_object(request)
        if body.get("model") not in parameters.MODELS:
            raise invalid("model", f"Invalid model: must be one of {', '.join(parameters.MODELS)}")
        size = body.get("minSize", 2)
        if type(size) is not int or size < 1:
            raise invalid("minSize", "Invalid minSize: must be an integer of at least 1")
        raise search_off()

    async def search(self, request: Request) -> Response:
        query = LooseQuery(request.scope["query_string"])
        parameters.limit_of(query, DEFAULT_RESULTS)
        question = (query.text("q") or "").strip()
        if not 1 <= len(question) <= parameters.MAX_QUESTION:
            raise invalid("q", f"Invalid q: must be a text of 1 to {parameters.MAX_QUESTION} characters")
        raise search_off()

    async def ai(self, request: Request) -> Response:
        match request.path_params["task"]:
            case "describe" | "edit" | "generate":
                raise Failure(501, "not_implemented", NO_GENERATION)
            case "tag":
                if not (await read_object(request, MAX_IMAGE_BODY)).get("options"):
                    raise Failure(501, "not_implemented", NO_GENERATION)
                raise search_off()
            case "embed" | "embeddings":
                raise search_off()
        raise Failure(404, "not_found", "There is nothing at this address.")


def _check_organization(request: Request) -> None:
    if ids.parsed(request.path_params["organization_id"]) != bytes.fromhex(render.ORGANIZATION_ID):
        raise ids.not_found("Organization")
