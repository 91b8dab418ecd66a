"""The end of the log file, without reading the rest of it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_BLOCK_BYTES: Final = 64 * 1024
#: 2,000 lines of stack traces fit; one endless line does not fill the memory.
_MOST_BYTES: Final = 4 * 1024 * 1024


def tail(file: Path, lines: int) -> list[str] | None:
    """At most that many last lines, oldest first; None when there is no log file."""
    try:
        with file.open("rb") as log:
            position = log.seek(0, os.SEEK_END)
            found = b""
            while position > 0 and found.count(b"\n") <= lines and len(found) < _MOST_BYTES:
                step = min(_BLOCK_BYTES, position)
                position -= step
                log.seek(position)
                found = log.read(step) + found
    except OSError:
        return None
    if position > 0:
        found = found.partition(b"\n")[2]
    # Only "\n" ends a log line; a carriage return or a form feed inside one does not.
    texts = found.decode("utf-8", "replace").removesuffix("\n").split("\n") if found else []
    return texts[-lines:]
