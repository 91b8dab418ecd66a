"""The public dialects, told apart by the path's prefix."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final


class Dialect(StrEnum):
    """Whose error body, whose rules about keys. Everything unclaimed, our own additions included, speaks as
    MediaReviewer does."""

    MEDIAREVIEWER = "mediareviewer"
    EXQUISITOR = "exquisitor"
    COREVIZ = "coreviz"
    WICKSON = "wickson"
    PLATFORM = "platform"


#: First match wins. `/api/folder` and `/api/media/` are CoreViz; `/api/folders` and `/api/media-file` are not.
PREFIXES: Final[tuple[tuple[Dialect, str], ...]] = (
    (Dialect.EXQUISITOR, r"/(?:exq|dres)(?:/|$)"),
    (Dialect.WICKSON, r"/v1(?:/|$)"),
    (Dialect.COREVIZ, r"/api/(?:dataset|me|organization|auth|media|folder|search|upload|ai)(?:/|$)"),
    (Dialect.MEDIAREVIEWER, r"/api/(?:health|review-paths|folders|media-[a-z]+|empty-trash|settings|logs)(?:/|$)"),
)
_PATTERN: Final = re.compile("|".join(f"(?P<{dialect.value}>{pattern})" for dialect, pattern in PREFIXES))


def dialect_of(path: str) -> Dialect:
    """Whose the path is, known or not."""
    found = _PATTERN.match(path)
    return Dialect(found.lastgroup) if found and found.lastgroup else Dialect.PLATFORM
