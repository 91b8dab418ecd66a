"""The whole service as a process, over its unix socket: every call, errors by name, restarts, NATS coming and going."""

# ruff: noqa: ASYNC110, ASYNC240 - what is waited for is another process's, and the disk is looked at on purpose
from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import grpc
import nats
import pytest
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2, health_pb2_grpc
from media_common import kept, subjects
from media_common.errors import ErrorCode
from media_common.grpc_client import error_code_of, open_channel
from media_common.testing import NatsServer, nats_server
from media_proto import fs_pb2, fs_pb2_grpc, thumbnail_pb2
from nats.aio.msg import Msg
from PIL import Image

SERVICE = "framewell.fs.v1.FsService"


class Process:
    """`python -m fs_service` on a state directory and a socket of its own."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.state = folder / "state"
        self.target = f"unix:{folder}/fs.sock"
        self.log = folder / "log"
        own = {"FRAMEWELL_STATE_DIR": str(self.state), "FS_LISTEN": self.target, "NATS_URL": ""}
        self._environment = dict(os.environ) | own | environment
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns when it serves."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-W", "error", "-m", "fs_service"], env=self._environment, stdout=log, stderr=log
            )
        with grpc.insecure_channel(self.target) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            request = health_pb2.HealthCheckRequest(service=SERVICE)
            answer = stub.Check(request, wait_for_ready=True, timeout=20)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING

    def stop(self, number: int = signal.SIGTERM) -> float:
        """How long it took, seconds; anything but a clean end fails unless it was killed."""
        if self._process is None:
            return 0.0
        began = time.monotonic()
        self._process.send_signal(number)
        code = self._process.wait(15)
        self._process = None
        assert code == (0 if number == signal.SIGTERM else -number), self.text()
        return time.monotonic() - began

    def refused(self) -> tuple[int, str]:
        """A start that is expected to fail: exit code and what it said."""
        command = [sys.executable, "-m", "fs_service"]
        done = subprocess.run(command, env=self._environment, capture_output=True, timeout=20, check=False)
        return done.returncode, done.stderr.decode()

    def text(self) -> str:
        return self.log.read_text()


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    made = Process(tmp_path)
    made.start()
    yield made
    made.stop()
    assert "Traceback" not in made.text(), made.text()
    assert "Warning" not in made.text(), made.text()


@pytest.fixture
async def fs(process: Process) -> AsyncIterator[fs_pb2_grpc.FsServiceAsyncStub]:
    async with open_channel(process.target) as channel:
        yield fs_pb2_grpc.FsServiceStub(channel)  # type: ignore[misc]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Ten pictures in two folders, and what is no media."""
    folder = tmp_path / "rev"
    for number in range(10):
        day = folder / f"day{number % 2}"
        day.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (60 + number, 40)).save(day / f"a{number}.jpg")
    (folder / "day0/notes.txt").write_text("x")
    return folder


def b(path: Path) -> bytes:
    return os.fsencode(path)


async def added(fs: Any, root: Path) -> None:
    await fs.AddRoot(fs_pb2.AddRootRequest(path=b(root)))


async def streamed(fs: Any, root: Path, **fields: Any) -> list[fs_pb2.Item]:
    request = fs_pb2.StreamItemsRequest(path=b(root), limit=fields.pop("limit", 10_000), **fields)
    batches = [batch async for batch in fs.StreamItems(request)]
    assert [batch.last for batch in batches] == [False] * (len(batches) - 1) + [True]
    return [item for batch in batches for item in batch.items]


async def emptied(fs: Any, **fields: Any) -> list[fs_pb2.TrashEvent]:
    messages = [message async for message in fs.EmptyTrash(fs_pb2.EmptyTrashRequest(**fields))]
    return [event for message in messages for one in (message, *message.more) for event in _spelt_out(one)]


def _spelt_out(event: fs_pb2.TrashEvent) -> list[fs_pb2.TrashEvent]:
    """A run as the events that it stands for."""
    if event.WhichOneof("event") != "run":
        return [event]
    return [
        fs_pb2.TrashEvent(**{kind: fs_pb2.TrashPath(path=path)})
        for path in event.run.paths
        for kind in ("deleting", "deleted")
    ]


async def refusal(call: Any) -> tuple[ErrorCode, str]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return error_code_of(caught.value), caught.value.details() or ""


async def read(fs: Any, path: Path, offset: int = 0, length: int | None = None) -> bytes:
    facts = await fs.StatFile(fs_pb2.StatFileRequest(path=b(path)))
    length = facts.size_bytes - offset if length is None else length
    request = fs_pb2.ReadFileRequest(path=b(path), offset=offset, length=length, etag=facts.etag)
    return b"".join([chunk.data async for chunk in fs.ReadFile(request)])


def kinds(events: list[fs_pb2.TrashEvent]) -> list[str]:
    return [event.WhichOneof("event") or "" for event in events]


