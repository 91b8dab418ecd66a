"""`domain.ports.Marks` in journal.db, with all of it in memory: listings ask for every file of a read-only root."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from sqlite3 import Connection
from threading import Lock

from fs_service.domain.items import State
from fs_service.store.journal_db import JournalDatabase


class StoredMarks:
    """Marks of files on roots that cannot be written."""

    def __init__(self, database: JournalDatabase) -> None:
        self._database = database
        self._lock = Lock()
        rows = database.read(lambda connection: connection.execute("SELECT path, state FROM marks").fetchall())
        self._states = {path: State(state) for path, state in rows}

    def get(self, path: bytes) -> State | None:
        return self._states.get(path)

    def set_all(self, states: Sequence[tuple[bytes, State]]) -> None:
        def write(connection: Connection) -> None:
            rows = [(path, int(state)) for path, state in states]
            connection.executemany("INSERT OR REPLACE INTO marks (path, state) VALUES (?, ?)", rows)

        self._database.write(write)
        with self._lock:
            self._states.update(states)

    def forget(self, paths: Iterable[bytes]) -> None:
        known = [path for path in paths if path in self._states]
        if not known:
            return
        self._database.write(
            lambda connection: connection.executemany("DELETE FROM marks WHERE path = ?", [(path,) for path in known])
        )
        with self._lock:
            for path in known:
                self._states.pop(path, None)

    def below(self, root: bytes) -> dict[bytes, State]:
        prefix = root.rstrip(b"/") + b"/"
        with self._lock:
            return {path: state for path, state in self._states.items() if path.startswith(prefix)}
