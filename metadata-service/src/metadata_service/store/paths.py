"""The paths of folders: in ids, as ranges of keys; in names, as the disk has them. Only folders have paths."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable

from metadata_service.domain.errors import FolderNotFound
from metadata_service.store import one_step
from metadata_service.store.reader import Reader


def packed(folder_id: int) -> bytes:
    """A folder's id as a part of a path."""
    return folder_id.to_bytes(8, "big")


def ids_of(path: bytes) -> list[int]:
    """The folders of a path, the root first."""
    return [int.from_bytes(path[at : at + 8], "big") for at in range(0, len(path), 8)]


def after(path: bytes) -> bytes:
    """The end (exclusive) of the range of paths that begin with this one."""
    return path + b"\xff" * 9


def folder_path(connection: sqlite3.Connection, folder_id: int) -> bytes:
    """The folder's path relative to its collection's root, in the disk's bytes where it is on one.

    Raises:
        FolderNotFound: there is no such folder.
    """
    row = connection.execute("SELECT path FROM folder WHERE id = ?", (folder_id,)).fetchone()
    if row is None:
        raise FolderNotFound
    names = []
    for above in ids_of(row[0])[1:]:
        disk_name, name = connection.execute("SELECT disk_name, name FROM node WHERE id = ?", (above,)).fetchone()
        names.append(name.encode() if disk_name is None else disk_name)
    return b"/".join(names)


def folder_paths(connection: sqlite3.Connection, folder_ids: Iterable[int]) -> dict[int, bytes]:
    """`folder_path` of many; those that are no folders are left out."""
    if not isinstance(connection, Reader):
        return _read_paths(connection, folder_ids)
    known = connection.kept("folder paths")
    wanted = list(folder_ids)
    if missing := [folder_id for folder_id in wanted if folder_id not in known]:
        known |= _read_paths(connection, missing)
    return {folder_id: known[folder_id] for folder_id in wanted if folder_id in known}


def _read_paths(connection: sqlite3.Connection, folder_ids: Iterable[int]) -> dict[int, bytes]:
    """In two statements."""
    above_by_folder = {
        folder_id: [path[at : at + 16] for at in range(16, len(path), 16)]
        for folder_id, path in one_step.rows(
            connection,
            2,
            "SELECT folder.id, hex(folder.path) FROM json_each(?) AS wanted "
            "CROSS JOIN folder ON folder.id = wanted.value",
            (json.dumps(list(folder_ids)),),
        )
    }
    above = {part for parts in above_by_folder.values() for part in parts}
    names = {
        f"{folder_id:016X}": bytes.fromhex(disk_name) if disk_name else name.encode()
        for folder_id, disk_name, name in one_step.rows(
            connection,
            3,
            "SELECT node.id, hex(node.disk_name), node.name FROM json_each(?) AS wanted "
            "CROSS JOIN node ON node.id = wanted.value",
            (json.dumps([int(part, 16) for part in above]),),
        )
    }
    return {folder_id: b"/".join([names[part] for part in parts]) for folder_id, parts in above_by_folder.items()}
