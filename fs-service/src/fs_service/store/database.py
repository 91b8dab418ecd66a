"""`index.db`: one file of SQLite for the index, the outbox and the public events. All of it can be rebuilt from the
disk, so a file that is broken or of another make is put aside and begun anew.
"""

from __future__ import annotations

import logging
import os
import signal
import sqlite3
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from fs_service.domain.errors import StorageFailed

logger = logging.getLogger(__name__)

FILE: Final = "index.db"
_VERSION: Final = 2
_BUSY_S: Final = 30.0
_DAMAGED: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)

_SCHEMA: Final = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE root (
    id INTEGER PRIMARY KEY,
    path BLOB NOT NULL,
    scanned INTEGER NOT NULL DEFAULT 0,
    dropped INTEGER NOT NULL DEFAULT 0   -- taken off the list; its rows are being deleted
);
CREATE UNIQUE INDEX root_path ON root (path) WHERE NOT dropped;

CREATE TABLE folder (
    id INTEGER PRIMARY KEY,
    root_id INTEGER NOT NULL,
    path BLOB NOT NULL,                  -- below the root; empty: the root itself
    device INTEGER NOT NULL, inode INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, ctime_ns INTEGER NOT NULL,
    settled INTEGER NOT NULL,
    ignored INTEGER NOT NULL,
    links BLOB NOT NULL,                 -- names joined by '/'
    UNIQUE (root_id, path)
);

CREATE TABLE item (
    root_id INTEGER NOT NULL,
    key BLOB NOT NULL,                   -- name NUL path below the root: the order of pages
    folder_id INTEGER NOT NULL,
    entry_inode INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    state INTEGER NOT NULL,
    link INTEGER NOT NULL,
    inode INTEGER, size_bytes INTEGER, mtime_ns INTEGER,   -- NULL: nobody looked at the file yet
    birth_us INTEGER, width_px INTEGER, height_px INTEGER, duration_s REAL,
    dated_us INTEGER NOT NULL DEFAULT 4611686018427387904, -- `rows.UNDATED`
    PRIMARY KEY (root_id, key)
) WITHOUT ROWID;
CREATE INDEX item_folder ON item (folder_id, dated_us, key, state);
CREATE INDEX item_dated ON item (root_id, dated_us, key, state);

CREATE TABLE outbox (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    subject TEXT NOT NULL,
    root BLOB NOT NULL,
    path BLOB NOT NULL,                  -- absolute
    inode INTEGER NOT NULL
);

CREATE TABLE event (sequence INTEGER PRIMARY KEY, kind TEXT NOT NULL, payload TEXT NOT NULL);
"""

#: From version 1.
_DATED: Final = """
ALTER TABLE item ADD COLUMN dated_us INTEGER NOT NULL DEFAULT 4611686018427387904;
DROP INDEX item_folder;
CREATE INDEX item_folder ON item (folder_id, dated_us, key, state);
CREATE INDEX item_dated ON item (root_id, dated_us, key, state);
"""

#: Beside that schema since; an index without it is no other index.
_ADDED: Final = """
CREATE TABLE IF NOT EXISTS shot (
    folder BLOB NOT NULL,                -- absolute
    name BLOB NOT NULL,
    inode INTEGER NOT NULL, size_bytes INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,   -- of the file that was read
    taken_us INTEGER, camera TEXT,       -- NULL: it does not say
    width_px INTEGER NOT NULL, height_px INTEGER NOT NULL,
    looked INTEGER NOT NULL,
    figures BLOB,                        -- NULL though looked: there is no picture in it
    PRIMARY KEY (folder, name)
) WITHOUT ROWID;
"""


class Database:
    """One writer at a time, any number of readers beside it (WAL). Committed means consistent after a crash, and
    lasting after a power cut only as far as the disk got: the index is compared with the disk anyway."""

    def __init__(self, state_dir: Path, end: Callable[[], None] = lambda: signal.raise_signal(signal.SIGTERM)) -> None:
        """
        Args:
            end: ends the process, after the file was found damaged and put aside.
        """
        self._path = state_dir / FILE
        self._end = end
        self._lock = threading.Lock()
        self._readers: list[sqlite3.Connection] = []
        self._closed = False
        self._damage_lock = threading.Lock()
        self._given_up = False
        self._committed = threading.Condition()
        self.commits = 0
        try:
            self._writer = self._opened()
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError) and "malformed" not in str(error):
                raise
            logger.warning("%s cannot be used (%s); it is put aside and built anew", FILE, error)
            self._put_aside()
            self._writer = self._opened()
        self.epoch = str(self._writer.execute("SELECT value FROM meta WHERE name = 'epoch'").fetchone()[0])

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """A transaction, alone; rolled back when the body raises.

        Raises:
            StorageFailed: SQLite refused.
        """
        with self._lock, self._translated():
            if self._closed:
                raise StorageFailed("The index is closed.")
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
                self._writer.execute("COMMIT")
                with self._committed:
                    self.commits += 1
                    self._committed.notify_all()
            except BaseException:
                with suppress(sqlite3.Error):  # SQLite may have rolled back by itself
                    self._writer.execute("ROLLBACK")
                raise

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """A connection of one's own that sees everything committed.

        Raises:
            StorageFailed: SQLite refused.
        """
        with self._translated():
            try:
                connection = self._readers.pop()
            except IndexError:
                connection = self._connected()
        try:
            with self._translated():
                yield connection
        finally:
            if self._closed:
                connection.close()
            else:
                self._readers.append(connection)

    def wait(self, commits: int, timeout_s: float) -> bool:
        """Until there were other than so many commits; False when the time is over first."""
        with self._committed:
            return self._committed.wait_for(lambda: self.commits != commits, timeout_s)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            while self._readers:
                self._readers.pop().close()
            with suppress(sqlite3.Error):
                self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._writer.close()

    def _connected(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute("PRAGMA cache_size = -8192")
        return connection

    def _opened(self) -> sqlite3.Connection:
        connection = self._connected()
        try:
            os.chmod(self._path, 0o600)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA journal_size_limit = 67108864")
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version not in (0, 1, _VERSION):
                raise sqlite3.DatabaseError(f"it is of version {version}")
            if version == 0:
                # One transaction: a start that is cut short leaves an empty file, not half a schema.
                connection.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {_VERSION}; COMMIT;")
            if version == 1:
                connection.executescript(f"BEGIN IMMEDIATE; {_DATED} PRAGMA user_version = {_VERSION}; COMMIT;")
            connection.execute(_ADDED)
            connection.execute("INSERT INTO meta VALUES ('epoch', ?) ON CONFLICT DO NOTHING", (uuid.uuid4().hex,))
        except BaseException:
            connection.close()
            raise
        return connection

    def _put_aside(self) -> None:
        for suffix in ("", "-wal", "-shm"):
            with suppress(FileNotFoundError):
                os.replace(f"{self._path}{suffix}", f"{self._path}.broken{suffix}")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            logger.error("the index failed: %s", error)
            # An error of the module itself has no code of SQLite's.
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED:
                self._start_over()
            raise StorageFailed("The index in the state directory cannot be used; is its disk full?") from error

    def _start_over(self) -> None:
        """A damaged index does not heal, and the disk has all of it: put it aside and end; the next start builds it."""
        with self._damage_lock:
            if not self._given_up and not self._closed:
                self._given_up = True
                logger.critical("%s is damaged; it is put aside and the service ends, to start again without it", FILE)
                self._put_aside()
                self._end()
