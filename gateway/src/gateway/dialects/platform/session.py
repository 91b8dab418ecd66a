"""`/api/session`: the web page signs in and out."""

from __future__ import annotations

from typing import Final

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from gateway.access import LOCAL, access_of
from gateway.answers import json_answer
from gateway.auth import Keys, sent_key
from gateway.dialects.platform import docs
from gateway.openapi import Doc, add_route
from gateway.session_cookie import cookie_key, set_cookie

_NO_STORE: Final = {"Cache-Control": "no-store"}
_SIGN_IN: Final = Doc(
    "Sign the web page in: the key in the header goes into a cookie; without one, a caller on this machine gets one",
    {"name": "research page", "scopes": ["read", "trash"]},
)
_SIGN_OUT: Final = Doc("Sign the web page out: take its cookie away", status=204)


class Sessions:
    """Two endpoints. Who the caller is was found out at the door."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def add_to(self, app: FastAPI) -> None:
        add_route(app, docs.TAG, "POST", "/api/session", self.sign_in, _SIGN_IN)
        add_route(app, docs.TAG, "DELETE", "/api/session", self.sign_out, _SIGN_OUT)

    async def sign_in(self, request: Request) -> Response:
        access = access_of(request)
        key = sent_key(request.headers) or ("" if access is LOCAL else cookie_key(request.headers))
        cookie = set_cookie(request, key or self._keys.local_token)
        told = {"name": access.name, "scopes": sorted(access.scopes)}
        return json_answer(told, headers={**_NO_STORE, "Set-Cookie": cookie})

    async def sign_out(self, request: Request) -> Response:
        return Response(status_code=204, headers={**_NO_STORE, "Set-Cookie": set_cookie(request, "")})
