"""The files a browser gets: the start page and the reader of `/openapi.json`. No build step, nothing from elsewhere."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from typing import Final

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from gateway.ranges import etags

#: Everything from here and nothing inline.
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
_TYPES: Final = {"html": "text/html; charset=utf-8", "css": "text/css; charset=utf-8", "js": "text/javascript"}


class Page:
    """The files, read once."""

    def __init__(self) -> None:
        folder = files(__package__ or "gateway.page")
        self._files: dict[str, tuple[bytes, str, str]] = {}
        for file in folder.iterdir():
            kind = _TYPES.get(file.name.rpartition(".")[2])
            if kind:
                body = file.read_bytes()
                self._files[file.name] = (body, kind, hashlib.sha256(body).hexdigest()[:32])

    def add_to(self, app: FastAPI) -> None:
        for path, endpoint in (
            ("/", self.start),
            ("/docs", self.docs),
            ("/page/{name}", self.file),
            ("/favicon.ico", self.favicon),
        ):
            app.add_api_route(path, endpoint, methods=["GET", "HEAD"], include_in_schema=False)

    async def start(self, request: Request) -> Response:
        return self._answer("index.html", request)

    async def docs(self, request: Request) -> Response:
        return self._answer("docs.html", request)

    async def file(self, request: Request) -> Response:
        return self._answer(request.path_params["name"], request)

    async def favicon(self, request: Request) -> Response:
        return Response(status_code=204)

    def _answer(self, name: str, request: Request) -> Response:
        if name not in self._files:
            raise HTTPException(404)
        body, kind, tag = self._files[name]
        headers = {**_HEADERS, "ETag": f'"{tag}"'}
        if tag in etags(request.headers.get("if-none-match", "")):
            return Response(status_code=304, headers=headers)
        return Response(body, headers={**headers, "Content-Type": kind})
