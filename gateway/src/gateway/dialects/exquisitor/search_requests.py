"""What a search of this dialect may say: 422 when it is not of the schema, 400 when a value is out of its bounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from media_common.dates import DAY_US

from gateway.data_urls import picture_of
from gateway.days import day_of
from gateway.dialects.exquisitor.filters import Expression, filters_of
from gateway.dialects.exquisitor.requests import Session, integer_of, integers_of, session_of, unfit, within_bounds
from gateway.errors import invalid

MAX_RESULTS: Final = 1000
MAX_QUERIES: Final = 10
#: What a session has seen grows from round to round.
MAX_LEFT_OUT: Final = 100_000
#: Far more than any model reads of a text.
MAX_TEXT: Final = 10_000
#: Holds as many ids as may be left out.
BODY_BYTES: Final = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Asked:
    """What every strategy takes. Ids are the collection's own."""

    session: Session
    n: int
    seen: Sequence[int]
    excluded: Sequence[int]
    filters: Expression | None
    taken_us: tuple[int | None, int | None] | None = None  # when items are from: this on, before that


def asked_of(fields: dict[str, Any], *, must_filter: bool = False) -> Asked:
    """
    Raises:
        Failure: 422 or 400.
    """
    session, n = session_of(fields), integer_of(fields, "n")
    if not 1 <= n <= MAX_RESULTS:
        raise invalid("n", f"Field 'n' must be an integer from 1 to {MAX_RESULTS}.")
    seen, excluded = (ids_of(fields, name, MAX_LEFT_OUT) for name in ("seen", "excluded"))
    taken_us = _taken_of(fields)
    if taken_us is not None and must_filter:
        raise invalid("taken", "Field 'taken' goes with searches by meaning.")
    return Asked(session, n, seen, excluded, filters_of(fields, required=must_filter), taken_us)


def _taken_of(fields: dict[str, Any]) -> tuple[int | None, int | None] | None:
    """Days from and to, the last one included; each may be missing.

    Raises:
        Failure: 422, it is no object of texts; 400, one is no date.
    """
    given = fields.get("taken")
    if given is None:
        return None
    if not isinstance(given, dict) or not all(isinstance(given.get(side, ""), str) for side in ("from", "to")):
        raise unfit("Field 'taken' must be an object with the dates 'from' and 'to'.", "taken")
    days = {side: day_of(given[side]) for side in ("from", "to") if given.get(side)}
    if None in days.values():
        raise invalid("taken", "Field 'taken' must hold dates, YYYY-MM-DD.")
    first, last = days.get("from"), days.get("to")
    return None if first is None else first * DAY_US, None if last is None else (last + 1) * DAY_US


def ids_of(fields: dict[str, Any], name: str, most: int) -> list[int]:
    """Ids that may be left out or null: then there are none.

    Raises:
        Failure: 422, they are no list of integers; 400, there are more, or one is outside 64 bits.
    """
    if fields.get(name) is None:
        return []
    ids = integers_of(fields, name)
    within_bounds(name, ids, most)
    return ids


def offset_of(fields: dict[str, Any]) -> int:
    """
    Raises:
        Failure: 422, it is no integer; 400, it is negative or outside 64 bits.
    """
    if fields.get("offset") is None:
        return 0
    offset = integer_of(fields, "offset")
    within_bounds("offset", [offset])
    if offset < 0:
        raise invalid("offset", "Field 'offset' must not be negative.")
    return offset


def text_of(fields: dict[str, Any], name: str) -> str:
    """A required text that says something.

    Raises:
        Failure: 422, it is no string; 400, it is empty, too long or no text.
    """
    return _said(fields.get(name), name, f"Field '{name}' must be a string.")


def optional_text_of(fields: dict[str, Any], name: str) -> str:
    """A text; `""`, null and none at all are the same."""
    given = fields.get(name)
    return "" if given is None or (isinstance(given, str) and not given.strip()) else text_of(fields, name)


def texts_of(fields: dict[str, Any], name: str) -> list[str]:
    """
    Raises:
        Failure: 422, they are no list of strings; 400, there are none or too many, or one is as in `text_of`.
    """
    sentence = f"Field '{name}' must be a list of strings."
    given = fields.get(name)
    if not isinstance(given, list) or not all(isinstance(text, str) for text in given):
        raise unfit(sentence, name)
    if not 1 <= len(given) <= MAX_QUERIES:
        raise invalid(name, f"Field '{name}' must hold 1 to {MAX_QUERIES} texts.")
    return [_said(text, name, sentence) for text in given]


def picture_in(fields: dict[str, Any], name: str) -> bytes:
    """
    Raises:
        Failure: 422, it is no string; 400, it is no data URL of a picture.
    """
    given = fields.get(name)
    if not isinstance(given, str):
        raise unfit(f"Field '{name}' must be a string.", name)
    return picture_of(given, name)


def _said(text: Any, name: str, sentence: str) -> str:
    if not isinstance(text, str):
        raise unfit(sentence, name)
    said = text.strip()
    if not 1 <= len(said) <= MAX_TEXT:
        raise invalid(name, f"Field '{name}' must hold texts of 1 to {MAX_TEXT} characters.")
    try:
        said.encode()
    except UnicodeEncodeError as error:
        raise invalid(name, f"Field '{name}' holds half a character.") from error
    return said
