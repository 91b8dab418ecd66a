"""The contract of `fs.proto` translated: message, one domain call in a thread of the right pool, message."""

from __future__ import annotations

import os
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from media_common import kept
from media_common.logs import request_id
from media_proto import fs_pb2, fs_pb2_grpc

from fs_service import convert
from fs_service.domain import history
from fs_service.domain.batch import act_on_each, keep_the_best
from fs_service.domain.deeds import Deed, Deeds
from fs_service.domain.items import Item
from fs_service.domain.library import Library
from fs_service.domain.paths import normalised
from fs_service.domain.ports import Place, Roots
from fs_service.domain.root_status import RootStatuses
from fs_service.domain.step_undo import StepUndo
from fs_service.domain.timeline import Cut
from fs_service.domain.trash import Trash
from fs_service.each_act import each_act
from fs_service.follower import Follower
from fs_service.gathering import Gathering
from fs_service.queues import QueueWatch
from fs_service.stacking import Stacking
from fs_service.store.files import Files
from fs_service.store.insides import Insides
from fs_service.threads import Threads, close
from fs_service.thumbnails import ThumbnailSource

Context = Any  # grpc.aio.ServicerContext; its own annotation is generic over the messages
#: Of the time that a caller gives, what the message server may take.
_SHARE_OF_QUEUES: Final = 0.6


@dataclass(frozen=True, slots=True)
class Pools:
    """Threads by kind of work, so that a slow disk under one kind leaves the others free."""

    look: Threads
    deed: Threads
    read: Threads
    empty: Threads
    inside: Threads
    hash: Threads
    told: Threads  # what asks no disk of a review path


@dataclass(frozen=True, slots=True)
class Told:
    """What is known without a disk: the journal, looked through, and how the roots were."""

    history: history.History
    step_undo: StepUndo
    root_statuses: RootStatuses


@dataclass(frozen=True, slots=True)
class Fixed:
    """What does not change while the process runs."""

    state_directory: bytes
    deletion_workers: int


