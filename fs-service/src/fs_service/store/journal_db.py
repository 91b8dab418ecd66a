"""journal.db: one connection, its schema, and writes of several threads joined into one flush.

No rule of the journal is here; see journal.py and marks.py.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

from fs_service.domain.errors import StorageFailed

T = TypeVar("T")

#: One script a version; a database of version n gets the scripts from n on.
_MIGRATIONS: Final = (
    """
    CREATE TABLE steps (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        kind INTEGER NOT NULL,
        request_id TEXT NOT NULL,
        at_us INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE entries (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        step INTEGER NOT NULL REFERENCES steps (id) ON DELETE CASCADE,
        root BLOB NOT NULL,
        path BLOB NOT NULL,
        before INTEGER NOT NULL,
        after INTEGER NOT NULL,
        device INTEGER, inode INTEGER, size INTEGER, mtime_ns INTEGER,
        reverts INTEGER NOT NULL,
        status INTEGER NOT NULL,            -- 0 intent, 1 done, 2 undone
        emptied INTEGER NOT NULL DEFAULT 0  -- the file was deleted for good since
    ) STRICT;
    CREATE INDEX entries_of_step ON entries (step);
    CREATE INDEX entries_of_path ON entries (path);
    CREATE INDEX entries_in_flight ON entries (id) WHERE status = 0;
    CREATE TABLE identities (               -- files as they were when they were trashed
        path BLOB PRIMARY KEY,
        device INTEGER NOT NULL, inode INTEGER NOT NULL, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,
        at_us INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE receipts (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL UNIQUE,
        request_id TEXT NOT NULL,
        started_us INTEGER NOT NULL,
        finished_us INTEGER NOT NULL DEFAULT 0,
        deleted INTEGER NOT NULL DEFAULT 0,
        errors INTEGER NOT NULL DEFAULT 0,
        skipped INTEGER NOT NULL DEFAULT 0,
        bytes INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE TABLE receipt_paths (
        receipt TEXT NOT NULL REFERENCES receipts (name) ON DELETE CASCADE,
        number INTEGER NOT NULL,
        path BLOB NOT NULL,
        PRIMARY KEY (receipt, number)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE deletions (                -- in flight only; what was done is in the receipt
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        receipt TEXT NOT NULL,
        root BLOB NOT NULL,
        path BLOB NOT NULL,
        marks INTEGER NOT NULL,
        device INTEGER NOT NULL, inode INTEGER NOT NULL, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX deletions_of_path ON deletions (path);
    CREATE TABLE marks (                    -- of files on roots that cannot be written
        path BLOB PRIMARY KEY,
        state INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    """,
    """
    CREATE TABLE stack_decisions (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        folder BLOB NOT NULL,               -- absolute
        names BLOB NOT NULL,                -- sorted, joined by '/'
        decision INTEGER NOT NULL,          -- 1 done, 2 not a stack
        at_us INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX stack_decisions_of_folder ON stack_decisions (folder);
    """,
)


class _Work:
    """One caller's writes, and what became of them."""

    __slots__ = ("durable", "error", "result", "settled", "write")

    def __init__(self, write: Callable[[sqlite3.Connection], Any], durable: bool) -> None:
        self.write = write
        self.durable = durable
        self.settled = False
        self.result: Any = None
        self.error: BaseException | None = None


class JournalDatabase:
    """The journal's file. Every method may be called from any thread."""

    def __init__(self, path: Path, fault: Callable[[str], None] = lambda step: None) -> None:
        """
        Raises:
            StorageFailed: it cannot be opened, or a newer version of this service wrote it.
        """
        self._fault = fault
        self._queue: list[_Work] = []
        self._queue_lock = threading.Lock()
        self._connection_lock = threading.Lock()
        self._full: bool | None = None
        self._path = path
        self._looker: sqlite3.Connection | None = None
        self._looker_lock = threading.Lock()
        try:
            self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10.0)
            path.chmod(0o600)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA foreign_keys = ON")
            self._connection.execute("PRAGMA cache_size = -4000")
            self._connection.execute("PRAGMA journal_size_limit = 16777216")
            self._migrate()
        except sqlite3.Error as error:
            raise StorageFailed(
                f"The journal {path} cannot be opened: {error}. Put a copy of it back, or move it away to begin a "
                "new one; a new one knows nothing of earlier steps and of what trashed files looked like."
            ) from error

    def close(self) -> None:
        with self._looker_lock:
            if self._looker is not None:
                self._looker.close()
                self._looker = None
        with self._connection_lock:
            self._connection.close()

    def write(self, work: Callable[[sqlite3.Connection], T], durable: bool = True) -> T:
        """Run it in a transaction, together with what other threads brought meanwhile.

        Args:
            durable: False: survives the end of the process, but a power cut may take it (what follows it too, so
                order holds); the next durable write makes it durable as well.
        Raises:
            StorageFailed: nothing of it was written.
        """
        mine = _Work(work, durable)
        with self._queue_lock:
            self._queue.append(mine)
        with self._connection_lock:
            if not mine.settled:
                with self._queue_lock:
                    group, self._queue = self._queue, []
                self._commit(group)
        if mine.error is not None:
            if isinstance(mine.error, sqlite3.Error):
                raise StorageFailed("The journal cannot be written; nothing was changed.") from mine.error
            raise mine.error
        return mine.result  # type: ignore[no-any-return]

    def read(self, question: Callable[[sqlite3.Connection], T]) -> T:
        """Ask; writes of other threads are seen when they have returned.

        Raises:
            StorageFailed: it cannot be read.
        """
        with self._connection_lock:
            try:
                return question(self._connection)
            except sqlite3.Error as error:
                raise StorageFailed("The journal cannot be read.") from error

    def look(self, question: Callable[[sqlite3.Connection], T]) -> T:
        """`read` for who has time: on a connection of its own, so that a long look holds up no writer.

        Raises:
            StorageFailed: it cannot be read.
        """
        with self._looker_lock:
            try:
                if self._looker is None:
                    self._looker = sqlite3.connect(
                        self._path, isolation_level=None, check_same_thread=False, timeout=10.0
                    )
                    self._looker.execute("PRAGMA query_only = ON")
                # One transaction, so that all of an answer is of one moment.
                self._looker.execute("BEGIN")
                try:
                    return question(self._looker)
                finally:
                    self._looker.execute("COMMIT")
            except sqlite3.Error as error:
                raise StorageFailed("The journal cannot be read.") from error

    def _commit(self, group: list[_Work]) -> None:
        """One transaction for the group; should it fail as a whole, each gets the error."""
        try:
            self._flush_on_commit(any(work.durable for work in group))
            self._fault("begin")
            self._connection.execute("BEGIN IMMEDIATE")
            if len(group) == 1:
                group[0].result = group[0].write(self._connection)
            else:
                for work in group:
                    self._one_of_many(work)
            self._fault("commit")
            self._connection.execute("COMMIT")
            self._fault("committed")
        except sqlite3.Error as error:
            self._fail(group, error)
        except BaseException as error:
            self._fail(group, error)
            raise
        finally:
            for work in group:
                work.settled = True

    def _one_of_many(self, work: _Work) -> None:
        """Its failure takes back its own writes, not its neighbours'."""
        self._connection.execute("SAVEPOINT one")
        try:
            work.result = work.write(self._connection)
        except sqlite3.Error as error:
            work.error = error
            self._connection.execute("ROLLBACK TO one")
        self._connection.execute("RELEASE one")

    def _fail(self, group: list[_Work], error: BaseException) -> None:
        for work in group:
            work.error = error
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def _flush_on_commit(self, full: bool) -> None:
        # In WAL mode NORMAL writes without flushing and FULL flushes the whole log, earlier writes included.
        if full is not self._full:
            self._connection.execute(f"PRAGMA synchronous = {'FULL' if full else 'NORMAL'}")
            self._full = full

    def _migrate(self) -> None:
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        if version > len(_MIGRATIONS):
            raise StorageFailed("The journal was written by a newer version of this service.")
        for number, script in enumerate(_MIGRATIONS[version:], start=version + 1):
            self._connection.executescript(f"BEGIN; {script} PRAGMA user_version = {number}; COMMIT;")
