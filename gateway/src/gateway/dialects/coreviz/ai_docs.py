"""What `/openapi.json` says of `/api/ai/`; the bounds are those that the code holds to."""

from __future__ import annotations

from typing import Any, Final

from gateway.dialects.coreviz.docs import NO_KEY, NO_SEARCH, NOT_VALID
from gateway.dialects.coreviz.fields import MAX_NAME, MAX_OPTIONS, MAX_TEXT
from gateway.openapi import Doc
from gateway.shapes import Schema

_PICTURE: Final = "data:image/jpeg;base64,/9j/4AAQSkZJRg=="
_ERRORS: Final = {400: NOT_VALID, 401: NO_KEY, 413: "The body is too large.", **NO_SEARCH}
_TEXT: Final[Schema] = {"type": "string", "minLength": 1, "maxLength": MAX_TEXT, "description": "What to embed."}
_IMAGE: Final[Schema] = {
    "type": "string",
    "description": "A data URL of a picture in base64, `data:image/jpeg;base64,…`.",
}
_VECTOR: Final = {"embedding": [0.0123, -0.0456, 0.0789]}
_VECTOR_SHAPE: Final[Schema] = {
    "type": "object",
    "properties": {
        "embedding": {
            "type": "array",
            "items": {"type": "number"},
            "minItems": 1,
            "description": "As many numbers as the model makes (`dimensions` in `/api/jobs`); the squares add up to 1.",
        }
    },
    "required": ["embedding"],
}


def _one_of(*kinds: dict[str, Schema]) -> Schema:
    """All that is named in one of them must be there."""
    return {"anyOf": [{"type": "object", "properties": kind, "required": list(kind)} for kind in kinds]}


EMBED: Final = Doc(
    "The vector of a text or of an image, of length 1",
    _VECTOR,
    body={"text": "red shoes"},
    body_shape=_one_of({"text": _TEXT}, {"image": _IMAGE}),
    answer_shape=_VECTOR_SHAPE,
    errors=_ERRORS,
)


def _type(word: str) -> Schema:
    return {"type": "string", "enum": [word]}


EMBEDDINGS: Final = Doc(
    "The vector of a text or of an image, of length 1; without `type` it is a text",
    _VECTOR,
    body={"input": "red shoes", "type": "text"},
    body_shape=_one_of(
        {"input": _TEXT, "type": _type("text")}, {"input": _IMAGE, "type": _type("image")}, {"input": _TEXT}
    ),
    answer_shape=_VECTOR_SHAPE,
    errors=_ERRORS,
)
_OPTION: Final[Schema] = {"type": "string", "minLength": 1, "maxLength": MAX_NAME}
_CHOICE: Final[dict[str, Any]] = {
    "image": _IMAGE,
    "options": {
        "type": "array",
        "items": _OPTION,
        "minItems": 1,
        "maxItems": MAX_OPTIONS,
        "description": "The words to choose from.",
    },
    "prompt": {"type": ["string", "null"], "description": "Not needed for choosing."},
    "multiple": {"type": ["boolean", "null"], "default": False, "description": "Whether there may be several."},
}
CHOOSE_TAGS: Final = Doc(
    "Which of the options fit an image: the best or, with `multiple`, all that fit about as well",
    {"tags": ["shoe"]},
    body={"image": _PICTURE, "prompt": "", "options": ["shoe", "hat"], "multiple": False},
    body_shape={"type": "object", "properties": _CHOICE, "required": ["image", "options"]},
    answer_shape={
        "type": "object",
        "properties": {
            "tags": {
                "type": "array",
                "items": {"type": "string"},
                "description": "Of the options, the best first.",
            }
        },
        "required": ["tags"],
    },
    errors={**_ERRORS, 501: "Without options: it would have to generate."},
)
AI: Final = Doc(
    "Describing, editing and generating are not this server's job",
    body={"image": _PICTURE},
    body_shape={"type": "object"},
    body_required=False,
    errors={401: NO_KEY, 404: "There is no such task.", 501: "It generates."},
    built=False,
)
