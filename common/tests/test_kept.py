"""The parts of a backup: a copy of a database in use, and the files beside it."""

from __future__ import annotations

import os
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest
from media_common.errors import ErrorCode
from media_common.kept import (
    CATALOGUE,
    PIECE_BYTES,
    CopyFailed,
    KeptDatabase,
    KeptFile,
    KeptUploads,
    catalogue_parts,
    copy_of,
    parts,
)


def _rows(data: bytes) -> list[int]:
    with closing(sqlite3.connect(":memory:")) as connection:
        # An image in WAL mode cannot be opened without a file; bytes 18 and 19 say which mode it is.
        connection.deserialize(data[:18] + b"\1\1" + data[20:])
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return [row[0] for row in connection.execute("SELECT number FROM numbers ORDER BY number")]


@pytest.fixture
def database(tmp_path: Path) -> Path:
    file = tmp_path / "a #?%.db"
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE numbers (number INTEGER, filling BLOB)")
    return file


def test_a_copy_holds_what_was_committed_and_leaves_no_file(database: Path) -> None:
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("INSERT INTO numbers VALUES (1, NULL)")
        connection.execute("BEGIN")
        connection.execute("INSERT INTO numbers VALUES (2, NULL)")
        with copy_of(database) as copy:
            assert _rows(copy.read()) == [1]
        connection.execute("COMMIT")
        assert not [name for name in os.listdir(database.parent) if ".copy" in name]


def test_a_copy_is_of_one_moment_and_comes_to_an_end_whoever_writes_meanwhile(database: Path) -> None:
    stop, written = threading.Event(), threading.Event()

    def write() -> None:
        with closing(sqlite3.connect(database, isolation_level=None)) as connection:
            number = 0
            while not stop.is_set():
                pair = [(number, os.urandom(20_000)), (number + 1, os.urandom(20_000))]
                connection.execute("BEGIN")
                connection.executemany("INSERT INTO numbers VALUES (?, ?)", pair)
                connection.execute("COMMIT")
                number += 2
                written.set()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert written.wait(10)
        for _ in range(5):
            with copy_of(database) as copy:
                numbers = _rows(copy.read())
            assert numbers == list(range(len(numbers)))
            assert len(numbers) % 2 == 0
    finally:
        stop.set()
        writer.join()


def test_what_a_killed_process_left_is_overwritten(database: Path) -> None:
    database.with_name(f"{database.name}.copy").write_bytes(b"half")
    with copy_of(database) as copy:
        assert _rows(copy.read()) == []


@pytest.mark.parametrize("content", [None, b"no database, but long enough to be taken for the head of one" * 20])
def test_a_missing_or_damaged_database_is_a_failure_by_name(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "journal.db"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(CopyFailed, match=r"journal\.db cannot be copied") as failure:
        copy_of(file)
    assert failure.value.code is ErrorCode.STORAGE_FAILED
    assert sorted(os.listdir(tmp_path)) == ([] if content is None else ["journal.db"])


def test_each_file_is_announced_and_comes_whole(database: Path) -> None:
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("INSERT INTO numbers VALUES (1, zeroblob(?))", (2 * PIECE_BYTES,))
    (database.parent / "small").write_bytes(b"text")
    (database.parent / "empty").write_bytes(b"")
    found: dict[KeptFile, bytes] = {}
    for part in parts(database.parent, KeptDatabase(database.name, 1, frozenset()), ("small", "absent", "empty")):
        match part:
            case KeptFile():
                found[part] = b""
                last = part
            case _:
                found[last] += part
    assert [part.name for part in found] == ["small", "empty", database.name]
    assert all(part.size_bytes == len(content) for part, content in found.items())
    contents = list(found.values())
    assert contents[0] == b"text"
    assert _rows(contents[2]) == [1]


def test_behind_the_catalogue_comes_what_that_very_copy_names(tmp_path: Path) -> None:
    given = [(os.urandom(16), os.urandom(32)) for _ in range(2345)]
    with closing(sqlite3.connect(tmp_path / CATALOGUE.name, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE node (uuid BLOB, sha256 BLOB, source INT, kind INT, marks INT)")
        connection.executemany("INSERT INTO node VALUES (?, ?, 2, 4, 0)", given)
        found = catalogue_parts(tmp_path)
        assert next(found)[0] == CATALOGUE.name
        connection.execute("DELETE FROM node")
        named = [one for part in found if isinstance(part, KeptUploads) for one in part.named]
    assert sorted(named) == sorted(given)


def test_a_catalogue_without_the_table_of_items_is_a_failure_by_name(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / CATALOGUE.name)) as connection:
        connection.execute("CREATE TABLE other (number INT)")
    with pytest.raises(CopyFailed, match="no such table: node"):
        list(catalogue_parts(tmp_path))
    assert os.listdir(tmp_path) == [CATALOGUE.name]
