"""Putting a backup back: checked whole first, unpacked beside the state directory, then put in its place in one step.

Nothing that was there is deleted: it is moved aside. Uploads that belong into S3 are written there before that step,
and what is there stays.
"""

from __future__ import annotations

import glob
import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, Final

from media_common import kept
from media_common.blobs import BlobStore
from media_common.blobs.folder import SPARE_BYTES
from media_common.errors import ServiceError

from gateway.command import state_dir
from gateway.command.archive import (
    DATABASES,
    HELD,
    STREAM,
    Contents,
    Damaged,
    Sink,
    blob_of,
    holds_uploads,
    opened,
    read,
)
from gateway.command.backup import told
from gateway.command.moving_uploads import PutBack
from gateway.command.soundness import CHECKED, check_database, check_file
from gateway.command.stack import Refused

#: Of the head of a SQLite file (https://www.sqlite.org/fileformat.html).
_HEAD_BYTES: Final = 100
_MAGIC: Final = b"SQLite format 3\0"
_SCHEMA: Final = slice(60, 64)
_SPOKEN: Final = {kept.JOURNAL.name: "journal", kept.CATALOGUE.name: "catalogue"}


def verified(file: Path) -> dict[str, Any]:
    """What is in the archive, after all of it was checked; all but uploads is unpacked to a temporary folder for it.

    Raises:
        Refused: it cannot be restored.
    """
    with _translated(), tempfile.TemporaryDirectory(prefix="framewell-verify-") as folder:
        return told(file, _unpacked(file, Path(folder), lambda name: name in HELD))


def restored(
    file: Path,
    state: Path,
    *,
    replace: bool,
    store: BlobStore | None = None,
    clock: Callable[[], float] = time.time,
) -> dict[str, Any]:
    """Put the archive's state where `state` is. What is in it; beside that "previous": where the state before it is
    now, or None; "left": folders that restores left which were cut off; "uploadsWritten", "uploadsPresent" (they were
    in the store) and "uploadsMissing" (the catalogue names them, and neither archive nor store has them).

    A stream (`archive.STREAM`) is read once where uploads are a folder; for a store it is kept in a temporary file
    first, because it is read twice.

    Args:
        replace: move a state directory with something in it aside; without it, that is refused.
        store: where uploads go; None: they are a folder of the state directory.
    Raises:
        Refused: the state directory is what it was. Uploads that were written until then stay in the store.
    """
    place = Path(os.path.realpath(state))
    with _translated(), state_dir.held(place), _readable_twice(file, needed=store is not None) as file:
        occupied = _refuse_occupied(place, replace)
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        left = sorted(str(one) for one in place.parent.glob(f"{glob.escape(place.name)}.restoring-*"))
        new = Path(tempfile.mkdtemp(prefix=f"{place.name}.restoring-", dir=place.parent))
        with _removed_unless_placed(new):
            contents = _unpacked(file, new, lambda name: name in HELD or store is None)
            uploads = _uploads_put_back(file, new, contents, store)
            for database in DATABASES:
                kept.restored_mark(new / database.name).touch(mode=0o600)
            for folder, _, _ in os.walk(new, topdown=False):
                state_dir.flush(Path(folder))
            previous = _aside(place, clock()) if occupied else None
            if previous is None:
                new.rename(place)  # onto nothing, or onto an empty folder: fails when somebody was quicker
                state_dir.flush(place.parent)
            else:
                state_dir.replace(new, place, previous)
    return {
        **told(file, contents),
        **uploads,
        "state": str(state),
        "previous": previous and str(previous),
        "left": left,
    }


@contextmanager
def _readable_twice(file: Path, *, needed: bool) -> Iterator[Path]:
    if file != STREAM or not needed:
        yield file
        return
    with tempfile.NamedTemporaryFile(prefix="framewell-restore-") as kept_here, opened(file) as source:
        shutil.copyfileobj(source, kept_here, kept.PIECE_BYTES)
        kept_here.flush()
        yield Path(kept_here.name)


def _uploads_put_back(file: Path, new: Path, contents: Contents, store: BlobStore | None) -> dict[str, int]:
    """How many were written, were in the store, and are missing.

    Raises:
        Damaged, Refused, ServiceError
    """
    if store is None:
        missing = 0 if holds_uploads(contents.about) else len(_named(new))
        return _counts(contents.blob_count, 0, missing)
    if not holds_uploads(contents.about):
        return _counts(0, 0, len(_named(new) - {one.sha256 for one in store.listed()}))
    going = PutBack(store)

    def take(name: str, size_bytes: int) -> Sink | None:
        sha256 = blob_of(name)
        return None if sha256 is None else going.take(sha256, size_bytes)

    try:
        # Through the archive again, the whole of which is known to be sound now.
        with opened(file) as archive:
            read(archive, take)
        going.settle()
    finally:
        going.discard()
    return _counts(going.written, going.present, 0)


def _counts(written: int, present: int, missing: int) -> dict[str, int]:
    return {"uploadsWritten": written, "uploadsPresent": present, "uploadsMissing": missing}


