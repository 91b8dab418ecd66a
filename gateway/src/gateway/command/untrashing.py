"""`framewell untrash`: what was trashed comes back, whatever it is: a file in place loses its trash mark, an upload is
seen again. Nothing that was deleted for good can."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from media_proto import metadata_pb2 as pb

from gateway.command.stack import Refused, Stack
from gateway.dialects.platform.blob import path_on_disk
from gateway.dialects.platform.resolve import Resolver


async def untrashed(stack: Stack, faces: Sequence[str | bytes], collection: str | None) -> dict[str, Any]:
    """How many files came back.

    Args:
        faces: absolute paths as bytes, or ids of any dialect; all are looked up before anything is done.
        collection: whose numbers an id speaks of.
    Raises:
        Refused: one of them is no item that can come back.
    """
    resolver = Resolver(stack.catalogue)
    paths: list[bytes] = []
    uuids: list[bytes] = []
    for face in faces:
        if isinstance(face, bytes):
            found = await resolver.at_path(face)
        else:
            found = await resolver.of_id(face, collection)
        media = found.media
        if not found.HasField("media") or media.uuid == found.collection.uuid:
            raise Refused("A collection is not in the trash.")
        if media.source != pb.MEDIA_SOURCE_IN_PLACE:
            uuids.append(media.uuid)
        elif media.kind == pb.MEDIA_KIND_FOLDER:
            raise Refused("A folder on a disk has no trash mark; name the files in it.")
        else:
            paths.append(path_on_disk(found.collection, media))
    uploads = 0
    if uuids:
        request = pb.SetTrashedRequest(uuids=uuids, trashed=False)
        uploads = (await stack.catalogue.ask(stack.catalogue.stub.SetTrashed, request)).count
    if paths:
        outcomes = (await stack.fs.act_batch(paths, "untrash")).outcomes
        if refused := [one for one in outcomes if one.error]:
            raise Refused(f"{len(refused)} of {len(paths)} files keep their trash mark: {refused[0].error}")
    return {"uploads": uploads, "files": len(paths)}
