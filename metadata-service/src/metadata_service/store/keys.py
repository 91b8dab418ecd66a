"""The keys of callers, by digest."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from metadata_service.domain.errors import KeyNotFound
from metadata_service.domain.keys import Key
from metadata_service.store.snapshot import Snapshot
from metadata_service.store.transaction import Transaction

_COLUMNS: Final = "uuid, name, scopes, collections, created_us, expires_us, revoked_us"


def create(
    txn: Transaction,
    uuid: UUID,
    name: str,
    digest: bytes,
    scopes: Sequence[str],
    collections: Sequence[int] | None,
    expires_us: int | None,
) -> Key:
    limited = None if collections is None else json.dumps(sorted(collections))
    txn.execute(
        f"INSERT INTO access_key ({_COLUMNS}, digest) VALUES (?, ?, ?, ?, ?, ?, NULL, ?)",  # noqa: S608 - our own names
        uuid.bytes, name, " ".join(scopes), limited, txn.tick(), expires_us, digest,
    )  # fmt: skip
    row = txn.execute(f"SELECT {_COLUMNS} FROM access_key WHERE uuid = ?", uuid.bytes).fetchone()  # noqa: S608
    return _key(row)


def revoke(txn: Transaction, uuid: UUID) -> None:
    """Revoking twice is revoking once.

    Raises:
        KeyNotFound: there is no such key.
    """
    if txn.one("SELECT 1 FROM access_key WHERE uuid = ?", uuid.bytes) is None:
        raise KeyNotFound
    txn.execute("UPDATE access_key SET revoked_us = ? WHERE uuid = ? AND revoked_us IS NULL", txn.tick(), uuid.bytes)


def listed(snapshot: Snapshot) -> list[Key]:
    """All keys, the first made first."""
    rows = snapshot.connection.execute(f"SELECT {_COLUMNS} FROM access_key ORDER BY id")  # noqa: S608
    return [_key(row) for row in rows]


def by_digest(snapshot: Snapshot, digest: bytes) -> Key:
    """
    Raises:
        KeyNotFound: nobody has this key.
    """
    row = snapshot.connection.execute(
        f"SELECT {_COLUMNS} FROM access_key WHERE digest = ?",  # noqa: S608 - names of our own
        (digest,),
    ).fetchone()
    if row is None:
        raise KeyNotFound
    return _key(row)


def _key(row: Any) -> Key:
    collections = None if row[3] is None else tuple(json.loads(row[3]))
    return Key(UUID(bytes=row[0]), row[1], tuple(row[2].split()), collections, *row[4:])
