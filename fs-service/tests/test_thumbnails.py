"""A thumbnail from the store or from the workers, who answer, fall silent, die or are not there; over real NATS."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from fs_service.domain.errors import OutsideRoots, PathMissing, ThumbnailsUnavailable
from fs_service.domain.ports import Place, RootState
from fs_service.store.files import Files
from fs_service.store.thumbnails import ThumbnailStore, state_cache_of
from fs_service.threads import Threads
from fs_service.thumbnails import ThumbnailSource
from media_common import beneath, subjects, thumbnail_file
from media_common.errors import InvalidArgument
from media_common.logs import request_id
from media_common.testing import NatsServer, nats_server
from media_common.thumbnail_file import Source
from media_proto.thumbnail_pb2 import RenderReply, RenderRequest
from nats.aio.client import Client
from nats.aio.msg import Msg

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + b"\0" * 17 + b"\0\0\0\0IEND\xae\x42\x60\x82"


class PlainRoots:
    """Roots without an identity to check."""

    def known(self) -> list[bytes]:
        return []

    def place(self, path: bytes) -> Place:
        raise AssertionError(path)

    def state(self, root: bytes) -> tuple[RootState, str]:
        return RootState.ONLINE, ""

    @contextmanager
    def opened(self, root: bytes) -> Iterator[int]:
        with beneath.root(root) as descriptor:
            yield descriptor


@pytest.fixture(scope="module")
def nats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    with nats_server(tmp_path_factory.mktemp("nats")) as server:
        yield server


@pytest.fixture
async def connection(nats: NatsServer) -> AsyncIterator[Client]:
    client = Client()
    await client.connect(nats.url)
    yield client
    await client.close()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "rev"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(b"a picture")
    return folder


@pytest.fixture
def threads() -> Iterator[Threads]:
    threads = Threads("test", 4)
    yield threads
    threads.close()


@pytest.fixture
def store(tmp_path: Path) -> ThumbnailStore:
    roots = PlainRoots()
    return ThumbnailStore(roots, Files(roots), tmp_path / "state")


@pytest.fixture
def source(store: ThumbnailStore, connection: Client, threads: Threads) -> ThumbnailSource:
    return ThumbnailSource(store, lambda: connection, threads)


@pytest.fixture
def place(root: Path) -> Place:
    return Place(os.fsencode(root), b"a.jpg")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Silences that a test can wait for."""
    monkeypatch.setattr("fs_service.thumbnails._SILENCE_S", 0.2)
    monkeypatch.setattr("fs_service.thumbnails._SUCCESSOR_S", 1.0)
    monkeypatch.setattr("fs_service.thumbnails._PAUSE_S", 0.05)


class FakeWorker:
    """Answers each request with the next step of its script; remembers the messages."""

    def __init__(self, nats: NatsServer, *script: Callable[[Msg], Awaitable[None]]) -> None:
        self._nats = nats
        self._script = list(script)
        self._client = Client()
        self._tasks: set[asyncio.Task[None]] = set()
        self.messages: list[Msg] = []

    async def __aenter__(self) -> FakeWorker:
        await self._client.connect(self._nats.url)
        await self._client.subscribe(subjects.RENDER, queue=subjects.RENDER_GROUP, cb=self._on_message)
        await self._client.flush()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.close()

    async def _on_message(self, message: Msg) -> None:
        self.messages.append(message)
        step = self._script.pop(0) if len(self._script) > 1 else self._script[0]
        task = asyncio.ensure_future(step(message))
        self._tasks.add(task)  # type: ignore[arg-type]
        task.add_done_callback(self._tasks.discard)  # type: ignore[arg-type]


def says(*replies: RenderReply, every_s: float = 0.0) -> Callable[[Msg], Awaitable[None]]:
    async def step(message: Msg) -> None:
        for reply in replies:
            await asyncio.sleep(every_s)
            await message._client.publish(message.reply, reply.SerializeToString())

    return step


WORKING = RenderReply(working=True)
PICTURE = RenderReply(png=PNG)


def keep(root: Path, size_px: int = 256) -> None:
    facts = (root / "a.jpg").stat()
    source = Source(os.fsencode(root / "a.jpg"), facts.st_mtime_ns, facts.st_size)
    png = thumbnail_file.with_text(PNG, thumbnail_file.text_chunks(source))
    thumbnail_file.store(os.fsencode(root), source, size_px, png)


# ---- from the store ----


