"""Making a backup: everything of a deployment that nothing can rebuild, of a running stack or of a stopped one."""

from __future__ import annotations

import io
import os
import secrets
import shutil
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any, BinaryIO

from media_common import kept
from media_common.blobs import open_store
from media_common.config import PublicSettings
from media_common.errors import ServiceError
from media_common.kept import KeptFile, KeptUploads

from gateway.command import state_dir
from gateway.command.archive import (
    IN_FOLDER,
    IN_S3,
    KEY_FILES,
    LEFT_OUT,
    STREAM,
    Contents,
    Damaged,
    Writer,
    compressing,
    holds_uploads,
)
from gateway.command.moving_uploads import add_uploads
from gateway.command.soundness import CHECKED, Unsound, check_file
from gateway.command.stack import PACKAGE, Refused, Stack, running
from gateway.dialects.mediareviewer.render import iso_time


async def backed_up(
    file: Path,
    public: PublicSettings,
    clock: Callable[[], float] = time.time,
    *,
    with_blobs: bool = True,
    gzipped: bool = False,
    tell: Callable[[str], None] = lambda sentence: None,
) -> dict[str, Any]:
    """Make the archive; what is in it. A file is there whole, with mode 600, or not at all; what came out of a stream
    is whole when this returns.

    Args:
        file: `STREAM` for standard output.
        gzipped: a stream too; a file is when its name says so.
        with_blobs: False leaves the uploads out, for who keeps a copy of the blob store otherwise.
        tell: given a sentence when it will take long.
    Raises:
        Refused: it cannot be made as things are.
        Failure, grpc.aio.AioRpcError: a service does not answer, or refuses.
    """
    state, now_s = public.state_path, clock()
    where = IN_S3 if public.s3_endpoint else IN_FOLDER
    about = {
        "version": metadata.version(PACKAGE),
        "createdAt": iso_time(int(now_s * 1_000_000)),
        "uploads": where if with_blobs else LEFT_OUT,
    }
    with ExitStack() as stack:
        if not (stack_runs := state_dir.is_held(state)):
            stack.enter_context(_kept_stopped(state))
        try:
            is_stream = file == STREAM
            gzipped = gzipped if is_stream else file.name.endswith((".gz", ".tgz"))
            with _stream() if is_stream else _new_file(file) as out, compressing(out, gzipped=gzipped) as sink:
                # An upload that the catalogue has is not purged before it is copied.
                stack.enter_context(state_dir.uploads_stay(state))
                writer = Writer(sink, about, now_s)
                small = _Small()
                named: dict[bytes, bytes] = {}
                for part in _keys(state):
                    writer.add(part)
                    small.note(part)
                async for one in _of_services(public) if stack_runs else _of_files(state):
                    if isinstance(one, KeptUploads):
                        named |= {sha256: uuid for uuid, sha256 in one.named}
                    else:
                        writer.add(one)
                        small.note(one)
                small.check()
                if with_blobs:
                    room_bytes = None if is_stream else shutil.disk_usage(file.parent).free
                    with closing(open_store(public)) as store:
                        await add_uploads(writer, store, named, room_bytes=room_bytes, tell=tell)
                contents = writer.finish()
        except Unsound as error:
            raise Refused(f"{error} Mend it or remove it first: a restore would refuse the backup.") from error
        except Damaged as error:
            raise Refused(f"{error} Try again.") from error
        except ServiceError as error:
            raise Refused(error.message) from error
        except OSError as error:
            spoken = "standard output" if is_stream else str(file)
            raise Refused(f"The backup cannot be written to {spoken}: {error.strerror}.") from error
    return told(file, contents)


def told(file: Path, contents: Contents) -> dict[str, Any]:
    """For programs."""
    about = contents.about
    return {"file": str(file), **about, "holdsUploads": holds_uploads(about), **contents.manifest()}


async def _of_services(public: PublicSettings) -> AsyncIterator[KeptFile | bytes | KeptUploads]:
    async with running(public) as stack:
        for parts in (_journal(stack), _catalogue(stack)):
            async for part in parts:
                match part.WhichOneof("part"):
                    case "file":
                        yield KeptFile(part.file.name, part.file.size_bytes)
                    case "uploads":
                        yield KeptUploads([(one.uuid, one.sha256) for one in part.uploads.uploads])
                    case _:
                        yield part.data


def _journal(stack: Stack) -> Any:
    return stack.fs.backup()


def _catalogue(stack: Stack) -> Any:
    return stack.catalogue.backup()


async def _of_files(state: Path) -> AsyncIterator[KeptFile | bytes | KeptUploads]:
    for part in kept.parts(state, kept.JOURNAL, kept.CONFIG_FILES):
        yield part
    for named in kept.catalogue_parts(state):
        yield named


def _keys(state: Path) -> Iterator[KeptFile | bytes]:
    for name in KEY_FILES:
        try:
            content = (state / name).read_bytes()
        except FileNotFoundError:
            continue  # the admin key was preset
        yield KeptFile(name, len(content))
        yield content


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
def _stream() -> Iterator[BinaryIO]:
    """Standard output, for this alone.

    Raises:
        Refused: somebody would see it on a terminal.
    """
    if os.isatty(1):
        raise Refused("A backup is no text for a terminal: write it into a file, or send it on.")
    with os.fdopen(os.dup(1), "wb") as out:
        yield out


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
