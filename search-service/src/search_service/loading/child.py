"""The decoding process: `python -m search_service.loading.child MEMORY_MB NICE`.

It takes files on standard input and answers with their pixels on standard output, one at a time. Decoders of hostile
files run here and only here: the operating system bounds its memory, its parent bounds its time, and when it dies one
file could not be read.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import resource
import signal
import struct
import sys
from collections.abc import Callable
from functools import partial
from typing import IO, TYPE_CHECKING, Final, TypeVar

from media_common import beneath, framed

if TYPE_CHECKING:
    from search_service.loading.decoding import Found

T = TypeVar("T")

#: The first answer, unasked: it is there.
READY: Final = b"ready"
#: What a file is, as far as its bytes do not say.
STILL: Final = b"still"
RAW: Final = b"raw"
VIDEO: Final = b"video"
#: No file at all: the picture itself stands where its path would.
GIVEN: Final = b"given"
#: The first field of an answer; behind it a sentence, then the pictures, each a head, its pixels and its JPEG.
FOUND: Final = b"found"
GONE: Final = b"gone"
UNREADABLE: Final = b"unreadable"
OUT_OF_REACH: Final = b"out of reach"
#: Second of a picture, its width and height here, and those of the original that it is a small one of.
HEAD: Final = struct.Struct("<dIIII")
#: A second of a video that is asked for.
MOMENT: Final = struct.Struct("<d")
#: Behind the services and the thumbnails, for which somebody waits.
NICE: Final = 10
_PR_SET_PDEATHSIG: Final = 1
_NOT_THERE: Final = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EINVAL, errno.ENAMETOOLONG, errno.ENXIO)


def main(memory_mb: int, nice: int) -> None:
    _confine(memory_mb, nice)
    # What libraries print must not get between the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    questions = os.fdopen(os.dup(0), "rb")
    from search_service.loading import decoding  # noqa: F401 - loaded before the first file comes

    _send(answers, [READY])
    # From here on a library's complaint about a broken file is noise: the answer has the reason.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    while (message := _receive(questions)) is not None:
        _send(answers, answer(*message))


def answer(root: bytes, relative: bytes, form: bytes, moments: bytes = b"") -> list[bytes]:
    """What is to be said of a file below a root.

    Args:
        moments: of a video, the seconds that it is to be looked at; none: those that stand for it.
    """
    from search_service.loading import decoding

    if form == GIVEN:
        return _found(decoding.given, relative)
    try:
        root_fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        return [OUT_OF_REACH, f"The review path cannot be reached: {error.strerror}.".encode()]
    try:
        descriptor = beneath.open_file(root_fd, beneath.resolve_file(root, root_fd, relative))
    except ValueError:
        return [GONE, b""]
    except OSError as error:
        if error.errno in _NOT_THERE:
            return [GONE, b""]
        return [OUT_OF_REACH, f"The file cannot be opened: {error.strerror}.".encode()]
    finally:
        os.close(root_fd)
    try:
        moments_s = [at_s for (at_s,) in MOMENT.iter_unpack(moments)]
        decoders: dict[bytes, Callable[[int], Found]] = {
            STILL: decoding.still,
            RAW: decoding.raw,
            VIDEO: partial(decoding.video, moments_s=moments_s),
        }
        return _found(decoders[form], descriptor)
    finally:
        os.close(descriptor)


def _found(decode: Callable[[T], Found], what: T) -> list[bytes]:
    from search_service.domain.errors import UnreadablePicture

    try:
        found = decode(what)
    except UnreadablePicture as error:
        return [UNREADABLE, error.message.encode()]
    except MemoryError:
        return [UNREADABLE, b"Decoding the file takes more memory than it may use."]
    except OSError as error:
        return [OUT_OF_REACH, f"The file cannot be read: {error.strerror}.".encode()]
    fields = [FOUND, b""]
    for still in found:
        size = still.picture.width, still.picture.height, still.width_px, still.height_px
        fields += [HEAD.pack(still.timestamp_s, *size), still.picture.tobytes(), still.jpeg]
    return fields


def _confine(memory_mb: int, nice: int) -> None:
    """Limits that outlast anything a decoder is made to do; and no life without the parent."""
    parent = os.getppid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died before the line above
        sys.exit(1)
    # A stop may be sent to the whole group; the parent finishes what is in hand and then closes our input.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    memory = memory_mb * 1024 * 1024
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError):
        os.nice(nice)


def _receive(stream: IO[bytes]) -> list[bytes] | None:
    head = stream.read(framed.LENGTH.size)
    if len(head) < framed.LENGTH.size:
        return None
    return framed.unpack(stream.read(framed.LENGTH.unpack(head)[0]))


def _send(stream: IO[bytes], fields: list[bytes]) -> None:
    stream.write(framed.pack(fields))
    stream.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
