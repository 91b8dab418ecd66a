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
import shutil
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import qdrant_edge as engine

from search_service.domain.errors import StoreUnavailable

#: Searches and everything else go first.
_NICE: Final = 10
_PR_SET_PDEATHSIG: Final = 1
#: Of what the process says of its failure.
_SAID: Final = 500
#: Times its size that a shard takes while it is copied and its index is built beside it.
_ROOM: Final = 3
#: Points that are brought over at a time.
_BATCH: Final = 1000


@dataclass(eq=False)
class Build:
    """A copy of a shard whose index is being built."""

    name: str
    place: Path
    #: Points written before it was copied, since the index was last built.
    fresh: int
    #: Points written since.
    touched: set[int] = field(default_factory=set)


def check_room(place: Path) -> None:
    """
    Raises:
        StoreUnavailable: the disk would be full of the copy, for everybody else too.
    """
    needed = _ROOM * sum(file.stat().st_size for file in place.rglob("*") if file.is_file())
    free = shutil.disk_usage(place).free
    if free < needed:
        raise StoreUnavailable(f"Building the index of vectors takes {needed:,} bytes; {free:,} are free.")


def bring_over(before: engine.EdgeShard, following: engine.EdgeShard, ids: Sequence[int]) -> None:
    """Points as they are now; those that are gone go."""
    for start in range(0, len(ids), _BATCH):
        batch = ids[start : start + _BATCH]
        records = before.retrieve(list(batch), True, True)
        made = [engine.Point(one.id, one.vector, one.payload) for one in records if one.vector is not None]
        if made:
            following.update(engine.UpdateOperation.upsert_points(made))
        if gone := set(batch).difference(int(record.id) for record in records):
            following.update(engine.UpdateOperation.delete_points(sorted(gone)))


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
