"""Rows gathered by the engine are the rows that a cursor gives."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from metadata_service.store import collections, media, one_step
from metadata_service.store.paths import folder_paths
from metadata_service.store.sqlite import Database
from metadata_service.store.transaction import Transaction

INTEGERS = st.integers(-(2**63), 2**63 - 1)
#: The engine writes a zero without its sign.
NUMBERS = st.floats(allow_nan=False, allow_infinity=False).map(lambda number: number or 0.0)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


@given(st.lists(st.tuples(INTEGERS, INTEGERS | NUMBERS | TEXTS, st.none() | TEXTS, st.none() | st.binary())))
def test_every_value_comes_back_as_it_was(given: list[tuple[int, int | float | str, str | None, bytes | None]]) -> None:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE t (a INTEGER, b, c TEXT, d BLOB)")
    connection.executemany("INSERT INTO t VALUES (?, ?, ?, ?)", given)
    query = "SELECT a, value, c, hex(d) FROM t".replace("value", one_step.exact("b"))
    found = one_step.rows(connection, 4, query, ())
    connection.close()
    expected = [(a, b, c, (d or b"").hex().upper()) for a, b, c, d in given]
    assert sorted(map(repr, map(tuple, found))) == sorted(map(repr, expected))


def test_a_renamed_folder_is_found_by_its_new_name_although_its_path_was_kept(tmp_path: Path) -> None:
    database = Database(tmp_path / "catalogue.db")

    def made(txn: Transaction) -> tuple[int, int]:
        collection = collections.create(txn, "Mine")
        return collection.id, collections.create_folder(txn, collection, collection.root_folder_id, "old")

    _, folder_id = database.write(made)
    paths = [database.read(lambda s: folder_paths(s.connection, [folder_id]))]
    paths.append(database.read(lambda s: folder_paths(s.connection, [folder_id, 999])))
    database.write(media.edit, folder_id, "new", None)
    paths.append(database.read(lambda s: folder_paths(s.connection, [folder_id])))
    database.close()
    assert paths == [{folder_id: b"old"}, {folder_id: b"old"}, {folder_id: b"new"}]
