"""What was read from pictures for stacks, in `index.db`: it can all be read again.

A row is good as long as the index says the same of the file as the row does.
"""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from fs_service.domain.media import Kind
from fs_service.domain.stacks import Figures, Shot
from fs_service.store.database import Database
from fs_service.store.rows import signed

_PICTURES: Final = (
    "SELECT item.key, item.entry_inode, item.state, item.inode, item.size_bytes, item.mtime_ns FROM item"
    " WHERE item.folder_id = (SELECT folder.id FROM folder JOIN root ON root.id = folder.root_id"
    " WHERE root.path = ? AND NOT root.dropped AND root.scanned AND folder.path = ?)"
    " AND item.kind = ? AND NOT item.link"
)
_FOLDERS: Final = (
    "SELECT folder.path FROM folder JOIN root ON root.id = folder.root_id"
    " WHERE root.path = ? AND NOT root.dropped AND root.scanned AND folder.path >= ?"
    " AND (? = x'' OR folder.path = ? OR (folder.path > ? AND folder.path < ?)) ORDER BY folder.path LIMIT ?"
)
#: Hash, sharpness, exposure, dark, bright; then columns and rows, which are of one length.
_HEAD: Final = struct.Struct("<Qdddd")


class Picture(NamedTuple):
    """A picture as the index has it."""

    name: bytes
    state: int
    entry_inode: int
    inode: int | None  # None: nobody looked at the file yet, and what follows is unknown too
    size_bytes: int | None
    mtime_ns: int | None


@dataclass(frozen=True, slots=True)
class KeptShot:
    """A shot and the state of the file that it was read from."""

    shot: Shot
    inode: int
    mtime_ns: int
    looked: bool  # its figures are asked for no more: they are there, or there are none

    def is_of(self, picture: Picture) -> bool:
        if self.inode != picture.entry_inode:
            return False
        return picture.inode is None or (picture.size_bytes, picture.mtime_ns) == (self.shot.size_bytes, self.mtime_ns)


class ShotStore:
    """Any thread may call."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def is_scanned(self, root: bytes) -> bool:
        """Whether the root's first scan is kept; before that nothing can be said of its folders."""
        with self._database.read() as connection:
            question = "SELECT 1 FROM root WHERE path = ? AND NOT dropped AND scanned"
            return connection.execute(question, (root,)).fetchone() is not None

    def pictures(self, root: bytes, folder: bytes) -> list[Picture]:
        """A folder's images as the index has them, links left out; none before the root's first scan is kept."""
        with self._database.read() as connection:
            rows = connection.execute(_PICTURES, (root, folder, int(Kind.IMAGE))).fetchall()
        return [Picture(key.partition(b"\0")[0], state, entry, *facts) for key, entry, state, *facts in rows]

    def folders(self, root: bytes, below: bytes, begin: bytes, limit: int) -> list[bytes]:
        """Folders of the root, relative to it, in byte order: `below` and all in it (empty: all), from `begin` on."""
        with self._database.read() as connection:
            inside = (below, below, below + b"/", below + b"0")  # "0" follows "/"
            rows = connection.execute(_FOLDERS, (root, begin, *inside, limit)).fetchall()
        return [path for (path,) in rows]

    def shots(self, folder: bytes) -> dict[bytes, KeptShot]:
        """What is kept of the folder (absolute), by name."""
        with self._database.read() as connection:
            rows = connection.execute(
                "SELECT name, inode, size_bytes, mtime_ns, taken_us, camera, width_px, height_px, looked, figures"
                " FROM shot WHERE folder = ?",
                (folder,),
            ).fetchall()
        return {row[0]: _kept(row) for row in rows}

    def keep(self, folder: bytes, shots: Sequence[KeptShot]) -> None:
        with self._database.write() as connection:
            _keep(connection, folder, shots)

    def forget(self, folder: bytes, names: Iterable[bytes]) -> None:
        with self._database.write() as connection:
            connection.executemany("DELETE FROM shot WHERE folder = ? AND name = ?", [(folder, name) for name in names])

    def forget_outside(self, roots: Iterable[bytes]) -> None:
        """Drop what is below none of the roots."""
        prefixes = [root.rstrip(b"/") + b"/" for root in roots]
        with self._database.write() as connection:
            folders = [folder for (folder,) in connection.execute("SELECT DISTINCT folder FROM shot")]
            gone = [(one,) for one in folders if not any((one + b"/").startswith(prefix) for prefix in prefixes)]
            connection.executemany("DELETE FROM shot WHERE folder = ?", gone)


def _keep(connection: sqlite3.Connection, folder: bytes, shots: Sequence[KeptShot]) -> None:
    connection.executemany(
        "INSERT OR REPLACE INTO shot"
        " (folder, name, inode, size_bytes, mtime_ns, taken_us, camera, width_px, height_px, looked, figures)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                *(folder, one.shot.name, signed(one.inode), one.shot.size_bytes, signed(one.mtime_ns)),
                *(one.shot.at_us if one.shot.camera is not None else None, one.shot.camera),
                *(one.shot.width_px, one.shot.height_px, one.looked, _packed(one.shot.figures)),
            )
            for one in shots
        ],
    )


def _kept(row: tuple[object, ...]) -> KeptShot:
    name, inode, size_bytes, mtime_ns, taken_us, camera, width_px, height_px, looked, figures = row
    assert isinstance(name, bytes)
    assert isinstance(inode, int)
    assert isinstance(size_bytes, int)
    assert isinstance(mtime_ns, int)
    assert isinstance(width_px, int)
    assert isinstance(height_px, int)
    at_us = taken_us if isinstance(taken_us, int) else mtime_ns // 1000
    by = camera if isinstance(camera, str) else None
    read = _unpacked(figures) if isinstance(figures, bytes) else None
    return KeptShot(Shot(name, at_us, by, size_bytes, width_px, height_px, read), inode, mtime_ns, bool(looked))


def _packed(figures: Figures | None) -> bytes | None:
    if figures is None:
        return None
    head = (figures.hash, figures.sharpness, figures.exposure_ev, figures.dark, figures.bright)
    return _HEAD.pack(*head) + figures.columns + figures.rows


def _unpacked(data: bytes) -> Figures:
    hash_, sharpness, exposure_ev, dark, bright = _HEAD.unpack_from(data)
    profiles = data[_HEAD.size :]
    half = len(profiles) // 2
    return Figures(hash_, profiles[:half], profiles[half:], sharpness, exposure_ev, dark, bright)
