"""Keys: what one may do, and how one is told from a guess. A key is shown once; only its digest is kept."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final
from uuid import UUID

SCOPES: Final = ("read", "write", "trash", "empty-trash", "admin")
PREFIX: Final = "fw_"


@dataclass(frozen=True, slots=True)
class Key:
    uuid: UUID
    name: str
    scopes: tuple[str, ...]
    collections: tuple[int, ...] | None  # None: all
    created_us: int
    expires_us: int | None
    revoked_us: int | None

    def good_at(self, now_us: int) -> bool:
        return self.revoked_us is None and (self.expires_us is None or now_us < self.expires_us)


def digest(secret: str) -> bytes:
    """What is kept of a key. It has 256 random bits, so a plain hash cannot be searched."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