async def test_a_stored_thumbnail_needs_no_worker_and_no_nats(
    store: ThumbnailStore, threads: Threads, place: Place, root: Path
) -> None:
    keep(root)
    result = await ThumbnailSource(store, lambda: None, threads).get(place, 256, set())
    assert result.cache_hit
    assert result.png.endswith(b"IEND\xae\x42\x60\x82")
    assert result.modified_us == (root / "a.jpg").stat().st_mtime_ns // 1000
    again = await ThumbnailSource(store, lambda: None, threads).get(place, 256, {"other", result.etag})
    assert (again.not_modified, again.png, again.etag) == (True, b"", result.etag)


async def test_the_etag_is_another_for_each_size_and_each_state_of_the_file(
    store: ThumbnailStore, threads: Threads, place: Place, root: Path
) -> None:
    source = ThumbnailSource(store, lambda: None, threads)
    etags = set()
    for size_px in (128, 256):
        keep(root, size_px)
        etags.add((await source.get(place, size_px, set())).etag)
    os.utime(root / "a.jpg", ns=(1, 1))
    keep(root)
    etags.add((await source.get(place, 256, etags)).etag)
    assert len(etags) == 3
    assert not any(mark in etag for etag in etags for mark in '", ')


async def test_without_nats_and_without_a_stored_one_it_is_unavailable(
    store: ThumbnailStore, threads: Threads, place: Place
) -> None:
    with pytest.raises(ThumbnailsUnavailable):
        await ThumbnailSource(store, lambda: None, threads).get(place, 256, set())


@pytest.mark.parametrize("size_px", [0, -1, 1025])
async def test_a_size_out_of_range_is_refused(source: ThumbnailSource, place: Place, size_px: int) -> None:
    with pytest.raises(InvalidArgument):
        await source.get(place, size_px, set())


async def test_a_link_out_of_the_root_is_refused_before_any_worker_hears_of_it(
    source: ThumbnailSource, nats: NatsServer, root: Path, tmp_path: Path
) -> None:
    (tmp_path / "secret.jpg").write_bytes(b"x")
    (root / "link.jpg").symlink_to(tmp_path / "secret.jpg")
    async with FakeWorker(nats, says(PICTURE)) as worker:
        with pytest.raises(OutsideRoots):
            await source.get(Place(os.fsencode(root), b"link.jpg"), 256, set())
    assert worker.messages == []


# ---- from the workers ----


async def test_no_worker_at_all_is_said_at_once(source: ThumbnailSource, place: Place) -> None:
    async with asyncio.timeout(1):
        with pytest.raises(ThumbnailsUnavailable):
            await source.get(place, 256, set())


async def test_a_worker_is_asked_with_everything_it_needs(
    source: ThumbnailSource, nats: NatsServer, place: Place, root: Path, tmp_path: Path
) -> None:
    request_id.set("r-1")
    async with FakeWorker(nats, says(PICTURE)) as worker:
        result = await source.get(place, 300, set())
    assert (result.png, result.placeholder, result.cache_hit) == (PNG, False, False)
    (message,) = worker.messages
    assert RenderRequest.FromString(message.data) == RenderRequest(
        root=os.fsencode(root),
        relative_path=b"a.jpg",
        size_px=300,
        state_cache=state_cache_of(tmp_path / "state", os.fsencode(root)),
    )
    assert message.headers is not None
    assert message.headers[subjects.REQUEST_ID_HEADER] == "r-1"
    assert float(message.headers[subjects.DEADLINE_HEADER]) > 0


async def test_a_placeholder_is_said_to_be_one_and_has_no_etag(
    source: ThumbnailSource, nats: NatsServer, place: Place
) -> None:
    async with FakeWorker(nats, says(RenderReply(png=PNG, placeholder=True))):
        result = await source.get(place, 256, set())
    assert (result.png, result.placeholder, result.etag) == (PNG, True, "")


async def test_a_file_that_went_away_meanwhile_is_missing(
    source: ThumbnailSource, nats: NatsServer, place: Place
) -> None:
    async with FakeWorker(nats, says(RenderReply(gone=True))):
        with pytest.raises(PathMissing):
            await source.get(place, 256, set())


@pytest.mark.usefixtures("quick")
async def test_a_worker_that_says_it_is_working_is_waited_for(
    source: ThumbnailSource, nats: NatsServer, place: Place
) -> None:
    async with FakeWorker(nats, says(*[WORKING] * 8, PICTURE, every_s=0.1)) as worker:
        assert (await source.get(place, 256, set())).png == PNG
    assert len(worker.messages) == 1


