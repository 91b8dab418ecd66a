"""What `/openapi.json` says of this dialect; the examples are the contract's samples."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from gateway.openapi import Doc, Parameter
from gateway.shapes import Loose

TAG: Final = "Exquisitor"
_doc: Final = partial(Doc, loose=Loose(nullable="uri thumbnail_url original_url", maps="tags related"))

SESSION: Final = {"session": "abc123", "collection": "my_collection", "modelId": "model_1"}
_ITEM: Final[dict[str, Any]] = {
    "id": 42,
    "uri": "video/segment_042.mp4",
    "thumbnail_url": "https://cdn.example.com/thumbs/segment_042.jpg",
    "original_url": "https://cdn.example.com/originals/segment_042.mp4",
}
_PAGE_ITEM: Final[dict[str, Any]] = {
    "id": 42,
    "name": "segment_042.mp4",
    "itemId": 42,
    "mediaId": 42,
    "mediaType": 2,
    "thumbPath": None,
    "srcPath": None,
    "groupId": None,
}
_LOGGED: Final = {"status": "Logged successfully"}
_SHAPE: Final = Parameter(
    "shape", "`docs`: the documented shape, not that of the existing page.", {"type": "string", "enum": ["docs"]}
)
_ERRORS: Final = {
    400: "An id is outside 64 bits, or there are more than 1,000.",
    404: "There is no such collection (in a one-item form: or item).",
    422: "The body is no JSON, or not of the schema.",
}

BASE: Final = _doc(
    "What showing items needs; `mediaId` instead of `media_ids`: one item, as the existing page wants it",
    {"items": [_ITEM]},
    body={"media_ids": [42, 17, 830], "session_info": SESSION},
    other_answers=[_PAGE_ITEM],
    other_bodies=[{**SESSION, "mediaId": 42}],
    errors=_ERRORS,
)
DETAILS: Final = _doc(
    "Items with their values in some tagsets; `mediaId`, `filterIds`: one item's, by the tagsets' names",
    {"items": [{**_ITEM, "tags": {"1": ["outdoor", "daylight"], "3": [2024], "5": ["sports"]}}]},
    body={"media_ids": [42], "tagset_ids": [1, 3, 5], "session_info": SESSION},
    other_answers=[{}],
    other_bodies=[{**SESSION, "mediaId": 42, "filterIds": [1, 3]}],
    errors=_ERRORS,
)
RELATED: Final = _doc(
    "The other items of each item's group; `mediaId`: the members of that group",
    {"related": {"42": [43, 44, 45]}},
    body={"media_ids": [42], "session_info": SESSION},
    other_answers=[{"related": [43, 44, 45]}],
    other_bodies=[{**SESSION, "mediaId": 42}],
    errors=_ERRORS,
)
EXCLUDED: Final = _doc(
    "Whether the item's group is one of these; the existing page sends `itemId`, `excluded_ids`",
    {"excluded": True},
    body={"media_id": 42, "excluded_group_ids": [7, 12, 33], "session_info": SESSION},
    other_answers=[{"excludedOrNot": True}],
    other_bodies=[{**SESSION, "itemId": 42, "excluded_ids": [7, 12]}],
    errors={**_ERRORS, 404: "There is no such item or collection."},
)
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
_NARROWED: Final[dict[str, Any]] = {"seen": [17], "filters": _FILTERS, "excluded": [40], "session_info": SESSION}
_FOUND: Final = {
    "suggestions": [42, 830],
    "scores": [0.31, 0.27],
    "request_timestamp": 1763735838123,
    "completion_time": 12.5,
}
_SEARCH_ERRORS: Final = {
    400: "`n` is not within 1..1000, an id outside 64 bits, a text empty, a filter too deep or too large.",
    404: "There is no such collection.",
    422: _ERRORS[422],
    503: "Semantic search is not available, and why.",
}


def _search(
    summary: str,
    strategy: str,
    own: dict[str, Any],
    more: dict[str, Any] | None = None,
    optional: dict[str, Any] | None = None,
) -> Doc:
    """Everything but what is the strategy's own may be left out, or null: but for `n` and the session."""
    return Doc(
        summary,
        {**_FOUND, "strategy": strategy, **(more or {})},
        body={**own, "n": 25, **_NARROWED, **(optional or {})},
        other_bodies=[{**own, "n": 25, **SESSION}],
        errors=_SEARCH_ERRORS,
        loose=Loose(
            nullable="seen excluded filters query root offset lower_bound upper_bound taken",
            optional=(
                "seen excluded filters query root offset lower_bound upper_bound kind not_ tagtype_id taken from to"
            ),
        ),
    )