async def test_a_review_from_the_first_look_to_the_empty_trash(fs: Any, root: Path) -> None:
    answer = await fs.AddRoot(fs_pb2.AddRootRequest(path=b(root) + b"/day0/../"))
    assert answer.path == b(root)
    assert list(answer.known_paths) == [b(root)]
    items = await streamed(fs, root)
    assert [os.path.basename(item.path) for item in items] == [b"a%d.jpg" % number for number in range(10)]
    assert (items[3].width_px, items[3].height_px, items[3].HasField("duration_s")) == (63, 40, False)
    assert items[3].kind == fs_pb2.KIND_IMAGE
    assert items[3].size_bytes == os.path.getsize(items[3].path)
    assert [item.path for item in await streamed(fs, root, offset=4, limit=2)] == [item.path for item in items[4:6]]
    assert [item.path for item in await streamed(fs, root, after=items[7].path)] == [item.path for item in items[8:]]
    page = await fs.ListFolderFiles(fs_pb2.ListFolderFilesRequest(path=b(root / "day0"), offset=1, limit=2))
    assert (len(page.items), page.total, page.ignored) == (2, 5, 1)

    first, second = Path(os.fsdecode(items[0].path)), Path(os.fsdecode(items[1].path))
    done = await fs.Act(fs_pb2.ActRequest(path=b(first), action=fs_pb2.ACTION_TRASH))
    assert (done.path, done.status.trashed, done.status.seen) == (b(first), True, True)
    assert first.with_name(first.name + ".trash").exists()
    await fs.Act(fs_pb2.ActRequest(path=b(second), action=fs_pb2.ACTION_TRASH))
    await fs.Act(fs_pb2.ActRequest(path=b(second), action=fs_pb2.ACTION_LOCK))
    summary = await fs.GetSummary(fs_pb2.GetSummaryRequest(path=b(root)))
    assert (summary.all, summary.seen, summary.locked, summary.trashed, summary.unseen) == (10, 2, 1, 2, 8)
    trashed = await streamed(fs, root, status=fs_pb2.STATUS_FILTER_TRASHED)
    assert [item.path for item in trashed] == [b(first), b(second)]

    plan = await fs.PlanTrash(fs_pb2.PlanTrashRequest())
    assert (plan.count, plan.locked, plan.changed) == (1, 1, 0)
    assert plan.bytes == first.stat().st_size
    assert [(one.path, one.state, one.count) for one in plan.roots] == [(b(root), fs_pb2.ROOT_STATE_ONLINE, 1)]
    events = await emptied(fs, path=b(root), if_match=plan.hash)
    assert kinds(events) == ["deleting", "deleted", "deleting", "skipped", "folder_done", "done"]
    assert (events[0].deleting.path, events[3].skipped.reason) == (b(first), "locked")
    assert (events[-1].done.deleted, events[-1].done.errors, events[-1].done.skipped) == (1, 0, 1)
    assert not first.exists()
    assert not first.with_name(first.name + ".trash").exists()
    assert second.exists()
    receipts = (await fs.ListReceipts(fs_pb2.ListReceiptsRequest(limit=10))).receipts
    assert [(one.receipt_id, list(one.paths)) for one in receipts] == [(events[-1].done.receipt_id, [b(first)])]
    settings = await fs.GetSettings(fs_pb2.GetSettingsRequest())
    assert (settings.deletion_queue.failed_jobs, settings.deletion_workers) == (0, 2)


async def test_a_batch_tells_each_item_its_own_and_is_one_step_back(fs: Any, root: Path) -> None:
    await added(fs, root)
    good, locked = root / "day0/a0.jpg", root / "day1/a1.jpg"
    await fs.Act(fs_pb2.ActRequest(path=b(locked), action=fs_pb2.ACTION_LOCK))
    paths = [b(good), b(locked), b(root / "no.jpg"), b"relative.jpg", b"/etc/passwd", b"\0", b(root / "day0/notes.txt")]
    answer = await fs.ActBatch(fs_pb2.ActBatchRequest(paths=paths, action=fs_pb2.ACTION_TRASH))
    assert [one.path for one in answer.outcomes] == paths
    assert [one.error_code for one in answer.outcomes] == [
        "",
        "item_locked",
        "path_missing",
        "path_malformed",
        "outside_roots",
        "path_malformed",
        "not_media",
    ]
    assert answer.outcomes[0].status.trashed
    assert not answer.outcomes[1].HasField("status")
    assert [one.HasField("before") for one in answer.outcomes] == [True] + [False] * 6
    assert answer.outcomes[0].before == fs_pb2.Status()
    undone = await fs.Undo(fs_pb2.UndoRequest(steps=1))
    assert [(one.path, one.status.trashed, one.status.seen) for one in undone.outcomes] == [(b(good), False, False)]
    undone = await fs.Undo(fs_pb2.UndoRequest(steps=1))
    assert [one.path for one in undone.outcomes] == [b(locked)]
    assert await refusal(fs.Undo(fs_pb2.UndoRequest(steps=1))) == (
        ErrorCode.NOTHING_TO_UNDO,
        "There is nothing to undo.",
    )


