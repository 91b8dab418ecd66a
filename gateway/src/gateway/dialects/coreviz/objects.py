"""Objects that a detector of one's own has found in items, and clusters of them."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final

import grpc
from fastapi import FastAPI
from media_common.boxes import box_of
from media_proto import metadata_pb2 as pb
from media_proto import search_pb2
from starlette.requests import Request
from starlette.responses import Response

from gateway.answers import json_answer
from gateway.bodies import BATCH_BYTES, read_body, read_object, value_of
from gateway.dialects.coreviz import docs, fields, ids, parameters, render
from gateway.dialects.coreviz.lookup import Lookup
from gateway.dialects.coreviz.scored import OBJECTS
from gateway.errors import Failure, invalid
from gateway.library import Library
from gateway.openapi import Doc, Endpoint, add_route
from gateway.query import LooseQuery
from gateway.search import SearchClient

logger = logging.getLogger(__name__)

#: Vectors, and boxes to be cut out and embedded, of one call to the search service.
_VECTORS: Final = 1000
_BOXES: Final = 64


class Objects:
    """Three endpoints."""

    def __init__(self, library: Library, search: SearchClient, lookup: Lookup) -> None:
        self._library = library
        self._search = search
        self._lookup = lookup

    def add_to(self, app: FastAPI) -> None:
        routes: tuple[tuple[str, str, Endpoint, Doc], ...] = (
            ("POST", "/api/dataset/{dataset_id}/media/{media_id}/objects", self.add, docs.ADD_OBJECTS),
            ("GET", "/api/dataset/{dataset_id}/clusters", self.clusters, docs.CLUSTERS),
            ("POST", "/api/dataset/{dataset_id}/clusters", self.make_clusters, docs.MAKE_CLUSTERS),
        )
        for method, path, endpoint, doc in routes:
            add_route(app, docs.TAG, method, path, endpoint, doc)

    async def add(self, request: Request) -> Response:
        collection = await self._lookup.collection(request, writing=True)
        media = await self._lookup.media(request, writing=True)
        if media.collection_id != collection.id:
            raise ids.not_found("Media")
        value = value_of(await read_body(request, BATCH_BYTES), request.headers.get("content-type", ""))
        wanted = fields.objects_of(media.uuid, value)
        vectors = fields.object_vectors_of(value)
        await self._check(wanted.objects, vectors)
        added = await self._library.add_objects(wanted)
        try:
            await self._keep(media, wanted.objects, added, vectors)
        except (Failure, grpc.aio.AioRpcError):
            await self._take_back([one.object_id for one in added])
            raise
        await self._show(media, wanted.objects, added, vectors)
        objects = [
            {"id": one.uuid.hex(), "type": given.kind, "label": given.label, "model": given.model}
            for one, given in zip(added, wanted.objects, strict=True)
        ]
        return json_answer({"objects": objects}, 201)

    async def _check(self, objects: Sequence[pb.GivenObject], vectors: Mapping[int, Sequence[float]]) -> None:
        """Before anything is kept: whether the vectors are such as their models make, and can be kept.

        Raises:
            Failure: 400, they are not; 503, nobody is there to keep them.
        """
        if not vectors:
            return
        named = sorted({objects[place].model for place in vectors})
        known = {one.name: one for one in (await self._search.models(named)).object_models}
        for place, vector in vectors.items():
            model = known.get(objects[place].model)
            if model is None:
                raise invalid("model", f"model '{objects[place].model}' is not installed on this server")
            if len(vector) != model.dimensions:
                message = f"Invalid vector: vectors of the model '{model.name}' have {model.dimensions} numbers"
                raise invalid("vector", message)

    async def _keep(
        self,
        media: pb.Media,
        objects: Sequence[pb.GivenObject],
        added: Sequence[pb.DetectedObject],
        vectors: Mapping[int, Sequence[float]],
    ) -> None:
        """The vectors that came along."""
        by_model: dict[str, list[search_pb2.ObjectVector]] = {}
        for place, values in vectors.items():
            vector = search_pb2.ObjectVector(
                object_id=added[place].object_id, item_id=media.item_id, vector=search_pb2.Vector(values=values)
            )
            by_model.setdefault(objects[place].model, []).append(vector)
        for model, given in by_model.items():
            await self._put(model, given, _VECTORS)

    async def _take_back(self, object_ids: Sequence[int]) -> None:
        """What was told to have failed is not there, and sent again it is not there twice."""
        try:
            for start in range(0, len(object_ids), _VECTORS):
                await self._search.remove_object_vectors(object_ids[start : start + _VECTORS])
        except (Failure, grpc.aio.AioRpcError) as error:
            logger.warning("vectors of objects that were not added may be left: %s", error)
        try:
            await self._library.remove_objects(object_ids)
        except (Failure, grpc.aio.AioRpcError) as error:
            logger.warning("%d objects stay, though they were told not to be added: %s", len(object_ids), error)

    async def _show(
        self,
        media: pb.Media,
        objects: Sequence[pb.GivenObject],
        added: Sequence[pb.DetectedObject],
        vectors: Mapping[int, Sequence[float]],
    ) -> None:
        """Have those without a vector embedded by their looks, and by their own model where it is installed."""
        bare = [
            (given.model, search_pb2.ObjectVector(object_id=one.object_id, item_id=media.item_id, box=_box(given)))
            for place, (one, given) in enumerate(zip(added, objects, strict=True))
            if place not in vectors
        ]
        try:
            await self._put(OBJECTS, [one for _, one in bare], _BOXES)
            if named := {model for model, _ in bare} - {OBJECTS}:
                installed = {one.name for one in (await self._search.models()).object_models}
                for model in sorted(named & installed):
                    await self._put(model, [one for own, one in bare if own == model], _BOXES)
        except (Failure, grpc.aio.AioRpcError) as error:
            # They are objects all the same; search looks for those that it was not shown.
            logger.warning("%d objects of %s have no vectors yet: %s", len(bare), media.uuid.hex(), error)

    async def _put(self, model: str, given: Sequence[search_pb2.ObjectVector], at_once: int) -> None:
        for start in range(0, len(given), at_once):
            batch = search_pb2.PutObjectVectorsRequest(model=model, objects=given[start : start + at_once])
            await self._search.put_object_vectors(batch)

    # --- clusters ---
    async def clusters(self, request: Request) -> Response:
        collection = await self._lookup.collection(request)
        model = LooseQuery(request.scope["query_string"]).text("model")
        models = parameters.MODELS if model is None else (_model(model),)
        found = await asyncio.gather(*(self._library.clusters(collection.uuid.hex(), one) for one in models))
        together = sorted((one for of_model in found for one in of_model), key=lambda one: -one.size)
        return json_answer({"clusters": render.clusters_out(together)})

    async def make_clusters(self, request: Request) -> Response:
        collection = await self._lookup.collection(request, writing=True)
        body = await read_object(request)
        model = _model(body.get("model"))
        size = body.get("minSize", 2)
        if type(size) is not int or not 1 <= size < fields.INT32:
            raise invalid("minSize", "Invalid minSize: must be an integer of at least 1")
        asked = search_pb2.FindClustersRequest(collection_id=collection.id, object_model=model, min_size=size)
        found = await self._search.clusters(asked)
        given = [pb.GivenCluster(middle_object_id=one.middle_id, object_ids=one.member_ids) for one in found.clusters]
        wanted = pb.SetClustersRequest(collection=collection.uuid.hex(), model=model, clusters=given)
        return json_answer({"clusters": render.clusters_out(await self._library.set_clusters(wanted))})


def _box(given: pb.GivenObject) -> search_pb2.Box:
    """What holds the object."""
    box = box_of(json.loads(given.shape_json))
    assert box is not None, "it was read as one or the other"
    left, top, width, height = box
    return search_pb2.Box(frame=given.frame, x=left, y=top, width=width, height=height)


def _model(given: Any) -> str:
    """
    Raises:
        Failure: 400, it is none.
    """
    for model in parameters.MODELS:
        if given == model:
            return model
    raise invalid("model", f"Invalid model: must be one of {', '.join(parameters.MODELS)}")
