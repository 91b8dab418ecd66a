"""Typed tags: what a value may be, how it is written, and the tags that the catalogue gives by itself."""

from __future__ import annotations

import json
import math
import re
from datetime import UTC, date, datetime, time
from enum import IntEnum
from typing import Final

from metadata_service.domain.media import Facts, Kind, Marks

Value = str | int | float


class TagType(IntEnum):
    """The numbers are the Exquisitor contract's."""

    ALPHANUMERICAL = 1
    TIMESTAMP = 2
    TIME = 3
    DATE = 4
    NUMERICAL_INT = 5
    NUMERICAL_DEC = 6
    JSON = 7

    @property
    def label(self) -> str:
        return self.name.lower()


#: Tagsets that the catalogue keeps itself; nobody else writes them.
AUTOMATIC: Final[dict[str, TagType]] = {
    "Camera": TagType.ALPHANUMERICAL,
    "Year": TagType.NUMERICAL_INT,
    "Month": TagType.NUMERICAL_INT,
    "Hour": TagType.NUMERICAL_INT,
    "Folder": TagType.ALPHANUMERICAL,
    "Type": TagType.ALPHANUMERICAL,
    "Status": TagType.ALPHANUMERICAL,
}
FOLDER: Final = "Folder"
STATUS: Final = "Status"
#: The automatic tagsets whose values are words worth finding by text.
FINDABLE: Final = frozenset({"Camera"})

_INT64: Final = range(-(2**63), 2**63)
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,19}\Z")


def parsed(tagtype: TagType, text: str) -> Value | None:
    """The value that the text means in a tagset of this type; None when it means none."""
    match tagtype:
        case TagType.NUMERICAL_INT:
            if _INTEGER.match(text) is None:
                return None
            number = int(text)
            return number if number in _INT64 else None
        case TagType.NUMERICAL_DEC:
            try:
                decimal = float(text)
            except ValueError:
                return None
            return decimal if math.isfinite(decimal) else None
        case TagType.TIMESTAMP:
            return text if _reads(datetime.fromisoformat, text) else None
        case TagType.TIME:
            return text if _reads(time.fromisoformat, text) else None
        case TagType.DATE:
            return text if _reads(date.fromisoformat, text) else None
        case TagType.JSON:
            return text if _reads(json.loads, text) else None
        case TagType.ALPHANUMERICAL:
            return text


def written(value: Value) -> str:
    """A value as text, such that `parsed` gives it back."""
    return value if isinstance(value, str) else repr(value)


def automatic(kind: Kind, marks: Marks, facts: Facts) -> dict[str, Value]:
    """The tags an item gets from its file and its camera; `Folder` is given by the folder it is in."""
    tags: dict[str, Value] = {"Type": kind.label, STATUS: marks.status}
    if facts.camera:
        tags["Camera"] = facts.camera
    if facts.taken_us is not None:
        taken = datetime.fromtimestamp(facts.taken_us // 1_000_000, UTC)
        tags |= {"Year": taken.year, "Month": taken.month, "Hour": taken.hour}
    return tags


def camera(make: str | None, model: str | None) -> str | None:
    """Make and model without repetition: `NIKON CORPORATION`, `NIKON D90` is `NIKON D90`."""
    make, model = _clean(make), _clean(model)
    if not make or not model:
        return model or make or None
    first = make.split()[0]
    if model.casefold().startswith((make.casefold(), first.casefold())):
        return model
    return f"{make} {model}"


def _clean(text: str | None) -> str:
    return " ".join((text or "").replace("\0", " ").split())


def _reads(reader: object, text: str) -> bool:
    try:
        reader(text)  # type: ignore[operator]
    except (ValueError, RecursionError):
        return False
    return True
