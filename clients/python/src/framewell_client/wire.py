"""What is asked and what came back, without any network: requests, answers, and calls that pair the two."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar
from urllib.parse import quote, urlencode

import msgspec

from framewell_client.errors import Dialect, UnexpectedAnswer
from framewell_client.multipart import Multipart

T = TypeVar("T")
#: A path on the server's disk; bytes or surrogate escapes where its name is no text.
Path = str | bytes | os.PathLike[str]
_SAFE: Final = frozenset(("GET", "HEAD"))


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request.

    `read_timeout_s`: for this one; None: the client's. `accepted`: statuses of 400 and more that are answers all the
    same. `is_foreign`: the address is absolute and a key of its own, so ours is not sent.
    """

    method: str
    address: str
    dialect: Dialect
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | Multipart | None = None
    read_timeout_s: float | None = None
    accepted: frozenset[int] = frozenset()
    is_foreign: bool = False

    @property
    def is_safe(self) -> bool:
        """Whether asking twice is the same as once, by its verb alone."""
        return self.method in _SAFE


@dataclass(frozen=True, slots=True)
class Head:
    """An answer's beginning."""

    status: int
    headers: Mapping[str, str]
    dialect: Dialect
    request_id: str

    def unexpected(self, what: str) -> UnexpectedAnswer:
        return UnexpectedAnswer(what, self.dialect, self.request_id)


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer."""

    head: Head
    body: bytes


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """A request, and how to read what is answered."""

    request: Request
    read: Callable[[Answer], T]


def request(dialect: Dialect, method: str, address: str, query: str = "", body: object = None) -> Request:
    """A request with a JSON body (none for None). Lone surrogates travel as escapes."""
    whole = f"{address}?{query}" if query else address
    if body is None:
        return Request(method, whole, dialect)
    return Request(method, whole, dialect, {"Content-Type": "application/json"}, json.dumps(body).encode("ascii"))


def json_call(request: Request, kind: type[T], at: str | None = None) -> Call[T]:
    """The answer's JSON as `kind`; with `at`, what the answer has under that key."""
    return Call(request, lambda answer: decoded(answer.head, answer.body, kind, at))


def decoded(head: Head, body: bytes, kind: type[T], at: str | None = None) -> T:
    """The JSON text as `kind`; keys that it does not know are ignored.

    Raises:
        UnexpectedAnswer: it is no JSON, or lacks what `kind` needs.
    """
    try:
        # The standard library's: it alone takes the lone surrogates of file names that are no text.
        value: Any = json.loads(body)
        return msgspec.convert(value if at is None else value[at], kind)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise head.unexpected(f"The answer ({head.status}) is not what the contract says: {error}") from error


def query_of(**parameters: str | bytes | os.PathLike[str] | int | float | None) -> str:
    """A query string; None is left out, a path's bytes travel as they are."""
    return urlencode({name: _in_query(value) for name, value in parameters.items() if value is not None})


def _in_query(value: str | bytes | os.PathLike[str] | int | float) -> bytes:
    if isinstance(value, bool):
        return b"true" if value else b"false"
    if isinstance(value, int | float):
        return repr(value).encode("ascii")
    return path_text(value).encode("utf-8", "surrogateescape")


def path_text(path: Path) -> str:
    """A path as JSON holds it: bytes that are no UTF-8 are lone surrogates, as the server prints them."""
    plain = os.fspath(path)
    return plain.decode("utf-8", "surrogateescape") if isinstance(plain, bytes) else plain


def segment(text: object) -> str:
    """An id or a name as one part of an address.

    Raises:
        ValueError: it would be another address.
    """
    plain = str(text)
    if plain in ("", ".", ".."):
        raise ValueError(f"{plain!r} is no id or name")
    return quote(plain, safe="")
