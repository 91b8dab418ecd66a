"""Paths are bytes inside; this is the one place where they become text and text becomes them.

A byte that is not UTF-8 is printed as a lone surrogate (`"\\udcff"` in JSON), as Python's file system encoding does,
and is understood when it comes back.
"""

from __future__ import annotations

import json
from typing import Any, Final
from urllib.parse import quote_from_bytes

import orjson

from gateway.errors import Failure

MALFORMED: Final = "Path is malformed."


def text_of(path: bytes) -> str:
    """The path as the JSON string holds it; loses nothing."""
    return path.decode("utf-8", "surrogateescape")


def name_of(path: bytes) -> str:
    """The last part, for people to read: a byte that is no text shows as U+FFFD."""
    return path[path.rfind(b"/") + 1 :].decode("utf-8", "replace")


def bytes_of(text: str) -> bytes:
    """The path that a JSON string means.

    Raises:
        Failure: 400, it has a surrogate that stands for no byte.
    """
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise Failure(400, "path_malformed", MALFORMED) from error


def quoted(path: bytes) -> str:
    """Percent-encoded for a query, `/` included."""
    return quote_from_bytes(path, safe="")


def dumps(value: Any) -> bytes:
    """JSON. orjson refuses lone surrogates; the standard library writes them as escapes."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(value, ensure_ascii=True, separators=(",", ":")).encode("ascii")
