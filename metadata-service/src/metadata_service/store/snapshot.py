"""What a read works with."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from metadata_service.store.finds import Finds
from metadata_service.store.orders import Orders


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One moment's state of the database, and what is kept beside it."""

    connection: sqlite3.Connection
    orders: Orders
    finds: Finds
