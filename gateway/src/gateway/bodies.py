"""Request bodies: a JSON object sent as `application/json`, within a size, or a clear 400."""

from __future__ import annotations

import json
from itertools import chain
from typing import Any, Final, NoReturn

from starlette.requests import ClientDisconnect, Request

from gateway.errors import ClientGone, Failure, invalid

EXPECTED_OBJECT: Final = "Expected JSON object body."
#: The code of every refusal of this module but 413.
INVALID_BODY: Final = "invalid_body"
WRONG_TYPE: Final = "Expected a JSON body, sent with the header Content-Type: application/json."
#: Levels of arrays and objects. Writers of JSON give up not far above, and what is taken is shown again.
MAX_DEPTH: Final = 200
TOO_DEEP: Final = f"The JSON body is nested too deeply: more than {MAX_DEPTH} levels."
#: One path of 4,096 bytes fits in any escaping, and one that is too long still gets its own sentence.
SMALL_BYTES: Final = 1024 * 1024
#: 500 paths of 4,096 bytes, each byte written as a six-character escape.
BATCH_BYTES: Final = 16 * 1024 * 1024


def _bad(message: str = EXPECTED_OBJECT) -> Failure:
    return Failure(400, INVALID_BODY, message)


async def read_body(request: Request, limit_bytes: int = SMALL_BYTES) -> bytes:
    """The whole body.

    Raises:
        Failure: 413, it is larger than the limit.
    """
    too_large = Failure(413, "body_too_large", "The request body is too large.", headers={"Connection": "close"})
    # Thousands of zeros in front pass the server, and are more digits than int() takes.
    declared = request.headers.get("content-length", "0").lstrip("0") or "0"
    if not declared.isdecimal() or int(declared) > limit_bytes:
        raise too_large
    parts: list[bytes] = []
    size = 0
    try:
        async for part in request.stream():
            size += len(part)
            if size > limit_bytes:
                raise too_large
            parts.append(part)
    except ClientDisconnect as error:
        raise ClientGone from error
    return b"".join(parts)


async def read_object(request: Request, limit_bytes: int = SMALL_BYTES) -> dict[str, Any]:
    """The body as a JSON object.

    Raises:
        Failure: 400 when it is anything else or is not sent as `application/json`, 413 when it is too large.
    """
    body = await read_body(request, limit_bytes)
    return object_of(body, request.headers.get("content-type", ""))


def object_of(body: bytes, content_type: str) -> dict[str, Any]:
    """The JSON object in the body.

    Raises:
        Failure: 400.
    """
    value = value_of(body, content_type)
    if not isinstance(value, dict):
        raise _bad()
    return value


def value_of(body: bytes, content_type: str) -> Any:
    """The JSON in the body. A name that stands twice, `NaN` and the like are no JSON to us; nor is what is nested too
    deeply to be written again.

    Raises:
        Failure: 400.
    """
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise _bad(WRONG_TYPE)
    try:
        value = json.loads(body.decode("utf-8-sig"), object_pairs_hook=_pairs, parse_constant=_no_constant)
    except RecursionError as error:
        raise _bad(TOO_DEEP) from error
    except ValueError as error:
        raise _bad() from error
    if body.count(b"[") + body.count(b"{") > MAX_DEPTH and _is_deep(value):
        raise _bad(TOO_DEEP)
    return value


def _is_deep(value: Any) -> bool:
    """Looks at a level after the other, for it must not itself run out of stack."""
    level = [value]
    for _ in range(MAX_DEPTH):
        inner = chain.from_iterable(one.values() if isinstance(one, dict) else one for one in level)
        level = [one for one in inner if isinstance(one, (dict, list))]
    return bool(level)


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def text_field(body: dict[str, Any], name: str) -> str:
    """A required, non-empty string.

    Raises:
        Failure: 400.
    """
    value = body.get(name)
    if isinstance(value, str) and value:
        return value
    raise invalid(name, f"Field '{name}' must be a non-empty string.")
