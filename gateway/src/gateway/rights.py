"""Which scope a request needs before its route is asked. CoreViz and Wickson check by themselves, in the order of
their contracts."""

from __future__ import annotations

import re
from typing import Final

from gateway.access import NO_ACCESS, Access
from gateway.dialects import Dialect
from gateway.errors import Failure

_LOOKS: Final = frozenset(("GET", "HEAD", "OPTIONS"))
#: First match wins; whatever else changes something needs `write`, and a look needs `read`.
_SCOPES: Final[tuple[tuple[str, str], ...]] = (
    ("admin", r"[A-Z]+ /api/keys(?:/|$)"),
    (
        "admin",
        r"(?:POST|DELETE) /api/review-paths$|PATCH /api/settings$|(?:GET|HEAD) /api/logs$|POST /api/(?:jobs/|reindex$)",
    ),
    ("empty-trash", r"POST /api/empty-trash$"),
    ("read", r"(?:POST|DELETE) /api/session$|POST /api/stacks/of$"),
    # Which mark it sets is in the body: `act_scope` is the rest of the check.
    ("trash", r"POST /api/media-(?:actions|items/batch)$"),
    # It locks as well, and checks that itself.
    ("trash", r"POST /api/stacks/keep-best$"),
)
_PATTERNS: Final = tuple((scope, re.compile(pattern)) for scope, pattern in _SCOPES)
#: These speak of the whole server, or of paths of any collection.
_WHOLE: Final = frozenset((Dialect.MEDIAREVIEWER, Dialect.PLATFORM))
#: Checked by themselves: they tell the collection from the path or the item, or tell of no collection.
_CHECKED_LATER: Final = re.compile(
    r"(?:GET|HEAD) /api/(?:resolve|health|settings|review-paths|folders(?:/files)?|media-file|media-thumbnail)$"
    r"|(?:GET|HEAD) /api/roots/status$"
    r"|GET /api/(?:media-items/(?:stream|summary)|trash/plan)$"
    r"|HEAD /api/(?:media-items/summary|trash/plan)$"
    r"|POST /api/(?:media-actions|media-items/batch|empty-trash)$"
    r"|(?:GET|HEAD) /api/histogram$"
    r"|POST /api/stacks/(?:of|keep-best|decisions)$|(?:GET|HEAD) /api/stacks$"
    r"|(?:POST|DELETE) /api/session$"
)


def check_scope(access: Access, dialect: Dialect, method: str, path: str) -> None:
    """
    Raises:
        Failure: 403, the key lacks the scope, or is limited to collections where all are spoken of.
    """
    if dialect in (Dialect.COREVIZ, Dialect.WICKSON):
        return
    access.require(_scope_of(dialect, method, path))
    if access.collections is not None and dialect in _WHOLE and not _CHECKED_LATER.match(f"{method} {path}"):
        raise Failure(403, "forbidden", NO_ACCESS)


def _scope_of(dialect: Dialect, method: str, path: str) -> str:
    if dialect is Dialect.EXQUISITOR or (method in _LOOKS and not path.startswith("/api/")):
        return "read"
    line = f"{method} {path}"
    for scope, pattern in _PATTERNS:
        if pattern.match(line):
            return scope
    return "read" if method in _LOOKS else "write"


def act_scope(action: str) -> str:
    """What setting or taking away a mark needs."""
    return "trash" if action in ("trash", "untrash") else "write"
