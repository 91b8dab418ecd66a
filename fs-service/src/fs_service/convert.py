"""Messages from the domain's values and back: one function a pair, no decision."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from media_common.errors import InvalidArgument, ServiceError
from media_common.kept import KeptFile
from media_proto import fs_pb2

from fs_service.domain.deeds import Outcome
from fs_service.domain.history import Cursor, HistoryPage, StepFileLine, StepLine
from fs_service.domain.items import Action, Description, Hashed, Item, State, StatusFilter
from fs_service.domain.journal import Receipt
from fs_service.domain.library import FolderPage, RootInfo, Settings, Summary
from fs_service.domain.ports import LoggedEvent
from fs_service.domain.root_status import RootStatus
from fs_service.domain.stacks import Decision
from fs_service.domain.step_undo import StepUndone, UndoResult
from fs_service.domain.timeline import Cut, Histogram
from fs_service.domain.trash import DeletionCounters
from fs_service.domain.trash_events import Deleted, Deleting, Done, Failed, FolderDone, Skipped, TrashEvent
from fs_service.domain.trash_plan import Plan
from fs_service.domain.views import Counts
from fs_service.queues import Queue, Queues
from fs_service.stacking import Found, FoundStack
from fs_service.store.files import FileFacts
from fs_service.store.rows import joined, signed
from fs_service.thumbnails import ThumbnailResult

#: locked, trashed, seen by state: a look-up, since a stream converts ten thousand.
_FLAGS: Final = [tuple(bool(state & mark) for mark in (State.LOCKED, State.TRASHED, State.SEEN)) for state in range(8)]
#: Of one `GetItems`.
_MAX_PATHS: Final = 1000


# From requests


def action_of(number: int) -> Action:
    """Raises InvalidArgument."""
    if number not in Action.__members__.values():
        raise InvalidArgument("The action is not one of lock, unlock, trash, untrash, seen, unseen.")
    return Action(number)


def filter_of(number: int) -> StatusFilter:
    """Unspecified is all. Raises InvalidArgument."""
    if not number:
        return StatusFilter.ALL
    if number not in StatusFilter.__members__.values():
        raise InvalidArgument("The status filter is not one of all, unseen, seen, locked, trashed.")
    return StatusFilter(number)


def paths_of(paths: Sequence[bytes]) -> list[bytes]:
    """Raises InvalidArgument."""
    if len(paths) > _MAX_PATHS:
        raise InvalidArgument(f"At most {_MAX_PATHS} paths a call.")
    return list(paths)


def etags_of(text: str) -> frozenset[str]:
    return frozenset(etag for part in text.split(",") if (etag := part.strip()))


def cut_of(request: fs_pb2.StreamItemsRequest) -> Cut:
    """Raises InvalidArgument."""
    return Cut(
        filter_of(request.status),
        request.folder if request.HasField("folder") else None,
        request.by_date,
        request.from_day if request.HasField("from_day") else None,
        request.before_day if request.HasField("before_day") else None,
    )


# To answers


def item_batch(items: Iterable[Item]) -> fs_pb2.ItemBatch:
    """About 3 microseconds an item: filled in place, because a message given to another is copied."""
    batch = fs_pb2.ItemBatch()
    _add_items(batch, items)
    return batch


def folder_page(page: FolderPage) -> fs_pb2.FolderPage:
    message = fs_pb2.FolderPage(path=page.path, total=page.total, ignored=page.ignored)
    _add_items(message, page.items)
    return message


def item(one: Item) -> fs_pb2.Item:
    return item_batch([one]).items[0]


def _add_items(message: fs_pb2.ItemBatch | fs_pb2.FolderPage, items: Iterable[Item]) -> None:
    add = message.items.add
    for one in items:
        locked, trashed, seen = _FLAGS[one.state]
        probe = one.probe
        add(
            path=one.path,
            kind=one.kind,
            size_bytes=one.size_bytes,
            modified_us=one.modified_us,
            created_us=one.created_us,
            locked=locked,
            trashed=trashed,
            seen=seen,
            width_px=probe.width_px,
            height_px=probe.height_px,
            duration_s=probe.duration_s,
            inode=one.inode,
        )


def histogram(told: Histogram) -> fs_pb2.Histogram:
    return fs_pb2.Histogram(
        path=told.path,
        days=[_day_counts(day, counts) for day, counts in told.days],
        undated=_day_counts(0, told.undated),
        ignored=told.ignored,
        next_folder=told.next_folder,
        next_count=told.next_count,
    )


def _day_counts(day: int, counts: Counts) -> fs_pb2.DayCounts:
    return fs_pb2.DayCounts(
        day=day,
        all=counts.all,
        unseen=counts.unseen,
        seen=counts.seen,
        locked=counts.locked,
        trashed=counts.trashed,
    )


def found_items(paths: Iterable[bytes], results: Iterable[Item | ServiceError]) -> fs_pb2.GetItemsResponse:
    message = fs_pb2.GetItemsResponse()
    for path, result in zip(paths, results, strict=True):
        if isinstance(result, ServiceError):
            message.items.add(path=path, error_code=result.code)
        else:
            message.items.add(path=path, item=item(result))
    return message


def descriptions(paths: Iterable[bytes], results: Iterable[Description | ServiceError]) -> fs_pb2.DescribeFilesResponse:
    message = fs_pb2.DescribeFilesResponse()
    for path, result in zip(paths, results, strict=True):
        if isinstance(result, ServiceError):
            message.files.add(path=path, error_code=result.code)
            continue
        probe, camera, identity = result.probe, result.camera, result.identity
        message.files.add(
            path=path,
            size_bytes=identity.size_bytes,
            modified_us=identity.mtime_ns // 1000,
            inode=signed(identity.inode),
            width_px=probe.width_px,
            height_px=probe.height_px,
            duration_s=probe.duration_s,
            taken_us=camera.taken_us,
            taken_offset_min=camera.taken_offset_min,
            make=camera.make,
            model=camera.model,
            lens=camera.lens,
            orientation=camera.orientation,
            latitude=camera.latitude,
            longitude=camera.longitude,
        )
    return message


def hashes(results: Iterable[tuple[bytes, Hashed | ServiceError]]) -> fs_pb2.FileHashes:
    message = fs_pb2.FileHashes()
    for path, result in results:
        if isinstance(result, ServiceError):
            message.files.add(path=path, error_code=result.code)
        else:
            message.files.add(
                path=path,
                sha256=result.sha256,
                size_bytes=result.identity.size_bytes,
                modified_us=result.identity.mtime_ns // 1000,
                inode=signed(result.identity.inode),
            )
    return message


def status(state: State) -> fs_pb2.Status:
    locked, trashed, seen = _FLAGS[state]
    return fs_pb2.Status(locked=locked, trashed=trashed, seen=seen)


def fill_status(message: fs_pb2.Status, state: State) -> None:
    message.locked, message.trashed, message.seen = _FLAGS[state]


#: A batch has a few states and many files.
_STATUSES: Final = [status(State(number)) for number in range(8)]


def outcomes(results: Sequence[Outcome]) -> list[fs_pb2.ActOutcome]:
    told = []
    for one in results:
        message = fs_pb2.ActOutcome(path=one.path)
        if one.state is not None:
            message.status.CopyFrom(_STATUSES[one.state])
        if one.before is not None:
            message.before.CopyFrom(_STATUSES[one.before])
        if one.error is not None:
            message.error, message.error_code = one.error.message, one.error.code.value
        told.append(message)
    return told


def roots(infos: Sequence[RootInfo]) -> fs_pb2.ListRootsResponse:
    return fs_pb2.ListRootsResponse(
        roots=[
            fs_pb2.Root(
                path=info.path, state=fs_pb2.RootState.ValueType(info.state), scanned=info.scanned, reason=info.reason
            )
            for info in infos
        ]
    )


def root_statuses(values: Sequence[RootStatus]) -> fs_pb2.RootStatuses:
    return fs_pb2.RootStatuses(
        roots=[
            fs_pb2.RootStatus(
                path=one.path,
                state=fs_pb2.RootState.ValueType(one.state or 0),
                reason=one.reason,
                since_us=one.since_us,
                looked_us=one.looked_us,
                answers=one.answers,
                free_bytes=one.free_bytes,
                total_bytes=one.total_bytes,
            )
            for one in values
        ]
    )


def settings(
    values: Settings, state_directory: bytes, deletion_workers: int, counters: DeletionCounters
) -> fs_pb2.Settings:
    return fs_pb2.Settings(
        state_directory=state_directory,
        hidden_picker_paths=values.hidden_picker_paths,
        available_paths=values.available_paths,
        deletion_workers=deletion_workers,
        video_preload_mb=values.video_preload_mb,
        trusted_hosts=values.trusted_hosts,
        log_level=values.log_level,
        deletion_queue=fs_pb2.DeletionQueue(
            max_workers=counters.max_workers,
            active_jobs=counters.active_jobs,
            submitted_jobs=counters.submitted_jobs,
            completed_jobs=counters.completed_jobs,
            failed_jobs=counters.failed_jobs,
        ),
    )


def summary(values: Summary) -> fs_pb2.Summary:
    return fs_pb2.Summary(
        path=values.path,
        all=values.all,
        unseen=values.unseen,
        seen=values.seen,
        locked=values.locked,
        trashed=values.trashed,
    )


def file_facts(facts: FileFacts) -> fs_pb2.FileFacts:
    return fs_pb2.FileFacts(
        path=facts.path,
        size_bytes=facts.size_bytes,
        modified_us=facts.modified_us,
        etag=facts.etag,
        content_type=facts.content_type,
    )


def thumbnail(result: ThumbnailResult) -> fs_pb2.Thumbnail:
    return fs_pb2.Thumbnail(
        png=result.png,
        etag=result.etag,
        modified_us=result.modified_us,
        placeholder=result.placeholder,
        not_modified=result.not_modified,
        cache_hit=result.cache_hit,
    )


def trash_plan(plan: Plan) -> fs_pb2.TrashPlan:
    return fs_pb2.TrashPlan(
        hash=plan.hash,
        count=plan.count,
        bytes=plan.size_bytes,
        locked=plan.locked,
        changed=plan.changed,
        roots=[
            fs_pb2.TrashPlanRoot(
                path=root.path, state=fs_pb2.RootState.ValueType(root.state), count=root.count, bytes=root.size_bytes
            )
            for root in plan.roots
        ],
    )


def trash_events(events: Sequence[TrashEvent]) -> fs_pb2.TrashEvent:
    """One message for one or more events, in order; files that simply went are a path each."""
    message = fs_pb2.TrashEvent()
    slot: fs_pb2.TrashEvent | None = message
    at = 0
    while at < len(events):
        if slot is None:
            slot = message.more.add()
        if paths := _run_from(events, at):
            slot.run.paths.extend(paths)
            at += 2 * len(paths)
        else:
            _fill(slot, events[at])
            at += 1
        slot = None
    return message


def _run_from(events: Sequence[TrashEvent], at: int) -> list[bytes]:
    """The files that were announced and deleted one after the other from this event on."""
    paths: list[bytes] = []
    while at + 1 < len(events):
        first, second = events[at], events[at + 1]
        if not isinstance(first, Deleting) or not isinstance(second, Deleted) or first.path != second.path:
            break
        paths.append(first.path)
        at += 2
    return paths


def _fill(message: fs_pb2.TrashEvent, event: TrashEvent) -> None:
    match event:
        case Deleting(path):
            message.deleting.path = path
        case Deleted(path):
            message.deleted.path = path
        case Skipped(path, reason):
            message.skipped.path = path
            message.skipped.reason = reason
        case Failed(path, text):
            message.error.path = path
            message.error.message = text
        case FolderDone(path):
            message.folder_done.path = path
        case Done():
            done = message.done
            done.SetInParent()  # all zeros are an answer, too
            done.deleted = event.deleted
            done.errors = event.errors
            done.skipped = event.skipped
            done.bytes = event.size_bytes
            done.receipt_id = event.receipt_id


def receipts(values: Sequence[Receipt]) -> fs_pb2.ListReceiptsResponse:
    return fs_pb2.ListReceiptsResponse(receipts=map(_receipt, values))


def _receipt(one: Receipt) -> fs_pb2.Receipt:
    return fs_pb2.Receipt(
        receipt_id=one.receipt_id,
        started_us=one.started_us,
        finished_us=one.finished_us,
        deleted=one.deleted,
        errors=one.errors,
        skipped=one.skipped,
        bytes=one.size_bytes,
        paths=one.paths,
    )


def cursor_of(request: fs_pb2.ListStepsRequest) -> Cursor:
    return Cursor(
        request.before_step if request.HasField("before_step") else None,
        request.before_receipt if request.HasField("before_receipt") else None,
    )


def history_page(page: HistoryPage) -> fs_pb2.StepPage:
    message = fs_pb2.StepPage()
    for line in page.lines:
        if isinstance(line, StepLine):
            message.entries.add(step=_step(line))
        else:
            message.entries.add(emptied=fs_pb2.StepReceipt(number=line.number, receipt=_receipt(line.receipt)))
    if page.next is not None:
        if page.next.step is not None:
            message.before_step = page.next.step
        if page.next.receipt is not None:
            message.before_receipt = page.next.receipt
    return message


def _step(line: StepLine) -> fs_pb2.Step:
    return fs_pb2.Step(
        step=line.step,
        kind=fs_pb2.StepKind.ValueType(line.kind),
        at_us=line.at_us,
        files=line.files,
        standing=line.standing,
        emptied=line.emptied,
        changes=[
            fs_pb2.StepChange(before=_STATUSES[one.before], after=_STATUSES[one.after], count=one.files)
            for one in line.changes
        ],
        folder=line.folder,
        first=line.first,
        reverts=line.reverts,
        reverts_count=line.reverts_count,
    )


def step_files(lines: Sequence[StepFileLine], last: bool) -> fs_pb2.StepFiles:
    return fs_pb2.StepFiles(
        files=[
            fs_pb2.StepFile(
                number=one.number,
                path=one.path,
                before=_STATUSES[one.before],
                after=_STATUSES[one.after],
                standing=one.standing,
                emptied=one.emptied,
            )
            for one in lines
        ],
        last=last,
    )


def step_undone(undone: StepUndone) -> fs_pb2.UndoStepResponse:
    """A thousand outcomes at most, those that were left alone first; the counts are of all."""
    message = fs_pb2.UndoStepResponse(step=undone.step or 0)
    for result, count in sorted(Counter(one.result for one in undone.outcomes).items()):
        message.counts.add(result=fs_pb2.UndoResult.ValueType(result), count=count)
    told = sorted(undone.outcomes, key=lambda one: one.result is UndoResult.DONE)
    for one in told[:_MAX_PATHS]:
        outcome = message.outcomes.add(
            path=one.path, result=fs_pb2.UndoResult.ValueType(one.result), message=one.message
        )
        if one.state is not None:
            fill_status(outcome.status, one.state)
            outcome.status.SetInParent()
    return message


def event(logged: LoggedEvent) -> fs_pb2.Event:
    return fs_pb2.Event(sequence=logged.sequence, kind=logged.kind, payload_json=logged.payload_json)


def queues(values: Queues) -> fs_pb2.Queues:
    return fs_pb2.Queues(
        index=_queue(values.index),
        thumbnail=_queue(values.thumbnail),
        embed=_queue(values.embed),
        dead_jobs=[fs_pb2.DeadJob(queue=job.queue, path=job.path, reason=job.reason) for job in values.dead_jobs],
        nats_up=values.nats_up,
        workers_up=values.workers_up,
    )


def _queue(values: Queue) -> fs_pb2.Queue:
    return fs_pb2.Queue(
        pending=values.pending,
        running=values.running,
        done=values.done,
        dead=values.dead,
        oldest_age_s=values.oldest_age_s,
        paused=values.paused,
    )


def backup_part(part: KeptFile | bytes) -> fs_pb2.BackupPart:
    if isinstance(part, bytes):
        return fs_pb2.BackupPart(data=part)
    return fs_pb2.BackupPart(file=fs_pb2.BackupFile(name=part.name, size_bytes=part.size_bytes))


def decision_of(number: int) -> Decision:
    """Raises InvalidArgument."""
    if number not in Decision.__members__.values():
        raise InvalidArgument("The decision is not one of done, not a stack, or none.")
    return Decision(number)


def stacks(found: Found) -> fs_pb2.Stacks:
    message = fs_pb2.Stacks(stacks=[_stack(one) for one in found.stacks], pending=found.pending)
    if found.next is not None:
        message.more, message.next = True, found.next
    return message


def _stack(found: FoundStack) -> fs_pb2.Stack:
    stack = found.stack
    members = [
        fs_pb2.StackMember(
            path=joined(found.folder.rstrip(b"/"), shot.name),
            status=_STATUSES[state],
            reasons=verdict.reasons,
            sharpness=verdict.sharpness,
            exposure_ev=verdict.exposure_ev,
            width_px=shot.width_px,
            height_px=shot.height_px,
            taken_us=shot.at_us,
            size_bytes=shot.size_bytes,
        )
        for shot, state, verdict in zip(stack.members, found.states, stack.verdicts, strict=True)
    ]
    return fs_pb2.Stack(
        members=members, suggested=stack.suggested, decision=fs_pb2.StackDecision.ValueType(found.decision)
    )