async def test_every_refusal_has_its_name_and_no_path_of_the_disk(fs: Any, root: Path, tmp_path: Path) -> None:
    await added(fs, root)
    good = b(root / "day0/a0.jpg")
    (tmp_path / "outside.jpg").write_bytes(b"x")
    os.symlink(tmp_path / "outside.jpg", root / "link.jpg")
    await fs.Act(fs_pb2.ActRequest(path=good, action=fs_pb2.ACTION_LOCK))
    lock, trash = fs_pb2.ACTION_LOCK, fs_pb2.ACTION_TRASH
    facts = await fs.StatFile(fs_pb2.StatFileRequest(path=good))
    wrong: list[tuple[Any, Message, ErrorCode]] = [
        (fs.Act, fs_pb2.ActRequest(path=b"", action=lock), ErrorCode.PATH_MALFORMED),
        (fs.Act, fs_pb2.ActRequest(path=b"~nobody-here/x.jpg", action=lock), ErrorCode.PATH_MALFORMED),
        (fs.Act, fs_pb2.ActRequest(path=good, action=99), ErrorCode.INVALID_ARGUMENT),  # type: ignore[arg-type]
        (fs.Act, fs_pb2.ActRequest(path=good), ErrorCode.INVALID_ARGUMENT),
        (fs.Act, fs_pb2.ActRequest(path=good, action=trash), ErrorCode.ITEM_LOCKED),
        (fs.Act, fs_pb2.ActRequest(path=b(root / "no.jpg"), action=lock), ErrorCode.PATH_MISSING),
        (fs.Act, fs_pb2.ActRequest(path=b(tmp_path / "outside.jpg"), action=lock), ErrorCode.OUTSIDE_ROOTS),
        (fs.Act, fs_pb2.ActRequest(path=b(root / "link.jpg"), action=lock), ErrorCode.OUTSIDE_ROOTS),
        (fs.ActBatch, fs_pb2.ActBatchRequest(action=lock), ErrorCode.INVALID_ARGUMENT),
        (fs.ActBatch, fs_pb2.ActBatchRequest(paths=[good] * 501, action=lock), ErrorCode.INVALID_ARGUMENT),
        (fs.StatFile, fs_pb2.StatFileRequest(path=b(root / "link.jpg")), ErrorCode.OUTSIDE_ROOTS),
        (fs.StatFile, fs_pb2.StatFileRequest(path=b(root / "day0/notes.txt")), ErrorCode.NOT_MEDIA),
        (fs.StatFile, fs_pb2.StatFileRequest(path=b(root)), ErrorCode.NOT_MEDIA),
        (fs.StatFile, fs_pb2.StatFileRequest(path=b"/nowhere/x.jpg"), ErrorCode.OUTSIDE_ROOTS),
        (fs.GetItem, fs_pb2.GetItemRequest(path=b(root / "no.jpg")), ErrorCode.PATH_MISSING),
        (fs.GetSummary, fs_pb2.GetSummaryRequest(path=b(root / "day0")), ErrorCode.UNKNOWN_ROOT),
        (fs.ListFolders, fs_pb2.ListFoldersRequest(path=b"/proc"), ErrorCode.HIDDEN_PATH),
        (fs.AddRoot, fs_pb2.AddRootRequest(path=b"/"), ErrorCode.HIDDEN_PATH),
        (fs.AddRoot, fs_pb2.AddRootRequest(path=b(root / "no")), ErrorCode.PATH_MISSING),
        (fs.RemoveRoot, fs_pb2.RemoveRootRequest(path=b(tmp_path)), ErrorCode.ROOT_NOT_CONFIGURED),
        (fs.UpdateSettings, fs_pb2.UpdateSettingsRequest(video_preload_mb=0), ErrorCode.SETTING_OUT_OF_RANGE),
        (fs.PlanTrash, fs_pb2.PlanTrashRequest(path=b(tmp_path)), ErrorCode.UNKNOWN_ROOT),
        (fs.GetThumbnail, fs_pb2.GetThumbnailRequest(path=good, size_px=256), ErrorCode.THUMBNAILS_UNAVAILABLE),
        (fs.GetThumbnail, fs_pb2.GetThumbnailRequest(path=good, size_px=1025), ErrorCode.INVALID_ARGUMENT),
        (fs.RetryDeadJobs, fs_pb2.RetryDeadJobsRequest(), ErrorCode.QUEUE_UNAVAILABLE),
    ]
    for call, request, expected in wrong:
        code, message = await refusal(call(request))
        assert (code, request) == (expected, request)
        assert message.endswith(".")
        assert os.fsdecode(tmp_path) not in message
    streams: list[tuple[Any, Message, ErrorCode]] = [
        (fs.StreamItems, fs_pb2.StreamItemsRequest(path=b(root / "day0"), limit=5), ErrorCode.UNKNOWN_ROOT),
        (fs.StreamItems, fs_pb2.StreamItemsRequest(path=b(root), limit=0), ErrorCode.INVALID_ARGUMENT),
        (fs.StreamItems, fs_pb2.StreamItemsRequest(path=b(root), limit=5, after=b"/x"), ErrorCode.INVALID_ARGUMENT),
        (fs.Replay, fs_pb2.ReplayRequest(path=b(tmp_path)), ErrorCode.UNKNOWN_ROOT),
        (fs.EmptyTrash, fs_pb2.EmptyTrashRequest(path=b(tmp_path)), ErrorCode.UNKNOWN_ROOT),
        (fs.EmptyTrash, fs_pb2.EmptyTrashRequest(if_match="0"), ErrorCode.PLAN_CHANGED),
        (fs.ReadFile, fs_pb2.ReadFileRequest(path=good, length=1, etag="other"), ErrorCode.FILE_CHANGED),
        (fs.ReadFile, fs_pb2.ReadFileRequest(path=good, length=10**9, etag=facts.etag), ErrorCode.INVALID_ARGUMENT),
    ]
    for call, request, expected in streams:
        code, _ = await refusal(anext(aiter(call(request))))
        assert (code, request) == (expected, request)


