"""A catalogue in a temporary file, with a clock that counts."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from metadata_service.domain.media import Collection
from metadata_service.store import collections
from metadata_service.store.sqlite import Database


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    ticks = itertools.count(1_000_000, 1_000)
    database = Database(tmp_path / "catalogue.db", clock=lambda: next(ticks))
    yield database
    database.close()


@pytest.fixture
def collection(database: Database) -> Collection:
    return database.write(collections.create, "Mine")
