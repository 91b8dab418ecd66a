"""The query of a listing, turned into the catalogue's request. Every rule of the parameters is here."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from media_proto import metadata_pb2 as pb

from gateway.dialects.coreviz import ids
from gateway.errors import Failure, invalid
from gateway.query import LooseQuery, strict_integer

DEFAULT_LIMIT: Final = 10
MAX_LIMIT: Final = 1000
MAX_QUESTION: Final = 1000
DEFAULT_MIN_SCORE: Final = 0.05
MODELS: Final = ("faces", "objects", "shoeprints")
_DAY_US: Final = 86_400_000_000
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?", re.ASCII)

TYPES: Final[dict[str, pb.MediaKind.ValueType | None]] = {
    "all": None,
    "image": pb.MEDIA_KIND_IMAGE,
    "video": pb.MEDIA_KIND_VIDEO,
    "folder": pb.MEDIA_KIND_FOLDER,
    "document": pb.MEDIA_KIND_DOCUMENT,
    "pdf": pb.MEDIA_KIND_DOCUMENT,
    "audio": pb.MEDIA_KIND_AUDIO,
    "model": pb.MEDIA_KIND_MODEL,
}
SORTS: Final[dict[str, pb.SortBy.ValueType]] = {
    "name": pb.SORT_BY_NAME,
    "createdAt": pb.SORT_BY_CREATED,
    "type": pb.SORT_BY_KIND,
    "description": pb.SORT_BY_DESCRIPTION,
    "prompt": pb.SORT_BY_PROMPT,
}


@dataclass(frozen=True, slots=True)
class Question:
    """What scored mode looks for: words, likeness to an object, or both."""

    text: str = ""
    object_id: str | None = None
    model: str | None = None  # None: the object's own
    min_score: float = DEFAULT_MIN_SCORE


def list_request(query: LooseQuery, collection: pb.Collection) -> tuple[pb.ListMediaRequest, Question | None]:
    """What to ask the catalogue, and in scored mode what is looked for.

    Raises:
        Failure: 400, a parameter is not valid.
    """
    recursive = query.flag("recursive")
    kind = TYPES[_choice(query, "type", tuple(TYPES), "all")]
    request = pb.ListMediaRequest(
        collection=collection.uuid.hex(),
        recursive=recursive,
        limit=min(_integer(query, "limit", DEFAULT_LIMIT, 1), MAX_LIMIT),
        offset=_integer(query, "offset", 0, 0),
        kinds=[] if kind is None else [kind],
        created_from_us=_day_us(query, "dateFrom", 0),
        created_before_us=_day_us(query, "dateTo", 1),
        dated_from_us=_day_us(query, "takenFrom", 0),
        dated_before_us=_day_us(query, "takenTo", 1),
        sort=SORTS[_choice(query, "sortBy", tuple(SORTS), "createdAt")],
        ascending=_choice(query, "sortDirection", ("asc", "desc"), "desc", fold=True) == "asc",
        tags=_tags(query),
        tag_filters=_tag_filters(query),
    )
    if (media := query.text("mediaId")) is not None:
        request.media = ids.parsed(media) or ids.NOBODY
        request.ClearField("recursive")
    elif (path := query.text("path")) is not None:
        request.path.extend(ids.folder_path(path, collection.uuid))
    if (cluster := query.text("clusterId")) is not None:
        request.cluster = ids.parsed(cluster) or ids.NOBODY
    question = _question(query)
    if question is not None and not request.HasField("recursive") and not request.HasField("media"):
        request.recursive = True
    return request, question


def _question(query: LooseQuery) -> Question | None:
    """None: nothing is looked for. The rules hold all the same."""
    model = _choice(query, "similarToObjectModel", MODELS, "") or None
    min_score = number(query, "minScore", DEFAULT_MIN_SCORE)
    text = (query.text("q") or "").strip()
    if len(text) > MAX_QUESTION:
        raise invalid("q", f"Invalid q: at most {MAX_QUESTION} characters")
    object_id = query.text("similarToObjectId")
    return Question(text, object_id, model, min_score) if text or object_id is not None else None


def _integer(query: LooseQuery, name: str, default: int, low: int) -> int:
    value = query.raw(name)
    found = default if value is None else strict_integer(value)
    if found is None or found < low:
        raise invalid(name, f"Invalid {name}: must be an integer of at least {low}")
    return found


def limit_of(query: LooseQuery, default: int) -> int:
    return min(_integer(query, "limit", default, 1), MAX_LIMIT)


def number(query: LooseQuery, name: str, default: float) -> float:
    text = query.text(name)
    if text is None:
        return default
    found = float(text) if _NUMBER.fullmatch(text) else math.nan
    if not math.isfinite(found):
        raise invalid(name, f"Invalid {name}: must be a finite number")
    return found


def _choice(query: LooseQuery, name: str, words: tuple[str, ...], default: str, *, fold: bool = False) -> str:
    value = query.text(name)
    if value is None:
        return default
    word = value.lower() if fold else value
    if word not in words:
        raise invalid(name, f"Invalid {name}: must be one of {', '.join(words)}")
    return word


def _day_us(query: LooseQuery, name: str, later: int) -> int | None:
    """The beginning of the day, or of the one `later` days after it."""
    text = query.text(name)
    if text is None:
        return None
    try:
        if not _DATE.fullmatch(text):
            raise ValueError
        return (date.fromisoformat(text).toordinal() - _EPOCH_DAY + later) * _DAY_US
    except ValueError:
        raise invalid(name, f"Invalid {name}: must be a date, YYYY-MM-DD") from None


def _tags(query: LooseQuery) -> list[str]:
    return [tag for tag in map(str.strip, (query.text("tags") or "").split(",")) if tag]


def _tag_filters(query: LooseQuery) -> list[pb.TagFilter]:
    text = query.text("tagFilters")
    if text is None:
        return []
    try:
        value: Any = json.loads(text)
    except (ValueError, RecursionError):
        raise _bad_filters() from None
    if not isinstance(value, dict):
        raise _bad_filters()
    return [pb.TagFilter(tagset=group, values=values) for group, values in groups_of(value, _bad_filters()) if values]


def _bad_filters() -> Failure:
    return invalid("tagFilters", "Invalid tagFilters: must be a JSON object of arrays of strings")


def groups_of(value: dict[str, Any], bad: Failure) -> list[tuple[str, list[str]]]:
    """An object of arrays of strings as pairs.

    Raises:
        Failure: `bad`, when it is anything else.
    """
    for group, values in value.items():
        if not isinstance(values, list) or not all(isinstance(one, str) for one in values):
            raise bad
        if not all(is_text(one) for one in (group, *values)):
            raise bad
    return list(value.items())


def is_text(value: str) -> bool:
    """Whether it can be written: a lone surrogate cannot."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
