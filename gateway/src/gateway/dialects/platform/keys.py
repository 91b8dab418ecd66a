"""Keys: made, listed, revoked. Who may is decided at the door."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final
from uuid import UUID

from fastapi import FastAPI
from media_common.errors import ErrorCode
from media_proto import metadata_pb2 as pb
from starlette.requests import Request
from starlette.responses import Response

from gateway.answers import json_answer
from gateway.bodies import read_object, text_field
from gateway.catalogue import CatalogueClient
from gateway.dialects.mediareviewer.render import iso_time
from gateway.dialects.platform import catalogue_docs, docs
from gateway.errors import Failure, invalid
from gateway.openapi import add_route

SCOPES: Final = ("read", "write", "trash", "empty-trash", "admin")
MAX_NAME: Final = 200
MAX_COLLECTIONS: Final = 1000
MAX_DAYS: Final = 36_500
_DAY_US: Final = 86_400_000_000
#: A secret is for the one who asked, not for a cache on the way.
_NO_STORE: Final = {"Cache-Control": "no-store"}


class KeyDesk:
    """The three endpoints of `/api/keys`."""

    def __init__(self, catalogue: CatalogueClient, revoked: Callable[[], None]) -> None:
        """`revoked` is called when a key is, so that nobody goes on believing in it."""
        self._catalogue = catalogue
        self._revoked = revoked

    def add_to(self, app: FastAPI) -> None:
        add_route(app, docs.TAG, "POST", "/api/keys", self.create, catalogue_docs.CREATE_KEY)
        add_route(app, docs.TAG, "GET", "/api/keys", self.listed, catalogue_docs.KEYS)
        add_route(app, docs.TAG, "DELETE", "/api/keys/{key_id}", self.revoke, catalogue_docs.REVOKE_KEY)

    async def create(self, request: Request) -> Response:
        wanted = key_request(await read_object(request), time.time_ns() // 1000)
        key = await self._catalogue.create_key(wanted)
        names = await self._slugs()
        return json_answer({**key_out(key, names), "key": key.secret}, 201, _NO_STORE)

    async def listed(self, request: Request) -> Response:
        keys = [key for key in (await self._catalogue.keys()).keys if not key.HasField("revoked_us")]
        names = await self._slugs()
        return json_answer({"keys": [key_out(key, names) for key in keys]}, headers=_NO_STORE)

    async def revoke(self, request: Request) -> Response:
        try:
            uuid = UUID(request.path_params["key_id"])
        except ValueError as error:
            raise Failure(404, ErrorCode.KEY_NOT_FOUND, "There is no such key.") from error
        await self._catalogue.revoke_key(uuid.bytes)
        self._revoked()
        return Response(status_code=204)

    async def _slugs(self) -> Mapping[int, str]:
        return {one.id: one.slug for one in (await self._catalogue.collections()).collections}


def key_request(fields: dict[str, Any], now_us: int) -> pb.CreateKeyRequest:
    """The key that the body asks for.

    Raises:
        Failure: 400, the first field that is not what it must be.
    """
    name = text_field(fields, "name")
    if len(name) > MAX_NAME or not _is_text(name):
        raise invalid("name", f"Field 'name' must be text of at most {MAX_NAME} characters.")
    scopes = fields.get("scopes")
    if not isinstance(scopes, list) or not scopes or not all(scope in SCOPES for scope in scopes):
        raise invalid("scopes", f"Field 'scopes' must be a list of some of {', '.join(SCOPES)}.")
    request = pb.CreateKeyRequest(name=name, scopes=[scope for scope in SCOPES if scope in scopes])
    collections = fields.get("collections")
    if collections is None:
        request.all_collections = True
    elif not isinstance(collections, list) or not 1 <= len(collections) <= MAX_COLLECTIONS:
        raise invalid("collections", f"Field 'collections' must be a list of 1 to {MAX_COLLECTIONS} names, or absent.")
    elif not all(isinstance(one, str) and _is_text(one) for one in collections):
        raise invalid("collections", "Every entry of 'collections' must be a collection's name or id.")
    else:
        request.collections.extend(collections)
    days = fields.get("expiresInDays")
    if days is not None:
        if isinstance(days, bool) or not isinstance(days, int | float) or not 0 < days <= MAX_DAYS:
            raise invalid("expiresInDays", f"Field 'expiresInDays' must be a number above 0, at most {MAX_DAYS}.")
        request.expires_us = now_us + int(days * _DAY_US)
    return request


def key_out(key: pb.Key, slugs: Mapping[int, str]) -> dict[str, Any]:
    """A key without its secret. `collections` null: all; one that is gone is left out."""
    limited = [slugs[one] for one in key.collection_ids if one in slugs]
    return {
        "id": key.uuid.hex(),
        "name": key.name,
        "scopes": list(key.scopes),
        "collections": None if key.all_collections else limited,
        "createdAt": iso_time(key.created_us),
        "expiresAt": iso_time(key.expires_us) if key.HasField("expires_us") else None,
    }


def _is_text(value: str) -> bool:
    """Whether a message can carry it."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
