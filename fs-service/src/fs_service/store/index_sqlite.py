"""The index of one root in SQLite, and the messages that its changes make: rows and outbox in one transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Final

from media_common import subjects
from media_common.dates import DAY_US

from fs_service.domain.errors import StorageFailed
from fs_service.domain.items import StatusFilter
from fs_service.domain.timeline import ByState, Cut
from fs_service.domain.views import Counts
from fs_service.store.database import Database
from fs_service.store.days import DayCounts, Step, day_of
from fs_service.store.positions import Positions, Span
from fs_service.store.rows import (
    MASKS,
    NEVER,
    UNDATED,
    Change,
    Delta,
    Entry,
    Folder,
    Row,
    Spot,
    folder_of,
    relative_of,
)

_PAGE: Final = (
    "SELECT key, kind, state, link, inode, size_bytes, mtime_ns, birth_us, width_px, height_px, duration_s,"
    " dated_us FROM item WHERE root_id = ? AND key >= ? AND key < ? AND state & ? = ? ORDER BY key LIMIT ? OFFSET ?"
)
_ROW: Final = (
    "SELECT key, kind, state, link, inode, size_bytes, mtime_ns, birth_us, width_px, height_px, duration_s,"
    " dated_us FROM item WHERE root_id = ? AND key = ?"
)
#: Which rows, from an index alone; then the rows. (A row that is passed over is not read.)
_ROWS: Final = (
    " SELECT item.key, kind, item.state, link, inode, size_bytes, mtime_ns, birth_us, width_px, height_px, duration_s,"
    " item.dated_us FROM wanted CROSS JOIN item ON item.root_id = ? AND item.key = wanted.key"
)
_BY_DATE: Final = (
    "WITH wanted AS MATERIALIZED (SELECT dated_us, key FROM item INDEXED BY {index} WHERE {owner} = ?"  # noqa: S608
    " AND dated_us >= ? AND dated_us < ? AND state & ? = ? ORDER BY dated_us, key LIMIT ? OFFSET ?)"
    + _ROWS
    + " ORDER BY wanted.dated_us, wanted.key"
)
_RANK: Final = (
    "SELECT count(*) FROM item INDEXED BY {index} WHERE {owner} = ? AND dated_us >= ? AND (dated_us, key) <= (?, ?)"
    " AND state & ? = ?"
)
_IN_FOLDER: Final = (
    "WITH wanted AS MATERIALIZED (SELECT key FROM item INDEXED BY item_folder WHERE folder_id = ? AND key > ?"  # noqa: S608
    " AND state & ? = ? ORDER BY key LIMIT ? OFFSET ?)" + _ROWS + " ORDER BY wanted.key"
)
#: A root's rows are deleted in so many at a time, so that nobody waits long behind it.
_DROP_ROWS: Final = 2000
#: Keys held at a time when all of a root are wanted.
_KEYS_READ: Final = 10_000


class SqliteIndex:
    """Implements `rows.RootIndex`. What it returns is what it last applied: its shelf takes turns."""

    def __init__(self, database: Database, root: bytes) -> None:
        self._database = database
        self._root = root
        self._prefix = root.rstrip(b"/") + b"/"
        with database.write() as connection:
            connection.execute("INSERT INTO root (path) VALUES (?) ON CONFLICT DO NOTHING", (root,))
            row = connection.execute("SELECT id, scanned FROM root WHERE path = ? AND NOT dropped", (root,)).fetchone()
        self._id: int = row[0]
        self.scanned = bool(row[1])
        self._folder_ids: dict[bytes, int] = {}
        self._positions_: Positions | None = None
        self._days_: DayCounts | None = None

    def folders(self) -> Iterator[Folder]:
        with self._database.read() as connection:
            rows = connection.execute(
                "SELECT path, device, inode, mtime_ns, ctime_ns, settled, ignored, links, id FROM folder"
                " WHERE root_id = ?",
                (self._id,),
            ).fetchall()
        for path, device, inode, mtime_ns, ctime_ns, settled, ignored, links, folder_id in rows:
            self._folder_ids[path] = folder_id
            names = tuple(links.split(b"/")) if links else ()
            yield Folder(path, (device, inode, mtime_ns, ctime_ns), bool(settled), ignored, names)

    def contents(self, folder: bytes) -> dict[bytes, Entry]:
        with self._database.read() as connection:
            rows = connection.execute(
                "SELECT key, entry_inode, kind, state, link FROM item WHERE folder_id ="
                " (SELECT id FROM folder WHERE root_id = ? AND path = ?)",
                (self._id, folder),
            )
            return {
                key.partition(b"\0")[0]: Entry(inode, kind, state, bool(link)) for key, inode, kind, state, link in rows
            }

    def prepare(self) -> None:
        """Do now what the first page would wait for."""
        self._positions()
        self._days()

    def mark_scanned(self) -> None:
        """The rows are complete."""
        with self._database.write() as connection:
            connection.execute("UPDATE root SET scanned = 1 WHERE id = ?", (self._id,))
        self.scanned = True

    def apply(self, delta: Delta) -> None:
        try:
            with self._database.write() as connection:
                steps = [] if self._days_ is None else self._steps(connection, delta)
                self._write(connection, delta)
        except StorageFailed:
            self._folder_ids.clear()
            raise
        self._reposition(delta.changes)
        if self._days_ is not None:
            self._days_.step(steps)

    def _write(self, connection: sqlite3.Connection, delta: Delta) -> None:
        for folder in delta.folders:
            self._write_folder(connection, folder)
        found: list[tuple[bytes | int | None, ...]] = []
        others: list[tuple[bytes | int | None, ...]] = []
        states: list[tuple[bytes | int | None, ...]] = []
        gone: list[tuple[bytes | int | None, ...]] = []
        messages: list[tuple[str, bytes, bytes, int]] = []
        for change in delta.changes:
            key, old, new = change
            path = self._prefix + relative_of(key)
            if new is None:
                gone.append((self._id, key))
                messages.append((subjects.MEDIA_GONE, self._root, path, old.inode if old else 0))
                continue
            if old is None:
                folder_id = self._folder_id(connection, folder_of(relative_of(key)))
                found.append((self._id, key, folder_id, new.inode, new.kind, new.state, new.link))
                messages.append((subjects.MEDIA_FOUND, self._root, path, new.inode))
                messages.append((subjects.JOBS_THUMBNAIL, self._root, path, new.inode))
                continue
            if change.is_another_file:
                others.append((new.inode, new.kind, new.state, new.link, UNDATED, self._id, key))
                messages.append((subjects.MEDIA_CHANGED, self._root, path, new.inode))
                messages.append((subjects.JOBS_THUMBNAIL, self._root, path, new.inode))
            if new.state != old.state:
                states.append((new.state, self._id, key))
                messages.append((subjects.MEDIA_STATE, self._root, path, new.inode))
        probed: list[tuple[object, ...]] = []
        for key, facts, edited in delta.probed:
            probed.append((*facts, self._id, key))
            if edited:
                path = self._prefix + relative_of(key)
                messages.append((subjects.MEDIA_CHANGED, self._root, path, facts.inode))
                messages.append((subjects.JOBS_THUMBNAIL, self._root, path, facts.inode))
        for key in delta.again:
            row = connection.execute(
                "SELECT entry_inode FROM item WHERE root_id = ? AND key = ?", (self._id, key)
            ).fetchone()
            if row is not None:
                messages.append((subjects.MEDIA_STATE, self._root, self._prefix + relative_of(key), row[0]))
        connection.executemany("DELETE FROM item WHERE root_id = ? AND key = ?", gone)
        connection.executemany(
            "INSERT INTO item (root_id, key, folder_id, entry_inode, kind, state, link) VALUES (?, ?, ?, ?, ?, ?, ?)",
            found,
        )
        connection.executemany(
            "UPDATE item SET entry_inode = ?, kind = ?, state = ?, link = ?, inode = NULL, dated_us = ?"
            " WHERE root_id = ? AND key = ?",
            others,
        )
        connection.executemany("UPDATE item SET state = ? WHERE root_id = ? AND key = ?", states)
        connection.executemany(
            "UPDATE item SET inode = ?, size_bytes = ?, mtime_ns = ?, birth_us = ?, width_px = ?, height_px = ?,"
            " duration_s = ?, dated_us = ? WHERE root_id = ? AND key = ?",
            probed,
        )
        connection.executemany("INSERT INTO outbox (subject, root, path, inode) VALUES (?, ?, ?, ?)", messages)
        for relative in delta.dropped:
            self._folder_ids.pop(relative, None)
            connection.execute("DELETE FROM folder WHERE root_id = ? AND path = ?", (self._id, relative))

    def _write_folder(self, connection: sqlite3.Connection, folder: Folder) -> None:
        row = connection.execute(
            "INSERT INTO folder (root_id, path, device, inode, mtime_ns, ctime_ns, settled, ignored, links)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (root_id, path) DO UPDATE SET device = excluded.device,"
            " inode = excluded.inode, mtime_ns = excluded.mtime_ns, ctime_ns = excluded.ctime_ns,"
            " settled = excluded.settled, ignored = excluded.ignored, links = excluded.links RETURNING id",
            (self._id, folder.relative, *folder.stamp, folder.settled, folder.ignored, b"/".join(folder.links)),
        ).fetchone()
        self._folder_ids[folder.relative] = row[0]

    def _folder_id(self, connection: sqlite3.Connection, relative: bytes) -> int:
        if relative not in self._folder_ids:
            row = connection.execute(
                "SELECT id FROM folder WHERE root_id = ? AND path = ?", (self._id, relative)
            ).fetchone()
            if row is None:
                self._write_folder(connection, Folder(relative, NEVER, settled=False))
            else:
                self._folder_ids[relative] = row[0]
        return self._folder_ids[relative]

    def _positions(self) -> Positions:
        if self._positions_ is None:
            with self._database.read() as connection:
                self._positions_ = Positions(
                    connection.execute("SELECT key, state FROM item WHERE root_id = ? ORDER BY key", (self._id,))
                )
        return self._positions_

    def _reposition(self, changes: list[Change]) -> None:
        positions = self._positions_
        if positions is None:
            return
        for key, old, new in changes:
            if old is not None:
                positions.remove(key, old.state)
            if new is not None:
                positions.add(key, new.state)
        positions.balance((key for key, old, new in changes if old is None or new is None), self._states)

    def _states(self, span: Span) -> list[tuple[bytes, int]]:
        with self._database.read() as connection:
            return connection.execute(
                "SELECT key, state FROM item WHERE root_id = ? AND key >= ? AND key < ? ORDER BY key", (self._id, *span)
            ).fetchall()

    def page(self, status: StatusFilter, after: bytes | None, offset: int, limit: int) -> list[Row]:
        positions = self._positions()
        with self._database.read() as connection:
            if after is not None:
                offset += self._rank(connection, positions, status, after)
            start = positions.seek(status, offset)
            if start is None:
                return []
            chunk, skip = start
            rows: list[Row] = []
            for span in positions.spans(status, chunk):
                found = connection.execute(
                    _PAGE,
                    (self._id, *span, *MASKS[status], limit - len(rows), skip),
                )
                rows += map(Row._make, found)
                skip = 0
                if len(rows) >= limit:
                    break
        return rows

    def _rank(self, connection: sqlite3.Connection, positions: Positions, status: StatusFilter, key: bytes) -> int:
        """How many rows of the filter have this key or a smaller one."""
        span, chunk = positions.chunk_of(key)
        row = connection.execute(
            "SELECT count(*) FROM item WHERE root_id = ? AND key >= ? AND key <= ? AND state & ? = ?",
            (self._id, span[0], key, *MASKS[status]),
        ).fetchone()
        return positions.rows_before(chunk, status) + int(row[0])

    def row(self, key: bytes) -> Row | None:
        with self._database.read() as connection:
            row = connection.execute(_ROW, (self._id, key)).fetchone()
        return None if row is None else Row._make(row)

    def entry(self, key: bytes) -> Entry | None:
        with self._database.read() as connection:
            row = connection.execute(
                "SELECT entry_inode, kind, state, link FROM item WHERE root_id = ? AND key = ?", (self._id, key)
            ).fetchone()
        return None if row is None else Entry(row[0], row[1], row[2], bool(row[3]))

    def counts(self) -> Counts:
        return self._positions().counts()

    # By date

    def _days(self) -> DayCounts:
        if self._days_ is None:
            with self._database.read() as connection:
                self._days_ = DayCounts(
                    connection.execute(
                        "SELECT folder.path, item.dated_us / ? AS day, state, count(*) FROM folder"
                        " CROSS JOIN item INDEXED BY item_folder ON item.folder_id = folder.id"
                        " WHERE folder.root_id = ? AND dated_us >= 0 GROUP BY folder.id, day, state"
                        # Before 1970 a whole day is not what division makes of it.
                        " UNION ALL SELECT folder.path, (item.dated_us - ? + 1) / ? AS day, state, count(*) FROM folder"
                        " CROSS JOIN item INDEXED BY item_folder ON item.folder_id = folder.id"
                        " WHERE folder.root_id = ? AND dated_us < 0 GROUP BY folder.id, day, state",
                        (DAY_US, self._id, DAY_US, DAY_US, self._id),
                    )
                )
        return self._days_

    def _steps(self, connection: sqlite3.Connection, delta: Delta) -> list[Step]:
        """What the delta, which is not written yet, does to the counts."""
        rows: dict[bytes, tuple[int, int] | None] = {}
        steps: list[Step] = []

        def row(key: bytes) -> tuple[int, int] | None:
            if key not in rows:
                rows[key] = connection.execute(
                    "SELECT dated_us, state FROM item WHERE root_id = ? AND key = ?", (self._id, key)
                ).fetchone()
            return rows[key]

        def becomes(key: bytes, after: tuple[int, int] | None) -> None:
            before, folder = row(key), folder_of(relative_of(key))
            if before is not None:
                steps.append(Step(folder, *before, -1))
            if after is not None:
                steps.append(Step(folder, *after, 1))
            rows[key] = after

        for change in delta.changes:
            if change.new is None:
                becomes(change.key, None)
            else:
                before = row(change.key)
                known = before is not None and not change.is_another_file
                becomes(change.key, (before[0] if known and before else UNDATED, int(change.new.state)))
        for key, facts, _ in delta.probed:
            if (before := row(key)) is not None:
                becomes(key, (facts.dated_us, before[1]))
        return steps

    def days(self, folder: bytes | None, *, recursive: bool) -> dict[int, ByState]:
        return self._days().of(folder, recursive=recursive)

    def folder_counts(self, status: StatusFilter) -> list[tuple[bytes, int]]:
        return list(self._days().folders(status))

    def undated(self, after: bytes, limit: int) -> list[bytes]:
        with self._database.read() as connection:
            rows = connection.execute(
                "SELECT key FROM item INDEXED BY item_dated WHERE root_id = ? AND dated_us = ? AND key > ?"
                " ORDER BY key LIMIT ?",
                (self._id, UNDATED, after, limit),
            )
            return [key for (key,) in rows]

    def cut_page(self, cut: Cut, after: Spot | None, offset: int, limit: int) -> list[Row]:
        with self._database.read() as connection:
            owner, index = self._id, "item_dated"
            if cut.folder is not None:
                found = connection.execute(
                    "SELECT id FROM folder WHERE root_id = ? AND path = ?", (self._id, cut.folder)
                ).fetchone()
                if found is None:
                    return []
                owner, index = found[0], "item_folder"
            if not cut.by_date:
                key = b"" if after is None else after[1]
                return [
                    Row._make(row)
                    for row in connection.execute(_IN_FOLDER, (owner, key, *MASKS[cut.status], limit, offset, self._id))
                ]
            names = {"index": index, "owner": "root_id" if cut.folder is None else "folder_id"}
            return self._by_date(connection, cut, (owner, names), after, offset, limit)

    def _by_date(
        self,
        connection: sqlite3.Connection,
        cut: Cut,
        place: tuple[int, dict[str, str]],
        after: Spot | None,
        offset: int,
        limit: int,
    ) -> list[Row]:
        (owner, names), mask = place, MASKS[cut.status]
        runs = self._days().runs(cut)
        if after is not None:
            day = day_of(after[0])
            for first, end, count in runs:
                if end <= day:
                    offset += count
                elif first <= day:
                    asked = (owner, first * DAY_US, *after, *mask)
                    offset += int(connection.execute(_RANK.format(**names), asked).fetchone()[0])
        rows: list[Row] = []
        for first, end, count in runs:
            if offset >= count:
                offset -= count
                continue
            asked_ = (owner, first * DAY_US, end * DAY_US, *mask, limit - len(rows), offset, self._id)
            rows += map(Row._make, connection.execute(_BY_DATE.format(**names), asked_))
            offset = 0
            if len(rows) >= limit:
                break
        return rows


def kept_roots(database: Database) -> list[bytes]:
    """The roots that have rows."""
    with database.read() as connection:
        return [path for (path,) in connection.execute("SELECT path FROM root WHERE NOT dropped ORDER BY path")]


def kept_paths(database: Database, root: bytes) -> Iterator[bytes]:
    """The absolute paths of the root's rows, in key order; as of the last write, so it may be behind the disk."""
    prefix, key = root.rstrip(b"/") + b"/", b""
    while True:
        with database.read() as connection:
            keys = connection.execute(
                "SELECT key FROM item WHERE root_id = (SELECT id FROM root WHERE path = ? AND NOT dropped)"
                " AND key > ? ORDER BY key LIMIT ?",
                (root, key, _KEYS_READ),
            ).fetchall()
        if not keys:
            return
        for (key,) in keys:
            yield prefix + relative_of(key)


