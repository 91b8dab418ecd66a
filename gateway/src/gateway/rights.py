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
    ("admin", r"(?:POST|DELETE) /api/review-paths$|PATCH /api/settings$|(?:GET|HEAD) /api/logs$|POST /api/(?:jobs/|reindex$)"),
    ("empty-trash", r"POST /api/empty-trash$"),
    # Which mark it sets is in the body: `act_scope` is the rest of the check.
    ("trash", r"POST /api/media-(?:actions|items/batch)$"),
)
_PATTERNS: Final = tuple((scope, re.compile(pattern)) for scope, pattern in _SCOPES)
#: These speak of the whole server, or of paths of any collection.
_WHOLE: Final = frozenset((Dialect.MEDIAREVIEWER, Dialect.PLATFORM))
#: Checked by itself: it answers of one item, whose collection it knows.
_KNOWS_ITS_COLLECTION: Final = re.compile(r"/api/resolve$")


def check_scope(access: Access, dialect: Dialect, method: str, path: str) -> None:
    """
    Raises:
        Failure: 403, the key lacks the scope, or is limited to collections where all are spoken of.
    """
    if dialect in (Dialect.COREVIZ, Dialect.WICKSON):
        return
    access.require(_scope_of(dialect, method, path))
    if access.collections is not None and dialect in _WHOLE and not _KNOWS_ITS_COLLECTION.match(path):
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