@pytest.mark.usefixtures("quick")
async def test_when_a_worker_falls_silent_another_one_is_asked(
    source: ThumbnailSource, nats: NatsServer, place: Place
) -> None:
    async with FakeWorker(nats, says(WORKING), says(), says(PICTURE)) as worker:
        assert (await source.get(place, 256, set())).png == PNG
    assert len(worker.messages) == 3


@pytest.mark.usefixtures("quick")
async def test_three_silent_workers_are_enough(source: ThumbnailSource, nats: NatsServer, place: Place) -> None:
    async with FakeWorker(nats, says()) as worker:
        with pytest.raises(ThumbnailsUnavailable):
            await source.get(place, 256, set())
    assert len(worker.messages) == 3


@pytest.mark.usefixtures("quick")
async def test_the_successor_of_the_only_worker_is_given_time_to_start(
    source: ThumbnailSource, nats: NatsServer, place: Place
) -> None:
    async with FakeWorker(nats, says(WORKING)) as first:
        asking = asyncio.create_task(source.get(place, 256, set()))
        async with asyncio.timeout(5):
            while not first.messages:  # noqa: ASYNC110 - the message comes from another process
                await asyncio.sleep(0.01)
    await asyncio.sleep(0.4)  # nobody listens now
    async with FakeWorker(nats, says(PICTURE)):
        assert (await asking).png == PNG


async def test_however_many_ask_the_workers_are_asked_once(
    source: ThumbnailSource, nats: NatsServer, place: Place
) -> None:
    async with FakeWorker(nats, says(WORKING, PICTURE, every_s=0.1)) as worker:
        results = await asyncio.gather(*(source.get(place, 256, set()) for _ in range(30)))
        assert {result.png for result in results} == {PNG}
        assert len(worker.messages) == 1
        await source.get(place, 128, set())
        assert len(worker.messages) == 2


async def test_who_asks_after_a_change_does_not_join_who_asked_before_it(
    source: ThumbnailSource, nats: NatsServer, place: Place, root: Path
) -> None:
    async with FakeWorker(nats, says(WORKING, PICTURE, every_s=0.1)) as worker:
        before = asyncio.create_task(source.get(place, 256, set()))
        await asyncio.sleep(0.05)
        (root / "a.jpg").write_bytes(b"another picture")
        after = await source.get(place, 256, set())
        assert after.etag != (await before).etag
        assert len(worker.messages) == 2


async def test_a_caller_that_leaves_takes_nobody_elses_picture_away(
    source: ThumbnailSource, nats: NatsServer, place: Place
) -> None:
    async with FakeWorker(nats, says(WORKING, PICTURE, every_s=0.1)) as worker:
        leaves = asyncio.create_task(source.get(place, 256, set()))
        stays = asyncio.create_task(source.get(place, 256, set()))
        await asyncio.sleep(0.1)
        leaves.cancel()
        assert (await stays).png == PNG
        assert len(worker.messages) == 1


async def test_a_picture_too_large_for_a_message_is_taken_from_the_store(
    source: ThumbnailSource, nats: NatsServer, place: Place, root: Path
) -> None:
    async def stores_and_says_so(message: Msg) -> None:
        keep(root)
        await says(RenderReply())(message)

    async with FakeWorker(nats, stores_and_says_so):
        assert (await source.get(place, 256, set())).png.startswith(b"\x89PNG")


async def test_a_worker_that_is_only_connecting_is_not_missed(
    source: ThumbnailSource, nats: NatsServer, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fs_service.thumbnails._PAUSE_S", 1.0)
    asked = asyncio.create_task(source.get(place, 256, set()))
    await asyncio.sleep(0.2)
    assert not asked.done()
    async with FakeWorker(nats, says(PICTURE)):
        assert (await asked).png == PNG


async def test_a_worker_that_cannot_reach_the_root_is_not_the_last_word(
    source: ThumbnailSource, nats: NatsServer, place: Place
) -> None:
    async with FakeWorker(nats, says(RenderReply(reason="No such mount.")), says(PICTURE)):
        assert (await source.get(place, 256, set())).png == PNG
    async with FakeWorker(nats, says(RenderReply(reason="No such mount."))):
        with pytest.raises(ThumbnailsUnavailable):
            await source.get(place, 128, set())


async def test_nonsense_from_a_worker_is_unavailable(source: ThumbnailSource, nats: NatsServer, place: Place) -> None:
    async def nonsense(message: Msg) -> None:
        await message._client.publish(message.reply, b"\xff\xff\xff")

    async with FakeWorker(nats, nonsense):
        with pytest.raises(ThumbnailsUnavailable):
            await source.get(place, 256, set())
