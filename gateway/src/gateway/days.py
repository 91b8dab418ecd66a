"""Days in requests and answers: `YYYY-MM-DD`, counted from 1970-01-01 inside."""

from __future__ import annotations

import re
from datetime import date
from typing import Final

from gateway.errors import invalid
from gateway.query import Query

_EPOCH: Final = date(1970, 1, 1).toordinal()
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


def day_of(text: str) -> int | None:
    """None: it is no date that is written so."""
    try:
        return date.fromisoformat(text).toordinal() - _EPOCH if _DATE.fullmatch(text) else None
    except ValueError:
        return None


def date_text(day: int) -> str:
    return date.fromordinal(day + _EPOCH).isoformat()


def day_in(query: Query, name: str) -> int | None:
    """The day that a parameter names; None when it is not given.

    Raises:
        Failure: 400, it is no date.
    """
    value = query.raw(name)
    if value is None:
        return None
    day = day_of(value.decode("latin-1"))
    if day is None:
        raise invalid(name, f"Query parameter '{name}' must be a date, YYYY-MM-DD.")
    return day
