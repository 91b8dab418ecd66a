"""The files a browser gets: the start page and the reader of `/openapi.json`. No build step, nothing from elsewhere."""

from __future__ import annotations

import gzip
import hashlib
import re
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from gateway.ranges import etags

#: Everything from here and nothing inline; `blob:` are pictures that the page made smaller itself.
_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' blob:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "Vary": "Accept-Encoding",
}
_TYPES: Final = {"html": "text/html; charset=utf-8", "css": "text/css; charset=utf-8", "js": "text/javascript"}
#: Asked for again with each visit, and answered 304.
_ASK_AGAIN: Final = "no-cache"
#: An address that names the contents never means others.
_FOR_GOOD: Final = "public, max-age=31536000, immutable"
#: What a start page names of ours.
_NAMED: Final = re.compile(r'(?<=")/page/([a-z.-]+)(?=")')


@dataclass(frozen=True, slots=True)
class _File:
    body: bytes
    packed: bytes  # gzip
    kind: str
    tag: str

    @classmethod
    def of(cls, body: bytes, kind: str) -> _File:
        # Once, at the start: the hardest packing costs 10 ms. No time in it, so that every process has the same.
        packed = gzip.compress(body, 9, mtime=0)
        return cls(body, packed, kind, hashlib.sha256(body).hexdigest()[:32])


class Page:
    """The files, read and packed once."""

    def __init__(self) -> None:
        folder = files(__package__ or "gateway.page")
        self._files: dict[str, _File] = {}
        starts: dict[str, str] = {}
        for file in folder.iterdir():
            kind = file.name.rpartition(".")[2]
            if kind == "html":
                starts[file.name] = file.read_text(encoding="utf-8")
            elif kind in _TYPES:
                self._files[file.name] = _File.of(file.read_bytes(), _TYPES[kind])
        for name, text in starts.items():
            self._files[name] = _File.of(_NAMED.sub(self._exact, text).encode(), _TYPES["html"])

    def _exact(self, found: re.Match[str]) -> str:
        """The address with what is behind it in it: a page of before never runs with files of after."""
        return f"{found[0]}?v={self._files[found[1]].tag}"

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
        return Response(status_code=204, headers={"Cache-Control": "public, max-age=86400"})

    def _answer(self, name: str, request: Request) -> Response:
        if name not in self._files:
            raise HTTPException(404)
        file = self._files[name]
        is_exact = request.query_params.get("v") == file.tag
        is_packed = _takes_gzip(request.headers.get("accept-encoding", ""))
        tag = f"{file.tag}-gzip" if is_packed else file.tag
        headers = {**_HEADERS, "ETag": f'"{tag}"', "Cache-Control": _FOR_GOOD if is_exact else _ASK_AGAIN}
        if tag in etags(request.headers.get("if-none-match", "")):
            return Response(status_code=304, headers=headers)
        headers["Content-Type"] = file.kind
        if is_packed:
            headers["Content-Encoding"] = "gzip"
        return Response(file.packed if is_packed else file.body, headers=headers)


def _takes_gzip(accepted: str) -> bool:
    """Whether an `Accept-Encoding` names gzip, and not to refuse it (`;q=0`)."""
    for part in accepted.lower().split(","):
        name, _, quality = part.partition(";")
        if name.strip() in ("gzip", "*"):
            return not re.fullmatch(r"\s*q\s*=\s*0(?:\.0*)?\s*", quality)
    return False