async def test_many_are_looked_at_at_once_each_found_or_refused_by_itself(fs: Any, root: Path, tmp_path: Path) -> None:
    await fs.AddRoot(fs_pb2.AddRootRequest(path=b(root)))
    there = root / "day0/a0.jpg"
    paths = [os.fsencode(path) for path in (there, root / "none.jpg", tmp_path / "outside.jpg")]
    answer = await fs.GetItems(fs_pb2.GetItemsRequest(paths=paths))
    assert [(found.path, found.error_code) for found in answer.items] == list(
        zip(paths, ["", ErrorCode.PATH_MISSING, ErrorCode.OUTSIDE_ROOTS], strict=True)
    )
    assert answer.items[0].item.inode == there.stat().st_ino
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await fs.GetItems(fs_pb2.GetItemsRequest(paths=[b"/x"] * 1001))
    assert error_code_of(refused.value) is ErrorCode.INVALID_ARGUMENT


async def test_a_file_is_read_whole_and_in_ranges(fs: Any, root: Path) -> None:
    await added(fs, root)
    content = os.urandom(3_000_000)
    clip = root / "day0/clip.mp4"
    clip.write_bytes(content)
    facts = await fs.StatFile(fs_pb2.StatFileRequest(path=b(clip)))
    assert (facts.size_bytes, facts.content_type) == (len(content), "video/mp4")
    assert facts.modified_us == clip.stat().st_mtime_ns // 1000
    assert await read(fs, clip) == content
    assert await read(fs, clip, 1_000_001, 7) == content[1_000_001:1_000_008]


async def test_a_name_that_is_no_utf8_goes_all_the_way(fs: Any, root: Path) -> None:
    odd = Path(os.fsdecode(b(root) + b"/day0/caf\xe9 \xff.jpg"))
    Image.new("RGB", (7, 5)).save(odd.with_name("x.jpg"))
    odd.with_name("x.jpg").rename(odd)
    await added(fs, root)
    assert b(odd) in [item.path for item in await streamed(fs, root)]
    item = await fs.GetItem(fs_pb2.GetItemRequest(path=b(odd)))
    assert (item.path, item.width_px) == (b(odd), 7)
    assert await read(fs, odd) == odd.read_bytes()
    assert (await fs.Act(fs_pb2.ActRequest(path=b(odd), action=fs_pb2.ACTION_TRASH))).status.trashed
    assert kinds(await emptied(fs))[:2] == ["deleting", "deleted"]


async def test_settings_are_kept(fs: Any, process: Process, root: Path) -> None:
    settings = await fs.UpdateSettings(fs_pb2.UpdateSettingsRequest(video_preload_mb=77))
    assert settings.video_preload_mb == 77
    assert settings.state_directory == b(process.state)
    assert b"/proc" in settings.hidden_picker_paths
    assert "video_preload_mb: 77" in (process.state / "config.yaml").read_text()