class FsServicer(fs_pb2_grpc.FsServiceServicer):
    """Every call of `FsService`."""

    def __init__(
        self,
        roots: Roots,
        library: Library,
        deeds: Deeds,
        trash: Trash,
        files: Files,
        insides: Insides,
        thumbnails: ThumbnailSource,
        stacking: Stacking,
        queues: QueueWatch,
        follower: Follower,
        pools: Pools,
        fixed: Fixed,
        told: Told,
    ) -> None:
        self._roots = roots
        self._library = library
        self._deeds = deeds
        self._trash = trash
        self._files = files
        self._insides = insides
        self._thumbnails = thumbnails
        self._stacking = stacking
        self._queues = queues
        self._follower = follower
        self._pools = pools
        self._gathering = Gathering(lambda path: roots.place(path).root, deeds.act_each, pools.deed)
        self._fixed = fixed
        self._told = told

    # Settings and roots

    async def GetSettings(self, request: fs_pb2.GetSettingsRequest, context: Context) -> fs_pb2.Settings:
        return self._settings(await self._pools.look.run(self._library.settings))

    async def UpdateSettings(self, request: fs_pb2.UpdateSettingsRequest, context: Context) -> fs_pb2.Settings:
        if not request.HasField("video_preload_mb"):
            return await self.GetSettings(fs_pb2.GetSettingsRequest(), context)
        changed = await self._pools.look.run(self._library.update_settings, request.video_preload_mb)
        return self._settings(changed)

    def _settings(self, values: Any) -> fs_pb2.Settings:
        return convert.settings(
            values, self._fixed.state_directory, self._fixed.deletion_workers, self._trash.counters()
        )

    async def ListRoots(self, request: fs_pb2.ListRootsRequest, context: Context) -> fs_pb2.ListRootsResponse:
        return convert.roots(await self._pools.look.run(self._library.roots))

    async def GetRootStatus(self, request: fs_pb2.GetRootStatusRequest, context: Context) -> fs_pb2.RootStatuses:
        return convert.root_statuses(await self._pools.told.run(self._told.root_statuses.statuses))

    async def AddRoot(self, request: fs_pb2.AddRootRequest, context: Context) -> fs_pb2.AddRootResponse:
        path, known = await self._pools.look.run(self._library.add_root, request.path)
        return fs_pb2.AddRootResponse(path=path, known_paths=known)

    async def RemoveRoot(self, request: fs_pb2.RemoveRootRequest, context: Context) -> fs_pb2.RemoveRootResponse:
        path, known = await self._pools.look.run(self._library.remove_root, request.path)
        return fs_pb2.RemoveRootResponse(path=path, known_paths=known)

    # Looking

    async def ListFolders(self, request: fs_pb2.ListFoldersRequest, context: Context) -> fs_pb2.ListFoldersResponse:
        path, folders = await self._pools.look.run(self._library.folders, request.path)
        return fs_pb2.ListFoldersResponse(
            path=path,
            folders=[fs_pb2.Folder(path=folder.path, has_children=folder.has_children) for folder in folders],
        )

    async def ListFolderFiles(self, request: fs_pb2.ListFolderFilesRequest, context: Context) -> fs_pb2.FolderPage:
        return await self._pools.look.run(
            lambda: convert.folder_page(self._library.folder_page(request.path, request.offset, request.limit))
        )

    async def StreamItems(
        self, request: fs_pb2.StreamItemsRequest, context: Context
    ) -> AsyncIterator[fs_pb2.ItemBatch]:
        cut = convert.cut_of(request)
        after = request.after if request.HasField("after") else None
        if cut == Cut(cut.status):
            start = partial(self._library.stream, request.path, request.offset, request.limit, cut.status, after)
        else:
            start = partial(self._library.cut, request.path, cut, request.offset, request.limit, after)
        async with aclosing(self._pools.look.pull(lambda: _batches(start()))) as batches:
            async for batch in batches:
                yield batch

    async def GetSummary(self, request: fs_pb2.GetSummaryRequest, context: Context) -> fs_pb2.Summary:
        return convert.summary(await self._pools.look.run(self._library.summary, request.path))

    async def GetHistogram(self, request: fs_pb2.GetHistogramRequest, context: Context) -> fs_pb2.Histogram:
        status = convert.filter_of(request.status)
        asked = partial(self._library.histogram, request.path, status, recursive=request.recursive)
        return convert.histogram(await self._pools.look.run(asked))

    async def GetItem(self, request: fs_pb2.GetItemRequest, context: Context) -> fs_pb2.Item:
        return convert.item(await self._pools.look.run(self._library.item, request.path))

    async def GetItems(self, request: fs_pb2.GetItemsRequest, context: Context) -> fs_pb2.GetItemsResponse:
        paths = convert.paths_of(request.paths)
        return convert.found_items(paths, await self._pools.look.run(self._library.items, paths))

    async def StatFile(self, request: fs_pb2.StatFileRequest, context: Context) -> fs_pb2.FileFacts:
        return convert.file_facts(await self._pools.read.run(self._files.facts, self._place(request.path)))

    async def ReadFile(self, request: fs_pb2.ReadFileRequest, context: Context) -> AsyncIterator[fs_pb2.FileChunk]:
        start = partial(self._files.read, self._place(request.path), request.offset, request.length, request.etag)
        async with aclosing(self._pools.read.pull(start)) as chunks:
            async for chunk in chunks:
                yield fs_pb2.FileChunk(data=chunk)

    async def GetThumbnail(self, request: fs_pb2.GetThumbnailRequest, context: Context) -> fs_pb2.Thumbnail:
        etags = convert.etags_of(request.if_etag)
        return convert.thumbnail(await self._thumbnails.get(self._place(request.path), request.size_px, etags))

    async def RenderBlob(self, request: fs_pb2.RenderBlobRequest, context: Context) -> fs_pb2.BlobThumbnail:
        reply = await self._thumbnails.of_blob(request.sha256, request.extension, request.size_px)
        return fs_pb2.BlobThumbnail(png=reply.png, placeholder=reply.placeholder)

    async def DescribeFiles(
        self, request: fs_pb2.DescribeFilesRequest, context: Context
    ) -> fs_pb2.DescribeFilesResponse:
        paths = convert.paths_of(request.paths)
        return convert.descriptions(paths, await self._pools.inside.run(self._insides.describe, paths))

    async def HashFiles(self, request: fs_pb2.HashFilesRequest, context: Context) -> AsyncIterator[fs_pb2.FileHashes]:
        start = partial(self._insides.hashes, convert.paths_of(request.paths))
        async with aclosing(self._pools.hash.pull(start)) as batches:
            async for batch in batches:
                yield convert.hashes(batch)

    async def FindStacks(self, request: fs_pb2.FindStacksRequest, context: Context) -> fs_pb2.Stacks:
        return convert.stacks(await self._stacking.of(list(request.paths)))

    async def ListStacks(self, request: fs_pb2.ListStacksRequest, context: Context) -> fs_pb2.Stacks:
        after = request.after if request.HasField("after") else None
        return convert.stacks(await self._stacking.below(request.path, after, request.limit, request.decided))

    def _place(self, path: bytes) -> Place:
        """By the text alone; whether it exists is found out by opening it, once."""
        return self._roots.place(normalised(path))

    # Changing

    async def Act(self, request: fs_pb2.ActRequest, context: Context) -> fs_pb2.ActResponse:
        path = normalised(request.path)
        state = await self._gathering.begin(Deed(path, convert.action_of(request.action), request_id.get()))
        return fs_pb2.ActResponse(path=path, status=convert.status(state))

    async def ActEach(self, request: fs_pb2.ActEachRequest, context: Context) -> fs_pb2.ActEachResponse:
        return await each_act(self._gathering, request)

    async def ActBatch(self, request: fs_pb2.ActBatchRequest, context: Context) -> fs_pb2.ActBatchResponse:
        action = convert.action_of(request.action)
        outcomes = await self._pools.deed.run(act_on_each, self._deeds, list(request.paths), action)
        return fs_pb2.ActBatchResponse(outcomes=convert.outcomes(outcomes))

    async def KeepBest(self, request: fs_pb2.KeepBestRequest, context: Context) -> fs_pb2.ActBatchResponse:
        outcomes = await self._pools.deed.run(keep_the_best, self._deeds, request.best, list(request.rest))
        return fs_pb2.ActBatchResponse(outcomes=convert.outcomes(outcomes))

    async def DecideStack(self, request: fs_pb2.DecideStackRequest, context: Context) -> fs_pb2.DecideStackResponse:
        await self._stacking.decide(list(request.paths), convert.decision_of(request.decision))
        return fs_pb2.DecideStackResponse(decision=request.decision)

    async def Undo(self, request: fs_pb2.UndoRequest, context: Context) -> fs_pb2.UndoResponse:
        outcomes = await self._pools.deed.run(self._deeds.undo, request.steps)
        return fs_pb2.UndoResponse(outcomes=convert.outcomes(outcomes))

    async def ListSteps(self, request: fs_pb2.ListStepsRequest, context: Context) -> fs_pb2.StepPage:
        before = convert.cursor_of(request)
        return convert.history_page(await self._pools.told.run(history.page, self._told.history, before, request.limit))

    async def ListStepFiles(self, request: fs_pb2.ListStepFilesRequest, context: Context) -> fs_pb2.StepFiles:
        found = await self._pools.told.run(
            history.files_page, self._told.history, request.step, request.after, request.limit
        )
        return convert.step_files(*found)

    async def UndoStep(self, request: fs_pb2.UndoStepRequest, context: Context) -> fs_pb2.UndoStepResponse:
        return convert.step_undone(await self._pools.deed.run(self._told.step_undo.undo, request.step))

    async def PlanTrash(self, request: fs_pb2.PlanTrashRequest, context: Context) -> fs_pb2.TrashPlan:
        return convert.trash_plan(await self._pools.look.run(self._trash.plan, _root_of(request)))

    async def EmptyTrash(self, request: fs_pb2.EmptyTrashRequest, context: Context) -> AsyncIterator[fs_pb2.TrashEvent]:
        if_match = request.if_match if request.HasField("if_match") else None
        stop = threading.Event()
        # However the call ends, the deletion stops at once: not first when this generator is closed.
        context.add_done_callback(lambda _: stop.set())
        start = partial(self._trash.empty, _root_of(request), if_match)
        async with aclosing(self._pools.empty.push(start, stop)) as batches:
            async for batch in batches:
                yield convert.trash_events(batch)

    async def ListReceipts(self, request: fs_pb2.ListReceiptsRequest, context: Context) -> fs_pb2.ListReceiptsResponse:
        return convert.receipts(await self._pools.look.run(self._trash.receipts, request.limit))

    # Following

    async def WatchEvents(self, request: fs_pb2.WatchEventsRequest, context: Context) -> AsyncIterator[fs_pb2.Event]:
        after = request.after if request.HasField("after") else None
        async with aclosing(self._follower.follow(after)) as batches:
            async for batch in batches:
                for event in batch:
                    yield convert.event(event)

    async def GetQueues(self, request: fs_pb2.GetQueuesRequest, context: Context) -> fs_pb2.Queues:
        left_s = context.time_remaining()
        # What this service knows by itself is told in time, whatever the message server does.
        return convert.queues(await self._queues.queues(None if left_s is None else _SHARE_OF_QUEUES * left_s))

    async def RetryDeadJobs(
        self, request: fs_pb2.RetryDeadJobsRequest, context: Context
    ) -> fs_pb2.RetryDeadJobsResponse:
        return fs_pb2.RetryDeadJobsResponse(retried=await self._queues.retry_dead())

    async def PauseThumbnails(
        self, request: fs_pb2.PauseThumbnailsRequest, context: Context
    ) -> fs_pb2.PauseThumbnailsResponse:
        await self._queues.hold_thumbnails(request.paused)
        return fs_pb2.PauseThumbnailsResponse(paused=request.paused)

    async def Replay(self, request: fs_pb2.ReplayRequest, context: Context) -> AsyncIterator[fs_pb2.ItemBatch]:
        path = request.path if request.HasField("path") else None
        start = partial(self._library.replay, path)
        async with aclosing(self._pools.look.pull(lambda: _batches(start()))) as batches:
            async for batch in batches:
                yield batch

    # Keeping

    async def Backup(self, request: fs_pb2.BackupRequest, context: Context) -> AsyncIterator[fs_pb2.BackupPart]:
        start = partial(kept.parts, Path(os.fsdecode(self._fixed.state_directory)), kept.JOURNAL, kept.CONFIG_FILES)
        async with aclosing(self._pools.read.pull(start)) as parts:
            async for part in parts:
                yield convert.backup_part(part)


def _root_of(request: fs_pb2.PlanTrashRequest | fs_pb2.EmptyTrashRequest) -> bytes | None:
    return normalised(request.path) if request.HasField("path") else None


def _batches(batches: Iterator[list[Item]]) -> Iterator[fs_pb2.ItemBatch]:
    """Converted in the thread that fetched them; an empty one marked as the last."""
    try:
        for batch in batches:
            yield convert.item_batch(batch)
    finally:
        close(batches)
    yield fs_pb2.ItemBatch(last=True)
