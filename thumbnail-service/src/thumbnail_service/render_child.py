"""The render process: `python -m thumbnail_service.render_child MEMORY_MB STREAMED_MPX DECODED_MPX`.

It takes jobs on standard input and answers on standard output, one at a time. Decoders of hostile files run here and
only here: the operating system bounds its memory, its parent bounds its time, and when it dies one job has failed.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import sys
from typing import IO

from media_common import framed

from thumbnail_service.domain.jobs import Job
from thumbnail_service.domain.limits import Limits

#: What the first field of a message asks for.
MAKE = b"make"
STAND_IN = b"stand in"
DESCRIBE = b"describe"
LOOK = b"look"
#: The first answer, unasked: the libraries are loaded.
READY = b"ready"
#: Behind the services, so that making thumbnails never makes the rest of the product wait for the processor.
_NICE = 5
_PR_SET_PDEATHSIG = 1


def main(memory_mb: int, limits: Limits) -> None:
    _confine(memory_mb)
    # What libraries print must not get between the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    questions = os.fdopen(os.dup(0), "rb")
    from thumbnail_service import making

    _send(answers, [READY])
    # From here on a library's complaint about a broken file is noise: the answer has the reason.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    while (message := _receive(questions)) is not None:
        what, root, relative, size, state_cache, sha256, told_extension = message
        job = Job(root, relative, int(size), state_cache, sha256, told_extension)
        if what == STAND_IN:
            _send(answers, [b"", b"", making.stand_in(job)])
        elif what == DESCRIBE:
            _send(answers, [b"", b"", making.describe(job)])
        else:
            outcome = making.look_at(job, limits) if what == LOOK else making.make(job, limits)
            _send(answers, [b"%d" % outcome.result, outcome.reason.encode(), outcome.png])


def _confine(memory_mb: int) -> None:
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
        os.nice(_NICE)


def _receive(stream: IO[bytes]) -> list[bytes] | None:
    head = stream.read(framed.LENGTH.size)
    if len(head) < framed.LENGTH.size:
        return None
    return framed.unpack(stream.read(framed.LENGTH.unpack(head)[0]))


def _send(stream: IO[bytes], fields: list[bytes]) -> None:
    stream.write(framed.pack(fields))
    stream.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]), Limits(int(sys.argv[2]), int(sys.argv[3])))