async def test_events_are_followed_live_and_from_where_one_was(fs: Any, root: Path) -> None:
    await added(fs, root)
    await streamed(fs, root)
    live = fs.WatchEvents(fs_pb2.WatchEventsRequest(after=0))
    good = root / "day0/a0.jpg"
    await fs.Act(fs_pb2.ActRequest(path=b(good), action=fs_pb2.ACTION_SEEN))
    async with asyncio.timeout(10):
        async for event in live:
            if event.kind == "state":
                break
    assert json.loads(event.payload_json) == {
        "path": str(good),
        "status": {"locked": False, "trashed": False, "seen": True},
    }
    live.cancel()
    await fs.Act(fs_pb2.ActRequest(path=b(good), action=fs_pb2.ACTION_UNSEEN))
    resumed = fs.WatchEvents(fs_pb2.WatchEventsRequest(after=event.sequence))
    async with asyncio.timeout(10):
        position, following = await anext(events := aiter(resumed)), await anext(events)
    assert (position.kind, position.sequence) == ("", event.sequence)
    assert following.sequence > event.sequence
    assert json.loads(following.payload_json)["status"]["seen"] is False
    resumed.cancel()


async def test_who_follows_from_now_on_hears_nothing_old(fs: Any, root: Path) -> None:
    await added(fs, root)
    await fs.Act(fs_pb2.ActRequest(path=b(root / "day0/a0.jpg"), action=fs_pb2.ACTION_SEEN))
    live = fs.WatchEvents(fs_pb2.WatchEventsRequest())
    await asyncio.sleep(0.3)
    await fs.Act(fs_pb2.ActRequest(path=b(root / "day1/a1.jpg"), action=fs_pb2.ACTION_LOCK))
    async with asyncio.timeout(10):
        async for event in live:
            if event.kind == "state":
                break
    assert json.loads(event.payload_json)["path"].endswith("a1.jpg")
    live.cancel()


async def test_a_caller_that_leaves_stops_the_deletion(fs: Any, tmp_path: Path) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    names = [f"{number:05}.jpg" for number in range(3000)]
    for name in names:
        (folder / name).write_bytes(b"x")
        (folder / f"{name}.trash").touch()
    await added(fs, folder)
    call = fs.EmptyTrash(fs_pb2.EmptyTrashRequest())
    async for _ in call:
        call.cancel()
        break
    await asyncio.sleep(0.3)
    left = sum((folder / name).exists() for name in names)
    await asyncio.sleep(0.5)
    assert left == sum((folder / name).exists() for name in names)
    assert 0 < left < len(names)
    events = await emptied(fs)
    assert events[-1].done.deleted == left
    assert not any(folder.glob("*.jpg*"))


async def test_the_replay_gives_every_item_of_every_root(fs: Any, root: Path, tmp_path: Path) -> None:
    other = tmp_path / "rev2"
    other.mkdir()
    Image.new("RGB", (3, 3)).save(other / "z.png")
    await added(fs, root)
    await added(fs, other)

    async def replayed(**fields: Any) -> list[bytes]:
        batches = [batch async for batch in fs.Replay(fs_pb2.ReplayRequest(**fields))]
        return [item.path for batch in batches for item in batch.items]

    assert len(await replayed()) == 11
    assert await replayed(path=b(other)) == [b(other / "z.png")]


async def test_nothing_acknowledged_is_lost_by_a_kill(process: Process, root: Path) -> None:
    async with open_channel(process.target) as channel:
        fs: Any = fs_pb2_grpc.FsServiceStub(channel)
        await added(fs, root)
        for number in range(10):
            path = root / f"day{number % 2}/a{number}.jpg"
            await fs.Act(fs_pb2.ActRequest(path=b(path), action=fs_pb2.ACTION_TRASH))
        process.stop(signal.SIGKILL)
        process.start()
        roots = (await fs.ListRoots(fs_pb2.ListRootsRequest(), wait_for_ready=True)).roots
        assert [(one.path, one.state) for one in roots] == [(b(root), fs_pb2.ROOT_STATE_ONLINE)]
        summary = await fs.GetSummary(fs_pb2.GetSummaryRequest(path=b(root)))
        assert (summary.all, summary.trashed) == (10, 10)
        assert len((await fs.Undo(fs_pb2.UndoRequest(steps=10))).outcomes) == 10


async def test_it_stops_at_once_although_somebody_follows(process: Process, root: Path) -> None:
    async with open_channel(process.target) as channel:
        fs: Any = fs_pb2_grpc.FsServiceStub(channel)
        await added(fs, root)
        live = fs.WatchEvents(fs_pb2.WatchEventsRequest(after=0))
        assert not (await anext(aiter(live))).kind
        took_s = await asyncio.to_thread(process.stop)
        assert took_s < 3
        with contextlib.suppress(grpc.aio.AioRpcError):
            async for _ in live:
                pass
        process.start()


