"""fs-service as the gateway calls it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import TYPE_CHECKING, Final

import grpc
from media_common.grpc_client import open_channel
from media_common.trust import ANYBODY, Trust
from media_proto import fs_pb2, fs_pb2_grpc

from gateway.acting import Acting
from gateway.config import GatewaySettings
from gateway.kept_thumbnails import KeptThumbnails
from gateway.remote import Remote

if TYPE_CHECKING:
    from media_proto.fs_pb2_grpc import FsServiceAsyncStub

ACTIONS: Final[dict[str, fs_pb2.Action.ValueType]] = {
    "lock": fs_pb2.ACTION_LOCK,
    "unlock": fs_pb2.ACTION_UNLOCK,
    "trash": fs_pb2.ACTION_TRASH,
    "untrash": fs_pb2.ACTION_UNTRASH,
    "seen": fs_pb2.ACTION_SEEN,
    "unseen": fs_pb2.ACTION_UNSEEN,
}
STATUS_FILTERS: Final[dict[str, fs_pb2.StatusFilter.ValueType]] = {
    "all": fs_pb2.STATUS_FILTER_ALL,
    "unseen": fs_pb2.STATUS_FILTER_UNSEEN,
    "seen": fs_pb2.STATUS_FILTER_SEEN,
    "locked": fs_pb2.STATUS_FILTER_LOCKED,
    "trashed": fs_pb2.STATUS_FILTER_TRASHED,
}


class FsClient(Remote):
    """fs-service, by name. Paths are bytes."""

    def __init__(self, channel: grpc.aio.Channel, settings: GatewaySettings) -> None:
        super().__init__(channel, settings.connect_wait_s)
        self._stub: FsServiceAsyncStub = fs_pb2_grpc.FsServiceStub(channel)
        self._call_s = settings.call_deadline_s
        self._listing_s = settings.listing_deadline_s
        self._thumbnail_s = settings.thumbnail_deadline_s
        self._kept_thumbnails = KeptThumbnails()
        self._acting = Acting(self._act, self._act_each)
        self._transfer_s = settings.transfer_deadline_s

    @classmethod
    def open(cls, settings: GatewaySettings, trust: Trust = ANYBODY) -> FsClient:
        return cls(open_channel(settings.fs_target, trust, marked=False), settings)

    # --- settings and roots ---
    async def settings(self, deadline_s: float | None = None) -> fs_pb2.Settings:
        return await self._ask(self._stub.GetSettings, fs_pb2.GetSettingsRequest(), deadline_s or self._call_s)

    async def set_video_preload(self, megabytes: int) -> fs_pb2.Settings:
        request = fs_pb2.UpdateSettingsRequest(video_preload_mb=megabytes)
        return await self._ask(self._stub.UpdateSettings, request, self._call_s)

    async def roots(self) -> fs_pb2.ListRootsResponse:
        return await self._ask(self._stub.ListRoots, fs_pb2.ListRootsRequest(), self._call_s)

    async def root_status(self) -> fs_pb2.RootStatuses:
        return await self._ask(self._stub.GetRootStatus, fs_pb2.GetRootStatusRequest(), self._call_s)

    async def add_root(self, path: bytes) -> fs_pb2.AddRootResponse:
        return await self._ask(self._stub.AddRoot, fs_pb2.AddRootRequest(path=path), self._call_s)

    async def remove_root(self, path: bytes) -> fs_pb2.RemoveRootResponse:
        request = fs_pb2.RemoveRootRequest(path=path)
        return await self._ask(self._stub.RemoveRoot, request, self._call_s, repeatable=False)

    # --- looking ---
    async def folders(self, path: bytes) -> fs_pb2.ListFoldersResponse:
        return await self._ask(self._stub.ListFolders, fs_pb2.ListFoldersRequest(path=path), self._listing_s)

    async def folder_page(self, path: bytes, offset: int, limit: int) -> fs_pb2.FolderPage:
        request = fs_pb2.ListFolderFilesRequest(path=path, offset=offset, limit=limit)
        return await self._ask(self._stub.ListFolderFiles, request, self._listing_s)

    def items(self, request: fs_pb2.StreamItemsRequest) -> AsyncGenerator[fs_pb2.ItemBatch, None]:
        return self._follow(self._stub.StreamItems, request, self._listing_s)

    async def summary(self, path: bytes) -> fs_pb2.Summary:
        return await self._ask(self._stub.GetSummary, fs_pb2.GetSummaryRequest(path=path), self._call_s)

    async def histogram(self, request: fs_pb2.GetHistogramRequest) -> fs_pb2.Histogram:
        return await self._ask(self._stub.GetHistogram, request, self._call_s)

    async def file_facts(self, path: bytes) -> fs_pb2.FileFacts:
        return await self._ask(self._stub.StatFile, fs_pb2.StatFileRequest(path=path), self._call_s)

    def file_bytes(self, facts: fs_pb2.FileFacts, offset: int, length: int) -> AsyncGenerator[fs_pb2.FileChunk, None]:
        request = fs_pb2.ReadFileRequest(path=facts.path, offset=offset, length=length, etag=facts.etag)
        return self._follow(self._stub.ReadFile, request, self._transfer_s)

    async def thumbnail(self, path: bytes, size_px: int, if_etags: str) -> fs_pb2.Thumbnail:
        """The service is asked whatever is kept here. `not_modified` only for a tag of the caller's own."""
        key = (path, size_px)
        kept_etag = self._kept_thumbnails.etag(key)
        asked = ",".join(filter(None, (if_etags, kept_etag)))
        request = fs_pb2.GetThumbnailRequest(path=path, size_px=size_px, if_etag=asked)
        answer = await self._ask(self._stub.GetThumbnail, request, self._thumbnail_s)
        if answer.not_modified and answer.etag not in (*if_etags.split(","), self._kept_thumbnails.etag(key)):
            # Another request has replaced or pushed out what was kept meanwhile.
            request.if_etag = if_etags
            answer = await self._ask(self._stub.GetThumbnail, request, self._thumbnail_s)
        return self._kept_thumbnails.settle(key, if_etags, answer)

    async def render_blob(self, sha256: bytes, extension: bytes, size_px: int) -> fs_pb2.BlobThumbnail:
        """A blob's thumbnail, made by the workers; a png that is empty is in the blob store."""
        request = fs_pb2.RenderBlobRequest(sha256=sha256, extension=extension, size_px=size_px)
        return await self._ask(self._stub.RenderBlob, request, self._thumbnail_s)

    async def stacks_of(self, paths: Sequence[bytes]) -> fs_pb2.Stacks:
        return await self._ask(self._stub.FindStacks, fs_pb2.FindStacksRequest(paths=paths), self._listing_s)

    async def stacks_below(self, request: fs_pb2.ListStacksRequest) -> fs_pb2.Stacks:
        return await self._ask(self._stub.ListStacks, request, self._listing_s)

    # --- changing ---
    async def act(self, path: bytes, action: str) -> fs_pb2.ActResponse:
        """Goes with those that come at the same moment."""
        return await self._acting.act(path, ACTIONS[action])

    async def _act(self, request: fs_pb2.ActRequest) -> fs_pb2.ActResponse:
        return await self._ask(self._stub.Act, request, self._call_s)

    async def _act_each(self, request: fs_pb2.ActEachRequest) -> fs_pb2.ActEachResponse:
        return await self._ask(self._stub.ActEach, request, self._call_s)

    async def act_batch(self, paths: Sequence[bytes], action: str) -> fs_pb2.ActBatchResponse:
        request = fs_pb2.ActBatchRequest(paths=paths, action=ACTIONS[action])
        return await self._ask(self._stub.ActBatch, request, self._listing_s)

    async def keep_best(self, best: bytes, rest: Sequence[bytes]) -> fs_pb2.ActBatchResponse:
        """The best's outcome first. May be sent again: what is done is done once."""
        return await self._ask(self._stub.KeepBest, fs_pb2.KeepBestRequest(best=best, rest=rest), self._listing_s)

    async def decide_stack(self, paths: Sequence[bytes], decision: fs_pb2.StackDecision.ValueType) -> None:
        request = fs_pb2.DecideStackRequest(paths=paths, decision=decision)
        await self._ask(self._stub.DecideStack, request, self._call_s)

    async def undo(self, steps: int) -> fs_pb2.UndoResponse:
        request = fs_pb2.UndoRequest(steps=steps)
        return await self._ask(self._stub.Undo, request, self._listing_s, repeatable=False)

    async def undo_step(self, step: int) -> fs_pb2.UndoStepResponse:
        request = fs_pb2.UndoStepRequest(step=step)
        return await self._ask(self._stub.UndoStep, request, self._listing_s, repeatable=False)

    async def trash_plan(self, path: bytes | None) -> fs_pb2.TrashPlan:
        return await self._ask(self._stub.PlanTrash, fs_pb2.PlanTrashRequest(path=path), self._listing_s)

    def empty_trash(self, path: bytes | None, if_match: str | None) -> AsyncGenerator[fs_pb2.TrashEvent, None]:
        """Never sent twice: a run that died is for the caller to look at. A message may bring several events."""
        request = fs_pb2.EmptyTrashRequest(path=path, if_match=if_match)
        return self._follow(self._stub.EmptyTrash, request, self._transfer_s, repeatable=False)

    async def receipts(self, limit: int) -> fs_pb2.ListReceiptsResponse:
        """What the latest deletions did, newest first."""
        return await self._ask(self._stub.ListReceipts, fs_pb2.ListReceiptsRequest(limit=limit), self._listing_s)

    async def history(self, before_step: int | None, before_receipt: int | None, limit: int) -> fs_pb2.StepPage:
        request = fs_pb2.ListStepsRequest(before_step=before_step, before_receipt=before_receipt, limit=limit)
        return await self._ask(self._stub.ListSteps, request, self._listing_s)

    async def step_files(self, step: int, after: int, limit: int) -> fs_pb2.StepFiles:
        request = fs_pb2.ListStepFilesRequest(step=step, after=after, limit=limit)
        return await self._ask(self._stub.ListStepFiles, request, self._listing_s)

    # --- following ---
    def events(self, after: int | None) -> AsyncGenerator[fs_pb2.Event, None]:
        """No deadline: it lasts as long as somebody listens."""
        return self._follow(self._stub.WatchEvents, fs_pb2.WatchEventsRequest(after=after), None)

    async def queues(self, deadline_s: float | None = None) -> fs_pb2.Queues:
        return await self._ask(self._stub.GetQueues, fs_pb2.GetQueuesRequest(), deadline_s or self._call_s)

    async def pause_thumbnails(self, paused: bool) -> fs_pb2.PauseThumbnailsResponse:
        return await self._ask(self._stub.PauseThumbnails, fs_pb2.PauseThumbnailsRequest(paused=paused), self._call_s)

    # --- keeping ---
    def backup(self) -> AsyncGenerator[fs_pb2.BackupPart, None]:
        return self._follow(self._stub.Backup, fs_pb2.BackupRequest(), self._transfer_s)

    async def retry_dead_jobs(self) -> fs_pb2.RetryDeadJobsResponse:
        request = fs_pb2.RetryDeadJobsRequest()
        return await self._ask(self._stub.RetryDeadJobs, request, self._call_s, repeatable=False)
