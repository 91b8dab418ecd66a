"""Query strings, parsed by hand: values are bytes (a path need not be text) and integers are strict."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote_to_bytes

from gateway.errors import invalid

_INTEGER: Final = re.compile(rb"-?[0-9]+")
#: Beyond any library; larger offsets are just as far beyond the end.
HUGE: Final = 10**18
_FLAGS: Final = {b"true": True, b"1": True, b"false": False, b"0": False}


class Query:
    """The parameters of one request; unknown ones are ignored."""

    def __init__(self, raw: bytes) -> None:
        self._values: dict[bytes, bytes] = {}
        self._repeated: set[bytes] = set()
        for part in raw.split(b"&") if raw else ():
            if not part:
                continue
            key, _, value = part.partition(b"=")
            name = unquote_to_bytes(key.replace(b"+", b" "))
            if name in self._values:
                self._repeated.add(name)
            self._values[name] = unquote_to_bytes(value.replace(b"+", b" "))

    def raw(self, name: str) -> bytes | None:
        """The value, None when it is not given.

        Raises:
            Failure: 400, it is given twice.
        """
        key = name.encode()
        if key in self._repeated:
            raise invalid(name, f"Query parameter '{name}' is given more than once.")
        return self._values.get(key)

    def path(self) -> bytes:
        """The required `path`; read it after the other parameters, they are checked first.

        Raises:
            Failure: 400, it is missing or empty.
        """
        if value := self.raw("path"):
            return value
        raise invalid("path", "Missing required query parameter: path.")

    def optional_path(self, name: str = "path") -> bytes | None:
        """A path that may be left out, but not be empty."""
        value = self.raw(name)
        if value == b"":
            raise invalid(name, f"Query parameter '{name}' must not be empty.")
        return value

    def integer(self, name: str, default: int, low: int | None = None, high: int | None = None) -> int:
        """A whole number in ASCII digits within the bounds, if there are any.

        Raises:
            Failure: 400; a malformed value is never the default.
        """
        value = self.raw(name)
        if value is None:
            return default
        number = strict_integer(value)
        if number is None or (low is not None and number < low) or (high is not None and number > high):
            raise invalid(name, f"Query parameter '{name}' must be an integer{_bounds(low, high)}.")
        return number

    def choice(self, name: str, default: str, choices: tuple[str, ...]) -> str:
        """One of the words.

        Raises:
            Failure: 400, it is another, or empty.
        """
        value = self.raw(name)
        if value is None:
            return default
        for word in choices:
            if value == word.encode():
                return word
        raise invalid(name, f"Query parameter '{name}' must be one of {', '.join(choices)}.")


class LooseQuery(Query):
    """As CoreViz and Wickson read a query: an empty value is absent, and of several the last one counts."""

    def raw(self, name: str) -> bytes | None:
        return self._values.get(name.encode()) or None

    def text(self, name: str) -> str | None:
        """The value as text; bytes that are no UTF-8 can only fail to match."""
        value = self.raw(name)
        return None if value is None else value.decode("utf-8", "replace")

    def flag(self, name: str) -> bool | None:
        """true, false, 1 or 0 in any case; None when it is absent.

        Raises:
            Failure: 400, it is anything else.
        """
        value = self.raw(name)
        if value is None:
            return None
        known = _FLAGS.get(value.lower())
        if known is None:
            raise invalid(name, f"Invalid {name} parameter: must be true or false", "Must be true or false")
        return known


def _bounds(low: int | None, high: int | None) -> str:
    if low is None:
        return ""
    return f" of at least {low}" if high is None else f" from {low} to {high}"


def strict_integer(value: bytes) -> int | None:
    """The number that ASCII digits say, at most ±HUGE; None for anything else (`1.0`, `1_0`, `+1`, ` 1`, empty)."""
    if not _INTEGER.fullmatch(value):
        return None
    digits = value.lstrip(b"-0") or b"0"
    number = int(digits) if len(digits) < len(str(HUGE)) else HUGE
    return -number if value.startswith(b"-") else number
