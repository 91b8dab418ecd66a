"""`/api/reindex`: the catalogue is compared with the disk again, in the background; every item keeps its ids."""

from __future__ import annotations

from typing import Any, Final

from fastapi import FastAPI
from media_common.errors import ErrorCode
from media_proto import metadata_pb2 as pb
from starlette.requests import Request
from starlette.responses import Response

from gateway.answers import json_answer
from gateway.bodies import read_object, text_field
from gateway.catalogue import CatalogueClient
from gateway.dialects.platform import docs
from gateway.errors import Failure
from gateway.openapi import Doc, add_route
from gateway.paths import bytes_of, plain, text_of

_DOC: Final = Doc(
    "Compare the catalogue with the disk again, in the background; without a path, all review paths",
    {"waiting": 0, "running": True, "roots": [{"path": "/home/example/trailcam", "items": 4711, "running": True}]},
    status=202,
    body={"path": "/home/example/trailcam"},
    other_bodies=({},),
    errors={403: "The caller's key lacks `admin`.", 404: "The path is no review path that the catalogue knows."},
)


class Reindexing:
    """One endpoint."""

    def __init__(self, catalogue: CatalogueClient) -> None:
        self._catalogue = catalogue

    def add_to(self, app: FastAPI) -> None:
        add_route(app, docs.TAG, "POST", "/api/reindex", self.reindex, _DOC)

    async def reindex(self, request: Request) -> Response:
        fields = await read_object(request)
        root = plain(bytes_of(text_field(fields, "path"))) if fields.get("path") is not None else None
        return json_answer(await reindexed(self._catalogue, root), 202)


async def reindexed(catalogue: CatalogueClient, root: bytes | None) -> dict[str, Any]:
    """Ask for it; how far everything is.

    Args:
        root: one review path as it is kept; None: all.
    Raises:
        Failure: 404, the catalogue has no such review path.
    """
    if root is not None:
        known = [one.root_path for one in (await catalogue.collections()).collections if one.HasField("root_path")]
        if root not in known:
            raise Failure(404, ErrorCode.ROOT_NOT_CONFIGURED, "There is no such review path in the catalogue.")
    told = await catalogue.ask(catalogue.stub.Reindex, pb.ReindexRequest(root=root))
    roots = [{"path": text_of(one.root), "items": one.items, "running": one.running} for one in told.roots]
    return {"waiting": told.waiting, "running": told.running, "roots": roots}
