"""What `/openapi.json` says of searching in this dialect. Examples are the contract's samples; the bounds are those
that the code holds to.
"""

from __future__ import annotations

from typing import Any, Final

from gateway.dialects.exquisitor.docs import ERRORS, SESSION
from gateway.dialects.exquisitor.filters import MAX_DEPTH, MAX_RANGES, MAX_VALUES
from gateway.dialects.exquisitor.requests import MAX_IDS
from gateway.dialects.exquisitor.search_requests import MAX_LEFT_OUT, MAX_QUERIES, MAX_RESULTS, MAX_TEXT
from gateway.openapi import Doc
from gateway.shapes import Schema

_OPERATOR: Final[Schema] = {"type": "string", "enum": ["AND", "OR"]}
_NEGATED: Final[Schema] = {"type": ["boolean", "null"], "description": "Whether it must not hold.", "default": False}
_ID: Final[Schema] = {"type": "integer", "format": "int64"}
_BOUND: Final[Schema] = {"type": ["number", "string", "null"]}
_SESSION: Final[Schema] = {
    "session": {"type": "string", "description": "Made by the client."},
    "collection": {"type": "string", "description": "What is searched."},
    "modelId": {"type": ["string", "integer"], "description": "Made by the client."},
}


def _object(description: str, required: list[str], **properties: Schema) -> Schema:
    return {"type": "object", "description": description, "properties": properties, "required": required}


def _kind(word: str) -> Schema:
    return {"type": ["string", "null"], "enum": [word, None], "description": "May be left out."}


#: Expressions hold expressions, so they have names.
SHAPES: Final[dict[str, Schema]] = {
    "ExquisitorExpression": {
        "description": f"At most {MAX_DEPTH} levels, {MAX_VALUES:,} value ids and {MAX_RANGES} ranges in all.",
        "anyOf": [
            {"$ref": "#/components/schemas/ExquisitorGroup"},
            {"$ref": "#/components/schemas/ExquisitorLeaf"},
        ],
    },
    "ExquisitorGroup": _object(
        "All of the children hold (AND), or any (OR).",
        ["operator", "children"],
        kind=_kind("group"),
        not_=_NEGATED,
        operator=_OPERATOR,
        children={"type": "array", "items": {"$ref": "#/components/schemas/ExquisitorExpression"}},
    ),
    "ExquisitorLeaf": _object(
        "What an item carries of one tagset.",
        ["filter"],
        kind=_kind("leaf"),
        not_=_NEGATED,
        filter=_object(
            "The tagset, and which tags of it.",
            ["id", "constraint"],
            id={**_ID, "description": "The tagset's."},
            tagtype_id={"type": ["integer", "null"], "description": "May be left out."},
            constraint={
                "anyOf": [
                    _object(
                        "Tags by their ids: any of them, or with AND every one.",
                        ["value_ids"],
                        value_ids={"type": "array", "items": _ID},
                        operator={"type": ["string", "null"], "enum": ["AND", "OR", None], "default": "OR"},
                    ),
                    _object(
                        "Tags by their values, both bounds inclusive; null or none is no bound.",
                        [],
                        lower_bound=_BOUND,
                        upper_bound=_BOUND,
                    ),
                ]
            },
        ),
    ),
}

_FILTERS: Final[dict[str, Any]] = {
    "root": {
        "kind": "group",
        "not_": False,
        "operator": "AND",
        "children": [
            {
                "kind": "leaf",
                "not_": False,
                "filter": {"id": 1, "tagtype_id": 1, "constraint": {"value_ids": [7, 8], "operator": "OR"}},
            },
            {
                "kind": "leaf",
                "not_": True,
                "filter": {"id": 3, "tagtype_id": 5, "constraint": {"lower_bound": 2020, "upper_bound": 2024}},
            },
        ],
    }
}
#: By the items' own clocks.
_TAKEN: Final[tuple[dict[str, str], Schema]] = (
    {"from": "2026-03-01", "to": "2026-03-31"},
    {
        "type": ["object", "null"],
        "description": "The days that items are from, by their own clocks, both included; either may be missing.",
        "properties": {side: {"type": "string", "format": "date"} for side in ("from", "to")},
    },
)
_NARROWED: Final[dict[str, Any]] = {"seen": [17], "filters": _FILTERS, "excluded": [40], "session_info": SESSION}
_FOUND: Final = {
    "suggestions": [42, 830],
    "scores": [0.31, 0.27],
    "request_timestamp": 1763735838123,
    "completion_time": 12.5,
}
_SEARCH_ERRORS: Final = {
    400: f"`n` is not within 1..{MAX_RESULTS}, an id outside 64 bits, a text empty, a filter too deep or too large.",
    404: "There is no such collection.",
    413: "The body is too large.",
    422: ERRORS[422],
    503: "Semantic search is not available, and why.",
}