async def test_it_stops_cleanly_in_the_middle_of_streams_and_deletions(process: Process, tmp_path: Path) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(2000):
        (folder / f"{number:05}.jpg").write_bytes(b"x" * 100)
        if number % 2:
            (folder / f"{number:05}.jpg.trash").touch()
    (folder / "clip.mp4").write_bytes(bytes(30_000_000))
    async with open_channel(process.target) as channel:
        fs: Any = fs_pb2_grpc.FsServiceStub(channel)
        await added(fs, folder)
        facts = await fs.StatFile(fs_pb2.StatFileRequest(path=b(folder / "clip.mp4")))
        reading = fs_pb2.ReadFileRequest(path=facts.path, length=facts.size_bytes, etag=facts.etag)
        listing = fs_pb2.StreamItemsRequest(path=b(folder), limit=10_000)
        calls = [fs.StreamItems(listing), fs.ReadFile(reading), fs.EmptyTrash(fs_pb2.EmptyTrashRequest())]
        for call in calls:
            await anext(aiter(call))
        assert await asyncio.to_thread(process.stop) < 8
        process.start()
        # A mark without its file would be half a deletion.
        marks = {path.name.removesuffix(".trash") for path in folder.glob("*.trash")}
        assert marks <= {path.name for path in folder.glob("*.jpg")}
        del calls


def test_a_second_service_on_the_same_state_says_why_it_does_not_start(process: Process) -> None:
    code, said = process.refused()
    assert code == 1
    assert said.count("\n") == 1
    assert "in use by another fs-service" in said


@pytest.mark.parametrize("variable", ["FS_PROBE_PROCESSES", "FRAMEWELL_PORTT"])
def test_a_wrong_setting_is_one_sentence_and_exit_2(tmp_path: Path, variable: str) -> None:
    code, said = Process(tmp_path, **{variable: "x"}).refused()
    assert (code, said.count("\n")) == (2, 1)
    assert said.startswith("fs-service: ")
    assert variable in said


async def test_a_broken_config_is_reported_and_not_overwritten(tmp_path: Path, root: Path) -> None:
    process = Process(tmp_path)
    process.state.mkdir()
    broken = "known_paths: [\nserver: {video_preload_mb: 50"
    (process.state / "config.yaml").write_text(broken)
    process.start()
    try:
        async with open_channel(process.target) as channel:
            fs: Any = fs_pb2_grpc.FsServiceStub(channel)
            code, message = await refusal(fs.AddRoot(fs_pb2.AddRootRequest(path=b(root))))
            assert code == ErrorCode.CONFIG_BROKEN
            assert "line" in message
            assert (process.state / "config.yaml").read_text() == broken
            (process.state / "config.yaml").write_text(f"known_paths: [{root}]\n")
            assert len(await streamed(fs, root)) == 10
    finally:
        process.stop()
    assert "Traceback" not in process.text()


# ---- with NATS ----


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsServer]:
    with nats_server(tmp_path / "nats") as made:
        yield made


async def test_what_is_found_changed_and_deleted_is_told_over_nats(
    server: NatsServer, tmp_path: Path, root: Path
) -> None:
    process = Process(tmp_path, NATS_URL=server.url)
    process.start()
    try:
        async with open_channel(process.target) as channel:
            fs: Any = fs_pb2_grpc.FsServiceStub(channel)
            await added(fs, root)
            good = root / "day0/a0.jpg"
            await fs.Act(fs_pb2.ActRequest(path=b(good), action=fs_pb2.ACTION_TRASH))
            await emptied(fs)
            client = await nats.connect(server.url)
            js = client.jetstream()

            async def told(subject: str, path: Path) -> bool:
                try:
                    info = await js.stream_info(subjects.MEDIA_STREAM)
                except nats.js.errors.NotFoundError:
                    return False
                for sequence in range(1, info.state.last_seq + 1):
                    message = await js.get_msg(subjects.MEDIA_STREAM, seq=sequence)
                    if message.subject == subject and fs_pb2.MediaEvent.FromString(message.data or b"").path == b(path):
                        return True
                return False

            async with asyncio.timeout(60):
                for subject in (subjects.MEDIA_FOUND, subjects.MEDIA_STATE, subjects.MEDIA_GONE):
                    while not await told(subject, good):
                        await asyncio.sleep(0.1)
            job = await js.get_msg(subjects.JOBS_STREAM, seq=1)
            wanted = thumbnail_pb2.RenderRequest.FromString(job.data or b"")
            assert wanted.root == b(root)
            assert (root / os.fsdecode(wanted.relative_path)).parent.exists()
            async with asyncio.timeout(60):
                while (queues := await fs.GetQueues(fs_pb2.GetQueuesRequest())).index.pending:
                    await asyncio.sleep(0.1)
            assert queues.nats_up
            assert not queues.workers_up
            assert queues.thumbnail.pending >= 9
            await client.close()
    finally:
        process.stop()
    assert "Traceback" not in process.text(), process.text()


