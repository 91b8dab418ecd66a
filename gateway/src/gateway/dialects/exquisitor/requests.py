"""What a request of this dialect may say: 422 when it is not of the schema, 400 when a value is out of its bounds."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from starlette.requests import Request

from gateway.bodies import SMALL_BYTES, TOO_DEEP, WRONG_TYPE, read_body, value_of
from gateway.errors import Failure, invalid

MAX_IDS: Final = 1000
_INT64: Final = 2**63
_INTEGER: Final = re.compile(r"-?[0-9]+", re.ASCII)
#: More than any 64-bit integer has, and less than `int` refuses.
_MOST_DIGITS: Final = 100


@dataclass(frozen=True, slots=True)
class Session:
    """Made by the client; only its collection matters to us."""

    session: str
    collection: str
    model_id: int | str


def unfit(message: str, parameter: str) -> Failure:
    """422: it is no JSON, or not of the schema."""
    return Failure(422, "validation_error", message, {"parameter": parameter})


async def read_json(request: Request, limit_bytes: int = SMALL_BYTES) -> Any:
    """The body, whatever JSON it is.

    Raises:
        Failure: 422, it is none or is not sent as `application/json`; 413, it is too large.
    """
    body = await read_body(request, limit_bytes)
    try:
        return value_of(body, request.headers.get("content-type", ""))
    except Failure as error:
        told = error.message in (WRONG_TYPE, TOO_DEEP)
        raise unfit(error.message if told else "Expected a JSON body.", "body") from error


async def read_fields(request: Request, limit_bytes: int = SMALL_BYTES) -> dict[str, Any]:
    """The body's fields.

    Raises:
        Failure: 422, it is no JSON object; 413, it is too large.
    """
    value = await read_json(request, limit_bytes)
    if not isinstance(value, dict):
        raise unfit("Expected a JSON object.", "body")
    return value


def session_of(fields: dict[str, Any]) -> Session:
    """The session, in `session_info` or flat among the other fields.

    Raises:
        Failure: 422, a part of it is missing.
    """
    given = fields.get("session_info", fields)
    if not isinstance(given, dict):
        raise unfit("Field 'session_info' must be an object.", "session_info")
    for name in ("session", "collection"):
        if not isinstance(given.get(name), str):
            raise unfit(f"Field '{name}' of the session must be a string.", name)
    model_id = given.get("modelId")
    if not isinstance(model_id, str) and type(model_id) is not int:
        raise unfit("Field 'modelId' of the session must be a string or an integer.", "modelId")
    return Session(given["session"], given["collection"], model_id)


def integer_of(fields: dict[str, Any], name: str) -> int:
    """
    Raises:
        Failure: 422, it is missing or no integer.
    """
    value = fields.get(name)
    if type(value) is not int:
        raise unfit(f"Field '{name}' must be an integer.", name)
    return value


def integers_of(fields: dict[str, Any], name: str) -> list[int]:
    """
    Raises:
        Failure: 422, it is missing or no list of integers.
    """
    values = fields.get(name)
    if not isinstance(values, list) or not all(type(value) is int for value in values):
        raise unfit(f"Field '{name}' must be a list of integers.", name)
    return values


def within_bounds(name: str, ids: Sequence[int], most: int = MAX_IDS) -> None:
    """
    Raises:
        Failure: 400, there are more, or one is outside 64 bits.
    """
    if len(ids) > most:
        raise invalid(name, f"Field '{name}' must hold at most {most} ids.")
    if not all(-_INT64 <= one < _INT64 for one in ids):
        raise invalid(name, f"Field '{name}' must hold 64-bit integers.")


def path_integer(request: Request, name: str) -> int:
    """An integer in the address.

    Raises:
        Failure: 422, it is none; 400, it is outside 64 bits.
    """
    text = request.path_params[name]
    if not _INTEGER.fullmatch(text):
        raise unfit(f"'{name}' in the address must be an integer.", name)
    value = int(text) if len(text) <= _MOST_DIGITS else _INT64
    within_bounds(name, [value])
    return value