def drop_root(database: Database, root: bytes) -> None:
    """Put the root's rows out of sight; `sweep` deletes them. Added again it begins anew."""
    with database.write() as connection:
        connection.execute("UPDATE root SET dropped = 1 WHERE path = ? AND NOT dropped", (root,))


def sweep(database: Database) -> bool:
    """Delete some rows of dropped roots, each with its `media.gone`; False: there are none left."""
    with database.write() as connection:
        root = connection.execute("SELECT id, path FROM root WHERE dropped LIMIT 1").fetchone()
        if root is None:
            return False
        root_id, path = root
        prefix = path.rstrip(b"/") + b"/"
        rows = connection.execute(
            "SELECT key, entry_inode FROM item WHERE root_id = ? ORDER BY key LIMIT ?", (root_id, _DROP_ROWS)
        ).fetchall()
        connection.executemany(
            "INSERT INTO outbox (subject, root, path, inode) VALUES (?, ?, ?, ?)",
            [(subjects.MEDIA_GONE, path, prefix + relative_of(key), inode) for key, inode in rows],
        )
        connection.executemany("DELETE FROM item WHERE root_id = ? AND key = ?", [(root_id, key) for key, _ in rows])
        if len(rows) < _DROP_ROWS:
            connection.execute("DELETE FROM folder WHERE root_id = ?", (root_id,))
            connection.execute("DELETE FROM root WHERE id = ?", (root_id,))
    return True