def _ids(description: str, most: int) -> Schema:
    return {"type": ["array", "null"], "items": _ID, "maxItems": most, "description": description}


def _text(description: str) -> Schema:
    return {"type": "string", "minLength": 1, "maxLength": MAX_TEXT, "description": description}


def _search(
    summary: str,
    strategy: str,
    own: dict[str, tuple[Any, Schema]],
    required: tuple[str, ...] = (),
    more: dict[str, tuple[Any, Schema]] | None = None,
) -> Doc:
    """
    Args:
        own: what is the strategy's own of a request, each with its example.
        required: what of it must be there; of the rest, `n` and the session.
        more: what is its own of an answer.
    """
    must_filter = strategy == "faceted"
    own = own if must_filter else {**own, "taken": _TAKEN}
    examples = {name: example for name, (example, _) in own.items()}
    shown = more or {}
    filters: Schema = {
        "type": "object" if must_filter else ["object", "null"],
        "description": "What an item must pass; without a root, all do.",
        "properties": {"root": {"anyOf": [{"$ref": "#/components/schemas/ExquisitorExpression"}, {"type": "null"}]}},
    }
    body = _object(
        "The session is an object of its own or flat among the other fields.",
        [*required, "n", *(["filters"] if must_filter else [])],
        **{name: shape for name, (_, shape) in own.items()},
        n={"type": "integer", "minimum": 1, "maximum": MAX_RESULTS, "description": "At most so many come back."},
        seen=_ids("Items that must not come back.", MAX_LEFT_OUT),
        excluded=_ids("Items that must not come back, with all of their groups.", MAX_LEFT_OUT),
        filters=filters,
        session_info=_object("The session.", list(_SESSION), **_SESSION),
        **_SESSION,
    )
    body["anyOf"] = [{"required": ["session_info"]}, {"required": list(_SESSION)}]
    answer = _object(
        "",
        [*_FOUND, "strategy", *shown],
        suggestions={"type": "array", "items": _ID, "description": "The collection's ids of items, the best first."},
        scores={"type": "array", "items": {"type": "number"}, "description": "One of each; larger is better."},
        request_timestamp={**_ID, "description": "When it came, in milliseconds since 1970."},
        completion_time={"type": "number", "minimum": 0, "description": "Milliseconds."},
        strategy={"type": "string", "enum": [strategy]},
        **{name: shape for name, (_, shape) in shown.items()},
    )
    return Doc(
        summary,
        {**_FOUND, "strategy": strategy, **{name: example for name, (example, _) in shown.items()}},
        body={**examples, "n": 25, **_NARROWED},
        errors=_SEARCH_ERRORS,
        body_shape=body,
        answer_shape=answer,
    )


CLIP: Final = _search(
    "The items nearest to a text",
    "clip",
    {"text": ("a harbour at night", _text("What to look for."))},
    ("text",),
)
RF: Final = _search(
    "The items most like those of `pos` and least like those of `neg`; neither comes back",
    "rf",
    {
        "pos": ([42, 17], _ids("Items that are right.", MAX_IDS)),
        "neg": ([830], _ids("Items that are wrong.", MAX_IDS)),
        "query": (
            "a harbour at night",
            {
                "type": ["string", "null"],
                "maxLength": MAX_TEXT,
                "description": "What was looked for, too.",
            },
        ),
    },
)
FACETED: Final = _search(
    "Items that pass a filter, by id, from `offset` on; `total` is how many there are. It needs no vectors",
    "faceted",
    {
        "offset": (
            0,
            {"type": ["integer", "null"], "minimum": 0, "default": 0, "description": "Items to leave out first."},
        )
    },
    more={
        "offset": (0, {"type": "integer", "minimum": 0, "description": "As asked for."}),
        "total": (2, {"type": "integer", "minimum": 0, "description": "How many pass."}),
    },
)
#: One red pixel.
_PICTURE: Final = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGM4IScHAAK2AQU0pnWqAAAAAElFTkSuQmCC"
)
IMAGE: Final = _search(
    "The items most like an image",
    "image",
    {
        "image_b64": (
            _PICTURE,
            {"type": "string", "description": "A data URL of a picture in base64, `data:image/jpeg;base64,…`."},
        )
    },
    ("image_b64",),
)
TEMPORAL: Final = _search(
    "Groups in which the queries match one after another: the best item of each",
    "temporal",
    {
        "queries": (
            ["a harbour", "a storm"],
            {
                "type": "array",
                "items": _text("What one of them shows."),
                "minItems": 1,
                "maxItems": MAX_QUERIES,
                "description": "In their order.",
            },
        )
    },
    ("queries",),
)
