"""What of the state directory nothing can rebuild, and how it is read while it is in use: the parts of a backup.

A database is copied as it is. Of what is in it one question is asked, `UPLOADS`: the bytes of those are elsewhere, and
a catalogue without them is half of a backup.
"""

from __future__ import annotations

import io
import os
import sqlite3
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from media_common.errors import ErrorCode, ServiceError

#: Bytes of a message, and of a read.
PIECE_BYTES: Final = 1024 * 1024
#: One copy of a database at a time: it has one name, so that what a killed process left is overwritten by the next.
_COPYING: Final = threading.Lock()


@dataclass(frozen=True, slots=True)
class KeptDatabase:
    """A database that nothing can rebuild."""

    name: str
    schema: int  # the newest `user_version` that this program knows; its owner's tests compare
    tables: frozenset[str]  # those that every version has; its owner's tests compare


JOURNAL: Final = KeptDatabase(
    "journal.db",
    schema=2,
    tables=frozenset({"steps", "entries", "identities", "receipts", "receipt_paths", "deletions", "marks"}),
)
CATALOGUE: Final = KeptDatabase(
    "catalogue.db",
    schema=10,
    tables=frozenset(
        {"sequence", "collection", "node", "folder", "bits", "item_group", "tagset", "tag", "tagging"}
        | {"frame", "object", "cluster", "cluster_object", "access_key", "words"}
    ),
)
#: The uploads that a catalogue of any version names, each by its id and the SHA-256 of its bytes; its owner's tests
#: compare.
UPLOADS: Final = "SELECT uuid, sha256 FROM node WHERE source = 2 AND kind <> 3 AND marks & 16 = 0"
#: Uploads of a message.
_BATCH: Final = 1000
#: The review roots: what people edit, and which directories they are.
CONFIG_FILES: Final = ("config.yaml", "roots.json")


class KeptFile(NamedTuple):
    """What comes next."""

    name: str
    size_bytes: int


class KeptUploads(NamedTuple):
    """Some of the uploads that the catalogue names, as it was copied."""

    named: Sequence[tuple[bytes, bytes]]  # id, SHA-256 of the bytes


class CopyFailed(ServiceError):
    """A database cannot be copied; most often its disk is full."""

    code = ErrorCode.STORAGE_FAILED


def copy_of(database: Path, look: Callable[[sqlite3.Connection], None] = lambda copy: None) -> BinaryIO:
    """One moment's state of a database that may be in use, as a file without a name: it is gone when it is closed.

    It is taken in one step: in several, every write of another connection would make it begin again.

    Args:
        look: given the copy while it still has a name.
    Raises:
        CopyFailed: the database is not there or damaged, or the disk beside it is full.
    """
    beside = database.with_name(f"{database.name}.copy")
    try:
        with _COPYING:
            try:
                beside.unlink(missing_ok=True)
                os.close(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
                with (
                    closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=rw", uri=True)) as source,
                    closing(sqlite3.connect(beside)) as target,
                ):
                    # Nobody needs the copy after a crash.
                    target.execute("PRAGMA synchronous = OFF")
                    target.execute("PRAGMA journal_mode = OFF")
                    source.backup(target)
                    look(target)
                return beside.open("rb")
            finally:
                for suffix in ("", "-wal", "-shm", "-journal"):
                    with suppress(FileNotFoundError):
                        os.unlink(f"{beside}{suffix}")
    except (sqlite3.Error, OSError) as error:
        raise CopyFailed(f"{database.name} cannot be copied: {error}.") from error


def parts(
    state_dir: Path,
    database: KeptDatabase,
    files: Sequence[str] = (),
    look: Callable[[sqlite3.Connection], None] = lambda copy: None,
) -> Generator[KeptFile | bytes, None, None]:
    """Those of the files that are there, then the database: each announced, then its bytes in pieces.

    Args:
        look: given the copy of the database before anything of it is.
    Raises:
        CopyFailed
    """
    for name in files:
        try:
            content = (state_dir / name).read_bytes()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise CopyFailed(f"{name} cannot be read: {error.strerror}.") from error
        yield from _parts_of(name, io.BytesIO(content))
    yield from _parts_of(database.name, copy_of(state_dir / database.name, look))


def catalogue_parts(state_dir: Path) -> Generator[KeptFile | bytes | KeptUploads, None, None]:
    """The catalogue, then the uploads that this copy of it names.

    Raises:
        CopyFailed
    """
    named: list[tuple[bytes, bytes]] = []
    yield from parts(state_dir, CATALOGUE, look=lambda copy: named.extend(named_uploads(copy)))
    for start in range(0, len(named), _BATCH):
        yield KeptUploads(named[start : start + _BATCH])


def named_uploads(catalogue: sqlite3.Connection) -> list[tuple[bytes, bytes]]:
    """Id and SHA-256 of each upload that is not deleted for good.

    Raises:
        sqlite3.Error
    """
    return catalogue.execute(UPLOADS).fetchall()


def _parts_of(name: str, file: BinaryIO) -> Iterator[KeptFile | bytes]:
    with file:
        yield KeptFile(name, file.seek(0, os.SEEK_END))
        file.seek(0)
        while piece := file.read(PIECE_BYTES):
            yield piece


def restored_mark(database: Path) -> Path:
    """The file that stands beside a database from the moment a backup was put back until its owner has taken note: the
    disk may have changed since the backup was made."""
    return database.with_name(f"{database.name}.restored")


def note_restore(database: Path, take_note: Callable[[], None]) -> None:
    """Let the owner take note when a backup was put back, and the mark be gone after that."""
    mark = restored_mark(database)
    if mark.exists():
        take_note()
        mark.unlink()
