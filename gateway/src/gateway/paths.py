"""Paths are bytes inside; this is the one place where they become text and text becomes them.

A byte that is not UTF-8 is printed as a lone surrogate (`"\\udcff"` in JSON), as Python's file system encoding does,
and is understood when it comes back.
"""

from __future__ import annotations

import json
import os.path
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


class Written(bytes):
    """A part of an answer that is JSON already."""


def dumps(value: Any) -> bytes:
    """JSON. orjson refuses lone surrogates; the standard library writes them as escapes."""
    try:
        return orjson.dumps(value, default=_fragment)
    except TypeError:
        return json.dumps(value, ensure_ascii=True, separators=(",", ":"), default=_read).encode("ascii")


def _fragment(value: Any) -> orjson.Fragment:
    if isinstance(value, Written):
        return orjson.Fragment(bytes(value))
    raise TypeError(f"{type(value).__name__} is no JSON")


def _read(value: Any) -> Any:
    if isinstance(value, Written):
        return orjson.loads(bytes(value))
    raise TypeError(f"{type(value).__name__} is no JSON")


def plain(path: bytes) -> bytes:
    """The path as review paths are kept: absolute, without `.`, `..` and doubled slashes.

    Raises:
        Failure: 400, it is not absolute or no path at all.
    """
    if path.startswith(b"~"):
        # As text: given bytes, expanduser takes a user's name for ASCII and raises on any other.
        path = os.fsencode(os.path.expanduser(os.fsdecode(path)))
    if not path.startswith(b"/") or b"\0" in path:
        raise Failure(400, "path_malformed", "Path must be absolute.")
    return b"/" + os.path.normpath(path).lstrip(b"/")


def is_below(path: bytes, root: bytes) -> bool:
    return path == root or path.startswith(root.rstrip(b"/") + b"/")
