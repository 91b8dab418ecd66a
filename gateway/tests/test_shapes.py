"""Schemas made of examples."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from gateway.shapes import Loose, shape_of


@pytest.mark.parametrize(
    ("example", "shape"),
    [
        ("a", {"type": "string"}),
        (True, {"type": "boolean"}),
        (1, {"type": "integer"}),
        (0.5, {"type": "number"}),
        (None, {}),
        ([], {"type": "array"}),
        (["a", "b"], {"type": "array", "items": {"type": "string"}}),
        (["a", 1], {"type": "array", "items": {"anyOf": [{"type": "string"}, {"type": "integer"}]}}),
        (["a", None], {"type": "array"}),
        ({}, {"type": "object", "properties": {}}),
    ],
)
def test_an_example_gives_its_types(example: Any, shape: dict[str, Any]) -> None:
    assert shape_of([example], Loose()) == shape


def test_an_example_s_names_are_required_unless_they_are_told_to_be_optional() -> None:
    shape = shape_of([{"id": 1, "note": "x"}], Loose(optional="note"))

    assert shape["required"] == ["id"]
    assert shape["properties"] == {"id": {"type": "integer"}, "note": {"type": "string"}}


def test_a_field_may_be_null_and_a_map_s_names_are_data() -> None:
    shape = shape_of([{"width": 1, "tags": {"color": ["red"]}}], Loose(nullable="width", maps="tags"))

    assert shape["properties"] == {
        "width": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
        "tags": {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "string"}}},
    }


async def test_every_dialect_tells_how_its_errors_look(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    errors = document["components"]["schemas"]

    assert errors["MediareviewerError"]["required"] == errors["PlatformError"]["required"] == ["error"]
    assert errors["ExquisitorError"]["required"] == ["error", "message", "detail"]
    assert errors["CorevizError"]["required"] == ["error", "message", "code", "details"]
    assert errors["WicksonError"]["required"] == ["success", "message", "error"]
    names = {
        path: operation["responses"]["default"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        for path, methods in document["paths"].items()
        for operation in methods.values()
    }
    assert names["/api/folder"] == "CorevizError"
    assert names["/api/folders"] == "MediareviewerError"
    assert set(names.values()) == {name for name in errors if name.endswith("Error")}


async def test_files_tell_of_parts_and_of_what_the_caller_has(client: httpx.AsyncClient) -> None:
    paths = (await client.get("/openapi.json")).json()["paths"]

    for path in ("/api/media-file", "/blob/{token}"):
        answers = paths[path]["get"]["responses"]
        assert answers["206"]["content"] == answers["200"]["content"]
        assert "content" not in answers["304"]
    assert "content" not in paths["/api/media-thumbnail"]["get"]["responses"]["304"]
