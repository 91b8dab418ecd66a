"""The index of vectors is built in a process of its own: `python -m search_service.vectors.building FOLDER`.

The engine keeps the interpreter to itself while it builds, a minute and more for a hundred thousand vectors: in the
service's own process nothing would be answered meanwhile. So a copy of the shard is built here, and the store takes it
over.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
from pathlib import Path
from typing import Final

import qdrant_edge as engine

from search_service.domain.errors import StoreUnavailable

#: Searches and everything else go first.
_NICE: Final = 10
_PR_SET_PDEATHSIG: Final = 1
#: Of what the process says of its failure.
_SAID: Final = 500


async def built(folder: Path) -> None:
    """Build what is missing in a shard that nobody has open.

    Raises:
        StoreUnavailable: it failed, and the folder is of no use.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", __name__, folder, stderr=asyncio.subprocess.PIPE
    )
    try:
        _, said = await process.communicate()
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        raise
    if process.returncode:
        reason = said.decode(errors="replace").strip().rpartition("\n")[2][-_SAID:]
        raise StoreUnavailable(f"The index of vectors was not built ({process.returncode}): {reason}")


def main(folder: str) -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    os.nice(_NICE)
    shard = engine.EdgeShard.load(folder)
    shard.optimize()
    shard.flush()
    shard.close()


if __name__ == "__main__":
    main(sys.argv[1])
