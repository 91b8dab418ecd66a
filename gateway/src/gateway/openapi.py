"""How a route is told in `/openapi.json`: written beside it, because requests are parsed by hand."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from gateway.dialects import Dialect, dialect_of
from gateway.errors import error_example
from gateway.shapes import Loose, Schema, shape_of

JSON: Final = "application/json"
_TEXT: Final = {"type": "string"}
_PATH_PART: Final = re.compile(r"{([a-z_]+)}")
_TO_IDENTIFIER: Final = str.maketrans("/-{} .", "______")
LITERAL: Final = Loose()
Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True)
class Parameter:
    """One query parameter (or a header)."""

    name: str
    description: str
    schema: Mapping[str, Any]
    required: bool = False
    example: Any = None
    where: str = "query"

    def out(self) -> dict[str, Any]:
        told = {"name": self.name, "in": self.where, "required": self.required, "description": self.description}
        return {**told, "schema": dict(self.schema), **({} if self.example is None else {"example": self.example})}


@dataclass(frozen=True)
class Doc:
    """What a reader needs to call the route. Examples are the contract's samples, and the schemas are made of them."""

    summary: str
    answer: Any = None
    status: int = 200
    media_type: str = JSON
    parameters: Sequence[Parameter] = ()
    body: Any = None
    body_required: bool = True
    #: The parts of a multipart form, by name, as schemas; instead of a JSON body.
    form: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    form_required: Sequence[str] = ()
    errors: Mapping[int, str] = field(default_factory=dict)
    #: Answers that are no refusals and have no JSON: a part of a file, "you have it", "it is elsewhere".
    also: Mapping[int, str] = field(default_factory=dict)
    #: Whether HEAD is answered too; a stream is not begun to throw it away.
    head: bool = True
    #: Whether there is an answer but the errors.
    built: bool = True
    #: Other forms of the body and of the answer, as examples too.
    other_bodies: Sequence[Any] = ()
    other_answers: Sequence[Any] = ()
    loose: Loose = LITERAL
    #: Schemas in place of those made of the examples: what can be said better than by them.
    body_shape: Schema | None = None
    answer_shape: Schema | None = None
    #: What an answer that is no JSON is made of.
    text: Mapping[str, Any] = field(default_factory=lambda: _TEXT)

    def operation(self, dialect: Dialect) -> dict[str, Any]:
        answer: dict[str, Any] = {"description": "Success"}
        if self.media_type != JSON and not isinstance(self.answer, str):
            answer["content"] = {self.media_type: {"schema": {"type": "string", "format": "binary"}}}
        elif self.answer is not None:
            told = self.answer_shape or self._shape(self.answer, self.other_answers)
            schema = told if self.media_type == JSON else self.text
            answer["content"] = {self.media_type: {"schema": dict(schema), "example": self.answer}}
        refusals = {**{str(status): text for status, text in self.errors.items()}, "default": "Any other refusal."}
        schema = {"$ref": f"#/components/schemas/{_error_name(dialect)}"}
        operation: dict[str, Any] = {
            "parameters": [parameter.out() for parameter in self.parameters],
            "responses": {
                **({str(self.status): answer} if self.built else {}),
                **{
                    str(status): {"description": text, **_content(status, answer)} for status, text in self.also.items()
                },
                **{
                    status: {"description": text, "content": {JSON: {"schema": schema}}}
                    for status, text in refusals.items()
                },
            },
        }
        if self.body is not None:
            told = self.body_shape or self._shape(self.body, self.other_bodies)
            content = {JSON: {"schema": told, "example": self.body}}
            operation["requestBody"] = {"required": self.body_required, "content": content}
        if self.form:
            parts = {"type": "object", "properties": dict(self.form), "required": list(self.form_required)}
            operation["requestBody"] = {"required": True, "content": {"multipart/form-data": {"schema": parts}}}
        return operation

    def _shape(self, example: Any, others: Sequence[Any]) -> Schema:
        return shape_of((example, *others), self.loose)


def path_parameter(description: str, example: str, *, required: bool = True) -> Parameter:
    return Parameter("path", description, {"type": "string"}, required, example)


def integer(name: str, description: str, default: int, low: int, high: int | None = None) -> Parameter:
    schema: dict[str, Any] = {"type": "integer", "default": default, "minimum": low}
    if high is not None:
        schema["maximum"] = high
    return Parameter(name, description, schema)


def add_route(app: FastAPI, tag: str, method: str, path: str, endpoint: Endpoint, doc: Doc) -> None:
    """The route, told under its dialect's tag; a GET answers HEAD too unless its doc says otherwise."""
    operation = doc.operation(dialect_of(path))
    for name in _PATH_PART.findall(path):
        operation["parameters"].append(Parameter(name, "Part of the address.", _TEXT, True, where="path").out())
    app.add_api_route(
        path,
        endpoint,
        methods=[method],
        tags=[tag],
        summary=doc.summary,
        operation_id=f"{method} {path}".lower().translate(_TO_IDENTIFIER),
        response_class=Response,
        status_code=doc.status,
        openapi_extra=operation,
    )
    if method == "GET" and doc.head:
        app.add_api_route(path, endpoint, methods=["HEAD"], include_in_schema=False)


def _content(status: int, answer: Mapping[str, Any]) -> dict[str, Any]:
    """A part has the type of the whole; the other answers have no body."""
    return {"content": answer["content"]} if status == 206 else {}


def _error_name(dialect: Dialect) -> str:
    return f"{dialect.name.title()}Error"


def _error_schemas() -> dict[str, Schema]:
    """Each dialect's error body. Its details are what the error is about, so none of them is always there."""
    details = Loose(optional="parameter reason")
    return {_error_name(dialect): shape_of([error_example(dialect)], details) for dialect in Dialect}


def tell_exactly(app: FastAPI, shapes: Mapping[str, Schema]) -> None:
    """Make `/openapi.json` say what the docs say: the framework drops every null of an example.

    Args:
        shapes: by the names that docs refer to them by, `#/components/schemas/<name>`.
    """
    framework = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = framework()
            for route in app.routes:
                if isinstance(route, APIRoute) and route.include_in_schema and route.openapi_extra:
                    for method in route.methods or ():
                        schema["paths"][route.path][method.lower()].update(route.openapi_extra)
            schema.setdefault("components", {}).setdefault("schemas", {}).update(_error_schemas() | dict(shapes))
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]