async def test_a_thumbnail_comes_from_a_worker_and_then_from_the_store(
    server: NatsServer, tmp_path: Path, root: Path
) -> None:
    process = Process(tmp_path, NATS_URL=server.url, FS_PREGENERATE="false")
    process.start()
    client = await nats.connect(server.url)

    async def work(message: Msg) -> None:
        await message.respond(thumbnail_pb2.RenderReply(png=b"a picture").SerializeToString())

    await client.subscribe(subjects.RENDER, queue=subjects.RENDER_GROUP, cb=work)
    await client.flush()
    try:
        async with open_channel(process.target) as channel:
            fs: Any = fs_pb2_grpc.FsServiceStub(channel)
            await added(fs, root)
            request = fs_pb2.GetThumbnailRequest(path=b(root / "day0/a0.jpg"), size_px=128)
            async with asyncio.timeout(20):
                while True:
                    with contextlib.suppress(grpc.aio.AioRpcError):
                        thumbnail = await fs.GetThumbnail(request)
                        break
                    await asyncio.sleep(0.1)
            assert thumbnail.png == b"a picture"
            assert thumbnail.etag
            request.if_etag = f"x, {thumbnail.etag}"
            again = await fs.GetThumbnail(request)
            assert (again.not_modified, again.png) == (True, b"")
    finally:
        await client.close()
        process.stop()
    assert "Traceback" not in process.text(), process.text()


async def test_a_review_goes_on_while_nats_is_away(server: NatsServer, tmp_path: Path, root: Path) -> None:
    server.stop()
    process = Process(tmp_path, NATS_URL=server.url)
    process.start()
    try:
        async with open_channel(process.target) as channel:
            fs: Any = fs_pb2_grpc.FsServiceStub(channel)
            await added(fs, root)
            assert len(await streamed(fs, root)) == 10
            await fs.Act(fs_pb2.ActRequest(path=b(root / "day0/a0.jpg"), action=fs_pb2.ACTION_LOCK))
            queues = await fs.GetQueues(fs_pb2.GetQueuesRequest())
            assert not queues.nats_up
            server.start()
            async with asyncio.timeout(20):
                while not (queues := await fs.GetQueues(fs_pb2.GetQueuesRequest())).nats_up or queues.index.pending:
                    await asyncio.sleep(0.1)
    finally:
        process.stop()
    assert process.text().count("NATS is down") == 1


async def test_a_journal_that_is_lost_is_told_and_a_first_start_is_not(tmp_path: Path, root: Path) -> None:
    process = Process(tmp_path)
    process.start()
    async with open_channel(process.target) as channel:
        await added(fs_pb2_grpc.FsServiceStub(channel), root)
    process.stop()
    assert "journal.db is missing" not in process.log.read_text()
    for file in process.state.glob("journal.db*"):
        file.unlink()
    process.start()
    process.stop()
    assert "journal.db is missing" in process.log.read_text()


async def test_a_backup_is_the_config_the_identities_and_the_journal_of_now(
    process: Process, fs: Any, root: Path, tmp_path: Path
) -> None:
    await added(fs, root)
    await fs.Act(fs_pb2.ActRequest(path=b(root / "day0/a0.jpg"), action=fs_pb2.ACTION_LOCK))
    announced, contents = [], []
    async for part in fs.Backup(fs_pb2.BackupRequest()):
        if part.HasField("file"):
            announced.append(part.file)
            contents.append(b"")
        else:
            contents[-1] += part.data
    assert [file.name for file in announced] == ["config.yaml", "roots.json", "journal.db"]
    assert [file.size_bytes for file in announced] == [len(content) for content in contents]
    assert contents[0] == (process.state / "config.yaml").read_bytes()
    process.stop()
    (tmp_path / "journal.db").write_bytes(contents[2])
    with contextlib.closing(sqlite3.connect(tmp_path / "journal.db")) as journal:
        assert journal.execute("SELECT path, status FROM entries").fetchall() == [(b(root / "day0/a0.jpg"), 1)]


def test_the_mark_of_a_restore_is_taken_note_of_once(process: Process) -> None:
    process.stop()
    mark = kept.restored_mark(process.state / kept.JOURNAL.name)
    mark.touch()
    process.start()
    assert not mark.exists()
    assert "a backup was put back" in process.text()


