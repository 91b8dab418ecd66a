"""`framewell purge`: trashed uploads are deleted for good, and bytes that no upload refers to any more are removed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any, Final

from media_common.blobs import open_store
from media_common.blobs.removal import sweep, unreferenced
from media_common.config import PublicSettings
from media_common.errors import ServiceError
from media_proto import metadata_pb2 as pb

from gateway.command import state_dir
from gateway.command.stack import Refused, Stack

#: Asks the person who called: what would go, and whether it shall. `True`: a person has to say it, now.
Confirm = Callable[[str, bool], bool]


#: As long a mistake can be taken back by `untrash`.
MIN_AGE_S: Final = 24 * 3600


async def purged(
    stack: Stack, public: PublicSettings, collection: str | None, confirm: Confirm, *, now: bool = False
) -> dict[str, Any]:
    """What went.

    Args:
        collection: only this one's uploads; bytes are looked at as a whole.
        now: also what was trashed within the last day.
    Raises:
        Refused: the person said no, the blob store does not answer, or a backup is being made.
    """
    where = "all collections" if collection is None else collection
    if not confirm(f"Delete the trashed uploads of {where} for good?", False):
        raise Refused("Nothing was deleted.")
    stub = stack.catalogue.stub
    request = pb.PurgeUploadsRequest(collection=collection, min_age_s=0 if now else MIN_AGE_S)
    gone = await stack.catalogue.ask(stub.PurgeUploads, request, repeatable=False)
    loop = asyncio.get_running_loop()
    knows_one = False

    async def find(blobs: Sequence[bytes]) -> set[bytes]:
        nonlocal knows_one
        found = set((await stack.catalogue.ask(stub.FindBlobs, pb.FindBlobsRequest(sha256=blobs))).sha256)
        knows_one |= bool(found)
        return found

    def referenced(blobs: Sequence[bytes]) -> set[bytes]:
        return asyncio.run_coroutine_threadsafe(find(blobs), loop).result()

    told = {"uploads": gone.count, "kept": gone.kept, "blobs": 0, "bytes": 0}
    try:
        with closing(open_store(public)) as store:
            found = await asyncio.to_thread(unreferenced, store, referenced)
            size = sum(one.size_bytes for one in found)
            # Asked by itself, and where nothing at all is referred to, whatever was agreed to beforehand: so it is with
            # a catalogue that was lost, and these may be all uploads there are.
            question = f"Remove {len(found)} files ({size:,} bytes) that no item refers to?"
            if found and confirm(question if knows_one else f"No upload is known. {question}", not knows_one):
                with state_dir.uploads_may_go(public.state_path):
                    removed = await asyncio.to_thread(sweep, store, found, referenced)
                told |= {"blobs": removed.count, "bytes": removed.size_bytes}
    except ServiceError as error:
        raise Refused(error.message) from error
    except state_dir.Running as error:
        raise Refused(str(error)) from error
    return told
