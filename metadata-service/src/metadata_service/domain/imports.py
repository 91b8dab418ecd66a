"""A collection of another system, part by part, and what it must be like to be taken as it is."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from metadata_service.domain.errors import BadImport, IdOutOfRange
from metadata_service.domain.ids import IMPORTED_ITEMS, IMPORTED_TAGS, INT64
from metadata_service.domain.media import Imported
from metadata_service.domain.tags import TagType, Value, parsed

#: A name is an address in the retrieval and list dialects, so it is kept as it is or refused.
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
_ABSOLUTE: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
#: A path below an address; each part of it becomes a folder.
MAX_URI: Final = 4096


@dataclass(frozen=True, slots=True)
class GivenTagset:
    relative_id: int
    name: str
    tagtype: TagType


@dataclass(frozen=True, slots=True)
class GivenTag:
    relative_id: int
    tagset_id: int
    value: Value


@dataclass(frozen=True, slots=True)
class Begin:
    """What is known before the first row."""

    name: str
    originals_url: str
    thumbnails_url: str
    last_id: int  # of its items and groups
    tagsets: tuple[GivenTagset, ...]


@dataclass(frozen=True, slots=True)
class Tags:
    tags: tuple[GivenTag, ...]


@dataclass(frozen=True, slots=True)
class Items:
    """Items and groups; a group comes before its members."""

    items: tuple[Imported, ...]


@dataclass(frozen=True, slots=True)
class End:
    """How many items and groups there were: a stream that was cut short is never taken for a whole one."""

    items: int


Part = Begin | Tags | Items | End


def check_begin(begin: Begin) -> None:
    """
    Raises:
        BadImport, IdOutOfRange
    """
    if not _NAME.fullmatch(begin.name):
        raise BadImport(
            "A collection's name has 1 to 80 letters, digits, points, hyphens and underscores, a letter or digit first."
        )
    check_address(begin.originals_url, "originals")
    check_address(begin.thumbnails_url, "thumbnails")
    if begin.last_id:
        check_id(begin.last_id, IMPORTED_ITEMS, "item")
    for tagset in begin.tagsets:
        check_id(tagset.relative_id, IMPORTED_TAGS, "tagset")


def check_address(url: str, what: str) -> None:
    """An address that a path can be put behind.

    Raises:
        BadImport
    """
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.query and not parts.fragment
    except ValueError:
        good = False
    if not good or not url.isascii() or not url.isprintable() or " " in url or url.endswith(("?", "#")):
        raise BadImport(f"The address of the {what} must be like https://host/path, without a query.")


def check_id(number: int, allowed: range, what: str) -> None:
    """
    Raises:
        IdOutOfRange
    """
    if number not in allowed:
        raise IdOutOfRange(f"The {what} id {number} is not between {allowed.start} and {allowed.stop - 1}.")


def value_of(tagtype: TagType, tag: GivenTag) -> Value:
    """The tag's value as its tagset's type keeps it.

    Raises:
        BadImport: it is of another type.
    """
    value = tag.value
    if tagtype is TagType.NUMERICAL_DEC:
        if isinstance(value, int | float) and math.isfinite(value):
            return float(value)
    elif tagtype is TagType.NUMERICAL_INT:
        if isinstance(value, int) and value in INT64:
            return value
    elif isinstance(value, str) and parsed(tagtype, value) is not None:
        return value
    shown = repr(value)
    shown = shown if len(shown) <= 60 else shown[:60] + "…"
    raise BadImport(f"The value {shown} of tag {tag.relative_id} is not of the type {tagtype.label}.")


def check_item(item: Imported, last_id: int) -> None:
    """
    Raises:
        BadImport, IdOutOfRange
    """
    check_id(item.relative_id, range(1, last_id + 1), "item")
    for uri in (item.uri, item.thumbnail_uri):
        if uri is not None and len(uri) > MAX_URI:
            raise BadImport(f"An address of item {item.relative_id} is longer than {MAX_URI} characters.")
    if item.group_relative_id is not None:
        if item.is_group:
            raise BadImport(f"The group {item.relative_id} is in a group itself; groups of groups cannot be taken.")
        check_id(item.group_relative_id, range(1, last_id + 1), "group")
    for tag_id in item.tag_ids:
        check_id(tag_id, IMPORTED_TAGS, "tag")


def place_of(item: Imported) -> tuple[str, str]:
    """The folder that an item is shown in and the name it is shown by."""
    uri = item.uri or ""
    if scheme := _ABSOLUTE.match(uri):
        uri = uri[scheme.end() :]
    folder, _, name = uri.rpartition("/")
    return folder, name or str(item.relative_id)