async def test_files_are_described_and_hashed_by_path(
    fs: fs_pb2_grpc.FsServiceAsyncStub, root: Path, tmp_path: Path
) -> None:
    await fs.AddRoot(fs_pb2.AddRootRequest(path=b(root)))
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = "Lumora", "LX Pro"
    exif.get_ifd(0x8769).update({0x9003: "2025:07:21 18:05:09", 0x9011: "+02:00"})
    Image.new("RGB", (60, 40)).save(root / "shot.jpg", exif=exif)
    (tmp_path / "outside.jpg").write_bytes(b"x")
    paths = [b(root / "shot.jpg"), b(root / "none.jpg"), b(tmp_path / "outside.jpg"), b(root / "day0/a0.jpg")]
    shot, none, outside, plain = (await fs.DescribeFiles(fs_pb2.DescribeFilesRequest(paths=paths))).files
    facts = (root / "shot.jpg").stat()
    assert (shot.path, shot.make, shot.model, shot.width_px) == (paths[0], "Lumora", "LX Pro", 60)
    assert (shot.taken_us, shot.taken_offset_min) == (1_753_121_109_000_000, 120)
    assert (shot.size_bytes, shot.inode, shot.modified_us) == (facts.st_size, facts.st_ino, facts.st_mtime_ns // 1000)
    assert (none.error_code, outside.error_code) == (ErrorCode.PATH_MISSING, ErrorCode.OUTSIDE_ROOTS)
    assert not plain.HasField("taken_us")
    assert plain.width_px == 60
    deadline = time.monotonic() + 10
    hashed: list[fs_pb2.FileHash] = []
    while not (hashed and hashed[0].sha256) and time.monotonic() < deadline:  # at first it has only just been written
        batches = fs.HashFiles(fs_pb2.HashFilesRequest(paths=paths))
        hashed = [one async for batch in batches for one in batch.files]
    assert [one.path for one in hashed] == paths
    assert hashed[0].sha256 == hashlib.sha256((root / "shot.jpg").read_bytes()).digest()
    assert hashed[0].inode == facts.st_ino
    assert [one.error_code for one in hashed[1:3]] == [ErrorCode.PATH_MISSING, ErrorCode.OUTSIDE_ROOTS]
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await fs.DescribeFiles(fs_pb2.DescribeFilesRequest(paths=[b"/x.jpg"] * 1001))
    assert error_code_of(error.value) is ErrorCode.INVALID_ARGUMENT


async def test_any_step_is_listed_looked_into_and_taken_back(fs: Any, root: Path) -> None:
    await added(fs, root)
    paths = [b(root / "day0" / f"a{number}.jpg") for number in (0, 2, 4)]
    await fs.ActBatch(fs_pb2.ActBatchRequest(paths=paths, action=fs_pb2.ACTION_TRASH))
    await fs.Act(fs_pb2.ActRequest(path=paths[0], action=fs_pb2.ACTION_LOCK))
    page = await fs.ListSteps(fs_pb2.ListStepsRequest(limit=1))
    assert [(one.step.files, one.step.kind) for one in page.entries] == [(1, fs_pb2.STEP_KIND_ACT)]
    page = await fs.ListSteps(fs_pb2.ListStepsRequest(limit=1, before_step=page.before_step))
    (step,) = (one.step for one in page.entries)
    assert (step.files, step.standing, step.folder) == (3, 3, b(root / "day0"))
    assert [(one.after.trashed, one.count) for one in step.changes] == [(True, 3)]
    assert not page.HasField("before_step")
    files = await fs.ListStepFiles(fs_pb2.ListStepFilesRequest(step=step.step, limit=10))
    assert ([one.path for one in files.files], files.last) == (paths, True)

    undone = await fs.UndoStep(fs_pb2.UndoStepRequest(step=step.step))
    counts = {one.result: one.count for one in undone.counts}
    assert counts == {fs_pb2.UNDO_RESULT_DONE: 2, fs_pb2.UNDO_RESULT_LOCKED: 1}
    assert [one.path for one in undone.outcomes] == paths  # what was left alone comes first
    assert undone.outcomes[0].message
    assert undone.outcomes[1].HasField("status")
    summary = await fs.GetSummary(fs_pb2.GetSummaryRequest(path=b(root)))
    assert (summary.trashed, summary.locked) == (1, 1)
    code, _ = await refusal(fs.UndoStep(fs_pb2.UndoStepRequest(step=99)))
    assert code is ErrorCode.STEP_NOT_FOUND


async def test_a_roots_state_is_told_with_its_time_and_its_changes_as_events(fs: Any, root: Path) -> None:
    await added(fs, root)
    (status,) = (await fs.GetRootStatus(fs_pb2.GetRootStatusRequest())).roots
    assert (status.path, status.state, status.answers) == (b(root), fs_pb2.ROOT_STATE_ONLINE, True)
    assert status.free_bytes > 0
    events = fs.WatchEvents(fs_pb2.WatchEventsRequest(after=0))
    root.rename(root.with_name("away"))
    async with asyncio.timeout(20):
        async for event in events:
            if event.kind == "root-status":
                break
    events.cancel()
    told = json.loads(event.payload_json)
    assert (told["path"], told["state"], told["answers"]) == (str(root), "offline", True)
    (status,) = (await fs.GetRootStatus(fs_pb2.GetRootStatusRequest())).roots
    assert (status.state, status.HasField("free_bytes")) == (fs_pb2.ROOT_STATE_OFFLINE, False)
    assert status.reason


async def test_thumbnails_cannot_be_held_back_without_nats(fs: Any) -> None:
    code, _ = await refusal(fs.PauseThumbnails(fs_pb2.PauseThumbnailsRequest(paused=True)))
    assert code is ErrorCode.QUEUE_UNAVAILABLE
