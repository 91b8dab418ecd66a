"""The process that opens strangers' files: reads their sizes and descriptions, and may die of them.

`python -m fs_service.probe_child`, its standard input one end of a socket pair. It says hello, then for every
request frame (see `probe.py`) answers one record a file, in order, each as soon as it is known. It decodes no picture:
headers and container metadata only.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import socket
import stat
import sys
import warnings
from collections.abc import Iterator
from typing import IO, Final

from media_common.formats import RAWS, extension_of
from media_common.insides import stills as stills  # loaded at the start, for the first file
from media_common.insides.description import Form
from media_common.insides.read import described, sized
from PIL import Image

from fs_service.domain.items import Described, Identity, Probe
from fs_service.domain.media import Kind
from fs_service.probe_wire import HELLO, answer_of, description_answer, receive_files

_MEMORY_BYTES: Final = 2 * 2**30
#: The parent kills sooner; this ends a child whose parent was killed while a file held it.
_BACKSTOP_S: Final = 60


def main() -> None:
    _confine()
    with socket.socket(fileno=0) as parent:
        parent.sendall(HELLO)
        while (asked := receive_files(parent)) is not None:
            files, all_of_it = asked
            for path, kind in files:
                signal.setitimer(signal.ITIMER_REAL, _BACKSTOP_S)
                answer = description_answer(read_all(path, kind)) if all_of_it else answer_of(read(path, kind))
                signal.setitimer(signal.ITIMER_REAL, 0)
                parent.sendall(answer)


def _confine() -> None:
    os.nice(5)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # the kernel's, since a decoder may never return to Python
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    # A header may say any size; nothing is decoded, so no size is too large.
    Image.MAX_IMAGE_PIXELS = None
    warnings.simplefilter("ignore")


def read(path: bytes, kind: Kind) -> Probe:
    """What the file's header says; all None when it says nothing sensible. Out of memory ends the process."""
    try:
        with _opened(path) as file:
            return Probe(*sized(file, _form(path, kind)))
    except MemoryError:
        os._exit(1)
    except Exception:  # noqa: BLE001 - the libraries raise anything at all on hostile bytes; this process is the fence
        return Probe()


def read_all(path: bytes, kind: Kind) -> Described:
    """As `read`, with what the camera wrote; and which file it was."""
    identity = None
    try:
        with _opened(path) as file:
            facts = os.fstat(file.fileno())
            identity = Identity(facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns)
            found = described(file, _form(path, kind))
            return Described(Probe(*found.size), found.camera, identity)
    except MemoryError:
        os._exit(1)
    except Exception:  # noqa: BLE001 - as above
        return Described(identity=identity)


def _form(path: bytes, kind: Kind) -> Form:
    if kind is Kind.VIDEO:
        return Form.VIDEO
    return Form.RAW if extension_of(path) in RAWS else Form.PICTURE


@contextlib.contextmanager
def _opened(path: bytes) -> Iterator[IO[bytes]]:
    # O_NONBLOCK: opening a FIFO must not hang. O_NOFOLLOW: where a link leads was asked before; it may be another now.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError("not a regular file")
        yield file


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        main()
    sys.exit(0)
