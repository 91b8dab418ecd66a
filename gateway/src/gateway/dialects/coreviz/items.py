"""Single items: media, their tags and versions, and folders."""

from __future__ import annotations

from fastapi import FastAPI
from media_proto import metadata_pb2 as pb
from starlette.requests import Request
from starlette.responses import Response

from gateway.answers import json_answer
from gateway.bodies import read_object
from gateway.clients import FsClient
from gateway.dialects.coreviz import docs, fields, ids, render
from gateway.dialects.coreviz.deletion import Deletion
from gateway.dialects.coreviz.lookup import Lookup
from gateway.errors import invalid
from gateway.library import Library
from gateway.openapi import Doc, Endpoint, add_route
from gateway.query import LooseQuery


class Items:
    """`/api/media/` and `/api/folder`."""

    def __init__(self, fs: FsClient, library: Library, lookup: Lookup) -> None:
        self._library = library
        self._lookup = lookup
        self._deletion = Deletion(fs, library)

    def add_to(self, app: FastAPI) -> None:
        routes: tuple[tuple[str, str, Endpoint, Doc], ...] = (
            ("GET", "/api/media/{media_id}", self.one, docs.MEDIA),
            ("PATCH", "/api/media/{media_id}", self.change, docs.CHANGE_MEDIA),
            ("DELETE", "/api/media/{media_id}", self.delete, docs.DELETE_MEDIA),
            ("PATCH", "/api/media/{media_id}/move", self.move, docs.MOVE),
            ("POST", "/api/media/{media_id}/tags", self.add_tag, docs.ADD_TAG),
            ("DELETE", "/api/media/{media_id}/tags", self.remove_tag, docs.REMOVE_TAG),
            ("PATCH", "/api/media/{media_id}/tags", self.relabel_tags, docs.RELABEL_TAGS),
            ("GET", "/api/media/{media_id}/versions", self.versions, docs.VERSIONS),
            ("DELETE", "/api/media/{media_id}/versions", self.delete_version, docs.DELETE_VERSION),
            ("PATCH", "/api/media/{media_id}/select-version", self.select_version, docs.SELECT_VERSION),
            ("POST", "/api/folder", self.create_folder, docs.CREATE_FOLDER),
            ("GET", "/api/folder/{folder_id}", self.folder, docs.FOLDER),
            ("PATCH", "/api/folder/{folder_id}", self.change_folder, docs.CHANGE_FOLDER),
            ("DELETE", "/api/folder/{folder_id}", self.delete_folder, docs.DELETE_FOLDER),
        )
        for method, path, endpoint, doc in routes:
            add_route(app, docs.TAG, method, path, endpoint, doc)

    def _shown(self, request: Request, media: pb.Media) -> Response:
        return json_answer({"media": render.media_out(media, self._lookup.blobs(request))})

    # --- media ---
    async def one(self, request: Request) -> Response:
        return self._shown(request, await self._lookup.media(request))

    async def change(self, request: Request) -> Response:
        media = await self._lookup.media(request, writing=True)
        return self._shown(request, await self._library.edit(fields.edit_of(media.uuid, await read_object(request))))

    async def delete(self, request: Request) -> Response:
        media = await self._lookup.media(request, writing=True)
        if media.kind == pb.MEDIA_KIND_FOLDER:
            count = await self._deletion.folder(media)
        else:
            count = await self._deletion.media(media)
        return json_answer({"id": media.uuid.hex(), "deletedCount": count})

    async def move(self, request: Request) -> Response:
        media = await self._lookup.media(request, writing=True)
        text = fields.text_or_none(await read_object(request), "destinationPath")
        if text is None:
            raise invalid("destinationPath", "Missing destinationPath")
        target = ids.folder_path(text, media.path[0], "destinationPath")
        if target != list(media.path[:-1]):
            media = await self._library.move(media.uuid, target)
        return json_answer({"id": media.uuid.hex(), "newPath": ids.path_out(media.path), "success": True})

    # --- tags ---
    async def add_tag(self, request: Request) -> Response:
        media = await self._lookup.media(request, writing=True)
        body = await read_object(request)
        label, value = fields.name_field(body, "label"), fields.name_field(body, "value")
        return self._shown(request, await self._library.add_tag(media.uuid, label, value))

    async def remove_tag(self, request: Request) -> Response:
        media = await self._lookup.media(request, writing=True)
        body = await read_object(request)
        label, value = fields.name_field(body, "label"), fields.optional_name(body, "value")
        return self._shown(request, await self._library.remove_tag(media.uuid, label, value))

    async def relabel_tags(self, request: Request) -> Response:
        media = await self._lookup.media(request, writing=True)
        body = await read_object(request)
        old, new = fields.name_field(body, "oldLabel"), fields.name_field(body, "newLabel")
        return self._shown(request, await self._library.relabel_tags(media.uuid, old, new))

    # --- versions ---
    async def versions(self, request: Request) -> Response:
        media = await self._lookup.media(request)
        blobs = self._lookup.blobs(request)
        found = await self._library.versions(media.uuid)
        return json_answer({"versions": [render.media_out(one, blobs) for one in found]})

    async def delete_version(self, request: Request) -> Response:
        media = await self._lookup.media(request, writing=True)
        text = LooseQuery(request.scope["query_string"]).text("versionId")
        if text is None:
            raise invalid("versionId", "Missing versionId")
        uuid = ids.parsed(text)
        if uuid is None:
            raise ids.not_found("Media")
        promoted = await self._deletion.version(media, await self._library.media(uuid))
        return json_answer({"deletedId": uuid.hex(), "promotedId": None if promoted is None else promoted.hex()})

    async def select_version(self, request: Request) -> Response:
        media = await self._lookup.media(request, writing=True)
        return self._shown(request, await self._library.select_version(media.uuid))

    # --- folders ---
    async def create_folder(self, request: Request) -> Response:
        body = await read_object(request)
        dataset = fields.text_or_none(body, "datasetId")
        if dataset is None:
            raise invalid("datasetId", "Missing datasetId")
        collection = await self._lookup.collection(request, dataset, writing=True)
        path = fields.text_or_none(body, "path")
        wanted = pb.CreateFolderRequest(
            collection=collection.uuid.hex(),
            name=fields.name_field(body, "name"),
            path=[] if path is None else ids.folder_path(path, collection.uuid),
            reuse=fields.flag_field(body, "reuse"),
        )
        return json_answer({"folder": render.folder_out(await self._library.create_folder(wanted))})

    async def folder(self, request: Request) -> Response:
        return json_answer({"folder": render.folder_out(await self._lookup.folder(request))})

    async def change_folder(self, request: Request) -> Response:
        folder = await self._lookup.folder(request, writing=True)
        changed = await self._library.edit(fields.edit_of(folder.uuid, await read_object(request)))
        return json_answer({"folder": render.folder_out(changed)})

    async def delete_folder(self, request: Request) -> Response:
        folder = await self._lookup.folder(request, writing=True)
        count = await self._deletion.folder(folder)
        answer = {"folder": render.folder_out(folder), "id": folder.uuid.hex(), "deletedCount": count}
        return json_answer(answer)