def _named(folder: Path) -> set[bytes]:
    """The uploads that the unpacked catalogue names.

    Raises:
        Damaged
    """
    file = folder / kept.CATALOGUE.name
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?immutable=1", uri=True)) as catalogue:
            return {sha256 for _, sha256 in kept.named_uploads(catalogue)}
    except sqlite3.Error as error:
        raise Damaged(f"{kept.CATALOGUE.name} in the archive is damaged: {error}.") from error


def _refuse_occupied(place: Path, replace: bool) -> bool:
    """Whether there is something to move aside.

    Raises:
        Refused: there is, and nobody said that it may be; or it cannot be moved.
    """
    if not os.path.lexists(place):
        return False
    if not place.is_dir():
        raise Refused(f"{place} is there and is no folder.")
    if place.is_mount():
        raise Refused(
            f"{place} is a mount point, which nothing can take the place of; set FRAMEWELL_STATE_DIR to a folder in it."
        )
    if not any(place.iterdir()):
        return False
    if not replace:
        raise Refused(f"The state directory {place} is not empty; with --replace it is moved aside.")
    return True


def _aside(place: Path, now_s: float) -> Path:
    """A free name for what is moved."""
    stamp = datetime.fromtimestamp(now_s, UTC).strftime("%Y%m%dT%H%M%SZ")
    names = (f"{place.name}.before-{stamp}{more}" for more in ("", *(f"-{number}" for number in range(2, 1000))))
    return next(path for name in names if not os.path.lexists(path := place.with_name(name)))


@contextmanager
def _removed_unless_placed(new: Path) -> Iterator[None]:
    """The folder goes when the body fails, as long as it is that folder: the old one may have taken its name."""
    made = os.stat(new)
    try:
        yield
    except BaseException:
        if new.exists() and os.path.samestat(os.stat(new), made):
            shutil.rmtree(new, ignore_errors=True)
        raise


def _unpacked(file: Path, into: Path, wanted: Callable[[str], bool]) -> Contents:
    """The archive's members as files in an empty folder, on the disk, each of them sound.

    Raises:
        Damaged, Refused
    """
    current: list[_Member] = []
    uploads: set[bytes] = set()

    def take(name: str, size_bytes: int) -> Sink | None:
        _settle(current)
        if (sha256 := blob_of(name)) is not None:
            uploads.add(sha256)
        if not wanted(name):
            return None
        if shutil.disk_usage(into).free < size_bytes + SPARE_BYTES:
            raise Refused(f"There is no room for {name} ({size_bytes} bytes) in {into.parent}.")
        for folder in reversed(Path(name).parents):  # `parents=True` would make them with the usual mode
            (into / folder).mkdir(mode=0o700, exist_ok=True)
        member = _Member(into / name)
        current.append(member)
        return member

    try:
        with opened(file) as archive:
            contents = read(archive, take)
        _settle(current)
    finally:
        for member in current:
            member.close()
    for database in DATABASES:
        if database.name not in contents.members:
            raise Damaged(f"The archive is damaged: {database.name} is missing.")
        contents.members[database.name]["schema"] = check_database(into / database.name, database)
    for name in CHECKED & contents.members.keys():
        check_file(name, (into / name).read_bytes())
    # The first form promised nothing of the kind.
    if contents.about["form"] > 1 and holds_uploads(contents.about) and (missing := _named(into) - uploads):
        raise Damaged(f"The archive is damaged: its catalogue names {len(missing)} uploads that are not in it.")
    return contents


def _settle(current: list[_Member]) -> None:
    """The member before is complete."""
    while current:
        current.pop().settle()


class _Member:
    """A new file for its owner alone."""

    def __init__(self, path: Path) -> None:
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except FileExistsError as error:
            raise Damaged(f"The archive holds {path.name} twice.") from error
        self._file: BinaryIO = os.fdopen(descriptor, "wb", buffering=0)
        self._name = path.name
        self._head = b""

    def write(self, data: bytes) -> None:
        if self._name in _SPOKEN and len(self._head) < _HEAD_BYTES:
            # Before gigabytes of it are unpacked.
            self._head = (self._head + data)[:_HEAD_BYTES]
            if len(self._head) == _HEAD_BYTES:
                _refuse_newer(self._name, self._head)
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) :]

    def settle(self) -> None:
        os.fsync(self._file.fileno())
        self.close()

    def close(self) -> None:
        self._file.close()


def _refuse_newer(name: str, head: bytes) -> None:
    known = next(one.schema for one in DATABASES if one.name == name)
    version = int.from_bytes(head[_SCHEMA], "big")
    if head.startswith(_MAGIC) and version > known:
        raise Refused(
            f"The {_SPOKEN[name]} in the archive is of version {version}; this Framewell knows versions up to {known}. "
            "Restore it with the program that made it, or a newer one."
        )


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except Damaged as error:
        raise Refused(str(error)) from error
    except state_dir.Running as error:
        raise Refused(str(error)) from error
    except ServiceError as error:
        raise Refused(f"It cannot be restored: {error.message}") from error
    except OSError as error:
        raise Refused(f"It cannot be restored: {error.strerror or error}.") from error
