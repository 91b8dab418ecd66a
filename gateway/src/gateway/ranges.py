"""Conditional and ranged reads (RFC 9110, sections 13 and 14), as arithmetic. No I/O."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from typing import Final

_RANGE: Final = re.compile(r"bytes\s*=\s*([0-9]{0,19})\s*-\s*([0-9]{0,19})\s*", re.ASCII)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Range:
    """`length` bytes from `offset`."""

    offset: int
    length: int

    def content_range(self, size: int) -> str:
        return f"bytes {self.offset}-{self.offset + self.length - 1}/{size}"


class Unsatisfiable(Exception):
    """No byte of the range is in the file."""


def parse_range(header: str | None, size: int) -> Range | None:
    """The part asked for; None for the whole: no header, one that is malformed, another unit, several ranges (a
    server may ignore those, and a list of them is a way to make it work hard).

    Raises:
        Unsatisfiable: it begins behind the end, or is an empty suffix.
    """
    found = _RANGE.fullmatch(header.strip()) if header else None
    if found is None:
        return None
    first, last = found.groups()
    if first:
        start = int(first)
        if last and int(last) < start:
            return None
        if start >= size:
            raise Unsatisfiable
        end = min(int(last), size - 1) if last else size - 1
        return Range(start, end - start + 1)
    if not last:
        return None
    length = min(int(last), size)
    if int(last) == 0:
        raise Unsatisfiable
    # An empty file has no range to name; it is sent whole.
    return Range(size - length, length) if length else None


def http_date(modified_us: int) -> str | None:
    """For `Last-Modified`; None when the year is beyond what a date can say."""
    try:
        moment = _EPOCH + timedelta(seconds=modified_us // 1_000_000)
        return format_datetime(moment, usegmt=True)
    except (OverflowError, ValueError):
        return None


def etags(header: str) -> list[str]:
    """The tags in an `If-None-Match` or `If-Match`, without quotes and weakness; `*` stays."""
    tags = (tag.strip().removeprefix("W/").strip('"') for tag in header.split(","))
    return [tag for tag in tags if tag]


def not_modified(headers: Mapping[str, str], etag: str, modified_us: int) -> bool:
    """Whether the caller has it already; a tag is a better witness than a date."""
    if (sent := headers.get("if-none-match")) is not None:
        tags = etags(sent)
        return etag in tags or "*" in tags
    since = _seconds(headers.get("if-modified-since"))
    return since is not None and modified_us // 1_000_000 <= since


def range_applies(headers: Mapping[str, str], etag: str, modified_us: int) -> bool:
    """Whether `If-Range` still names this very file: a strong tag, or exactly its date."""
    sent = headers.get("if-range")
    if sent is None:
        return True
    sent = sent.strip()
    if sent.startswith('"') or sent.startswith("W/"):
        return sent == f'"{etag}"'
    return _seconds(sent) == modified_us // 1_000_000


def _seconds(date: str | None) -> int | None:
    if date is None:
        return None
    try:
        moment = parsedate_to_datetime(date)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp())
