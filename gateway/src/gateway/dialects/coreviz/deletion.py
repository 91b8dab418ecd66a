"""Deleting through this dialect. For a file in place it is the trash mark, set by the file service alone; an upload is
marked in the catalogue. Nothing is deleted from a disk here, and a locked item keeps everything as it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import grpc
from media_common.errors import ErrorCode
from media_common.grpc_client import error_code_of
from media_proto import fs_pb2
from media_proto import metadata_pb2 as pb

from gateway.clients import FsClient
from gateway.dialects.coreviz import ids
from gateway.dialects.platform.blob import path_on_disk
from gateway.errors import Failure
from gateway.library import Library

#: Rows of one look into a folder, and paths of one batch of deeds.
_LOOK: Final = 1000
_BATCH: Final = 500
_FILES: Final = tuple(
    kind for kind in pb.MediaKind.values() if kind not in (pb.MEDIA_KIND_FOLDER, pb.MEDIA_KIND_UNSPECIFIED)
)
LOCKED: Final = "The item is locked."
LOCKED_BELOW: Final = "A locked item is in the folder; nothing was deleted."


class Deletion:
    """Moves items to the trash, each with all its versions, or refuses as a whole."""

    def __init__(self, fs: FsClient, library: Library) -> None:
        self._fs = fs
        self._library = library

    async def media(self, media: pb.Media) -> int:
        """An item with all its versions; how many files went.

        Raises:
            Failure: 409, one of them is locked.
        """
        return await self._trash(await self._versions(media), LOCKED)

    async def folder(self, folder: pb.Media) -> int:
        """A folder with all that is in it, or of a folder on a disk all that is in it; how many files went.

        Raises:
            Failure: 409, one of them is locked.
        """
        if folder.source != pb.MEDIA_SOURCE_IN_PLACE:
            return await self._library.trash_folder(folder.uuid)
        found = await self._below(folder, _FILES)
        several = [one for one in found if one.total_versions > 1]
        single = [one for one in found if one.total_versions <= 1]
        for one in several:
            single += await self._versions(one)
        count = await self._trash(single, LOCKED_BELOW)
        # Folders that a person made in it are empty now; those of the disk are the disk's.
        made = [
            one for one in await self._below(folder, (pb.MEDIA_KIND_FOLDER,)) if one.source != pb.MEDIA_SOURCE_IN_PLACE
        ]
        if made:
            await self._library.set_trashed([one.uuid for one in made])
        return count

    async def _below(self, folder: pb.Media, kinds: Sequence[pb.MediaKind.ValueType]) -> list[pb.Media]:
        found: list[pb.Media] = []
        while True:
            page = await self._library.page(
                pb.ListMediaRequest(
                    collection=folder.path[0].hex(),
                    path=folder.path,
                    recursive=True,
                    kinds=kinds,
                    sort=pb.SORT_BY_CREATED,
                    ascending=True,
                    offset=len(found),
                    limit=_LOOK,
                )
            )
            found += page.media
            if len(page.media) < _LOOK:
                return found

    async def version(self, media: pb.Media, version: pb.Media) -> bytes | None:
        """One version; the id of the one that became the active one for it."""
        if version.uuid not in {one.uuid for one in await self._versions(media)}:
            raise ids.not_found("Media")  # first: whether a stranger's item is locked is not told
        if version.locked:
            raise Failure(409, ErrorCode.ITEM_LOCKED, LOCKED)
        if version.source == pb.MEDIA_SOURCE_IN_PLACE:
            await self._trash([version], LOCKED)
        return await self._library.delete_version(media.uuid, version.uuid)

    async def _versions(self, media: pb.Media) -> list[pb.Media]:
        if media.total_versions <= 1:
            return [media]
        return await self._library.versions(media.uuid)

    async def _trash(self, items: Sequence[pb.Media], locked: str) -> int:
        wanted = [one for one in items if one.status != "trashed"]
        if any(one.locked for one in wanted):
            raise Failure(409, ErrorCode.ITEM_LOCKED, locked)
        collections = await self._library.by_id({one.collection_id for one in wanted})
        in_place = [one for one in wanted if one.source == pb.MEDIA_SOURCE_IN_PLACE]
        paths = [path_on_disk(collections[one.collection_id], one) for one in in_place]
        elsewhere = [one.uuid for one in wanted if one.source != pb.MEDIA_SOURCE_IN_PLACE]
        if len(paths) == 1 and not elsewhere:
            await self._trash_file(paths[0])
            return 1
        went = await self._trash_files(paths, locked)
        if not elsewhere:
            return len(went)
        try:
            return len(went) + await self._library.set_trashed(elsewhere)
        except (grpc.aio.AioRpcError, Failure) as error:
            await self._put_back(went)
            if isinstance(error, grpc.aio.AioRpcError) and error_code_of(error) is ErrorCode.ITEM_LOCKED:
                raise Failure(409, ErrorCode.ITEM_LOCKED, locked) from error  # since it was looked at
            raise

    async def _trash_file(self, path: bytes) -> None:
        try:
            await self._fs.act(path, "trash")
        except grpc.aio.AioRpcError as error:
            if error_code_of(error) is ErrorCode.PATH_MISSING:
                raise ids.not_found("Media") from error
            raise

    async def _trash_files(self, paths: Sequence[bytes], locked: str) -> list[fs_pb2.ActOutcome]:
        """Mark the files; those that were there. One that turns out to be locked, or cannot be marked, has the others
        put back.

        Raises:
            Failure: 409 for a locked one, else what the file service says.
        """
        done: list[fs_pb2.ActOutcome] = []
        for start in range(0, len(paths), _BATCH):
            answer = await self._fs.act_batch(paths[start : start + _BATCH], "trash")
            done += [outcome for outcome in answer.outcomes if not outcome.error]
            refused = [one for one in answer.outcomes if one.error and one.error_code != ErrorCode.PATH_MISSING]
            if refused:
                await self._put_back(done)
                if refused[0].error_code == ErrorCode.ITEM_LOCKED:
                    raise Failure(409, ErrorCode.ITEM_LOCKED, locked)
                raise Failure(409, "not_deleted", f"Nothing was deleted: {refused[0].error}")
        return done

    async def _put_back(self, done: Sequence[fs_pb2.ActOutcome]) -> None:
        """To what they were: the trash mark brings the seen mark along, and what was in the trash stays there."""
        for action, paths in (
            ("untrash", [one.path for one in done if not one.before.trashed]),
            ("unseen", [one.path for one in done if not one.before.seen]),
        ):
            for start in range(0, len(paths), _BATCH):
                await self._fs.act_batch(paths[start : start + _BATCH], action)
