"""`/api/ai/`: vectors of words and pictures, and which words fit a picture. Nothing here generates anything."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import grpc
from fastapi import FastAPI
from media_common.errors import ErrorCode
from media_common.grpc_client import error_code_of
from starlette.requests import Request
from starlette.responses import Response

from gateway.answers import json_answer
from gateway.bodies import read_object
from gateway.data_urls import picture_of
from gateway.dialects.coreviz import ai_docs, docs, fields
from gateway.dialects.coreviz.fields import MAX_OPTIONS, MAX_TEXT
from gateway.errors import Failure, invalid
from gateway.openapi import Doc, Endpoint, add_route
from gateway.search import SearchClient

NO_GENERATION: Final = "Generating text or images is not this server's job."
#: A data URL of a picture fits.
MAX_IMAGE_BODY: Final = 32 * 1024 * 1024


class Ai:
    """The tasks."""

    def __init__(self, search: SearchClient) -> None:
        self._search = search

    def add_to(self, app: FastAPI) -> None:
        routes: tuple[tuple[str, Endpoint, Doc], ...] = (
            ("/api/ai/embed", self.embed, ai_docs.EMBED),
            ("/api/ai/embeddings", self.embeddings, ai_docs.EMBEDDINGS),
            ("/api/ai/tag", self.tag, ai_docs.CHOOSE_TAGS),
            ("/api/ai/{task}", self.other, ai_docs.AI),
        )
        for path, endpoint, doc in routes:
            add_route(app, docs.TAG, "POST", path, endpoint, doc)

    async def embed(self, request: Request) -> Response:
        body = await read_object(request, MAX_IMAGE_BODY)
        text, image = fields.text_or_none(body, "text"), fields.text_or_none(body, "image")
        if (text is None) == (image is None):
            raise invalid("text", "Give either a text or an image")
        if image is not None:
            return await self._picture(image, "image")
        return await self._text(text, "text")

    async def embeddings(self, request: Request) -> Response:
        body = await read_object(request, MAX_IMAGE_BODY)
        kind, given = body.get("type", "text"), fields.text_or_none(body, "input")
        if kind not in ("text", "image"):
            raise invalid("type", "Invalid type: must be one of text, image")
        if given is None:
            raise invalid("input", "Missing input")
        return await (self._text if kind == "text" else self._picture)(given, "input")

    async def tag(self, request: Request) -> Response:
        body = await read_object(request, MAX_IMAGE_BODY)
        if not body.get("options"):
            raise Failure(501, "not_implemented", NO_GENERATION)
        options = _options(body["options"])
        several = fields.flag_field(body, "multiple")
        fields.text_or_none(body, "prompt")
        image = fields.text_or_none(body, "image")
        if image is None:
            raise invalid("image", "Missing image")
        picture = picture_of(image, "image")
        with _reworded("image"):
            chosen = await self._search.choose_words(picture, options, several=several)
        return json_answer({"tags": list(chosen.words)})

    async def other(self, request: Request) -> Response:
        if request.path_params["task"] in ("describe", "edit", "generate"):
            raise Failure(501, "not_implemented", NO_GENERATION)
        raise Failure(404, "not_found", "There is nothing at this address.")

    async def _text(self, text: str | None, name: str) -> Response:
        if text is None or not text.strip() or len(text) > MAX_TEXT:
            raise invalid(name, f"Invalid {name}: must be a text of 1 to {MAX_TEXT} characters")
        [vector] = (await self._search.embed_texts([text])).vectors
        return json_answer({"embedding": list(vector.values)})

    async def _picture(self, url: str, name: str) -> Response:
        picture = picture_of(url, name)
        with _reworded(name):
            [vector] = (await self._search.embed_pictures([picture])).vectors
        return json_answer({"embedding": list(vector.values)})


@contextmanager
def _reworded(name: str) -> Iterator[None]:
    """Inside it, search's refusal of a picture names the field that the picture came in."""
    try:
        yield
    except grpc.aio.AioRpcError as error:
        if error_code_of(error) is not ErrorCode.INVALID_ARGUMENT:
            raise
        raise invalid(name, error.details() or f"Invalid {name}") from error


def _options(value: Any) -> list[str]:
    """
    Raises:
        Failure: 400.
    """
    if isinstance(value, list) and len(value) <= MAX_OPTIONS and all(isinstance(one, str) for one in value):
        return list(dict.fromkeys(fields.name_field({"options": one}, "options") for one in value))
    raise invalid("options", f"Invalid options: must be a list of at most {MAX_OPTIONS} texts")
