"""Jobs that a change brings with it: written in the change's own transaction, sent in order, deleted when sent."""

from __future__ import annotations

from dataclasses import dataclass

from metadata_service.store.snapshot import Snapshot
from metadata_service.store.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Letter:
    """A message to be published."""

    id: int
    subject: str
    payload: bytes


def put(txn: Transaction, subject: str, payload: bytes) -> None:
    txn.execute("INSERT INTO outbox (subject, payload) VALUES (?, ?)", subject, payload)


def oldest(snapshot: Snapshot, limit: int) -> list[Letter]:
    rows = snapshot.connection.execute("SELECT id, subject, payload FROM outbox ORDER BY id LIMIT ?", (limit,))
    return [Letter(*row) for row in rows]


def sent(txn: Transaction, up_to: int) -> None:
    """All letters up to this number have arrived."""
    txn.execute("DELETE FROM outbox WHERE id <= ?", up_to)