#: By the items' own clocks, both days included; either may be missing.
_TAKEN: Final = {"taken": {"from": "2026-03-01", "to": "2026-03-31"}}
CLIP: Final = _search("The items nearest to a text", "clip", {"text": "a harbour at night"}, optional=_TAKEN)
RF: Final = _search(
    "The items most like those of `pos` and least like those of `neg`; neither comes back",
    "rf",
    {"pos": [42, 17], "neg": [830], "query": "a harbour at night"},
    optional=_TAKEN,
)
FACETED: Final = _search(
    "Items that pass a filter, by id, from `offset` on; `total` is how many there are. It needs no vectors",
    "faceted",
    {"offset": 0},
    {"offset": 0, "total": 2},
)
#: One red pixel.
_PICTURE: Final = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGM4IScHAAK2AQU0pnWqAAAAAElFTkSuQmCC"
)
IMAGE: Final = _search("The items most like an image", "image", {"image_b64": _PICTURE})
TEMPORAL: Final = _search(
    "Groups in which the queries match one after another: the best item of each",
    "temporal",
    {"queries": ["a harbour", "a storm"]},
)
INIT: Final = _doc(
    "The collections; with `shape=docs` each with its number of items",
    {"session": "abc123", "collections": ["my_collection"]},
    other_answers=[{"session": "abc123", "collections": [{"name": "my_collection", "total_items": 20000}]}],
    parameters=(_SHAPE,),
)
TOTAL_ITEMS: Final = _doc(
    "How many items can be searched: those that have a vector",
    {"total_items": 20000, "total": 20000},
    body=SESSION,
    other_bodies=[{"session_info": SESSION}],
    errors={404: "There is no such collection.", 422: _ERRORS[422]},
)
FILTERS: Final = _doc(
    "The tagsets, by id",
    [{"id": 1, "name": "Scene", "tagtypeId": 1, "tagtype": "alphanumerical"}],
    other_answers=[{"filters": [{"id": 1, "name": "Scene", "tagtype_id": 1, "tagtype": "alphanumerical"}]}],
    parameters=(_SHAPE,),
    errors={404: "There is no such collection."},
)
FILTER_VALUES: Final = _doc(
    "The tags of a tagset; none when it is not of that type",
    [{"id": 7, "value": "outdoor"}, {"id": 8, "value": 2024}, {"id": 9, "value": 0.5}],
    other_answers=[{"values": [{"id": 7, "value": "outdoor"}, {"id": 8, "value": 2024}, {"id": 9, "value": 0.5}]}],
    parameters=(_SHAPE,),
    errors={404: "There is no such collection or tag type.", 422: "An id in the address is no integer."},
)
LOG_MODEL: Final = _doc(
    "Note that a model was added or removed",
    _LOGGED,
    body=SESSION,
    other_bodies=[{"session_info": SESSION}],
    errors={422: _ERRORS[422]},
)
CLIENT_EVENT: Final = _doc(
    "Note what somebody did on the page; also `{events, session_info}`",
    _LOGGED,
    body=[{"ts": 1763735838123, "action": "click", "session": "abc123"}],
    other_bodies=[{"events": [{"ts": 1763735838123, "action": "click"}], "session_info": SESSION}],
    errors={422: _ERRORS[422]},
)
EVALUATIONS: Final = _doc("Evaluations that are under way: none", [])
