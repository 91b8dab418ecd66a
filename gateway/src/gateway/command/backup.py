"""Making a backup: everything of a deployment that nothing can rebuild, of a running stack or of a stopped one."""

from __future__ import annotations

import io
import os
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from media_common import blobs, kept
from media_common.blobs.folder import FolderStore, shared
from media_common.config import PublicSettings
from media_common.errors import ServiceError
from media_common.kept import KeptFile

from gateway.command import state_dir
from gateway.command.archive import BLOBS, KEY_FILES, Contents, Damaged, Writer, compressing
from gateway.command.soundness import CHECKED, Unsound, check_file
from gateway.command.stack import PACKAGE, Refused, Stack, running
from gateway.dialects.mediareviewer.render import iso_time

#: Where uploads are.
_IN_FOLDER: Final = "folder"
_IN_S3: Final = "s3"


async def backed_up(file: Path, public: PublicSettings, clock: Callable[[], float] = time.time) -> dict[str, Any]:
    """Make the archive; what is in it. It is there whole, with mode 600, or not at all.

    Raises:
        Refused: it cannot be made as things are.
        Failure, grpc.aio.AioRpcError: a service does not answer, or refuses.
    """
    state, now_s = public.state_path, clock()
    about = {
        "version": metadata.version(PACKAGE),
        "createdAt": iso_time(int(now_s * 1_000_000)),
        "uploads": _IN_S3 if public.s3_endpoint else _IN_FOLDER,
    }
    with ExitStack() as stack:
        if not (stack_runs := state_dir.is_held(state)):
            stack.enter_context(_kept_stopped(state))
        try:
            with _new_file(file) as out, compressing(file.name, out) as sink:
                writer = Writer(sink, about, now_s)
                small = _Small()
                for part in _keys(state):
                    writer.add(part)
                    small.note(part)
                folder = FolderStore(state / blobs.FOLDER)
                # An upload that the catalogue has is not swept away before it is copied.
                with shared(folder.folder) if folder.folder.is_dir() else nullcontext():
                    async for part in _of_services(public) if stack_runs else _of_files(state):
                        writer.add(part)
                        small.note(part)
                    for part in _uploads(folder):
                        writer.add(part)
                small.check()
                contents = writer.finish()
        except Unsound as error:
            raise Refused(f"{error} Mend it or remove it first: a restore would refuse the backup.") from error
        except Damaged as error:
            raise Refused(f"{error} Try again.") from error
        except ServiceError as error:
            raise Refused(error.message) from error
        except OSError as error:
            raise Refused(f"The backup cannot be written to {file}: {error.strerror}.") from error
    return told(file, contents)


def told(file: Path, contents: Contents) -> dict[str, Any]:
    """For programs."""
    return {"file": str(file), **contents.about, **contents.manifest()}


async def _of_services(public: PublicSettings) -> AsyncIterator[KeptFile | bytes]:
    async with running(public) as stack:
        for parts in (_journal(stack), _catalogue(stack)):
            async for part in parts:
                yield KeptFile(part.file.name, part.file.size_bytes) if part.HasField("file") else part.data


def _journal(stack: Stack) -> Any:
    return stack.fs.backup()


def _catalogue(stack: Stack) -> Any:
    return stack.catalogue.backup()


async def _of_files(state: Path) -> AsyncIterator[KeptFile | bytes]:
    for part in kept.parts(state, kept.JOURNAL, kept.CONFIG_FILES):
        yield part
    for part in kept.parts(state, kept.CATALOGUE):
        yield part


def _keys(state: Path) -> Iterator[KeptFile | bytes]:
    for name in KEY_FILES:
        try:
            content = (state / name).read_bytes()
        except FileNotFoundError:
            continue  # the admin key was preset
        yield KeptFile(name, len(content))
        yield content


def _uploads(store: FolderStore) -> Iterator[KeptFile | bytes]:
    for blob in store.listed():
        place = store.place(blob.sha256)
        yield KeptFile(f"{BLOBS}/{place.relative_to(store.folder).as_posix()}", blob.size_bytes)
        yield from store.read(blob.sha256, 0, blob.size_bytes)


class _Small:
    """The contents of the small files, to be looked at as a restore will."""

    def __init__(self) -> None:
        self._contents: dict[str, bytes] = {}
        self._name = ""

    def note(self, part: KeptFile | bytes) -> None:
        if isinstance(part, KeptFile):
            self._name = part.name
            self._contents.setdefault(part.name, b"")
        elif self._name in CHECKED:
            self._contents[self._name] += part

    def check(self) -> None:
        """
        Raises:
            Unsound
        """
        for name in sorted(CHECKED & self._contents.keys()):
            check_file(name, self._contents[name])


@contextmanager
def _kept_stopped(state: Path) -> Iterator[None]:
    if not (state / kept.JOURNAL.name).exists():
        raise Refused(f"There is nothing to back up in the state directory {state}; set FRAMEWELL_STATE_DIR.")
    try:
        with state_dir.held(state):
            yield
    except state_dir.Running as error:
        raise Refused("Framewell is just starting; try again in a moment.") from error


@contextmanager
def _new_file(file: Path) -> Iterator[io.BufferedWriter]:
    """A file that gets its name when it is complete and on the disk.

    Raises:
        Refused: the name is taken.
    """
    _refuse_taken(file)
    temporary = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        _refuse_taken(file)
        temporary.rename(file)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    state_dir.flush(file.parent)


def _refuse_taken(file: Path) -> None:
    if os.path.lexists(file):
        raise Refused(f"{file} is there already; give the backup another name.")
